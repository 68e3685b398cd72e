"""The stages called again: what is done, what is left, and what is said of it."""

import re
import shutil

import pytest
from shell_recipe import CONFIG, WHOLE, names


def test_running_again_does_nothing(recipe):
    recipe.run()
    status, output, called = recipe.run()
    assert (status, called) == (0, [])
    assert "stage 4: pre-training of exp/pretrain_default: done before" in output


def test_stage_and_stop_stage_choose_the_stages(recipe):
    assert names(recipe.run("--stop_stage", "1")[2]) == ["config", "data", "check_leak"] + ["prepare"] * 3
    assert names(recipe.run("--stage", "2", "--stop_stage", "3")[2]) == ["tokenizer"] + ["tokenize"] * 3 + [
        "stats"
    ]
    assert names(recipe.run("--stage", "4")[2]) == ["train", "average", "decode", "score"]


def test_skip_options_leave_groups_out(recipe):
    assert names(recipe.run("--skip_train", "true", "--skip_eval", "true")[2]) == WHOLE[:10]
    assert names(recipe.run("--skip_data_prep", "true", "--skip_eval", "true")[2]) == [
        "stats",
        "train",
        "average",
    ]


def test_a_run_that_broke_goes_on_at_the_set_where_it_broke(recipe):
    status, output, called = recipe.run(BREAK="tokenize .*one_valid")
    assert status != 0 and names(called) == WHOLE[:9]
    assert "broken off" in output
    called = recipe.run()[2]
    assert names(called) == WHOLE[8:] and "one_valid" in called[0]


def test_a_changed_config_repeats_what_depends_on_it_and_nothing_else(recipe):
    recipe.run()
    (recipe.folder / "conf/pretrain.yaml").write_text(CONFIG + "grad_clip: 2.0\n")
    assert names(recipe.run()[2]) == ["stats", "train", "average", "decode", "score"]


def test_a_stage_that_is_left_out_though_it_is_out_of_date_is_named(recipe):
    recipe.run()
    assert "out of date" not in recipe.run("--stage", "5")[1]
    (recipe.folder / "conf/pretrain.yaml").write_text(CONFIG + "grad_clip: 2.0\n")
    for left_out in (["--stage", "5"], ["--skip_train", "true"]):
        status, output, called = recipe.run(*left_out)
        assert (status, called) == (0, [])
        assert (
            "stage 4: pre-training of exp/pretrain_default: out of date, options or files changed" in output
        )
    assert "out of date" not in recipe.run("--stop_stage", "2")[1]  # nothing builds on it


def test_a_changed_decoder_makes_a_new_tokenizer_and_retokenizes_only_if_that_differs(recipe):
    recipe.run()
    (recipe.folder / "conf/pretrain.yaml").write_text(CONFIG + "decoder_conf: {num_blocks: 1}\n")
    assert names(recipe.run("--stop_stage", "2")[2]) == ["tokenizer"]


def test_changed_data_repeat_the_stages_of_that_set_and_what_builds_on_it(recipe):
    recipe.run()
    (recipe.folder / "data/one_test/text").write_text("a hello\n")
    assert names(recipe.run("--stage", "1")[2]) == ["prepare", "tokenize", "decode", "score"]


@pytest.mark.parametrize(
    "line, repeated",
    [
        ("metrics: [{metric: accuracy, protocol: strict}]", ["score"]),
        ("max_new_tokens: 99", ["decode", "score"]),
        ('prompt: "<|startofanalysis|><|unknown|><|keyword|><|en|><|notimestamps|>"',
         ["tokenize"] * 3 + ["stats", "train", "average", "decode", "score"]),
    ],
)  # fmt: skip
def test_a_changed_task_file_repeats_what_is_made_of_that_part(recipe, line, repeated):
    recipe.run()
    path = recipe.folder.parents[1] / "recipes/tasks/lid.yaml"
    key = line.split(":")[0]
    path.write_text(re.sub(rf"(?m)^{key}:.*(\n[ -].*)*", lambda _: line, path.read_text(), count=1))
    assert names(recipe.run()[2]) == repeated


def test_a_changed_task_of_the_recipe_repeats_what_is_made_of_it(recipe):
    path = recipe.folder / "tasks/birds.yaml"
    path.parent.mkdir()
    text = (
        (recipe.folder.parents[1] / "recipes/tasks/sec.yaml").read_text().replace("name: sec", "name: birds")
    )
    path.write_text(text)
    recipe.run()
    path.write_text(text.replace("max_new_tokens: 10", "max_new_tokens: 11"))
    assert names(recipe.run()[2]) == ["decode", "score"]


def test_a_removed_marker_repeats_its_stage_and_what_builds_on_it(recipe):
    recipe.run()
    (recipe.folder / "exp/pretrain_default/decode/one_test/.done7").unlink()
    assert names(recipe.run()[2]) == ["decode", "score"]


def test_one_command_decodes_all_test_sets_and_later_those_that_changed(recipe):
    sets = ["--corpora", "one two"]
    decoded = [line for line in recipe.run(*sets)[2] if line.startswith("decode ")]
    assert len(decoded) == 1 and "--sets dump/tokens/one_test dump/tokens/two_test --output" in decoded[0]
    (recipe.folder / "data/two_test/text").write_text("a hello\n")
    status, output, called = recipe.run(*sets, BREAK="^decode ")
    assert status != 0 and "stage 7: decode two_test: broken off" in output
    (decoded,) = [line for line in recipe.run(*sets)[2] if line.startswith("decode ")]
    assert "--sets dump/tokens/two_test --output" in decoded
    assert recipe.run(*sets)[2] == []


def test_a_removed_data_set_is_prepared_again(recipe):
    recipe.run()
    shutil.rmtree(recipe.folder / "data/one_valid")
    assert names(recipe.run("--stop_stage", "1")[2]) == ["config", "data", "check_leak"]


def test_a_stage_whose_input_is_missing_names_it_in_one_line(recipe):
    recipe.run("--stop_stage", "1")
    status, output, called = recipe.run("--stage", "4")
    assert status != 0 and called == []
    (line,) = [line for line in output.splitlines() if "audio_llm.sh:" in line]
    assert "stage 4" in line and "dump/tokens/one_train/.done2" in line
