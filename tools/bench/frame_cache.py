#!/usr/bin/env python3
"""Fine-tuning steps with the frozen encoder's frames from the cache, against steps that compute them.

    cd egs/multitask
    ../../tools/venv/bin/python ../../tools/bench/frame_cache.py --config conf/sft.yaml --model exp/pretrain_default \
        --sets dump/tokens_sft/sounds_train --steps 12

Both do the same batches in turn, in one run: audio or frames read, loss, backward pass, step. Prints seconds a step
of each (on a CPU those that it worked, whatever else it had to do) and their ratio, and after how many steps the
filling has paid for itself where no --cache, as stage 6 leaves one, was filled before. --json writes the same for
RESULTS.md.
"""

import argparse
import contextlib
import functools
import json
import tempfile
import time
from pathlib import Path

import torch

from qwen_audio.build import DTYPES
from qwen_audio.config import load_config
from qwen_audio.data.batch_plan import BatchPlan
from qwen_audio.data.collate import Collate
from qwen_audio.data.token_set import TokenSet, task_list
from qwen_audio.tokenizer import Tokenizer
from qwen_audio.train.engine import LocalEngine
from qwen_audio.train.frame_cache import fill
from qwen_audio.train.init import build_from, made_of
from qwen_audio.train.ranks import Ranks
from qwen_audio.train.run import store_frozen


def main(args: argparse.Namespace) -> None:
    torch.set_num_threads(args.num_threads)
    overrides = [f"init={args.model}", "frame_cache.max_gb=100", *args.override]
    config, sets, ranks = (
        load_config(args.config, overrides),
        list(map(TokenSet, args.sets)),
        Ranks(args.device),
    )
    tokenizer = Tokenizer(sets[0].meta["tokenizer"])
    model = build_from(config, tokenizer, made_of(config)["ctc_tokens"], len(task_list(sets, [])))
    clock = time.process_time if ranks.device.type == "cpu" else time.perf_counter
    begin = clock()
    with contextlib.ExitStack() as stack:
        folder = args.cache or stack.enter_context(tempfile.TemporaryDirectory())
        cache = fill(model, sets, config, folder, ranks)
        filling = clock() - begin
        store_frozen(model.decoder, DTYPES[config["train_dtype"]])
        engine = LocalEngine(model, config, ranks)
        plan = BatchPlan.from_config(sets, config, model.num_frames)
        model.train()
        model.num_tasks = len(plan.tasks)
        collates = {"computed": Collate(plan.tasks), "cached": Collate(plan.tasks, cache)}
        ways = {way: functools.partial(collate, plan.sets) for way, collate in collates.items()}
        spent: dict[str, list[float]] = {way: [] for way in ways}
        for step in range(min(args.steps, plan.steps)):
            for way, collate in ways.items():
                begin = clock()
                _step(model, engine, plan.batch(step), collate, config, ranks)
                spent[way].append(clock() - begin)
    mean = {way: sum(times[1:]) / len(times[1:]) for way, times in spent.items()}
    saved = mean["computed"] - mean["cached"]
    ratio = mean["computed"] / mean["cached"]
    print("step " + ", ".join(f"{way} {seconds:.2f} s" for way, seconds in mean.items()))
    print(f"{ratio:.2f} times as fast; {cache.size / 1e6:.1f} MB", end="")
    print(
        ""
        if args.cache
        else f"; filled in {filling:.1f} s, paid for after {filling / max(saved, 1e-9):.0f} steps"
    )
    if args.json:
        found = {f"{way}_seconds": round(seconds, 3) for way, seconds in mean.items()}
        found |= {"ratio": round(ratio, 3), "steps": len(spent["cached"]) - 1, "device": ranks.device.type}
        args.json.write_text(json.dumps(found) + "\n", encoding="utf-8")


def _step(model, engine, parts: list, collate, config: dict, ranks: Ranks) -> None:
    dtype = DTYPES[config["train_dtype"]]
    for part in parts:
        batch = collate(part)
        batch = {name: v.to(ranks.device) if isinstance(v, torch.Tensor) else v for name, v in batch.items()}
        with torch.autocast(ranks.device.type, dtype, enabled=dtype != torch.float32):
            loss, _, weight = model(**batch)
        engine.backward(loss.float(), weight.float()[0])
    _, bad = engine.step(1e-6)
    float(bad)  # waits for the device


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--config", required=True, help="configuration of stage 6")
    parser.add_argument("--model", required=True, help="folder of the pre-trained model")
    parser.add_argument("--sets", required=True, nargs="+", metavar="SET", help="tokenised dialogues")
    parser.add_argument(
        "--cache", metavar="FOLDER", help="filled as stage 6 does, exp/frame_cache; else a new one"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write what was measured")
    parser.add_argument("--steps", type=int, default=12, help="at most; the first is not counted")
    parser.add_argument("--override", nargs="+", default=[], metavar="KEY=VALUE")
    parser.add_argument("--num_threads", type=int, default=2)
    parser.add_argument("--device", default="cpu")
    main(parser.parse_args())
