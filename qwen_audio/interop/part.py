"""What a foreign checkpoint gives to a model: some of its slots, with weights."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from torch import Tensor
from transformers import PretrainedConfig

from qwen_audio.interop.name_map import NameMap

# among its tasks: it has learned to answer freely (a source of qwen_audio/data/dialogue.py)
DIALOGUES = "text"


@dataclass(frozen=True)
class Part:
    """One source of an import.

    Attributes:
        kind: in words, such as ``Whisper``.
        folder: where it was read.
        files: of its weights.
        names: its tensor names to ours (``encoder.conv1.weight``), by a NameMap or what answers as one.
        config: keys of the YAML that it settles.
        shapes: slot -> configuration of the Hugging Face model the slot is built after.
        write_tokenizer: writes its tokenizer into a folder, as transformers saves one; None: it has none.
        finish: (tensors by our names, id of a special token) -> None; what names cannot say.
        tasks: tasks it has learned in the form of recipes/tasks, and DIALOGUES.
        home: a model folder of ours, where the source was exported from one: all but the weights is taken there.
        audio_label: what stands before an audio in its dialogues, where that is not AUDIO_LABEL.
        answer_times: whether it states times in its answers by their tokens.
        joined: whether the rows of new tokens stand in the embedding, as ``join_rows`` puts them for an export.
    """

    kind: str
    folder: Path
    files: list[Path]
    names: NameMap
    config: dict
    shapes: dict[str, PretrainedConfig] = field(default_factory=dict)
    write_tokenizer: Callable[[Path], None] | None = None
    finish: Callable[[dict[str, Tensor], Callable[[str], int]], None] | None = None
    tasks: list[str] = field(default_factory=list)
    home: Path | None = None
    audio_label: str | None = None
    answer_times: bool = False
    joined: bool = False


def encoder_shape(
    mels: int, width: int, layers: int, heads: int, ffn: int, positions: int, **more
) -> PretrainedConfig:
    """Configuration of a Whisper whose encoder has this shape; its text decoder is not used."""
    from transformers import WhisperConfig

    return WhisperConfig(
        num_mel_bins=mels, d_model=width, encoder_layers=layers, encoder_attention_heads=heads,
        encoder_ffn_dim=ffn, max_source_positions=positions, decoder_layers=1,
        decoder_attention_heads=heads, **more,
    )  # fmt: skip
