"""An LLM behind an OpenAI-compatible endpoint (POST URL/chat/completions)."""

import http.client
import json
import random
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from urllib.parse import urlsplit

from qwen_audio.sft.completion import Refused, Request

KEY_VARIABLE = "OPENAI_API_KEY"
AGAIN = (408, 409, 429, 500, 502, 503, 504)  # worth another try
MOST_WAIT_S = 60.0
MOST_BYTES = 10_000_000  # of a reply


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """The key goes to the host that the user named and to no other."""

    def redirect_request(self, *args):
        return None


class Endpoint:
    """Asks an endpoint, never faster than ``per_minute``, and again after a fault that may pass.

    Args:
        url: up to ``/v1``.
        key: sent as bearer token where there is one; never written anywhere.
        per_minute: requests begun per minute at most, repeated ones included.
        retries: how often one request is tried again; the wait doubles from 1 s, or is what the server says.
        timeout_s: seconds for one reply.
        sleep, clock: the time; tests have their own.

    Raises:
        ValueError: ``url`` is none of http or https, or ``per_minute`` is not above 0.
    """

    def __init__(
        self,
        url: str,
        key: str | None = None,
        per_minute: float = 60,
        retries: int = 5,
        timeout_s: float = 120,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
    ):
        if urlsplit(url).scheme not in ("http", "https") or not urlsplit(url).hostname:
            raise ValueError(f"--endpoint {url!r} is no URL; write http://HOST:PORT/v1 or https://HOST/v1")
        if per_minute <= 0:
            raise ValueError(f"--per_minute {per_minute:g}; write a number above 0")
        self.url = url.rstrip("/") + "/chat/completions"
        self.key, self.retries, self.timeout_s = key, retries, timeout_s
        self.gap_s, self.next = 60 / per_minute, None
        self.sleep, self.clock = sleep, clock
        self._opener = urllib.request.build_opener(_NoRedirect)

    def __call__(self, request: Request) -> str:
        """The text of the first choice.

        Raises:
            Refused: the reply holds no text, or was cut off by max_tokens.
            ValueError: naming the URL and what it said; a fault that another try does not mend, or that stayed.
        """
        wait = 1.0
        for tries_left in range(self.retries, -1, -1):
            self._keep_rate()
            try:
                return _text(self._post(request))
            except urllib.error.HTTPError as error:
                with error:
                    fault = f"{error.code} {error.reason}: {error.read(300).decode(errors='replace')}"
                    asked_s = _seconds(error.headers.get("Retry-After"))
                if error.code not in AGAIN:
                    raise ValueError(f"{self.url} said {fault}; {_mend(error.code)}") from None
            except (urllib.error.URLError, OSError, http.client.HTTPException) as error:
                fault, asked_s = str(getattr(error, "reason", error)), None
            if tries_left:
                self.sleep(min(asked_s if asked_s is not None else wait + random.random(), MOST_WAIT_S))
                wait = min(2 * wait, MOST_WAIT_S)
        raise ValueError(
            f"{self.url} failed {self.retries + 1} times, at last with {fault}; run the command again later: "
            "the answers so far are kept"
        )

    def _keep_rate(self) -> None:
        now = self.clock()
        if self.next is not None and now < self.next:
            self.sleep(self.next - now)
            now = self.next
        self.next = now + self.gap_s

    def _post(self, request: Request) -> bytes:
        headers = {"Content-Type": "application/json"}
        if self.key:
            headers["Authorization"] = f"Bearer {self.key}"
        body = json.dumps(request).encode()
        post = urllib.request.Request(self.url, body, headers, method="POST")
        with self._opener.open(post, timeout=self.timeout_s) as reply:
            return reply.read(MOST_BYTES)


def _text(reply: bytes) -> str:
    try:
        choice = json.loads(reply)["choices"][0]
        text = choice["message"]["content"]
    except (ValueError, KeyError, IndexError, TypeError):
        raise Refused("no completion: the reply has no choices[0].message.content") from None
    if not isinstance(text, str) or not text.strip():
        raise Refused("no completion: the text is empty")
    if choice.get("finish_reason") == "length":
        raise Refused("cut off: by max_tokens")
    return text


def _seconds(retry_after: str | None) -> float | None:
    """``Retry-After`` in seconds; a date, which is its other form, is not read."""
    return float(retry_after) if retry_after and retry_after.isdigit() else None


def _mend(code: int) -> str:
    if code in (401, 403):
        return f"set the environment variable {KEY_VARIABLE} to a key that is allowed here"
    if 300 <= code < 400:
        return "it redirects, which is not followed; give the URL it points to"
    return "check --endpoint (up to /v1) and --model"
