import json
from pathlib import Path

import numpy as np
import pytest
import soundfile

from qwen_audio.cli import run
from qwen_audio.infer.time_words import Clip, head_systems, make_batches, read_clips, time_words
from qwen_audio.timestamp.attention import Attention
from qwen_audio.words import parse_words

SPOKEN = Path(__file__).resolve().parents[2] / "egs/spaced_words.flac"  # words laid at known times
WORDS = [[0.3, 0.845, "please"], [1.045, 1.533, "enter"], [1.733, 2.249, "your"], [2.449, 3.053, "number"]]


def make_dump(folder, examples, sounds):
    folder.mkdir(parents=True)
    (folder / "examples.jsonl").write_text("".join(json.dumps(row) + "\n" for row in examples))
    specs, lengths = "", ""
    for utt, wave in sounds.items():
        soundfile.write(folder / f"{utt}.wav", wave, 16000)
        specs, lengths = specs + f"{utt} {folder / utt}.wav\n", lengths + f"{utt} {len(wave)}\n"
    (folder / "wav.scp").write_text(specs)
    (folder / "utt2num_samples").write_text(lengths)
    return folder


def timed(utt, words, lang="en", task="srwt"):
    return {"utt": utt, "task": task, "audio_lang": lang, "text_lang": lang, "words": words}


@pytest.fixture
def spoken(tmp_path):
    wave, _ = soundfile.read(SPOKEN)
    examples = [
        timed("a", WORDS),
        timed("b", [[0.0, 1.0, "zzyzx"]]),
        {"utt": "a", "task": "lid", "label": "English"},
    ]
    return make_dump(tmp_path / "dump/x_test", examples, {"a": wave, "b": wave[:16000]})


def rows_of(path):
    return [json.loads(line) for line in path.open()]


def test_pocketsphinx_times_the_given_words_and_what_it_refuses_is_listed(spoken, tmp_path, capsys):
    output = tmp_path / "exp/decode/x_test"
    run("time_words", ["--heads", "pocketsphinx", "--decoded", f"{output}:{spoken}"])
    (row,) = rows_of(output / "heads/pocketsphinx/hyp.jsonl")
    assert (row["utt"], row["task"], row["text"], row["text_lang"]) == ("a", "srwt", "given", "en")
    found = parse_words(row["hyp"])
    assert [word for _, _, word in found] == ["please", "enter", "your", "number"]
    assert np.abs(np.array([word[:2] for word in found]) - [word[:2] for word in WORDS]).max() < 0.2
    refused = (output / "heads/refused.tsv").read_text()
    assert refused == "pocketsphinx\tb\tnot in the dictionary: zzyzx\n"
    assert "of 2 clips were timed: pocketsphinx 1" in capsys.readouterr().out


def test_a_set_without_word_times_is_left_alone(tmp_path, capsys):
    dump = make_dump(
        tmp_path / "dump", [{"utt": "a", "task": "lid", "label": "English"}], {"a": np.zeros(1600)}
    )
    run("time_words", ["--heads", "pocketsphinx", "--decoded", f"{tmp_path / 'out'}:{dump}"])
    assert "nothing to time" in capsys.readouterr().out and not (tmp_path / "out").exists()


def test_the_texts_are_the_words_without_silences_and_in_chinese_without_blanks(tmp_path):
    words = [[0.0, 0.1, "<|sil|>"], [0.1, 0.2, "知"], [0.2, 0.3, "道"]]
    dump = make_dump(
        tmp_path / "dump", [timed("a", words, "zh"), timed("b", WORDS)], dict.fromkeys("ab", np.zeros(1600))
    )
    clips = {clip.utt: (clip.language, clip.text, clip.samples) for clip in read_clips(dump)}
    assert clips == {"a": ("zh", "知道", 1600), "b": ("en", "please enter your number", 1600)}


def test_a_batch_has_one_language_and_a_bounded_length():
    lengths = [(5, "en"), (30, "zh"), (30, "en"), (29, "en"), (28, "en"), (1, "zh")]
    clips = [Clip(f"{n}", "srwt", "", 16000 * s, lang, "x") for n, (s, lang) in enumerate(lengths)]
    found = [[clip.utt for clip in batch] for batch in make_batches(clips)]
    assert found == [["0", "4", "3", "2"], ["5", "1"]]
    clips.append(Clip("6", "srwt", "", 16000 * 30, "en", "x"))
    assert [len(batch) for batch in make_batches(clips)] == [4, 1, 2]
    assert [len(batch) for batch in make_batches(clips, alone=True)] == [1] * 7


def test_a_head_times_its_own_words_and_the_given_ones(loaded, sounds, tmp_path):
    texts = ["please leave a message", "the dog", "one", "two more", "a tone"]
    examples = [timed(f"u{n}", [[0.0, 0.1, word] for word in text.split()]) for n, text in enumerate(texts)]
    dump = make_dump(tmp_path / "dump", examples, {f"u{n}": sound for n, sound in enumerate(sounds)})
    systems = head_systems(["attention"], lambda: loaded)
    counts = time_words(read_clips(dump), tmp_path / "out/heads", systems)
    rows = rows_of(tmp_path / "out/heads/attention/hyp.jsonl")
    assert counts == {"attention": 5} and [row["text"] for row in rows] == ["decoded"] * 5 + ["given"] * 5
    given = [[word for _, _, word in parse_words(row["hyp"])] for row in rows[5:]]
    assert given == [text.split() for text in texts]


def test_hearing_once_gives_what_transcribing_and_aligning_give(loaded, sounds):
    texts, languages = ["please leave", "the dog", "one", "two", "a tone"], ["en"] * 5
    head = Attention()
    written, aligned = head.both(loaded, sounds, texts, languages)
    assert written == head.words_of(loaded, sounds, languages)
    assert aligned == head.align(loaded, sounds, texts, languages)


def test_a_head_that_the_model_cannot_give_is_told_and_left_out(loaded, capsys):
    systems = head_systems(["ctc", "pocketsphinx"], lambda: loaded)
    assert [system.name for system in systems] == ["pocketsphinx"]
    assert "ctc: left out: timestamp_head ctc is trained with the model" in capsys.readouterr().out


def test_a_name_that_stands_for_nothing_is_refused(loaded):
    with pytest.raises(ValueError, match="head 'atention'; did you mean 'attention'"):
        head_systems(["atention"], lambda: loaded)
    with pytest.raises(ValueError, match="head 'ctc' needs a trained --model"):
        head_systems(["ctc"], None)


def test_heads_are_not_picked_on_what_is_timed(spoken, tmp_path):
    with pytest.raises(SystemExit, match="--pick_on .* is timed itself"):
        run(
            "time_words",
            ["--heads", "attention", "--decoded", f"{tmp_path}:{spoken}", "--pick_on", str(spoken)],
        )
