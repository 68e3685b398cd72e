import pytest

from qwen_audio.infer.options import load_inference_config
from qwen_audio.infer.search import SearchOptions
from qwen_audio.task_spec import load_tasks

SPECS = load_tasks()


def load(tmp_path, text):
    path = tmp_path / "decode.yaml"
    path.write_text(text)
    return load_inference_config(path, SPECS)


def test_without_a_file_the_search_is_greedy_and_as_long_as_the_task_says():
    config = load_inference_config(None, SPECS)
    assert config.search_options(SPECS["srwt"]) == SearchOptions(1, 0.0, 0.0, 512)


def test_a_task_may_differ_from_the_rest(tmp_path):
    config = load(tmp_path, "beam_size: 2\ntasks: {asr: {beam_size: 4, ctc_weight: 0.5, max_new_tokens: 60}}")
    assert config.search_options(SPECS["asr"]) == SearchOptions(4, 0.5, 0.0, 60)
    assert config.search_options(SPECS["s2tt"]) == SearchOptions(2, 0.0, 0.0, 256)


def test_a_general_ctc_weight_counts_for_spoken_words_only(tmp_path):
    config = load(tmp_path, "ctc_weight: 0.3")
    weights = {name: config.search_options(spec).ctc_weight for name, spec in SPECS.items()}
    assert {name for name, weight in weights.items() if weight} == {"asr", "srwt", "dialect_asr"} and weights[
        "asr"
    ] == 0.3


def test_a_task_may_be_given_the_room_of_its_file_and_no_other_is_changed(tmp_path):
    config = load(tmp_path, "beam_size: 2\nmax_new_tokens: 7\ntasks: {asr: {ctc_weight: 0.5}}")
    wide = config.with_room(SPECS["asr"])
    assert wide.search_options(SPECS["asr"]) == SearchOptions(2, 0.5, 0.0, 256)
    assert wide.search_options(SPECS["srwt"]) == config.search_options(SPECS["srwt"])
    longer = load(tmp_path, "tasks: {asr: {max_new_tokens: 400}}").with_room(SPECS["asr"])
    assert longer.search_options(SPECS["asr"]).max_new_tokens == 400


def test_a_key_without_a_value_is_an_empty_one(tmp_path):
    config = load(tmp_path, "batch_conf:\nnum_threads:\nmax_new_tokens: 7\ntasks:\n  asr:\n")
    assert config.search_options(SPECS["asr"]) == SearchOptions(1, 0.0, 0.0, 7)
    assert load(tmp_path, "tasks:").tasks == {}


def test_a_file_may_include_another(tmp_path):
    (tmp_path / "base.yaml").write_text("beam_size: 3\nbatch_conf: {max_examples: 4, max_seconds: 60}")
    config = load(tmp_path, "include: base.yaml\nbatch_conf: {max_examples: 8}")
    assert (config.beam_size, config.batch_conf) == (3, {"max_examples": 8, "max_seconds": 60})


@pytest.mark.parametrize(
    "text, message",
    [
        ("beamsize: 2", "unknown key beamsize; did you mean 'beam_size'"),
        ("batch_conf: {max_second: 5}", "unknown key batch_conf.max_second; did you mean 'max_seconds'"),
        ("tasks: {ars: {beam_size: 2}}", "unknown key tasks.ars; did you mean 'asr'"),
        ("tasks: {asr: {ctc_wight: 0.5}}", "unknown key tasks.asr.ctc_wight; did you mean 'ctc_weight'"),
        ("tasks: {lid: {ctc_weight: 0.5}}", "tasks.lid.ctc_weight is 0.5: CTC scores spoken words only"),
        ("ctc_weight: 1.5", "ctc_weight is 1.5; write a number from 0"),
        ("tasks: {asr: {beam_size: 0}}", "tasks.asr.beam_size is 0; write a whole number from 1 on"),
        ("beam_size: null", "beam_size is null; write a whole number from 1 on, or leave it out"),
        ("tasks: {asr: {beam_size: }}", "tasks.asr.beam_size is null; write a whole number"),
        ("tasks: {asr: 4}", "tasks.asr is 4; write KEY: VALUE lines below it"),
        ("tasks: [asr]", "tasks is .'asr'.; write KEY: VALUE lines below it"),
        ("batch_conf: 64", "batch_conf is 64; write KEY: VALUE lines below it"),
        ("num_threads: two", "num_threads is 'two'; write a whole number from 1 on"),
        ("batch_conf: {max_seconds: 0}", "batch_conf.max_seconds is 0; write a number above 0"),
    ],
)
def test_an_error_names_the_key_and_the_mend(tmp_path, text, message):
    with pytest.raises(ValueError, match=f"decode.yaml: {message}"):
        load(tmp_path, text)
