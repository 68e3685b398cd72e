"""The training loop: one for CPU and GPU, one process or many (torchrun), resumable at any step."""

import json
import random
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from torch import nn

from qwen_audio.audio import HOP_SECONDS, SAMPLE_RATE
from qwen_audio.build import DTYPES
from qwen_audio.data.batch_plan import BatchPlan
from qwen_audio.data.collate import Batch, Collate, Item, StepData, check_sets, load
from qwen_audio.data.permutation import key
from qwen_audio.data.valid_plan import ValidPlan
from qwen_audio.train import checkpoint
from qwen_audio.train.defaults import without_free
from qwen_audio.train.log import TrainLog
from qwen_audio.train.meter import Meter
from qwen_audio.train.optim import learning_rate, warm_up_note
from qwen_audio.train.ranks import Ranks

NAMED_UTTERANCES = 8  # in the error about a batch without a finite gradient


class Trainer:
    """Train ``model`` on ``plan``, from the last checkpoint in ``output_dir`` if there is one.

    What a step does is a function of config, data and (seed, step): random numbers (dropout, SpecAugment) are
    seeded anew for each micro-batch, so a run that was killed and started again ends with the weights of an
    undisturbed one.

    Args:
        model: ``forward(**batch) -> (loss, stats, weight)`` as AbsESPnetModel: the mean loss over ``weight``
            supervised tokens, finite also for a weight of 0. Its attributes ``loss_weights`` (a dict, from
            the phase) and ``num_tasks`` are set here.
        plan: batches of the whole run.
        collate: rows to tensors; knows the run's task list.
        config: the training keys, see qwen_audio/train/defaults.py.
        output_dir: checkpoints/, train_log.jsonl and tensorboard/ go there; the last checkpoint is loaded.
        make_engine: of qwen_audio/train/engine.py's ``engine_class``.
        ranks: the processes of the run, and the device of this one.
        valid: validation rows, if any.

    Raises:
        ValueError: if ``output_dir`` holds checkpoints of another config or other data, naming the key.
    """

    def __init__(
        self,
        model: nn.Module,
        plan: BatchPlan,
        collate: Collate,
        config: dict,
        output_dir: str | Path,
        make_engine: type,
        ranks: Ranks,
        valid: ValidPlan | None = None,
    ):
        self.model, self.plan, self.collate, self.ranks = model, plan, collate, ranks
        self.valid = valid or None  # no sets, no validation
        self.config, self.output_dir = config, Path(output_dir)
        if self.config["num_threads"]:
            torch.set_num_threads(self.config["num_threads"])
        check_sets([*plan.sets, *(valid.sets if valid else ())])
        model.num_tasks = len(collate.tasks)
        self.engine = make_engine(model, self.config, ranks)
        self.meter = Meter(collate.tasks, ranks)
        self.seconds = 0.0  # spent on the steps before this start
        # steps called off since the last log point, in a row now, longest such row, number of the last
        self._bad = torch.zeros(4, dtype=torch.int64, device=ranks.device)
        self._norms = torch.zeros((), device=ranks.device)
        self.start = self._resume()

    def run(self) -> Path:
        """Train to the end of the last phase. Returns: the last checkpoint's folder."""
        start, silent, tensorboard = self.start, self.ranks.rank != 0, self.config["tensorboard"]
        self.log = TrainLog(self.output_dir, start, self.plan.steps, silent, tensorboard)
        trained = sum(param.numel() for param in self.engine.trained.values())
        total = sum(param.numel() for param in self.model.parameters())
        for line in [*self.plan.describe(), *warm_up_note(self.plan.steps, self.config)]:
            self.log.say(line)
        self.log.say(
            f"training {trained:,} of {total:,} parameters on {self.ranks.world} process(es),"
            f" {self.ranks.device.type}, {self.config['train_dtype']}, {torch.get_num_threads()} thread(s),"
            f" from step {start}"
        )
        data = StepData(
            self.plan,
            self.valid,
            self.collate,
            self.ranks.rank,
            self.ranks.world,
            self.config["split_parts"],
        )
        wanted = list_items(start, self.plan.steps, self._validates, self.valid)
        items = load(data, wanted, self.config["num_workers"], pin_memory=self.ranks.device.type == "cuda")
        self._begin, self._logged = time.monotonic(), (start, time.monotonic())
        self.model.train()
        for step in range(start, self.plan.steps):
            self._step(step, next(items))
            self.log.advance()
            done = step + 1
            saves = done % self.config["checkpoint_steps"] == 0 or done == self.plan.steps
            validates = self.valid is not None and self._validates(done)
            # no interval of the log reaches past a checkpoint or a validation
            if saves or validates or done % self.config["log_steps"] == 0:
                self._write_log(done)
            if validates:
                self._validate(done, items)
            if saves:
                self._save(done)
        self.log.close()
        self.engine.close()
        return checkpoint.checkpoints(self.output_dir)[-1][1]

    def _step(self, step: int, parts: list[Batch | None]) -> None:
        phase = self.config["phases"][self.plan.phase(step)]
        self.model.loss_weights = dict(phase.get("loss_weights") or {"lm": 1.0})
        for number, batch in enumerate(parts):
            if batch is not None:
                seed_everything(self.config["seed"], step, number, self.ranks.rank)
                self.engine.backward(*self._forward(batch))
        norm, bad = self.engine.step(learning_rate(step, self.plan.steps, self.config))
        self.meter.commit(bad)
        self._norms = self._norms + torch.where(bad > 0, 0.0, norm)
        count, run, longest, last = self._bad
        flag = bad.long()
        run = (run + 1) * flag
        last = torch.where(flag > 0, step, last)
        self._bad = torch.stack([count + flag, run, torch.maximum(longest, run), last])

    def _forward(self, batch: Batch) -> tuple[torch.Tensor, torch.Tensor]:
        """Loss and weight of a micro-batch, both 0-dim; the meter learns of them too."""
        features = "speech" in batch and batch["speech"].ndim == 3
        unit = HOP_SECONDS if features else 1 / SAMPLE_RATE
        self.meter.count(
            rows=len(batch["text"]),
            audio_seconds=unit * float(batch["speech_lengths"].sum()),
            tokens=float(batch["text_lengths"].sum()),
        )
        batch = {
            name: value.to(self.ranks.device, non_blocking=True) if isinstance(value, torch.Tensor) else value
            for name, value in batch.items()
        }
        dtype = DTYPES[self.config["train_dtype"]]
        with torch.autocast(self.ranks.device.type, dtype, enabled=dtype != torch.float32):
            loss, stats, weight = self.model(**batch)
        loss, weight = loss.reshape(()).float(), weight.reshape(()).float()
        self.meter.add(loss.detach(), stats, weight)
        return loss, weight

    def _validates(self, done: int) -> bool:
        """Whether a validation follows ``done`` steps."""
        return done % self.config["valid_steps"] == 0 or done == self.plan.steps

    def _validate(self, done: int, items: Iterator) -> None:
        begin = time.monotonic()
        self.meter.reset()
        self.model.eval()
        with torch.no_grad():
            for _ in range(len(self.valid)):
                for batch in next(items):
                    if batch is not None:
                        self._forward(batch)
                self.meter.commit()
        self.model.train()
        found = self.meter.fetch()
        found.pop("host")
        row = {"step": done, "valid": True, "phase": self.plan.phase(done - 1), **found}
        self.log.row({**row, "seconds": round(time.monotonic() - begin, 3)})
        self._restart_meter(done)

    def _write_log(self, done: int) -> None:
        count, _, longest, last = self._bad.tolist()
        if longest >= self.config["max_bad_steps"]:
            raise ValueError(self._bad_message(longest, last))
        found = self.meter.fetch()
        host, (before, then), now = found.pop("host"), self._logged, time.monotonic()
        steps, interval = done - before, max(now - then, 1e-9)
        self.log.row(
            {
                "step": done,
                "lr": learning_rate(done - 1, self.plan.steps, self.config),
                **found,
                "grad_norm": float(self._norms) / (steps - count) if steps > count else None,
                "skipped_steps": count,
                "seconds": round(self.seconds + now - self._begin, 3),
                "steps_per_second": steps / interval,
                "rows_per_step": host.get("rows", 0) / steps,
                "tokens_per_second": host.get("tokens", 0) / interval,
                "audio_seconds_per_second": host.get("audio_seconds", 0) / interval,
            }
        )
        self._restart_meter(done)

    def _restart_meter(self, done: int) -> None:
        self.meter.reset()
        self._norms = torch.zeros((), device=self.ranks.device)
        self._bad[0] = self._bad[2] = 0
        self._logged = (done, time.monotonic())

    def _bad_message(self, length: int, step: int) -> str:
        entries = np.concatenate(self.plan.batch(step))
        names = [self.plan.sets[entry["set"]].utt_id(entry["row"]) for entry in entries[:NAMED_UTTERANCES]]
        more = f" and {len(entries) - len(names)} more" if len(entries) > len(names) else ""
        return (
            f"{length} steps in a row, up to step {step}, had no finite loss and gradient, or no supervised"
            f" token; utterances of step {step}: {', '.join(names)}{more}; look at them, or lower"
            " optim_conf.lr. The weights are those before these steps"
        )

    def _save(self, done: int) -> None:
        for buffer in self.model.buffers():
            self.ranks.first_(buffer)  # rank 0's are written, so all go on with these
        optimizer = self.engine.optimizer_tensors()  # gathered from all ranks where it is split
        if self.ranks.rank == 0:
            following = self.plan.position(done) if done < self.plan.steps else None
            state = {
                "step": done,
                "seconds": self.seconds + time.monotonic() - self._begin,
                "position": following,
                "run": self._fingerprint(),
            }
            tensors = checkpoint.model_tensors(self.model)
            checkpoint.save(self.output_dir, done, tensors, optimizer, state)
            checkpoint.tidy(self.output_dir, self.config["keep_checkpoints"])
        self.ranks.first(None)  # the others wait here: groups that DeepSpeed makes give up after 10 minutes

    def _resume(self) -> int:
        """Load the last checkpoint. Returns: steps done."""
        if self.ranks.rank == 0:
            self.output_dir.mkdir(parents=True, exist_ok=True)
            checkpoint.tidy(self.output_dir, self.config["keep_checkpoints"])
        found = self.ranks.first(checkpoint.checkpoints(self.output_dir))
        if not found:
            return 0
        step, folder = found[-1]
        model, optimizer, state = checkpoint.load(folder)
        before = {**state["run"], "config": without_free(state["run"]["config"])}
        checkpoint.check_same(before, self._fingerprint(), self.output_dir)
        checkpoint.load_model_tensors(self.model, model, folder)
        self.engine.load_optimizer_tensors(optimizer)
        self.seconds = state["seconds"]
        if state["position"]:
            self.plan.seek(state["position"])
        return step

    def _fingerprint(self) -> dict:
        """All that decides what the weights become: the config and the contents of the training sets."""
        data = {
            f"{number} {data.folder.name}": data.meta["sha256"] for number, data in enumerate(self.plan.sets)
        }
        found = {"config": without_free(self.config), "data": data}
        return json.loads(json.dumps(found, default=str))


def list_items(start: int, steps: int, validates, valid: ValidPlan | None) -> Iterator[Item]:
    """What the loop asks for, in its order: every step's batch, all validation batches where they are due."""
    for step in range(start, steps):
        yield "train", step
        if valid is not None and validates(step + 1):
            for number in range(len(valid)):
                yield "valid", number


def seed_everything(*parts: int) -> None:
    """Seed torch, numpy and random from integers."""
    seed = key(*parts)
    torch.manual_seed(seed)
    np.random.seed(seed % 2**32)
    random.seed(seed)
