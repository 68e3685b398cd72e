"""The console script ``qwen-audio``: one command per stage, each also ``python -m qwen_audio NAME``."""

import argparse
import importlib
import keyword
import pkgutil
import sys

from qwen_audio import __version__
from qwen_audio.registry import nearest


def commands() -> list[str]:
    """Names of all commands: the modules of qwen_audio.bin; one called as a word of Python ends in ``_``."""
    import qwen_audio.bin

    return sorted(module.name.rstrip("_") for module in pkgutil.iter_modules(qwen_audio.bin.__path__))


def _module(name: str) -> str:
    return name + "_" * keyword.iskeyword(name)


def _first_line(name: str) -> str:
    """The first line of a command's docstring, without importing what the command needs."""
    import ast
    from pathlib import Path

    source = Path(__file__).parent / "bin" / f"{_module(name)}.py"
    return (ast.get_docstring(ast.parse(source.read_text(encoding="utf-8"))) or "").partition("\n")[0]


def usage() -> str:
    width = max(map(len, commands()))
    table = "\n".join(f"  {name:{width}}  {_first_line(name)}" for name in commands())
    more = "qwen-audio COMMAND --help says more; check-leak is check_leak"
    return f"usage: qwen-audio COMMAND [options]   ({more})\n\n{table}"


def run(name: str, argv: list[str] | None = None) -> None:
    """Run command ``name``; a fault of the input ends it with one line on stderr and exit status 1."""
    module = importlib.import_module(f"qwen_audio.bin.{_module(name)}")
    parser = argparse.ArgumentParser(
        prog=f"qwen-audio {name}",
        description=module.__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    module.add_arguments(parser)
    parser.add_argument("--debug", action="store_true", help="show the traceback of an error")
    args = parser.parse_args(argv)
    try:
        module.main(args)
    except (ValueError, OSError) as error:
        if args.debug:
            raise
        sys.exit(f"qwen-audio {name}: {one_line(error)}")
    except RuntimeError as error:
        if args.debug or type(error).__name__ != "OutOfMemoryError":  # torch's; few commands import torch
            raise
        sys.exit(f"qwen-audio {name}: {what_is_full(error)}; {way_out(name, args)}")
    except KeyboardInterrupt:
        sys.exit(130)


def one_line(error: ValueError | OSError) -> str:
    """What an error says, on one line; of the system's, the file and the reason without its number."""
    if isinstance(error, OSError) and error.filename is not None and error.strerror:
        return f"{error.filename}: {error.strerror}"
    return " ".join(str(error).split())


def what_is_full(error: RuntimeError) -> str:
    """Of torch's report that a GPU's memory is full its first sentences: how much was asked for, how much there is."""
    return ". ".join(one_line(error).split(". ")[:3]).rstrip(".")


def way_out(name: str, args: argparse.Namespace) -> str:
    """What makes command ``name`` take less of a GPU's memory."""
    at_once = {
        # what a run under way may change: see FREE_KEYS of qwen_audio/train/defaults.py
        "train": "write into the configuration a larger split_parts, which computes the same batch in more pieces,"
        " decoder_conf.gradient_checkpointing: true, or, for several GPUs, trainer: deepspeed; the run goes on",
        "decode": "lower batch_conf.max_seconds in the inference configuration",
        "answer": "lower --batch_size",
        "score": "lower --batch_size",
    }
    smaller = "write --dtype bfloat16 or --quantize 8bit" if "quantize" in args else None
    return ", or ".join(filter(None, (at_once.get(name), smaller))) or "write --device cpu"


def main() -> None:
    name, *rest = sys.argv[1:] or ["--help"]
    if name in ("-h", "--help"):
        print(usage())
    elif name == "--version":
        print(__version__)
    elif (command := name.replace("-", "_")) not in commands():
        sys.exit(f"qwen-audio: unknown command {name!r}{nearest(command, commands())}")
    else:
        run(command, rest)
