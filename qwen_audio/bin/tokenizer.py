"""Stage 2: make the tokenizer of a run: the LLM's with our tags appended, or a sentencepiece model trained here.

Example:
    qwen-audio tokenizer --config conf/pretrain.yaml --train dump/raw/asterisk_train --out exp/tokenizer
    qwen-audio tokenizer --config conf/pretrain.yaml --train dump/raw/asterisk_train --out exp/tokenizer_qwen \\
        --override decoder_conf.model=Qwen/Qwen2.5-0.5B
"""

import argparse

from qwen_audio.data.run_tokenizer import make_tokenizer
from qwen_audio.task_spec import load_tasks
from qwen_audio.train.arguments import add_changes, read_config


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--config", required=True, help="training configuration, for its decoder")
    add_changes(parser)
    parser.add_argument(
        "--train", nargs="+", required=True, help="formatted training sets, for a decoder from scratch"
    )
    parser.add_argument("--out", required=True, help="folder to write")


def main(args: argparse.Namespace) -> None:
    tokenizer = make_tokenizer(read_config(args), args.train, load_tasks(), args.out)
    print(f"{args.out}: {tokenizer.base_size} tokens, {len(tokenizer.new_tokens)} special tokens appended")
