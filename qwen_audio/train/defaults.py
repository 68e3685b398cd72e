"""Values of the training keys that a config leaves out, and which keys may change when a run goes on."""

import copy

TRAIN_DEFAULTS: dict = {
    "init": None,  # folder of a trained model to start from; its components are those the config does not name
    "optim": "adamw",
    "optim_conf": {"lr": 5e-5, "betas": [0.9, 0.98], "eps": 1e-6, "weight_decay": 0.05},  # table 6
    "layer_decay": 0.95,  # table 6
    "lr_scale": {},
    "scheduler": "cosine",
    "scheduler_conf": {"warmup_steps": 2000, "min_lr": 1e-5},  # table 6
    "phases": [],
    "train_dtype": "float32",
    "grad_clip": 1.0,  # table 6; 0 or null clips nothing
    "accum_grad": 1,  # parts of a batch, each of rows of one length; decides which rows a batch holds
    "split_parts": 1,  # pieces that each process computes its share of a part in, for memory alone
    "seed": 0,
    "num_threads": None,  # torch's threads per process; None leaves OMP_NUM_THREADS to decide
    "num_workers": 2,  # processes that read audio ahead; 0 reads in the training process
    "batch_conf": {"max_positions": None, "max_seconds": None, "max_examples": None, "window": None},
    "task_temperature": 1.0,
    "speed_perturb": {},  # {factors: [0.9, 1.0, 1.1], tasks: [asr, s2tt]}
    "frame_cache": {},  # {max_gb: 4}: what a frozen encoder and adapter give is computed once, without SpecAugment
    "log_steps": 50,
    "valid_steps": 500,
    "checkpoint_steps": 500,
    "keep_checkpoints": 5,
    "average_checkpoints": 5,
    "max_bad_steps": 10,  # this many steps in a row without a finite gradient end the run
    "tensorboard": True,
    "trainer": "local",  # or deepspeed
    "deepspeed_conf": {},
}

# Keys that change neither data nor objective: a run may go on with other values of them. Those of the second group
# are for memory; they round otherwise, and other pieces draw other random numbers (dropout, SpecAugment).
FREE_KEYS = (
    "num_threads",
    "num_workers",
    "log_steps",
    "valid_steps",
    "checkpoint_steps",
    "keep_checkpoints",
    "average_checkpoints",
    "max_bad_steps",
    "tensorboard",
    "split_parts",
    "trainer",
    "deepspeed_conf.zero_optimization",
    "decoder_conf.gradient_checkpointing",
)


def without_free(config: dict) -> dict:
    """``config`` without FREE_KEYS: all that decides what is learned."""
    kept = copy.deepcopy(config)
    for key in FREE_KEYS:
        outer, _, inner = key.rpartition(".")
        (kept.get(outer, {}) if outer else kept).pop(inner, None)
    return kept
