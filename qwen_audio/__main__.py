"""The commands without the console script, as torchrun calls them: ``python -m qwen_audio NAME``."""

from qwen_audio.cli import main

main()
