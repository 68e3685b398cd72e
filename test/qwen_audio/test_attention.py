import pytest
import torch
from torch import nn
from transformers import LlamaConfig, LlamaForCausalLM

from qwen_audio import attention
from qwen_audio.attention import GROUPED, use_grouped_attention


@pytest.fixture
def lm():
    """A LLaMA of 6 query heads on 2 key heads."""
    torch.manual_seed(0)
    shape = {"num_attention_heads": 6, "num_key_value_heads": 2, "num_hidden_layers": 2}
    return LlamaForCausalLM(LlamaConfig(vocab_size=50, hidden_size=48, intermediate_size=64, **shape)).eval()


@torch.inference_mode()
def read(lm):
    """Hidden states of texts of 5 and 3 tokens, and of two tokens read after them one by one."""
    mask = torch.tensor([[1, 1, 1, 1, 1], [1, 1, 1, 0, 0]])
    ids = torch.arange(10).view(2, 5)
    out = lm.model(ids, attention_mask=mask, use_cache=True)
    found = [out.last_hidden_state[0], out.last_hidden_state[1, :3]]
    for step in (1, 2):
        mask = nn.functional.pad(mask, (0, 1), value=1)
        places = torch.tensor([[4 + step], [2 + step]])
        ids = torch.tensor([[20 + step], [30 + step]])
        out = lm.model(ids, attention_mask=mask, position_ids=places, past_key_values=out.past_key_values)
        found.append(out.last_hidden_state)
    return found


def test_grouped_attention_gives_what_the_plain_one_gives(lm, monkeypatch):
    plain, calls = read(lm), []
    use_grouped_attention(lm)
    usual = attention.sdpa_attention_forward
    monkeypatch.setattr(
        attention, "sdpa_attention_forward", lambda *args, **rest: calls.append(1) or usual(*args, **rest)
    )
    torch.testing.assert_close(read(lm), plain, atol=1e-5, rtol=1e-5)
    assert len(calls) == 2  # of 6: each layer's first reading


def test_a_model_whose_attention_was_chosen_otherwise_keeps_it(lm):
    lm.set_attn_implementation("eager")
    use_grouped_attention(lm)
    assert lm.config._attn_implementation == "eager" != GROUPED
