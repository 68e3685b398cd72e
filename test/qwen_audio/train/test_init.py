import json
import shutil

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import PreTrainedModel

from qwen_audio.build import frame_counter
from qwen_audio.data.run_tokenizer import check_tokenizer
from qwen_audio.decoder.quantize import quantize_llm
from qwen_audio.infer.load import load_model
from qwen_audio.model_folder import export_model
from qwen_audio.train.checkpoint import checkpoints
from qwen_audio.train.init import build_from, check_word_times, describe
from qwen_audio.train.run import finish, train


def test_every_tensor_comes_from_the_folder_with_its_lora_merged_and_new_lora_beside(
    stage5, sft_config, tiny_tokenizer
):
    config = sft_config()
    assert (config["adapter"], config["ctc"]) == ("stack_linear", "embedding")  # named by the folder alone
    assert config["decoder_conf"]["lora"] == {"r": 3}
    model, source = build_from(config, tiny_tokenizer, [20, 30], 1), load_model(stage5).model
    found = {name.replace(".base_layer.", "."): tensor for name, tensor in model.state_dict().items()}
    new = {name for name in found if ".lora_" in name}
    assert found.keys() - new == source.state_dict().keys()
    assert any(name.endswith("down_proj.lora_A.default.weight") for name in new)
    assert all(torch.equal(found[name], tensor) for name, tensor in source.state_dict().items())
    ids = torch.tensor([[5, 9, 30]])
    hidden, _ = model.decoder(model.decoder.embed(ids), torch.ones_like(ids), torch.arange(3)[None])
    theirs, _ = source.decoder(source.decoder.embed(ids), torch.ones_like(ids), torch.arange(3)[None])
    torch.testing.assert_close(hidden, theirs, atol=1e-5, rtol=1e-5)  # new LoRA matrices begin as nothing
    trained = {name.split(".")[0] for name, param in model.named_parameters() if param.requires_grad}
    assert trained == {"decoder"}


def test_without_lora_the_whole_llm_is_trained(sft_config, tiny_tokenizer):
    model = build_from(sft_config(decoder_conf={"lora": None}), tiny_tokenizer, [20, 30], 1)
    assert all(param.requires_grad for param in model.decoder.parameters())
    assert not any(".lora_" in name for name in model.state_dict())


def test_frames_are_counted_by_the_folders_own_encoder_which_needs_no_other(sft_config, stage5):
    conf = {"encoder_conf": {"model": "nowhere/to-be-found"}}
    count, source = frame_counter(sft_config(**conf)), load_model(stage5).model
    assert count(np.array([16000])).tolist() == [source.num_frames(16000)]


def test_a_moved_folder_gives_the_shapes_that_its_configuration_seeks_elsewhere(
    stage5, sft_config, tiny_tokenizer, tmp_path
):
    away = {"model": "nowhere/to-be-found"}
    config = sft_config(encoder_conf=away, decoder_conf={"lora": {"r": 3}, **away})
    model = build_from(config, tiny_tokenizer, [20, 30], 1)
    export_model(model, tiny_tokenizer, config, ["asr/en"], [20, 30], tmp_path / "out")
    for slot in ("encoder", "decoder"):
        file = f"{slot}/config.json"
        assert (tmp_path / "out" / file).read_bytes() == (stage5 / file).read_bytes()
    found, before = (load_model(folder).model.state_dict() for folder in (tmp_path / "out", stage5))
    assert all(torch.equal(found[name], tensor) for name, tensor in before.items())


def test_sets_that_teach_another_form_of_word_times_than_is_decoded_are_refused(
    sft_config, dialogues, tmp_path
):
    meta = json.loads((dialogues / "meta.json").read_text())
    meta["tasks"], meta["counts"] = (
        json.loads(json.dumps(meta[key]).replace('"text"', '"srwt/en"')) for key in ("tasks", "counts")
    )
    (dialogues / "meta.json").write_text(json.dumps(meta))
    shared = sft_config(timestamp_head_conf={"shared": True})
    with pytest.raises(
        ValueError, match=r"shared is true, as .*/pretrain_tiny .* of srwt .* write .*{shared: false}"
    ):
        train(shared, [str(dialogues)], [], tmp_path / "run", "cpu")
    check_word_times(shared, ["asr/en", "template"])
    check_word_times(sft_config(), ["srwt/en"])


def test_another_component_starts_anew_and_is_named(sft_config, tiny_tokenizer):
    config = sft_config(adapter="pool_linear", adapter_conf={"stride": 3}, ctc=None, freeze_param=["encoder"])
    build_from(config, tiny_tokenizer, [], 1)
    taken = "frontend, specaug, encoder, decoder, timestamp_head"
    assert describe(config).endswith(f"/pretrain_tiny: {taken}; anew: adapter")


def test_what_does_not_fit_is_named(stage5, sft_config, tiny_tokenizer, tmp_path):
    with pytest.raises(
        ValueError, match=r"pretrain_tiny has another shape of 3 tensors of adapter \(adapter.mlp"
    ):
        build_from(sft_config(adapter_conf={"stride": 2}), tiny_tokenizer, [20, 30], 1)
    with pytest.raises(ValueError, match="init: .*nowhere is no folder of a trained model"):
        sft_config(init=str(tmp_path / "nowhere"))
    other = tmp_path / "other"
    shutil.copytree(tiny_tokenizer.folder, other)
    meta = json.loads((other / "qwen_audio.json").read_text())
    (other / "qwen_audio.json").write_text(json.dumps({**meta, "new_tokens": meta["new_tokens"][:-1]}))
    with pytest.raises(
        ValueError, match="was trained with another tokenizer .*tokenise the sets with its own"
    ):
        check_tokenizer(sft_config(), type(tiny_tokenizer)(other))


def test_a_fine_tuned_model_is_complete_without_the_one_it_began_with(
    stage5, sft_config, dialogues, tmp_path
):
    run = tmp_path / "exp/sft_tiny"
    train(sft_config(), [str(dialogues)], [str(dialogues)], run, "cpu")
    finish(run)
    before = load_model(stage5).model.state_dict()
    shutil.rmtree(stage5)
    loaded = load_model(run)
    assert loaded.tasks == ["joined", "template", "text", "asr"]  # and what the first model had learned
    changed = {
        name for name, tensor in loaded.model.state_dict().items() if not torch.equal(tensor, before[name])
    }
    assert changed and all(name.startswith("decoder.") for name in changed)
    assert "decoder.lm.model.layers.1.mlp.down_proj.weight" in changed


def test_a_run_whose_first_model_changed_since_is_refused(stage5, sft_config, dialogues, tmp_path):
    run = tmp_path / "exp/sft_tiny"
    train(sft_config(), [str(dialogues)], [], run, "cpu")
    assert [step for step, _ in checkpoints(run)] == [2, 4]
    weights = load_file(stage5 / "model.safetensors")
    weights["adapter.norm.bias"] += 1
    save_file(weights, stage5 / "model.safetensors", {"format": "pt"})
    with pytest.raises(ValueError, match="config.init was .*pretrain_tiny .* and is now"):
        train(sft_config(), [str(dialogues)], [], run, "cpu")


def test_a_run_that_was_broken_off_ends_with_the_weights_of_a_whole_one(sft_config, dialogues, tmp_path):
    run, config = tmp_path / "exp/sft_tiny", sft_config(frame_cache={"max_gb": 1})
    train(config, [str(dialogues)], [], run, "cpu")
    whole = load_file(run / "checkpoints/step_00000004/model.safetensors")
    shutil.rmtree(run / "checkpoints/step_00000004")
    train(config, [str(dialogues)], [], run, "cpu")
    again = load_file(run / "checkpoints/step_00000004/model.safetensors")
    assert whole.keys() == again.keys()
    assert all(torch.equal(again[name], tensor) for name, tensor in whole.items())


def test_a_run_goes_on_to_the_same_weights_with_what_takes_less_memory(
    sft_config, dialogues, tmp_path, monkeypatch
):
    run, recomputed = tmp_path / "exp/sft_tiny", []
    enable = PreTrainedModel.gradient_checkpointing_enable
    monkeypatch.setattr(
        PreTrainedModel,
        "gradient_checkpointing_enable",
        lambda *args: (recomputed.append(True), enable(*args)),
    )
    options = {"frame_cache": {"max_gb": 1}}  # without SpecAugment's random numbers
    train(sft_config(**options), [str(dialogues)], [], run, "cpu")
    whole = load_file(run / "checkpoints/step_00000004/model.safetensors")
    shutil.rmtree(run / "checkpoints/step_00000004")
    options |= {"split_parts": 2, "decoder_conf": {"lora": {"r": 3}, "gradient_checkpointing": True}}
    train(sft_config(**options), [str(dialogues)], [], run, "cpu")
    again = load_file(run / "checkpoints/step_00000004/model.safetensors")
    assert recomputed and whole.keys() == again.keys()
    for name, tensor in whole.items():
        torch.testing.assert_close(again[name], tensor, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("kind", ["4bit", "8bit"])
def test_lora_trains_over_a_quantised_llm_and_what_is_written_is_whole(
    stage5, sft_config, dialogues, tmp_path, monkeypatch, kind
):
    kept = {}

    def spy(lm, *options):
        quantize_llm(lm, *options)
        kept.update({name: param.dtype for name, param in lm.named_parameters() if "layers.0." in name})

    monkeypatch.setattr("qwen_audio.train.run.quantize_llm", spy)
    config = sft_config(decoder_conf={"lora": {"r": 3}, "quantize": kind})
    train(config, [str(dialogues)], [str(dialogues)], tmp_path / "run", "cpu")
    whole = {name for name, dtype in kept.items() if dtype == torch.float32}
    assert whole == {name for name in kept if ".lora_" in name or "norm" in name}
    assert len(kept) - len(whole) == 7
    finish(tmp_path / "run")
    written = load_file(tmp_path / "run/model.safetensors")
    before = {
        name: tensor for name, tensor in load_model(stage5).model.state_dict().items() if "_proj" in name
    }
    bases = {
        name.replace(".base_layer.", "."): tensor for name, tensor in written.items() if ".lora_" not in name
    }
    assert before and all(torch.equal(bases[name], tensor) for name, tensor in before.items())
    # they began as 0
    assert any(tensor.abs().max() > 0 for name, tensor in written.items() if ".lora_B." in name)
    train(config, [str(dialogues)], [str(dialogues)], tmp_path / "run", "cpu")  # a whole run is gone on with
