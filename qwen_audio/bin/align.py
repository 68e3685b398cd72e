"""Find the times of words: rows of the task srwt for the transcripts of a data directory or a prepared set.

Rows with "words" are added to DIR/examples.jsonl, those of an earlier run replaced; what cannot be aligned
stands with its reason in DIR/align_rejected.tsv. Aligners:

    pocketsphinx   English, by the model it ships
    model          a trained model (--model) with the timestamp head ctc or attention (--head), or a Whisper
    textgrid       a folder of UTT.TextGrid, as the Montreal Forced Aligner leaves it (--files)
    ctm, funasr    a file with the words of all utterances (--files)

With --plot nothing is written into DIR: waveform, spectrogram and words of a clip are drawn, the words that
DIR has, or with --aligner those that it finds; with the head attention also what it saw and its path.

Example:
    qwen-audio align --data data/my_train --aligner pocketsphinx --nj 8
    qwen-audio align --data data/my_train --aligner model --model exp/pretrain_default --language fr
    qwen-audio align --data data/my_train --aligner textgrid --files mfa_output
    qwen-audio align --data data/my_train --plot UTT --output UTT.png
    qwen-audio align --data data/my_train --plot 10 --output pictures    # the first ten, pictures/UTT.png
"""

import argparse
from pathlib import Path

from qwen_audio.align.aligner import ALIGNERS, build_aligner
from qwen_audio.align.write import REJECTED, align_data

OPTIONS = ("model", "head", "files", "nj", "device", "dtype")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--data", type=Path, required=True, help="Kaldi data directory, or dump/raw/SET")
    parser.add_argument("--aligner", help=f"one of {', '.join(ALIGNERS)}")
    parser.add_argument(
        "--language", help="only transcripts in this one; what has none counts as spoken in it"
    )
    parser.add_argument("--model", help="folder of a trained run, or of a Whisper")
    parser.add_argument("--head", help="timestamp head of the model; by default that of its configuration")
    parser.add_argument("--files", help="the file, or the folder of TextGrids")
    parser.add_argument(
        "--nj", type=int, help="of pocketsphinx: processes, 1 by default; of a model: CPU threads"
    )
    parser.add_argument("--device", help="of a model: cpu (the default), cuda or cuda:N")
    parser.add_argument("--dtype", help="of a model: float32 (the default), bfloat16 or float16")
    parser.add_argument("--plot", metavar="UTT|N", help="draw this utterance, or the first N")
    parser.add_argument("--output", type=Path, help="of --plot UTT the PNG to write, of --plot N a folder")


def main(args: argparse.Namespace) -> None:
    options = {name: getattr(args, name) for name in OPTIONS}
    if bool(args.plot) != bool(args.output):
        raise ValueError("--plot and --output go together: what to draw, and where to")
    if args.plot:
        from qwen_audio.align.plot import plot_data

        aligner = build_aligner(args.aligner, options) if args.aligner else None
        for path in plot_data(args.data, args.plot, args.output, aligner, args.language):
            print(path)
        return
    if not args.aligner:
        raise ValueError(f"--aligner is missing; name one of {', '.join(ALIGNERS)}")
    counts = align_data(args.data, args.aligner, build_aligner(args.aligner, options), args.language)
    print(
        f"{args.data}: read {counts['read']} transcripts; aligned {counts['aligned']};"
        f" rejected {counts['rejected']} ({REJECTED})"
    )
    if (args.data / "utt2num_samples").is_file():
        print(
            f"{args.data}: if it was tokenised before, do that again (stage 2): its examples are others now"
        )
