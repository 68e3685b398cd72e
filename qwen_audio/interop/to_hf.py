"""Our own from_pretrained and save_pretrained: a folder, or a model of the hub, with a model card."""

import shutil
from pathlib import Path

from qwen_audio.infer.load import LoadedModel, load_model
from qwen_audio.infer.stored import read_skeleton
from qwen_audio.interop.info import report
from qwen_audio.interop.own import copy_files, fetch
from qwen_audio.model_folder import WEIGHTS
from qwen_audio.tags import LANGUAGES
from qwen_audio.task_spec import load_tasks, task_of

CARD = "README.md"


def from_pretrained(
    name: str, device: str = "cpu", dtype: str = "float32", quantize: str | None = None
) -> LoadedModel:
    """The model in folder ``name``, or of that name on the hub; options and Raises: as load_model."""
    return load_model(fetch(name), device, dtype, quantize)


def export(source: str | Path, folder: str | Path) -> None:
    """Write the model in ``source`` and a card of it into ``folder``, ready for upload.

    Raises:
        ValueError: if the source has no weights.
    """
    source, folder = Path(source), Path(folder)
    card = model_card(source, folder.name)
    copy_files(source, folder)
    shutil.copy(source / WEIGHTS, folder / WEIGHTS)
    (folder / CARD).write_text(card, encoding="utf-8")


def model_card(source: Path, name: str) -> str:
    """The card in Markdown, with the hub's header."""
    built = read_skeleton(source)
    streams, specs = built.run["tasks"], load_tasks()
    spoken = {code for stream in streams for code in stream.partition("/")[2].split("-")}
    languages = sorted({code.partition("_")[0] for code in spoken & set(LANGUAGES)})
    header = ["---", "library_name: qwen_audio", "pipeline_tag: audio-text-to-text"]
    header += ["language:", *(f"- {language}" for language in languages)] if languages else []
    tasks = sorted(set(map(task_of, streams)))
    lines = [f"- `{task}`: {specs[task].title}" if task in specs else f"- `{task}`" for task in tasks]
    return "\n".join(
        [
            *header, "---", f"# {name}", "",
            "Text from audio: an audio encoder, an adapter and a language model, after Qwen-Audio (arXiv:2311.07919).",
            "", "```", *report(source), "```", "", "## Trained for", "", *(lines or ["(nothing is written down)"]), "",
            "## Use", "", "```python", "from qwen_audio.interop.to_hf import from_pretrained", "",
            f'loaded = from_pretrained("{name}")', "```", "",
            "or `qwen-audio decode --model` and `qwen-audio chat` with this folder.", "",
            "## Licence", "", "That of the weights it was made from and of the data it was trained on.", "",
        ]
    )  # fmt: skip
