"""What a model made of the clips of a set, read from what `qwen-audio decode` left of it."""

import json
from pathlib import Path

from qwen_audio.data.json_rows import read_rows
from qwen_audio.infer.decode import HYP, SUMMARY
from qwen_audio.infer.load import LoadedModel
from qwen_audio.infer.options import InferenceConfig
from qwen_audio.infer.time_words import joined
from qwen_audio.infer.timed import Timed
from qwen_audio.task_spec import load_tasks
from qwen_audio.words import parse_words


def own_words(decoded: Path, loaded: LoadedModel, label: str) -> dict[tuple[str, str], str]:
    """(utterance, language) -> the model's transcript; empty where ``decoded`` is missing or another model's.

    Transcripts are the answers to asr; where there is none, the words of srwt, if an aligning timestamp head
    made these of a transcript too.

    Args:
        decoded: folder with hyp.jsonl and summary.json.
        label: what identifies the model, as ``decode`` had it.
    """
    if not (decoded / HYP).is_file() or not (decoded / SUMMARY).is_file():
        return {}
    if json.loads((decoded / SUMMARY).read_text(encoding="utf-8")).get("of", {}).get("model") != label:
        print(f"{decoded / HYP} is of other weights: the words are decoded again", flush=True)
        return {}
    specs = load_tasks()
    timed = Timed(loaded, InferenceConfig(), specs)
    task = timed.head.task if timed.head else "asr"
    plain, aligned = {}, {}
    for row in read_rows(decoded / HYP, ("utt", "task", "hyp")):
        key = row["utt"], row.get("audio_lang")
        if row["task"] == task and row.get("text_lang") == key[1]:
            plain[key] = row["hyp"].strip()
        elif row["task"] in specs and timed.answers(row["task"]):
            words = parse_words(row["hyp"]) or []
            aligned[key] = joined((word for _, _, word in words), key[1])
    return aligned | plain
