"""Stage 6: answer the last question of each dialogue of a set; the same command goes on where it was broken off.

Writes OUTPUT/answers.jsonl, a row a dialogue, and OUTPUT/summary.json.

Example:
    qwen-audio answer --model exp/sft_default --set dump/sft/asterisk_test \\
        --output exp/sft_default/decode/asterisk_test
"""

import argparse
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    from qwen_audio.infer.arguments import add_place_arguments

    parser.add_argument("--model", required=True, help="folder of a model tuned for chat")
    parser.add_argument(
        "--set", required=True, type=Path, help="folder with dialogues.jsonl, such as dump/sft/SET"
    )
    parser.add_argument("--output", required=True, help="folder to write")
    parser.add_argument("--batch_size", type=int, default=32, help="dialogues answered at once")
    parser.add_argument("--max_new_tokens", type=int, default=128, help="an answer is cut after this many")
    parser.add_argument("--beam_size", type=int, default=1, help="1 is greedy search")
    parser.add_argument("--num_threads", type=int, help="CPU threads; by default OMP_NUM_THREADS decides")
    add_place_arguments(parser)


def main(args: argparse.Namespace) -> None:
    from qwen_audio.data.dialogue import read_dialogues
    from qwen_audio.data.tokenize_dialogues import DIALOGUES

    path = args.set / DIALOGUES
    dialogues = list(read_dialogues(path))

    import torch

    from qwen_audio.infer.answer_set import answer_set
    from qwen_audio.infer.arguments import place_of
    from qwen_audio.infer.load import load_model
    from qwen_audio.model_folder import WEIGHTS

    if args.num_threads:
        torch.set_num_threads(args.num_threads)
    loaded = load_model(args.model, **place_of(args))
    label = " ".join(
        f"{file.resolve()} {file.stat().st_size} {file.stat().st_mtime_ns}"
        for file in (Path(args.model) / WEIGHTS, path)
    )
    options = {"max_new_tokens": args.max_new_tokens, "beam_size": args.beam_size}
    label += f" {args.dtype}"
    if args.quantize:
        label += f" {args.quantize}"
    found = answer_set(loaded, dialogues, args.output, label, args.batch_size, **options)
    print(
        f"{args.output}: {found['dialogues']} answers in {found['seconds']:.0f} s; {found['looped']} looped,"
        f" {found['cut']} cut at --max_new_tokens"
    )


if __name__ == "__main__":
    from qwen_audio.cli import run

    run("answer")
