import dataclasses
import json
import os

import pytest
import soundfile
import torch

import qwen_audio.infer.decode as decode_module
from qwen_audio.audio import read_audio
from qwen_audio.cli import run
from qwen_audio.data.token_set import TokenSet
from qwen_audio.data.token_set_writer import TokenSetWriter
from qwen_audio.infer.answer_form import grammar_of
from qwen_audio.infer.clips import Clips
from qwen_audio.infer.decode import decode
from qwen_audio.infer.options import InferenceConfig
from qwen_audio.infer.requests import Request, batches, task_of
from qwen_audio.infer.search import SearchOptions
from qwen_audio.model_folder import export_model, weights_id
from qwen_audio.task_spec import load_tasks

SPECS = load_tasks()
CONFIG = InferenceConfig(max_new_tokens=10, batch_conf={"max_examples": 2, "max_seconds": 10.0})
EXAMPLES = [  # utt, task, fields
    ("b", "asr", {"audio_lang": "en", "text_lang": "en", "text": "go on"}),
    ("b", "asr", {"audio_lang": "en", "text_lang": "en", "text": "go on then"}),
    ("b", "lid", {"label": "English"}),
    ("c", "asr", {"audio_lang": "es", "text_lang": "es", "text": "vamos"}),
    ("a", "asr", {"audio_lang": "en", "text_lang": "en", "text": "stop"}),
    ("a", "lid", {"label": "English"}),
    ("e", "sec", {"label": "bell"}),
]


@pytest.fixture(scope="module")
def make_set(tiny_tokenizer, sounds, tmp_path_factory):
    """Function (examples) -> a tokenised set of the clips a, b, c, e."""

    def make(rows):
        folder = tmp_path_factory.mktemp("dump")
        examples = folder / "examples.jsonl"
        with TokenSetWriter(folder / "tokens" / "tiny_test") as writer, open(examples, "wb") as stream:
            audio = {}
            for utt, sound in zip("abce", sounds):
                soundfile.write(folder / f"{utt}.flac", sound, 16000)
                audio[utt] = writer.add_audio(utt, str(folder / f"{utt}.flac")), len(sound)
            for utt, task, fields in rows:
                row, line = {"utt": utt, "task": task, **fields}, stream.tell()
                stream.write((json.dumps(row) + "\n").encode())
                prompt = tiny_tokenizer.encode_pieces(SPECS[task].prompt_pieces(row))
                target = tiny_tokenizer.encode_pieces(SPECS[task].target_pieces(row))
                utt_row, samples = audio[utt]
                stream_name = SPECS[task].stream(row)
                writer.add(prompt, [*target, tiny_tokenizer.end], [], samples, stream_name, utt_row, line)
            meta = {"tokenizer": str(tiny_tokenizer.folder), "pad": tiny_tokenizer.pad}
            meta |= {
                "placeholder": tiny_tokenizer.placeholder,
                "examples": str(examples),
                "feats_type": "raw",
            }
            writer.close(meta)
        return TokenSet(folder / "tokens" / "tiny_test")

    return make


@pytest.fixture(scope="module")
def token_set(make_set):
    """asr, lid and sec examples; b has two transcripts."""
    return make_set(EXAMPLES)


def read_rows(folder):
    return [json.loads(line) for line in (folder / "hyp.jsonl").read_text().splitlines()]


@pytest.fixture
def decoded(loaded, token_set, tmp_path):
    summary = decode(loaded, token_set, tmp_path / "out", CONFIG, SPECS)
    return read_rows(tmp_path / "out"), summary


def test_each_utterance_task_and_language_is_decoded_once_and_sorted(decoded):
    rows, summary = decoded
    found = [(row["utt"], row["task"], row["audio_lang"], row["text_lang"]) for row in rows]
    english = ("en", "en")
    assert found == [
        ("a", "asr", *english), ("a", "lid", None, None), ("b", "asr", *english), ("b", "lid", None, None),
        ("c", "asr", "es", "es"),
    ]  # fmt: skip
    assert (summary["texts"], summary["utterances"], summary["by_task"]) == (5, 3, "asr 3, lid 2")


def test_seconds_and_counts_are_those_of_the_clips(decoded, sounds):
    rows, summary = decoded
    seconds = dict(zip("abce", (len(sound) / 16000 for sound in sounds)))
    assert {row["utt"]: row["seconds"] for row in rows} == {utt: seconds[utt] for utt in "abc"}
    assert summary["audio_seconds"] == pytest.approx(seconds["a"] + seconds["b"] + seconds["c"])
    assert summary["looped"] == sum(row["looped"] for row in rows)
    assert summary["real_time_factor"] == pytest.approx(summary["seconds"] / summary["audio_seconds"])


def test_a_row_holds_what_the_model_answers_to_the_clip_alone(decoded, loaded, token_set):
    by_key = {(row["utt"], row["task"]): row for row in decoded[0]}
    for number in range(len(token_set)):
        utt, task = token_set.utt_id(number), task_of(token_set.tasks[token_set.rows[number]["task"]])
        if task == "sec":
            continue
        wave = read_audio(token_set.audio_spec(number))
        prompt = token_set.text(number)[: token_set.rows[number]["prompt"]].tolist()
        clip = Clips(loaded, [torch.from_numpy(wave)], [len(wave)], [prompt])
        options = SearchOptions(max_new_tokens=10)
        answer = clip.answer([0], [prompt], grammar_of(SPECS[task], loaded.tokenizer), options)[0]
        row = by_key[utt, task]
        assert (row["hyp"], row["tokens"]) == (loaded.tokenizer.decode(answer.tokens), len(answer.tokens))
        assert row["logprob"] == pytest.approx(sum(answer.logprobs), abs=1e-3)


def test_the_log_probability_of_an_answer_has_no_length_bonus(decoded, loaded, token_set, tmp_path):
    """It is that of the tokens alone: EER ranks by it."""
    decode(loaded, token_set, tmp_path / "b", dataclasses.replace(CONFIG, length_bonus=0.5), SPECS, ["lid"])
    greedy = {row["utt"]: row["logprob"] for row in decoded[0] if row["task"] == "lid"}
    assert {row["utt"]: row["logprob"] for row in read_rows(tmp_path / "b")} == pytest.approx(
        greedy, abs=1e-3
    )


def test_a_task_the_model_does_not_know_is_left_out_unless_asked_for(loaded, token_set, tmp_path, capsys):
    decode(loaded, token_set, tmp_path / "out", CONFIG, SPECS)
    assert "not decoded, because the model was not trained on them: sec" in capsys.readouterr().out
    decode(loaded, token_set, tmp_path / "out", CONFIG, SPECS, ["sec"])
    assert [(row["utt"], row["task"]) for row in read_rows(tmp_path / "out")] == [("e", "sec")]


def test_an_unknown_task_names_the_nearest(loaded, token_set, tmp_path):
    with pytest.raises(ValueError, match="has no task 'ast'; did you mean 'asr'"):
        decode(loaded, token_set, tmp_path, CONFIG, SPECS, ["ast"])


def break_after(count, monkeypatch):
    """Let decoding stop after ``count`` texts."""
    real = decode_module._decode

    def broken(*args):
        for number, row in enumerate(real(*args)):
            if number == count:
                raise KeyboardInterrupt
            yield row

    monkeypatch.setattr(decode_module, "_decode", broken)


def test_after_a_break_only_the_rest_is_decoded_and_nothing_changes(loaded, token_set, tmp_path, monkeypatch):
    decode(loaded, token_set, tmp_path / "whole", CONFIG, SPECS)
    with monkeypatch.context() as patch:
        break_after(3, patch)
        with pytest.raises(KeyboardInterrupt):
            decode(loaded, token_set, tmp_path / "broken", CONFIG, SPECS)
    partial = tmp_path / "broken" / "hyp.partial.jsonl"
    assert not (tmp_path / "broken" / "hyp.jsonl").exists()
    partial.write_bytes(partial.read_bytes()[:-5])  # a kill within a line
    asked = []
    monkeypatch.setattr(
        decode_module,
        "_decode",
        lambda a, b, waiting, *rest: asked.extend(waiting) or real_decode(a, b, waiting, *rest),
    )
    decode(loaded, token_set, tmp_path / "broken", CONFIG, SPECS)
    assert len(asked) == 3
    assert read_rows(tmp_path / "broken") == read_rows(tmp_path / "whole")
    assert not partial.exists()


real_decode = decode_module._decode


def test_what_another_model_or_other_options_began_is_not_gone_on_with(
    loaded, token_set, tmp_path, monkeypatch
):
    with monkeypatch.context() as patch:
        break_after(3, patch)
        with pytest.raises(KeyboardInterrupt):
            decode(loaded, token_set, tmp_path, CONFIG, SPECS, label="one")
    asked = []
    monkeypatch.setattr(
        decode_module,
        "_decode",
        lambda a, b, waiting, *rest: asked.extend(waiting) or real_decode(a, b, waiting, *rest),
    )
    decode(loaded, token_set, tmp_path, CONFIG, SPECS, label="two")
    assert len(asked) == 5


def test_what_stands_there_whole_is_not_decoded_again(loaded, token_set, tmp_path, monkeypatch, capsys):
    out = tmp_path / "out"
    first = decode(loaded, token_set, out, CONFIG, SPECS, ["asr"], "one")
    asked = []
    monkeypatch.setattr(decode_module, "_decode", lambda a, b, waiting, *rest: asked.append(waiting) or ())
    assert decode(loaded, token_set, out, CONFIG, SPECS, ["asr"], "one") == first and asked == []
    assert "decoded before; to repeat it, remove " in capsys.readouterr().out
    other = dataclasses.replace(CONFIG, beam_size=3)
    for label, config, tasks in (("two", CONFIG, ["asr"]), ("one", other, ["asr"]), ("one", CONFIG, ["lid"])):
        with pytest.raises(KeyError):  # nothing is written by the patched function
            decode(loaded, token_set, out, config, SPECS, tasks, label)
        (out / "hyp.partial.jsonl").unlink()
    os.utime(token_set.folder / "meta.json")  # stage 2 ran again
    with pytest.raises(KeyError):
        decode(loaded, token_set, out, CONFIG, SPECS, ["asr"], "one")
    assert len(asked) == 4


def test_word_times_go_with_the_answers_that_they_stand_beside(loaded, token_set, tmp_path):
    times = tmp_path / "heads/ctc/hyp.jsonl"
    decode(loaded, token_set, tmp_path, CONFIG, SPECS, ["lid"], "one")
    times.parent.mkdir(parents=True)
    times.write_text("")
    decode(loaded, token_set, tmp_path, CONFIG, SPECS, ["lid"], "one")  # decoded before
    assert times.exists()
    decode(loaded, token_set, tmp_path, CONFIG, SPECS, ["lid"], "two")
    assert not times.parents[1].exists()


def test_a_set_of_another_tokenizer_is_refused(loaded, token_set, tmp_path, monkeypatch):
    monkeypatch.setitem(token_set.meta, "placeholder", 7)
    with pytest.raises(ValueError, match="not by the model's tokenizer"):
        decode(loaded, token_set, tmp_path, CONFIG, SPECS)


def test_the_command_decodes_a_folder_with_a_configuration(loaded, ctc_tokens, token_set, tmp_path, capsys):
    export_model(loaded.model, loaded.tokenizer, loaded.config, loaded.tasks, ctc_tokens, tmp_path / "run")
    (tmp_path / "decode.yaml").write_text("max_new_tokens: 10\nbeam_size: 2\nctc_weight: 0.3\n")
    arguments = ["--model", tmp_path / "run", "--sets", token_set.folder, "--output", tmp_path]
    run("decode", [*map(str, arguments), "--config", str(tmp_path / "decode.yaml"), "--format", "txt"])
    said = capsys.readouterr().out
    assert "5 texts (asr 3, lid 2) of 3 utterances" in said
    out = tmp_path / token_set.folder.name
    made = json.loads((out / "summary.json").read_text())["of"]
    assert made["model"] == weights_id(tmp_path / "run")
    searched = made["options"]["max_new_tokens"], made["options"]["beam_size"], made["options"]["ctc_weight"]
    assert searched == (10, 2, 0.3)
    rows = read_rows(out)
    assert len(rows) == 5
    spoken = {row["utt"]: row["hyp"].split() for row in rows if row["task"] == "asr" and row["hyp"].strip()}
    written = {path.stem: path.read_text().split() for path in (out / "asr").glob("*/*.txt")}
    assert written == spoken and f"{len(spoken)} files of words; {3 - len(spoken)} answers hold none" in said


def test_batches_hold_similar_lengths_whole_clips_and_no_more_than_they_may():
    lengths = {"u1": 5, "u2": 30, "u3": 6, "u4": 29, "u5": 7, "u6": 90}
    requests = [Request(utt, task, {}, "", 0, n) for utt, n in lengths.items() for task in ("asr", "lid")]
    found = [list(dict.fromkeys(r.utt for r in batch)) for batch in batches(requests, int, 3, 60.0, rate=1)]
    assert found == [["u6"], ["u2", "u4"], ["u5", "u3", "u1"]]
    assert sum(map(len, batches(requests, int, 3, 60.0, rate=1))) == len(requests)


OUTSIDE = """
from qwen_audio.timestamp.head import Aligner


class Tenths(Aligner):
    def times(self, clips, texts, languages):
        return [[(word, i / 10, (i + 1) / 10, 1.0) for i, word in enumerate(text.split())] for text in texts]
"""


def test_a_head_from_outside_times_the_words_that_were_transcribed(loaded, make_set, tmp_path, monkeypatch):
    (tmp_path / "my_heads.py").write_text(OUTSIDE)
    monkeypatch.syspath_prepend(tmp_path)
    english = {"audio_lang": "en", "text_lang": "en"}
    data = make_set([(utt, "srwt", {**english, "words": [[0.0, 0.1, "go"]]}) for utt in "ab"]
                    + [("b", "asr", {**english, "text": "go"})])  # fmt: skip
    config = {**loaded.config, "timestamp_head": "my_heads:Tenths", "timestamp_head_conf": {}}
    decode(dataclasses.replace(loaded, config=config), data, tmp_path / "out", CONFIG, SPECS)
    rows = {(row["utt"], row["task"]): row for row in read_rows(tmp_path / "out")}
    said = rows["b", "asr"]["hyp"].split()
    found = SPECS["srwt"].parse(rows["b", "srwt"]["hyp"])["words"]
    assert [word for _, _, word in found] == said and said
    assert [start for start, _, _ in found] == [pytest.approx(i / 10) for i in range(len(said))]
    assert ("a", "asr") not in rows and rows["a", "srwt"]["tokens"] > 0


def test_times_are_shared_where_the_model_writes_them_so(loaded, make_set, tmp_path):
    data = make_set([("a", "srwt", {"audio_lang": "en", "text_lang": "en", "words": [[0.0, 0.1, "go"]]})])
    config = {**loaded.config, "timestamp_head": "tokens", "timestamp_head_conf": {"shared": True}}
    decode(dataclasses.replace(loaded, config=config), data, tmp_path / "out", CONFIG, SPECS)
    (row,) = read_rows(tmp_path / "out")
    assert row["hyp"].startswith("<|0.00|>") and "|><|" not in row["hyp"].replace("<|sil|>", "word")
