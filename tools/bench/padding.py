#!/usr/bin/env python3
"""How far an encoder's features move where clips are not padded to 30 s.

    tools/venv/bin/python tools/bench/padding.py tools/backbones/whisper-tiny.en CLIP.flac ...

Three ways to hear a clip are compared: followed by silence up to 30 s with attention over all of it, as Whisper was
trained; the same with attention that stops at the clip's end, as in Qwen-Audio and Qwen2-Audio; not padded. Printed
are the median and the 95 % quantile over frames of |a - b| / |b|, the median of clips' last frames, and the mean
cosine of a and b.
"""

import argparse

import torch

from qwen_audio.audio import SAMPLE_RATE, read_audio
from qwen_audio.encoder.whisper import Whisper
from qwen_audio.frontend.log_mel import LogMel

WAYS = {
    "padded": {"pad_to": 30},
    "padded, attention within the clip": {"pad_to": 30, "attend_padding": False},
    "not padded": {},
}
PAIRS = ((1, 0), (2, 0), (2, 1))


@torch.inference_mode()
def features(model: str, waves: list[torch.Tensor], options: dict) -> list[torch.Tensor]:
    """(T_i, D) of each clip."""
    from transformers import AutoConfig

    mels = AutoConfig.from_pretrained(model).num_mel_bins
    encoder, frontend = Whisper(mels, model, **options).eval(), LogMel(mels)
    frontend.pad_to = encoder.pad_to
    found = []
    for wave in waves:
        out, lengths, _ = encoder(*frontend(wave[None], torch.tensor([len(wave)])))
        found.append(out[0, : lengths[0]])
    return found


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("model", help="folder or hub name of a Whisper")
    parser.add_argument("clips", nargs="+", help="audio files")
    args = parser.parse_args()
    waves = [torch.from_numpy(read_audio(clip)) for clip in args.clips]
    found = {way: features(args.model, waves, options) for way, options in WAYS.items()}
    seconds = sum(map(len, waves)) / SAMPLE_RATE
    print(f"{len(waves)} clips, {seconds:.0f} s; {args.model}")
    names = list(WAYS)
    for one, other in PAIRS:
        pairs = list(zip(found[names[one]], found[names[other]], strict=True))
        moved = [(a - b).norm(dim=1) / b.norm(dim=1) for a, b in pairs]
        median, most = torch.cat(moved).quantile(torch.tensor([0.5, 0.95])).tolist()
        last = torch.stack([clip[-1] for clip in moved]).median()
        cosine = torch.cat([torch.nn.functional.cosine_similarity(a, b) for a, b in pairs]).mean()
        print(
            f"{names[one]}, against {names[other]}: {median:.3f} (median), {most:.3f} (95 %),"
            f" {last:.3f} (last frames); cosine {cosine:.4f}"
        )


if __name__ == "__main__":
    main()
