import json
from pathlib import Path

import numpy as np
import pytest
import soundfile

from qwen_audio.cli import run
from qwen_audio.infer.answer_form import grammar_of
from qwen_audio.infer.clips import Clips
from qwen_audio.infer.load import LoadedModel
from qwen_audio.infer.options import InferenceConfig
from qwen_audio.infer.search import SearchOptions
from qwen_audio.infer.time_words import make_batches, read_clips, time_words
from qwen_audio.infer.word_systems import Clip, head_systems
from qwen_audio.task_spec import load_tasks
from qwen_audio.timestamp.attention import Attention
from qwen_audio.timestamp.pick_heads import aas
from qwen_audio.timestamp.pick_heads import read_clips as read_known
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
    found = [[clip.utt for clip in batch.clips] for batch in make_batches(clips)]
    assert found == [["0", "4", "3", "2"], ["5", "1"]]
    clips.append(Clip("6", "srwt", "", 16000 * 30, "en", "x"))
    assert [len(batch.clips) for batch in make_batches(clips)] == [4, 1, 2]


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


@pytest.fixture
def five(sounds, tmp_path):
    """Function (what the model said, by utterance) -> the clips u0 to u4."""
    examples = [timed(f"u{n}", [[0.0, 0.1, word] for word in ("please", "leave")]) for n in range(5)]
    dump = make_dump(tmp_path / "dump", examples, {f"u{n}": sound for n, sound in enumerate(sounds)})
    return lambda said=None: read_clips(dump, {(utt, "en"): text for utt, text in (said or {}).items()})


def said_in(path):
    rows = [row for row in rows_of(path / "hyp.jsonl") if row["text"] == "decoded"]
    return {row["utt"]: [word for _, _, word in parse_words(row["hyp"]) or []] for row in rows}


def test_words_that_the_model_decoded_before_are_not_decoded_again(loaded, five, tmp_path, monkeypatch):
    written = []
    whole = Attention.transcribe

    def transcribe(self, clips, which, languages):
        written.extend(which)
        return whole(self, clips, which, languages)

    monkeypatch.setattr(Attention, "transcribe", transcribe)
    time_words(five(), tmp_path / "fresh", head_systems(["attention"], lambda: loaded))
    assert len(written) == 5
    said = {"u0": "please wait", "u1": "", "u2": "the dog", "u3": "one two", "u4": "a tone"}
    time_words(five(said), tmp_path / "known", head_systems(["attention"], lambda: loaded))
    assert len(written) == 5 and said_in(tmp_path / "known/attention") == {
        u: t.split() for u, t in said.items()
    }
    time_words(five({"u0": "please wait"}), tmp_path / "some", head_systems(["attention"], lambda: loaded))
    expected = said_in(tmp_path / "fresh/attention") | {"u0": ["please", "wait"]}
    assert len(written) == 9 and said_in(tmp_path / "some/attention") == expected


def test_the_heads_of_a_model_share_what_it_heard_and_wrote(loaded, five, tmp_path, monkeypatch):
    heard, answered = [], []
    hear, answer = LoadedModel.hear, Clips.answer
    monkeypatch.setattr(
        LoadedModel, "hear", lambda self, clips: heard.append(len(clips)) or hear(self, clips)
    )
    monkeypatch.setattr(
        Clips, "answer", lambda self, which, *rest: answered.append(len(which)) or answer(self, which, *rest)
    )
    outside = f"{__name__}:Other"
    systems = head_systems(["attention", outside, "tokens"], lambda: loaded)
    assert time_words(five(), tmp_path / "heads", systems) == {"attention": 5, outside: 5, "tokens": 5}
    assert heard == [5] and answered == [5, 5]  # transcripts, and the words with times of the head tokens
    both = [said_in(tmp_path / "heads" / name) for name in ("attention", outside)]
    assert both[0] == both[1] and any(both[0].values())


class Other(Attention):
    pass


def test_the_words_are_searched_as_the_configuration_says(loaded, five, sounds, tmp_path):
    asked = InferenceConfig(
        tasks={"asr": {"beam_size": 2, "max_new_tokens": 2}, "srwt": {"max_new_tokens": 3}}
    )
    systems = head_systems(["attention", "tokens"], lambda: loaded, search=asked)
    time_words(five(), tmp_path / "heads", systems)
    head, languages = Attention(), ["en"] * 5
    grammar = grammar_of(load_tasks()["asr"], loaded.tokenizer)
    options = SearchOptions(beam_size=2, max_new_tokens=2)
    answers = head.hear(loaded, sounds, languages).answer(
        list(range(5)), head.prompts(loaded, languages), grammar, options
    )
    expected = {f"u{n}": loaded.tokenizer.decode(answer.tokens).split() for n, answer in enumerate(answers)}
    assert said_in(tmp_path / "heads/attention") == expected and any(expected.values())
    assert max(map(len, said_in(tmp_path / "heads/tokens").values())) == 1


def test_a_head_that_the_model_cannot_give_is_told_and_left_out(loaded, capsys):
    systems = head_systems(["ctc", "pocketsphinx"], lambda: loaded)
    assert [system.name for system in systems] == ["pocketsphinx"]
    assert "ctc: left out: timestamp_head ctc is trained with the model" in capsys.readouterr().out


def test_a_name_that_stands_for_nothing_is_refused(loaded):
    with pytest.raises(ValueError, match="head 'atention'; did you mean 'attention'"):
        head_systems(["atention"], lambda: loaded)
    with pytest.raises(ValueError, match="head 'ctc' needs a trained --model"):
        head_systems(["ctc"], None)


def test_picked_heads_are_shifted_as_they_were_when_they_were_picked(loaded, sounds, tmp_path, monkeypatch):
    """All words stand 5 s late: whatever heads are picked, their best shift is far from none."""
    examples = [timed(f"u{n}", [[5.0, 5.1, "please"], [5.1, 5.2, "leave"]]) for n in range(5)]
    dump = make_dump(tmp_path / "dump", examples, {f"u{n}": sound for n, sound in enumerate(sounds)})
    asked, make = {}, LoadedModel.timestamp_head
    monkeypatch.setattr(
        LoadedModel,
        "timestamp_head",
        lambda *args, **options: asked.update(options) or make(*args, **options),
    )
    head_systems(["attention"], lambda: loaded, pick_on=dump)
    heads = [layer * loaded.model.decoder.num_heads + head for layer, head in asked["heads"]]
    assert asked["shift"] == aas(read_known(loaded, dump, "srwt", Attention()), heads)[1] > 3


def test_heads_are_not_picked_on_what_is_timed(spoken, tmp_path):
    with pytest.raises(SystemExit, match="--pick_on .* is timed itself"):
        run(
            "time_words",
            ["--heads", "attention", "--decoded", f"{tmp_path}:{spoken}", "--pick_on", str(spoken)],
        )
