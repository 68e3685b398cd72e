"""Arguments of the commands that read a training configuration: what stands in it otherwise, for this call."""

import argparse

from qwen_audio.config import load_config


def add_overrides(parser: argparse.ArgumentParser) -> None:
    """--override, as load_config (qwen_audio/config.py) takes them; given twice, both count."""
    parser.add_argument(
        "--override",
        nargs="+",
        action="extend",
        default=[],
        metavar="KEY=VALUE",
        help="keys of the configuration, such as adapter=conv adapter_conf.layers=3 decoder_conf.lora.r=8",
    )


def add_changes(parser: argparse.ArgumentParser) -> None:
    """--init and --override: what a run has otherwise than its file."""
    parser.add_argument("--init", metavar="DIR", help="folder of a trained model to start from (init: DIR)")
    add_overrides(parser)


def changes(args: argparse.Namespace) -> list[str]:
    """The arguments of ``add_changes`` as overrides."""
    return [*([f"init={args.init}"] if args.init else []), *args.override]


def read_config(args: argparse.Namespace) -> dict:
    """The configuration ``--config`` with the arguments of ``add_changes``. Raises: ValueError as load_config."""
    return load_config(args.config, changes(args))
