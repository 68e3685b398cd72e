"""Random checkpoints with the names and shapes of the first generation's released code."""

import base64
import json

import torch

WIDTH, LAYERS, HEADS, FFN = 32, 2, 2, 24  # of the language model
STATE, BLOCKS, AUDIO_HEADS = 16, 2, 2  # of the audio encoder
SPARE = 7  # rows of the embedding that no token uses


def ranks_of(folder):
    """Byte strings by id of the byte-level BPE saved in ``folder``, specials left out; bytes keep the lowest ids."""
    vocabulary = json.loads((folder / "tokenizer.json").read_text())["model"]["vocab"]
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [byte for byte in range(256) if byte not in printable]
    letters = {chr(byte): byte for byte in printable} | {
        chr(0x100 + n): byte for n, byte in enumerate(others)
    }
    tokens = sorted(vocabulary, key=vocabulary.get)
    spelt = [bytes(letters[letter] for letter in token) for token in tokens if not token.startswith("<|")]
    return {token: rank for rank, token in enumerate(sorted(spelt, key=lambda token: len(token) > 1))}


def write_tiktoken(file, ranks):
    lines = [f"{base64.b64encode(token).decode()} {rank}\n" for token, rank in ranks.items()]
    file.write_text("".join(lines))


def write_checkpoint(
    folder, ranks, specials: int, audio: bool, dtype=torch.float32
) -> dict[str, torch.Tensor]:
    """Write config.json, qwen.tiktoken and two .bin shards with their index; gives the tensors."""
    folder.mkdir()
    rows = len(ranks) + specials + SPARE
    config = {  # every key of the released one
        "architectures": ["QWenLMHeadModel"], "auto_map": {"AutoConfig": "configuration_qwen.QWenConfig"},
        "attn_dropout_prob": 0.0, "bf16": False, "fp16": True, "fp32": False, "emb_dropout_prob": 0.0,
        "intermediate_size": 2 * FFN, "initializer_range": 0.02, "kv_channels": WIDTH // HEADS,
        "layer_norm_epsilon": 1e-5, "model_type": "qwen", "hidden_size": WIDTH, "num_attention_heads": HEADS,
        "num_hidden_layers": LAYERS, "max_position_embeddings": 8192, "no_bias": True, "onnx_safe": None,
        "rotary_emb_base": 10000, "rotary_pct": 1.0, "scale_attn_weights": True, "seq_length": 2048,
        "tie_word_embeddings": False, "tokenizer_type": "QWenTokenizer", "transformers_version": "4.31.0",
        "use_cache": True, "vocab_size": rows, "use_dynamic_ntk": True, "use_logn_attn": True,
    }  # fmt: skip
    if audio:
        config["audio"] = {
            "n_mels": 80, "n_state": STATE, "n_layer": BLOCKS, "n_head": AUDIO_HEADS, "n_ctx": 1500,
            "output_dim": WIDTH, "avg_pool": True, "add_audio_bos_eos_token": True,
            "audio_start_id": len(ranks) + specials - 2,
        }  # fmt: skip
    (folder / "config.json").write_text(json.dumps(config))
    write_tiktoken(folder / "qwen.tiktoken", ranks)
    generator = torch.Generator().manual_seed(5)
    shapes = llm_shapes(rows) | (audio_shapes() if audio else {})
    tensors = {n: (torch.randn(shape, generator=generator) * 0.2).to(dtype) for n, shape in shapes.items()}
    where = {name: f"pytorch_model-0000{1 + n % 2}-of-00002.bin" for n, name in enumerate(tensors)}
    for file in set(where.values()):
        torch.save({name: tensors[name] for name in tensors if where[name] == file}, folder / file)
    (folder / "pytorch_model.bin.index.json").write_text(json.dumps({"weight_map": where}))
    return tensors


def llm_shapes(rows: int) -> dict[str, tuple]:
    shapes = {"transformer.wte.weight": (rows, WIDTH), "lm_head.weight": (rows, WIDTH)}
    shapes["transformer.ln_f.weight"] = (WIDTH,)
    for i in range(LAYERS):
        of = f"transformer.h.{i}"
        shapes |= {
            f"{of}.ln_1.weight": (WIDTH,), f"{of}.ln_2.weight": (WIDTH,),
            f"{of}.attn.c_attn.weight": (3 * WIDTH, WIDTH), f"{of}.attn.c_attn.bias": (3 * WIDTH,),
            f"{of}.attn.c_proj.weight": (WIDTH, WIDTH), f"{of}.mlp.w1.weight": (FFN, WIDTH),
            f"{of}.mlp.w2.weight": (FFN, WIDTH), f"{of}.mlp.c_proj.weight": (WIDTH, FFN),
        }  # fmt: skip
    return shapes


def audio_shapes() -> dict[str, tuple]:
    shapes = {
        "conv1.weight": (STATE, 80, 3), "conv1.bias": (STATE,), "conv2.weight": (STATE, STATE, 3),
        "conv2.bias": (STATE,), "positional_embedding": (1500, STATE), "ln_post.weight": (STATE,),
        "ln_post.bias": (STATE,), "proj.weight": (WIDTH, STATE), "proj.bias": (WIDTH,),
        "audio_bos_eos_token.weight": (2, WIDTH),
    }  # fmt: skip
    for i in range(BLOCKS):
        of = f"blocks.{i}"
        for which in ("query", "key", "value", "out"):
            shapes[f"{of}.attn.{which}.weight"] = (STATE, STATE)
            if which != "key":
                shapes[f"{of}.attn.{which}.bias"] = (STATE,)
        for norm in ("attn_ln", "mlp_ln"):
            shapes |= {f"{of}.{norm}.weight": (STATE,), f"{of}.{norm}.bias": (STATE,)}
        shapes |= {f"{of}.mlp.0.weight": (4 * STATE, STATE), f"{of}.mlp.0.bias": (4 * STATE,)}
        shapes |= {f"{of}.mlp.2.weight": (STATE, 4 * STATE), f"{of}.mlp.2.bias": (STATE,)}
    return {f"transformer.audio.{name}": shape for name, shape in shapes.items()}


def write_token_list(folder, extra: str) -> None:
    """A tokenization_qwen.py that lists the tokens as the released ones do, and ``extra`` among them."""
    from qwen_audio.tags import RELEASED

    after = RELEASED[RELEASED.index("<|30.00|>") + 1 : RELEASED.index("<|midi_pitch_0|>")]
    last = RELEASED[RELEASED.index("<|sonic|>") : -2]
    (folder / "tokenization_qwen.py").write_text(
        'import sys; sys.exit("this must not run")\n'
        'LANGUAGES = {"en": "english", "zh": "chinese", "de": "german", "es": "spanish", "ko": "korean",\n'
        '             "fr": "french", "ja": "japanese", "it": "italian"}\n'
        "class QWenTokenizer:\n"
        '    def __init__(self, file, errors="replace", audio_start_tag="<audio>", audio_end_tag="</audio>"):\n'
        "        self.AUDIO_ST = (\n"
        '            "[[[AUDIO:modality]]]", "<|startoftranscript|>", "<|startofanalysis|>", "<|translate|>",\n'
        '            "<|transcribe|>", "<|caption|>", "<|keyword|>", "<|unknown|>",\n'
        '            *[f"<|{lang}|>" for lang in LANGUAGES.keys()],\n'
        '            "<|zh_tr|>", "<|notimestamps|>", "<|sil|>", "<|timestamps|>",\n'
        '            *[f"<|{i * 0.01:.2f}|>" for i in range(3001)],\n'
        f"            {', '.join(map(repr, after))},\n"
        '            *[f"<|midi_pitch_{i}|>" for i in range(128)], "<|velocity|>",\n'
        '            *[f"<|midi_velocity_{i}|>" for i in range(128)],\n'
        f"            {', '.join(map(repr, [*last, extra]))},\n"
        "            audio_start_tag, audio_end_tag,\n"
        "        )\n"
    )
