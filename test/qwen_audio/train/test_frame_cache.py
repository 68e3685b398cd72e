import json
import os
import runpy
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from safetensors.torch import load_file

from qwen_audio.data.batch_plan import BatchPlan
from qwen_audio.data.collate import Collate, StepData
from qwen_audio.data.frame_cache import FrameCache, content_of
from qwen_audio.data.packing import ENTRY_DTYPE
from qwen_audio.data.token_set import TokenSet, task_list
from qwen_audio.data.valid_plan import ValidPlan
from qwen_audio.train import engine
from qwen_audio.train.checkpoint import checkpoints
from qwen_audio.train.frame_cache import fill, part_key, planned
from qwen_audio.train.init import build_from
from qwen_audio.train.log import read_log
from qwen_audio.train.ranks import Ranks
from qwen_audio.train.run import train

CACHED = {"max_gb": 1}


@pytest.fixture
def model(sft_config, tiny_tokenizer):
    return build_from(sft_config(), tiny_tokenizer, [20, 30], 3)


@pytest.fixture
def encodings(model):
    """Lengths of the batches that the model encodes."""
    seen, encode = [], model.encode
    model.encode = lambda speech, lengths: (seen.append(len(lengths)), encode(speech, lengths))[1]
    return seen


def entries(count):
    return np.array([(0, row, 1.0) for row in range(count)], dtype=ENTRY_DTYPE)


ROOM = {"max_examples": 4, "max_positions": 1000, "max_seconds": 60}


def plan_of(data, steps):
    phase = {"steps": steps, "task_weights": {"template": 3, "joined": 2, "text": 1}}
    return BatchPlan([data], [phase], ROOM, lambda samples: samples // 1280)


def every(data):
    """All recordings of a set, as validation hears them."""
    return planned(plan_of(data, 1), ValidPlan([data], ROOM, lambda samples: samples // 1280))


def test_what_a_run_hears_is_planned_once_and_nothing_else(dialogues):
    data, none = TokenSet(dialogues), ValidPlan([], ROOM, lambda samples: samples // 1280)
    for steps in (1, 2, 9):
        plan = plan_of(data, steps)
        rows = np.concatenate([part["row"] for step in range(steps) for part in plan.batch(step)])
        heard = {data.spec(audio) for audio in data.clips(rows)[1]}
        clips = planned(plan_of(data, steps), none)
        assert len(clips) == len(heard) and {spec for _, spec, _ in clips} == heard
        assert len(heard) == 5 if steps == 9 else 0 < len(heard) <= 5
        for _, spec, samples in clips:
            assert soundfile.info(spec).frames == samples
    assert len(planned(plan_of(data, 1), none)) < len(every(data)) == 5


def test_the_loss_from_the_cache_is_that_from_the_audio(model, sft_config, dialogues, tmp_path):
    data = TokenSet(dialogues)
    cache = fill(model, every(data), sft_config(frame_cache=CACHED), tmp_path / "cache", Ranks("cpu"))
    tasks = task_list([data])
    cached, heard = (Collate(tasks, cache)([data], entries(12)), Collate(tasks)([data], entries(12)))
    assert "speech" not in cached and cached["speech_lengths"].tolist() == heard["speech_lengths"].tolist()
    model.eval()
    losses = [model(**batch)[0] for batch in (cached, heard)]
    torch.testing.assert_close(*losses, atol=1e-5, rtol=1e-5)
    alone = Collate(tasks, cache)([data], entries(3)[2:])  # a text
    assert torch.isfinite(model(**alone)[0]) and len(alone["speech"]) == 0


@pytest.mark.parametrize("cached", [False, True])
def test_a_batch_knows_the_positions_of_its_longest_row(model, sft_config, dialogues, tmp_path, cached):
    """Of dialogues with two audios, one or none, whose frames a model else counts on its device."""
    data, frames_of, cache = TokenSet(dialogues), model.frames_of, None
    phase = {"steps": 3, "task_weights": {"template": 3, "joined": 2, "text": 1}}
    plan, valid = BatchPlan([data], [phase], ROOM, frames_of), ValidPlan([data], ROOM, frames_of)
    if cached:
        cache = fill(
            model, planned(plan, valid), sft_config(frame_cache=CACHED), tmp_path / "c", Ranks("cpu")
        )
    steps = StepData(plan, valid, Collate(task_list([data]), cache))
    read = []
    model.decoder.register_forward_pre_hook(lambda _, args: read.append(args[0].shape[1]))
    model.eval()
    items = [("train", step) for step in range(3)] + [("valid", number) for number in range(len(valid))]
    for item in items:
        (batch,) = steps[item]
        longest = batch.pop("longest")
        assert model(**batch)[0] == model(**batch, longest=longest)[0]
        assert read[-2:] == [longest, longest]
    assert len(set(read)) > 2


def test_only_what_computes_the_frames_is_moved_to_the_device(
    model, sft_config, dialogues, tmp_path, monkeypatch
):
    """A float32 LLM may not fit there."""
    moved = []
    for name, part in model.named_children():
        monkeypatch.setattr(part, "to", lambda device, name=name: moved.append((name, str(device))))
        monkeypatch.setattr(
            part, "_apply", lambda *_, name=name, **__: moved.append((name, "with the model"))
        )
    fill(model, every(TokenSet(dialogues)), sft_config(frame_cache=CACHED), tmp_path / "cache", Ranks("cpu"))
    assert moved == [("frontend", "cpu"), ("encoder", "cpu"), ("adapter", "cpu")]


def test_each_audio_is_encoded_once_and_never_again(model, encodings, sft_config, dialogues, tmp_path):
    config, data = sft_config(frame_cache=CACHED), TokenSet(dialogues)
    copy = tmp_path / "copy.wav"
    copy.write_bytes((tmp_path / "clip0.wav").read_bytes())
    cache = fill(model, every(data), config, tmp_path / "cache", Ranks("cpu"))
    heard = {data.spec(audio) for audio in data.clips(np.arange(12))[1]}
    assert sum(encodings) == len(heard) == 5
    fill(model, every(data), config, tmp_path / "cache", Ranks("cpu"))
    assert sum(encodings) == 5
    # the same audio elsewhere
    assert cache.add(str(copy), content_of(soundfile.read(copy, dtype="float32")[0]))
    assert torch.equal(cache.frames(str(copy)), cache.frames(str(tmp_path / "clip0.wav")))
    os.utime(tmp_path / "clip1.wav", ns=(1, 1))  # another time, the same content
    fill(model, every(data), config, tmp_path / "cache", Ranks("cpu"))
    assert sum(encodings) == 5
    wave = np.random.default_rng(9).uniform(-0.5, 0.5, soundfile.info(tmp_path / "clip1.wav").frames)
    soundfile.write(tmp_path / "clip1.wav", wave, 16000, subtype="PCM_16")
    fill(model, every(data), config, tmp_path / "cache", Ranks("cpu"))
    assert sum(encodings) == 6


def test_other_weights_or_another_configuration_are_another_cache(model, sft_config):
    config = sft_config()
    keys = {part_key(model, config), part_key(model, {**config, "train_dtype": "bfloat16"})}
    keys.add(part_key(model, {**config, "encoder_conf": {**config["encoder_conf"], "more": 1}}))
    with torch.no_grad():
        next(model.decoder.parameters()).add_(1)
        assert part_key(model, config) in keys and len(keys) == 3
        next(model.adapter.parameters()).view(-1)[0] += 1
    assert part_key(model, config) not in keys


def test_frames_that_were_changed_on_disk_are_refused(model, sft_config, dialogues, tmp_path):
    cache = fill(
        model, every(TokenSet(dialogues)), sft_config(frame_cache=CACHED), tmp_path / "cache", Ranks("cpu")
    )
    spec, other = str(tmp_path / "clip0.wav"), str(tmp_path / "clip1.wav")
    at = json.loads(next(line for line in open(cache.folder / "clips.jsonl") if spec in line))["at"]
    with open(cache.folder / "frames.bin", "r+b") as stream:
        stream.seek(at + 3)
        stream.write(b"\x55")
    cache.frames(other)
    with pytest.raises(ValueError, match=r"the frames of .*clip0.wav are not those written; remove .*cache/"):
        cache.frames(spec)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_what_is_kept_comes_back_bit_by_bit_also_after_a_break(tmp_path, dtype):
    (tmp_path / "a.wav").touch(), (tmp_path / "b.wav").touch()
    one, two = (torch.randn(n, 6).to(dtype) for n in (3, 5))
    FrameCache(tmp_path / "cache", 6, dtype).add(str(tmp_path / "a.wav"), "content a", one)
    for name, tail in (("frames.bin", b"half a fra"), ("clips.jsonl", b'{"at": 12')):  # killed while it wrote
        with open(tmp_path / "cache" / name, "ab") as stream:
            stream.write(tail)
    cache = FrameCache(tmp_path / "cache", 6, dtype)
    assert cache.has(str(tmp_path / "a.wav")) and not cache.has(str(tmp_path / "b.wav"))
    cache.add(str(tmp_path / "b.wav"), "content b", two)
    again = FrameCache(tmp_path / "cache", 6, dtype)
    assert again.has(str(tmp_path / "a.wav")) and again.has(str(tmp_path / "b.wav"))
    assert torch.equal(again.frames(str(tmp_path / "a.wav")), one)
    assert torch.equal(again.frames(str(tmp_path / "b.wav")), two)


def test_the_bound_removes_other_caches_the_oldest_first_and_else_refuses(
    model, sft_config, dialogues, tmp_path
):
    clips, root, ranks = every(TokenSet(dialogues)), tmp_path / "cache", Ranks("cpu")
    own = fill(model, clips, sft_config(frame_cache=CACHED), root, ranks)
    for number, name in enumerate(("0" * 16, "1" * 16)):
        (root / name).mkdir()
        (root / name / "clips.jsonl").touch()
        (root / name / "frames.bin").write_bytes(bytes(own.size))
        os.utime(root / name, (number, number))
    (root / "not a cache").mkdir()
    fill(model, clips, sft_config(frame_cache={"max_gb": 2.5 * own.size / 1e9}), root, ranks)
    assert {path.name for path in root.iterdir()} == {"lock", "not a cache", "1" * 16, own.folder.name}
    with pytest.raises(ValueError, match="take 0.00 GB, above frame_cache.max_gb of .*; raise it"):
        fill(model, clips, sft_config(frame_cache={"max_gb": 0.9 * own.size / 1e9}), root, ranks)


def test_what_the_cache_cannot_hold_is_an_error_that_names_the_key(model, sft_config, dialogues, tmp_path):
    def refused(message, **changes):
        with pytest.raises(ValueError, match=message):
            fill(
                model,
                every(TokenSet(dialogues)),
                sft_config(**{"frame_cache": CACHED, **changes}),
                tmp_path,
                Ranks("cpu"),
            )

    next(model.adapter.parameters()).requires_grad_(True)
    refused("adapter.* is trained; add adapter to freeze_param, or write frame_cache: {}")


def test_a_run_with_the_cache_ends_with_the_weights_of_one_without(sft_config, dialogues, tmp_path):
    found, valid = [], []
    for name, cache in (("with", CACHED), ("without", {})):
        run = tmp_path / f"exp/sft_{name}"
        train(sft_config(frame_cache=cache, specaug=None), [str(dialogues)], [str(dialogues)], run, "cpu")
        found.append(load_file(checkpoints(run)[-1][1] / "model.safetensors"))
        valid += [row["loss"] for row in read_log(run / "train_log.jsonl") if row.get("valid")]
    assert len(valid) == 2 and valid[0] == pytest.approx(valid[1], rel=1e-4)
    for name, tensor in found[0].items():
        torch.testing.assert_close(tensor, found[1][name], atol=1e-4, rtol=1e-3)
    assert (tmp_path / "exp/frame_cache").is_dir()


def test_what_it_saves_is_measured_of_the_engine_and_the_pieces_that_train(
    sft_config, stage5, dialogues, tmp_path, monkeypatch
):
    asked, pieces = [], []

    class Counting(engine.LocalEngine):
        def backward(self, loss, weight):
            pieces.append(float(weight))
            super().backward(loss, weight)

    monkeypatch.setattr(engine, "engine_class", lambda *names: asked.append(names) or Counting)
    sft_config()
    call = ["frame_cache.py", "--config", tmp_path / "sft.yaml", "--init", stage5, "--sets", dialogues]
    call += ["--json", tmp_path / "found.json", "--steps", "3", "--num_threads", "1"]
    monkeypatch.setattr(sys, "argv", [*map(str, call), "--override", "split_parts=4", "trainer=deepspeed"])
    runpy.run_path(str(Path(__file__).parents[3] / "tools/bench/frame_cache.py"), run_name="__main__")
    assert asked == [("deepspeed", "cpu")]
    assert len(pieces) == 3 * 2 * 4  # steps, with and without the cache, rows of a batch
    assert json.loads((tmp_path / "found.json").read_text())["steps"] == 2
