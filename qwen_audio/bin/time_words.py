"""Stage 7: the words of test sets timed by several timestamp heads and reference systems, for comparison.

    qwen-audio time_words --model exp/pretrain_default --config conf/decode.yaml --pick_on dump/raw/asterisk_valid \\
        --heads ctc attention whisper:tools/backbones/whisper-base pocketsphinx \\
        --decoded exp/pretrain_default/decode/rejoined_test:dump/raw/rejoined_test

Each times its own words and those of the reference, where it can. The model's own words are those that
`qwen-audio decode` left in EXP/decode/SET/hyp.jsonl; where it did not, they are decoded here, once for all
heads, as the inference configuration says of asr. The head tokens writes its own, as it says of srwt. Writes
EXP/decode/SET/heads/NAME/hyp.jsonl, and heads/refused.tsv: what was refused and why. `qwen-audio score` reads
them there. A set without word times is left alone.
"""

import argparse
from pathlib import Path

from qwen_audio.score.files import PAIR, split_pair


def add_arguments(parser: argparse.ArgumentParser) -> None:
    from qwen_audio.infer.arguments import add_place_arguments

    parser.add_argument("--decoded", required=True, nargs="+", metavar=PAIR,
                        help="folder to write to, and the prepared set")  # fmt: skip
    parser.add_argument("--heads", required=True, nargs="+",
                        help="timestamp heads of the model; whisper:MODEL; pocketsphinx")  # fmt: skip
    parser.add_argument("--model", help="folder of a trained run, for its heads")
    parser.add_argument(
        "--config", help="inference configuration, for its words; by default the model's own decode.yaml"
    )
    parser.add_argument("--pick_on", type=Path, metavar="DUMP/SET",
                        help="set with word times to choose attention heads on; not one that is timed")  # fmt: skip
    add_place_arguments(parser)
    parser.add_argument("--num_threads", type=int, default=1, help="CPU threads")


def main(args: argparse.Namespace) -> None:
    from qwen_audio.infer.options import load_inference_config
    from qwen_audio.infer.time_words import read_clips, time_words
    from qwen_audio.task_spec import load_tasks

    search = load_inference_config(args.config, load_tasks()) if args.config else None
    sets = [(decoded, dump) for decoded, dump in map(split_pair, args.decoded) if read_clips(dump)]
    if not sets:
        print("no set has word times: nothing to time")
        return
    if args.pick_on and any(args.pick_on.resolve() == dump.resolve() for _, dump in sets):
        raise ValueError(
            f"--pick_on {args.pick_on} is timed itself; pick on another set, such as a valid one"
        )

    import torch

    from qwen_audio.infer.arguments import label_of, place_of
    from qwen_audio.infer.decode import HEADS
    from qwen_audio.infer.load import load_model
    from qwen_audio.infer.own_words import own_words
    from qwen_audio.infer.word_systems import head_systems

    torch.set_num_threads(args.num_threads)
    place = place_of(args)
    loaded = load_model(args.model, **place) if args.model else None
    load = (lambda: loaded) if loaded else None
    systems = head_systems(
        args.heads, load, args.pick_on, search, device=place["device"], dtype=place["dtype"]
    )
    for decoded, dump in sets:
        clips = read_clips(dump, own_words(decoded, loaded, label_of(args)) if loaded else None)
        counts = time_words(clips, decoded / HEADS, systems)
        timed = ", ".join(f"{name} {count}" for name, count in counts.items())
        known = sum(clip.said is not None for clip in clips)
        print(
            f"{decoded / HEADS}: of {len(clips)} clips were timed: {timed};"
            f" the model's own words of {known} were there, decoded before",
            flush=True,
        )
