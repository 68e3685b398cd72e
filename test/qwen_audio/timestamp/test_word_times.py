import hypothesis
import pytest
import torch
from hypothesis import strategies as st

from qwen_audio.infer.loops import looping
from qwen_audio.tags import TIMES, split_tags
from qwen_audio.task_spec import load_tasks
from qwen_audio.timestamp.word_times import WordTimes
from qwen_audio.words import SIL, parse_words

SRWT = load_tasks()["srwt"]
RELEASED = "<|0.00|><|sil|><|0.54|>面<|0.86|>条<|1.17|>"  # as the released model writes


@pytest.fixture(scope="module")
def grammar(tiny_tokenizer):
    return WordTimes(tiny_tokenizer)


@pytest.fixture(scope="module")
def shared(tiny_tokenizer):
    return WordTimes(tiny_tokenizer, shared=True)


@pytest.fixture(scope="module")
def grammars(grammar, shared):
    """That of times of each word's own, and that of shared ones."""
    return {"own": grammar, "shared": shared}


def ids_of(tokenizer, written):
    """Its tags as tokens, the rest as text."""
    return tokenizer.encode_pieces([(piece, piece.startswith("<|")) for piece in split_tags(written)])


def allowed_after(grammar, tokens, samples=16000):
    states = grammar.start(torch.tensor([samples]))
    for token in tokens:
        assert grammar.allowed(states)[0, token], f"{token} may not stand in {tokens}"
        states = grammar.advance(states, torch.tensor([token]))
    return set(grammar.allowed(states)[0].nonzero()[:, 0].tolist())


def times(tokenizer, first, last):
    """Ids of the times from ``first`` to ``last``, in steps of 0.01 s."""
    return {tokenizer.token_id(name) for name in TIMES[first : last + 1]}


def test_time_word_time_and_times_never_run_backwards(grammar, tiny_tokenizer):
    t, word = tiny_tokenizer.token_id, tiny_tokenizer.encode("go")
    end = tiny_tokenizer.end
    assert allowed_after(grammar, []) == times(tiny_tokenizer, 0, 99)
    first = allowed_after(grammar, [t("<|0.20|>")])
    assert set(word) <= first and end not in first and not first & times(tiny_tokenizer, 0, 3000)
    inside = allowed_after(grammar, [t("<|0.20|>"), *word])
    assert set(word) <= inside and end not in inside
    assert inside & times(tiny_tokenizer, 0, 3000) == times(tiny_tokenizer, 21, 100)  # a word takes 0.01 s
    done = [t("<|0.20|>"), *word, t("<|0.45|>")]
    assert allowed_after(grammar, done) == times(tiny_tokenizer, 45, 99) | {end}


@pytest.mark.parametrize(
    "samples, last", [(16000, 100), (16001, 101), (15999, 100), (160, 1), (480000, 3000), (600000, 3000)]
)
def test_no_time_is_past_the_clip_rounded_up_to_a_hundredth_of_a_second(
    grammar, tiny_tokenizer, samples, last
):
    assert allowed_after(grammar, [], samples) == times(tiny_tokenizer, 0, last - 1)  # a word begins earlier
    begun = [tiny_tokenizer.token_id("<|0.00|>"), *tiny_tokenizer.encode("go")]
    written = allowed_after(grammar, begun, samples) & times(tiny_tokenizer, 0, 3000)
    assert written == times(tiny_tokenizer, 1, last)


def test_no_word_begins_when_the_clip_is_over(grammar, tiny_tokenizer):
    t, word = tiny_tokenizer.token_id, tiny_tokenizer.encode("go")
    assert allowed_after(grammar, [t("<|0.20|>"), *word, t("<|1.00|>")]) == {tiny_tokenizer.end}


def test_a_word_does_not_begin_with_white_space_alone(grammar, tiny_tokenizer):
    start, space = tiny_tokenizer.token_id("<|0.00|>"), tiny_tokenizer.encode(" ")[0]
    assert space not in allowed_after(grammar, [start])
    assert space in allowed_after(grammar, [start, *tiny_tokenizer.encode("New")])


def test_the_released_way_is_admitted_token_by_token_and_read_rightly(shared, tiny_tokenizer):
    written = ids_of(tiny_tokenizer, RELEASED)
    after = allowed_after(shared, written, 32000)
    assert tiny_tokenizer.end in after and tiny_tokenizer.token_id("<|sil|>") in after
    spans = [[shared.seconds(written[place]) for place in span] for span in shared.split(written)]
    words = parse_words(tiny_tokenizer.decode(written))
    assert [pytest.approx(span) for span in spans] == [[0, 0.54], [0.54, 0.86], [0.86, 1.17]]
    assert words == [(0.0, 0.54, "<|sil|>"), (0.54, 0.86, "面"), (0.86, 1.17, "条")]
    assert SRWT.parse(RELEASED) == {"words": [[0.54, 0.86, "面"], [0.86, 1.17, "条"]]}


def test_shared_times_begin_at_zero_and_stand_between_words(shared, tiny_tokenizer):
    t, word, end = tiny_tokenizer.token_id, tiny_tokenizer.encode("go"), tiny_tokenizer.end
    every, sil = times(tiny_tokenizer, 0, 3000), t("<|sil|>")
    assert allowed_after(shared, []) == {t("<|0.00|>")}
    begun = allowed_after(shared, [t("<|0.00|>")])
    assert {sil, *word} <= begun and end not in begun and not begun & every
    quiet = [t("<|0.00|>"), sil]
    assert allowed_after(shared, quiet) == times(tiny_tokenizer, 1, 100)
    said = [*quiet, t("<|0.20|>"), *word]
    assert allowed_after(shared, said) & every == times(tiny_tokenizer, 21, 100)
    assert sil not in allowed_after(shared, said) and end not in allowed_after(shared, said)
    done = allowed_after(shared, [*said, t("<|0.45|>")])
    assert {sil, end, *word} <= done and not done & every
    assert allowed_after(shared, [*said, t("<|1.00|>")]) == {end}
    assert shared.close([*said, t("<|0.45|>"), *word]) == [*said, t("<|0.45|>")]


@pytest.mark.parametrize("kind", ["own", "shared"])
def test_whatever_the_decoder_wants_the_answer_parses(grammars, kind, tiny_tokenizer):
    grammar = grammars[kind]
    draw = torch.Generator().manual_seed(0)
    samples = torch.tensor([3000, 16000, 50000, 123456] * 5)
    states, written = grammar.start(samples), [[] for _ in samples]
    for _ in range(40):
        wish = torch.randn(len(samples), len(tiny_tokenizer), generator=draw) * 3
        wish[:, tiny_tokenizer.end] += 8
        wish[:, sorted(times(tiny_tokenizer, 0, 3000))] += 4
        wish[:, tiny_tokenizer.token_id(SIL)] += 6
        tokens = grammar.mask(wish.log_softmax(-1), states).argmax(1)
        states = grammar.advance(states, tokens)
        for row, token in zip(written, tokens.tolist()):
            if tiny_tokenizer.end not in row:
                row.append(token)
    for row, length in zip(written, samples.tolist()):
        row = row[:-1] if row[-1] == tiny_tokenizer.end else grammar.close(row)
        names = {tiny_tokenizer.token_id(name): float(name[2:-2]) for name in TIMES}
        spoken = [names[token] for token in row if token in names]
        assert spoken == sorted(spoken) and spoken[-1] <= length / 16000 + 0.01
        words = parse_words(tiny_tokenizer.decode(row))
        if kind == "shared":
            assert spoken[0] == 0 and [word[:2] for word in words] == list(zip(spoken, spoken[1:]))
        else:
            assert [word[:2] for word in words] == list(zip(spoken[::2], spoken[1::2], strict=True))
            assert SRWT.parse(tiny_tokenizer.decode(row)) is not None
    assert any(tiny_tokenizer.token_id(SIL) in row for row in written) == (kind == "shared")


@hypothesis.example([20, "go", "<|0.15|>", "go", 40], 9600)
@hypothesis.given(
    st.lists(st.sampled_from(["<|0.15|>", "go", "知", " "]) | st.integers(0, 61)), st.integers(1, 9600)
)
@pytest.mark.parametrize("kind", ["own", "shared"])
def test_not_even_letters_that_spell_a_time_make_an_answer_malformed(
    grammars, kind, tiny_tokenizer, wishes, samples
):
    grammar = grammars[kind]
    states, written = grammar.start(torch.tensor([samples])), []
    for wish in wishes:
        letters = [] if isinstance(wish, int) else [tiny_tokenizer.encode(letter) for letter in wish]
        for token in sum(letters, []) or [tiny_tokenizer.token_id([*TIMES[:61], SIL][wish])]:
            if grammar.allowed(states)[0, token]:
                states = grammar.advance(states, torch.tensor([token]))
                written.append(token)
    kept = grammar.close(written)
    spans = [(grammar.seconds(kept[start]), grammar.seconds(kept[end])) for start, end in grammar.split(kept)]
    found = parse_words(tiny_tokenizer.decode(kept)) or []
    assert [word[:2] for word in found] == [pytest.approx(span) for span in spans]
    assert all(0 <= start < end <= samples / 16000 + 0.01 for start, end in spans)
    assert all(before[1] <= after[0] for before, after in zip(spans, spans[1:]))


def test_an_answer_cut_short_keeps_its_whole_words(grammar, tiny_tokenizer):
    t, word = tiny_tokenizer.token_id, tiny_tokenizer.encode("go")
    whole = [t("<|0.20|>"), *word, t("<|0.45|>")]
    for rest in ([], [t("<|0.50|>")], [t("<|0.50|>"), *word]):
        assert grammar.close([*whole, *rest]) == whole
    assert grammar.close([t("<|0.50|>"), *word]) == []


def test_many_likely_times_win_against_one_likelier_token(grammar, tiny_tokenizer):
    t, word = tiny_tokenizer.token_id, tiny_tokenizer.encode("go")
    states = grammar.start(torch.tensor([16000]))
    for token in (t("<|0.20|>"), *word):
        states = grammar.advance(states, torch.tensor([token]))
    chances = torch.full((1, len(tiny_tokenizer)), 1e-9)
    chances[0, word[0]] = 0.4
    for name, chance in (("<|0.44|>", 0.2), ("<|0.45|>", 0.22), ("<|0.46|>", 0.15)):
        chances[0, t(name)] = chance
    assert grammar.mask(chances.log(), states).argmax() == t("<|0.45|>")
    chances[0, word[0]] = 0.6
    assert grammar.mask(chances.log(), states).argmax() == word[0]


def test_the_time_written_is_the_median_of_the_times_and_has_the_chance_of_all(grammar, tiny_tokenizer):
    t = tiny_tokenizer.token_id
    chances = torch.full((1, len(tiny_tokenizer)), 1e-12)
    for name, chance in (("<|0.30|>", 0.24), ("<|0.44|>", 0.2), ("<|0.45|>", 0.2), ("<|0.46|>", 0.16)):
        chances[0, t(name)] = chance
    masked = grammar.mask(chances.log(), grammar.start(torch.tensor([16000])))
    assert masked.argmax() == t("<|0.44|>") and masked.max().exp().item() == pytest.approx(0.8)
    assert (masked > -torch.inf).sum() == 1


def test_words_with_new_times_each_round_are_still_a_loop(grammar, tiny_tokenizer):
    t, word = tiny_tokenizer.token_id, tiny_tokenizer.encode("go")
    rounds = [[t(TIMES[20 * n]), *word, t(TIMES[20 * n + 10])] for n in range(12)]
    assert looping(grammar.alias[torch.tensor(sum(rounds, []))])


@pytest.mark.parametrize("letters, often", [(1, 11), (2, 5), (3, 3)])
def test_a_word_may_be_said_as_often_as_in_plain_text(grammars, tiny_tokenizer, letters, often):
    t, word = tiny_tokenizer.token_id, sum(map(tiny_tokenizer.encode, "abc"[:letters]), [])
    assert len(word) == letters
    written = {
        "plain": word,
        "own": [t("<|0.20|>"), *word, t("<|0.40|>")],
        "shared": [*word, t("<|0.40|>")],
    }
    alias = {"plain": torch.arange(len(tiny_tokenizer))} | {k: g.alias for k, g in grammars.items()}
    for kind, tokens in written.items():
        said = [bool(looping(alias[kind][torch.tensor(tokens * count)])) for count in (often, often + 1)]
        assert said == [False, True], kind
