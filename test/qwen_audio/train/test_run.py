import json
import shutil

import numpy as np
import pytest
import soundfile
import torch
import yaml
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM

from qwen_audio.config import load_config
from qwen_audio.data.tokenize import tokenize
from qwen_audio.infer.load import load_model
from qwen_audio.interop.to_qwen2_audio import export
from qwen_audio.task_spec import load_tasks
from qwen_audio.train.average import average
from qwen_audio.train.checkpoint import checkpoints
from qwen_audio.train.init import build_from
from qwen_audio.train.log import read_log
from qwen_audio.train.run import finish, train

SPOKEN = {"task": "asr", "audio_lang": "en", "text_lang": "en"}


@pytest.fixture
def example_set(tiny_tokenizer, tmp_path):
    """Function (name, examples without their utt) -> tokenised set, each of them over a second of noise."""

    def make(name: str, examples: list[dict]) -> str:
        source = tmp_path / name
        source.mkdir()
        draw = np.random.default_rng(0)
        for number in range(len(examples)):
            soundfile.write(source / f"u{number}.wav", draw.uniform(-0.5, 0.5, 16000), 16000)
        for file, line in (
            ("wav.scp", lambda n: f"u{n} {source}/u{n}.wav"),
            ("utt2num_samples", lambda n: f"u{n} 16000"),
            ("examples.jsonl", lambda n: json.dumps({"utt": f"u{n}", **examples[n]})),
        ):
            (source / file).write_text("".join(line(number) + "\n" for number in range(len(examples))))
        tokenize(source, tmp_path / f"tokens_{name}", tiny_tokenizer, load_tasks())
        return str(tmp_path / f"tokens_{name}")

    return make


@pytest.fixture
def speech_config(tiny_whisper, tiny_llm, tmp_path):
    """Function (**changes): a pre-training as egs/multitask's, a phase on transcripts alone before all losses."""

    def make(**changes) -> dict:
        content = {
            "encoder_conf": {"model": str(tiny_whisper)},
            "decoder_conf": {"model": str(tiny_llm)},
            "freeze_param": ["encoder", "decoder"],
            "ctc": "embedding",
            "timestamp_head": "ctc",
            "lr_scale": {"adapter": 5, "ctc": 5, "timestamp_head": 20},
            "scheduler_conf": {"warmup_steps": 1, "min_lr": 1e-5},
            "phases": [
                {"steps": 1, "loss_weights": {"ctc": 1.0, "timestamp": 0.1}},
                {"steps": 1, "loss_weights": {"lm": 1.0, "ctc": 0.5, "timestamp": 0.1}},
            ],
            "batch_conf": {"max_examples": 2},
            "num_workers": 0,
            "num_threads": 1,
            "tensorboard": False,
            "checkpoint_steps": 1,
            "average_checkpoints": 1,
        }
        path = tmp_path / "speech.yaml"
        path.write_text(yaml.safe_dump({**content, **changes}))
        return load_config(path)

    return make


def test_stage_5_averages_as_many_checkpoints_as_the_configuration_says(sft_config, dialogues, tmp_path):
    run = tmp_path / "exp/sft_tiny"
    train(sft_config(average_checkpoints=2), [str(dialogues)], [], run, "cpu")
    assert len(finish(run, 1)) == 1 and len(finish(run)) == 2
    wanted = average([folder for _, folder in checkpoints(run)[-2:]])
    last = load_file(checkpoints(run)[-1][1] / "model.safetensors")
    assert any(not torch.equal(wanted[name], last[name]) for name in last)
    written = load_file(run / "model.safetensors")
    compared = written.keys() & wanted.keys()
    assert compared and all(torch.equal(written[name], wanted[name]) for name in compared)


def test_what_was_trained_over_an_llm_of_half_precision_is_written_in_float32(
    stage5, sft_config, dialogues, tmp_path
):
    shape = json.loads((stage5 / "decoder/config.json").read_text())
    (stage5 / "decoder/config.json").write_text(json.dumps({**shape, "dtype": "bfloat16"}))
    run = tmp_path / "exp/sft_tiny"
    train(sft_config(train_dtype="bfloat16"), [str(dialogues)], [], run, "cpu")
    finish(run)
    trained = load_file(checkpoints(run)[-1][1] / "model.safetensors")
    written = load_file(run / "model.safetensors")
    assert any(".lora_" in name for name in trained)
    for name, tensor in trained.items():
        assert written[name].dtype == tensor.dtype and torch.equal(written[name], tensor), name


@pytest.fixture(scope="module")
def half_llm(tiny_llm, tmp_path_factory):
    """Folder of ``tiny_llm`` in bfloat16, as most LLMs are stored."""
    folder = shutil.copytree(tiny_llm, tmp_path_factory.mktemp("half") / "llm")
    AutoModelForCausalLM.from_pretrained(tiny_llm, dtype=torch.bfloat16).save_pretrained(folder)
    return folder


def test_a_frozen_llm_is_written_in_the_type_it_was_read_in_and_used_as_if_it_were_wider(
    half_llm, speech_config, tiny_whisper, example_set, tiny_tokenizer, tmp_path
):
    changes = {
        "encoder_conf": {"model": str(tiny_whisper), "final_norm": False},
        "decoder_conf": {"model": str(half_llm), "lora": {"r": 2, "target_modules": ["q_proj"]}},
        "freeze_param": ["encoder"],
        "phases": [{"steps": 2}],
        **{"ctc": None, "timestamp_head": "tokens", "lr_scale": {}},
    }
    words = example_set("words", [{**SPOKEN, "text": text} for text in ("dog", "fox")])
    run, wide = tmp_path / "exp/half", tmp_path / "exp/wide"
    train(speech_config(**changes), [words], [], run, "cpu")
    finish(run)
    written = load_file(run / "model.safetensors")
    frozen = {name for name in written if name.startswith("decoder.lm.") and ".lora_" not in name}
    assert {written[name].dtype for name in frozen} == {torch.bfloat16}
    assert "decoder.new_rows" in written.keys() - frozen
    assert {written[name].dtype for name in written.keys() - frozen} == {torch.float32}

    shutil.copytree(run, wide)
    save_file({name: tensor.float() for name, tensor in written.items()}, wide / "model.safetensors")
    for dtype in ("float32", "bfloat16"):
        found, expected = (load_model(folder, dtype=dtype).model.state_dict() for folder in (run, wide))
        assert all(torch.equal(found[name], tensor) for name, tensor in expected.items())
    for folder in (run, wide):
        export(folder, folder / "theirs")
    found, expected = (load_file(folder / "theirs/model.safetensors") for folder in (run, wide))
    assert all(torch.equal(found[name], tensor) for name, tensor in expected.items())
    assert {tensor.dtype for tensor in found.values()} == {torch.float32}

    again = build_from(speech_config(**changes, init=str(run)), tiny_tokenizer, [], 1, None).decoder
    layer = again.lm.model.layers[0].self_attn
    assert layer.k_proj.weight.dtype == torch.bfloat16
    assert layer.q_proj.base_layer.weight.dtype == torch.float32  # LoRA of the first run is in it
    trained = load_model(run).model.decoder.lm.model.layers[0].self_attn.q_proj.weight
    assert torch.equal(layer.q_proj.base_layer.weight, trained)


def test_the_option_that_keeps_a_model_from_qwen2_audio_is_named_before_it_is_trained(
    speech_config, tiny_whisper, example_set, tmp_path, capsys
):
    words, note = (
        example_set("words", [{**SPOKEN, "text": "dog"}]),
        "will refuse this model: encoder_conf.final_norm",
    )
    conf = {"model": str(tiny_whisper)}
    for number, (changes, said) in enumerate((
        ({"encoder_conf": conf}, True),
        ({"encoder_conf": {**conf, "final_norm": False}}, False),
        ({"encoder_conf": conf, "adapter": "stack_linear"}, False),
    )):  # fmt: skip
        train(speech_config(**changes), [words], [], tmp_path / f"exp/{number}", "cpu")
        assert (note in capsys.readouterr().err) == said


def test_without_validation_sets_nothing_is_validated(sft_config, dialogues, tmp_path):
    train(sft_config(), [str(dialogues)], [], tmp_path / "run", "cpu")
    assert not any(row.get("valid") for row in read_log(tmp_path / "run/train_log.jsonl"))


def test_labels_without_transcripts_are_trained_without_what_learns_from_the_words(
    speech_config, example_set, sft_config, dialogues, tmp_path, capsys
):
    labels = example_set("labels", [{"task": "lid", "label": name} for name in ("English", "Spanish")])
    run = tmp_path / "exp/labels"
    train(speech_config(), [labels], [labels], run, "cpu")
    assert (
        "no set has a transcript; trained with ctc: null, timestamp_head: null, phases[0].loss_weights: {'lm': 1.0},"
        " phases[1].loss_weights: {'lm': 1.0}, lr_scale: {'adapter': 5}\n"
    ) in capsys.readouterr().err
    finish(run)
    found = load_model(run)
    assert (found.model.ctc, found.config["ctc"], found.config["timestamp_head"]) == (None, None, None)
    for line in read_log(run / "train_log.jsonl"):
        assert line["skipped_steps"] == 0 if "skipped_steps" in line else line["valid"]
    shutil.rmtree(checkpoints(run)[-1][1])
    train(speech_config(), [labels], [labels], run, "cpu")  # goes on: the same run
    frozen = sft_config(init=str(run), freeze_param=["encoder", "adapter", "ctc", "timestamp_head"])
    train(frozen, [str(dialogues)], [], tmp_path / "exp/sft", "cpu")


def test_what_a_trained_model_hears_words_with_stays_where_new_sets_have_none(
    stage5, speech_config, example_set, tmp_path
):
    labels = example_set("labels", [{"task": "lid", "label": name} for name in ("English", "Spanish")])
    changes = {"adapter": "stack_linear", "adapter_conf": {"stride": 4, "hidden_size": 48}}
    train(speech_config(init=str(stage5), **changes), [labels], [], tmp_path / "run", "cpu")
    finish(tmp_path / "run")
    assert load_model(tmp_path / "run").model.ctc.token_ids.tolist() == [20, 30]


def test_ctc_knows_the_words_of_the_new_transcripts_beside_those_of_the_first_model(
    stage5, speech_config, example_set, tiny_tokenizer, tmp_path
):
    words = example_set("words", [{**SPOKEN, "text": text} for text in ("dog", "fox")])
    changes = {
        "adapter": "stack_linear",
        "adapter_conf": {"stride": 4, "hidden_size": 48},
        "timestamp_head": "tokens",
    }
    changes |= {"lr_scale": {}, "freeze_param": ["encoder", "decoder", "ctc"]}
    phases = [{"steps": 2, "loss_weights": {"ctc": 1.0}}]
    config, run = speech_config(init=str(stage5), phases=phases, **changes), tmp_path / "run"
    train(config, [words], [], run, "cpu")
    shutil.rmtree(checkpoints(run)[-1][1])
    train(config, [words], [], run, "cpu")  # goes on
    assert read_log(run / "train_log.jsonl")[-1]["stats"]["ctc_left_out"] == 0
    finish(run)
    known = sorted({20, 30, *tiny_tokenizer.encode("dog"), *tiny_tokenizer.encode("fox")})
    assert json.loads((run / "run.json").read_text())["ctc_tokens"] == known
    ctc, before = load_model(run).model.ctc, load_model(stage5).model.ctc
    assert ctc.token_ids.tolist() == known
    assert torch.equal(ctc.blank_score.weight, before.blank_score.weight)


def test_a_task_is_trained_if_a_phase_draws_it_and_one_that_none_weighs_is_refused_before_a_step(
    speech_config, example_set, tmp_path
):
    words = example_set("words", [{**SPOKEN, "text": "dog"}, {"task": "lid", "label": "English"}])
    other = example_set("other", [{"task": "er", "label": "happy"}])
    phase = {"steps": 1, "task_weights": {"asr": 1, "sec": 1}}
    with pytest.raises(ValueError, match=r"no phase draws: lid 1; weigh them in phases\[0\].task_weights"):
        train(speech_config(phases=[phase]), [words], [], tmp_path / "run", "cpu")
    phase["task_weights"]["lid"] = 0
    train(speech_config(phases=[phase]), [words], [other], tmp_path / "run", "cpu")
    assert json.loads((tmp_path / "run/run.json").read_text())["tasks"] == ["asr/en"]
