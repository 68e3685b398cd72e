"""Whether the parts that hear give as many frames as they say, tried once when a run begins."""

import torch

from qwen_audio.model import AudioLLM
from qwen_audio.train.frame_cache import PART

CLIPS = (7680, 8000, 8320, 8640, 9200)  # samples: 24 to 27 and 28.5 frames of 20 ms, to see any rounding


@torch.no_grad()
def check_frames(model: AudioLLM, device: torch.device) -> None:
    """Let frontend, encoder and adapter, moved to ``device``, hear five clips of half a second of noise.

    The batch plan believes ``num_frames``: where it is wrong, audio would be written over text or past its end.

    Raises:
        ValueError: naming the part whose ``forward`` gives other frames than its ``num_frames`` says, frames of
            another width than the next part takes, or something else than frames and their lengths.
    """
    was_training = model.training
    model.eval()
    generator = torch.Generator().manual_seed(0)
    noise = [0.1 * torch.randn(samples, generator=generator) for samples in CLIPS]
    frames = torch.nn.utils.rnn.pad_sequence(noise, batch_first=True).to(device)
    lengths = torch.tensor(CLIPS, device=device)
    for slot in PART:
        part = getattr(model, slot).to(device)
        whose, before = f"{slot}: {type(part).__name__}", lengths.tolist()
        answer = part(frames, lengths)
        form = ("frames", "lengths", "None")[: 3 if slot == "encoder" else 2]
        if not isinstance(answer, tuple) or len(answer) != len(form):
            raise ValueError(f"{whose}.forward must give ({', '.join(form)})")
        frames, lengths = answer[:2]
        for asked, given in zip(before, lengths.tolist(), strict=True):
            told, given = part.num_frames(asked), min(given, frames.shape[1])
            if told != given:
                raise ValueError(
                    f"{whose}.num_frames({asked}) is {told}, but forward gives {given} frames of {asked};"
                    " both must say the same"
                )
        width = model.decoder.hidden_size if slot == "adapter" else part.output_size()
        if frames.shape[2] != width:
            raise ValueError(
                f"{whose}.forward gives frames {frames.shape[2]} wide; they must be {width} wide"
            )
    model.train(was_training)
