"""``--eval_model``: which stages of recipes/audio_llm.sh run, and on which sets, for a model that is there."""

import pytest
from shell_recipe import names


def model_in(folder):
    (folder / "tokenizer").mkdir(parents=True)
    for name in ("config.yaml", "run.json", "model.safetensors", "tokenizer/tokenizer.json"):
        (folder / name).write_text("decoder: transformer\n")
    return folder


def add_set(recipe, name):
    (recipe.folder / "data" / name).mkdir(parents=True)
    (recipe.folder / "data" / name / "wav.scp").write_text("a a.flac\n")


@pytest.fixture
def trained(tmp_path):
    return model_in(tmp_path / "elsewhere/big")


EVALUATION = ["config", "data", "prepare", "tokenize", "decode", "score"]


def test_with_a_trained_model_test_sets_alone_are_prepared_decoded_and_scored(recipe, trained):
    status, output, called = recipe.run("--eval_model", str(trained))
    assert status == 0, output
    assert names(called) == EVALUATION
    tokens, decoded = "dump/tokens_pretrain_eval_big/one_test", "exp/pretrain_eval_big/decode"
    assert called[3] == f"tokenize dump/raw/one_test {tokens} --tokenizer {trained}/tokenizer"
    assert called[4].startswith(f"decode --model {trained} --sets {tokens} --output {decoded} ")
    assert "--train" not in called[5] and f"--decoded {decoded}/one_test:dump/raw/one_test" in called[5]
    assert called[5].startswith("score --results results_eval_big/ ")
    assert recipe.run("--eval_model", str(trained))[2] == []
    (trained / "model.safetensors").write_text("other weights\n")
    assert names(recipe.run("--eval_model", str(trained))[2]) == ["decode", "score"]


def test_a_trained_model_is_decoded_by_its_own_configuration_where_the_recipe_has_none(recipe, trained):
    (trained / "decode.yaml").write_text("beam_size: 4\n")
    evaluation = ["--eval_model", str(trained)]
    assert f" --config {trained}/decode.yaml" in recipe.run(*evaluation)[2][4]
    (trained / "decode.yaml").write_text("beam_size: 2\n")
    assert names(recipe.run(*evaluation)[2]) == ["decode", "score"]
    assert (trained / "decode.yaml").read_text() == "beam_size: 2\n"
    (recipe.folder / "conf/decode.yaml").write_text("beam_size: 3\n")
    assert " --config conf/decode.yaml" in recipe.run(*evaluation)[2][0]


def test_with_a_trained_model_the_test_sets_of_a_corpus_are_read_alone(recipe, trained):
    evaluation = ["--eval_model", str(trained)]
    read = "data --corpus_name one --preset default --downloads downloads"
    assert recipe.run(*evaluation)[2][1] == f"{read} --test_only true"
    assert recipe.run("--stop_stage", "0")[2][1] == read


@pytest.mark.parametrize(
    "model, name, results",
    [
        (
            "elsewhere/exp/pretrain_default",
            "pretrain_eval_elsewhere_default",
            "results_eval_elsewhere_default/",
        ),
        ("elsewhere/exp/sft_default", "sft_eval_elsewhere_default", "results_sft_eval_elsewhere_default/"),
        ("egs/own/exp/pretrain_low_lr", "pretrain_eval_low_lr", "results_eval_low_lr/"),
    ],
)
def test_a_trained_model_leaves_those_of_the_recipe_alone(recipe, tmp_path, model, name, results):
    trained = model_in(tmp_path / model)
    scored = recipe.run("--eval_model", str(trained))[2][-1]
    assert scored.startswith(f"score --results {results} --about exp/times_{results[8:-1]}.json ")
    assert f"--decoded exp/{name}/decode/one_test:dump/raw/one_test" in scored


def test_the_recipes_own_model_on_another_set_leaves_its_results_and_markers_as_they_are(recipe):
    recipe.run()
    model_in(recipe.folder / "exp/pretrain_default")
    add_set(recipe, "mine")
    status, output, called = recipe.run("--eval_model", "exp/pretrain_default", "--test_sets", "mine")
    assert status == 0 and "out of date" not in output, output
    assert names(called) == ["config", "prepare", "tokenize", "decode", "score"]
    assert called[-1].startswith("score --results results_eval_default/ --about exp/times_eval_default.json ")
    assert recipe.run()[2] == []


def test_sets_that_were_prepared_whole_serve_a_trained_model_as_well(recipe, trained):
    recipe.run("--stop_stage", "1")
    assert names(recipe.run("--eval_model", str(trained))[2]) == ["tokenize", "decode", "score"]


def test_longer_clips_are_cut_in_test_sets_alone(recipe):
    called = [line for line in recipe.run("--stop_stage", "1")[2] if line.startswith("prepare ")]
    assert {line.split()[1]: "--cut_longer" in line for line in called} == {
        "data/one_train": False, "data/one_valid": False, "data/one_test": True,
    }  # fmt: skip


def test_a_trained_model_needs_no_more_than_the_users_test_set(recipe, trained):
    add_set(recipe, "mine")
    own = ["--test_sets", "mine", "--eval_model", str(trained)]
    status, output, called = recipe.run(*own)
    assert status == 0, output
    assert names(called) == [name for name in EVALUATION if name != "data"]


def test_a_folder_that_holds_no_trained_model_is_told_what_it_lacks(recipe, trained):
    (trained / "run.json").unlink()
    status, output, called = recipe.run("--eval_model", str(trained))
    assert status != 0 and called == [] and f"--eval_model {trained} has no run.json; give a folder" in output


def test_a_corpus_without_training_data_names_the_way_to_score_a_model(recipe):
    (recipe.folder / "data").mkdir(exist_ok=True)
    (recipe.folder / "data/sets.json").write_text('{"train": [], "valid": [], "test": ["one_test"]}')
    status, output, called = recipe.run()
    assert status != 0 and names(called) == ["config", "data"]
    assert "no training set" in output and "--eval_model" in output
