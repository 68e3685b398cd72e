"""What is to be done and what is done, per utterance, in a file on disk: a corpus of any size fits.

Audio goes by recording, so that each is decoded once; the outputs go by utterance, in byte order. A database
in the folder being written sorts from one to the other without holding the corpus in memory.
"""

import json
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing
from itertools import groupby
from pathlib import Path

from qwen_audio.data.format_audio import Recording
from qwen_audio.data.kaldi_dir import Utterance

TABLES = """
PRAGMA journal_mode = OFF;
PRAGMA synchronous = OFF;
CREATE TABLE utt (
    id TEXT PRIMARY KEY, recording TEXT, audio TEXT, start REAL, stop REAL, body TEXT, reason TEXT
) WITHOUT ROWID;
CREATE TABLE done (
    id TEXT PRIMARY KEY, place TEXT, samples INTEGER, reason TEXT, cut TEXT
) WITHOUT ROWID;
"""


class Plan:
    """The table of one set; `with closing(Plan(path))` ends it, the caller removes the file."""

    def __init__(self, path: Path, utterances: Iterable[Utterance]):
        self.db = sqlite3.connect(path)
        try:
            self.db.executescript(TABLES)
            self.db.executemany("INSERT INTO utt VALUES (?, ?, ?, ?, ?, ?, ?)", map(_row, utterances))
            self.db.commit()
        except BaseException:
            self.db.close()
            raise

    def count(self) -> int:
        """Number of recordings to decode."""
        return self.db.execute("SELECT count(DISTINCT recording) FROM utt WHERE reason = ''").fetchone()[0]

    def recordings(self) -> Iterator[Recording]:
        """Each recording with all its utterances, in byte order of the recordings' ids."""
        query = (
            "SELECT recording, audio, id, start, stop FROM utt"
            " WHERE reason = '' ORDER BY recording, start, id"
        )
        for _, rows in groupby(self.db.execute(query), key=lambda row: row[0]):
            rows = list(rows)
            yield Recording(rows[0][1], tuple(row[2:] for row in rows))

    def finish(self, utt: str, place: str, samples: int, reason: str, cut: str = "") -> None:
        """Note where an utterance was written and what was cut off, or why it was rejected."""
        self.db.execute("INSERT INTO done VALUES (?, ?, ?, ?, ?)", (utt, place, samples, reason, cut))

    def results(self) -> Iterator[tuple[Utterance, str, int, str]]:
        """(utterance, place, samples, cut) in byte order of ids; the utterance's ``reason`` is set if rejected."""
        query = (
            "SELECT id, body, utt.reason || coalesce(done.reason, ''), place, samples, cut"
            " FROM utt LEFT JOIN done USING (id) ORDER BY id"
        )
        with closing(self.db.cursor()) as cursor:
            for name, body, reason, *written in cursor.execute(query):
                speaker, examples, refused = json.loads(body)
                yield Utterance(name, "", "", None, None, speaker, examples, refused, reason), *written

    def close(self) -> None:
        self.db.close()


def _row(utt: Utterance) -> tuple:
    body = json.dumps([utt.speaker, utt.examples, utt.refused])
    return utt.id, utt.recording, utt.audio, utt.start, utt.end, body, utt.reason
