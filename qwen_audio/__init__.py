"""Qwen-Audio (arXiv:2311.07919) as a modular, trainable toolkit on ESPnet-style recipes.

import qwen_audio
chat = qwen_audio.load("exp/sft_default").chat()
chat.ask("What is said?", audio="a.wav")
"""

__version__ = "0.1.0"


def load(model, device: str = "cpu", dtype: str = "float32", quantize: str | None = None):
    """A trained model; see load_model (qwen_audio/infer/load.py), which needs torch."""
    from qwen_audio.infer.load import load_model

    return load_model(model, device, dtype, quantize)
