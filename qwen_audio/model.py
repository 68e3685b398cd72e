"""The audio-language model: audio frames spliced into text, loss on the answer's tokens."""

import numpy as np
import torch
from espnet2.train.abs_espnet_model import AbsESPnetModel
from torch import Tensor

from qwen_audio.decoder.causal import Inputs


class AudioLLM(AbsESPnetModel):
    """Qwen-Audio's model (arXiv:2311.07919): frontend, encoder, adapter, decoder, each a swappable part.

    Args:
        placeholder: token id that stands in the text where audio goes.
        num_tasks: tasks told apart in the statistics.
    """

    def __init__(
        self,
        frontend,
        specaug,
        encoder,
        adapter,
        ctc,
        decoder,
        timestamp_head,
        placeholder: int,
        num_tasks: int = 1,
    ):
        super().__init__()
        self.frontend, self.specaug = frontend, specaug
        self.encoder, self.adapter = encoder, adapter
        self.ctc, self.decoder, self.timestamp_head = ctc, decoder, timestamp_head
        self.placeholder, self.num_tasks = placeholder, num_tasks
        self.loss_weights = {"lm": 1.0}

    def train(self, mode: bool = True) -> "AudioLLM":
        """As nn.Module's, but what is frozen before the decoder stays as in use, without dropout and with the
        statistics of BatchNorm as they are, so that it gives the frames of a frame cache.

        A frozen decoder is in training mode as a whole: gradients pass through it to the adapter, for which
        ``gradient_checkpointing`` acts in this mode alone, and dropout that its model has acts on what LoRA trains.
        """
        super().train(mode)
        for name, part in self.named_children():
            if name != "decoder":
                _rest_frozen(part)
        return self

    def num_frames(self, samples: int) -> int:
        """Decoder positions that ``samples`` of 16 kHz audio take."""
        return self.adapter.num_frames(self.encoder.num_frames(self.frontend.num_frames(samples)))

    def frames_of(self, samples: np.ndarray) -> np.ndarray:
        """``num_frames`` of many clips, (N,) int64 -> (N,) int64; no part is asked twice for one length."""
        for part in (self.frontend, self.encoder, self.adapter):
            lengths, places = np.unique(samples, return_inverse=True)
            samples = np.array([part.num_frames(length) for length in lengths.tolist()], np.int64)[places]
        return samples

    def hear(self, speech: Tensor, speech_lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Audio to encoder frames.

        Shapes: speech (A, N) samples or (A, T, mels) features, speech_lengths (A,) -> (A, T', D), (A,).
        """
        features, lengths = self.frontend(speech, speech_lengths)
        if self.specaug is not None and self.training:
            on_host = lengths.cpu()  # one wait: time warp reads clip after clip
            heard = features[:, : int(on_host.max())]  # without the silence that pad_to puts behind all clips
            changed, _ = self.specaug(heard.clone(), on_host)
            inside = torch.arange(heard.shape[1], device=lengths.device) < lengths[:, None]
            heard = torch.where(inside[..., None], changed, heard)
            features = torch.cat([heard, features[:, heard.shape[1] :]], dim=1)
        hidden, lengths, _ = self.encoder(features, lengths)
        return hidden, lengths

    def encode(self, speech: Tensor, speech_lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Audio to decoder embeddings; shapes as of ``hear``, but (A, T', E)."""
        return self.adapter(*self.hear(speech, speech_lengths))

    def ctc_log_probs(self, frames: Tensor) -> Tensor:
        """CTC posteriors of adapter frames: (A, T', E) -> (A, T', 1 + K)."""
        return self.ctc.log_probs(frames, self.decoder.base_rows().detach())

    def decode_inputs(self, text, text_lengths, frames, frame_lengths, longest=None) -> Inputs:
        """Text and audio as the decoder reads them: audio spliced in, or beside the text (see splice)."""
        return self.decoder.join(text, text_lengths, frames, frame_lengths, self.placeholder, longest)

    def token_losses(self, text, text_lengths, frames, frame_lengths, places, longest=None) -> Tensor:
        """Negative log probability of tokens given those before them.

        Shapes: places (S,), where they stand in the flattened text, none first in its row -> (S,).
        ``longest``: as of ``forward``.
        """
        inputs = self.decode_inputs(text, text_lengths, frames, frame_lengths, longest)
        # padding stands after all that counts, so that causal attention without a mask, the faster, never reads it
        padded = (None, None) if inputs.memory is None else (inputs.mask, inputs.positions)
        hidden, _ = self.decoder(inputs.embeddings, *padded, memory=inputs.memory)
        before = places // text.shape[1] * hidden.shape[1] + inputs.starts.flatten()[places] - 1
        logits = self.decoder.logits(hidden.flatten(0, 1).index_select(0, before))  # the vocabulary is large
        return torch.nn.functional.cross_entropy(logits.float(), text.flatten()[places], reduction="none")

    def forward(
        self,
        speech_lengths: Tensor,
        text: Tensor,
        text_lengths: Tensor,
        loss_places: Tensor,
        task_ids: Tensor,
        ctc_text: Tensor,
        ctc_text_lengths: Tensor,
        speech: Tensor | None = None,
        frames: Tensor | None = None,
        frame_lengths: Tensor | None = None,
        longest: int | None = None,
        **_,
    ) -> tuple[Tensor, dict[str, Tensor], Tensor]:
        """Loss of one batch; ``self.loss_weights`` says which terms count.

        Shapes: speech (A, N) or (A, T, mels), text (B, L), loss_places (S,), task_ids (B,),
        ctc_text (A, K) -> loss, statistics, weight (1,). What ``encode`` gave before may stand in the place of
        speech: frames (A, T', E), frame_lengths (A,); the timestamp head has nothing to hear then.
        ``longest``: decoder positions of the longest row; without it they are read from the device. loss = (lm *
        sum of token losses + ctc * sum of CTC losses + timestamp * sum of the timestamp head's) / weight, weight =
        supervised tokens (without lm: those of the first of the other terms), so that sums over ranks and
        micro-batches give the exact token mean. The statistics of the other terms are pairs, (2,): nats and units,
        and of ``TERM_left_out`` clips left out and clips with a transcript; they count other things than tokens.
        """
        weights = {term: value for term, value in self.loss_weights.items() if value}
        if frames is None and len(speech_lengths):
            hidden, hidden_lengths = self.hear(speech, speech_lengths)
            frames, frame_lengths = self.adapter(hidden, hidden_lengths)
        elif frames is None:  # texts alone
            frames, frame_lengths = speech.new_zeros(0, 0, self.decoder.hidden_size), speech_lengths
        stats, total = {}, frames.new_zeros((), dtype=torch.float32)
        scored, heard = {}, len(ctc_text) > 0
        if "ctc" in weights and heard:
            rows = self.decoder.base_rows().detach()
            scored["ctc"] = self.ctc(frames, frame_lengths, rows, ctc_text, ctc_text_lengths)
        if "timestamp" in weights and heard:
            scored["timestamp"] = self.timestamp_head(hidden, hidden_lengths, ctc_text, ctc_text_lengths)
        counts = [total.new_full((), len(loss_places))] if "lm" in weights else []
        for term, (losses, units) in scored.items():
            spoken = ctc_text_lengths > 0
            left_out = ((units == 0) & spoken).sum()  # see ctc/embedding.py, timestamp/ctc.py
            counts.append(units.sum().float())
            stats[f"loss_{term}"] = torch.stack([losses.sum().detach().float(), counts[-1]])
            stats[f"{term}_left_out"] = torch.stack([left_out, spoken.sum()])
            total = total + weights[term] * losses.sum()
        weight = counts[0] if counts else total
        if "lm" in weights:
            losses = self.token_losses(text, text_lengths, frames, frame_lengths, loss_places, longest)
            total = total + weights["lm"] * losses.sum()
            zeros, task = losses.new_zeros(self.num_tasks), task_ids[loss_places // text.shape[1]]
            stats["loss_lm"] = (losses.sum() / weight.clamp(min=1)).detach()
            stats["task_loss_sum"] = zeros.index_add(0, task, losses.detach())
            stats["task_tokens"] = zeros.index_add(0, task, torch.ones_like(losses))
        loss = total / weight.clamp(min=1)
        stats["loss"] = loss.detach()
        return loss, stats, weight[None]

    def collect_feats(self, speech: Tensor, speech_lengths: Tensor, **_) -> dict[str, Tensor]:
        features, lengths = self.frontend(speech, speech_lengths)
        return {"feats": features, "feats_lengths": lengths}


def _rest_frozen(part: torch.nn.Module) -> None:
    """Put ``part``, or those parts of it that have parameters but none that is trained, into evaluation mode."""
    trained = [param.requires_grad for param in part.parameters()]
    if trained and not any(trained):
        part.eval()
    else:
        for child in part.children():
            _rest_frozen(child)
