"""Timestamp head: dynamic time warping over the decoder's attention to the audio; nothing is trained."""

import contextlib
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from qwen_audio.audio import SAMPLE_RATE
from qwen_audio.infer.clips import Clips
from qwen_audio.task_spec import load_tasks
from qwen_audio.timestamp.head import Aligner, samples_per_frame
from qwen_audio.timestamp.path import best_path, sharpen, word_spans
from qwen_audio.words import HeardWord, split_words

BEHIND = 10  # frames of the silence behind a clip, where it has any: the end of the text is heard there


@dataclass(frozen=True)
class Attended:
    """What the decoder attended to while it read the words of a clip.

    Attributes:
        weights: (heads, n + 1, T) sharpened attention of the places that write each token and the end.
        tokens: what each of the n tokens adds to the text, in UTF-8.
        chances: (n,) probability of each.
        words: the words they write.
        frame: seconds of a frame.
        end: seconds, length of the clip.
    """

    weights: np.ndarray
    tokens: list[bytes]
    chances: np.ndarray
    words: list[str]
    frame: float
    end: float

    @property
    def matrix(self) -> np.ndarray:
        """(n + 1, T) mean over the heads."""
        return self.weights.mean(0)


class Attention(Aligner):
    """Words where the decoder looked when it wrote them: cross-attention of Whisper, self-attention of an LLM.

    A word lasts until the next begins, the last until the end of the text is heard; a word's confidence is the
    mean probability of its tokens. In a clip too short for a frame, words are spaced evenly, with confidence 0.

    Args:
        heads: ``[layer, head]`` pairs, counted from 0; by default those published with a Whisper, else all of
            the upper half. ``qwen-audio pick_heads`` finds better ones.
        shift: seconds added to every time but the first: heads look a little before or behind what is written;
            ``qwen-audio pick_heads`` measures it.
        task: see Aligner.
    """

    def __init__(
        self,
        heads: list[list[int]] | None = None,
        shift: float = 0.0,
        task: str = "asr",
    ):
        super().__init__(task)
        self.heads = None if heads is None else [tuple(pair) for pair in heads]
        self.shift = shift

    def times(self, clips: Clips, texts: list[str], languages: list[str]) -> list[list[HeardWord]]:
        """See Aligner."""
        result = [
            evenly(split_words(text, language), samples / SAMPLE_RATE)
            for text, language, samples in zip(texts, languages, clips.samples.tolist(), strict=True)
        ]
        frames = clips.frame_lengths.tolist()
        spoken = [number for number, text in enumerate(texts) if text.strip() and frames[number]]
        if spoken:
            heard = self.listen(clips, spoken, [texts[i] for i in spoken], [languages[i] for i in spoken])
            for number, one in zip(spoken, heard):
                result[number] = words_on(one, best_path(one.matrix), self.shift)
        return result

    @torch.inference_mode()
    def listen(
        self, clips: Clips, which: list[int], texts: list[str], languages: list[str], heads=None
    ) -> list[Attended]:
        """Attention of the chosen heads while the decoder reads the texts, as one batch; for times and pictures.

        Args:
            which: the clip of each text, none of them empty.
            heads: instead of the head's own.

        Raises:
            ValueError: if the decoder has no such layer or head, or its attention cannot be read.
        """
        loaded, model, decoder = clips.loaded, clips.loaded.model, clips.loaded.model.decoder
        heads = heads or self.heads or decoder.alignment_heads()
        whole = zip(self.prompts(loaded, languages), which, strict=True)
        prompts = [prompt[len(clips.heads[clip]) :] for prompt, clip in whole]
        rows = [
            {"text": text, "text_lang": language} for text, language in zip(texts, languages, strict=True)
        ]
        spec = load_tasks()[self.task]
        targets = [loaded.tokenizer.encode_pieces(spec.target_pieces(row)) for row in rows]
        read = [torch.tensor(prompt + target) for prompt, target in zip(prompts, targets)]
        text = torch.nn.utils.rnn.pad_sequence(read, batch_first=True).to(loaded.device)
        lengths = torch.tensor([len(row) for row in read], device=loaded.device)
        prefix = clips.prefix.select(torch.tensor(which, device=loaded.device))
        with attending(decoder, heads) as seen:
            after, hidden = prefix.read(decoder, decoder.embed(text), lengths)
        weights = torch.stack([seen[pair] for pair in heads], dim=1)  # (B, heads, L, keys)
        per_frame = samples_per_frame(model.num_frames)
        found = []
        for i, (clip, prompt, target) in enumerate(zip(which, prompts, targets)):
            places = slice(len(prompt) - 1, len(prompt) + len(target))
            samples = int(clips.samples[clip])
            frames = min(int(clips.frame_lengths[clip]), int(np.ceil(samples / per_frame)) + BEHIND)
            begins = int(after.mask[i].argmax())  # the text: behind holes that were closed, if any were
            first = 0 if prefix.memory is not None else begins + len(clips.heads[clip]) - 1  # of the audio
            onto = weights[i, :, places, first : first + frames].float()
            onto = onto / onto.sum(-1, keepdim=True).clamp(min=1e-9)
            chances = decoder.logits(hidden[i, places][:-1]).float().softmax(-1)
            chances = chances.gather(1, torch.tensor(target, device=loaded.device)[:, None])[:, 0]
            tokens = [loaded.tokenizer.token_bytes(token) for token in target]
            words = split_words(b"".join(tokens).decode("utf-8", "surrogateescape"), languages[i])
            sharp = sharpen(onto.cpu().numpy())
            frame, end = per_frame / SAMPLE_RATE, samples / SAMPLE_RATE
            found.append(Attended(sharp, tokens, chances.cpu().numpy(), words, frame, end))
        return found


def evenly(words: list[str], end: float) -> list[HeardWord]:
    """Words of the same length, of confidence 0, from 0 to ``end`` in seconds."""
    at = np.linspace(0.0, end, len(words) + 1).tolist()
    return [HeardWord(word, start, stop, 0.0) for word, start, stop in zip(words, at, at[1:])]


def words_on(attended: Attended, path: np.ndarray, shift: float = 0.0) -> list[HeardWord]:
    """Words with times on a path: frame (n + 1,) at which each token, and then the end, begins."""
    at = np.clip(path * attended.frame + np.where(path > 0, shift, 0.0), 0.0, attended.end)
    words = []
    for word, parts in zip(attended.words, word_spans(attended.tokens, attended.words)):
        start, end = (
            float(at[token] + part * (at[token + 1] - at[token]))
            for token, part in ((parts[0][0], parts[0][1]), (parts[-1][0], parts[-1][2]))
        )
        chance = float(np.mean([attended.chances[token] for token, _, _ in parts]))
        words.append(HeardWord(word, start, end, chance))
    return words


@contextlib.contextmanager
def attending(decoder, heads: list[tuple[int, int]]):
    """Within it, passes of ``decoder`` note the weights of ``heads`` in the dict it gives: (B, L, keys) each.

    Raises:
        ValueError: if there is no such layer or head.
    """
    modules, seen = decoder.audio_attention(), {}
    body, hooks = decoder.body(), []
    for layer in sorted({layer for layer, _ in heads}):
        if not 0 <= layer < len(modules):
            raise ValueError(
                f"timestamp_head_conf.heads: layer {layer}; the decoder has 0 to {len(modules) - 1}"
            )
        chosen = [head for at, head in heads if at == layer]

        def note(module, args, output, layer=layer, chosen=chosen):
            weights: Tensor = output[1]
            if max(chosen) >= weights.shape[1] or min(chosen) < 0:
                raise ValueError(
                    f"timestamp_head_conf.heads: head {max(chosen)} of layer {layer}; the decoder has 0 to"
                    f" {weights.shape[1] - 1}"
                )
            seen.update({(layer, head): weights[:, head] for head in chosen})

        hooks.append(modules[layer].register_forward_hook(note))
    usual = body.config._attn_implementation
    body.set_attn_implementation("eager")  # the other kernels keep no weights
    try:
        yield seen
    finally:
        body.set_attn_implementation(usual)
        for hook in hooks:
            hook.remove()
