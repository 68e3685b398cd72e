import pytest
import torch

from qwen_audio.chat.free_text import FreeText
from qwen_audio.tags import TIMES


@pytest.fixture(scope="module")
def grammar(tiny_tokenizer):
    return FreeText(tiny_tokenizer, tiny_tokenizer.token_id("<|im_end|>"))


def test_an_answer_is_text_and_has_at_least_one_token(grammar, tiny_tokenizer):
    special = set(tiny_tokenizer.special_ids())
    state = grammar.start(torch.tensor([0]))
    text = {id for id in range(len(tiny_tokenizer)) if id not in special}
    assert set(grammar.allowed(state)[0].nonzero()[:, 0].tolist()) == text
    state = grammar.advance(state, torch.tensor([50]))
    assert set(grammar.allowed(state)[0].nonzero()[:, 0].tolist()) == text | {
        tiny_tokenizer.token_id("<|im_end|>")
    }


def test_times_are_allowed_where_the_model_was_tuned_on_answers_that_hold_them(
    grammar, tiny_tokenizer, timed_tokenizer
):
    state = grammar.start(torch.tensor([0]))
    timed = FreeText(timed_tokenizer, timed_tokenizer.token_id("<|im_end|>"))
    more = timed.allowed(state)[0] & ~grammar.allowed(state)[0]
    assert more.nonzero()[:, 0].tolist() == sorted(map(tiny_tokenizer.token_id, TIMES))
    assert (timed.allowed(state)[0] | ~grammar.allowed(state)[0]).all()


def test_the_end_of_text_counts_as_the_end_of_an_answer(grammar, tiny_tokenizer):
    chances = torch.full((1, len(tiny_tokenizer)), 1e-9)
    end, end_of_text = tiny_tokenizer.token_id("<|im_end|>"), tiny_tokenizer.end
    chances[0, [end, end_of_text, 50]] = torch.tensor([0.1, 0.5, 0.4])
    masked = grammar.mask(chances.log(), torch.tensor([[1]])).exp()
    assert masked[0, [end, end_of_text, 50]].tolist() == pytest.approx([0.6, 0.0, 0.4])
