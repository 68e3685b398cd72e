"""Stage 7: answer the last question of each dialogue of some sets; the same command goes on where it was broken off.

Writes OUTPUT/SET/answers.jsonl, a row a dialogue, and OUTPUT/summary.json.

Example:
    qwen-audio answer --model exp/sft_default --sets dump/sft/asterisk_test dump/sft/asterisk_test_joined \\
        --output exp/sft_default/decode
"""

import argparse
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    from qwen_audio.infer.arguments import add_place_arguments

    parser.add_argument("--model", required=True, help="folder of a model tuned for chat")
    parser.add_argument(
        "--sets", required=True, type=Path, nargs="+", metavar="SET",
        help="folders with dialogues.jsonl, such as dump/sft/asterisk_test",
    )  # fmt: skip
    parser.add_argument("--output", required=True, help="folder to write; each set has one in it")
    parser.add_argument("--batch_size", type=int, default=64, help="dialogues answered at once")
    parser.add_argument("--max_new_tokens", type=int, default=128, help="an answer is cut after this many")
    parser.add_argument("--beam_size", type=int, default=1, help="1 is greedy search")
    parser.add_argument("--num_threads", type=int, help="CPU threads; by default OMP_NUM_THREADS decides")
    add_place_arguments(parser, dtype="auto")


def main(args: argparse.Namespace) -> None:
    from qwen_audio.data.dialogue import read_dialogues
    from qwen_audio.data.tokenize_dialogues import DIALOGUES
    from qwen_audio.infer.arguments import check_names

    check_names(args.sets)
    sets = {folder.name: list(read_dialogues(folder / DIALOGUES)) for folder in args.sets}

    import torch

    from qwen_audio.chat.answer_sets import answer_sets
    from qwen_audio.infer.arguments import label_of, place_of
    from qwen_audio.infer.load import load_model
    from qwen_audio.model_folder import file_id

    if args.num_threads:
        torch.set_num_threads(args.num_threads)
    place = place_of(args)
    loaded = load_model(args.model, **place)
    asked = (file_id(folder / DIALOGUES) for folder in args.sets)
    label = " ".join((label_of(args), place["dtype"], *asked))
    options = {"max_new_tokens": args.max_new_tokens, "beam_size": args.beam_size}
    found = answer_sets(loaded, sets, args.output, label, args.batch_size, **options)
    print(
        f"{args.output}: {found['dialogues']} answers in {found['seconds']:.0f} s ({place['dtype']});"
        f" {found['looped']} looped, {found['cut']} cut at --max_new_tokens"
    )
