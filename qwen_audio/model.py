"""The audio-language model: audio frames spliced into text, loss on the answer's tokens."""

import torch
from espnet2.train.abs_espnet_model import AbsESPnetModel
from torch import Tensor

from qwen_audio.splice import splice


class AudioLLM(AbsESPnetModel):
    """Qwen-Audio's model (arXiv:2311.07919): frontend, encoder, adapter, decoder, each a swappable part.

    Args:
        placeholder: token id that stands in the text where audio goes.
        num_tasks: tasks told apart in the statistics.
    """

    def __init__(
        self, frontend, specaug, encoder, adapter, ctc, decoder, placeholder: int, num_tasks: int = 1
    ):
        super().__init__()
        self.frontend, self.specaug = frontend, specaug
        self.encoder, self.adapter = encoder, adapter
        self.ctc, self.decoder = ctc, decoder
        self.placeholder, self.num_tasks = placeholder, num_tasks
        self.loss_weights = {"lm": 1.0, "ctc": 0.0}

    def num_frames(self, samples: int) -> int:
        """Decoder positions that ``samples`` of 16 kHz audio take."""
        return self.adapter.num_frames(self.encoder.num_frames(self.frontend.num_frames(samples)))

    def encode(self, speech: Tensor, speech_lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Audio to decoder embeddings.

        Shapes: speech (A, N) samples or (A, T, mels) features, speech_lengths (A,) -> (A, T', E), (A,).
        """
        features, lengths = self.frontend(speech, speech_lengths)
        if self.specaug is not None and self.training:
            features, lengths = self.specaug(features, lengths)
        hidden, lengths, _ = self.encoder(features, lengths)
        return self.adapter(hidden, lengths)

    def ctc_log_probs(self, frames: Tensor) -> Tensor:
        """CTC posteriors of adapter frames: (A, T', E) -> (A, T', 1 + K)."""
        return self.ctc.log_probs(frames, self.decoder.base_rows().detach())

    def decode_inputs(self, text, text_lengths, frames, frame_lengths, longest=None):
        """Embeddings, attention mask, position ids, token positions: all the decoder needs (see splice)."""
        out, lengths, starts = splice(
            text, text_lengths, self.decoder.embed(text), frames, frame_lengths, self.placeholder, longest
        )
        positions = torch.arange(out.shape[1], device=text.device)
        mask = (positions < lengths[:, None]).long()
        return out, mask, positions.expand(len(text), -1), starts

    def token_losses(self, text, text_lengths, frames, frame_lengths) -> Tensor:
        """Negative log probability of every token given those before it; (B, L), 0 for the first."""
        # no device sync: one audio a row bounds the length by the shapes alone
        bound = text.shape[1] - 1 + frames.shape[1] if text.is_cuda and len(frames) == len(text) else None
        inputs, mask, positions, starts = self.decode_inputs(text, text_lengths, frames, frame_lengths, bound)
        hidden, _ = self.decoder(inputs, mask, positions)
        before = (starts[:, 1:] - 1).clamp(max=hidden.shape[1] - 1)
        hidden = hidden.gather(1, before[..., None].expand(-1, -1, hidden.shape[2]))
        logits = self.decoder.logits(hidden).flatten(0, 1).float()
        losses = torch.nn.functional.cross_entropy(logits, text[:, 1:].flatten(), reduction="none")
        return torch.nn.functional.pad(losses.view(len(text), -1), (1, 0))

    def forward(
        self,
        speech: Tensor,
        speech_lengths: Tensor,
        text: Tensor,
        text_lengths: Tensor,
        loss_mask: Tensor,
        task_ids: Tensor,
        ctc_text: Tensor,
        ctc_text_lengths: Tensor,
        **_,
    ) -> tuple[Tensor, dict[str, Tensor], Tensor]:
        """Loss of one batch; ``self.loss_weights`` says which terms count.

        Shapes: speech (A, N) or (A, T, mels), text (B, L), loss_mask (B, L), task_ids (B,), ctc_text (A, K)
        -> loss, statistics, weight (1,). loss = (lm * sum of token losses + ctc * sum of CTC losses) / weight,
        weight = supervised tokens, so that sums over ranks and micro-batches give the exact token mean.
        """
        frames, frame_lengths = self.encode(speech, speech_lengths)
        stats, total = {}, frames.new_zeros((), dtype=torch.float32)
        weight = loss_mask.sum().float()
        if self.loss_weights.get("ctc"):
            rows = self.decoder.base_rows().detach()
            losses, scored = self.ctc(frames, frame_lengths, rows, ctc_text, ctc_text_lengths)
            ctc_sum, spoken = losses.sum(), scored.sum().float()
            stats["loss_ctc"] = (ctc_sum / spoken.clamp(min=1)).detach()
            left_out = ((scored == 0) & (ctc_text_lengths > 0)).sum()  # see Embedding.forward
            stats["ctc_left_out"] = left_out / (ctc_text_lengths > 0).sum().clamp(min=1)
            total = total + self.loss_weights["ctc"] * ctc_sum
            if not self.loss_weights.get("lm"):
                weight = spoken
        if self.loss_weights.get("lm"):
            losses = self.token_losses(text, text_lengths, frames, frame_lengths) * loss_mask
            total = total + self.loss_weights["lm"] * losses.sum()
            zeros = losses.new_zeros(self.num_tasks)
            stats["loss_lm"] = (losses.sum() / weight.clamp(min=1)).detach()
            stats["task_loss_sum"] = zeros.index_add(0, task_ids, losses.detach().sum(1))
            stats["task_tokens"] = zeros.index_add(0, task_ids, loss_mask.sum(1).to(zeros.dtype))
        loss = total / weight.clamp(min=1)
        stats["loss"] = loss.detach()
        return loss, stats, weight[None]

    def collect_feats(self, speech: Tensor, speech_lengths: Tensor, **_) -> dict[str, Tensor]:
        features, lengths = self.frontend(speech, speech_lengths)
        return {"feats": features, "feats_lengths": lengths}
