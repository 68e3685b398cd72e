"""Score what a chat model answered to the dialogues of test sets, for RESULTS.md."""

import json
from pathlib import Path

from qwen_audio.data.dialogue import Audio, Dialogue, read_dialogues
from qwen_audio.data.prepared import at_even_distance
from qwen_audio.score.chat import score_chat
from qwen_audio.score.chat_facts import Taught
from qwen_audio.score.files import CHAT
from qwen_audio.score.recipe import run_name
from qwen_audio.score.train_labels import TrainLabels

ANSWERS, DIALOGUES, FRAME_CACHE = "answers.jsonl", "dialogues.jsonl", "frame_cache.json"
SHOWN = 5  # dialogues printed in RESULTS.md


def score_chat_sets(
    decoded: list[tuple[Path, Path, Path]], labels: TrainLabels, train_dialogues: list[Path]
) -> dict:
    """Rows of results.json for answered sets, and some dialogues as they came.

    Args:
        decoded: (EXP/decode/SET with answers.jsonl, its dialogues dump/sft/SET, the prepared set dump/raw/SET they
            were made from).
        labels: of the training sets; baselines take them.
        train_dialogues: folders of the training dialogues; baselines take the most frequent answers from them.

    Returns:
        ``rows``, ``dialogues``, ``pictures`` and ``frame_cache``, what was measured of that of each model
        (tools/bench/frame_cache.py).

    Raises:
        ValueError: a dialogue without an answer.
    """
    taught = Taught(d for path in train_dialogues for d in read_dialogues(path / DIALOGUES))
    found = {"rows": [], "dialogues": [], "pictures": [], "frame_cache": []}
    several: dict[str, list[dict]] = {}
    for folder, made, dump in decoded:
        where = run_name(folder) | {"set": made.name}
        dialogues = list(read_dialogues(made / DIALOGUES))
        with open(folder / ANSWERS, encoding="utf-8") as stream:
            answers = {row["id"]: row for row in map(json.loads, stream)}
        rows = score_chat(dialogues, answers, where, labels, dump, taught)
        found["rows"] += rows
        for row in rows:
            what = " ".join(row[key] for key in ("model", "set", "task", "lang", "metric"))
            value = "undefined" if row["score"] is None else f"{row['score']:.4f}"
            print(f"{what} ({row['protocol']}) {value}, n = {row['count']}", flush=True)
        shown = [shown_dialogue(d, answers[d.id]["hyp"], where) for d in dialogues if _audios(d) > 1]
        several.setdefault(where["model"], []).extend(shown)
        run = folder.absolute().parent.parent
        if (run / FRAME_CACHE).is_file():
            measured = {"model": where["model"]} | json.loads((run / FRAME_CACHE).read_text(encoding="utf-8"))
            if measured not in found["frame_cache"]:
                found["frame_cache"].append(measured)
        picture = run / "loss.png"
        if picture.is_file() and picture not in found["pictures"]:
            found["pictures"].append(picture)
    found["dialogues"] = [row for model in sorted(several) for row in at_even_distance(several[model], SHOWN)]
    return found


def split_chat(text: str) -> tuple[Path, Path, Path]:
    """``EXP/decode/SET:SFT/SET:DUMP/SET`` -> the three folders; see score_chat_sets.

    Raises:
        ValueError: if it is not written so.
    """
    parts = text.split(":")
    if len(parts) != 3 or not all(parts):
        raise ValueError(f"--chat {text!r}; write {CHAT}")
    return tuple(map(Path, parts))


def shown_dialogue(dialogue: Dialogue, answer: str, where: dict) -> dict:
    """A dialogue for the reader: ``turns`` of (role, text with audios named), the last answer ``wanted`` and given."""
    turns, heard = [], 0
    for message in dialogue.messages:
        parts = []
        for part in message.parts:
            heard += isinstance(part, Audio)
            parts.append(
                f"[Audio {heard}: {Path(part.audio).stem}]" if isinstance(part, Audio) else part.text
            )
        turns.append([message.role, " ".join(parts)])
    wanted = turns.pop()[1]
    return where | {"id": dialogue.id, "turns": turns, "wanted": wanted, "hyp": answer}


def _audios(dialogue: Dialogue) -> int:
    return sum(len(message.audios) for message in dialogue.messages)
