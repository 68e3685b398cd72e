"""One task = one YAML file: recipes/tasks/NAME.yaml, or tasks/NAME.yaml of a recipe, ties prompt, target, parser and
metrics together.

Training prompt and decoding prompt come from the same line of it, so they cannot drift apart. In prompt and
target, ``{field}`` stands for a field of the example; ``kinds`` says what a field is that is not plain text
(qwen_audio/task_fields.py). A target that is the word ``words`` writes word times as the paper does: start
token, word, end token.
"""

import functools
import re
from dataclasses import dataclass, field
from pathlib import Path

import yaml

from qwen_audio.chat.templates import check_apart, check_chat
from qwen_audio.checkout import need
from qwen_audio.registry import nearest
from qwen_audio.tags import AUDIO_BEGIN, AUDIO_END, AUDIO_PAD, tag
from qwen_audio.task_checks import check_values
from qwen_audio.task_fields import KINDS, LANGUAGE, Kind, Maybe, Pieces, spaced_words
from qwen_audio.task_folders import TASKS_DIR, task_folders
from qwen_audio.task_template import Template

GROUPS = ("speech", "sound", "music")
WORDS = "words"


@dataclass(frozen=True)
class TaskSpec:
    """Everything one task is; docs/tasks.md has every key of its file.

    Attributes:
        path: its file.
        prompt: tags after the audio, with ``{audio_lang}``, ``{text_lang}`` and fields to fill in.
        target: what the model is to write.
        metrics: each ``{metric, protocol?, field?}``; the names of qwen_audio/score/.
        baseline: the trivial system printed beside the score.
        optional: end of the target, which is written for examples that have its fields.
        kinds: field -> name of its kind, for fields that are not plain text.
        example: values to show; fields it leaves out show their kind's.
        datasets: public datasets known to serve the task.
        chat: forms of question and answer, see qwen_audio/chat/templates.py.
    """

    name: str
    title: str
    group: str
    source: str
    prompt: str
    target: str
    metrics: tuple[dict, ...]
    baseline: str
    max_new_tokens: int
    path: Path
    optional: str = ""
    kinds: dict[str, str] = field(default_factory=dict)
    example: dict = field(default_factory=dict)
    datasets: tuple[str, ...] = ()
    chat: dict = field(default_factory=dict)

    @property
    def fields(self) -> list[str]:
        """The keys an example must have besides ``utt`` and ``task``."""
        return list(dict.fromkeys(self._prompt.names + self._target.names))

    @property
    def optional_fields(self) -> list[str]:
        """The keys an example may have, all of them or none."""
        return self._optional.names

    @property
    def prompt_fields(self) -> list[str]:
        """Fields of an example that fill the prompt."""
        return list(dict.fromkeys(self._prompt.names))

    @property
    def transcribes(self) -> bool:
        """Whether the answer is the spoken words, in the spoken language, with or without times."""
        return self.target in ("{text}", WORDS) and tag("transcribe") in self.prompt

    def transcript(self, row: dict) -> str | None:
        """The words spoken, where the answer holds them: what CTC is to write."""
        if not self.transcribes:
            return None
        return "".join(spaced_words(row[WORDS], row["text_lang"])) if self.target == WORDS else row["text"]

    def sentences(self, row: dict) -> list[str]:
        """The sentences that its answer holds: the transcript, a translation, or what each of several speakers says.

        None of a row that ``check`` refuses.
        """
        if not any(tag(told) in self.prompt for told in ("transcribe", "translate")):
            return []
        try:
            self.check(row)
        except ValueError:
            return []
        if self.transcribes:
            return [self.transcript(row)]
        held = [row[name] for name in self._target.names]
        return [text for value in held for text in ([value] if isinstance(value, str) else value)]

    def stream(self, row: dict) -> str:
        """What training weighs and reports by itself: ``asr/en``, ``s2tt/es-en``, or the task's name."""
        languages = [row[key] for key in LANGUAGE.names if key in self._prompt.names]
        return "/".join([self.name, "-".join(dict.fromkeys(languages))]) if languages else self.name

    def kind(self, name: str) -> Kind:
        """The kind of field ``name``."""
        if name in LANGUAGE.names:
            return LANGUAGE
        return KINDS[self.kinds.get(name, WORDS if self.target == name == WORDS else "text")]

    def sample(self) -> dict:
        """An example with a value for every field, the optional ones included."""
        names = [*self.fields, *self.optional_fields]
        return {name: self.kind(name).sample for name in names} | self.example

    def check(self, row: dict) -> None:
        """Raises: ValueError naming the field of ``row`` that is missing or wrong, and what to write.

        What passes is given back by ``parse(target_text(row))``, white space around texts aside.
        """
        for name in [*self.fields, *(self.optional_fields if self._has_optional(row) else ())]:
            if name not in row:
                raise ValueError(f"task {self.name} needs the field {name!r}; the example has {sorted(row)}")
            fault = self.kind(name).fault(row[name]) or self._delimiter(name, row[name])
            if fault:
                whose = "" if name in LANGUAGE.names else f" of task {self.name}"
                raise ValueError(f"field {name!r}{whose} {fault}")
        for template in self._written(row):
            for names, stray in template.stray_tags(row):
                raise ValueError(f"{', '.join(names)} of task {self.name}: there is no token {stray}")

    def prompt_pieces(self, row: dict) -> Pieces:
        """Everything before the answer as (text, is_tag): the audio's place, then the prompt."""
        audio = [(AUDIO_BEGIN, True), (AUDIO_PAD, True), (AUDIO_END, True)]
        return audio + self._prompt.fill(row)

    def target_pieces(self, row: dict) -> Pieces:
        """What the model is to write for ``row`` as (text, is_tag), without the end-of-text token."""
        return [piece for template in self._written(row) for piece in template.fill(row)]

    def prompt_text(self, row: dict) -> str:
        """The prompt as the released evaluation writes it after ``<audio>PATH</audio>``."""
        return _join(self._prompt.fill(row))

    def target_text(self, row: dict) -> str:
        """What the model is to write for ``row``, as one string."""
        return _join(self.target_pieces(row))

    def parse(self, text: str) -> dict | None:
        """Read the fields back from what a model wrote; None where it is malformed."""
        match = self._pattern.fullmatch(text.strip())
        if not match:
            return None
        written = {name: value for name, value in match.groupdict().items() if value is not None}
        found = {name: self.kind(name).read(value) for name, value in written.items()}
        return None if None in found.values() else found

    @property
    def output_form(self) -> str:
        """The target for people: ``<|scenario|>SCENARIO<|action|>ACTION``; what is optional in brackets."""
        form = self._target.text + (f"[{self.optional}]" if self.optional else "")
        names = self._target.names + self.optional_fields
        return form.format(**{name: self.kind(name).written or name.upper() for name in names})

    @property
    def form(self) -> tuple:
        """What an answer looks like token by token: parts of qwen_audio/task_fields.py, for a grammar."""
        return (*self._target.form, *([Maybe(self._optional.form)] if self.optional else []))

    @functools.cached_property
    def _prompt(self) -> Template:
        return Template(self.prompt, self.kind)

    @functools.cached_property
    def _target(self) -> Template:
        return Template(f"{{{WORDS}}}" if self.target == WORDS else self.target, self.kind)

    @functools.cached_property
    def _optional(self) -> Template:
        return Template(self.optional, self.kind)

    def _has_optional(self, row: dict) -> bool:
        return any(name in row for name in self.optional_fields)

    def _written(self, row: dict) -> list[Template]:
        """The parts of the answer for ``row``."""
        return [self._target, self._optional] if self._has_optional(row) else [self._target]

    def _delimiter(self, name: str, value) -> str:
        """Why a text may not be written into this target: a tag of the target in it would be read as one."""
        inside = isinstance(value, str) and name in self._target.names + self.optional_fields
        found = self._tags.search(value) if inside and self._tags else None
        return f"holds {found.group()}, which is a tag of the answer; take it out" if found else ""

    @functools.cached_property
    def _tags(self) -> re.Pattern | None:
        patterns = self._target.tag_patterns + self._optional.tag_patterns
        return re.compile("|".join(patterns)) if patterns else None

    @functools.cached_property
    def _pattern(self) -> re.Pattern:
        tail = f"(?:{self._optional.pattern})?" if self.optional else ""
        return re.compile(self._target.pattern + tail, re.DOTALL)

    def check_templates(self) -> None:
        """Raises: ValueError naming what of prompt, target, kinds and example does not fit together."""
        for name, kind in self.kinds.items():
            if kind not in KINDS:
                raise ValueError(f"kinds.{name} is {kind!r}{nearest(kind, KINDS)}")
        for key in ("kinds", "example"):
            for name in getattr(self, key):
                if name not in self.fields + self.optional_fields:
                    raise ValueError(f"{key}.{name}: prompt and target have no field {{{name}}}")
        sample = self.sample()
        for template in (self._prompt, self._target, self._optional):
            template.check(sample)
        Template(self._target.text + self.optional, self.kind).check_readable()
        self.check(sample)
        check_chat(self)


def task_of(stream: str) -> str:
    """``asr/en`` -> ``asr``: the first part of what ``TaskSpec.stream`` wrote."""
    return stream.partition("/")[0]


def load_tasks(*folders: Path) -> dict[str, TaskSpec]:
    """All tasks by name, those of ``folders`` or of task_folders().

    Raises:
        ValueError: if there is no such folder; naming the file and the key that is unknown, missing, or no special
            token; naming both files of a task that stands in two.
    """
    tasks: dict[str, TaskSpec] = {}
    for folder in folders or task_folders():
        for path in sorted(need(Path(folder)).glob("*.yaml")):
            spec = _load(path)
            if spec.name in tasks:
                raise ValueError(
                    f"{path}: the task {spec.name!r} stands in {tasks[spec.name].path} too; rename one"
                )
            tasks[spec.name] = spec
    check_apart(tasks)
    return tasks


def _load(path: Path) -> TaskSpec:
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except yaml.YAMLError as error:
        raise ValueError(f"{path}: no YAML: {error}") from None
    if not isinstance(content, dict):
        raise ValueError(f"{path}: write `key: value` lines, as in {TASKS_DIR / 'sec.yaml'}")
    known = [key for key in TaskSpec.__dataclass_fields__ if key != "path"]
    for key in content:
        if key not in known:
            raise ValueError(f"{path}: unknown key {key!r}; known: {', '.join(known)}")
    try:
        check_values(content)
        for key in ("metrics", "datasets"):
            content[key] = tuple(content.get(key, ()))
        spec = TaskSpec(**content, path=path)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{path}: {error}") from None
    if spec.name != path.stem:
        raise ValueError(f"{path}: name is {spec.name!r}; it must be the file's name, {path.stem!r}")
    if spec.group not in GROUPS:
        raise ValueError(f"{path}: group {spec.group!r}; write one of {', '.join(GROUPS)}")
    try:
        spec.check_templates()
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None
    return spec


def _join(pieces: Pieces) -> str:
    return "".join(text for text, _ in pieces)
