"""Asking an LLM: one request, one text. Answers are kept on disk, so that a run goes on where it stopped."""

import hashlib
import json
import os
from collections.abc import Callable
from pathlib import Path

Request = dict  # model, messages, seed, temperature, max_tokens: as the chat completions of OpenAI take them
Complete = Callable[[Request], str]


class Refused(ValueError):
    """No answer to this one request; the message is the reason, its kind before the colon."""


class Cached:
    """An LLM whose answers stand in ``folder``, a file each, named by the hash of the request.

    Args:
        complete: asks the LLM; what it refuses is not kept.
        folder: made when the first answer is written.

    Attributes:
        found, asked: how many answers stood there, and how many the LLM was asked for.
    """

    def __init__(self, complete: Complete, folder: Path):
        self.complete, self.folder = complete, Path(folder)
        self.found = self.asked = 0

    def __call__(self, request: Request) -> str:
        """The answer to ``request``. Raises: as ``complete``; ValueError naming a file that is broken."""
        content = json.dumps(request, sort_keys=True, ensure_ascii=False)
        name = hashlib.sha256(content.encode()).hexdigest()
        path = self.folder / name[:2] / f"{name}.json"
        if path.is_file():
            self.found += 1
            return self._read(path, request)
        self.asked += 1
        answer = self.complete(request)
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_suffix(f".{os.getpid()}.partial")
        partial.write_text(json.dumps({"request": request, "answer": answer}, ensure_ascii=False), "utf-8")
        os.replace(partial, path)
        return answer

    def _read(self, path: Path, request: Request) -> str:
        try:
            kept = json.loads(path.read_text(encoding="utf-8"))
        except ValueError:
            kept = None
        if (
            not isinstance(kept, dict)
            or kept.get("request") != request
            or type(kept.get("answer")) is not str
        ):
            raise ValueError(
                f"{path} is broken: it is not the answer to the request it is named by; delete it"
            )
        return kept["answer"]
