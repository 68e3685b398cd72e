"""Aligner: words with times from TextGrids, as the Montreal Forced Aligner leaves them."""

from collections.abc import Iterator, Mapping
from pathlib import Path

from qwen_audio.align.word_file import WordFile
from qwen_audio.data.word_files import read_textgrid
from qwen_audio.words import Word


class Textgrid(WordFile):
    """Args: files: a folder with NAME.TextGrid, in subfolders or not, NAME an utterance or recording.

    Raises:
        ValueError: if the folder has none, or two of one name.
    """

    def __init__(self, files: str):
        super().__init__(_Folder(Path(files)))


class _Folder(Mapping[str, list[Word]]):
    """Words by name of the file, which is read when it is asked for."""

    def __init__(self, folder: Path):
        self.paths: dict[str, Path] = {}
        for path in sorted(folder.rglob("*.TextGrid")):
            other = self.paths.setdefault(path.stem, path)
            if other != path:
                raise ValueError(f"{path}: {other} has the same name; keep one of them")
        if not self.paths:
            raise ValueError(f"{folder}: no NAME.TextGrid in it; give the folder that the aligner wrote to")

    def __getitem__(self, name: str) -> list[Word]:
        return read_textgrid(self.paths[name])

    def __contains__(self, name: object) -> bool:
        return name in self.paths

    def __iter__(self) -> Iterator[str]:
        return iter(self.paths)

    def __len__(self) -> int:
        return len(self.paths)
