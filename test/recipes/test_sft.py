"""The stages' shell where there is a config for fine-tuning."""

import re

from shell_recipe import CONFIG, WHOLE, configure_chat, names

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
        "dump/sft/one_test --source template --count 30 --langs en",
        "dump/sft/one_test_joined --source joined --count 12 --langs en",
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


def test_the_fine_tuning_follows_its_config_and_the_pre_trained_model_alone(recipe):
    configure_chat(recipe)
    recipe.run()
    (recipe.folder / "conf/sft.yaml").write_text("phases: [{steps: 4}]\n")
    assert names(recipe.run()[2]) == ["train", "average", "answer", "score"]
    (recipe.folder / "conf/pretrain.yaml").write_text(CONFIG + "grad_clip: 2.0\n")
    assert names(recipe.run("--stop_stage", "6")[2]) == ["stats", "train", "average", "train", "average"]


def test_other_phrasings_of_a_task_make_other_dialogues(recipe):
    configure_chat(recipe)
    recipe.run()
    path = recipe.folder.parents[1] / "recipes/tasks/lid.yaml"
    text = path.read_text()
    path.write_text(text.replace("'The language is {label}.'", "'It is the language {label}.'"))
    assert path.read_text() != text
    assert names(recipe.run()[2]) == CHAT + ["answer", "score"]


def test_without_the_fine_tuning_all_else_runs(recipe):
    configure_chat(recipe)
    assert names(recipe.run("--skip_sft", "true")[2]) == WHOLE


def test_with_a_frame_cache_what_it_saves_is_measured_after_the_training(recipe):
    configure_chat(recipe)
    bench = recipe.folder.parents[1] / "tools/bench"
    bench.mkdir(parents=True)
    (bench / "frame_cache.py").write_text("import sys; open('measured', 'w').write(' '.join(sys.argv[1:]))\n")
    recipe.run()
    assert not (recipe.folder / "measured").exists()
    (recipe.folder / "conf/sft.yaml").write_text("phases: [{steps: 3}]\nframe_cache: {max_gb: 1}\n")
    recipe.run()
    said = (recipe.folder / "measured").read_text()
    assert said.startswith(
        "--config conf/sft.yaml --model exp/pretrain_default --sets dump/tokens_sft/one_train"
    )
    assert "--json exp/sft_default/frame_cache.json" in said
