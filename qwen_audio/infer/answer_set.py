"""Answer the last question of every dialogue of a set: answers.jsonl."""

import json
import os
import time
from collections.abc import Sequence
from pathlib import Path

from qwen_audio.audio import SAMPLE_RATE, num_samples
from qwen_audio.data.dialogue import Dialogue
from qwen_audio.infer.chat import answer_dialogues
from qwen_audio.infer.load import LoadedModel
from qwen_audio.progress import progress

ANSWERS, PARTIAL, SUMMARY = "answers.jsonl", "answers.partial.jsonl", "summary.json"


def answer_set(
    loaded: LoadedModel,
    dialogues: Sequence[Dialogue],
    output: str | Path,
    label: str,
    batch_size: int = 32,
    **options,
) -> dict:
    """Write ``output``/answers.jsonl, a row {"id", "hyp", "tokens", "ended", "looped", "dropped"} a dialogue.

    Rows are added to answers.partial.jsonl as they come; called again after a break with the same arguments, it goes
    on from there. answers.jsonl appears, complete and in the order of ``dialogues``, at the end.

    Args:
        label: what identifies the model and the dialogues.
        options: of the search, as of ChatSession.

    Returns:
        what summary.json holds: dialogues, seconds (of this call), looped, cut.
    """
    output = Path(output)
    output.mkdir(parents=True, exist_ok=True)
    header = json.dumps({"label": label, "batch_size": batch_size, "options": options}) + "\n"
    done = _take_up(output / PARTIAL, header)
    waiting = sorted((d for d in dialogues if d.id not in done), key=lambda d: (-_seconds(d), d.id))
    if done:
        print(f"{output}: {len(done)} dialogues were answered before the break", flush=True)
    begin = time.monotonic()
    answers = answer_dialogues(loaded, waiting, batch_size, **options)
    with open(output / PARTIAL, "a", encoding="utf-8") as stream:
        for dialogue, answer in progress(zip(waiting, answers), len(waiting), f"answer {output.name}"):
            row = {"id": dialogue.id, "hyp": answer.text, "tokens": answer.tokens, "ended": answer.ended}
            done[dialogue.id] = row | {"looped": answer.looped, "dropped": answer.dropped}
            stream.write(json.dumps(done[dialogue.id], ensure_ascii=False) + "\n")
            stream.flush()
    rows = [done[dialogue.id] for dialogue in dialogues]
    summary = {
        "dialogues": len(rows),
        "seconds": time.monotonic() - begin,
        "looped": sum(row["looped"] for row in rows),
        "cut": sum(not row["ended"] and not row["looped"] for row in rows),
    }
    with open(output / f"{ANSWERS}.new", "w", encoding="utf-8") as stream:
        stream.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    (output / SUMMARY).write_text(json.dumps(summary, indent=1) + "\n", encoding="utf-8")
    os.replace(output / f"{ANSWERS}.new", output / ANSWERS)
    (output / PARTIAL).unlink()
    return summary


def _take_up(path: Path, header: str) -> dict[str, dict]:
    """The rows of a partial file of the same header; any other file is begun anew."""
    lines = path.read_bytes().splitlines(keepends=True) if path.exists() else []
    lines = lines[: len(lines) - (bool(lines) and not lines[-1].endswith(b"\n"))]
    same = bool(lines) and lines[0] == header.encode()
    path.write_bytes(b"".join(lines) if same else header.encode())
    rows = map(json.loads, lines[1:] if same else ())
    return {row["id"]: row for row in rows}


def _seconds(dialogue: Dialogue) -> float:
    """Of all its audio, so that dialogues of like length are answered together."""
    return sum(num_samples(spec) for message in dialogue.messages for spec in message.audios) / SAMPLE_RATE
