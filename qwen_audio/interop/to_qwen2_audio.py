"""Export to Hugging Face's Qwen2-Audio: a folder that its model and processor load as they are."""

import copy
import functools
from pathlib import Path

import torch
import yaml

from qwen_audio.config import read_yaml
from qwen_audio.infer.stored import StoredModel, read_stored
from qwen_audio.interop import qwen2_audio
from qwen_audio.interop.llm import LM
from qwen_audio.interop.name_map import NameMap, reverse
from qwen_audio.interop.own import copy_home
from qwen_audio.interop.place import join_rows
from qwen_audio.interop.tokens import rename_tokens
from qwen_audio.model_folder import CONFIG, DECODE
from qwen_audio.registry import nearest
from qwen_audio.tags import AUDIO_BEGIN

SLOTS = {"frontend": "log_mel", "encoder": "whisper", "adapter": "pool_linear", "decoder": "hf_causal_lm"}
OPTIONS = {  # what Qwen2-Audio's code is, beyond its components
    "encoder_conf.final_norm": (False, "its encoder is normalised after pooling alone"),
    "adapter_conf.stride": (2, "it pools by two"),
}
TERMS = {"ctc": "ctc", "timestamp_head": "timestamp"}  # optional slots with weights, and their loss
SHARD = "4GB"
NAMES = NameMap(reverse(qwen2_audio.TENSORS))


def export(source: str | Path, folder: str | Path, leave_out: list[str] = ()) -> None:
    """Write the model in ``source`` into ``folder``; importing that gives the very same model again.

    LoRA matrices are merged. Rows of new tokens go into the embedding where their ids are, spare rows after them. All
    tensors are of one type, as transformers has them: where a frozen LLM is in half precision beside trained parts in
    float32, of the wider.

    Args:
        leave_out: optional slots (``ctc``) to drop where the model has them.

    Raises:
        ValueError: naming the component or option that Qwen2-Audio cannot express.
    """
    from huggingface_hub import save_torch_state_dict
    from transformers import (
        AutoConfig,
        AutoTokenizer,
        GenerationConfig,
        Qwen2AudioConfig,
        Qwen2AudioProcessor,
        WhisperFeatureExtractor,
    )

    source, folder = Path(source), Path(folder)
    built = read_stored(source)
    if unknown := sorted(set(leave_out) - set(TERMS)):
        raise ValueError(f"--leave_out {unknown[0]}{nearest(unknown[0], TERMS)}")
    check(built, list(leave_out))
    if others := heard_otherwise(built.config):
        print(f"note: Qwen2-Audio hears the end of a clip a little differently: {'; '.join(others)}")
    stored = built.model.state_dict()
    tensors = {name: stored[name] for name in built.parameters() if name.split(".")[0] not in leave_out}
    widest = functools.reduce(torch.promote_types, {tensor.dtype for tensor in tensors.values()})
    tensors = {name: tensor.to(widest) for name, tensor in tensors.items()}
    rows = join_rows(tensors, built)
    audio, text = (AutoConfig.from_pretrained(source / slot) for slot in ("encoder", "decoder"))
    text.vocab_size, text.tie_word_embeddings = rows, False
    shape = {
        "d_model": audio.d_model, "encoder_layers": audio.encoder_layers, "num_mel_bins": audio.num_mel_bins,
        "encoder_attention_heads": audio.encoder_attention_heads, "encoder_ffn_dim": audio.encoder_ffn_dim,
        "max_source_positions": audio.max_source_positions, "activation_function": audio.activation_function,
        "scale_embedding": audio.scale_embedding,
    }  # fmt: skip
    ids = built.tokenizer
    folder.mkdir(parents=True, exist_ok=True)
    Qwen2AudioConfig(
        audio_config=shape, text_config=text.to_dict(), audio_token_index=ids.placeholder,
        architectures=["Qwen2AudioForConditionalGeneration"],
    ).save_pretrained(folder)  # fmt: skip
    GenerationConfig(eos_token_id=_ends(ids), pad_token_id=ids.pad).save_pretrained(folder)
    rename_tokens(ids.folder, reverse(qwen2_audio.TOKENS), folder)
    extractor = WhisperFeatureExtractor(feature_size=audio.num_mel_bins)
    processor = Qwen2AudioProcessor(extractor, AutoTokenizer.from_pretrained(folder))
    begin = next(theirs for theirs, ours in qwen2_audio.TOKENS.items() if ours == AUDIO_BEGIN)
    theirs, ours = (label.rpartition("{}")[2] + begin for label in (qwen2_audio.LABEL, ids.audio_label))
    processor.chat_template = processor.chat_template.replace(theirs, ours)
    processor.save_pretrained(folder)
    home = copy_home(source, folder)
    if (plain := _plain(built.config, leave_out)) != built.config:
        _write(home / CONFIG, plain)
    if "ctc" in leave_out and (home / DECODE).is_file():
        _write(home / DECODE, _unheard(read_yaml(home / DECODE)))
    state = {NAMES.targets(name)[0]: tensor.contiguous() for name, tensor in tensors.items()}
    save_torch_state_dict(state, folder, max_shard_size=SHARD)


def check(built: StoredModel, leave_out: list[str]) -> None:
    """Raises: ValueError naming what Qwen2-Audio cannot express; optional slots in ``leave_out`` may be filled."""
    config = built.config
    for slot, name in SLOTS.items():
        if config[slot] != name:
            raise ValueError(f"{slot}: {config[slot]} cannot be expressed in Qwen2-Audio; it is {name} there")
    if fault := other_option(config):
        raise ValueError(fault)
    for slot in TERMS:
        part = getattr(built.model, slot, None)
        if part is not None and any(True for _ in part.parameters()) and slot not in leave_out:
            raise ValueError(
                f"{slot}: {config[slot]} has no place in Qwen2-Audio; --leave_out {slot} drops it"
            )
    decoder = built.model.decoder
    kind = decoder.lm.config.model_type
    if decoder.logit_scale != 1.0 or decoder.logit_cap is not None:
        raise ValueError(
            f"decoder_conf.model: {kind} cannot be expressed in Qwen2-Audio: it scales or caps its logits, which are"
            " plain products there"
        )
    lost = [name for name in built.parameters() if name.startswith(LM) and not NAMES.targets(name)]
    if lost:
        raise ValueError(
            f"decoder_conf.model: {kind} cannot be expressed in Qwen2-Audio: its {lost[0]} has no name there; an LLM"
            " whose tensors are model.* and lm_head.weight can be, such as Qwen2 and Llama"
        )


def other_option(config: dict) -> str | None:
    """The first option of Qwen2-Audio's components that its code does not have, and what to write."""
    given = {
        "encoder_conf.final_norm": config["encoder_conf"].get("final_norm", True),
        "adapter_conf.stride": config["adapter_conf"].get("stride", 2),
    }
    for key, (wanted, why) in OPTIONS.items():
        if given[key] != wanted:
            return f"{key}: {given[key]} cannot be expressed in Qwen2-Audio: {why} ({key}: {wanted})"
    if config["encoder_conf"].get("pad_to") and config["encoder_conf"].get("attend_padding", True):
        return (
            "encoder_conf.attend_padding: true cannot be expressed in Qwen2-Audio: its attention stops at the"
            " clip's end (attend_padding: false)"
        )
    return None


def foretell(config: dict) -> str | None:
    """Of a configuration with Qwen2-Audio's components a line on what will keep its model from being exported."""
    fault = all(config[slot] == name for slot, name in SLOTS.items()) and other_option(config)
    return f"note: `export --to qwen2_audio` will refuse this model: {fault}" if fault else None


def heard_otherwise(config: dict) -> list[str]:
    """The options by which a model hears a clip's end in another way than Qwen2-Audio's processor and encoder."""
    found, encoder = [], config["encoder_conf"]
    if not config["frontend_conf"].get("round_up"):
        found.append("frontend_conf.round_up: false (a begun hop counts as a frame there)")
    if not encoder.get("pad_to"):
        found.append("encoder_conf.pad_to: null (its convolutions hear silence after a clip)")
    elif not encoder.get("hear_padding", True):
        found.append("encoder_conf.hear_padding: false (its convolutions hear the silence after a clip)")
    return found


def _plain(config: dict, leave_out: list[str]) -> dict:
    """``config`` of what is exported: LoRA merged, slots dropped, and no loss of theirs."""
    config = copy.deepcopy(config)
    config["decoder_conf"].pop("lora", None)
    for slot in leave_out:
        config |= {slot: None, f"{slot}_conf": {}}
        for phase in config["phases"]:
            if weights := phase.get("loss_weights"):
                phase["loss_weights"] = {term: w for term, w in weights.items() if w and term != TERMS[slot]}
    return config


def _unheard(search: dict) -> dict:
    """``search``, of decode.yaml, where no CTC component scores the beams."""
    kept = {key: value for key, value in search.items() if key != "ctc_weight"}
    if kept.get("tasks"):
        kept["tasks"] = {name: _unheard(options) for name, options in kept["tasks"].items()}
    return kept


def _write(path: Path, content: dict) -> None:
    path.write_text(yaml.safe_dump(content, sort_keys=False, allow_unicode=True), encoding="utf-8")


def _ends(tokenizer) -> list[int]:
    return sorted({tokenizer.end, tokenizer.token_id("<|im_end|>")})
