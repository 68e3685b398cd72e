"""``--feats_type fbank`` from stage 1 to stage 7 beside ``raw``: the same clips, trained and decoded."""

import json
import shutil

import pytest
import torch
import yaml
from safetensors.torch import load_file

from qwen_audio.config import load_config
from qwen_audio.data.prepare import prepare
from qwen_audio.data.token_set import TokenSet
from qwen_audio.data.tokenize import tokenize
from qwen_audio.infer.decode import decode
from qwen_audio.infer.options import InferenceConfig
from qwen_audio.task_spec import load_tasks
from qwen_audio.train.checkpoint import checkpoints
from qwen_audio.train.log import read_log
from qwen_audio.train.run import train

SPECS = load_tasks()


@pytest.fixture(scope="module")
def sets(tmp_path_factory, sound_files, tiny_tokenizer):
    """Folder of the same clips, tokenised, by feats_type."""
    folder = tmp_path_factory.mktemp("feats_type")
    data, found = folder / "data", {}
    data.mkdir()
    lines = {"wav.scp": "u{n} {path}\n", "text": "u{n} please leave\n", "utt2spk": "u{n} s\n"}
    for name, line in lines.items():
        written = (line.format(n=n, path=path) for n, path in enumerate(sound_files))
        (data / name).write_text("".join(written))
    for kind in ("raw", "fbank"):
        prepare(data, folder / f"{kind}_prepared", SPECS, feats_type=kind)
        found[kind] = folder / kind
        tokenize(folder / f"{kind}_prepared", found[kind], tiny_tokenizer, SPECS)
    return found


def test_features_are_decoded_as_their_audio_is(loaded, sets, tmp_path):
    written = {}
    for kind, folder in sets.items():
        decode(loaded, TokenSet(folder), tmp_path / kind, InferenceConfig(max_new_tokens=12), SPECS)
        with open(tmp_path / kind / "hyp.jsonl") as stream:
            written[kind] = [json.loads(line) for line in stream]
    for raw, fbank in zip(written["raw"], written["fbank"], strict=True):
        assert (raw["utt"], raw["seconds"]) == (fbank["utt"], fbank["seconds"])
        assert raw["hyp"][:8] == fbank["hyp"][:8]  # the ark's 8 bits may change the rest
    assert len({row["hyp"] for row in written["fbank"]}) > 2


def test_features_are_trained_on_as_their_audio_is_and_a_break_changes_nothing(sets, parts, tmp_path):
    content = {
        **parts["encoder"]["whisper"], **parts["decoder"]["lora"], "adapter": "conv", "ctc": "embedding",
        "timestamp_head": "ctc", "specaug": "specaug", "specaug_conf": {"time_mask_width_range": [0, 20]},
        "phases": [{"steps": 4, "loss_weights": {"lm": 1.0, "ctc": 0.3, "timestamp": 0.3}}],
        "batch_conf": {"max_examples": 3}, "num_workers": 0, "num_threads": 1, "tensorboard": False, "log_steps": 1,
        "checkpoint_steps": 2, "valid_steps": 4, "optim_conf": {"lr": 1e-3}, "scheduler_conf": {"warmup_steps": 1},
    }  # fmt: skip
    (tmp_path / "train.yaml").write_text(yaml.safe_dump(content))
    config, losses = load_config(tmp_path / "train.yaml"), {}
    for kind, folder in sets.items():
        train(config, [str(folder)], [str(folder)], tmp_path / kind, "cpu")
        losses[kind] = [row["loss"] for row in read_log(tmp_path / kind / "train_log.jsonl")]
    assert losses["fbank"] == pytest.approx(losses["raw"], rel=0.02)
    last = checkpoints(tmp_path / "fbank")[-1][1]
    whole = load_file(last / "model.safetensors")
    shutil.rmtree(last)
    train(config, [str(sets["fbank"])], [str(sets["fbank"])], tmp_path / "fbank", "cpu")
    again = load_file(last / "model.safetensors")
    assert [name for name in whole if not torch.equal(whole[name], again[name])] == []
