"""Stage 3: lengths and token counts of tokenised sets, and what the batches of a training run look like.

A configuration that `qwen-audio train` would refuse for these sets is refused here, before a model is built.

Example:
    qwen-audio stats --config conf/pretrain.yaml --train dump/tokens/asterisk_train \\
        --valid dump/tokens/asterisk_valid --output exp/stats_default --override batch_conf.max_seconds=60
"""

import argparse

from qwen_audio.bin.train import add_run
from qwen_audio.build import feature_channels, frame_counter
from qwen_audio.data.batch_plan import BatchPlan
from qwen_audio.data.collate import check_features, check_sets
from qwen_audio.data.run_tokenizer import check_tokenizer
from qwen_audio.data.stats import write_stats
from qwen_audio.data.token_set import TokenSet
from qwen_audio.data.valid_plan import ValidPlan
from qwen_audio.tokenizer import Tokenizer
from qwen_audio.train.arguments import read_config
from qwen_audio.train.optim import warm_up_note


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_run(parser)
    parser.add_argument("--output", required=True, help="folder for stats.json and stats.md")


def main(args: argparse.Namespace) -> None:
    config = read_config(args)
    sets, valid = ([TokenSet(folder) for folder in folders] for folders in (args.train, args.valid))
    check_sets([*sets, *valid])
    check_features([*sets, *valid], feature_channels(config), config["speed_perturb"])
    check_tokenizer(config, Tokenizer(sets[0].meta["tokenizer"]))
    frames_of = frame_counter(config)
    plan = BatchPlan.from_config(sets, config, frames_of)
    plan.trained()
    ValidPlan(valid, config["batch_conf"], frames_of, config["accum_grad"])  # both for their errors
    print(*plan.describe(), *warm_up_note(plan.steps, config), sep="\n")
    print(write_stats([*sets, *valid], args.output, plan), end="")
