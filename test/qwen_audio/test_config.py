import pytest
import yaml

from qwen_audio.cli import run
from qwen_audio.config import load_config, read_yaml

MINIMAL = """
encoder: conformer
decoder: transformer
phases: [{steps: 3}]
"""


def test_a_model_to_start_from_that_is_none_is_named(write_config):
    with pytest.raises(
        ValueError, match="init: nowhere is no folder of a trained model: it has no config.yaml"
    ):
        load_config(write_config("phases: [{steps: 3}]\ninit: nowhere\n"))


def test_a_short_configuration_is_filled_up_with_defaults(write_config):
    config = load_config(write_config(MINIMAL))
    assert config["adapter"] == "pool_linear" and config["encoder_conf"] == {} and config["grad_clip"] == 1.0


@pytest.mark.parametrize("given", [["--override", "seed=2", "--override", "accum_grad=3"],
                                   ["--override", "seed=2", "accum_grad=3"]])  # fmt: skip
def test_an_option_given_twice_counts_twice(write_config, capsys, given):
    run("config", [str(write_config(MINIMAL)), *given])
    printed = yaml.safe_load(capsys.readouterr().out)
    assert (printed["seed"], printed["accum_grad"]) == (2, 3)


@pytest.mark.parametrize(
    "text, number", [("1e-4", 1e-4), ("5.0e-5", 5e-5), ("2E+3", 2000.0), ("-1e3", -1000.0)]
)
def test_a_number_with_exponent_is_a_number_with_or_without_a_dot(write_config, text, number):
    assert read_yaml(write_config(f"a: {{b: [{text}]}}")) == {"a": {"b": [number]}}


@pytest.mark.parametrize("text", ["1e", "e5", "a1e5", "1e5b"])
def test_what_only_looks_like_a_number_stays_text(write_config, text):
    assert read_yaml(write_config(f"a: {text}")) == {"a": text}


MISTAKES = [
    ("encodr: whisper", "unknown key 'encodr'; did you mean 'encoder'"),
    ("encoder: konformer", "encoder: unknown component 'konformer'; did you mean 'conformer'"),
    ("adapter_conf: {strid: 2}", "adapter_conf.strid: pool_linear has no such option; did you mean 'stride'"),
    ("encoder: whisper", "encoder_conf.model: whisper needs this option"),
    (
        "encoder: null",
        r"encoder: null; this slot must be filled \(valid: conformer, e_branchformer, whisper\)",
    ),
    ("optim: adam", "optim: 'adam' is no choice; did you mean 'adamw'"),
    ("optim_conf: {lrr: 1}", "optim_conf.lrr: no such option; did you mean 'lr'"),
    ("train_dtype: bfloat", "train_dtype: 'bfloat' is no choice; did you mean 'bfloat16'"),
    ("batch_conf: {max_second: 3}", "batch_conf.max_second: no such option; did you mean 'max_seconds'"),
    ("speed_perturb: {factor: [1.1]}", "speed_perturb.factor: no such option; did you mean 'factors'"),
    (
        "speed_perturb: {tasks: [asr]}",
        r"speed_perturb.factors is None; write speeds above 0, such as \[0.9, 1.0",
    ),
    (
        "speed_perturb: {factors: [0, 1], tasks: [asr]}",
        r"speed_perturb.factors is \[0, 1\]; write speeds above 0",
    ),
    ("speed_perturb: {factors: [1.1]}", "speed_perturb.tasks is None; write a list of tasks, such as"),
    ("speed_perturb: {factors: [1.1], tasks: asr}", "speed_perturb.tasks is 'asr'; write a list of tasks"),
    ("phases: []", "phases is empty; write at least one"),
    ("phases: [{step: 3}]", r"phases\[0\].step: no such key; did you mean 'steps'"),
    ("phases: [{steps: 3}, {steps: 0}]", r"phases\[1\].steps is 0; write a whole number from 1 on"),
    ("phases: [{loss_weights: {lm: 1}}]", r"phases\[0\].steps is None"),
    ("phases: [steps]", r"phases\[0\] is 'steps'; write \{steps: "),
    ("phases: {steps: 3}", r"phases is \{'steps': 3\}; write a list"),
    (
        "phases: [{steps: 3, loss_weights: {cct: 1}}]",
        r"phases\[0\].loss_weights.cct: no such loss; did you mean 'ctc'",
    ),
    ("phases: [{steps: 3, loss_weights: {lm: 0}}]", r"phases\[0\].loss_weights are {'lm': 0}; give one loss"),
    (
        "phases: [{steps: 3, loss_weights: {lm: -1}}]",
        r"phases\[0\].loss_weights.lm is -1; write a number from 0",
    ),
    (
        "phases: [{steps: 3, loss_weights: {lm: }}]",
        r"phases\[0\].loss_weights.lm is None; write a number from 0",
    ),
    ("phases: [{steps: 3, loss_weights: 1}]", r"phases\[0\].loss_weights is 1; write \{lm: ..., ctc: ..., "),
    ("phases: [{steps: 3, loss_weights: {ctc: 1}}]", "needs a ctc component; write ctc: embedding"),
    ("freeze_param: decoder", "freeze_param is 'decoder'; write a list"),
    ("adapter_conf:", "adapter_conf is None; write KEY: VALUE lines"),
    ("optim_conf: 1e-4", "optim_conf is 0.0001; write KEY: VALUE lines"),
    ("- a", "the top level must be KEY: VALUE lines"),
    ("accum_grad: two", "accum_grad is 'two'; write a whole number from 1 on"),
    ("accum_grad: 0", "accum_grad is 0; write a whole number from 1 on"),
    ("seed: true", "seed is True; write a whole number from 0 on"),
    ("tensorboard: 1", "tensorboard is 1; write true or false"),
    ("grad_clip: x", "grad_clip is 'x'; write a number from 0 on or null"),
    ("num_threads: 0", "num_threads is 0; write a whole number from 1 on or null"),
    ("task_temperature: 0", "task_temperature is 0; write a number above 0"),
    ("optim_conf: {lr: abc}", "optim_conf.lr is 'abc'; write a number from 0 on"),
    ("optim_conf: {lr: .nan}", "optim_conf.lr is nan; write a number from 0 on"),
    ("optim_conf: {betas: {0: 0.8}}", "optim_conf.betas is {0: 0.8}; write a list"),
    ("optim_conf: {betas: [0.9]}", r"optim_conf.betas is \[0.9\]; write two numbers, such as \[0.9, 0.98\]"),
    ("scheduler_conf: {warmup_steps: 1.5}", "scheduler_conf.warmup_steps is 1.5; write a whole number"),
    ("batch_conf: {max_seconds: long}", "batch_conf.max_seconds is 'long'; write a number from 0 on or null"),
    ("batch_conf: {window: 0}", "batch_conf.window is 0; write a whole number from 1 on or null"),
    ("tokenizer_conf: {pieces: many}", "tokenizer_conf.pieces is 'many'; write a whole number from 1 on"),
    ("lr_scale: {adaptor.proj: 2}", "lr_scale.adaptor.proj: 'adaptor' is no slot; did you mean 'adapter'"),
    ("lr_scale: {adapter: two}", "lr_scale.adapter is 'two'; write a number from 0 on"),
    ("freeze_param: [1]", "freeze_param has 1; write the beginnings of parameter names"),
    ("phases: [{steps: 3, task_weights: {asr: x}}]", r"phases\[0\].task_weights.asr is 'x'; write a number"),
    ("phases: [{steps: 3, task_weights: asr}]", r"phases\[0\].task_weights is 'asr'; write \{TASK: WEIGHT"),
    ("adapter_conf: {stride: '2'}", "adapter_conf.stride is '2'; write a whole number"),
    ("encoder_conf: {dropout_rate: a}", "encoder_conf.dropout_rate is 'a'; write a number"),
    ("encoder_conf: {input_layer: 2}", "encoder_conf.input_layer is 2; write a text or null"),
    *[
        (f"{key}: 0", f"{key} is 0; write a whole number from 1 on")
        for key in ("log_steps", "valid_steps", "checkpoint_steps", "keep_checkpoints", "average_checkpoints")
    ],
    ("scheduler: linear", "scheduler: 'linear' is no choice.*cosine"),
    ("scheduler_conf: {min_lr: 1.0}", "scheduler_conf.min_lr 1.0 is above optim_conf.lr 5e-05; lower it"),
    ("frame_cache: {max_mb: 3}", "frame_cache.max_mb: no such option; did you mean 'max_gb'"),
    ("frame_cache: {max_gb: much}", "frame_cache.max_gb is 'much'; write a number of gigabytes above 0"),
    ("frame_cache: {max_gb: 0}", "frame_cache.max_gb is 0; write a number of gigabytes above 0"),
    (
        "frame_cache: {max_gb: 1}\nspeed_perturb: {factors: [0.9], tasks: [asr]}",
        "frame_cache keeps clips at their own speed; write speed_perturb: {}",
    ),
    (
        "phases: [{steps: 3, loss_weights: {timestamp: 1}}]\nframe_cache: {max_gb: 1}\ntimestamp_head: ctc",
        r"phases\[0\].loss_weights.timestamp needs the encoder's frames, .* write frame_cache: {}",
    ),
    ("deepspeed_conf: {gradient_clipping: 1}", "gradient_clipping follows from grad_clip; remove it"),
    (
        "deepspeed_conf: {optimizer: {type: Adam}}",
        "deepspeed_conf.optimizer follows from optim and optim_conf",
    ),
    (
        "deepspeed_conf: {zero_optimization: 1}",
        "deepspeed_conf.zero_optimization is 1; write KEY: VALUE lines",
    ),
    ("deepspeed_conf: {zero_optimization: {stage: 3}}", "stage is 3; only stage 1 is supported"),
    *[
        (
            f"deepspeed_conf: {{zero_optimization: {{{option}: {value}}}}}",
            f"deepspeed_conf.zero_optimization.{option} needs .*; remove it",
        )
        for option, value in (
            ("overlap_comm", "true"),
            ("offload_optimizer", "{device: cpu}"),
            ("offload_param", "{device: cpu}"),
        )
    ],
    *[
        (
            f"deepspeed_conf: {{{half}: {{enabled: true}}}}",
            f"deepspeed_conf.{half} would .* write train_dtype: bfloat16",
        )
        for half in ("bf16", "fp16")
    ],
    ("a: [", "not valid YAML: .*line 5"),
    ("include: gone.yaml", "gone.yaml: no such configuration file"),
]


@pytest.mark.parametrize("text, message", MISTAKES, ids=[text for text, _ in MISTAKES])
def test_a_mistake_names_file_key_value_and_the_nearest(write_config, text, message):
    key = text.partition(":")[0]
    kept = "".join(line + "\n" for line in MINIMAL.splitlines() if not line.startswith(key + ":"))
    path = write_config((kept if text[0] != "-" else "") + text if text != "a: [" else MINIMAL + text)
    with pytest.raises(ValueError, match=message) as caught:
        load_config(path)
    assert "a.yaml" in str(caught.value) or "gone.yaml" in str(caught.value)


def test_a_whole_number_is_a_number_and_what_may_be_null_may(write_config):
    keys = "grad_clip: null\nnum_threads: null\nlayer_decay: 1\nbatch_conf: {max_seconds: 30, max_examples: null}\n"
    config = load_config(
        write_config(MINIMAL + keys + "encoder_conf: {dropout_rate: 0, input_layer: conv2d}\n")
    )
    assert (config["grad_clip"], config["batch_conf"]["max_seconds"]) == (None, 30)


def test_a_phase_whose_loss_weights_are_left_empty_takes_the_default(write_config):
    config = load_config(write_config(MINIMAL.replace("steps: 3", "steps: 3, loss_weights: ")))
    assert config["phases"] == [{"steps": 3, "loss_weights": None}]


def test_an_override_without_value_is_refused(write_config):
    with pytest.raises(ValueError, match="override 'seed': write key=value"):
        load_config(write_config(MINIMAL), ["seed"])


def test_the_written_configuration_of_a_run_loads_as_itself(write_config):
    config = load_config(write_config(MINIMAL))
    assert load_config(write_config(yaml.safe_dump(config), "run.yaml")) == config
