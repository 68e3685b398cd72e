"""The stages' shell where there is a config for fine-tuning."""

import re

import pytest
from shell_recipe import CONFIG, WHOLE, configure_chat, names, write_bench

CHAT = ["make_sft"] * 2 + ["tokenize"] * 2 + ["train", "average"] + ["make_sft"] * 2


def test_a_fine_tuning_config_adds_the_chat_model_to_training_decoding_and_scores(recipe):
    configure_chat(recipe)
    status, output, called = recipe.run("--make_sft_args", "--langs en", "--answer_args", "--beam_size 2")
    assert status == 0, output
    assert names(called) == WHOLE[:-2] + CHAT + ["decode", "answer", "score"]
    trained, valid, *tests = [line for line in called if line.startswith("make_sft ")]
    assert trained.startswith("make_sft --data dump/raw/one_train --out dump/sft/one_train --text /")
    assert trained.endswith("recipes/chat/instructions.jsonl --langs en") and "--text" not in valid
    assert [re.search("--out (.*)", line)[1] for line in tests] == [
        "dump/sft/one_test --langs en --source template --count 30",
        "dump/sft/one_test_joined --langs en --source joined --count 12",
    ]
    (train,) = [line for line in called if line.startswith("train ") and "sft_default" in line]
    assert (
        "--config conf/sft.yaml --init exp/pretrain_default --train dump/tokens_sft/one_train --valid"
        in train
    )
    assert called[-2].startswith(
        "answer --model exp/sft_default --sets dump/sft/one_test dump/sft/one_test_joined --output"
    )
    assert called[-2].endswith("--beam_size 2")
    joined = "exp/sft_default/decode/one_test_joined:dump/sft/one_test_joined:dump/raw/one_test"
    assert (
        "--chat_train dump/sft/one_train --chat exp/sft_default/decode/one_test:dump/sft/one_test"
        in called[-1]
    )
    assert joined in called[-1]
    assert recipe.run("--make_sft_args", "--langs en", "--answer_args", "--beam_size 2")[2] == []


def test_arguments_for_making_dialogues_change_those_to_tune_on_and_not_how_many_are_tested(recipe):
    configure_chat(recipe)
    called = recipe.run("--make_sft_args", "--source llm --count 500 --model NAME")[2]
    trained, valid, *tests = [line for line in called if line.startswith("make_sft ")]
    assert trained.endswith(" --source llm --count 500 --model NAME")
    assert valid.endswith(" --count 6 --source llm --count 500 --model NAME")
    assert [line.partition(" --model NAME ")[2] for line in tests] == [
        "--source template --count 30",
        "--source joined --count 12",
    ]


def test_the_fine_tuning_follows_its_config_and_the_pre_trained_model_alone(recipe):
    configure_chat(recipe)
    recipe.run()
    (recipe.folder / "conf/sft.yaml").write_text("phases: [{steps: 4}]\n")
    assert names(recipe.run()[2]) == ["train", "average", "answer", "score"]
    (recipe.folder / "conf/pretrain.yaml").write_text(CONFIG + "grad_clip: 2.0\n")
    assert names(recipe.run("--stop_stage", "6")[2]) == ["stats", "train", "average", "train", "average"]


@pytest.mark.parametrize(
    "options, name",
    [
        (["--sft_train", "data/my_chat"], "default_data_my_chat"),
        (["--sft_train", "data/my_chat", "--make_sft", "false"], "default_alone_data_my_chat"),
        (["--sft_args", "--override seed=3"], "default_override_seed_3"),
        (["--sft_train", "data/my_chat", "--sft_tag", "mine"], "mine"),
    ],
)
def test_a_chat_model_of_other_dialogues_stands_beside_the_first(recipe, options, name):
    configure_chat(recipe)
    (recipe.folder / "data/my_chat").mkdir(parents=True)
    (recipe.folder / "data/my_chat/dialogues.jsonl").write_text("{}\n")
    recipe.run()
    status, output, called = recipe.run("--stage", "6", *options)
    assert status == 0, output
    (train,) = [line for line in called if line.startswith("train ")]
    assert "--init exp/pretrain_default --train" in train and f"--output exp/sft_{name} " in train
    assert called[-1].startswith(f"score --results results_{name}/ ")
    assert set(names(recipe.run()[2])) <= {"score"}  # the first is still there


def test_other_phrasings_of_a_task_make_other_dialogues(recipe):
    configure_chat(recipe)
    recipe.run()
    path = recipe.folder.parents[1] / "recipes/tasks/lid.yaml"
    text = path.read_text()
    path.write_text(text.replace("'The language is {label}.'", "'It is the language {label}.'"))
    assert path.read_text() != text
    assert names(recipe.run()[2]) == CHAT + ["answer", "score"]


def line_of(called, begin):
    (line,) = [line for line in called if line.startswith(begin)]
    return line + " "


def test_a_set_without_dialogues_is_left_out_of_tuning_answers_and_scores(recipe):
    configure_chat(recipe)
    sets = ["--corpora", "one two"]
    empty = "one_train|two_valid|one_test_joined|two_test"
    status, output, called = recipe.run(*sets, EMPTY=empty)
    assert status == 0, output
    first, second = [line for line in called if line.startswith("make_sft ") and "_train" in line]
    assert "--text" in first and "--text" in second
    train = line_of(called, "train --config conf/sft.yaml")
    assert "--train dump/tokens_sft/two_train --valid dump/tokens_sft/one_valid --output" in train
    assert not [line for line in called if re.search(f"^tokenize dump/sft/({empty}) ", line)]
    assert "--sets dump/sft/one_test dump/sft/two_test_joined --output" in line_of(called, "answer ")
    scored = line_of(called, "score ")
    assert "sft/one_test:" in scored and "sft/two_test_joined:" in scored
    assert "sft/one_test_joined:" not in scored and "sft/two_test:" not in scored
    assert recipe.run(*sets)[2] == []


@pytest.mark.parametrize("empty", ["_train", "_test|_joined"])
def test_where_no_training_or_no_test_set_has_a_dialogue_all_else_runs(recipe, empty):
    configure_chat(recipe)
    status, output, called = recipe.run(EMPTY=empty)
    assert status == 0, output
    assert names(called)[-2:] == ["decode", "score"] and "--chat" not in called[-1]
    trained = any("sft_default" in line for line in called)
    assert trained == ("train" not in empty)
    assert trained != ("stage 6: the labels of no training set give a dialogue" in output)


def make_dialogues(recipe, *folders):
    for folder in folders:
        (recipe.folder / folder).mkdir(parents=True)
        (recipe.folder / folder / "dialogues.jsonl").write_text("{}\n")


def test_dialogues_of_the_user_are_tuned_on_beside_those_made_of_the_labels(recipe):
    configure_chat(recipe)
    make_dialogues(recipe, "data/my_chat", "more/my_chat")
    own = ["--sft_train", "data/my_chat more/my_chat", "--sft_valid", "data/my_chat"]
    status, output, called = recipe.run(*own)
    assert status == 0, output
    tokens = "dump/tokens_sft/own+data+my_chat"
    assert line_of(called, f"tokenize data/my_chat {tokens} --tokenizer exp/tokenizer")
    train = line_of(called, "train --config conf/sft.yaml")
    assert f"--train dump/tokens_sft/one_train {tokens} dump/tokens_sft/own+more+my_chat --valid" in train
    assert f"--valid dump/tokens_sft/one_valid {tokens} --output" in train
    (recipe.folder / "data/my_chat/dialogues.jsonl").write_text("{} \n")
    assert names(recipe.run(*own)[2]) == ["tokenize", "train", "average", "answer", "score"]


def test_dialogues_of_the_user_take_the_place_of_no_others(recipe):
    configure_chat(recipe)
    make_dialogues(recipe, "one_train", "a/b", "a_b")
    called = recipe.run("--sft_train", "one_train a/b a_b", "--sft_valid", "a_b")[2]
    train = re.search("--train (.*) --valid (.*) --output", line_of(called, "train --config conf/sft.yaml"))
    trained, valid = (names.split() for names in train.groups())
    tokens = dict(line.split()[1:3] for line in called if line.startswith("tokenize ") and "_sft/" in line)
    assert [tokens[each] for each in ("dump/sft/one_train", "one_train", "a/b", "a_b")] == trained
    assert [tokens[each] for each in ("dump/sft/one_valid", "a_b")] == valid
    assert len(set(tokens.values())) == len(tokens) == 5


def test_the_chat_model_can_be_tuned_on_dialogues_of_the_user_alone(recipe):
    configure_chat(recipe)
    make_dialogues(recipe, "data/my_chat")
    status, output, called = recipe.run("--make_sft", "false", "--sft_train", "data/my_chat")
    assert status == 0, output
    assert "--train dump/tokens_sft/own+data+my_chat --valid --output" in line_of(
        called, "train --config conf/sft.yaml"
    )
    assert not [line for line in called if line.startswith("make_sft") and "_test" not in line]
    assert "--chat_train --chat " in called[-1]


@pytest.mark.parametrize(
    "options, message",
    [
        (["--sft_train", "data/nowhere"], "no dialogue in data/nowhere/dialogues.jsonl; --sft_train"),
        (["--make_sft", "false"], "--make_sft false leaves no dialogue to fine-tune on; name some"),
    ],
)
def test_what_leaves_nothing_to_tune_on_is_said_before_anything_runs(recipe, options, message):
    configure_chat(recipe)
    status, output, called = recipe.run(*options)
    assert status != 0 and called == [] and message in output


def test_features_switch_off_what_hears_audio_in_one_line(recipe):
    configure_chat(recipe)
    given = ["--feats_type", "fbank", "--word_heads", "ctc", "--whisper", "tools/backbones/none"]
    status, output, called = recipe.run(*given)
    assert status == 0, output
    assert names(called) == WHOLE and "--whisper" not in called[-1].partition("--decoded")[2]
    assert output.count("--feats_type fbank: no chat model, no --word_heads and no --whisper") == 1
    assert "no chat model" not in recipe.run("--feats_type", "fbank", "--skip_sft", "true")[1]


def test_without_the_fine_tuning_all_else_runs(recipe):
    configure_chat(recipe)
    assert names(recipe.run("--skip_sft", "true")[2]) == WHOLE


def test_with_a_frame_cache_what_it_saves_is_measured_after_the_training(recipe):
    configure_chat(recipe)
    write_bench(recipe)
    recipe.run()
    assert not (recipe.folder / "measured").exists()
    (recipe.folder / "conf/sft.yaml").write_text("phases: [{steps: 3}]\nframe_cache: {max_gb: 1}\n")
    recipe.run()
    said = (recipe.folder / "measured").read_text()
    assert said.startswith(
        "--config conf/sft.yaml --init exp/pretrain_default --sets dump/tokens_sft/one_train"
    )
    assert "--json exp/sft_default/frame_cache.json" in said


def test_what_the_cache_saves_is_measured_of_the_model_that_was_trained_and_ends_no_run(recipe):
    configure_chat(recipe)
    write_bench(recipe, status=1)
    changes = "--override frame_cache.max_gb=1 decoder_conf.lora.r=16"
    status, output, called = recipe.run("--sft_args", changes)
    assert status == 0 and "what the frame cache saves was not measured" in output, output
    assert (recipe.folder / "measured").read_text().endswith(changes)
    assert recipe.run("--sft_args", changes)[2] == []  # it is done all the same
