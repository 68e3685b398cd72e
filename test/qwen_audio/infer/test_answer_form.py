import pytest
import torch

from qwen_audio.infer.answer_form import Template, grammar_of
from qwen_audio.tags import SPECIAL_TOKENS, TIMES
from qwen_audio.task_fields import TEXT
from qwen_audio.task_spec import WORDS, load_tasks

SPECS = load_tasks()


def allowed(grammar, tokens, samples=16000):
    """Ids that may follow ``tokens``."""
    states = grammar.start(torch.tensor([samples]))
    for token in tokens:
        assert grammar.allowed(states)[0, token], f"{token} may not stand in {tokens}"
        states = grammar.advance(states, torch.tensor([token]))
    return set(grammar.allowed(states)[0].nonzero()[:, 0].tolist())


def test_plain_text_is_every_token_that_is_not_special_and_ends_once_there_is_one(tiny_tokenizer):
    special = {tiny_tokenizer.token_id(name) for name in SPECIAL_TOKENS}
    text = set(range(len(tiny_tokenizer))) - special
    grammar = grammar_of(SPECS["asr"], tiny_tokenizer)
    assert allowed(grammar, []) == text
    assert allowed(grammar, tiny_tokenizer.encode("hello there")) == text | {tiny_tokenizer.end}


def test_a_note_is_written_tag_by_tag_in_the_order_of_its_target(tiny_tokenizer):
    id_of, grammar = tiny_tokenizer.token_id, grammar_of(SPECS["mna"], tiny_tokenizer)
    begun = [
        id_of("<|pitch|>"),
        id_of("<|midi_pitch_60|>"),
        id_of("<|velocity|>"),
        id_of("<|midi_velocity_5|>"),
    ]
    assert allowed(grammar, []) == {begun[0]}
    assert allowed(grammar, begun[:1]) == {id_of(f"<|midi_pitch_{n}|>") for n in range(128)}
    assert allowed(grammar, begun[:2]) == {begun[2]}
    assert allowed(grammar, begun[:3]) == {id_of(f"<|midi_velocity_{n}|>") for n in range(128)}
    assert allowed(grammar, begun) == {id_of("<|instrument|>")}
    text = allowed(grammar_of(SPECS["asr"], tiny_tokenizer), [])
    assert allowed(grammar, [*begun, id_of("<|instrument|>")]) == text
    named = [*begun, id_of("<|instrument|>"), *tiny_tokenizer.encode("flute")]
    assert allowed(grammar, named) == text | {tiny_tokenizer.end, id_of("<|sonic|>")}
    assert allowed(grammar, [*named, id_of("<|sonic|>")]) == text
    assert allowed(grammar, [*named, id_of("<|sonic|>"), *named[-1:]]) == text | {tiny_tokenizer.end}


def test_text_in_the_middle_ends_at_the_next_tag(tiny_tokenizer):
    grammar = Template((TEXT, ("<|delim|>",), TEXT, ("<|sil|>",)), tiny_tokenizer)
    id_of = tiny_tokenizer.token_id
    word = tiny_tokenizer.encode("one")
    assert tiny_tokenizer.end not in allowed(grammar, word)
    assert id_of("<|delim|>") in allowed(grammar, word)
    second = allowed(grammar, [*word, id_of("<|delim|>"), *word])
    assert id_of("<|sil|>") in second and id_of("<|delim|>") not in second
    assert id_of("<|delim|>") not in allowed(grammar, [])
    assert allowed(grammar, [*word, id_of("<|delim|>"), *word, id_of("<|sil|>")]) == {tiny_tokenizer.end}


def test_texts_of_several_speakers_stand_between_delimiters(tiny_tokenizer):
    grammar, delim = grammar_of(SPECS["osr"], tiny_tokenizer), tiny_tokenizer.token_id("<|delim|>")
    word, end = tiny_tokenizer.encode("one"), tiny_tokenizer.end
    assert not {delim, end} & allowed(grammar, [])
    for said in (word, [*word, delim, *word], [*word, delim, *word, delim, *word]):
        assert {delim, end} < allowed(grammar, said)
        assert not {delim, end} & allowed(grammar, [*said, delim])


def test_an_entity_is_written_whole_or_none_is(tiny_tokenizer):
    grammar, id_of = grammar_of(SPECS["ser"], tiny_tokenizer), tiny_tokenizer.token_id
    text, end = set(allowed(grammar_of(SPECS["asr"], tiny_tokenizer), [])), tiny_tokenizer.end
    names = [f"<|{edge}ofentity{part}|>" for part in ("type", "value") for edge in ("start", "end")]
    begin_type, end_type, begin_value, end_value = map(id_of, names)
    none, word = tiny_tokenizer.encode("none"), tiny_tokenizer.encode("date")
    assert allowed(grammar, []) == {begin_type, none[0]}
    for count in range(1, len(none)):
        assert allowed(grammar, none[:count]) == {none[count]}
    assert allowed(grammar, none) == {end}
    assert allowed(grammar, [begin_type]) == text
    assert allowed(grammar, [begin_type, *word]) == text | {end_type}
    assert allowed(grammar, [begin_type, *word, end_type]) == {begin_value}
    assert allowed(grammar, [begin_type, *word, end_type, begin_value, *word]) == text | {end_value}
    one = [begin_type, *word, end_type, begin_value, *word, end_value]
    assert allowed(grammar, one) == allowed(grammar, one + one) == {begin_type, end}


@pytest.fixture
def turns(tiny_tokenizer):
    """The grammar of turns; the id of a time, the ids of times from one to another, in steps of 0.01 s."""

    def times(first, last):
        return {tiny_tokenizer.token_id(name) for name in TIMES[first : last + 1]}

    return grammar_of(SPECS["sd"], tiny_tokenizer), lambda t: tiny_tokenizer.token_id(TIMES[t]), times


def test_turns_may_overlap_but_begin_one_after_another_within_the_clip(tiny_tokenizer, turns):
    grammar, time, times = turns
    speaker, end, all_times = tiny_tokenizer.encode("1"), tiny_tokenizer.end, times(0, 3000)
    assert allowed(grammar, []) == times(0, 100) | set(tiny_tokenizer.encode("none")[:1])
    assert not allowed(grammar, [time(20)]) & {end, *all_times}
    assert allowed(grammar, [time(20), *speaker]) & all_times == times(20, 100)
    assert allowed(grammar, [time(20), *speaker, time(80)]) == times(20, 100) | {end}
    second = [time(20), *speaker, time(80), time(30), *speaker]
    assert allowed(grammar, second) & all_times == times(30, 100)


def test_a_turn_ends_where_its_times_together_are_likelier_than_more_text(tiny_tokenizer, turns):
    grammar, time, times = turns
    speaker = tiny_tokenizer.encode("1")
    states = grammar.start(torch.tensor([16000]))
    for token in (time(20), *speaker):
        states = grammar.advance(states, torch.tensor([token]))
    logprobs = torch.full((1, len(tiny_tokenizer)), -1e4)
    logprobs[0, speaker] = -1.0
    logprobs[0, [time(50), time(51)]] = -1.5  # together 0.446, more than 0.368
    assert grammar.mask(logprobs, states).argmax() in (time(50), time(51))
    logprobs[0, time(51)] = -1e4
    assert grammar.mask(logprobs, states)[0, speaker[0]] == -1.0


def test_of_an_answer_cut_short_whole_turns_are_kept(tiny_tokenizer, turns):
    grammar, time, _ = turns
    speaker = tiny_tokenizer.encode("1")
    whole = [time(20), *speaker, time(80)]
    assert grammar.close([*whole, time(90)]) == grammar.close([*whole, time(90), *speaker]) == whole
    assert grammar.close(whole[:-1]) == whole[:-1]  # none is whole: nothing better is known
    words = tiny_tokenizer.encode("go on")
    assert grammar_of(SPECS["asr"], tiny_tokenizer).close(words) == words


@pytest.mark.parametrize("task", [name for name, spec in SPECS.items() if spec.target != WORDS])
def test_whatever_the_decoder_wants_an_answer_that_ends_parses(task, tiny_tokenizer):
    grammar, draw = grammar_of(SPECS[task], tiny_tokenizer), torch.Generator().manual_seed(0)
    wanted = torch.zeros(len(tiny_tokenizer))
    wanted[sorted(allowed(grammar_of(SPECS["asr"], tiny_tokenizer), []))] = -50.0
    wanted[tiny_tokenizer.encode("abcdefg12345")] = 0.0  # text that is no white space
    samples = torch.tensor([3000, 16000, 50000, 123456] * 5)
    states, written = grammar.start(samples), [[] for _ in samples]
    for _ in range(40):
        scores = wanted + torch.rand(len(samples), len(tiny_tokenizer), generator=draw)
        tokens = grammar.mask(scores, states).argmax(1)
        for answer, token in zip(written, tokens.tolist(), strict=True):
            answer.append(token)
        states = grammar.advance(states, tokens)
    end = tiny_tokenizer.end
    ended = [tokens[: tokens.index(end)] for tokens in written if end in tokens]
    assert len(ended) > 2
    for tokens in ended:
        assert SPECS[task].parse(tiny_tokenizer.decode(tokens)) is not None, tiny_tokenizer.decode(tokens)


def test_every_target_that_a_task_writes_is_admitted(tiny_tokenizer):
    for spec in SPECS.values():
        grammar, row = grammar_of(spec, tiny_tokenizer), spec.sample()
        short = {name: value for name, value in row.items() if name not in spec.optional_fields}
        for example in (row, short):
            tokens = tiny_tokenizer.encode_pieces(spec.target_pieces(example))
            assert tiny_tokenizer.end in allowed(grammar, tokens, samples=480000), spec.name
