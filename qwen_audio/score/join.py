"""Join what was decoded with its references, by task, language and question."""

from dataclasses import dataclass, field
from pathlib import Path

from qwen_audio.data.json_rows import read_rows
from qwen_audio.score.registry import name_some
from qwen_audio.task_fields import LANGUAGE
from qwen_audio.task_folders import find_task
from qwen_audio.task_spec import TaskSpec


@dataclass
class Group:
    """What was asked of one task in one language (or language pair).

    Attributes:
        lang: language of the texts; ``name`` is ``es-en`` where audio and text differ.
        rows: request (see :func:`request_key`) -> its examples: each is one reference.
        hyps: request -> the row that the decoder wrote; with ``missing`` where it wrote none.
    """

    spec: TaskSpec
    lang: str
    name: str
    rows: dict[str, list[dict]] = field(default_factory=dict)
    hyps: dict[str, dict] = field(default_factory=dict)


def read_groups(examples: Path, hyp: Path, tasks: dict[str, TaskSpec], missing: str = "error") -> list[Group]:
    """Join references and hypotheses on (utt, task, all that fills the prompt: languages, question).

    A group of which nothing was decoded is returned without hypotheses.

    Args:
        missing: ``empty`` takes a request that was not decoded as the empty text.

    Raises:
        ValueError: unknown task, a hypothesis that lacks its question, stands twice or has no reference, a
            group decoded in part.
    """
    groups: dict[tuple, Group] = {}
    for row in read_rows(examples, ("utt", "task")):
        spec = find_task(row["task"], tasks, examples)
        spec.check(row)
        group = groups.setdefault(group_key(spec, row), new_group(spec, row))
        group.rows.setdefault(request_key(spec, row), []).append(row)
    for row in read_rows(hyp, ("utt", "task", "hyp")):
        spec = find_task(row["task"], tasks, hyp)
        lacking = [name for name in asked_fields(spec) if name not in row]
        if lacking:
            lacks = ", ".join(lacking)
            raise ValueError(f"{hyp}: {row['utt']} ({row['task']}) lacks {lacks}; decode it again")
        group, request = groups.get(group_key(spec, row)), request_key(spec, row)
        if not group or request not in group.rows:
            raise ValueError(f"{hyp}: {request} ({row['task']}) has no reference in {examples}")
        if request in group.hyps:
            raise ValueError(f"{hyp}: {request} ({row['task']}) stands twice; decode it once")
        group.hyps[request] = row
    for group in groups.values():
        lacking = [request for request in group.rows if request not in group.hyps]
        if not group.hyps or not lacking:
            continue
        if missing != "empty":
            raise ValueError(
                f"{hyp}: {group.spec.name} {group.name} lacks {name_some(lacking)}; decode them, "
                "or add --missing empty to score them as empty"
            )
        group.hyps.update({request: {"hyp": "", "missing": True} for request in lacking})
    return [groups[key] for key in sorted(groups)]


def new_group(spec: TaskSpec, row: dict) -> Group:
    """A group without rows, for ``row`` and all that are asked the same of it."""
    lang = row.get("text_lang", "en")
    return Group(spec, lang, f"{row['audio_lang']}-{lang}" if _pair(spec, row) else lang)


def group_key(spec: TaskSpec, row: dict) -> tuple:
    """Only languages that the prompt asks for tell groups apart; elsewhere a row may leave them out."""
    return spec.name, *(row.get(lang) for lang in LANGUAGE.names if lang in spec.prompt_fields)


def request_key(spec: TaskSpec, row: dict) -> str:
    """What tells requests of a group apart: the utterance, with the question where the prompt holds one."""
    return " ".join([row["utt"], *(str(row[name]) for name in asked_fields(spec))])


def asked_fields(spec: TaskSpec) -> list[str]:
    """What fills the prompt besides languages."""
    return [name for name in spec.prompt_fields if name not in LANGUAGE.names]


def _pair(spec: TaskSpec, row: dict) -> bool:
    return "audio_lang" in spec.prompt_fields and row["audio_lang"] != row.get("text_lang", "en")
