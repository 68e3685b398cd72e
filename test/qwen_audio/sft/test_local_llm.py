import json
import sys
from pathlib import Path

import pytest
import torch

sys.path.insert(0, str(Path(__file__).parents[1] / "interop"))
import qwen_layouts as layouts

from qwen_audio.chat.chatml import answer_head, encode_dialogue
from qwen_audio.data.dialogue import Message, Text
from qwen_audio.sft.completion import Refused
from qwen_audio.sft.local_llm import LocalLLM
from qwen_audio.tokenizer import Tokenizer, build_from_hub

REQUEST = {
    "messages": [{"role": "user", "content": "the dog"}],
    "seed": 3,
    "temperature": 1.0,
    "max_tokens": 4,
}


def asked(llm, **changes):
    try:
        return llm(REQUEST | changes)
    except Refused as refused:
        return str(refused)


def test_a_random_model_is_cut_off_and_says_so(tiny_llm):
    with pytest.raises(Refused, match="cut off: by max_tokens"):
        LocalLLM(str(tiny_llm))(REQUEST)


def test_the_seed_of_a_request_decides_and_the_random_state_outside_stays(tiny_llm):
    llm = LocalLLM(str(tiny_llm))
    texts = []
    llm.tokenizer.decode = lambda ids, **options: texts.append(ids.tolist()) or "text"
    state = torch.get_rng_state()
    for seed in (3, 3, 4):
        asked(llm, seed=seed)
    assert texts[0] == texts[1] != texts[2]
    assert torch.equal(torch.get_rng_state(), state)


def test_the_model_runs_on_the_device_that_is_named(tiny_llm):
    assert LocalLLM(str(tiny_llm)).model.device.type == "cpu"
    assert LocalLLM(str(tiny_llm), "meta").model.device.type == "meta"


def test_a_folder_without_a_model_is_named(tmp_path):
    with pytest.raises(ValueError, match="is no Hugging Face model.*for an endpoint add --endpoint"):
        LocalLLM(str(tmp_path))


def test_a_model_without_a_chat_template_is_named(tiny_llm, tmp_path):
    import shutil

    folder = tmp_path / "llm"
    shutil.copytree(tiny_llm, folder)
    (folder / "chat_template.jinja").unlink()
    with pytest.raises(ValueError, match="has no chat template; take an instruction-tuned model"):
        LocalLLM(str(folder))


def write_first_generation(folder, tiny_llm, chat_format):
    ranks = layouts.ranks_of(tiny_llm)
    layouts.write_checkpoint(folder, ranks, 208, audio=False, dtype=torch.bfloat16)
    (folder / "generation_config.json").write_text(json.dumps({"chat_format": chat_format}))


def test_a_chat_model_of_the_first_generation_reads_chatml_in_its_stored_type(tiny_llm, tmp_path):
    write_first_generation(tmp_path / "chat", tiny_llm, "chatml")
    llm = LocalLLM(str(tmp_path / "chat"))
    assert llm.model.dtype == torch.bfloat16
    build_from_hub(str(tmp_path / "chat"), tmp_path / "tokenizer")
    tokenizer = Tokenizer(tmp_path / "tokenizer")
    for roles in (["user"], ["system", "user", "assistant", "user"]):
        turns = [{"role": role, "content": f"the {role}\nspeaks"} for role in roles]
        found = llm.tokenizer.apply_chat_template(turns, add_generation_prompt=True, return_dict=True)
        messages = [Message(turn["role"], (Text(turn["content"]),)) for turn in turns]
        assert found["input_ids"] == encode_dialogue(messages, tokenizer).ids + answer_head(tokenizer)


def test_its_answer_ends_with_its_turn(tiny_llm, tmp_path):
    write_first_generation(tmp_path / "chat", tiny_llm, "chatml")
    llm = LocalLLM(str(tmp_path / "chat"))
    end = llm.tokenizer.convert_tokens_to_ids("<|im_end|>")
    head, word = (
        torch.nn.Linear(layouts.WIDTH, llm.model.config.vocab_size),
        llm.tokenizer("dog").input_ids[0],
    )
    with torch.no_grad():
        head.weight.zero_()
        head.bias.fill_(-1e4)
        head.bias[[word, end]] = 0.0  # as likely as each other
    llm.model.lm_head = head.to(torch.bfloat16)
    text = llm(REQUEST | {"max_tokens": 200})
    assert text and set(text) == set(llm.tokenizer.decode([word]))


def test_a_model_of_the_first_generation_that_was_not_tuned_for_chat_is_named(tiny_llm, tmp_path):
    write_first_generation(tmp_path / "base", tiny_llm, "raw")
    with pytest.raises(ValueError, match="has no chat template; take an instruction-tuned model"):
        LocalLLM(str(tmp_path / "base"))
