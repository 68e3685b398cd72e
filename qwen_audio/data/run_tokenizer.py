"""The tokenizer of a run: what of the configuration it is made of, how, and whether that of some sets is the same."""

import json
import shutil
from collections.abc import Iterable
from pathlib import Path

from qwen_audio.task_spec import TaskSpec
from qwen_audio.tokenizer import Tokenizer, build_from_hub, read_base, train_sentencepiece


def source(config: dict) -> str:
    """What it is made of: the folder that training starts from, the LLM, or ``pieces_N`` of a sentencepiece model."""
    model = (config["decoder_conf"] or {}).get("model")
    return str(config["init"] or model or f"pieces_{config['tokenizer_conf']['pieces']}")


def make_tokenizer(config: dict, train: Iterable[Path], tasks: dict[str, TaskSpec], out: Path) -> Tokenizer:
    """The tokenizer of a run in folder ``out``.

    That of the model training starts from; else the LLM's own where the decoder is pretrained; else a sentencepiece
    model trained on the answers of the training sets.

    Args:
        train: formatted training sets (``dump/FEATS/SET``).
    """
    model = config["decoder_conf"].get("model")
    if config["init"]:
        shutil.copytree(_of_start(config), out, dirs_exist_ok=True)
    elif model:
        build_from_hub(model, out)
    else:
        rows = (json.loads(line) for folder in train for line in open(Path(folder) / "examples.jsonl", "rb"))
        answers = (tasks[row["task"]].target_pieces(row) for row in rows)
        texts = (text for pieces in answers for text, is_tag in pieces if not is_tag)
        train_sentencepiece(texts, out, config["tokenizer_conf"]["pieces"])
    return Tokenizer(out)


def check_tokenizer(config: dict, tokenizer: Tokenizer) -> None:
    """Whether the ids of ``tokenizer`` mean to the model of ``config`` what they mean in sets made with it.

    A decoder from scratch takes any. Another name is no fault: models of one family share their tokens, and a folder
    may hold what the hub has.

    Raises:
        ValueError: if they do not, naming what the tokenizer was made of.
    """
    if config["init"]:
        theirs = Tokenizer(_of_start(config))
        if (theirs.vocabulary(), theirs.new_tokens) != (tokenizer.vocabulary(), tokenizer.new_tokens):
            raise ValueError(
                f"init: {config['init']} was trained with another tokenizer ({_size(theirs)}) than"
                f" {tokenizer.folder} ({_size(tokenizer)}); tokenise the sets with its own (stage 2)"
            )
        return
    model = config["decoder_conf"].get("model")
    if model and model != tokenizer.made_of and read_base(model).get_vocab() != tokenizer.vocabulary():
        raise ValueError(
            f"the sets are tokenised for {tokenizer.made_of} ({tokenizer.folder}), the decoder is {model}, whose ids"
            " stand for other tokens; run stage 2 again for this configuration"
        )


def _size(tokenizer: Tokenizer) -> str:
    return f"{tokenizer.base_size} + {len(tokenizer.new_tokens)} tokens"


def _of_start(config: dict) -> Path:
    from qwen_audio.model_folder import TOKENIZER  # imports torch, which stage 2 does without

    return Path(config["init"]) / TOKENIZER
