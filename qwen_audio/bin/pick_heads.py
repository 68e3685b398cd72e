"""Pick the attention heads of the timestamp head ``attention`` on a small set with known word times.

Every head of the decoder is scored alone by the AAS of the set's own words; then heads are joined as long as the
AAS of all together falls. A constant shift of all times is measured with them, and taken off. Prints the lines for
the YAML. The set must not be the one that is scored afterwards.

Example:
    qwen-audio pick_heads --model exp/pretrain_default --set dump/raw/asterisk_valid
    qwen-audio pick_heads --model whisper:tools/backbones/whisper-base --set dump/raw/asterisk_valid --count 4
"""

import argparse
from pathlib import Path

SHOWN = 10


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--model", required=True, help="folder of a trained run, or whisper:NAME, a pretrained Whisper"
    )
    parser.add_argument(
        "--set", type=Path, required=True, help="prepared set with audio, such as dump/raw/SET"
    )
    parser.add_argument("--task", default="srwt", help="whose examples have the word times")
    parser.add_argument("--count", type=int, default=6, help="heads to pick at most")
    parser.add_argument("--clips", type=int, default=100, help="clips to hear at most, at even distance")
    parser.add_argument("--device", default="cpu", help="cpu, cuda or cuda:N")
    parser.add_argument("--dtype", default="float32", help="float32, bfloat16 or float16")


def main(args: argparse.Namespace) -> None:
    for name in ("count", "clips"):
        if getattr(args, name) < 1:
            raise ValueError(f"--{name} is {getattr(args, name)}; write 1 or more")

    from qwen_audio.infer.arguments import check_device
    from qwen_audio.infer.load import load_model
    from qwen_audio.infer.pretrained import load_whisper
    from qwen_audio.timestamp.attention import Attention
    from qwen_audio.timestamp.pick_heads import aas, pick, read_clips

    check_device(args.device)
    whisper, _, name = args.model.partition(":")
    load = load_whisper if whisper == "whisper" and name else load_model
    loaded = load(name if load is load_whisper else args.model, args.device, args.dtype)
    decoder = loaded.model.decoder
    clips = read_clips(loaded, args.set, args.task, Attention(), args.clips)
    alone, chosen = pick(clips, args.count)
    names = [divmod(head, decoder.num_heads) for head in range(len(alone))]
    usual = [names.index(pair) for pair in decoder.alignment_heads()]
    words = sum(len(clip.spans) for clip in clips)
    print(f"{args.set}: {len(clips)} clips, {words} words, {len(alone)} heads; AAS in ms")
    for head in sorted(range(len(alone)), key=alone.__getitem__)[:SHOWN]:
        print(f"  alone     layer {names[head][0]:2} head {names[head][1]:2}  {alone[head]:7.1f}")
    for head, score in chosen:
        print(f"  together  layer {names[head][0]:2} head {names[head][1]:2}  {score:7.1f}")
    print(f"  default   {len(usual):3} heads         {aas(clips, usual)[0]:7.1f}")
    shift = aas(clips, [head for head, _ in chosen])[1]
    print("timestamp_head: attention")
    print(f"timestamp_head_conf: {{heads: {[list(names[head]) for head, _ in chosen]}, shift: {shift}}}")
