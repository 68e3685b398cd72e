"""Stage 3: lengths and token counts of tokenised sets, and what the batches of a configuration look like.

Example:
    qwen-audio stats dump/tokens/asterisk_train --output exp/stats --config conf/pretrain.yaml
"""

import argparse

from qwen_audio.audio import SAMPLE_RATE
from qwen_audio.data.batch_plan import BatchPlan
from qwen_audio.data.stats import write_stats
from qwen_audio.data.token_set import TokenSet


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("sets", nargs="+", metavar="SET", help="tokenised sets")
    parser.add_argument("--output", required=True, help="folder for stats.json and stats.md")
    parser.add_argument("--config", help="training configuration, to describe its batches over these sets")
    parser.add_argument(
        "--override", nargs="+", default=[], metavar="KEY=VALUE", help="keys of the configuration"
    )
    parser.add_argument(
        "--frame_seconds", type=float, default=0.04, help="audio behind one decoder position, for --config"
    )


def main(args: argparse.Namespace) -> None:
    sets, plan = [TokenSet(folder) for folder in args.sets], None
    if args.config:
        from qwen_audio.config import load_config

        frame = round(args.frame_seconds * SAMPLE_RATE)
        config = load_config(args.config, args.override)
        plan = BatchPlan.from_config(sets, config, lambda samples: samples // frame)
    print(write_stats(sets, args.output, plan), end="")


if __name__ == "__main__":
    from qwen_audio.cli import run

    run("stats")
