import json

import pytest

from qwen_audio.score.word_times import score_word_times, table

WHERE = {"model": "pretrain_s", "stage": "pretrain", "set": "x_test"}
LANGS = {"audio_lang": "en", "text_lang": "en"}
WORDS = {"a": [[0.5, 1.0, "Red"], [1.0, 1.5, "cat."]], "b": [[0.0, 2.0, "Dogs"]]}


def write_rows(path, rows):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


def answer(utt, hyp, text="decoded", **changed):
    return {"utt": utt, "task": "srwt", **LANGS, "text": text, "hyp": hyp} | changed


@pytest.fixture
def found(tmp_path):
    """Score what heads wrote of two clips of 2 s: function (head -> rows, words, **keys of the examples) -> rows."""

    def score(heads, words=WORDS, **more):
        examples = [
            {"utt": utt, "task": "srwt", **LANGS, "words": said} | more for utt, said in words.items()
        ]
        write_rows(
            tmp_path / "dump/examples.jsonl", [{"utt": "a", "task": "lid", "label": "English"}, *examples]
        )
        (tmp_path / "dump/utt2num_samples").write_text("a 32000\nb 32000\n")
        for head, rows in heads.items():
            write_rows(tmp_path / "decode/heads" / head / "hyp.jsonl", rows)
        return score_word_times(tmp_path / "decode", tmp_path / "dump", WHERE)

    return score


def of(rows, head, text, protocol):
    (row,) = [row for row in rows if (row["head"], row["text"], row["protocol"]) == (head, text, protocol)]
    return row


def test_words_are_matched_without_case_and_marks_and_silences_counted_apart(found):
    hyps = [answer("a", "<|0.400|>red<|1.000|><|1.000|>cat<|1.700|>"), answer("b", "<|0.000|>dogs<|2.000|>")]
    rows = found({"ctc": hyps})
    bare, full = (of(rows, "ctc", "decoded", protocol) for protocol in ("no_sil", "sil"))
    assert bare["score"] == pytest.approx(1000 * (0.1 + 0.2) / 3)  # three words
    # and the silences at both ends of a
    assert full["score"] == pytest.approx(1000 * (0.1 + 0.2 + 0.1 + 0.2) / 5)
    assert (bare["parts"]["matched_share"], bare["parts"]["wer"], bare["count"]) == (1, 0, 2)


def test_a_silence_that_was_not_found_is_not_matched(found):
    hyps = [answer("a", "<|0.000|>red<|1.000|><|1.000|>cat<|2.000|>"), answer("b", "<|0.000|>dogs<|2.000|>")]
    row = of(found({"attention": hyps}), "attention", "decoded", "sil")
    assert row["parts"]["matched_share"] == 3 / 5


def test_heads_that_were_given_the_words_are_compared_on_the_clips_that_all_timed(found):
    both = [
        answer("a", "<|0.600|>Red<|1.000|><|1.000|>cat.<|1.500|>", "given"),
        answer("b", "<|0.0|>Dogs<|1.0|>", "given"),
    ]
    rows = found({"ctc": both, "pocketsphinx": both[:1]})
    assert [row["count"] for row in rows] == [1] * 6
    assert of(rows, "ctc", "given", "no_sil")["score"] == pytest.approx(50)
    assert of(rows, "even_spacing", "given", "no_sil")["score"] == pytest.approx(
        1000 * (0.5 + 0 + 0 + 0.5) / 2
    )


def test_a_word_that_is_not_the_references_has_no_time_to_compare(found):
    said = [answer("a", "<|0.50|>Red<|1.00|><|1.00|>cat.<|1.50|>"), answer("b", "<|0.00|>Cats<|2.00|>")]
    row = of(found({"tokens": said}), "tokens", "decoded", "no_sil")
    assert (row["score"], row["parts"]["matched_share"], row["parts"]["wer"]) == (0, 2 / 3, 1 / 3)


@pytest.mark.parametrize("text", ["decoded", "given"])
def test_times_of_a_clip_that_the_set_no_longer_has_are_an_error_that_names_it(found, text):
    rows = [answer(utt, "<|0.00|>Dogs<|2.00|>", text) for utt in ("b", "gone")]
    with pytest.raises(ValueError, match=r"heads/ctc/hyp.jsonl: 1 utterance \(gone\) without word times in"):
        found({"ctc": rows})


@pytest.mark.parametrize("text, heads", [("decoded", ["ctc"]), ("given", ["ctc", "even_spacing"])])
def test_a_clip_whose_reference_is_marks_alone_is_left_out_and_counted(found, text, heads):
    marks = {"a": [[0.5, 1.0, "…"]]}
    said = [answer("a", "<|0.50|>Red<|1.00|>", text), answer("b", "<|0.00|>dogs<|2.00|>", text)]
    rows = found({"ctc": said}, marks | {"b": [[0.0, 2.0, "Dogs"]]})
    assert [row["head"] for row in rows] == [head for head in heads for _ in ("no_sil", "sil")]
    assert {(row["score"], row["count"], row["parts"]["empty_references"]) for row in rows} == {(0, 1, 1)}
    assert found({"ctc": said[:1]}, marks) == []


def test_an_aligner_is_not_scored_against_its_own_times(found):
    given = [answer("a", "<|0.50|>Red<|1.00|><|1.00|>cat.<|1.50|>", "given")]
    rows = found({"pocketsphinx": given, "ctc": given}, aligner="pocketsphinx")
    assert {row["head"] for row in rows} == {"ctc", "even_spacing"}


def test_the_table_puts_the_nearest_times_of_a_set_first(found):
    near, far = ([answer("b", f"<|{start}|>dogs<|2.0|>")] for start in ("0.1", "0.3"))
    lines = table(found({"a_far": far, "b_near": near, "c_none": [answer("b", "")]}))
    assert [line[3] for line in lines] == ["b_near", "a_far", "c_none"]
    assert lines[0] == [
        "x_test",
        "en",
        "decoded",
        "b_near",
        "100",
        "–",
        "100",
        "100%",
        "100%",
        "0.0%",
        1,
    ]
    assert lines[2][4:] == ["–", "–", "–", "0%", "0%", "100.0%", 1]
