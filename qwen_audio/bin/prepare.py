"""Stage 1: make 16 kHz mono audio, or log-mel features, of a Kaldi data directory.

Segments are cut out. Utterances too long or too short, or with audio that cannot be read, are left out and
listed with the reason in rejected.tsv; with --cut_longer the first seconds of those too long are kept, and
cut.tsv lists them. Audio that is 16 kHz mono flac already is not written again. A command in wav.scp, such as
`sph2pipe -f wav x.sph |`, is run by the shell in the folder where this is called, as Kaldi does.

Example:
    qwen-audio prepare data/asterisk_train dump/raw/asterisk_train --nj 8
    qwen-audio prepare data/librispeech_test_clean dump/raw/librispeech_test_clean --cut_longer
"""

import argparse
from pathlib import Path

from qwen_audio.data.default_language import default_language_note
from qwen_audio.data.prepare import AUDIO_FORMATS, FEATS_TYPES, prepare, report
from qwen_audio.task_spec import load_tasks


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("source", help="Kaldi data directory: wav.scp, utt2spk, text and/or examples.jsonl")
    parser.add_argument("target", help="folder to write, such as dump/raw/SET")
    parser.add_argument("--feats_type", default="raw", choices=FEATS_TYPES, help="audio or features")
    parser.add_argument("--audio_format", default="flac", choices=AUDIO_FORMATS, help="of raw audio")
    parser.add_argument("--nj", type=int, default=1, help="processes")
    parser.add_argument("--min_seconds", type=float, default=0.1, help="shorter utterances are rejected")
    parser.add_argument("--max_seconds", type=float, default=30.0, help="longer utterances are rejected")
    parser.add_argument(
        "--cut_longer",
        action="store_true",
        help="keep the first --max_seconds of longer utterances: for a set that is scored",
    )


def main(args: argparse.Namespace) -> None:
    if note := default_language_note(Path(args.source)):
        print(note)
    summary = prepare(
        args.source,
        args.target,
        load_tasks(),
        feats_type=args.feats_type,
        audio_format=args.audio_format,
        nj=args.nj,
        min_seconds=args.min_seconds,
        max_seconds=args.max_seconds,
        cut_longer=args.cut_longer,
    )
    print(f"{args.target}: {report(summary)}")
