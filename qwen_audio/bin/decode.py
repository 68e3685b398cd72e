"""Stage 7: decode tokenised sets, or recordings of any length, with a trained model.

Sets: writes OUTPUT/SET/hyp.jsonl, a row per utterance, task and language, and OUTPUT/SET/summary.json: speed and
counts; with --format also OUTPUT/SET/TASK/LANGUAGE/UTT.suffix, a file per transcript. The same command goes on
where it was broken off. The inference configuration is YAML; without one it is the decode.yaml that stage 7 leaves in
the model's folder, and without that greedy search:

    batch_conf: {max_examples: 64, max_seconds: 240}   # clips or windows at once
    num_threads: 2                   # of the CPU; by default OMP_NUM_THREADS
    beam_size: 1                     # for every task ...
    tasks:
      asr: {beam_size: 4, ctc_weight: 0.5, max_new_tokens: 100}   # ... and for this one

Recordings: writes OUTPUT/NAME.suffix for each, words with times, found by the model's timestamp head or the one
named. It decodes as the configuration says of its task, ctc and attention of asr, tokens of srwt, but for
max_new_tokens below the task's own: a window is longer than many clips are. Windows whose answer is cut all the same
are counted. Windows of several recordings are heard as one batch, as far as batch_conf allows. What cannot be read is
listed in OUTPUT/rejected.tsv as it comes. The same command goes on where it was broken off: a recording whose files
stand already, newer than it, by the same model and options (OUTPUT/asked.yaml), is not decoded again. The model may
be a pretrained Whisper's folder too.

Examples:
    qwen-audio decode --model exp/pretrain_default --sets dump/tokens/asterisk_test dump/tokens/notes_test \\
        --output exp/pretrain_default/decode --config conf/decode.yaml
    qwen-audio decode --model exp/pretrain_default --audio talk.mp3 meeting.m4a --language en \\
        --format txt srt textgrid --output transcripts
    qwen-audio decode --model tools/backbones/whisper-base --audio talk.mp3 --language en --format srt \\
        --output transcripts
    qwen-audio decode --model exp/pretrain_default --scp wav.scp --language en --output transcripts \\
        --device cuda:0 --shard 1/4      # and --device cuda:1 --shard 2/4 and so on, at the same time
"""

import argparse
import dataclasses
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    from qwen_audio.data.word_writers import FORMATS
    from qwen_audio.infer.arguments import add_place_arguments

    parser.add_argument(
        "--model", required=True, help="folder of the trained run, as stage 5 leaves it; or of a Whisper"
    )
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument(
        "--sets",
        nargs="+",
        type=Path,
        metavar="SET",
        help="tokenised sets, such as dump/tokens/asterisk_test",
    )
    source.add_argument(
        "--audio", nargs="+", metavar="FILE", help="recordings: wav, flac, mp3, ogg; others by ffmpeg"
    )
    source.add_argument("--scp", help="recordings: a file of lines ID PATH, sorted; ids name what is written")
    parser.add_argument(
        "--shard",
        metavar="I/N",
        help="of recordings: take every N-th from the I-th on, so that N GPUs or machines share a list and OUTPUT",
    )
    parser.add_argument("--output", required=True, help="folder to write; each set has one in it")
    parser.add_argument(
        "--format",
        nargs="+",
        choices=FORMATS,
        help="files of words; by default none of sets, txt of recordings",
    )
    parser.add_argument("--config", help="inference configuration; by default the model's own decode.yaml")
    parser.add_argument(
        "--tasks", nargs="+", help="of sets: tasks to decode; by default all that the model has"
    )
    parser.add_argument("--language", help="of recordings: code of the language spoken, such as en")
    parser.add_argument(
        "--timestamp_head", help="of recordings: another head than the model's, such as attention"
    )
    parser.add_argument(
        "--window",
        type=float,
        help="of recordings: seconds heard at once, 28 by default; as long as training clips were",
    )
    add_place_arguments(parser)


def main(args: argparse.Namespace) -> None:
    foreign = ("language", "timestamp_head", "window", "shard") if args.sets else ("tasks",)
    for name in foreign:
        if getattr(args, name) is not None:
            raise ValueError(
                f"--{name} goes with {'--audio or --scp' if args.sets else '--sets'}; leave it out"
            )
    (_decode_sets if args.sets else _decode_recordings)(args)


def _decode_sets(args: argparse.Namespace) -> None:
    from qwen_audio.data.token_set import TokenSet
    from qwen_audio.infer.arguments import check_names
    from qwen_audio.infer.options import load_inference_config
    from qwen_audio.score.registry import try_own
    from qwen_audio.task_spec import load_tasks

    specs = load_tasks()
    try_own(specs.values())
    config = load_inference_config(args.config, specs) if args.config else None
    check_names(args.sets)
    sets = [TokenSet(folder) for folder in args.sets]

    from qwen_audio.infer.arguments import label_of, place_of
    from qwen_audio.infer.decode import choose, decode, report
    from qwen_audio.infer.load import load_model
    from qwen_audio.infer.transcribe import check_formats, write_hypotheses

    loaded = load_model(args.model, **place_of(args))
    config = config or loaded.search
    config.set_threads()
    tasks = [choose(loaded, data, args.tasks) for data in sets]
    if args.format:
        check_formats(args.format, [name for names in tasks for name in names], specs)
    for data, names in zip(sets, tasks, strict=True):
        output = Path(args.output, data.folder.name)
        summary = decode(loaded, data, output, config, specs, names, label_of(args))
        print(f"{output}: {report(summary)}", flush=True)
        if args.format:
            print(f"{output}: {write_hypotheses(output, args.format, specs)}", flush=True)


def _decode_recordings(args: argparse.Namespace) -> None:
    if not args.language:
        source = "--audio" if args.audio else "--scp"
        raise ValueError(f"{source} needs --language, the code of the language spoken, such as en")

    from qwen_audio.infer.arguments import place_of
    from qwen_audio.infer.long_audio import WINDOW_SECONDS, recording_head
    from qwen_audio.infer.options import load_inference_config
    from qwen_audio.infer.recordings import (
        asked_since,
        listed_recordings,
        named_recordings,
        not_done,
        shard_of,
    )
    from qwen_audio.infer.transcribe import check_asked, check_stems, load_speech_model, transcribe
    from qwen_audio.task_spec import load_tasks

    window = WINDOW_SECONDS if args.window is None else args.window
    check_asked(args.language, window)
    recordings = named_recordings(args.audio) if args.audio else listed_recordings(args.scp)
    output, formats = Path(args.output), args.format or ["txt"]
    check_stems(recordings, formats)
    if args.shard:
        recordings = shard_of(recordings, args.shard)
    search = load_inference_config(args.config, load_tasks()) if args.config else None
    loaded = load_speech_model(args.model, **place_of(args))
    if search:
        loaded = dataclasses.replace(loaded, search=search)
    loaded.search.set_threads()
    head = recording_head(loaded, args.timestamp_head)
    since = asked_since(output, _asked(args, loaded, window), args.model)
    waiting = not_done(recordings, output, formats, since)
    if before := len(recordings) - len(waiting):
        print(f"{output}: {before} of {len(recordings)} recordings were done before", flush=True)
    summary = transcribe(
        loaded, head, waiting, args.language, window, output, formats, before, args.shard or ""
    )
    print(
        f"{output}: {summary['words']} words in {summary['recordings']} recordings,"
        f" {summary['audio_seconds']:.0f} s of audio, in {summary['seconds']:.0f} s: real-time factor"
        f" {summary['real_time_factor']:.3f}; {summary['rejected']} rejected, {summary['unfinished']} windows cut"
    )


def _asked(args: argparse.Namespace, loaded, window: float) -> dict:
    """What a transcript depends on, besides the recording and the weights."""
    search = dataclasses.asdict(loaded.search)
    return {
        "model": args.model,
        "dtype": str(loaded.dtype),
        "quantize": args.quantize,
        "timestamp_head": args.timestamp_head or loaded.config["timestamp_head"],
        "timestamp_head_conf": loaded.config["timestamp_head_conf"],
        "language": args.language,
        "window": window,
        "search": {key: search[key] for key in search if key not in ("batch_conf", "num_threads")},
    }
