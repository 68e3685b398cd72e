"""Check a training configuration and print it in full: includes merged, defaults filled in.

Example:
    qwen-audio config conf/pretrain.yaml --override adapter_conf.stride=2
    qwen-audio config conf/pretrain.yaml --without srwt > conf/no_srwt.yaml
"""

import argparse

import yaml

from qwen_audio.data.task_weights import leave_out
from qwen_audio.train.arguments import add_changes, read_config


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("config", help="training configuration")
    add_changes(parser)
    parser.add_argument(
        "--without", nargs="+", default=[], metavar="TASK", help="leave out their task_weights"
    )


def main(args: argparse.Namespace) -> None:
    config = read_config(args)
    config["phases"] = leave_out(config["phases"], args.without)
    print(yaml.safe_dump(config, sort_keys=False), end="")
