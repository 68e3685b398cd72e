"""Qwen-Audio (arXiv:2311.07919) as a modular, trainable toolkit on ESPnet-style recipes."""

__version__ = "0.1.0"
