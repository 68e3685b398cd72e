"""What ``--tag``, ``--pretrain_config`` and ``--train_args`` of recipes/audio_llm.sh change."""

import json

import pytest
from shell_recipe import CONFIG, WHOLE, configure_chat, names


@pytest.mark.parametrize(
    "args, model",
    [
        ([], "pretrain_default"),
        (["--preset", "full"], "pretrain_full"),
        (["--pretrain_config", "conf/train_asr.yaml"], "pretrain_asr"),
        (["--tag", "mine", "--train_args", "--override seed=3"], "pretrain_mine"),
        (["--train_args", "--override seed=3"], "pretrain_default_override_seed_3"),
    ],
)
def test_the_model_is_named_by_tag_or_config_and_arguments(recipe, args, model):
    called = recipe.run("--stop_stage", "4", *args)[2]
    (train,) = [line for line in called if line.startswith("train ")]
    assert f"--output exp/{model} " in train


def test_another_tag_trains_without_preparing_again(recipe):
    recipe.run()
    called = recipe.run("--tag", "other", "--train_args", "--override seed=2")[2]
    assert names(called) == WHOLE[-5:]
    sets = "--train dump/tokens/one_train --valid dump/tokens/one_valid"
    assert called[0] == f"stats --config conf/pretrain.yaml {sets} --output exp/stats_other --override seed=2"
    assert recipe.run("--tag", "other", "--train_args", "--override seed=2")[2] == []
    assert recipe.run()[2] == []


@pytest.mark.parametrize(
    "args, results",
    [
        ([], "."),
        (["--train_args", "--override seed=3", "--tag", "default"], "."),
        (["--tag", "mine"], "results_mine/"),
        (["--preset", "full"], "results_full/"),
        (["--tag", "mine", "--without", "srwt", "--tasks", "asr srwt"], "results_mine/without_srwt/"),
    ],
)
def test_every_model_has_results_and_times_of_its_own(recipe, args, results):
    recipe.run()
    (recipe.folder / "exp/pretrain_default/.done8").unlink()
    status, output, called = recipe.run(*args)
    assert status == 0, output
    assert called[-1].startswith(f"score --results {results} ")
    model = json.loads((recipe.folder / "seen_by_score.json").read_text())["model"]
    assert f"--about exp/times_{model.removeprefix('pretrain_')}.json " in called[-1]


QWEN = [
    "--train_args",
    "--override decoder=hf_causal_lm decoder_conf.model=Qwen/Qwen2.5-0.5B",
    "--tag",
    "other",
]


def test_another_decoder_by_arguments_gets_a_tokenizer_and_tokens_of_its_own(recipe):
    recipe.run()
    status, output, called = recipe.run(*QWEN)
    assert status == 0, output
    assert names(called) == WHOLE[6:]
    tokenizer, tokens = "exp/tokenizer_Qwen2.5-0.5B", "dump/tokens_Qwen2.5-0.5B/one_train"
    assert called[0] == (
        f"tokenizer --config conf/pretrain.yaml --train dump/raw/one_train {QWEN[1]} --out {tokenizer}"
    )
    assert called[1] == f"tokenize dump/raw/one_train {tokens} --tokenizer {tokenizer}"
    assert f"train --config conf/pretrain.yaml --train {tokens} " in called[5]
    assert recipe.run(*QWEN)[2] == []
    assert names(recipe.run()[2]) == []  # and what was made without it still stands


def test_another_decoder_by_configuration_leaves_the_tokenizer_and_tokens_of_the_first_alone(recipe):
    (recipe.folder / "conf/pretrain_qwen.yaml").write_text(
        "include: pretrain.yaml\ndecoder: hf_causal_lm\ndecoder_conf: {model: Qwen/Qwen2.5-0.5B}\n"
    )
    other = ["--pretrain_config", "conf/pretrain_qwen.yaml"]
    recipe.run()
    called = recipe.run(*other)[2]
    assert names(called) == WHOLE[6:]
    assert called[0].endswith("--out exp/tokenizer_Qwen2.5-0.5B")
    assert called[1].startswith("tokenize dump/raw/one_train dump/tokens_Qwen2.5-0.5B/one_train ")
    assert recipe.run()[2] == [] and recipe.run(*other)[2] == []


def test_other_tasks_than_the_recipes_own_leave_its_tokens_and_its_dialogues_alone(recipe):
    configure_chat(recipe)
    own = (recipe.folder / "run.sh").read_text().replace('"$@"', '--tasks "asr lid" "$@"')
    (recipe.folder / "run.sh").write_text(own)
    recipe.run()
    called = recipe.run("--tasks", "asr", "--tag", "asr")[2]
    assert names(called) == [*WHOLE[7:-2], "train", "average", "decode", "answer", "score"]
    assert called[0] == (
        "tokenize dump/raw/one_train dump/tokens_asr/one_train --tokenizer exp/tokenizer --tasks asr"
    )
    assert recipe.run()[2] == [] and recipe.run("--tasks=asr lid")[2] == []


def test_a_model_to_start_from_that_changed_makes_its_tokenizer_and_the_training_anew(recipe):
    start = recipe.folder / "exp/pretrain_start"
    (start / "tokenizer").mkdir(parents=True)
    (start / "tokenizer/tokenizer.json").write_text("{}")
    (start / "model.safetensors").write_text("weights")
    recipe.run()
    (recipe.folder / "conf/pretrain.yaml").write_text(CONFIG + "init: exp/pretrain_start\n")
    assert names(recipe.run()[2]) == ["tokenizer", *WHOLE[-5:]]
    assert recipe.run()[2] == []
    (start / "tokenizer/tokenizer.json").write_text("{ }")
    assert names(recipe.run()[2]) == ["tokenizer"]
    (start / "model.safetensors").write_text("other weights")
    assert names(recipe.run()[2]) == ["train", "average", "decode", "score"]


def test_arguments_are_checked_with_the_config_before_any_data_are_fetched(recipe):
    assert recipe.run(*QWEN, BREAK="^config")[2] == [f"config conf/pretrain.yaml {QWEN[1]}"]


def test_an_override_that_cannot_be_is_said_in_one_line(recipe):
    status, output, called = recipe.run("--train_args", "--override decoder.model=x")
    assert status != 0 and called == [] and len(output.splitlines()) == 1
    assert "override decoder.model: decoder is 'transformer', which has no keys" in output
