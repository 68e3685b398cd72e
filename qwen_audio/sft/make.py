"""Write the dialogues of a prepared set: dialogues.jsonl, what was rejected, and how many of each."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from qwen_audio.data.dialogue import Audio, Dialogue, read_dialogues, write_dialogues
from qwen_audio.sft.completion import Complete
from qwen_audio.sft.joined import joined_dialogues
from qwen_audio.sft.llm import llm_dialogues
from qwen_audio.sft.recordings import read_recordings
from qwen_audio.sft.template import template_dialogues

SOURCES = ("template", "joined", "llm")
COUNT = 100  # dialogues of a form, where all there could be are too many


def make_sft(
    data: Path,
    out: Path,
    tasks: Mapping,
    sources: Sequence[str] = ("template", "joined"),
    langs: Sequence[str] = ("en", "zh"),
    count: int | None = None,
    seed: int = 0,
    text: Path | None = None,
    complete: Complete | None = None,
    model: str = "",
) -> dict:
    """Make dialogues of the recordings of ``data`` alone; the same arguments give the same files.

    Args:
        data: a prepared set, dump/raw/SET.
        out: folder for dialogues.jsonl, rejected.tsv (what, id, reason) and summary.json.
        sources: of SOURCES.
        langs: languages of the dialogues, drawn for each.
        count: most dialogues of each form of each task (of template, of each of its languages too); None is all
            of template, and COUNT of joined and llm.
        text: dialogues without audio that are added as they are, with source ``text``, where any with audio are made.
        complete, model: the LLM, where ``llm`` is among the sources.

    Returns:
        The content of summary.json: ``dialogues`` by source, task and form, and ``rejected`` by reason. A set
        whose labels give no dialogue, such as one clip of a task that asks nothing, has an empty dialogues.jsonl.

    Raises:
        ValueError: ``count`` below 1, broken input, or a text dialogue with audio.
    """
    if count is not None and count < 1:
        raise ValueError(f"--count {count}; write 1 or more")
    recordings = read_recordings(data, tasks)
    made: list[Dialogue] = []
    rejected = []
    if "template" in sources:
        _add(made, rejected, template_dialogues(recordings, tasks, langs, count, seed))
    if "joined" in sources:
        _add(made, rejected, joined_dialogues(recordings, tasks, langs, count or COUNT, seed))
    if "llm" in sources:
        llm = llm_dialogues(recordings, tasks, langs, count or COUNT, seed, complete, model)
        _add(made, rejected, llm)
    texts = text_dialogues(text) if text else []
    made += texts if made else []
    names = Counter(dialogue.id for dialogue in made)
    twice = next((name for name, times in names.items() if times > 1), None)
    if twice:
        raise ValueError(f"the id {twice!r} comes twice; rename it in {text or data}")
    return _write(Path(out), made, rejected)


def text_dialogues(path: Path) -> list[Dialogue]:
    """Dialogues of ``path`` that hold text alone, marked as such.

    Raises:
        ValueError: naming the dialogue that holds audio, or ends before the assistant has answered.
    """
    found = []
    for dialogue in read_dialogues(path):
        if any(isinstance(part, Audio) for message in dialogue.messages for part in message.parts):
            raise ValueError(f"{path}: {dialogue.id} holds audio; --text takes dialogues of text alone")
        if dialogue.messages[-1].role != "assistant":
            raise ValueError(f"{path}: {dialogue.id} ends with the {dialogue.messages[-1].role}; answer it")
        found.append(
            Dialogue(dialogue.id, dialogue.messages, dialogue.about | {"source": "text", "task": "text"})
        )
    return found


def _add(made: list, rejected: list, found: tuple[list, list]) -> None:
    made += found[0]
    rejected += found[1]


def _write(out: Path, made: list[Dialogue], rejected: list) -> dict:
    out.mkdir(parents=True, exist_ok=True)
    write_dialogues(out / "dialogues.jsonl", made)
    lines = ("\t".join(" ".join(part.split()) for part in row) + "\n" for row in rejected)
    (out / "rejected.tsv").write_text("".join(lines), encoding="utf-8")
    forms = Counter(_stream(dialogue) for dialogue in made)
    reasons = Counter(reason.split(":", 1)[0] for _, _, reason in rejected)
    summary = {
        "dialogues": {"all": len(made), **dict(sorted(forms.items()))},
        "rejected": {"all": len(rejected), **dict(reasons.most_common())},
    }
    (out / "summary.json").write_text(json.dumps(summary, indent=1) + "\n", encoding="utf-8")
    return summary


def _stream(dialogue: Dialogue) -> str:
    about = dialogue.about
    parts = (about["source"], about["task"], about.get("facts", {}).get("form"))
    return "/".join(dict.fromkeys(filter(None, parts)))
