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
    config = {
        "model_type": "qwen", "vocab_size": rows, "hidden_size": WIDTH, "intermediate_size": 2 * FFN,
        "num_hidden_layers": LAYERS, "num_attention_heads": HEADS, "seq_length": 2048, "layer_norm_epsilon": 1e-5,
        "rotary_emb_base": 10000, "tie_word_embeddings": False,
    }  # fmt: skip
    if audio:
        config["audio"] = {
            "n_mels": 80, "n_state": STATE, "n_layer": BLOCKS, "n_head": AUDIO_HEADS, "n_ctx": 1500,
            "output_dim": WIDTH, "avg_pool": True, "add_audio_bos_eos_token": True,
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
