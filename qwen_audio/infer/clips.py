"""A batch of clips, encoded and read by the decoder once, then asked any number of prompts."""

from dataclasses import replace

import torch
from torch import Tensor

from qwen_audio.infer.grammar import Grammar
from qwen_audio.infer.load import LoadedModel
from qwen_audio.infer.prefix import Prefix
from qwen_audio.infer.search import CtcVocabulary, Hypothesis, SearchOptions, search


def encoded_samples(model, samples: int) -> int:
    """Length that a clip of so many samples has when it is encoded: with the silence of ``encoder_conf.pad_to``."""
    pad = getattr(model.frontend, "pad_to", None) or 1
    return -(-samples // pad) * pad


class Clips:
    """The audio part of the prompts, up to the placeholder, is the same for all tasks of a clip.

    Args:
        clips: (N_i,) samples at 16 kHz or (T_i, mels) features.
        samples: length of each at 16 kHz.
        prompts: a prompt of each, holding one placeholder.
    """

    @torch.inference_mode()
    def __init__(
        self, loaded: LoadedModel, clips: list[Tensor], samples: list[int], prompts: list[list[int]]
    ):
        self.loaded, self.device, self.clips = loaded, loaded.device, clips
        self.samples = torch.tensor(samples, device=self.device)
        self.hidden, self.hidden_lengths = loaded.hear(clips)
        self.frames, self.frame_lengths = loaded.adapt(self.hidden, self.hidden_lengths)
        self.heads = [prompt[: self._audio_at(prompt) + 1] for prompt in prompts]
        text, text_lengths = _pad(self.heads, self.device)
        inputs = loaded.model.decode_inputs(text, text_lengths, self.frames, self.frame_lengths)
        self.prefix = Prefix.start(loaded.model.decoder, inputs)

    def _audio_at(self, prompt: list[int]) -> int:
        return list(prompt).index(self.loaded.tokenizer.placeholder)

    @torch.inference_mode()
    def answer(
        self, which: list[int], prompts: list[list[int]], grammar: Grammar, options: SearchOptions
    ) -> list[Hypothesis]:
        """The model's answer to each prompt.

        Args:
            which: the clip each prompt is about.

        Raises:
            ValueError: if ``options.ctc_weight`` asks for a CTC component that the model lacks.
        """
        model, decoder = self.loaded.model, self.loaded.model.decoder
        rest = []
        for clip, prompt in zip(which, prompts, strict=True):
            head = len(self.heads[clip])
            assert list(prompt[:head]) == list(self.heads[clip]), "prompts of a clip differ before the audio"
            rest.append(prompt[head:])
        rows = torch.tensor(which, device=self.device)
        text, lengths = _pad(rest, self.device)
        prefix = self.prefix.select(rows).extend(decoder, decoder.embed(text), lengths)
        if decoder.max_positions is not None:
            room = decoder.max_positions - int(prefix.lengths.max())
            options = replace(options, max_new_tokens=min(options.max_new_tokens, room))
        ctc = None
        if options.ctc_weight:
            if model.ctc is None:
                raise ValueError(
                    f"ctc_weight is {options.ctc_weight}, but the model has no ctc component;"
                    " set it to 0, or train one with ctc: embedding"
                )
            columns = model.ctc.columns(torch.arange(decoder.vocab_size, device=self.device))
            log_probs = model.ctc_log_probs(self.frames)[rows]
            silent = grammar.silent.to(self.device)
            ctc = CtcVocabulary(
                log_probs, self.frame_lengths[rows], columns, silent, self.loaded.tokenizer.end
            )
        return search(
            decoder,
            prefix,
            grammar.to(self.device),
            self.samples[rows],
            self.loaded.tokenizer.end,
            options,
            ctc,
        )


def _pad(rows: list[list[int]], device: str) -> tuple[Tensor, Tensor]:
    """(B, L) zero-padded and lengths (B,)."""
    tensors = [torch.tensor(row, dtype=torch.long, device=device) for row in rows]
    lengths = torch.tensor([len(row) for row in rows], device=device)
    return torch.nn.utils.rnn.pad_sequence(tensors, batch_first=True), lengths
