"""The slots of the model: which class a component's name in YAML stands for.

A name is one of the table below, an entry point of the group ``qwen_audio.<slot>`` in an installed
package, or ``module:Class``. Classes are imported when they are chosen, not before.
"""

import difflib
import inspect
from importlib.metadata import EntryPoint, entry_points

SLOTS = {
    "frontend": {"log_mel": "qwen_audio.frontend.log_mel:LogMel"},
    "specaug": {"specaug": "espnet2.asr.specaug.specaug:SpecAug"},
    "encoder": {
        "whisper": "qwen_audio.encoder.whisper:Whisper",
        "conformer": "qwen_audio.encoder.espnet:Conformer",
        "e_branchformer": "qwen_audio.encoder.espnet:EBranchformer",
    },
    "adapter": {
        "pool_linear": "qwen_audio.adapter.pool_linear:PoolLinear",
        "stack_linear": "qwen_audio.adapter.stack_linear:StackLinear",
        "conv": "qwen_audio.adapter.conv:Conv",
        "identity": "qwen_audio.adapter.identity:Identity",
    },
    "ctc": {"embedding": "qwen_audio.ctc.embedding:Embedding"},
    "decoder": {
        "hf_causal_lm": "qwen_audio.decoder.hf_causal_lm:HfCausalLm",
        "transformer": "qwen_audio.decoder.transformer:Transformer",
        "whisper": "qwen_audio.decoder.whisper:Whisper",
    },
    "timestamp_head": {
        "tokens": "qwen_audio.timestamp.tokens:Tokens",
        "ctc": "qwen_audio.timestamp.ctc:Ctc",
        "attention": "qwen_audio.timestamp.attention:Attention",
    },
}
OPTIONAL = ("specaug", "ctc", "timestamp_head")  # null leaves them out
METHODS = {  # that a component of the slot must have; docs/components.md says what they answer
    "frontend": ("forward", "num_frames", "output_size"),
    "specaug": ("forward",),
    "encoder": ("forward", "num_frames", "output_size"),
    "adapter": ("forward", "num_frames"),
    "ctc": ("forward", "log_probs", "columns"),
    "decoder": ("forward", "base_rows", "body", "embed", "logits", "join"),
    "timestamp_head": ("words", "words_of", "align"),
}


def nearest(name: str, valid) -> str:
    """A hint to append to an error: the valid name closest to ``name``, and all of them."""
    valid = sorted(valid)
    close = difflib.get_close_matches(str(name), valid, n=1, cutoff=0.5)
    return (f"; did you mean {close[0]!r}?" if close else "") + f" (valid: {', '.join(valid)})"


def component_class(slot: str, name: str) -> type:
    """The class that ``slot: name`` in YAML chooses.

    Raises:
        ValueError: naming the slot, the name and the nearest valid one; or the module that lacks the class.
    """
    target = SLOTS[slot].get(str(name), str(name))
    if ":" not in target:
        found = {point.name: point for point in entry_points(group=f"qwen_audio.{slot}")}
        if str(name) not in found:
            raise ValueError(f"{slot}: unknown component {name!r}{nearest(name, [*SLOTS[slot], *found])}")
        target = found[str(name)].value
    return import_named(f"{slot}: {name!r}", target, "module:Class")


def import_named(what: str, target: str, form: str):
    """What ``target``, such as ``module:Class``, names.

    Raises:
        ValueError: beginning with ``what``: there is no such module, or nothing of that name in it; write ``form``.
    """
    try:
        return EntryPoint("", target, "").load()
    except ModuleNotFoundError as error:
        mend = "install its package, or put its folder on PYTHONPATH"
        raise ValueError(f"{what} cannot be imported ({error}); {mend}") from error
    except (ImportError, AttributeError) as error:
        raise ValueError(f"{what} cannot be imported ({error}); write {form}") from error


def check_options(slot: str, name: str, options: dict, given: set[str] = frozenset()) -> None:
    """Check the component, and ``{slot}_conf`` against its constructor.

    Args:
        given: arguments that the model passes; of timestamp heads, to those that are trained with it.

    Raises:
        ValueError: naming methods that the component lacks, or what the model gives and it does not take; the key
            of an option that it does not know and the nearest valid one, or the key that is missing.
    """
    component = component_class(slot, name)
    parameters = inspect.signature(component).parameters.values()
    named = {p.name for p in parameters if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)}
    wanted = METHODS[slot] + (("add_lora",) if slot == "decoder" and "lora" in named else ())
    abstract = getattr(component, "__abstractmethods__", ())
    lacking = [method for method in wanted if not hasattr(component, method) or method in abstract]
    if lacking:
        raise ValueError(
            f"{slot}: {name} has no {', '.join(lacking)}; docs/components.md says what they answer"
        )
    valid, open_ended = named - given, any(p.kind is p.VAR_KEYWORD for p in parameters)
    takes_given = slot != "timestamp_head" or hasattr(component, "forward")
    if takes_given and not open_ended and not given <= named:
        mend = f"must take {', '.join(sorted(given))}, which the model gives"
        raise ValueError(
            f"{slot}: {name} {mend}; it takes {', '.join(p.name for p in parameters) or 'nothing'}"
        )
    for key in options:
        if key not in valid and not open_ended:
            raise ValueError(f"{slot}_conf.{key}: {name} has no such option{nearest(key, valid)}")
    for p in parameters:
        if p.name in valid and p.default is p.empty and p.name not in options:
            raise ValueError(f"{slot}_conf.{p.name}: {name} needs this option")
