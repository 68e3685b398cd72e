"""Stage 6: dialogues to token ids (``dump/tokens_sft/SET``), in ChatML, with the tokenizer of the run."""

from collections import Counter
from collections.abc import Mapping
from pathlib import Path

from qwen_audio.audio import num_samples
from qwen_audio.chat.chatml import encode_dialogue
from qwen_audio.data.dialogue import SOURCES, Dialogue, read_dialogues
from qwen_audio.data.token_set_writer import TokenSetWriter
from qwen_audio.progress import progress
from qwen_audio.task_spec import TaskSpec, load_tasks
from qwen_audio.tokenizer import Tokenizer

DIALOGUES = "dialogues.jsonl"
TEMPLATE, _, JOINED, TEXT = SOURCES


def stream(dialogue: Dialogue, tasks: Mapping[str, TaskSpec]) -> str:
    """The training stream of a dialogue: ``text`` if it has no audio, else its source and task.

    Such as ``template/asr/en`` or ``llm/sec``, with the languages of the example it was made from where its task has
    them; ``joined`` for those over several recordings, whatever they are about. A dialogue that names no source goes
    with the hand-made ones, ``template``.
    """
    if not any(message.audios for message in dialogue.messages):
        return TEXT
    source, task = dialogue.about.get("source", TEMPLATE), dialogue.about.get("task")
    if source == JOINED or not task:
        return source
    rows = dialogue.about.get("facts", {}).get("rows")
    return f"{source}/{tasks[task].stream(rows[0]) if rows and task in tasks else task}"


def tokenize_dialogues(source: Path, target: Path, tokenizer: Tokenizer) -> Counter:
    """Write the tokenised set ``target`` from ``source``/dialogues.jsonl; returns rows per stream.

    Supervised are the assistant's words and its ``<|im_end|>``.

    Raises:
        ValueError: naming the dialogue whose audio cannot be read, or that has nothing to learn.
    """
    path, tasks, counts, lengths = Path(source) / DIALOGUES, load_tasks(), Counter(), {}
    with TokenSetWriter(target) as writer:
        for number, dialogue in enumerate(progress(read_dialogues(path), None, f"tokenize {path}")):
            encoded = encode_dialogue(dialogue.messages, tokenizer)
            for spec in encoded.audios:
                if spec not in lengths:
                    lengths[spec] = _num_samples(spec, f"{path}: dialogue {dialogue.id}")
            audios = [(spec, lengths[spec]) for spec in encoded.audios]
            name = stream(dialogue, tasks)
            writer.add_dialogue(encoded.ids, encoded.trained, audios, name, dialogue.id, number)
            counts[name] += 1
        writer.close(
            {
                "tokenizer": str(tokenizer.folder),
                "pad": tokenizer.pad,
                "placeholder": tokenizer.placeholder,
                "examples": str(path),
                "feats_type": "raw",
            }
        )
    return counts


def _num_samples(spec: str, where: str) -> int:
    try:
        return num_samples(spec)
    except ValueError as error:
        raise ValueError(f"{where}: {error}") from None
