"""A data directory of speech, and an aligned corpus's files for it."""

import json
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
sys.path.append(str(ROOT / "test" / "egs"))  # the clip of spaced words and its times


@pytest.fixture(scope="session")
def clip():
    """(path, [(start_s, end_s, word)]): ``please enter your number``, each word laid at a known time."""
    from make_corpora import WORD_CLIP, WORD_TIMES

    return WORD_CLIP, WORD_TIMES


@pytest.fixture
def make_data(tmp_path, clip):
    """Function (texts, rows=(), **tables) that writes a data directory; every recording is the word clip.

    texts: utterance -> transcript or None; rows: of examples.jsonl; tables: further files, utterance -> line.
    With segments there is one recording, rec.
    """

    def write(texts, rows=(), **tables):
        folder = tmp_path / "data"
        folder.mkdir(exist_ok=True)
        said = {utt: text for utt, text in texts.items() if text is not None}
        places = dict.fromkeys(["rec"] if "segments" in tables else texts, clip[0])
        known = {"wav.scp": places, "utt2spk": dict(zip(texts, texts)), "text": said}
        for name, table in (known | tables).items():
            lines = [f"{utt} {line}\n" for utt, line in sorted(table.items())]
            if lines:
                (folder / name).write_text("".join(lines), encoding="utf-8")
        if rows:
            lines = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
            (folder / "examples.jsonl").write_text(lines, encoding="utf-8")
        return folder

    return write


@pytest.fixture
def rows_of():
    """Function (data directory) -> rows of its examples.jsonl."""
    return lambda data: [json.loads(line) for line in (data / "examples.jsonl").open(encoding="utf-8")]
