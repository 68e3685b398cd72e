"""Reading what is scored: pairs of folders and Kaldi text files."""

from pathlib import Path

from qwen_audio.data.json_rows import numbered_lines

PAIR = "EXP/decode/SET:DUMP/SET"
CHAT = "EXP/decode/SET:SFT/SET:DUMP/SET"


def split_pair(text: str) -> tuple[Path, Path]:
    """``EXP/decode/SET:DUMP/SET`` -> what was decoded, and the prepared set it was decoded from.

    Raises:
        ValueError: if it is not written so.
    """
    decoded, _, dump = text.partition(":")
    if not decoded or not dump:
        raise ValueError(f"--decoded {text!r}; write {PAIR}")
    return Path(decoded), Path(dump)


def read_text(path: Path) -> dict[str, list[str]]:
    """A Kaldi text file, ``UTT TEXT`` a line -> utterance -> its texts; an id alone is an empty text.

    An id that stands on several lines has several texts, in the order of the lines.

    Raises:
        ValueError: naming file and line that has no id or is no UTF-8.
    """
    texts = {}
    for at, line in numbered_lines(path):
        key, *rest = line.encode().split(None, 1) or [b""]  # at ASCII blanks only, as Kaldi does
        if not key:
            raise ValueError(
                f"{path}:{at}: the line is empty; write `UTT TEXT`, or UTT alone for an empty text"
            )
        texts.setdefault(key.decode(), []).append(rest[0].decode().strip() if rest else "")
    return texts


def read_hypotheses(path: Path) -> dict[str, str]:
    """As :func:`read_text`, one text per utterance.

    Raises:
        ValueError: naming an utterance that stands twice.
    """
    texts = read_text(path)
    for utt, found in texts.items():
        if len(found) > 1:
            raise ValueError(
                f"{path}: {utt} stands on {len(found)} lines; a hypothesis file has one per utterance"
            )
    return {utt: found[0] for utt, found in texts.items()}
