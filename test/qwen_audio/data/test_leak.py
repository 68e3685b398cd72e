import json
import shutil
import threading
from pathlib import Path

import numpy as np
import pytest
import soundfile

from qwen_audio.data import leak
from qwen_audio.data.corpus_dir import Utterance, write_set
from qwen_audio.data.leak import check_leak

needs_ffmpeg = pytest.mark.skipif(not shutil.which("ffmpeg"), reason="there is no ffmpeg")
ENGLISH = {"task": "s2tt", "audio_lang": "es", "text_lang": "en"}


def clip(path, seed, seconds=0.1):
    path.parent.mkdir(parents=True, exist_ok=True)
    samples = np.random.default_rng(seed).integers(-9999, 9999, round(16000 * seconds)).astype("int16")
    soundfile.write(path, samples, 16000)
    return str(path)


def data_dir(tmp_path, name, rows):
    """rows: (id, audio path, text, translation)."""
    utterances = [
        Utterance(utt, utt, audio, text, "es", examples=[{**ENGLISH, "text": english}])
        for utt, audio, text, english in rows
    ]
    write_set(tmp_path / name, utterances, "own")
    return tmp_path / name


def test_disjoint_sets_pass_and_are_counted(tmp_path):
    train = data_dir(tmp_path, "train", [("a", clip(tmp_path / "a.wav", 1), "uno", "one")])
    held = data_dir(tmp_path, "test", [("b", clip(tmp_path / "b.wav", 2), "dos", "two")])
    assert check_leak([train], [held]) == {
        "train_recordings": 1,
        "held_out_recordings": 1,
        "unreadable_recordings": 0,
        "recordings_by_name_alone": 0,
        "train_sentences": 2,
        "held_out_sentences": 2,
    }


def test_a_planted_copy_of_a_recording_is_named(tmp_path):
    train = data_dir(tmp_path, "train", [("a", clip(tmp_path / "a.wav", 1), "uno", "one")])
    rows = [
        ("b", clip(tmp_path / "b.wav", 2), "dos", "two"),
        ("c", clip(tmp_path / "copy.flac", 1), "tres", "three"),
    ]
    with pytest.raises(ValueError, match=r"1 recording\(s\) of valid or test.*copy.flac = .*a.wav"):
        check_leak([train], [data_dir(tmp_path, "test", rows)])


def test_the_same_command_is_the_same_recording_and_none_is_run(tmp_path, capsys):
    said = [
        (f"{name}{n}", f"touch {tmp_path}/ran; echo {n} |", name, name * 2) for n, name in enumerate("abc")
    ]
    train = data_dir(tmp_path, "train", said[:2])
    other = data_dir(tmp_path, "other", [said[2], ("a0", "echo other |", "d", "dd")])
    assert check_leak([train], [other])["recordings_by_name_alone"] == 4
    assert "same id on both sides, but other audio, or another command: a0" in capsys.readouterr().out
    same = data_dir(tmp_path, "same", [("x", said[1][1], "d", "dd")])
    with pytest.raises(
        ValueError, match=r"1 recording\(s\) of valid or test stand in train: touch .* = touch"
    ):
        check_leak([train], [same])
    assert not (tmp_path / "ran").exists()


def test_a_planted_sentence_is_named_whatever_its_case_and_marks(tmp_path):
    train = data_dir(tmp_path, "train", [("a", clip(tmp_path / "a.wav", 1), "¡Hola, amigo!", "hello")])
    held = data_dir(tmp_path, "test", [("b", clip(tmp_path / "b.wav", 2), "hola amigo", "hi")])
    with pytest.raises(ValueError, match=r"1 sentence\(s\).*test b = train a \('hola amigo'\)"):
        check_leak([train], [held])


def test_a_planted_translation_is_named(tmp_path):
    train = data_dir(tmp_path, "train", [("a", clip(tmp_path / "a.wav", 1), "uno", "Same words.")])
    held = data_dir(tmp_path, "test", [("b", clip(tmp_path / "b.wav", 2), "dos", "same words")])
    with pytest.raises(ValueError, match="same words"):
        check_leak([train], [held])


@pytest.mark.parametrize(
    "row",
    [
        {
            "task": "srwt",
            "audio_lang": "es",
            "text_lang": "es",
            "words": [[0.0, 0.04, "Hola,"], [0.05, 0.1, "amigo"]],
        },
        {"task": "dialect_asr", "audio_lang": "es", "text_lang": "es", "text": "hola, Amigo"},
        {"task": "osr", "audio_lang": "es", "text_lang": "es", "texts": ["adiós", "hola amigo!"]},
    ],
)
def test_a_sentence_is_found_in_the_rows_of_every_task_that_writes_speech(tmp_path, row):
    other = Utterance("a", "a", clip(tmp_path / "a.wav", 1), examples=[row])
    write_set(tmp_path / "train", [other], "own")
    held = data_dir(tmp_path, "test", [("b", clip(tmp_path / "b.wav", 2), "hola amigo", "hi")])
    with pytest.raises(ValueError, match=r"1 sentence\(s\).*test b = train a \('hola amigo'\)"):
        check_leak([tmp_path / "train"], [held])


def test_a_caption_that_reads_like_a_sentence_is_none(tmp_path):
    row = {"task": "aac", "text_lang": "en", "text": "a man says hi"}
    write_set(tmp_path / "train", [Utterance("a", "a", clip(tmp_path / "a.wav", 1), examples=[row])], "own")
    held = data_dir(tmp_path, "test", [("b", clip(tmp_path / "b.wav", 2), "A man says hi.", "hi")])
    assert check_leak([tmp_path / "train"], [held])["train_sentences"] == 0


def test_what_cannot_be_read_is_counted_and_stops_nothing(tmp_path):
    (tmp_path / "a.m4a").write_bytes(b"    ftypM4A ")
    rows = [(utt, str(tmp_path / name), utt, utt) for utt, name in (("a", "a.m4a"), ("c", "gone.wav"))]
    held = data_dir(tmp_path, "test", [("b", clip(tmp_path / "b.wav", 2), "dos", "two")])
    assert check_leak([data_dir(tmp_path, "train", rows)], [held])["unreadable_recordings"] == 2


def test_files_are_waited_for_together_and_it_is_told_how_far_it_is(tmp_path, monkeypatch, capsys):
    rows = [(f"a{n}", clip(tmp_path / f"a{n}.wav", n), f"uno {n}", f"one {n}") for n in range(5)]
    train = data_dir(tmp_path, "train", rows)
    held = data_dir(tmp_path, "test", [("b", clip(tmp_path / "b.wav", 9), "dos", "two")])
    together, of_one = threading.Barrier(5), leak.any_num_samples

    def waits(spec):
        if "a" in Path(spec).name.removesuffix(".wav"):
            together.wait(timeout=60)
        return of_one(spec)

    monkeypatch.setattr(leak, "any_num_samples", waits)
    monkeypatch.setattr(leak, "_MANY", 5)
    check_leak([train], [held])
    assert capsys.readouterr().err == ""
    monkeypatch.setattr(leak, "_MANY", 4)
    together = threading.Barrier(1)
    check_leak([train], [held])
    assert "comparing lengths: 5 of 5" in capsys.readouterr().err


def test_a_line_ends_at_a_newline_alone(tmp_path):
    rows = [("a", clip(tmp_path / "a.wav", 1), "uno", "one\u2028and\u0085two")]
    held = [("b", clip(tmp_path / "b.wav", 2), "dos", "one and two")]
    with pytest.raises(ValueError, match="test b = train a .'one and two'"):
        check_leak([data_dir(tmp_path, "train", rows)], [data_dir(tmp_path, "test", held)])


@pytest.mark.parametrize("row, message", [
    ('{"utt": "a"}', "examples.jsonl:1: unknown task None"),
    ('{"utt": "a", "task": ["s2tt"]}', r"examples.jsonl:1: unknown task \['s2tt'\]"),
    ('{"utt": "a", "task": "asr"}', "examples.jsonl:1: task asr needs the field"),
    ("[1]", "examples.jsonl:1: has no 'utt'"),
])  # fmt: skip
def test_a_faulty_row_is_named_with_its_line(tmp_path, row, message):
    train = data_dir(tmp_path, "train", [("a", clip(tmp_path / "a.wav", 1), "uno", "one")])
    (train / "examples.jsonl").write_text(row + "\n")
    with pytest.raises(ValueError, match=message):
        check_leak([train], [])


def test_a_text_that_is_none_is_left_to_the_reader_that_counts_it(tmp_path):
    train = data_dir(tmp_path, "train", [("a", clip(tmp_path / "a.wav", 1), "uno", "one")])
    (train / "examples.jsonl").write_text(json.dumps({"utt": "a", **ENGLISH, "text": 3}) + "\n")
    assert check_leak([train], [])["train_sentences"] == 1


def speech(seed, seconds=1.0):
    """Low noise in syllables: a wave that is like itself alone."""
    draw = np.random.default_rng(seed)
    loudness = np.repeat(draw.random(round(seconds * 20)), 800)
    return 0.3 * loudness * np.convolve(draw.standard_normal(len(loudness)), np.ones(8) / 8, "same")


def one_clip(tmp_path, name, utt, speaker, wave, suffix="wav"):
    path = tmp_path / f"{name}-{utt}.{suffix}"
    soundfile.write(path, wave, 16000)
    write_set(tmp_path / name, [Utterance(utt, speaker, str(path), f"said in {name}")], "own")
    return tmp_path / name


def test_a_copy_coded_anew_is_found_by_its_id_whoever_is_named_as_speaker(tmp_path):
    train = one_clip(tmp_path, "train", "ann-rec7", "ann", speech(1))
    held = one_clip(tmp_path, "test", "bob-rec7", "bob", 0.5 * speech(1), "mp3")
    with pytest.raises(ValueError, match=r"1 recording\(s\).*test-bob-rec7.mp3 = .*train-ann-rec7.wav"):
        check_leak([train], [held])


def test_the_same_id_of_another_recording_is_told_and_is_no_leak(tmp_path, capsys):
    train = one_clip(tmp_path, "train", "ann-rec7", "ann", speech(1))
    check_leak([train], [one_clip(tmp_path, "test", "bob-rec7", "bob", speech(2))])
    assert "the same id on both sides, but other audio: rec7" in capsys.readouterr().out


def test_where_every_speaker_counts_from_one_the_number_is_no_id(tmp_path, capsys):
    rows = [(f"{who}-1", who, speech(seed)) for seed, who in enumerate(("ann", "eve"))]
    write_set(
        tmp_path / "train",
        [
            Utterance(utt, who, clip(tmp_path / f"{utt}.wav", n), f"text {n}")
            for n, (utt, who, _) in enumerate(rows)
        ],
        "own",
    )
    check_leak([tmp_path / "train"], [one_clip(tmp_path, "test", "bob-1", "bob", speech(3))])
    assert "same id" not in capsys.readouterr().out


def test_of_clips_of_one_length_those_alone_are_decoded_whose_first_samples_are_equal(tmp_path, monkeypatch):
    def rows(name, seeds):
        return [
            (f"{name}{n}", clip(tmp_path / f"{name}{n}.wav", n), f"{name} {n}", f"in {name} {n}")
            for n in seeds
        ]

    decoded = []
    true_hash = leak.audio_hash
    monkeypatch.setattr(leak, "audio_hash", lambda spec: decoded.append(spec) or true_hash(spec))
    train, held = data_dir(tmp_path, "train", rows("a", range(20))), rows("b", range(19, 24))
    with pytest.raises(ValueError, match="b19.wav = .*a19.wav"):
        check_leak([train], [data_dir(tmp_path, "test", held)])
    assert sorted(spec.rpartition("/")[2] for spec in decoded) == ["a19.wav", "b19.wav"]


def test_clips_that_begin_alike_and_go_on_otherwise_are_no_leak(tmp_path):
    train = one_clip(tmp_path, "train", "a-x", "a", np.concatenate([np.zeros(8000), speech(1)]))
    held = one_clip(tmp_path, "test", "b-y", "b", np.concatenate([np.zeros(8000), speech(2)]))
    assert check_leak([train], [held])["held_out_recordings"] == 1


MONO = ("-ac", "1", "-ar", "16000")


@needs_ffmpeg
@pytest.mark.parametrize("name, options", [("copy.m4a", ("-c", "copy")), ("copy.wav", MONO)])
def test_a_recording_that_ffmpeg_reads_is_found_in_its_own_container_and_in_another(
    tmp_path, ffmpeg, name, options
):
    soundfile.write(tmp_path / "a.wav", np.stack([speech(1, 3.0), speech(2, 3.0)], 1), 48000)
    talk = ffmpeg(tmp_path / "a.wav", "-c:a", "aac", tmp_path / "talk.m4a")
    copy = ffmpeg(talk, *options, tmp_path / name)
    train = data_dir(tmp_path, "train", [("a", str(talk), "uno", "one")])
    with pytest.raises(ValueError, match=rf"1 recording\(s\).*{name} = .*talk.m4a"):
        check_leak([train], [data_dir(tmp_path, "test", [("b", str(copy), "dos", "two")])])


@needs_ffmpeg
def test_other_recordings_of_one_length_that_ffmpeg_reads_are_no_leak(tmp_path, ffmpeg):
    sets = []
    for name, seed in (("train", 1), ("test", 2)):
        soundfile.write(tmp_path / f"{name}.wav", speech(seed), 16000)
        talk = ffmpeg(tmp_path / f"{name}.wav", "-c:a", "alac", tmp_path / f"{name}.m4a")
        sets.append([data_dir(tmp_path, name, [(name, str(talk), name, name)])])
    counts = check_leak(*sets)
    assert counts["held_out_recordings"] == 1 and counts["unreadable_recordings"] == 0


@needs_ffmpeg
def test_a_copy_that_ffmpeg_reads_is_found_by_its_id(tmp_path, ffmpeg):
    train = one_clip(tmp_path, "train", "ann-rec7", "ann", speech(1))
    talk = ffmpeg(tmp_path / "train-ann-rec7.wav", "-c:a", "aac", tmp_path / "talk.m4a")
    write_set(tmp_path / "test", [Utterance("bob-rec7", "bob", str(talk), "said in test")], "own")
    with pytest.raises(ValueError, match=r"1 recording\(s\).*talk.m4a = .*train-ann-rec7.wav"):
        check_leak([train], [tmp_path / "test"])
