#!/usr/bin/env python3
"""Fine-tuning steps with the frozen encoder's frames from the cache, against steps that compute them.

    cd egs/multitask
    ../../tools/venv/bin/python ../../tools/bench/frame_cache.py --config conf/sft.yaml --init exp/pretrain_default \
        --sets dump/tokens_sft/sounds_train --steps 12

One process does what those of `qwen-audio train` do with the same --config, --init and --override.

The frames of the first --steps batches are computed into a cache that is removed again; then both do these batches
in turn: audio or frames read, loss, backward pass, step. Prints seconds a step of each and seconds a recording that
the filling took (on a CPU those that it worked, whatever else it had to do), and what that makes of the whole
training that --config asks for, which hears some recordings often and some never. --json writes the same for
RESULTS.md.
"""

import argparse
import json
import tempfile
import time
from pathlib import Path

import torch

from qwen_audio.build import DTYPES
from qwen_audio.config import load_config
from qwen_audio.data.batch_plan import BatchPlan
from qwen_audio.data.collate import Batch, Collate, StepData
from qwen_audio.data.token_set import TokenSet, task_list
from qwen_audio.data.valid_plan import ValidPlan
from qwen_audio.decoder.quantize import quantize_llm
from qwen_audio.tokenizer import Tokenizer
from qwen_audio.train.arguments import add_changes, changes
from qwen_audio.train.engine import engine_class
from qwen_audio.train.frame_cache import fill, planned
from qwen_audio.train.init import build_from, made_of
from qwen_audio.train.ranks import Ranks


def main(args: argparse.Namespace) -> None:
    torch.set_num_threads(args.num_threads)
    config = load_config(args.config, [*changes(args), "frame_cache.max_gb=100"])
    make_engine = engine_class(config["trainer"], args.device)
    sets, ranks = list(map(TokenSet, args.sets)), Ranks(args.device)
    tokenizer = Tokenizer(sets[0].meta["tokenizer"])
    dtype = DTYPES[config["train_dtype"]]
    model = build_from(config, tokenizer, made_of(config)["ctc_tokens"], len(task_list(sets, [])), dtype)
    whole = BatchPlan.from_config(sets, config, model.frames_of)
    phase = config["phases"][0] | {"steps": min(args.steps, config["phases"][0]["steps"])}
    plan = BatchPlan.from_config(sets, config | {"phases": [phase]}, model.frames_of)
    nothing = ValidPlan([], config["batch_conf"], model.frames_of)
    clock = time.process_time if ranks.device.type == "cpu" else time.perf_counter
    with tempfile.TemporaryDirectory() as folder:
        clips, begin = planned(plan, nothing), clock()
        cache = fill(model, clips, config, folder, ranks)
        filling = (clock() - begin) / len(clips)
        if kind := config["decoder_conf"].get("quantize"):
            quantize_llm(model.decoder.lm, kind, dtype, ranks.device)
        engine = make_engine(model, config, ranks)
        model.train()
        model.num_tasks = len(plan.tasks)
        collates = {"computed": Collate(plan.tasks), "cached": Collate(plan.tasks, cache)}
        batches = {
            way: StepData(plan, None, collate, split_parts=config["split_parts"])
            for way, collate in collates.items()
        }
        spent: dict[str, list[float]] = {way: [] for way in batches}
        for step in range(plan.steps):
            for way, data in batches.items():
                begin = clock()
                _step(model, engine, data["train", step], dtype, ranks)
                spent[way].append(clock() - begin)
        engine.close()
    computed, cached = (sum(times[1:]) / len(times[1:]) for times in spent.values())
    steps, recordings = whole.steps, len(planned(whole, nothing))
    found = {
        "computed_seconds": round(computed, 3),
        "cached_seconds": round(cached, 3),
        "ratio": round(computed / cached, 3),
        "fill_seconds": round(filling, 4),  # a recording
        "steps": plan.steps - 1,
        "whole": {
            "steps": steps,
            "recordings": recordings,
            "heard": _heard(whole),
            "ratio": round(steps * computed / (steps * cached + recordings * filling), 3),
        },
        "device": ranks.device.type,
    }
    print(json.dumps(found, indent=1))
    if args.json:
        args.json.write_text(json.dumps(found) + "\n", encoding="utf-8")


def _heard(plan: BatchPlan) -> int:
    """Recordings in all batches together, each as often as it is heard."""
    parts = [part for step in range(plan.steps) for part in plan.batch(step)]
    return sum(
        len(data.clips(part["row"][part["set"] == number])[0])
        for part in parts
        for number, data in enumerate(plan.sets)
    )


def _step(model, engine, batches: list[Batch | None] | Exception, dtype: torch.dtype, ranks: Ranks) -> None:
    if isinstance(batches, Exception):
        raise batches
    for batch in filter(None, batches):
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
    parser.add_argument("--sets", required=True, nargs="+", metavar="SET", help="tokenised dialogues")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write what was measured")
    parser.add_argument("--steps", type=int, default=12, help="at most; the first is not counted")
    add_changes(parser)
    parser.add_argument("--num_threads", type=int, default=2)
    parser.add_argument("--device", default="cpu")
    main(parser.parse_args())
