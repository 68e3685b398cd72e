"""The chat sessions of a server: who asks on is answered by the session that knows what was said before."""

from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass

from qwen_audio.chat.session import ChatSession, Written
from qwen_audio.data.dialogue import ASSISTANT
from qwen_audio.infer.load import LoadedModel
from qwen_audio.serve.chat_request import ChatRequest, said_text


@dataclass(frozen=True)
class Finished:
    """How an answer came about, and in ``notes`` what the client should know."""

    written: Written
    notes: tuple[str, ...]


class Sessions:
    """Answers requests that each bring their whole dialogue, as OpenAI's API does, from sessions that go on.

    A request whose messages but the last are what a session has heard and said is that session's next turn: none of
    its audio is decoded or encoded again, and the decoder reads the new message alone. It is for one thread.

    Args:
        kept: sessions that are kept, those used last; each holds a decoder's cache.
        max_new_tokens: an answer is cut after this many, if the request names no other number.
        max_seconds: of audio that is taken.
    """

    def __init__(self, loaded: LoadedModel, kept: int, max_new_tokens: int, max_seconds: float):
        self.loaded, self.kept = loaded, kept
        self.max_new_tokens, self.max_seconds = max_new_tokens, max_seconds
        self._by_past: OrderedDict[tuple, ChatSession] = OrderedDict()

    def answer(self, request: ChatRequest) -> Iterator[str | Finished]:
        """The answer in pieces as it is written, and last how it ended.

        Raises:
            ValueError: as of ChatSession.
        """
        past = tuple(one.key for one in request.said[:-1])
        session = self._by_past.pop(past, None) or self._new(request)
        notes: list[str] = list(request.notes)
        session.notify = notes.append
        session.tell_again()  # whoever sends a whole dialogue may not be who sent its beginning
        pieces = []
        try:
            session.limit(request.max_new_tokens or self.max_new_tokens)
            for piece in session.reply(request.said[-1].message(self.max_seconds)):
                pieces.append(piece)
                yield piece
            if pieces:
                past = (*past, request.said[-1].key, said_text(ASSISTANT, "".join(pieces)).key)
            yield Finished(session.last, tuple(notes))
        finally:  # a question that was refused, or an answer stopped, leaves the session as it was
            if session.messages:
                self._keep(past, session)

    def _new(self, request: ChatRequest) -> ChatSession:
        session = self.loaded.chat()
        if len(request.said) > 1:
            session.resume([one.message(self.max_seconds) for one in request.said[:-1]])
        return session

    def _keep(self, past: tuple, session: ChatSession) -> None:
        self._by_past[past] = session
        while len(self._by_past) > self.kept:
            self._by_past.popitem(last=False)
