"""Stages 4 and 6 from end to end: configuration and tokenised sets in, checkpoints of a trained model out."""

import json
import sys
from pathlib import Path

from qwen_audio.build import DTYPES, build_model, feature_channels
from qwen_audio.config import load_config
from qwen_audio.data.batch_plan import BatchPlan
from qwen_audio.data.collate import Collate, check_features, check_sets
from qwen_audio.data.run_tokenizer import check_tokenizer
from qwen_audio.data.token_set import TokenSet, task_list
from qwen_audio.data.valid_plan import ValidPlan
from qwen_audio.decoder.quantize import check_quantize, quantize_llm
from qwen_audio.interop.to_qwen2_audio import foretell
from qwen_audio.model import AudioLLM
from qwen_audio.model_folder import CONFIG, RUN, TOKENIZER, export_model, write_run
from qwen_audio.tokenizer import Tokenizer
from qwen_audio.train.average import average, select
from qwen_audio.train.check_frames import check_frames
from qwen_audio.train.checkpoint import load_model_tensors
from qwen_audio.train.engine import engine_class
from qwen_audio.train.frame_cache import fill, planned
from qwen_audio.train.init import build_from, check_word_times, describe, identity, made_of
from qwen_audio.train.plot import plot_log
from qwen_audio.train.ranks import Ranks
from qwen_audio.train.spoken import without_words
from qwen_audio.train.trainer import Trainer, seed_everything


def train(
    config: dict, train_sets: list[str], valid_sets: list[str], output: str | Path, device: str
) -> None:
    """Train the model of ``config``; the same call after a break goes on where the last checkpoint stands.

    Writes config.yaml, run.json, tokenizer/, checkpoints/, train_log.jsonl, tensorboard/ and loss.png to ``output``.

    Raises:
        ValueError: for sets of different tokenizers, or of another than the decoder's, an impossible configuration, or
            a run of another one.
    """
    output = Path(output)
    sets, valid = ([TokenSet(folder) for folder in folders] for folders in (train_sets, valid_sets))
    check_sets([*sets, *valid])
    check_features([*sets, *valid], feature_channels(config), config["speed_perturb"])
    check_word_times(config, task_list(sets))
    config, changes = without_words(config, sets)
    tokenizer = Tokenizer(sets[0].meta["tokenizer"])
    check_tokenizer(config, tokenizer)
    tasks = task_list(sets, valid)
    ctc_tokens = {int(token) for data in sets for token in data.ctc_tokens()} if config["ctc"] else set()
    make_engine = engine_class(config["trainer"], device)
    ranks = Ranks(device)
    for line in filter(None, (changes, foretell(config))):
        if ranks.rank == 0:
            print(line, file=sys.stderr, flush=True)
    start, known = {}, []  # what the run starts from, and the tasks learned there
    if config["init"]:
        before = made_of(config)
        ctc_tokens.update(before["ctc_tokens"] if config["ctc"] else ())
        known = before["tasks"]
        # by one rank: it reads the whole file
        start = {"init": ranks.first(identity(config) if ranks.rank == 0 else None)}
        if ranks.rank == 0:
            print(describe(config), file=sys.stderr, flush=True)
    ctc_tokens = sorted(ctc_tokens)
    seed_everything(config["seed"])  # what no trained model gives begins at random
    model = build(config, tokenizer, ctc_tokens, len(tasks), DTYPES[config["train_dtype"]])
    check_frames(model, ranks.device)
    plan = BatchPlan.from_config(sets, config, model.frames_of)
    learned = list(dict.fromkeys([*plan.trained(), *known]))
    valid_plan = ValidPlan(valid, config["batch_conf"], model.frames_of, config["accum_grad"])
    cache = None
    if config["frame_cache"]:
        cache = fill(model, planned(plan, valid_plan), config, output.parent / "frame_cache", ranks)
        if ranks.rank == 0:
            print(f"frames come from {cache.folder}, without SpecAugment", file=sys.stderr, flush=True)
    if kind := config["decoder_conf"].get("quantize"):
        check_quantize(kind)
        quantize_llm(model.decoder.lm, kind, DTYPES[config["train_dtype"]], ranks.device)
    collate = Collate(tasks, cache)
    trainer = Trainer(model, plan, collate, {**config, **start}, output, make_engine, ranks, valid_plan)
    if ranks.rank == 0:
        write_run(output, tokenizer, config, learned, ctc_tokens)
    trainer.run()
    ranks.leave()
    if ranks.rank == 0:
        plot_log(output / "train_log.jsonl", output / "loss.png")


def build(config: dict, *given) -> AudioLLM:
    """The model of ``config``, with the weights of the folder it starts from, if it names one."""
    return (build_from if config["init"] else build_model)(config, *given)


def finish(run: str | Path, count: int | None = None, by: str = "last") -> list[Path]:
    """Average checkpoints of ``run`` and write the whole model into its folder (stage 5).

    What was trained is written in float32, an LLM's frozen weights in the type they were read in.

    Args:
        count: checkpoints; by default ``average_checkpoints`` of the run's configuration.
        by: the ``last`` ones, or those of lowest ``valid`` loss.

    Returns:
        the checkpoints averaged.
    """
    run = Path(run)
    config = load_config(run / CONFIG)
    described = json.loads((run / RUN).read_text(encoding="utf-8"))
    folders = select(run, count or config["average_checkpoints"], by)
    tokenizer = Tokenizer(run / TOKENIZER)
    model = build(config, tokenizer, described["ctc_tokens"], len(described["tasks"]), None)
    load_model_tensors(model, average(folders), folders[-1])
    export_model(model, tokenizer, config, described["tasks"], described["ctc_tokens"], run)
    return folders
