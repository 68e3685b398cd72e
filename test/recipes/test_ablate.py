"""The stages' shell without one task, and with the systems that time words; qwen-audio as in shell_recipe.py."""

import pytest
from shell_recipe import CONFIG, WHOLE, names

PREPARED = """
if [[ $1 == config ]]; then cat "$2"; echo "tokenizer_conf: {}"; fi
if [[ $1 == prepare ]]; then
    mkdir -p "$3"
    echo '{"utt": "a", "task": "srwt"}' > "$3/examples.jsonl"
    [[ $3 == *only* ]] || echo '{"utt": "a", "task": "asr"}' >> "$3/examples.jsonl"
fi
"""
AGAIN = ["config"] + ["tokenize"] * 3 + ["stats", "train", "average", "decode", "score", "report"]


@pytest.fixture
def recipe(recipe):
    """Its prepared sets hold asr and srwt; those with ``only`` in their name srwt alone."""
    with (recipe.folder.parents[1] / "tools/venv/bin/qwen-audio").open("a") as file:
        file.write(PREPARED)
    return recipe


def test_an_ablation_trains_decodes_and_scores_again_without_the_task_and_reports_both(recipe):
    status, output, called = recipe.run("--ablate", "srwt", "--tasks", "asr srwt lid")
    assert status == 0, output
    assert names(called) == WHOLE + AGAIN
    config, *rest = called[len(WHOLE) :]
    assert config == "config conf/pretrain.yaml --without srwt"
    assert (recipe.folder / "exp/no_srwt_default.yaml").read_text() == CONFIG + "tokenizer_conf: {}\n"
    tokens = "dump/tokens_asr_srwt_lid_no_srwt/one_train"
    assert rest[0] == f"tokenize dump/raw/one_train {tokens} --tokenizer exp/tokenizer --tasks asr lid"
    assert rest[4].startswith(f"train --config exp/no_srwt_default.yaml --train {tokens} --valid")
    assert "--output exp/pretrain_default_no_srwt " in rest[4]
    assert rest[7].startswith("score --results without_srwt/ ")
    assert rest[8] == "report results.json --without_srwt without_srwt/results.json --output without_srwt"


def test_ablations_of_two_models_have_a_configuration_each_made_with_its_arguments(recipe):
    recipe.run("--without", "srwt", "--tag", "mine", "--stop_stage", "0")
    args = "--override grad_clip=2"
    called = recipe.run("--without", "srwt", "--tag", "other", "--train_args", args, "--stop_stage", "0")[2]
    assert called[0] == f"config conf/pretrain.yaml {args} --without srwt"
    assert {path.name for path in (recipe.folder / "exp").glob("*.yaml")} == {
        "no_srwt_mine.yaml",
        "no_srwt_other.yaml",
    }


def test_of_all_tasks_those_of_the_recipe_are_kept_too(recipe):
    (recipe.folder / "tasks").mkdir()
    shared = recipe.folder.parents[1] / "recipes/tasks"
    text = (shared / "sec.yaml").read_text().replace("name: sec", "name: birds")
    (recipe.folder / "tasks/birds.yaml").write_text(text)
    called = recipe.run("--without", "srwt", "--stop_stage", "2")[2]
    (kept,) = {line.partition("--tasks ")[2] for line in called if line.startswith("tokenize ")}
    assert sorted(kept.split()) == sorted(
        {path.stem for path in shared.glob("*.yaml")} - {"srwt"} | {"birds"}
    )


def test_the_ablation_again_does_nothing_but_write_its_config(recipe):
    recipe.run("--ablate", "srwt", "--tasks", "asr srwt")
    assert names(recipe.run("--ablate", "srwt", "--tasks", "asr srwt")[2]) == ["config"]


def test_a_test_set_of_that_task_alone_is_left_out(recipe):
    for name in ("my_train", "my_valid", "my_test", "my_only"):
        (recipe.folder / "data" / name).mkdir(parents=True)
        (recipe.folder / "data" / name / "wav.scp").write_text("a a.flac\n")
    own = ["--train_set", "my_train", "--valid_set", "my_valid", "--test_sets", "my_test my_only"]
    called = recipe.run(*own, "--tasks", "asr srwt", "--without", "srwt")[2]
    decoded = [line.split()[4] for line in called if line.startswith("decode")]
    assert decoded == ["dump/tokens_asr_srwt_no_srwt/my_test"]


def test_sets_without_an_example_of_the_tasks_are_left_out_and_named(recipe):
    for name in ("my_train", "my_only_train", "my_only_valid", "my_test", "my_only"):
        (recipe.folder / "data" / name).mkdir(parents=True)
        (recipe.folder / "data" / name / "wav.scp").write_text("a a.flac\n")
    own = ["--train_set", "my_train my_only_train", "--valid_set", "my_only_valid"]
    own += ["--test_sets", "my_test my_only"]
    status, output, called = recipe.run(*own, "--tasks", "asr lid")
    assert status == 0, output
    assert [line.split()[1] for line in called if line.startswith("tokenize ")] == [
        "dump/raw/my_train",
        "dump/raw/my_test",
    ]
    assert "my_only_valid has no example of asr lid: left out" in output
    (train,) = [line for line in called if line.startswith("train ")]
    assert "--train dump/tokens_asr_lid/my_train --valid --output" in train
    status, output, called = recipe.run(*own, "--tasks", "lid")
    assert status != 0 and called == [] and "no train set has an example of lid; name other" in output


@pytest.mark.parametrize(
    "args, message",
    [(["--ablate", "lid"], "--ablate is 'lid'"), (["--without", "asr", "--tasks", "asr"], "leaves no task")],
)
def test_what_cannot_be_left_out_is_said_in_one_line(recipe, args, message):
    status, output, called = recipe.run(*args)
    assert status != 0 and called == [] and message in output and len(output.splitlines()) == 1


def test_the_systems_that_time_words_get_every_test_set_and_a_set_to_pick_heads_on(recipe):
    heads = ["--word_heads", "ctc attention pocketsphinx"]
    called = recipe.run(*heads, "--nj", "3", "--ngpu", "0")[2]
    assert names(called) == [*WHOLE[:-1], "time_words", "score"]
    assert called[-2] == (
        "time_words --heads ctc attention pocketsphinx --model exp/pretrain_default"
        " --decoded exp/pretrain_default/decode/one_test:dump/raw/one_test --pick_on dump/raw/one_valid"
        " --device cpu --num_threads 3"
    )
    assert recipe.run(*heads, "--nj", "3", "--ngpu", "0")[2] == []
    (recipe.folder / "exp/pretrain_default/decode/.done7").unlink()
    assert names(recipe.run(*heads)[2]) == ["time_words", "score"]


def test_words_are_timed_with_the_inference_configuration_and_again_where_they_were_decoded_again(recipe):
    (recipe.folder / "conf/decode.yaml").write_text("beam_size: 4\n")
    options = ["--word_heads", "ctc", "--word_args", "--dtype bfloat16"]
    called = recipe.run(*options)[2]
    assert called[-2].endswith(" --config conf/decode.yaml --dtype bfloat16")
    (recipe.folder / "exp/pretrain_default/decode/one_test/.done7").unlink()
    assert names(recipe.run(*options)[2]) == ["decode", "time_words", "score"]
