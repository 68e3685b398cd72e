import multiprocessing
import resource
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from omniio import kaldi

sys.path.insert(0, str(Path(__file__).parents[1]))
from toy_run import META, ToyModel, write_audio_set, write_set

from qwen_audio.data.batch_plan import BatchPlan
from qwen_audio.data.collate import Collate, StepData, check_features, check_sets, load
from qwen_audio.data.packing import ENTRY_DTYPE
from qwen_audio.data.token_set import TokenSet
from qwen_audio.data.token_set_writer import TokenSetWriter


def entries(*rows, speed=1.0):
    return np.array([(0, row, speed) for row in rows], dtype=ENTRY_DTYPE)


def write_clip(path, wave):
    soundfile.write(path, wave, 16000, subtype="PCM_16")
    return str(path)


def test_rows_become_padded_tensors(tmp_path):
    specs = [write_clip(tmp_path / f"{n}.wav", np.full(n, 0.5)) for n in (3, 5)]
    data = write_set(tmp_path / "set", [("lid", 3, 2, 1), ("asr", 5, 1, 3)], specs)
    batch = Collate(["aac", "asr", "lid"])([data], entries(1, 0))
    expected = {
        "speech": [[0.5] * 5, [0.5] * 3 + [0.0] * 2],
        "speech_lengths": [5, 3],
        "text": [[1, 4, 5, 6], [1, 2, 3, 0]],
        "text_lengths": [4, 3],
        "loss_places": [1, 2, 3, 6],
        "task_ids": [1, 2],
        "ctc_text": [[4, 5], [0, 0]],
        "ctc_text_lengths": [2, 0],
    }
    assert {name: tensor.tolist() for name, tensor in batch.items()} == expected
    types = {name: tensor.dtype for name, tensor in batch.items() if name != "speech"}
    assert set(types.values()) == {torch.int64}


def test_a_row_without_audio_gives_only_text(tmp_path):
    with TokenSetWriter(tmp_path / "set") as writer:
        writer.add([5], [6, 2], [], 0, "chat", -1, 0)
        utt = writer.add_audio("u", write_clip(tmp_path / "u.wav", np.zeros(4)))
        writer.add([1], [7, 2], [7], 4, "chat", utt, 9)
        writer.close(META)
    batch = Collate(["chat"])([TokenSet(tmp_path / "set")], entries(0, 1))
    assert batch["text"].tolist() == [[5, 6, 2], [1, 7, 2]]
    assert batch["speech"].shape == (1, 4) and batch["ctc_text"].tolist() == [[7]]


def test_the_audios_of_a_dialogue_stand_in_the_order_of_their_placeholders(tmp_path):
    clips = [(write_clip(tmp_path / f"{n}.wav", np.full(n, n / 10)), n) for n in (3, 5, 4)]
    with TokenSetWriter(tmp_path / "set") as writer:
        writer.add_dialogue([8, 6, 2], [False, True, True], [], "text", "d0", 0)
        trained = [False, False, True, False, False, True]
        writer.add_dialogue([1, 1, 7, 5, 1, 7], trained, clips, "joined", "d1", 1)
        writer.add_dialogue([1, 9], [False, True], clips[:1], "template", "d2", 2)
        writer.close(META)
    data = TokenSet(tmp_path / "set")
    batch = Collate(["joined", "template", "text"])([data], entries(2, 0, 1))
    assert batch["speech_lengths"].tolist() == [3, 3, 5, 4]
    assert [round(float(wave[0]), 1) for wave in batch["speech"]] == [0.3, 0.3, 0.5, 0.4]
    assert batch["text"].tolist() == [[1, 9, 0, 0, 0, 0], [8, 6, 2, 0, 0, 0], [1, 1, 7, 5, 1, 7]]
    assert batch["loss_places"].tolist() == [1, 6 + 1, 6 + 2, 12 + 2, 12 + 5]
    assert batch["ctc_text_lengths"].tolist() == [0, 0, 0, 0]


def test_features_come_from_the_ark(tmp_path):
    features = np.random.default_rng(0).normal(size=(7, 80)).astype(np.float32)
    kaldi.save_ark(str(tmp_path / "feats.ark"), {"u": features}, scp=str(tmp_path / "feats.scp"))
    spec = (tmp_path / "feats.scp").read_text().split()[1]
    with TokenSetWriter(tmp_path / "set") as writer:
        writer.add([1], [7, 2], [], 1120, "asr", writer.add_audio("u", spec), 0)
        writer.close({**META, "feats_type": "fbank"})
    batch = Collate(["asr"])([TokenSet(tmp_path / "set")], entries(0))
    np.testing.assert_allclose(batch["speech"][0], features, rtol=1e-6)
    assert batch["speech_lengths"].tolist() == [7]
    check_features([TokenSet(tmp_path / "set")], 80, {})
    with pytest.raises(ValueError, match="features, whose speed cannot change; write speed_perturb: {}, or"):
        check_features([TokenSet(tmp_path / "set")], 80, {"factors": [0.9], "tasks": ["asr"]})
    with pytest.raises(
        ValueError, match="set holds features of 80 mel channels, the frontend gives 128; .*n_mels: 80"
    ):
        check_features([TokenSet(tmp_path / "set")], 128, {})


@pytest.mark.parametrize("speed", [0.9, 1.1])
def test_speed_scales_length_and_pitch(tmp_path, speed):
    tone = 0.5 * np.sin(2 * np.pi * 1000 * np.arange(16000) / 16000)
    data = write_set(tmp_path / "set", [("asr", 16000, 1, 2)], [write_clip(tmp_path / "t.wav", tone)])
    wave = Collate(["asr"])([data], entries(0, speed=speed))["speech"][0]
    assert len(wave) == round(16000 / speed)
    peak = np.argmax(np.abs(np.fft.rfft(wave))) * 16000 / len(wave)
    assert peak == pytest.approx(1000 * speed, abs=2)


def test_audio_that_changed_since_its_set_was_written_is_refused(tmp_path):
    data = write_set(tmp_path / "set", [("asr", 9, 1, 2)], [write_clip(tmp_path / "t.wav", np.zeros(8))])
    mend = f"remove .done1 of its set below dump/, or of dialogues of your own {tmp_path}/set/.done6, and run"
    with pytest.raises(ValueError, match=f"t.wav has 8 samples, .*written for 9: it has changed; {mend}"):
        Collate(["asr"])([data], entries(0))


def test_sets_of_two_tokenizers_do_not_mix(tmp_path):
    one = write_set(tmp_path / "one", [("asr", 9, 1, 2)])
    with TokenSetWriter(tmp_path / "two") as writer:
        writer.add([1], [7, 2], [], 0, "asr", -1, 0)
        writer.close({**META, "tokenizer": "other"})
    with pytest.raises(ValueError, match="tokenizer of .*two is 'other', of .*one 'toy'"):
        check_sets([one, TokenSet(tmp_path / "two")])


def test_workers_give_what_one_process_gives_in_the_same_order(tmp_path):
    data = write_audio_set(tmp_path / "train", 30)
    plan = BatchPlan([data], [{"steps": 12}], {"max_examples": 6}, ToyModel.num_frames, accum_grad=2)
    steps = StepData(plan, None, Collate(plan.tasks), rank=1, world=4)
    items = [("train", step) for step in range(3, 12)]
    alone, worked = list(load(steps, items)), list(load(steps, items, num_workers=2))
    assert len(alone) == len(worked) == 9
    for one, other in zip(alone, worked, strict=True):
        for a, b in zip(one, other, strict=True):
            assert (a is None) == (b is None)
            assert a is None or a["longest"] == b["longest"] > a["text"].shape[1]
            assert a is None or all(torch.equal(a[name], b[name]) for name in a if name != "longest")


def test_the_pieces_of_a_share_are_its_rows_in_their_order(tmp_path):
    data = write_audio_set(tmp_path / "train", 30)
    plan = BatchPlan([data], [{"steps": 3}], {"max_examples": 12}, ToyModel.num_frames, accum_grad=2)
    whole, cut, fine = (
        StepData(plan, None, Collate(plan.tasks), rank=0, world=2, split_parts=pieces)["train", 1]
        for pieces in (1, 2, 9)
    )
    for number, share in enumerate(whole):
        lengths = [batch["speech_lengths"].tolist() for batch in cut[2 * number : 2 * number + 2]]
        assert sum(lengths, []) == share["speech_lengths"].tolist() and len(lengths[0]) - len(lengths[1]) in (
            0,
            1,
        )
        assert cut[2 * number]["longest"] == share["longest"]
    assert len(fine) == 18 and sum(batch is not None for batch in fine) == sum(len(b["text"]) for b in whole)


def load_with_few_files(data, items):
    """Exits with 0 if all items come where just 100 files may be open."""
    resource.setrlimit(resource.RLIMIT_NOFILE, (100, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
    sys.exit(len(list(load(data, items, num_workers=1))) != len(items))


def test_steps_of_many_pieces_come_where_few_files_may_be_open(tmp_path):
    data = write_audio_set(tmp_path / "train", 24)
    plan = BatchPlan([data], [{"steps": 4}], {"max_examples": 24}, ToyModel.num_frames)
    steps = StepData(plan, None, Collate(plan.tasks), split_parts=12)
    items = [("train", step) for step in range(4)]
    child = multiprocessing.get_context("fork").Process(target=load_with_few_files, args=(steps, items))
    child.start()
    child.join(timeout=100)
    child.kill()  # where an item is lost it would wait for ever
    child.join()
    assert child.exitcode == 0


def test_a_system_that_allows_too_few_open_files_for_the_workers_is_named_with_what_to_write(
    tmp_path, monkeypatch
):
    monkeypatch.setattr(resource, "getrlimit", lambda _: (1024, 1024))
    plan = BatchPlan([write_audio_set(tmp_path / "train", 24)], [{"steps": 1}], {"max_examples": 24},
                     ToyModel.num_frames, accum_grad=8)  # fmt: skip
    steps = StepData(plan, None, Collate(plan.tasks), split_parts=4)
    said = r"num_workers 2 with accum_grad x split_parts of 32 takes 1696 open files, the system allows 1024; give "
    with pytest.raises(ValueError, match=said + "--override num_workers=0, or raise the limit"):
        list(load(steps, [("train", 0)], num_workers=2))
    assert len(list(load(steps, [("train", 0)]))) == 1


@pytest.mark.parametrize("num_workers", [0, 1])
def test_an_unreadable_clip_ends_the_run_with_its_own_message(tmp_path, num_workers):
    data = write_set(tmp_path / "set", [("asr", 900, 1, 2)], [str(tmp_path / "gone.wav")])
    plan = BatchPlan([data], [{"steps": 2}], {"max_examples": 1}, ToyModel.num_frames)
    with pytest.raises(ValueError, match=r"^missing file: .*gone.wav"):
        list(load(StepData(plan, None, Collate(["asr"])), [("train", 0)], num_workers))
