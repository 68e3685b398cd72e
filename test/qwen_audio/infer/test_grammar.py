import torch

from qwen_audio.infer.grammar import Template, grammar_of
from qwen_audio.tags import SPECIAL_TOKENS
from qwen_audio.task_spec import load_tasks

SPECS = load_tasks()


def allowed(grammar, tokens):
    """Ids that may follow ``tokens``."""
    states = grammar.start(torch.tensor([16000]))
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
    assert allowed(grammar, named) == text | {tiny_tokenizer.end}


def test_text_in_the_middle_ends_at_the_next_tag(tiny_tokenizer):
    grammar, id_of = Template("{a}<|delim|>{b}<|sil|>", tiny_tokenizer), tiny_tokenizer.token_id
    word = tiny_tokenizer.encode("one")
    assert tiny_tokenizer.end not in allowed(grammar, word)
    assert id_of("<|delim|>") in allowed(grammar, word)
    second = allowed(grammar, [*word, id_of("<|delim|>"), *word])
    assert id_of("<|sil|>") in second and id_of("<|delim|>") not in second
    assert id_of("<|delim|>") not in allowed(grammar, [])
    assert allowed(grammar, [*word, id_of("<|delim|>"), *word, id_of("<|sil|>")]) == {tiny_tokenizer.end}


def test_every_target_that_a_task_writes_is_admitted(tiny_tokenizer):
    row = {
        "audio_lang": "en", "text_lang": "en", "text": "go on", "label": "old one", "instrument": "flute",
        "pitch": 60, "velocity": 100, "words": [[0.1, 0.35, "go"], [0.35, 1.0, "on"]],
    }  # fmt: skip
    for spec in SPECS.values():
        if all(name in row for name in spec.fields):
            tokens = tiny_tokenizer.encode_pieces(spec.target_pieces(row))
            assert tiny_tokenizer.end in allowed(grammar_of(spec, tiny_tokenizer), tokens), spec.name
