"""Score what a model wrote: two files against each other, or the decoded sets of a recipe.

    qwen-audio score --metric wer --protocol whisper --ref ref.txt --hyp hyp.txt
    qwen-audio score --metric bleu --lang zh --ref ref.txt --hyp hyp.txt --json
    qwen-audio score --results exp/results --train dump/raw/asterisk_train \\
        --decoded exp/pretrain_small/decode/asterisk_test:dump/raw/asterisk_test

Files have one `UTT TEXT` a line; an id that stands several times in --ref has several references. With
--results the metrics are those that each task's file names; results.json and RESULTS.md are written there.
"""

import argparse
import json
import os
import shlex
import sys
from pathlib import Path

from qwen_audio.registry import nearest
from qwen_audio.score import METRICS, compute
from qwen_audio.score.files import CHAT, PAIR, split_pair
from qwen_audio.score.registry import Absent, absent
from qwen_audio.tags import LANGUAGES

OF_FILES = ("protocol", "lang", "ref", "hyp", "json")
OF_RECIPES = ("decoded", "train", "tasks", "whisper", "chat", "chat_train", "about", "made_by")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--missing", choices=["error", "empty"], default="error",
                        help="an utterance that one of the sides lacks: an error, or empty text there")  # fmt: skip
    parser.add_argument("--spice_jars", type=Path, metavar="DIR",
                        help="for spice and spider: folder of Stanford CoreNLP 3.6.0; or $SPICE_JARS")  # fmt: skip
    files = parser.add_argument_group("two files")
    files.add_argument(
        "--metric", help=f"one of {', '.join(METRICS)}, or module:function of yours (docs/tasks.md)"
    )
    files.add_argument(
        "--protocol", help="rules of the metric, e.g. qwen_audio or whisper; its first one by default"
    )
    files.add_argument("--lang", help="language code of the texts, such as zh, or unknown; en by default")
    files.add_argument("--ref", type=Path, help="references")
    files.add_argument("--hyp", type=Path, help="hypotheses")
    files.add_argument("--json", action="store_true", help="print JSON")
    recipe = parser.add_argument_group("decoded sets")
    recipe.add_argument("--results", type=Path, help="folder for results.json and RESULTS.md")
    recipe.add_argument("--decoded", nargs="+", default=[], metavar=PAIR,
                        help="folder with hyp.jsonl, and the prepared set it was decoded from")  # fmt: skip
    recipe.add_argument("--train", nargs="*", type=Path, default=[], metavar="DUMP/SET",
                        help="training sets; their labels make the baselines")  # fmt: skip
    recipe.add_argument("--tasks", nargs="*", metavar="TASK",
                        help="name those that no decoded set has examples of; without a TASK of all")  # fmt: skip
    recipe.add_argument("--whisper", nargs="*", default=[], metavar="MODEL",
                        help="Whisper models (folder or hub name) to decode asr clips with")  # fmt: skip
    recipe.add_argument("--batch_size", type=int, default=8, help="clips that Whisper decodes at once")
    recipe.add_argument("--num_threads", type=int, default=1, help="CPU threads of Whisper")
    recipe.add_argument("--device", default="cpu", help="where Whisper computes: cpu, cuda or cuda:N")
    recipe.add_argument("--chat", nargs="+", default=[], metavar=CHAT,
                        help="folder with answers.jsonl, its dialogues, and the set they were made from")  # fmt: skip
    recipe.add_argument("--chat_train", nargs="*", type=Path, default=[], metavar="SFT/SET",
                        help="training dialogues; their answers make the baselines of --chat")  # fmt: skip
    recipe.add_argument("--about", nargs="*", type=Path, default=[], metavar="FILE",
                        help="JSON of a run: model, config, config_hash, hours, steps, seconds")  # fmt: skip
    recipe.add_argument("--made_by", metavar="COMMAND",
                        help="the command that RESULTS.md names; this one by default")  # fmt: skip


def main(args: argparse.Namespace) -> None:
    if bool(args.metric) == bool(args.results):
        raise ValueError("write either --metric NAME --ref FILE --hyp FILE, or --results DIR --decoded …")
    for option in OF_RECIPES if args.metric else OF_FILES:
        if getattr(args, option):
            raise ValueError(f"--{option} goes with {'--results' if args.metric else '--metric'} alone")
    if args.spice_jars:
        from qwen_audio.score.spice import FOLDER

        os.environ[FOLDER] = str(args.spice_jars)
    if args.metric:
        score_files(args)
    else:
        score_recipe(args)


def score_files(args: argparse.Namespace) -> None:
    from qwen_audio.score.files import read_hypotheses, read_text

    if not (args.ref and args.hyp):
        raise ValueError(f"--metric {args.metric} needs --ref FILE and --hyp FILE")
    lang, known = args.lang or "en", [*LANGUAGES, "unknown"]
    if lang not in known:
        raise ValueError(f"--lang {lang}{nearest(lang, known)}")
    refs, hyps = read_text(args.ref), read_hypotheses(args.hyp)
    counts = {}
    if args.missing == "empty":
        unheard, unasked = [utt for utt in refs if utt not in hyps], [utt for utt in hyps if utt not in refs]
        counts = {"missing": len(unheard), "missing_references": len(unasked)}
        hyps, refs = hyps | dict.fromkeys(unheard, ""), refs | {utt: [""] for utt in unasked}
    metric = args.metric if ":" in args.metric else args.metric.lower().replace("-", "_")
    try:
        found = compute(metric, refs, hyps, args.protocol, lang) | counts
    except Absent as error:
        found = absent(metric, args.protocol, len(refs), str(error)) | counts
    if args.json:
        print(json.dumps(found, ensure_ascii=False))
    else:
        print("\n".join(f"{key}: {_plain(value)}" for key, value in found.items()))


def score_recipe(args: argparse.Namespace) -> None:
    from qwen_audio.infer.arguments import check_device
    from qwen_audio.score.chat_sets import score_chat_sets, split_chat
    from qwen_audio.score.recipe import score_decoded
    from qwen_audio.score.results import write_results
    from qwen_audio.score.train_labels import TrainLabels
    from qwen_audio.task_spec import load_tasks

    runs = [json.loads(path.read_text(encoding="utf-8")) for path in args.about]
    decoded, chat = [split_pair(text) for text in args.decoded], [split_chat(text) for text in args.chat]
    if not (decoded or chat):
        raise ValueError(f"nothing to score; write --decoded {PAIR} or --chat {CHAT}")
    for path in args.train:
        if any(path.resolve() == scored[-1].resolve() for scored in [*decoded, *chat]):
            raise ValueError(f"--train {path} is scored itself; baselines may not see its labels")
    if args.whisper:
        check_device(args.device)
    tasks = load_tasks()
    labels = TrainLabels.read(args.train, tasks)
    found = score_decoded(
        decoded,
        labels,
        args.results,
        whisper=args.whisper,
        batch_size=args.batch_size,
        num_threads=args.num_threads,
        device=args.device,
        missing=args.missing,
        asked=() if args.tasks is None else args.tasks or list(tasks),
    )
    if chat:
        answered = score_chat_sets(chat, labels, args.chat_train)
        found = {key: found.get(key, []) + answered.get(key, []) for key in {**found, **answered}}
    seconds = [run["seconds"] for run in runs if run.get("seconds") is not None]
    about = {
        "command": args.made_by or shlex.join(["qwen-audio", *sys.argv[1:]]),
        "config_hash": "+".join(str(run["config_hash"]) for run in runs if "config_hash" in run) or None,
        "seconds": sum(seconds) if seconds else None,
        "runs": runs,
    }
    write_results(args.results, about | found)
    print(f"{args.results / 'RESULTS.md'}: scores: {len(found['rows'])}")


def _plain(value) -> str:
    if isinstance(value, list):
        return " to ".join(map(_plain, value))
    return f"{value:.4f}" if isinstance(value, float) else str(value)
