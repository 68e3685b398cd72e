"""An LLM in a Hugging Face folder, asked as an endpoint is."""

import torch

from qwen_audio.chat.chatml import END, TEMPLATE
from qwen_audio.interop.llm import load_llm, read_tokenizer, speaks_chatml
from qwen_audio.sft.completion import Refused, Request


class LocalLLM:
    """Loads an instruction-tuned model with its chat template.

    Args:
        model: folder or hub name.
        device: ``cpu``, ``cuda`` or ``cuda:N``.

    Raises:
        ValueError: the model cannot be read, or its tokenizer has no chat template.
    """

    def __init__(self, model: str, device: str = "cpu"):
        try:
            self.tokenizer = read_tokenizer(model)
            self.model = load_llm(model).eval().to(device)
            if speaks_chatml(model):
                ends = self.tokenizer.convert_tokens_to_ids([END, self.tokenizer.eos_token])
                self.model.generation_config.eos_token_id = ends
                self.tokenizer.chat_template, self.tokenizer.eos_token = TEMPLATE, END
        except (OSError, ValueError) as error:
            fault = " ".join(str(error).split())
            raise ValueError(
                f"--model {model!r} is no Hugging Face model: {fault}; for an endpoint add --endpoint"
            ) from None
        if not self.tokenizer.chat_template:
            raise ValueError(f"--model {model!r} has no chat template; take an instruction-tuned model")

    @torch.inference_mode()
    def __call__(self, request: Request) -> str:
        """Sampled with the request's seed and temperature. Raises: Refused, where it wrote nothing or too much."""
        prompt = self.tokenizer.apply_chat_template(
            request["messages"], add_generation_prompt=True, return_tensors="pt", return_dict=True
        )
        with torch.random.fork_rng():
            torch.manual_seed(request["seed"])
            out = self.model.generate(
                **prompt.to(self.model.device),
                do_sample=True,
                temperature=request["temperature"],
                max_new_tokens=request["max_tokens"],
                pad_token_id=self.tokenizer.pad_token_id or self.tokenizer.eos_token_id,
            )
        ids = out[0, prompt["input_ids"].shape[1] :]
        text = self.tokenizer.decode(ids, skip_special_tokens=True).strip()
        if not text:
            raise Refused("no completion: the text is empty")
        if len(ids) == request["max_tokens"] and ids[-1] != self.tokenizer.eos_token_id:
            raise Refused("cut off: by max_tokens")
        return text
