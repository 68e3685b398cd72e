"""Stage 7: decode a tokenised set with a trained model; the same command goes on where it was broken off.

Writes OUTPUT/hyp.jsonl, a row per utterance, task and language, and OUTPUT/summary.json: speed and counts.
The inference configuration is YAML; without one the search is greedy:

    batch_conf: {max_examples: 64, max_seconds: 240}   # clips at once
    beam_size: 1                     # for every task ...
    tasks:
      asr: {beam_size: 4, ctc_weight: 0.5, max_new_tokens: 100}   # ... and for this one

Example:
    qwen-audio decode --model exp/pretrain_default --set dump/tokens/asterisk_test \\
        --output exp/pretrain_default/decode/asterisk_test --config conf/decode.yaml
"""

import argparse
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--model", required=True, help="folder of the trained run, as stage 5 leaves it")
    parser.add_argument("--set", required=True, help="tokenised set, such as dump/tokens/SET")
    parser.add_argument("--output", required=True, help="folder to write")
    parser.add_argument("--config", help="inference configuration; without it the search is greedy")
    parser.add_argument("--tasks", nargs="+", help="tasks to decode; by default all that set and model have")
    parser.add_argument("--device", default="cpu", help="cpu, cuda or cuda:N")
    parser.add_argument(
        "--dtype", default="float32", help="float32, or bfloat16: faster on a CPU with AMX or a GPU"
    )


def main(args: argparse.Namespace) -> None:
    from qwen_audio.data.token_set import TokenSet
    from qwen_audio.infer.options import load_inference_config
    from qwen_audio.task_spec import load_tasks

    specs = load_tasks()
    config, data = load_inference_config(args.config, specs), TokenSet(args.set)

    import torch

    from qwen_audio.infer.decode import decode, report
    from qwen_audio.infer.load import load_model
    from qwen_audio.model_folder import WEIGHTS

    if config.num_threads:
        torch.set_num_threads(config.num_threads)
    loaded = load_model(args.model, args.device, args.dtype)
    weights = (Path(args.model) / WEIGHTS).stat()
    label = f"{Path(args.model).resolve()} {weights.st_size} {weights.st_mtime_ns} {args.dtype}"
    summary = decode(loaded, data, args.output, config, specs, args.tasks, label)
    print(f"{args.output}: {report(summary)}")


if __name__ == "__main__":
    from qwen_audio.cli import run

    run("decode")
