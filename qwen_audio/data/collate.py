"""Rows to tensors: audio is read, texts are padded; and the loader that does so ahead of the training."""

import resource
from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import soxr
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from qwen_audio.arkio import read_matrix
from qwen_audio.audio import SAMPLE_RATE, read_audio
from qwen_audio.data.batch_plan import BatchPlan, share
from qwen_audio.data.frame_cache import FrameCache
from qwen_audio.data.packing import measure, perturbed_samples
from qwen_audio.data.token_set import TokenSet
from qwen_audio.data.valid_plan import ValidPlan

Batch = dict[str, Tensor | int]
Item = tuple[str, int]  # ("train", step) or ("valid", number of the batch)
SAME_EVERYWHERE = ("tokenizer", "pad", "placeholder", "feats_type")
TENSORS = 9  # of a batch from a frame cache; of one from audio 8
OTHER_FILES = 256  # that a process may have open: libraries, sockets, the GPU's, of the sets


class Collate:
    """Turn entries of a plan into the tensors of ``model.forward``.

    Args:
        tasks: the run's task list; ``task_ids`` are places in it.
        cache: frames of every audio, where the model's frozen part is not to compute them again.
    """

    def __init__(self, tasks: list[str], cache: FrameCache | None = None):
        self.tasks, self.cache = tasks, cache

    def __call__(self, sets: Sequence[TokenSet], entries: np.ndarray) -> Batch:
        """Shapes: speech (A, N) float32 in ±1 (fbank: (A, T, 80)), speech_lengths (A,), text (B, L),
        text_lengths (B,), loss_places (S,), task_ids (B,), ctc_text (A, K), ctc_text_lengths (A,).

        A counts the audios in the order of the rows, of which a dialogue may have several and a text has none. S
        counts the supervised tokens; ``loss_places`` says where they stand in the flattened text, row * L + place.
        From a cache come frames (A, T, E) and frame_lengths (A,) in the place of speech.

        Raises:
            ValueError: if an audio is not as long as it was when its set was written.
        """
        rows = [self._row(sets[entry["set"]], entry) for entry in entries]
        batch = make_batch(rows, sets[entries[0]["set"]].meta["pad"])
        if self.cache is not None and len(batch["speech"]):
            batch["frames"], batch["frame_lengths"] = batch.pop("speech"), batch["speech_lengths"]
            batch["speech_lengths"] = torch.tensor([samples for row in rows for samples in row["samples"]])
        return batch

    def _row(self, data: TokenSet, entry: np.ndarray) -> dict:
        row, speed = int(entry["row"]), float(entry["speed"])
        _, audios, lengths = data.clips(np.array([row]))
        if self.cache is not None:
            speech = [self.cache.frames(data.spec(audio)) for audio in audios]
        else:
            speech = [
                read_clip(data, data.spec(audio), n, speed) for audio, n in zip(audios, lengths, strict=True)
            ]
        return {
            "text": data.text(row),
            "supervised": data.supervised(row),
            "task": self.tasks.index(data.tasks[data.rows[row]["task"]]),
            "speech": speech,
            "samples": lengths,
            "ctc": [data.ctc(row)] * len(audios),  # a dialogue has none
        }


def make_batch(rows: Sequence[dict], pad: int) -> Batch:
    """Pad rows to a batch; shapes as of Collate.

    Args:
        rows: ``text`` (L,) token ids, ``supervised`` (L,) bool, ``task`` number, ``speech``, a list of (N,) or
            (T, 80), and ``ctc``, the ids of the transcript of each.
        pad: token id that fills texts up.
    """
    text, text_lengths = _pad([_tensor(row["text"]) for row in rows], pad)
    supervised, _ = _pad([torch.as_tensor(row["supervised"]) for row in rows], False)
    speech, speech_lengths = _pad([torch.as_tensor(clip) for row in rows for clip in row["speech"]], 0.0)
    ctc_text, ctc_text_lengths = _pad([_tensor(ctc) for row in rows for ctc in row["ctc"]], pad)
    return {
        "speech": speech,
        "speech_lengths": speech_lengths,
        "text": text,
        "text_lengths": text_lengths,
        "loss_places": supervised.flatten().nonzero()[:, 0],
        "task_ids": torch.tensor([row["task"] for row in rows]),
        "ctc_text": ctc_text,
        "ctc_text_lengths": ctc_text_lengths,
    }


def check_sets(sets: Sequence[TokenSet]) -> None:
    """Raises: ValueError if two sets were not written for the same tokenizer and features."""
    for other in sets[1:]:
        for name in SAME_EVERYWHERE:
            if other.meta[name] != sets[0].meta[name]:
                raise ValueError(
                    f"{name} of {other.folder} is {other.meta[name]!r}, of {sets[0].folder}"
                    f" {sets[0].meta[name]!r}; write both with the same stages 1 and 2"
                )


def check_features(sets: Sequence[TokenSet], channels: int, speed_perturb: dict) -> None:
    """Raises: ValueError if a set holds features (fbank) of other ``channels`` than the frontend gives, or whose speed
    should change.
    """
    for data in sets:
        if data.meta["feats_type"] == "fbank" and speed_perturb:
            raise ValueError(
                f"{data.folder} holds features, whose speed cannot change; write speed_perturb: {{}}, or keep audio"
                " (--feats_type raw)"
            )
        if data.meta["feats_type"] == "fbank" and data.num_audios:
            found = read_matrix(data.spec(0)).shape[1]
            if found != channels:
                raise ValueError(
                    f"{data.folder} holds features of {found} mel channels, the frontend gives {channels}; let it read"
                    f" audio (--feats_type raw), or set frontend_conf.n_mels: {found}"
                )


class StepData(Dataset):
    """What one rank needs for an item: the batch of each piece of a part (None where it has no row), or an error.

    A batch is what ``collate`` gives, and ``longest``: the decoder positions of its longest row. The plan knows them,
    so that no model has to wait for its device to say them.

    Args:
        split_parts: pieces that the rank's share of a part is cut into, neighbours in length together.
    """

    def __init__(
        self,
        plan: BatchPlan,
        valid: ValidPlan | None,
        collate: Collate,
        rank: int = 0,
        world: int = 1,
        split_parts: int = 1,
    ):
        self.plans = {"train": plan, "valid": valid}
        self.collate, self.rank, self.world, self.split_parts = collate, rank, world, split_parts
        self.pieces = plan.accum_grad * split_parts

    def __getitem__(self, item: Item) -> list[Batch | None] | Exception:
        try:
            plan = self.plans[item[0]]
            shares = [share(part, self.rank, self.world) for part in plan.batch(item[1])]
            pieces = [piece for mine in shares for piece in np.array_split(mine, self.split_parts)]
            return [self._batch(plan, piece) if len(piece) else None for piece in pieces]
        except (ValueError, OSError) as error:  # a worker's traceback would hide the one line that matters
            return error

    def _batch(self, plan: BatchPlan | ValidPlan, part: np.ndarray) -> Batch:
        # an audio's frames take the place of its placeholder, which the plan counts beside them
        sizes = measure(plan.sets, part, lambda samples: plan.frames_of(samples) - 1)
        return {**self.collate(plan.sets, part), "longest": int(sizes.positions.max())}


def load(data: StepData, items: Iterable[Item], num_workers: int = 0, pin_memory: bool = False) -> Iterator:
    """The value of each item in turn, prepared ahead by ``num_workers`` processes that live until the end.

    Raises: ValueError or OSError of the item that failed; ValueError if the processes may not open enough files.
    """
    if num_workers:
        _allow_files(num_workers, data.pieces)
    loader = DataLoader(
        data,
        batch_size=None,
        sampler=items,
        num_workers=num_workers,
        pin_memory=pin_memory,
        multiprocessing_context="fork" if num_workers else None,
    )
    for value in loader:
        if isinstance(value, Exception):
            raise value
        yield value


def _allow_files(num_workers: int, pieces: int) -> None:
    """Raise the limit of open files to what items of ``pieces`` batches take on their way from the workers.

    Each tensor is an open file. A worker that cannot open one loses the item, for which training waits for ever. At
    most two items a worker are under way beside the one in use; a worker has each file of its own twice.

    Raises: ValueError if the system does not allow that many.
    """
    wanted = OTHER_FILES + (2 * num_workers + 1) * pieces * TENSORS
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)  # -1: as many as one likes
    if 0 <= hard < wanted:
        raise ValueError(
            f"num_workers {num_workers} with accum_grad x split_parts of {pieces} takes {wanted} open files, the system"
            f" allows {hard}; give --override num_workers=0, or raise the limit (ulimit -n)"
        )
    if 0 <= soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def _tensor(tokens: np.ndarray) -> Tensor:
    return torch.from_numpy(tokens.astype(np.int64))


def _pad(rows: list[Tensor], value: float) -> tuple[Tensor, Tensor]:
    """(N, longest, ...) and lengths (N,); (0, 0) if there is no row."""
    lengths = torch.tensor([len(row) for row in rows], dtype=torch.int64)
    if not rows:
        return torch.zeros(0, 0), lengths
    return torch.nn.utils.rnn.pad_sequence(rows, batch_first=True, padding_value=value), lengths


def read_clip(data: TokenSet, spec: str, samples: int, speed: float = 1.0) -> np.ndarray:
    """(N,) audio or (T, F) features of a set, played at ``speed``.

    Args:
        samples: those it had when the set was written.

    Raises:
        ValueError: if it has another number now.
    """
    if data.meta["feats_type"] == "fbank":
        assert speed == 1  # check_features
        return read_matrix(spec)
    wave = read_audio(spec)
    if len(wave) != samples:
        raise ValueError(
            f"{spec} has {len(wave)} samples, {data.folder} was written for {samples}: it has changed; remove .done1 of"
            f" its set below dump/, or of dialogues of your own {data.folder}/.done6, and run all stages again"
        )
    if speed == 1:
        return wave
    wanted = int(perturbed_samples(samples, speed))
    wave = soxr.resample(wave, SAMPLE_RATE * speed, SAMPLE_RATE)[:wanted]
    return np.pad(wave, (0, wanted - len(wave)))  # soxr may round the other way than the plan
