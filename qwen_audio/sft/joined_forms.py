"""Questions about several recordings, and their answers as they follow from the labels.

The phrasings stand in recipes/chat/joined.yaml. A question is asked only where the labels leave one answer.
"""

import functools
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import yaml

from qwen_audio.chat.form import ChatForm, parse_form
from qwen_audio.chat.templates import Alike, alike, plain_word, single_items
from qwen_audio.chat.values import CHAT_DIR, SPOKEN, say_label
from qwen_audio.checkout import need
from qwen_audio.sft.recordings import Recording
from qwen_audio.tags import UNSPACED
from qwen_audio.words import split_words

KINDS = {
    "one": "text", "many": "text", "what": "text", "item": "text", "text": "text", "label": "label",
    "labels": "listed", "a": "number", "b": "number", "which": "number", "how_many": "number",
    "order": "numbers", "same": "yes", "start_s": "seconds", "end_s": "seconds",
}  # fmt: skip
LONGER_RATIO, LONGER_S = 1.25, 0.5  # how much longer a recording is that is called longer
HIGHER = 1  # semitones
WORD_LETTERS = 4  # of a word that is asked for; shorter ones are hard to hear and often part of others


@dataclass(frozen=True)
class Known:
    """A recording with what can be asked of it.

    Attributes:
        labels: task -> label, of tasks that can be compared.
        text, lang: the words spoken and their language; empty where they are not known.
        timed: words that stand once, with their times, in seconds.
        pitch: MIDI pitch; None where it is no note.
        rows: task -> its first example, from which the above is.
    """

    recording: Recording
    labels: dict[str, str]
    text: str
    lang: str
    timed: list[tuple[float, float, str]]
    pitch: int | None
    rows: dict[str, dict]

    @functools.cached_property
    def words(self) -> set[str]:
        return {plain_word(word).casefold() for word in split_words(self.text, self.lang)}


@dataclass(frozen=True)
class About:
    """What a question is about: the label of a task; both are empty where it is about words, length or pitch."""

    task: str = ""
    label: str = ""


@dataclass(frozen=True)
class Asked:
    """What fills a form, and the examples from which the answer follows."""

    values: dict
    rows: list[dict]


@functools.cache
def joined_forms() -> dict[str, ChatForm]:
    """The forms of recipes/chat/joined.yaml by name.

    Raises:
        ValueError: naming the file that is not there, or file and form that are wrong.
    """
    path = need(CHAT_DIR / "joined.yaml")
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    try:
        return {name: parse_form(name, form, KINDS.__getitem__) for name, form in content.items()}
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None


def known(recording: Recording, tasks: Mapping) -> Known:
    """What can be asked of ``recording``. A task with two labels for it says nothing."""
    rows = {row["task"]: row for row in reversed(recording.rows)}
    labels = {}
    for name in rows:
        found = {row.get("label") for row in recording.of(name)}
        if alike(tasks[name]) and len(found) == 1:
            labels[name] = found.pop()
    spoken, timed = rows.get("asr", {}), rows.get("srwt", {})
    return Known(
        recording,
        labels,
        spoken.get("text", ""),
        spoken.get("text_lang", ""),
        single_items(timed.get("words", [])),
        rows.get("mna", {}).get("pitch"),
        rows,
    )


class Asker:
    """Asks about clips, which are ``Audio 1``, ``Audio 2`` … in their order.

    Args:
        tasks: all tasks by name.
        rng: draws what there is to draw.
        lang: language of the question.
    """

    def __init__(self, tasks: Mapping, rng: random.Random, lang: str):
        self.tasks, self.rng, self.lang = tasks, rng, lang

    def ask(self, form: str, clips: list[Known], about: About) -> Asked | None:
        """What fills ``form``; None where it does not fit these clips or they leave no one answer."""
        return ASK[form](self, clips, about)

    def which_label(self, clips, about):
        if len(clips) < 2 or not self._apart(clips, about):
            return None
        places = self._places(clips, about)
        if len(places) != 1:
            return None
        return Asked({"one": self._phrase("one", about), "which": places[0] + 1}, _rows(clips, about.task))

    def how_many(self, clips, about):
        if len(clips) < 2 or not self._apart(clips, about):
            return None
        count = len(self._places(clips, about))
        return Asked({"many": self._phrase("many", about), "how_many": count}, _rows(clips, about.task))

    def same(self, clips, about):
        if len(clips) < 2:
            return None
        a, b = sorted(self.rng.sample(range(len(clips)), 2))
        one, other = (clips[at].labels.get(about.task) for at in (a, b))
        if None in (one, other) or one != other and not self._alike(about).apart(one, other):
            return None
        values = {"what": self._what(about), "a": a + 1, "b": b + 1, "same": one == other}
        return Asked(values, _rows([clips[a], clips[b]], about.task))

    def label(self, clips, about):
        able = [at for at, clip in enumerate(clips) if about.task in clip.labels]
        if not able:
            return None
        at = self.rng.choice(able)
        values = {"what": self._what(about), "a": at + 1, "label": clips[at].labels[about.task]}
        return Asked(values, _rows([clips[at]], about.task))

    def labels(self, clips, about):
        found = [clip.labels.get(about.task) for clip in clips]
        if len(clips) < 2 or None in found or any("," in say_label(label, self.lang) for label in found):
            return None
        return Asked({"what": self._what(about), "labels": found}, _rows(clips, about.task))

    def which_word(self, clips, about):
        if len(clips) < 2 or not all(clip.words for clip in clips):
            return None
        at = self.rng.randrange(len(clips))
        others = set().union(*(clip.words for place, clip in enumerate(clips) if place != at))
        least = 1 if clips[at].lang in UNSPACED else WORD_LETTERS
        alone = sorted(word for word in clips[at].words - others if len(word) >= least)
        if not alone:
            return None
        return Asked({"item": self.rng.choice(alone), "which": at + 1}, _rows(clips, "asr"))

    def which_long(self, clips, about):
        order = self._by_length(clips)
        return Asked({"which": order[-1] + 1}, _rows(clips)) if order else None

    def by_length(self, clips, about):
        order = self._by_length(clips)
        return Asked({"order": [at + 1 for at in order]}, _rows(clips)) if order else None

    def which_high(self, clips, about):
        order = self._by_pitch(clips)
        return Asked({"which": order[-1] + 1}, _rows(clips, "mna")) if order else None

    def by_pitch(self, clips, about):
        order = self._by_pitch(clips)
        return Asked({"order": [at + 1 for at in order]}, _rows(clips, "mna")) if order else None

    def when(self, clips, about):
        able = [at for at, clip in enumerate(clips) if clip.timed]
        if not able:
            return None
        at = self.rng.choice(able)
        start, end, word = self.rng.choice(clips[at].timed)
        return Asked({"item": word, "a": at + 1, "start_s": start, "end_s": end}, _rows([clips[at]], "srwt"))

    def said(self, clips, about):
        able = [at for at, clip in enumerate(clips) if clip.text]
        if not able:
            return None
        at = self.rng.choice(able)
        return Asked({"a": at + 1, "text": clips[at].text}, _rows([clips[at]], "asr"))

    def _alike(self, about: About) -> Alike:
        return alike(self.tasks[about.task])

    def _apart(self, clips: list[Known], about: About) -> bool:
        """Whether of each clip it is sure that it has the label or has it not."""
        found = [clip.labels.get(about.task) for clip in clips]
        return all(
            label is not None and (label == about.label or self._alike(about).apart(label, about.label))
            for label in found
        )

    def _places(self, clips: list[Known], about: About) -> list[int]:
        return [at for at, clip in enumerate(clips) if clip.labels[about.task] == about.label]

    def _phrase(self, key: str, about: About) -> str:
        words = self._alike(about).words[self.lang][key]
        return words.format(label=SPOKEN["label"].say(about.label, self.lang))

    def _what(self, about: About) -> str:
        return self._alike(about).words[self.lang]["what"]

    def _by_length(self, clips: list[Known]) -> list[int] | None:
        lengths = [clip.recording.seconds for clip in clips]
        return _order(lengths, lambda a, b: b >= max(a * LONGER_RATIO, a + LONGER_S))

    def _by_pitch(self, clips: list[Known]) -> list[int] | None:
        pitches = [clip.pitch for clip in clips]
        return None if None in pitches else _order(pitches, lambda a, b: b >= a + HIGHER)


ASK: dict[str, Callable] = {
    name: getattr(Asker, name)
    for name in ("which_label", "how_many", "same", "label", "labels", "which_word", "which_long",
                 "which_high", "by_length", "by_pitch", "when", "said")
}  # fmt: skip
LABEL_FORMS = ("which_label", "how_many", "same", "label", "labels")  # ask about the label of a task
ONE_CLIP = ("label", "said", "when")  # ask about one recording of all
_TOPICS = {"which_long": "length", "by_length": "length", "which_high": "pitch", "by_pitch": "pitch"}


def tells(first: str, asked: Asked, last: str, later: Asked) -> bool:
    """Whether the answer to a first question may tell that to a later one, which is then not listened for.

    A label tells of other labels, words tell the language; of one recording it says nothing about another.
    """
    if _TOPICS.get(first) != _TOPICS.get(last):
        return False
    apart = first in ONE_CLIP and last in ONE_CLIP and asked.values["a"] != later.values["a"]
    return not apart


def _order(values: list, more: Callable) -> list[int] | None:
    """Places from the least to the most; None where two are too near or there is but one."""
    order = sorted(range(len(values)), key=values.__getitem__)
    clear = all(more(values[a], values[b]) for a, b in zip(order, order[1:], strict=False))
    return order if clear and len(values) > 1 else None


def _rows(clips: list[Known], task: str = "") -> list[dict]:
    """The examples of ``task``; a length follows from the recordings alone."""
    return [clip.rows[task] for clip in clips if task]
