import json

import numpy as np
import pytest
import soundfile
import torch
import yaml

from qwen_audio.task import AudioLLMTask

ROWS = {
    "a": {"utt": "a", "task": "asr", "audio_lang": "en", "text_lang": "en", "text": "dog"},
    "b": {"utt": "b", "task": "lid", "label": "English"},
}


@pytest.fixture
def arguments(tmp_path, parts, tiny_tokenizer):
    """Function (**keys of the YAML) -> arguments as ESPnet's own command parses them."""

    def parse(**more):
        chosen = {**parts["encoder"]["whisper"], **parts["decoder"]["frozen"], "adapter": "stack_linear"}
        path = tmp_path / "train.yaml"
        path.write_text(yaml.safe_dump({**chosen, "adapter_conf": {"stride": 2}, **more}))
        given = ["--config", path, "--tokenizer", tiny_tokenizer.folder, "--output_dir", tmp_path]
        return AudioLLMTask.get_parser().parse_args([*map(str, given), "--tasks", "asr/en", "lid"])

    return parse


def noise():
    return np.random.default_rng(0).standard_normal(8000) * 0.1


def batch_of(args, rows):
    preprocess = AudioLLMTask.build_preprocess_fn(args, train=True)
    data = [(utt, preprocess(utt, {"speech": noise(), "text": json.dumps(row)})) for utt, row in rows.items()]
    return AudioLLMTask.build_collate_fn(args, train=True)(data)


def test_espnets_parser_builds_a_model_that_trains_on_espnets_data_names(arguments):
    args = arguments()
    model = AudioLLMTask.build_model(args)
    (optimizer,) = AudioLLMTask.build_optimizers(args, model)
    utts, batch = batch_of(args, ROWS)
    before = model.adapter.mlp[0].weight.clone()
    loss, stats, weight = model(**batch)
    loss.backward()
    optimizer.step()
    assert utts == ["a", "b"]
    assert torch.isfinite(loss) and not torch.equal(before, model.adapter.mlp[0].weight)
    assert weight.item() == len(batch["loss_places"])


@pytest.fixture
def recordings(tmp_path):
    """Options that name ESPnet's files of a training and a validation set; the latter has one task alone."""
    given = []
    for part, utts in (("train", "ab"), ("valid", "b")):
        for name, kind in (("wav", "speech,sound"), ("text", "text,text"), ("shape", "")):
            lines = {
                utt: {"wav": f"{tmp_path}/{utt}.wav", "text": json.dumps(ROWS[utt]), "shape": "8000"}
                for utt in utts
            }
            path = tmp_path / f"{part}.{name}"
            path.write_text("".join(f"{utt} {line[name]}\n" for utt, line in lines.items()))
            option = "data_path_and_name_and_type" if kind else "shape_file"
            given += [f"--{part}_{option}", f"{path},{kind}" if kind else str(path)]
    for utt in ROWS:
        soundfile.write(tmp_path / f"{utt}.wav", noise(), 16000)
    return given


def train_by_espnet(args, recordings, folder):
    """One epoch of one step over train.yaml in ``folder``."""
    run = ["--config", f"{folder}/train.yaml", "--tokenizer", args.tokenizer, "--output_dir", str(folder)]
    run += ["--tasks", "asr/en", "lid", "--max_epoch", "1", "--batch_size", "2", "--batch_type", "unsorted"]
    AudioLLMTask.main(cmd=[*run, "--num_workers", "0", "--use_matplotlib", "false", *recordings])


def test_espnets_own_trainer_reports_the_loss_of_each_task_by_name(arguments, recordings, tmp_path):
    """The other has no loss in validation."""
    train_by_espnet(arguments(), recordings, tmp_path)
    stats = torch.load(tmp_path / "checkpoint.pth", weights_only=False)["reporter"]["stats"][1]
    train, valid = stats["train"], stats["valid"]
    assert np.isfinite(train["loss_asr/en"]) and np.isfinite(train["loss_lid"])
    assert np.isnan(valid["loss_asr/en"]) and valid["loss_lid"] == pytest.approx(valid["loss"], rel=1e-5)


@pytest.mark.parametrize("lora, encoder", [(None, "whisper"), ({"r": 2}, "conformer")])
def test_what_a_frozen_llm_still_trains_moves_under_espnets_own_trainer(
    arguments, parts, tiny_tokenizer, recordings, tmp_path, lora, encoder
):
    """AbsTask freezes every parameter below ``freeze_param`` after the model is built.

    Nothing of the encoder moves, statistics of BatchNorm neither.
    """
    conf = {**parts["decoder"]["frozen"]["decoder_conf"], "lora": lora}
    more = {
        "ctc": "embedding",
        "ctc_tokens": tiny_tokenizer.encode("dog"),
        "loss_weights": {"lm": 1, "ctc": 1},
        **parts["encoder"][encoder],
    }
    args = arguments(decoder_conf=conf, freeze_param=["decoder", "encoder"], optim_conf={"lr": 0.1}, **more)
    torch.manual_seed(args.seed)  # a conformer begins at random
    before = AudioLLMTask.build_model(args).state_dict()
    train_by_espnet(args, recordings, tmp_path)
    after = torch.load(tmp_path / "1epoch.pth", weights_only=True)
    moved = {name for name in after if "lora_A" not in name and not torch.equal(after[name], before[name])}
    in_llm = {name for name in moved if name.startswith("decoder.lm.")}
    assert {"decoder.new_rows", "ctc.norm.weight"} <= moved
    assert bool(in_llm) == (lora is not None) and all("lora_B" in name for name in in_llm)
    assert not any(name.startswith("encoder.") for name in moved)


def test_an_optimizer_that_is_not_there_is_refused(arguments):
    args = arguments(optim="sgd")
    with pytest.raises(ValueError, match="optim: 'sgd' is no choice.*adamw"):
        AudioLLMTask.build_optimizers(args, AudioLLMTask.build_model(args))


def test_a_component_with_a_loss_of_its_own_and_no_weight_is_said(arguments, caplog):
    args = arguments(ctc="embedding", ctc_tokens=[20, 30], timestamp_head="ctc", loss_weights={"ctc": 0.3})
    AudioLLMTask.build_optimizers(args, AudioLLMTask.build_model(args))
    (said,) = [record.message for record in caplog.records if "not trained" in record.message]
    assert said.startswith(
        "timestamp_head: ctc is not trained: loss_weights are {'ctc': 0.3}; give timestamp"
    )


@pytest.mark.parametrize("weights", [{"ctc": 1.0}, {"lm": 1.0, "ctc": 1.0}], ids=str)
def test_every_statistic_is_one_number(arguments, tiny_tokenizer, weights):
    """The loss of CTC is of the one transcript alone, whatever else is in the batch."""
    ctc_tokens = sorted(set(tiny_tokenizer.encode("dog")))
    args = arguments(ctc="embedding", ctc_tokens=ctc_tokens, loss_weights=weights)
    model = AudioLLMTask.build_model(args).eval()
    _, stats, _ = model(**batch_of(args, ROWS)[1])
    assert {value.numel() for value in stats.values()} == {1} and stats["ctc_left_out"] == 0
    model.loss_weights = {"ctc": 1.0}
    torch.testing.assert_close(stats["loss_ctc"], model(**batch_of(args, {"a": ROWS["a"]})[1])[0].detach())


@pytest.mark.parametrize("weights, message", [
    ({"ctc": 0.3}, "^loss_weights.ctc needs a ctc component; write ctc: embedding"),
    ({"lmm": 1.0}, "^loss_weights.lmm: no such loss; did you mean 'lm'"),
    ({"lm": 0}, "^loss_weights are {'lm': 0}; give one loss a weight above 0"),
])  # fmt: skip
def test_impossible_loss_weights_name_the_key(arguments, weights, message):
    with pytest.raises(ValueError, match=message):
        AudioLLMTask.build_model(arguments(loss_weights=weights))


def test_the_slot_adapter_means_the_audio_adapter_not_espnets_lora_switch(arguments):
    assert arguments().adapter == "stack_linear"


def test_a_typo_in_a_component_is_answered_with_the_nearest(arguments):
    with pytest.raises(ValueError, match="did you mean 'stack_linear'"):
        AudioLLMTask.build_model(arguments(adapter="stack_liner"))


def test_an_unknown_task_in_an_example_names_the_utterance_and_the_nearest(arguments):
    with pytest.raises(ValueError, match="x: task 'asrr'; did you mean 'asr'"):
        batch_of(arguments(), {"x": {"utt": "x", "task": "asrr"}})
