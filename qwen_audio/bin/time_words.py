"""Stage 7: the words of test sets timed by several timestamp heads and reference systems, for comparison.

    qwen-audio time_words --model exp/pretrain_default --pick_on dump/raw/asterisk_valid \\
        --heads ctc attention whisper:tools/backbones/whisper-base pocketsphinx \\
        --decoded exp/pretrain_default/decode/rejoined_test:dump/raw/rejoined_test

Each transcribes the clips and times its words, and times the words of the reference, where it can. Writes
EXP/decode/SET/heads/NAME/hyp.jsonl, and heads/refused.tsv: what was refused and why. `qwen-audio score` reads
them there. A set without word times is left alone.
"""

import argparse
from pathlib import Path

from qwen_audio.score.files import PAIR, split_pair


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--decoded", required=True, nargs="+", metavar=PAIR,
                        help="folder to write to, and the prepared set")  # fmt: skip
    parser.add_argument("--heads", required=True, nargs="+",
                        help="timestamp heads of the model; whisper:MODEL; pocketsphinx")  # fmt: skip
    parser.add_argument("--model", help="folder of a trained run, for its heads")
    parser.add_argument("--pick_on", type=Path, metavar="DUMP/SET",
                        help="set with word times to choose attention heads on; not one that is timed")  # fmt: skip
    parser.add_argument("--device", default="cpu", help="cpu, cuda or cuda:N")
    parser.add_argument("--dtype", default="float32", help="float32 or bfloat16")
    parser.add_argument("--num_threads", type=int, default=1, help="CPU threads")


def main(args: argparse.Namespace) -> None:
    from qwen_audio.infer.time_words import head_systems, read_clips, time_words

    sets = [(decoded, dump, read_clips(dump)) for decoded, dump in map(split_pair, args.decoded)]
    if not any(clips for _, _, clips in sets):
        print("no set has word times: nothing to time")
        return
    if args.pick_on and any(args.pick_on.resolve() == dump.resolve() for _, dump, _ in sets):
        raise ValueError(
            f"--pick_on {args.pick_on} is timed itself; pick on another set, such as a valid one"
        )

    import torch

    from qwen_audio.infer.load import load_model

    torch.set_num_threads(args.num_threads)
    load = (lambda: load_model(args.model, args.device, args.dtype)) if args.model else None
    systems = head_systems(args.heads, load, args.pick_on, device=args.device, dtype=args.dtype)
    for decoded, _, clips in sets:
        if clips:
            counts = time_words(clips, decoded / "heads", systems)
            timed = ", ".join(f"{name} {count}" for name, count in counts.items())
            print(f"{decoded / 'heads'}: of {len(clips)} clips were timed: {timed}", flush=True)


if __name__ == "__main__":
    from qwen_audio.cli import run

    run("time_words")
