"""Dialogues over two to four recordings of a set: find, count, compare, order, and ask again about an earlier one.

A dialogue has one or two questions. In one with two, the first is about the recordings given so far, and the
second may come with further ones. The exact answer to the last question stands in its facts.
"""

import random
from collections import defaultdict
from collections.abc import Mapping, Sequence

from qwen_audio.chat.templates import alike
from qwen_audio.data.dialogue import Dialogue
from qwen_audio.sft.joined_forms import (
    ASK,
    LABEL_FORMS,
    About,
    Asked,
    Asker,
    Known,
    joined_forms,
    known,
    tells,
)
from qwen_audio.sft.recordings import Recording, assistant, dialogue, user
from qwen_audio.sft.template import Rejected, readable

MOST_CLIPS = 4
MOST_SECONDS = 30.0  # of all recordings of a dialogue together
TWO_TURNS = 0.4  # share of the dialogues that have two questions
TRIES = 50  # draws of recordings for one dialogue


def joined_dialogues(
    recordings: list[Recording], tasks: Mapping, langs: Sequence[str], count: int, seed: int
) -> tuple[list[Dialogue], list[Rejected]]:
    """``count`` dialogues of each form of last question that the set's labels can answer.

    Returns:
        The dialogues by form, and what was rejected as (what, id, reason).
    """
    pool = Pool([known(recording, tasks) for recording in recordings], tasks)
    dialogues, rejected = [], []
    for form in joined_forms():
        rng = random.Random(f"{seed}/joined/{form}")
        seen = set()
        for number in range(count if pool.able(form) else 0):
            name = f"joined-{form}-{number:05d}"
            made = _one(name, form, pool, tasks, rng.choice(list(langs)), rng, seen)
            if made:
                dialogues.append(made)
            else:
                rejected.append(
                    ("dialogue", name, f"no recordings found: in {TRIES} draws none fits or is new")
                )
    return dialogues, rejected


def _one(name, form, pool, tasks, lang, rng, seen) -> Dialogue | None:
    asker = Asker(tasks, rng, lang)
    for _ in range(TRIES):
        clips, about = pool.draw(form, rng)
        if sum(clip.recording.seconds for clip in clips) > MOST_SECONDS:
            continue
        asked = asker.ask(form, clips, about)
        if asked is None:
            continue
        question, answer = _phrase(form, asked, lang, rng)
        key = (question, *(clip.recording.utt for clip in clips))
        if key in seen or not readable(joined_forms()[form], answer, asked.values):
            continue
        seen.add(key)
        return _dialogue(name, form, clips, asked, (question, answer), asker)
    return None


def _dialogue(name, form, clips: list[Known], asked: Asked, last, asker: Asker) -> Dialogue:
    rng, lang = asker.rng, asker.lang
    audio = [clip.recording.audio for clip in clips]
    messages, given = [], 0
    if rng.random() < TWO_TURNS:
        given = rng.randint(1, len(clips))
        first = _first_question(form, asked, clips[:given], asker)
        if first:
            question, answer = first
            messages = [user(audio[:given], question), assistant(answer)]
        else:
            given = 0
    messages += [user(audio[given:], last[0]), assistant(last[1])]
    told = sorted(joined_forms()[form].told)
    facts = {"form": form, "lang": lang, "values": {key: asked.values[key] for key in told}}
    if "text" in told:
        facts["text_lang"] = asked.rows[0]["text_lang"]
    facts["utts"] = [clip.recording.utt for clip in clips]
    return dialogue(name, messages, "joined", "joined", asked.rows, facts)


def _first_question(last: str, later: Asked, clips: list[Known], asker: Asker) -> tuple[str, str] | None:
    """Question and answer about ``clips`` that do not tell the last answer; None where no form fits them."""
    rng = asker.rng
    forms = list(ASK)
    rng.shuffle(forms)
    for form in forms:
        clip = rng.choice(clips)
        task = rng.choice(sorted(clip.labels)) if clip.labels and form in LABEL_FORMS else ""
        if form in LABEL_FORMS and not task:
            continue
        asked = asker.ask(form, clips, About(task, clip.labels.get(task, "")))
        if asked and not tells(form, asked, last, later):
            phrased = _phrase(form, asked, asker.lang, rng)
            if readable(joined_forms()[form], phrased[1], asked.values):
                return phrased
    return None


def _phrase(form: str, asked: Asked, lang: str, rng: random.Random) -> tuple[str, str]:
    found = joined_forms()[form]
    return found.turn(rng.randrange(len(found.ask[lang])), lang, asked.values)


class Pool:
    """The recordings of a set, and how they are drawn so that no answer is much more frequent than others."""

    def __init__(self, clips: list[Known], tasks: Mapping):
        self.clips, self.tasks = clips, tasks
        self.by_label: dict[str, dict[str, list[Known]]] = defaultdict(lambda: defaultdict(list))
        for clip in clips:
            for task, label in clip.labels.items():
                self.by_label[task][label].append(clip)
        self.by_label = {task: found for task, found in self.by_label.items() if len(found) > 1}
        self.able_clips = {
            "which_word": [clip for clip in clips if clip.words],
            "when": [clip for clip in clips if clip.timed],
            "said": [clip for clip in clips if clip.text],
            "which_high": [clip for clip in clips if clip.pitch is not None],
        }
        self.able_clips["by_pitch"] = self.able_clips["which_high"]

    def able(self, form: str) -> bool:
        """Whether the set has labels for ``form``."""
        if form in LABEL_FORMS:
            return bool(self.by_label)
        return len(self.able_clips.get(form, self.clips)) > 1

    def draw(self, form: str, rng: random.Random) -> tuple[list[Known], About]:
        """Two to four recordings in any order, and what the question is to be about."""
        count = rng.randint(2, MOST_CLIPS)
        if form not in LABEL_FORMS:
            clips = self.able_clips.get(form, self.clips)
            return rng.sample(clips, min(count, len(clips))), About()
        task = rng.choice(sorted(self.by_label))
        found = self.by_label[task]
        label = rng.choice(sorted(found))
        apart = [
            clip
            for other, clips in sorted(found.items())
            if alike(self.tasks[task]).apart(label, other)
            for clip in clips
        ]
        if form == "same" and rng.random() < 0.5:
            count, having = 2, 2
        else:
            having = {"which_label": 1, "same": 1, "how_many": rng.randint(0, count)}.get(
                form, rng.randint(0, count)
            )
        having = min(having, len(found[label]))
        clips = rng.sample(found[label], having) + rng.sample(apart, min(count - having, len(apart)))
        rng.shuffle(clips)
        return clips, About(task, label)
