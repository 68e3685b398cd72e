"""Join what was decoded with its references, by task and language."""

import difflib
from dataclasses import dataclass, field
from pathlib import Path

from qwen_audio.score.files import read_rows
from qwen_audio.score.registry import name_some
from qwen_audio.task_spec import TaskSpec


@dataclass
class Group:
    """The utterances of one task in one language (or language pair).

    Attributes:
        lang: language of the texts; ``name`` is ``es-en`` where audio and text differ.
        rows: utterance -> its examples: each is one reference.
        hyps: utterance -> the row that the decoder wrote; with ``missing`` where it wrote none.
    """

    spec: TaskSpec
    lang: str
    name: str
    rows: dict[str, list[dict]] = field(default_factory=dict)
    hyps: dict[str, dict] = field(default_factory=dict)


def read_groups(examples: Path, hyp: Path, tasks: dict[str, TaskSpec], missing: str = "error") -> list[Group]:
    """Join references and hypotheses on (utt, task, languages that the prompt names).

    A group of which nothing was decoded is returned without hypotheses.

    Args:
        missing: ``empty`` takes an utterance that was not decoded as the empty text.

    Raises:
        ValueError: unknown task, a hypothesis that stands twice or has no reference, a group decoded in part.
    """
    groups: dict[tuple, Group] = {}
    for row in read_rows(examples, ("utt", "task")):
        spec = _task(row["task"], tasks, examples)
        spec.check(row)
        lang = row.get("text_lang", "en")
        name = f"{row['audio_lang']}-{lang}" if _pair(spec, row) else lang
        group = groups.setdefault(group_key(spec, row), Group(spec, lang, name))
        group.rows.setdefault(row["utt"], []).append(row)
    for row in read_rows(hyp, ("utt", "task", "hyp")):
        group = groups.get(group_key(_task(row["task"], tasks, hyp), row))
        if not group or row["utt"] not in group.rows:
            raise ValueError(f"{hyp}: {row['utt']} ({row['task']}) has no reference in {examples}")
        if row["utt"] in group.hyps:
            raise ValueError(f"{hyp}: {row['utt']} ({row['task']}) stands twice; decode it once")
        group.hyps[row["utt"]] = row
    for group in groups.values():
        lacking = [utt for utt in group.rows if utt not in group.hyps]
        if not group.hyps or not lacking:
            continue
        if missing != "empty":
            raise ValueError(
                f"{hyp}: {group.spec.name} {group.name} lacks {name_some(lacking)}; decode them, "
                "or add --missing empty to score them as empty"
            )
        group.hyps.update({utt: {"hyp": "", "missing": True} for utt in lacking})
    return [groups[key] for key in sorted(groups)]


def group_key(spec: TaskSpec, row: dict) -> tuple:
    """Only languages that the prompt asks for tell groups apart; elsewhere a row may leave them out."""
    return spec.name, *(
        row.get(lang) for lang in ("audio_lang", "text_lang") if "{" + lang + "}" in spec.prompt
    )


def _pair(spec: TaskSpec, row: dict) -> bool:
    return "{audio_lang}" in spec.prompt and row["audio_lang"] != row.get("text_lang", "en")


def _task(name: str, tasks: dict[str, TaskSpec], path: Path) -> TaskSpec:
    if name in tasks:
        return tasks[name]
    near = difflib.get_close_matches(name, tasks, 1)
    hint = f", did you mean {near[0]!r}?" if near else ""
    raise ValueError(f"{path}: task {name!r} is unknown{hint}; recipes/tasks/ has {', '.join(tasks)}")
