"""Dialogues whose question and answer an LLM writes from the labels of a recording."""

import json
import random
from collections import Counter
from collections.abc import Mapping, Sequence

from qwen_audio.chat.values import say_label
from qwen_audio.data.dialogue import Dialogue
from qwen_audio.progress import progress
from qwen_audio.sft.completion import Complete, Refused
from qwen_audio.sft.recordings import Recording, assistant, dialogue, user
from qwen_audio.sft.supported import check_pair, essential, facts_of, parse_pair
from qwen_audio.sft.template import Rejected

TEMPERATURE, MAX_TOKENS = 0.7, 400
_LANGUAGE = {"en": "English", "zh": "Chinese"}
_STYLES = (
    "Ask briefly.",
    "Ask politely.",
    "Ask as in a casual talk.",
    "Ask as someone who needs it for work.",
    "Answer in one short sentence.",
    "Answer in two sentences.",
)
_SHOWN = {  # what is known -> a pair as it is wanted
    "en": (
        {"weather": "thunder"},
        {"question": "What is the weather like where this was recorded?", "answer": "There is thunder."},
    ),
    "zh": ({"天气": "雷声"}, {"question": "录音里的天气怎么样？", "answer": "能听到雷声。"}),
}
_TASK = """You write examples for an assistant that listens to recordings. You are given what is known of one \
recording. Write one question that a user could ask about the recording, and the assistant's answer. Use what is \
given and nothing else. The answer must contain, word for word: {wanted}. The question must not give the answer \
away. Write as if both hear the recording; do not mention labels or data. Write in {language}. {style} Reply with \
one JSON object and nothing else: {{"question": "...", "answer": "..."}}"""


def llm_dialogues(
    recordings: list[Recording],
    tasks: Mapping,
    langs: Sequence[str],
    count: int,
    seed: int,
    complete: Complete,
    model: str,
) -> tuple[list[Dialogue], list[Rejected]]:
    """A question and answer for at most ``count`` examples of each task; the model is asked once for each.

    Args:
        complete: asks the LLM called ``model``.

    Returns:
        The dialogues by task and recording, and what was rejected as (what, id, reason).
    """
    dialogues, rejected = [], []
    for spec in tasks.values():
        rng = random.Random(f"{seed}/llm/{spec.name}")
        found = [(recording, row) for recording in recordings for row in recording.of(spec.name)]
        labels = {row["label"] for _, row in found if "label" in row}
        chosen = sorted(rng.sample(range(len(found)), min(count, len(found))))
        seen, numbers = set(), Counter()
        for at in progress(chosen, len(chosen), f"llm {spec.name}") if chosen else ():
            recording, row = found[at]
            lang, style = rng.choice(list(langs)), rng.choice(_STYLES)
            numbers[recording.utt] += 1
            name = f"{recording.utt}-{spec.name}-llm-{numbers[recording.utt]}"
            request = {
                "model": model,
                "messages": prompt(spec, row, lang, style),
                "seed": rng.randrange(2**31),
                "temperature": TEMPERATURE,
                "max_tokens": MAX_TOKENS,
            }
            try:
                text = complete(request)
            except Refused as refused:
                rejected.append(("answer", name, str(refused)))
                continue
            try:
                question, answer = parse_pair(text)
                others = {say_label(label, lang) for label in labels - {row.get("label")}}
                check_pair(spec, row, lang, question, answer, others)
                if (recording.utt, question) in seen:
                    raise ValueError("asked before: the same question about the same recording")
            except ValueError as fault:
                rejected.append(("answer", name, str(fault)))
                continue
            seen.add((recording.utt, question))
            facts = {"form": "llm", "lang": lang, "rows": [row]}
            messages = [user([recording.audio], question), assistant(answer)]
            dialogues.append(dialogue(name, messages, "llm", spec.name, [row], facts))
    return dialogues, rejected


def prompt(spec, row: dict, lang: str, style: str) -> list[dict]:
    """What the LLM is told, as messages."""
    wanted = ", ".join(json.dumps(text, ensure_ascii=False) for text in essential(spec, row, lang))
    task = _TASK.format(wanted=wanted, language=_LANGUAGE[lang], style=style)
    known = json.dumps(facts_of(spec, row), ensure_ascii=False)
    shown, pair = _SHOWN[lang]
    return [
        {"role": "system", "content": task},
        {"role": "user", "content": f"Known: {json.dumps(shown, ensure_ascii=False)}"},
        {"role": "assistant", "content": json.dumps(pair, ensure_ascii=False)},
        {"role": "user", "content": f"{spec.title}. Known: {known}"},
    ]
