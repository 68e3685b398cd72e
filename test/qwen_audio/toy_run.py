"""A tiny model and tiny sets for the tests of data and training; as a script, a whole training run.

python test/qwen_audio/toy_run.py RUN_DIR SET_DIR [--steps 12] [--dropout 0.1] [--pause 0.05] ...
"""

import argparse
import atexit
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import soundfile
import torch

from qwen_audio.config import with_all_keys
from qwen_audio.data.batch_plan import BatchPlan
from qwen_audio.data.collate import Collate
from qwen_audio.data.token_set import TokenSet
from qwen_audio.data.token_set_writer import TokenSetWriter
from qwen_audio.data.valid_plan import ValidPlan
from qwen_audio.train.engine import engine_class
from qwen_audio.train.ranks import Ranks
from qwen_audio.train.trainer import Trainer

META = {"tokenizer": "toy", "pad": 0, "placeholder": 1, "examples": "examples.jsonl", "feats_type": "raw"}
FRAME = 160  # samples per decoder position
TASKS = ("asr", "lid", "aac")
# of a child process
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2]), "OMP_NUM_THREADS": "1"}


def run_on_two_ranks(script: Path, *options: object, timeout: float = 300) -> subprocess.CompletedProcess:
    """Run ``script`` by torchrun in two processes; where the time is over, none of them is left."""
    command = [
        sys.executable,
        "-m",
        "torch.distributed.run",
        "--standalone",
        "--nproc_per_node",
        "2",
        script,
        *options,
    ]
    process = subprocess.Popen(
        list(map(str, command)), env=ENVIRONMENT, start_new_session=True, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    try:
        printed = process.communicate(timeout=timeout)
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    return subprocess.CompletedProcess(command, process.returncode, *printed)


def write_set(
    folder: Path, rows: list[tuple[str, int, int, int]], specs: list[str] | None = None
) -> TokenSet:
    """A set of (task, samples, prompt tokens, target tokens) rows, each with an audio of its own."""
    with TokenSetWriter(folder) as writer:
        for number, (task, samples, prompt, target) in enumerate(rows):
            utt = writer.add_audio(f"utt{number}", specs[number] if specs else f"clips/utt{number}.wav")
            words = [3 + (number + place) % 20 for place in range(target)]
            ctc = words[:-1] if task == "asr" else []
            writer.add([1] + [2] * (prompt - 1), words, ctc, samples, task, utt, line=100 * number)
        writer.close(META)
    return TokenSet(folder)


def write_audio_set(folder: Path, count: int, seed: int = 0) -> TokenSet:
    """A set of ``count`` noise clips of 0.05 to 0.3 s over three tasks."""
    random = np.random.default_rng(seed)
    clips = folder.with_name(folder.name + "_clips")
    clips.mkdir(parents=True)
    rows, specs = [], []
    for number in range(count):
        samples = int(random.integers(800, 4800))
        specs.append(str(clips / f"utt{number}.wav"))
        soundfile.write(specs[-1], random.uniform(-0.5, 0.5, samples), 16000, subtype="PCM_16")
        rows.append((TASKS[number % 3], samples, 3, int(random.integers(2, 9))))
    return write_set(folder, rows, specs)


class ToyModel(torch.nn.Module):
    """Mean of the frames plus the token embedding predicts the next token; a second head for "ctc"."""

    def __init__(self, dropout: float = 0.0, width: int = 16, vocabulary: int = 24):
        super().__init__()
        self.encoder = torch.nn.Sequential()
        self.encoder.add_module("conv", torch.nn.Linear(FRAME, width))
        layers = [torch.nn.Linear(width, width) for _ in range(2)]
        self.encoder.add_module("layers", torch.nn.Sequential(*layers, torch.nn.Dropout(dropout)))
        self.encoder.add_module("layer_norm", torch.nn.LayerNorm(width))
        self.embed = torch.nn.Embedding(vocabulary, width)
        self.decoder = torch.nn.Linear(width, vocabulary)
        self.ctc = torch.nn.Linear(width, vocabulary)
        self.decoder.requires_grad_(False)
        self.loss_weights, self.num_tasks, self.poison = {"lm": 1.0}, 0, ()

    @staticmethod
    def num_frames(samples):
        return samples // FRAME

    def forward(self, speech, speech_lengths, text, text_lengths, loss_places, task_ids, **_):
        frames = speech[:, : speech.shape[1] // FRAME * FRAME].unflatten(1, (-1, FRAME))
        inside = torch.arange(frames.shape[1], device=speech.device) < (speech_lengths // FRAME)[:, None]
        audio = (self.encoder(frames) * inside[..., None]).sum(1) / inside.sum(1, keepdim=True)
        hidden = self.embed(text[:, :-1]) + audio[:, None]
        mask = torch.zeros_like(text).flatten().index_fill(0, loss_places, 1).view_as(text)[:, 1:]
        target = text[:, 1:]
        loss = torch.nn.functional.cross_entropy(
            self.decoder(hidden).transpose(1, 2), target, reduction="none"
        )
        if self.loss_weights.get("ctc"):
            own = torch.nn.functional.cross_entropy(
                self.ctc(hidden).transpose(1, 2), target, reduction="none"
            )
            loss = loss + self.loss_weights["ctc"] * own
        loss = loss * mask
        task_loss, task_tokens = loss.new_zeros(self.num_tasks), loss.new_zeros(self.num_tasks)
        stats = {
            "task_loss_sum": task_loss.index_add(0, task_ids, loss.sum(1).detach()),
            "task_tokens": task_tokens.index_add(0, task_ids, mask.sum(1).to(loss.dtype)),
        }
        weight = mask.sum()
        loss = loss.sum() / weight
        if any(int(length) in self.poison for length in speech_lengths):
            loss = loss * float("nan")
        return loss[None], stats, weight[None]


def toy_config(steps: int = 12, **changes) -> dict:
    config = {
        "optim_conf": {"lr": 1e-2},
        "scheduler_conf": {"warmup_steps": 2, "min_lr": 1e-3},
        "phases": [
            {"steps": steps // 2, "loss_weights": {"lm": 1.0}},
            {"steps": steps - steps // 2, "loss_weights": {"lm": 1.0, "ctc": 0.3}},
        ],
        "batch_conf": {"max_examples": 8},
        "num_workers": 0,
        "num_threads": 1,
        "tensorboard": False,
        "log_steps": 2,
        "valid_steps": 6,
        "checkpoint_steps": 4,
        "keep_checkpoints": 2,
    }
    return {**config, **changes}


def toy_trainer(run_dir: Path, set_dir: Path, config: dict, dropout: float = 0.1) -> Trainer:
    """A trainer over the sets ``train`` and ``valid`` in ``set_dir``."""
    torch.manual_seed(0)
    model = ToyModel(dropout)
    config = with_all_keys(config)
    plan = BatchPlan.from_config([TokenSet(set_dir / "train")], config, model.num_frames)
    valid = ValidPlan(
        [TokenSet(set_dir / "valid")], config["batch_conf"], model.num_frames, config["accum_grad"]
    )
    make_engine = engine_class(config["trainer"], "cpu")
    return Trainer(model, plan, Collate(plan.tasks), config, run_dir, make_engine, Ranks(), valid)


def write_toy_sets(set_dir: Path) -> Path:
    write_audio_set(set_dir / "train", 50)
    write_audio_set(set_dir / "valid", 9, seed=1)
    return set_dir


def say_threads() -> None:
    threads = len(os.listdir("/proc/self/task"))
    sys.stdout.write(f"{threads} thread(s) at the end\n")  # in one piece also where two ranks write


def main() -> None:
    atexit.register(say_threads)  # called last
    parser = argparse.ArgumentParser()
    parser.add_argument("run_dir", type=Path)
    parser.add_argument("set_dir", type=Path)
    parser.add_argument("--steps", type=int, default=12)
    parser.add_argument("--dropout", type=float, default=0.1)
    parser.add_argument("--accum_grad", type=int, default=1)
    parser.add_argument("--pause", type=float, default=0.0, help="seconds that every forward pass takes more")
    parser.add_argument("--trainer", default="local")
    parser.add_argument(
        "--poison", type=int, nargs="*", default=[], help="lengths of clips whose loss is not finite"
    )
    args = parser.parse_args()
    config = toy_config(args.steps, accum_grad=args.accum_grad, trainer=args.trainer)
    trainer = toy_trainer(args.run_dir, args.set_dir, config, args.dropout)
    trainer.model.poison = set(args.poison)
    forward = trainer.model.forward
    trainer.model.forward = lambda **batch: (time.sleep(args.pause), forward(**batch))[1]
    trainer.run()
    trainer.ranks.leave()


if __name__ == "__main__":
    main()
