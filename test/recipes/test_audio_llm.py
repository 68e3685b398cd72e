"""The stages' shell: in what order, and with which arguments."""

import hashlib
import json
import os
import re
import subprocess

import pytest
from shell_recipe import WHOLE, configure_chat, names


def test_the_stages_run_in_order_on_the_sets_of_the_corpora(recipe):
    status, output, called = recipe.run()
    assert status == 0, output
    assert names(called) == WHOLE
    assert "two_" not in " ".join(called)
    assert called[1] == "data --corpus_name one --preset default --downloads downloads"
    assert called[2] == "check_leak --train data/one_train --test data/one_valid data/one_test"
    assert called[-3] == "average exp/pretrain_default"
    assert called[-2].startswith("decode --model exp/pretrain_default --sets dump/tokens/one_test")
    assert "--decoded exp/pretrain_default/decode/one_test:dump/raw/one_test" in called[-1]


def test_the_results_are_said_to_be_made_by_every_call_that_had_a_part_in_them(recipe):
    first = recipe.run("--stop_stage", "4")
    second = recipe.run("--stage", "5", "--nj", "1")
    assert (first[0], second[0]) == (0, 0), first[1] + second[1]
    calls = re.search("--made_by (.*) --decoded", second[2][-1])[1].split("; then ")
    assert [call.split("--whisper none")[1].strip() for call in calls] == [
        "--stop_stage 4",
        "--stage 5 --nj 1",
    ]


def test_a_fine_tuning_without_a_configuration_is_said(recipe):
    assert re.search("stage 6: .* not configured", recipe.run()[1])
    assert not re.search("stage 6: .* not configured", recipe.run("--skip_sft", "true")[1])


def test_models_are_packed_where_it_is_asked_for_the_chat_model_too(recipe):
    assert "export" not in names(recipe.run()[2])
    assert recipe.run("--skip_packing", "false")[2] == [
        "export exp/pretrain_default exp/pretrain_default/packed --to espnet"
    ]
    configure_chat(recipe)
    assert [line for line in recipe.run("--skip_packing", "false")[2] if line.startswith("export ")] == [
        "export exp/sft_default exp/sft_default/packed --to espnet"
    ]
    assert recipe.run("--skip_packing", "false")[2] == []


@pytest.mark.parametrize("ngpu", [0, 1])
def test_on_a_cpu_training_and_decoding_take_the_allocator_that_was_fetched(recipe, ngpu):
    library = recipe.folder / "downloads/programs/usr/lib/libtcmalloc_minimal.so.4"
    library.parent.mkdir(parents=True)
    library.write_text("")
    assert recipe.run("--ngpu", str(ngpu))[0] == 0
    loaded = dict(line.split() for line in (recipe.folder / "preloads").read_text().splitlines())
    with_it = {name for name, what in loaded.items() if what.rpartition("/")[2].startswith("libtcmalloc")}
    assert with_it == (set() if ngpu else {"train", "decode"})
    assert not any(str(recipe.folder) in what for what in loaded.values())  # it may have a blank in it


def test_the_model_keeps_how_it_was_decoded_for_other_commands(recipe):
    recipe.run()
    kept = recipe.folder / "exp/pretrain_default/decode.yaml"
    assert not kept.exists()
    (recipe.folder / "conf/some.yaml").write_text("num_threads: 2\ntasks: {asr: {beam_size: 4}}\n")
    (recipe.folder / "conf/decode.yaml").write_text("include: some.yaml\nmax_new_tokens: 9\n")
    assert names(recipe.run()[2]) == ["decode", "score"]
    assert json.loads(kept.read_text()) == {"tasks": {"asr": {"beam_size": 4}}, "max_new_tokens": 9}


def test_without_an_inference_configuration_the_one_before_decides_on_nothing(recipe):
    (recipe.folder / "conf/beam.yaml").write_text("beam_size: 4\n")
    recipe.run("--inference_config", "conf/beam.yaml")
    called = recipe.run()[2]
    assert names(called) == ["decode", "score"] and "--config" not in called[0]
    assert not (recipe.folder / "exp/pretrain_default/decode.yaml").exists()


def test_an_inference_configuration_that_is_not_there_is_said_before_anything_runs(recipe):
    status, output, called = recipe.run("--inference_config", "conf/typo.yaml")
    assert status != 0 and called == [] and output == "conf/typo.yaml: no such configuration file\n"


def test_a_component_beside_run_sh_is_found_first(recipe, tmp_path):
    (recipe.folder / "own_adapter.py").write_text("print('found')\n")
    (tmp_path / "other").mkdir()
    (tmp_path / "other/own_adapter.py").write_text("raise SystemExit('the wrong one')\n")
    command = ["bash", "-c", ". egs/own/path.sh && python -c 'import own_adapter'"]
    env = {"PATH": os.environ["PATH"], "PYTHONPATH": str(tmp_path / "other")}
    result = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True)
    assert (result.stdout, result.stderr) == ("found\n", "")


def make_sets(recipe, *own):
    for name in own:
        (recipe.folder / "data" / name).mkdir(parents=True)
        (recipe.folder / "data" / name / "wav.scp").write_text("a a.flac\n")


def test_sets_of_the_user_need_no_corpus(recipe):
    make_sets(recipe, "my_train", "my_valid", "my_test")
    own = ["--train_set", "my_train", "--valid_set", "my_valid", "--test_sets", "my_test"]
    status, output, called = recipe.run(*own)
    assert status == 0, output
    assert names(called) == ["config"] + WHOLE[2:]
    sets = "--train data/my_train --test data/my_valid data/my_test"
    assert called[1] == f"check_leak {sets} --may_share_sentences"


def test_sets_of_the_user_leave_those_of_the_corpora_as_they_are(recipe):
    recipe.run()
    make_sets(recipe, "my_train")
    recipe.run("--tag", "mine", "--train_set", "my_train")
    assert recipe.run("--stop_stage", "1")[2] == []


@pytest.mark.parametrize("valid", [[], ["my_valid"]])
def test_without_test_sets_a_model_is_trained_and_one_line_says_that_none_is_decoded(recipe, valid):
    recipe.run("--stop_stage", "0")  # data/sets.json names sets of the corpora
    make_sets(recipe, "my_train", *valid)
    given = ["--train_set", "my_train", "--word_heads", "ctc", *(["--valid_set", *valid] if valid else [])]
    status, output, called = recipe.run(*given)
    assert status == 0 and "one_" not in " ".join(called), output
    many = 1 + len(valid)
    wanted = ["config", "check_leak"] + ["prepare"] * many + ["tokenizer"] + ["tokenize"] * many
    assert names(called) == [*wanted, "stats", "train", "average"]
    assert output.count("no test sets: nothing is decoded or scored") == 1
    assert "no test sets" not in recipe.run(*given, "--stop_stage", "6")[1]


def test_no_corpus_and_no_set_is_one_line(recipe):
    status, output, called = recipe.run("--corpora", "")
    assert status != 0 and called == [] and len(output.splitlines()) == 1
    assert "--corpora" in output and "--train_set" in output


@pytest.mark.parametrize(
    "option, message",
    [
        ("--preset=ful", "--preset is 'ful'; it takes default or full"),
        ("--feats_type=mel", "--feats_type is 'mel'; it takes raw or fbank"),
        ("--audio_format=wav", "--audio_format is 'wav'; it takes flac or wav.ark"),
        ("--ngpu=two", "--ngpu is 'two'; it takes a number"),
    ],
)
def test_a_value_that_an_option_does_not_take_is_one_line_before_anything_is_done(recipe, option, message):
    (recipe.folder.parents[1] / "tools/setup.sh").write_text("#!/bin/sh\necho set up\n")
    assert recipe.run(option) == (2, f"audio_llm.sh: {message}\n", [])


def test_a_config_that_is_refused_ends_it_before_any_data_are_fetched(recipe):
    status, _, called = recipe.run(BREAK="^config")
    assert status != 0 and called == ["config conf/pretrain.yaml"]


def test_arguments_are_passed_on_as_words(recipe):
    called = recipe.run("--train_args", "--override seed=3 grad_clip=2", "--inference_args", "--batch_size 2",
                        "--tasks", "asr lid", "--nj", "7", "--ngpu", "0")[2]  # fmt: skip
    assert any(
        line.startswith("train ") and line.endswith("--ngpu 0 --override seed=3 grad_clip=2")
        for line in called
    )
    assert any(line.startswith("decode ") and line.endswith("--batch_size 2") for line in called)
    assert any(line.startswith("tokenize ") and line.endswith("--tasks asr lid") for line in called)
    assert sum(line.startswith("prepare ") and line.endswith("--nj 7") for line in called) == 3


def test_the_seconds_of_every_stage_reach_the_scoring(recipe):
    recipe.run("--stop_stage", "7")
    marker = recipe.folder / "exp/pretrain_default/decode/one_test/.done7"
    lines = marker.read_text().splitlines()
    marker.write_text("\n".join([lines[0], "100", lines[2]]) + "\n")
    recipe.run("--stage", "8")
    seen = json.loads((recipe.folder / "seen_by_score.json").read_text())
    assert {f"stage_{n}_seconds" for n in (0, 1, 2, 3, 4, 5, 7)} <= set(seen)
    assert seen["stage_7_seconds"] == 100 and 100 <= seen["seconds"] < 110
    assert seen["model"] == "pretrain_default"
    config = (recipe.folder / "exp/pretrain_default/config.yaml").read_bytes()
    assert seen["config_hash"] == hashlib.sha256(config).hexdigest()[:12]


def test_a_missing_backbone_of_the_config_is_built_and_a_hub_name_is_left_alone(recipe):
    root = recipe.folder.parents[1]
    (root / "tools/backbones.py").write_text(
        "import os, sys; print('built', *sys.argv[1:], file=open(os.environ['LOG'], 'a'))"
    )
    (root / "tools/backbones/there").mkdir(parents=True)
    (root / "tools/backbones/there/SOURCE.json").write_text("{}")
    (recipe.folder / "conf/base.yaml").write_text("encoder_conf: {model: tools/backbones/whisper-base}\n")
    (recipe.folder / "conf/pretrain.yaml").write_text(
        "include: base.yaml\ndecoder_conf: {model: tools/backbones/there}\nctc_conf: {model: Qwen/Qwen-7B}\n"
    )
    nothing = ["--stage", "8", "--skip_eval", "true", "--train_set", "x"]
    assert recipe.run(*nothing)[2] == ["built whisper-base"]
    other = (
        "--override encoder_conf.model=tools/backbones/whisper-tiny.en decoder_conf.model=Qwen/Qwen2.5-0.5B"
    )
    assert recipe.run(*nothing, "--train_args", other)[2] == ["built whisper-tiny.en"]
