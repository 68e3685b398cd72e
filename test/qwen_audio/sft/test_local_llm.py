import pytest

from qwen_audio.sft.completion import Refused
from qwen_audio.sft.local_llm import LocalLLM

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
    import torch

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
