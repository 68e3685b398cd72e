"""What the options of training may say, alone and together: whatever is seen without a model and without data."""

from qwen_audio.kinds import is_amount
from qwen_audio.registry import nearest

CHOICES = {
    "optim": ("adamw",),
    "scheduler": ("cosine",),
    "train_dtype": ("float32", "bfloat16"),
    "trainer": ("local", "deepspeed"),
}
SPEED_KEYS = ("factors", "tasks")
CACHE_KEYS = ("max_gb",)
HALF = ("bf16", "bfloat16", "fp16", "amp")  # DeepSpeed's: the weights themselves in half precision
OFFLOAD = "needs DeepSpeed's own optimizer"
ZERO = {  # options of ZeRO that the engine cannot give, and why
    "overlap_comm": "needs ZeRO stage 2, and only stage 1 is supported",
    "offload_optimizer": OFFLOAD,
    "cpu_offload": OFFLOAD,
    "offload_param": "needs ZeRO stage 3, and only stage 1 is supported",
    "cpu_offload_param": "needs ZeRO stage 3, and only stage 1 is supported",
}
FOLLOWS = {  # what DeepSpeed is told by other keys
    "train_batch_size": "batch_conf",
    "train_micro_batch_size_per_gpu": "batch_conf",
    "gradient_accumulation_steps": "accum_grad",
    "gradient_clipping": "grad_clip",
    "optimizer": "optim and optim_conf",
    "scheduler": "scheduler and scheduler_conf",
}


def check_choices(config: dict) -> None:
    """Raises: ValueError for a key of CHOICES with another value, naming the nearest."""
    for key, valid in CHOICES.items():
        if config[key] not in valid:
            raise ValueError(f"{key}: {config[key]!r} is no choice{nearest(config[key], valid)}")


def check_together(config: dict) -> None:
    """The options of a complete ``config``, whose values are of their kinds.

    Raises:
        ValueError: naming the key, the value and what to write.
    """
    _check_speed(config["speed_perturb"])
    _check_cache(config)
    _check_deepspeed(config["deepspeed_conf"])
    peak, floor = config["optim_conf"]["lr"], config["scheduler_conf"]["min_lr"]
    if floor > peak:
        raise ValueError(f"scheduler_conf.min_lr {floor} is above optim_conf.lr {peak}; lower it")


def _check_speed(options: dict) -> None:
    for key in options:
        if key not in SPEED_KEYS:
            raise ValueError(f"speed_perturb.{key}: no such option{nearest(key, SPEED_KEYS)}")
    if not options:
        return
    factors, tasks = (options.get(key) for key in SPEED_KEYS)
    if not isinstance(factors, list) or not factors or not all(is_amount(v) and v for v in factors):
        raise ValueError(
            f"speed_perturb.factors is {factors!r}; write speeds above 0, such as [0.9, 1.0, 1.1]"
        )
    if not isinstance(tasks, list) or not all(isinstance(task, str) for task in tasks):
        raise ValueError(f"speed_perturb.tasks is {tasks!r}; write a list of tasks, such as [asr, s2tt]")


def _check_cache(config: dict) -> None:
    """``frame_cache``, and what does not go with it; that the parts are frozen is seen with the model."""
    options = config["frame_cache"]
    for key in options:
        if key not in CACHE_KEYS:
            raise ValueError(f"frame_cache.{key}: no such option{nearest(key, CACHE_KEYS)}")
    if not options:
        return
    if not is_amount(options["max_gb"]) or not options["max_gb"]:
        raise ValueError(f"frame_cache.max_gb is {options['max_gb']!r}; write a number of gigabytes above 0")
    if config["speed_perturb"]:
        raise ValueError(
            "frame_cache keeps clips at their own speed; write speed_perturb: {} or frame_cache: {}"
        )
    for number, phase in enumerate(config["phases"]):
        if (phase.get("loss_weights") or {}).get("timestamp"):
            raise ValueError(
                f"phases[{number}].loss_weights.timestamp needs the encoder's frames, frame_cache keeps the"
                " adapter's; write frame_cache: {}"
            )


def _check_deepspeed(options: dict) -> None:
    for name, keys in FOLLOWS.items():
        if name in options:
            raise ValueError(f"deepspeed_conf.{name} follows from {keys}; remove it")
    for name in HALF:
        if name in options:
            raise ValueError(
                f"deepspeed_conf.{name} would round the trained weights, also in checkpoints; remove it, and write"
                " train_dtype: bfloat16"
            )
    zero = options.get("zero_optimization", {})
    if not isinstance(zero, dict):
        raise ValueError(f"deepspeed_conf.zero_optimization is {zero!r}; write KEY: VALUE lines")
    if zero.get("stage", 1) != 1:
        raise ValueError(
            f"deepspeed_conf.zero_optimization.stage is {zero['stage']}; only stage 1 is supported"
        )
    for name, reason in ZERO.items():
        if zero.get(name):
            raise ValueError(f"deepspeed_conf.zero_optimization.{name} {reason}; remove it")
