"""Training on sets without any transcript: what learns from the spoken words alone is left out."""

from collections.abc import Sequence

from qwen_audio.config import LOSSES, has_loss
from qwen_audio.data.token_set import TokenSet
from qwen_audio.model_folder import given_by_init

LM = {"lm": 1.0}
TERMS = {slot: term for term, slot in LOSSES.items() if term not in LM}  # whose target is the transcript


def without_words(config: dict, sets: Sequence[TokenSet]) -> tuple[dict, str]:
    """``config`` as it is trained on ``sets``, and a line that says what differs; nothing does where one has words.

    A component that would begin at random and learn nothing is left out; one that ``init`` gives stays. A phase
    whose only losses were theirs trains the LLM's.
    """
    if any(counts["ctc"] for data in sets for counts in data.counts.values()):
        return config, ""
    given = given_by_init(config) if config["init"] else []
    gone = [slot for slot in TERMS if has_loss(slot, config[slot]) and slot not in given]
    empty = [slot for slot in TERMS if slot in gone or config[slot] is None]

    def kept(prefix: str) -> bool:
        return prefix.split(".")[0] not in empty

    def losses(phase: dict) -> dict:
        own = {term: weight for term, weight in phase["loss_weights"].items() if term in LM and weight}
        return {**phase, "loss_weights": own or LM}

    changed = config | {
        **{key: value for slot in gone for key, value in ((slot, None), (f"{slot}_conf", {}))},
        "phases": [losses(phase) if phase.get("loss_weights") else phase for phase in config["phases"]],
        "lr_scale": {prefix: scale for prefix, scale in config["lr_scale"].items() if kept(prefix)},
        "freeze_param": [prefix for prefix in config["freeze_param"] if kept(prefix)],
    }
    now = [f"{slot}: null" for slot in gone]
    for number, (before, after) in enumerate(zip(config["phases"], changed["phases"], strict=True)):
        if after != before:
            now.append(f"phases[{number}].loss_weights: {after['loss_weights']}")
    now += [f"{key}: {changed[key]}" for key in ("lr_scale", "freeze_param") if changed[key] != config[key]]
    return changed, f"no set has a transcript; trained with {', '.join(now)}" if now else ""
