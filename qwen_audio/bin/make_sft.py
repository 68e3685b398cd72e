"""Stage 6: make dialogues for supervised fine-tuning from the labels of a prepared set.

template: a question of each kind that the task's file has under `chat`, about one recording.
joined: find, count, compare and order two to four recordings, and ask again about an earlier one.
llm: an LLM writes question and answer from the labels; what the labels do not support is rejected. It is a
folder (--model), or one behind an OpenAI-compatible endpoint (--endpoint, --model), whose key is taken from the
environment variable OPENAI_API_KEY. Its answers are kept in OUT/llm_answers: an interrupted run goes on.

Writes OUT/dialogues.jsonl, OUT/rejected.tsv and OUT/summary.json. Labels that give no dialogue are no error: the
file is empty then, and a line says why.

Example:
    qwen-audio make_sft --data dump/raw/asterisk_train --out dump/sft/asterisk_train --text instructions.jsonl
    qwen-audio make_sft --data dump/raw/my_set --out dump/sft/my_set --source llm --count 500 \\
        --endpoint http://localhost:8000/v1 --model NAME
"""

import argparse
import os
from pathlib import Path

from qwen_audio.chat.values import CHAT_LANGS
from qwen_audio.sft.completion import Cached
from qwen_audio.sft.endpoint import KEY_VARIABLE, Endpoint
from qwen_audio.sft.make import COUNT, SOURCES, make_sft
from qwen_audio.task_spec import load_tasks


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--data", type=Path, required=True, metavar="DIR", help="prepared set, dump/raw/SET")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder to write")
    parser.add_argument("--source", nargs="+", default=["template", "joined"], choices=SOURCES)
    parser.add_argument("--langs", nargs="+", default=list(CHAT_LANGS), choices=CHAT_LANGS)
    parser.add_argument(
        "--count",
        type=int,
        help="most dialogues of each form of each task (of template, of each of its languages too); by default all of"
        f" template, {COUNT} of the others",
    )
    parser.add_argument("--seed", type=int, default=0, help="draws recordings, words and phrasings")
    parser.add_argument("--text", type=Path, metavar="FILE", help="dialogues without audio to add to them")
    parser.add_argument("--model", default="", help="llm: name at the endpoint, or a Hugging Face folder")
    parser.add_argument("--endpoint", metavar="URL", help="llm: OpenAI-compatible, up to /v1")
    parser.add_argument("--device", default="cpu", help="llm: where a folder's runs: cpu, cuda or cuda:N")
    parser.add_argument("--per_minute", type=float, default=60, help="llm: requests to the endpoint at most")


def main(args: argparse.Namespace) -> None:
    complete = _llm(args) if "llm" in args.source else None
    summary = make_sft(
        args.data,
        args.out,
        load_tasks(),
        sources=args.source,
        langs=args.langs,
        count=args.count,
        seed=args.seed,
        text=args.text,
        complete=complete,
        model=args.model,
    )
    made, rejected = summary["dialogues"], summary["rejected"]
    if made["all"]:
        print(f"{args.out}: {made['all']} dialogues, {rejected['all']} rejected")
    elif rejected["all"]:
        print(f"{args.out}: no dialogue: all {rejected['all']} were rejected, see rejected.tsv there")
    else:
        print(f"{args.out}: no dialogue: its tasks have no chat forms, or it has too few recordings to join")
    for count in (made, rejected):
        print("".join(f"  {number:7} {name}\n" for name, number in count.items() if name != "all"), end="")


def _llm(args: argparse.Namespace) -> Cached:
    if not args.model:
        raise ValueError("--source llm needs --model: a name at the --endpoint, or a Hugging Face folder")
    if args.endpoint:
        complete = Endpoint(args.endpoint, os.environ.get(KEY_VARIABLE), args.per_minute)
    else:
        from qwen_audio.infer.arguments import check_device
        from qwen_audio.sft.local_llm import LocalLLM

        check_device(args.device)
        complete = LocalLLM(args.model, args.device)
    return Cached(complete, args.out / "llm_answers")
