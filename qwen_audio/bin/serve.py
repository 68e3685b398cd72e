"""Serve a model over HTTP: a page to talk on, and OpenAI's API for chat with audio and for transcripts.

    qwen-audio serve exp/sft_default
    curl localhost:8000/v1/audio/transcriptions -F file=@a.wav -F language=en -F response_format=verbose_json

Chat is POST /v1/chat/completions: audio in a user's message is a part {"type": "input_audio", "input_audio":
{"data": BASE64, "format": "wav"}}. Nothing that a client names is opened. Requests are answered one after another.
The server listens on this machine alone, and asks for no key, unless told otherwise.
"""

import argparse
import os
from pathlib import Path

KEY_VARIABLE = "QWEN_AUDIO_API_KEY"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    from qwen_audio.infer.arguments import add_place_arguments
    from qwen_audio.serve.app import Limits

    usual = Limits()
    parser.add_argument("model", help="folder of the trained model, such as exp/sft_default")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on; 0.0.0.0 is every one")
    parser.add_argument("--port", type=int, default=8000)
    parser.add_argument(
        "--allow-origin", "--allow_origin", nargs="*", default=[], metavar="URL",
        help="other sites whose pages may call the API, such as https://example.org",
    )  # fmt: skip
    for name, kind, what in (
        ("max-new-tokens", int, "an answer is cut after this many, unless its request says"),
        ("max-seconds", float, "longest recording that is taken"),
        ("max-mb", float, "largest request that is taken"),
        ("max-waiting", int, "requests that may wait or be served; others are told to come later"),
        ("kept", int, "dialogues whose caches are kept, so that their next turn is read alone"),
    ):
        field = name.replace("-", "_")
        parser.add_argument(
            *dict.fromkeys((f"--{name}", f"--{field}")), type=kind, default=getattr(usual, field),
            metavar="N", help=f"{what}; {getattr(usual, field):g} by default",
        )  # fmt: skip
    add_place_arguments(parser, dtype="auto")


def main(args: argparse.Namespace) -> None:
    import dataclasses

    import uvicorn

    from qwen_audio.infer.arguments import place_of
    from qwen_audio.infer.load import load_model
    from qwen_audio.serve.app import Limits, make_app

    for field in dataclasses.fields(Limits):
        if getattr(args, field.name) < 1:
            raise ValueError(f"--{field.name} is {getattr(args, field.name):g}; write 1 or more")
    loaded = load_model(args.model, **place_of(args))
    limits = Limits(**{field.name: getattr(args, field.name) for field in dataclasses.fields(Limits)})
    name = Path(args.model).resolve().name
    app = make_app(loaded, name, limits, os.environ.get(KEY_VARIABLE, ""), tuple(args.allow_origin))
    key = (
        f"the key of {KEY_VARIABLE}" if os.environ.get(KEY_VARIABLE) else f"no key ({KEY_VARIABLE} sets one)"
    )
    print(f"http://{args.host}:{args.port} serves {name}; asks for {key}", flush=True)
    uvicorn.run(app, host=args.host, port=args.port, log_level="warning")
