"""Answer the last question of every dialogue of some sets: SET/answers.jsonl."""

import json
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from qwen_audio.audio import SAMPLE_RATE, num_samples
from qwen_audio.chat.answers import answer_dialogues
from qwen_audio.data.dialogue import ASSISTANT, Dialogue
from qwen_audio.data.json_rows import ResumedRows, write_rows
from qwen_audio.infer.load import LoadedModel
from qwen_audio.progress import progress

ANSWERS, PARTIAL, SUMMARY = "answers.jsonl", "answers.partial.jsonl", "summary.json"


def answer_sets(
    loaded: LoadedModel,
    sets: Mapping[str, Sequence[Dialogue]],
    output: str | Path,
    label: str,
    batch_size: int = 64,
    **options,
) -> dict:
    """Write ``output``/SET/answers.jsonl, a row {"set", "id", "hyp", "tokens", "ended", "looped", "dropped"} each.

    Dialogues of all sets are answered together: those whose answers are about as long. Rows are added to
    ``output``/answers.partial.jsonl as they come; called again after a break with the same arguments, it goes on
    from there. Each answers.jsonl appears, complete and in the order of its dialogues, at the end.

    Args:
        label: what identifies the model and the dialogues.
        options: of the search, as of ChatSession.

    Returns:
        what ``output``/summary.json holds: dialogues, seconds (of this call), looped, cut.
    """
    output = Path(output)
    output.mkdir(parents=True, exist_ok=True)
    of = {"label": label, "batch_size": batch_size, "options": options}
    partial = ResumedRows(output / PARTIAL, of, lambda row: (row["set"], row["id"]))
    done = partial.done
    waiting = [(name, item) for name, found in sets.items() for item in found if (name, item.id) not in done]
    waiting.sort(key=lambda entry: _like(*entry))
    if done:
        print(f"{output}: {len(done)} dialogues were answered before the break", flush=True)
    begin = time.monotonic()
    answers = answer_dialogues(loaded, (dialogue for _, dialogue in waiting), batch_size, **options)
    with partial:
        for (name, dialogue), answer in progress(zip(waiting, answers), len(waiting), f"answer {output}"):
            row = {"set": name, "id": dialogue.id, "hyp": answer.text, "tokens": answer.tokens}
            row |= {"ended": answer.ended, "looped": answer.looped, "dropped": answer.dropped}
            partial.add(row)
    rows = {name: [done[name, dialogue.id] for dialogue in found] for name, found in sets.items()}
    every = [row for found in rows.values() for row in found]
    summary = {
        "dialogues": len(every),
        "seconds": time.monotonic() - begin,
        "looped": sum(row["looped"] for row in every),
        "cut": sum(not row["ended"] and not row["looped"] for row in every),
    }
    (output / SUMMARY).write_text(json.dumps(summary, indent=1) + "\n", encoding="utf-8")
    for name, found in rows.items():
        (output / name).mkdir(exist_ok=True)
        write_rows(output / name / ANSWERS, found)
    partial.path.unlink()
    return summary


def _like(name: str, dialogue: Dialogue) -> tuple:
    """Sorts what is worth answering together: like long answers, by the right one in powers of two, then like
    long audio. In a batch of answers of one length none goes on alone; the answers themselves do not depend on it.
    """
    last = dialogue.messages[-1]
    wanted = len(last.text) if last.role == ASSISTANT else 0
    samples = sum(num_samples(spec) for message in dialogue.messages for spec in message.audios)
    return -wanted.bit_length(), -samples / SAMPLE_RATE, name, dialogue.id
