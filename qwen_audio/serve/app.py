"""The HTTP server: OpenAI's chat and transcription API, and a page to talk on.

| path | answers |
|---|---|
| GET / | the page |
| GET /health | {"status": "ok"} |
| GET /v1/models, /v1/models/NAME | the model |
| POST /v1/chat/completions | an answer to a dialogue with audio, whole or streamed |
| POST /v1/audio/transcriptions | what is said in a recording of any length, with the times of the words |

Nothing that a client names is opened: audio comes as bytes. Special tokens in a client's texts stay text.
"""

import contextlib
import hmac
import json
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import FileResponse, JSONResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from qwen_audio.audio import SAMPLE_RATE
from qwen_audio.data.timed_words import Transcript, timed_transcript
from qwen_audio.data.word_writers import FORMATS, word_rows
from qwen_audio.infer.load import LoadedModel
from qwen_audio.infer.long_audio import recording_head, unfinished_note, windows, words_of_recording
from qwen_audio.serve.body import bounded
from qwen_audio.serve.chat_request import Sound, parse_chat, wave_of
from qwen_audio.serve.origin import refuse_other_sites
from qwen_audio.serve.sessions import Finished, Sessions
from qwen_audio.serve.transcript_request import SUBTITLES, parse_transcript
from qwen_audio.serve.waiting import all_of, first_of
from qwen_audio.serve.worker import Busy, Job, Worker
from qwen_audio.tags import LANGUAGES

PAGE = Path(__file__).parent / "page"
PAGE_FILES = {"/": "page.html", "/page.js": "page.js", "/page.css": "page.css"}
PAGE_POLICY = "default-src 'self'; img-src data:; media-src blob:; base-uri 'none'; frame-ancestors 'none'"
WARNINGS_HEADER = "X-Warnings"  # where the body is plain text


@dataclass(frozen=True)
class Limits:
    """What a client may ask for.

    Attributes:
        max_new_tokens: of an answer to a request that names no number.
        max_seconds: of a recording.
        max_mb: of a request's body.
        max_waiting: requests that wait or are served; the next one is told to come later.
        kept: dialogues whose decoder caches are kept.
    """

    max_new_tokens: int = 256
    max_seconds: float = 600.0
    max_mb: float = 64.0
    max_waiting: int = 16
    kept: int = 4


def make_app(
    loaded: LoadedModel,
    name: str,
    limits: Limits = Limits(),
    api_key: str = "",
    origins: tuple[str, ...] = (),
) -> Starlette:
    """The server's application.

    Args:
        name: the model's, as /v1/models has it.
        api_key: what a request's header ``Authorization: Bearer KEY`` must hold; empty asks for nothing.
        origins: addresses of other sites whose pages may call the API.

    Raises:
        ValueError: if the model cannot chat.
    """
    loaded.chat()  # it can, or says why not
    server = _Server(loaded, name, limits, api_key, origins)
    pages = [Route(path, _file(file)) for path, file in PAGE_FILES.items()]
    routes = [
        Route("/health", server.health),
        Route("/v1/models", server.models),
        Route("/v1/models/{name}", server.model),
        Route("/v1/chat/completions", server.chat, methods=["POST"]),
        Route("/v1/audio/transcriptions", server.transcribe, methods=["POST"]),
    ]
    every = {"allow_methods": ["*"], "allow_headers": ["*"]}
    allowed = [Middleware(CORSMiddleware, allow_origins=origins, expose_headers=[WARNINGS_HEADER], **every)]
    return Starlette(
        routes=pages + routes,
        middleware=allowed if origins else [],
        exception_handlers={HTTPException: _refused, ValueError: _bad, Busy: _busy, ClientDisconnect: _gone},
        lifespan=server.lifespan,
    )


class _Server:
    def __init__(
        self, loaded: LoadedModel, name: str, limits: Limits, api_key: str, origins: tuple[str, ...]
    ):
        self.loaded, self.name, self.limits = loaded, name, limits
        self.api_key, self.origins = api_key, origins
        self.sessions = Sessions(loaded, limits.kept, limits.max_new_tokens, limits.max_seconds)
        self.worker, self.since = Worker(limits.max_waiting), int(time.time())

    @contextlib.asynccontextmanager
    async def lifespan(self, _):
        # windows of a recording are heard in batches, each of them hundreds of steps: minutes on a CPU
        parts = self.loaded.model.encoder, self.loaded.model.decoder
        hooks = [part.register_forward_pre_hook(lambda *_: self.worker.step()) for part in parts]
        yield
        self.worker.close()
        for hook in hooks:
            hook.remove()

    async def health(self, _: Request) -> Response:
        return JSONResponse({"status": "ok"})

    async def models(self, request: Request) -> Response:
        self._admit(request)
        return JSONResponse({"object": "list", "data": [self._about()]})

    async def model(self, request: Request) -> Response:
        self._admit(request)
        if (name := request.path_params["name"]) != self.name:
            raise HTTPException(404, f"there is no model {name!r} here; it is called {self.name!r}")
        return JSONResponse(self._about())

    def _about(self) -> dict:
        about = {"id": self.name, "object": "model", "created": self.since, "owned_by": "qwen_audio"}
        return about | {"languages": LANGUAGES}  # whose words can be timed

    async def chat(self, request: Request) -> Response:
        request = self._admit(request, "application/json")
        try:
            asked = parse_chat(json.loads(await request.body()))
        except (json.JSONDecodeError, UnicodeDecodeError) as error:
            raise ValueError(f"the body is no JSON: {error}") from None
        except RecursionError:
            raise ValueError("the body is nested too deep") from None
        job = self.worker.start(lambda: self.sessions.answer(asked))
        about = {"id": f"chatcmpl-{uuid.uuid4().hex}", "created": int(time.time()), "model": self.name}
        if asked.stream:
            first = await first_of(job, request)  # a question that is refused has its status
            return _Stream(first, job, about)
        *text, last = await all_of(job, request)
        message = {"role": "assistant", "content": "".join(text)}
        choice = {"index": 0, "message": message, "finish_reason": _reason(last)}
        return JSONResponse({"object": "chat.completion", **about, "choices": [choice], **_account(last)})

    async def transcribe(self, request: Request) -> Response:
        request = self._admit(request, "multipart/form-data")
        async with request.form(max_files=1, max_fields=20) as form:
            file = form.get("file")
            if file is None or isinstance(file, str):
                raise ValueError("file is missing; send a recording as the form's field 'file'")
            asked = parse_transcript(form)
            sound = Sound(await file.read(), "file")
        job = self.worker.start(lambda: self._words(sound, asked.language))
        ((found, cut),) = await all_of(job, request)
        notes = [*asked.notes, *cut]
        if asked.form in SUBTITLES or asked.form == "text":
            text = FORMATS[asked.form].write(found) if asked.form in SUBTITLES else f"{found.text}\n"
            return PlainTextResponse(text, headers={WARNINGS_HEADER: "; ".join(notes)} if notes else {})
        warnings = {"warnings": notes} if notes else {}
        if asked.form == "json":
            return JSONResponse({"text": found.text, **warnings})
        about = {"task": "transcribe", "language": asked.language, "duration": round(found.seconds, 3)}
        return JSONResponse({**about, "text": found.text, "words": word_rows(found), **warnings})

    def _words(self, sound: Sound, language: str) -> Iterator[tuple[Transcript, list[str]]]:
        """One transcript, and whether words of it may be missing."""
        wave = wave_of(sound, self.limits.max_seconds)
        head = recording_head(self.loaded)
        words = list(words_of_recording(self.loaded, head, windows([wave]), language))
        cut = [unfinished_note(head.unfinished)] if head.unfinished else []
        yield timed_transcript("file", language, len(wave) / SAMPLE_RATE, words), cut

    def _admit(self, request: Request, kind: str = "") -> Request:
        """The request, ``bounded``.

        Raises:
            HTTPException: if it has not the key, comes from a page of another site, is of another kind or too large.
        """
        given = request.headers.get("authorization", "")
        if self.api_key and not hmac.compare_digest(given.encode(), f"Bearer {self.api_key}".encode()):
            raise HTTPException(401, "the header 'Authorization: Bearer KEY' does not hold the server's key")
        if request.method == "POST":
            refuse_other_sites(request, self.origins)
        if kind and request.headers.get("content-type", "").partition(";")[0].strip().lower() != kind:
            raise HTTPException(415, f"Content-Type must be {kind}")
        return bounded(request, self.limits.max_mb)


class _Stream(StreamingResponse):
    """An answer as server-sent events; where the client leaves, the thread stops writing it.

    Args:
        first: piece of the job.
        job: gives the others.
    """

    def __init__(self, first: str | Finished, job: Job, about: dict):
        events = self._events(first, job, about)
        super().__init__(events, media_type="text/event-stream", headers={"Cache-Control": "no-cache"})
        self._job = job

    async def __call__(self, scope, receive, send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._job.leave()

    @staticmethod
    async def _events(first: str | Finished, job: Job, about: dict):
        async def pieces():
            yield first
            async for piece in job:
                yield piece

        def event(delta: dict, reason: str | None = None, **more) -> str:
            choice = {"index": 0, "delta": delta, "finish_reason": reason}
            row = {"object": "chat.completion.chunk", **about, "choices": [choice], **more}
            return f"data: {json.dumps(row, ensure_ascii=False)}\n\n"

        yield event({"role": "assistant", "content": ""})
        try:
            async for piece in pieces():
                if isinstance(piece, Finished):
                    yield event({}, _reason(piece), **_account(piece))
                else:
                    yield event({"content": piece})
        except ValueError as error:
            yield f"data: {json.dumps(_error(str(error)), ensure_ascii=False)}\n\n"
        yield "data: [DONE]\n\n"


def _reason(last: Finished) -> str:
    return "stop" if last.written.ended else "length"


def _account(last: Finished) -> dict:
    read, wrote = last.written.positions, last.written.tokens
    counts = {"prompt_tokens": read, "completion_tokens": wrote, "total_tokens": read + wrote}
    notes = {"warnings": list(last.notes)} if last.notes else {}
    return {"usage": counts, **notes}


def _file(name: str):
    async def give(_: Request) -> Response:
        return FileResponse(PAGE / name, headers={"Content-Security-Policy": PAGE_POLICY})

    return give


def _error(message: str, kind: str = "invalid_request_error") -> dict:
    return {"error": {"message": " ".join(message.split()), "type": kind, "param": None, "code": None}}


async def _refused(_: Request, error: HTTPException) -> Response:
    return JSONResponse(_error(error.detail), error.status_code, error.headers)


async def _bad(_: Request, error: ValueError) -> Response:
    return JSONResponse(_error(str(error)), 400)


async def _busy(_: Request, error: Busy) -> Response:
    return JSONResponse(_error(str(error), "server_error"), 503, {"Retry-After": "5"})


async def _gone(_: Request, error: ClientDisconnect) -> Response:
    return Response(status_code=499)  # nobody reads it, and the log has no fault of ours
