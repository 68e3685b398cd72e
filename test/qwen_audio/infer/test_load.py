import shutil

import pytest
import torch
from safetensors.torch import load_file, save_file

from qwen_audio.build import build_model
from qwen_audio.infer.load import load_model
from qwen_audio.infer.options import InferenceConfig
from qwen_audio.model_folder import export_model
from qwen_audio.task_spec import TASKS_DIR


@pytest.fixture
def exported(loaded, ctc_tokens, tmp_path):
    streams = ["asr/en", "asr/es", "srwt/en", "mna", "lid"]
    export_model(loaded.model, loaded.tokenizer, loaded.config, streams, ctc_tokens, tmp_path / "run")
    return tmp_path / "run"


def test_a_model_comes_back_as_it_was_exported(loaded, exported):
    again = load_model(exported)
    assert (again.tasks, again.config, len(again.tokenizer)) == (
        loaded.tasks,
        loaded.config,
        len(loaded.tokenizer),
    )
    expected, found = loaded.model.state_dict(), again.model.state_dict()
    assert expected.keys() == found.keys()
    assert all(torch.equal(found[name], expected[name]) for name in expected)
    assert not again.model.training


def test_a_task_of_another_recipe_is_named_with_the_file_that_it_needs(exported, tmp_path, monkeypatch):
    run = exported / "run.json"
    run.write_text(run.read_text().replace('"lid"', '"text", "birds/en"'))
    with pytest.raises(ValueError, match=f"^{run}: task 'birds' is unknown.* copy tasks/birds.yaml"):
        load_model(exported)
    (tmp_path / "recipe/tasks").mkdir(parents=True)
    text = (TASKS_DIR / "sec.yaml").read_text().replace("name: sec", "name: birds")
    (tmp_path / "recipe/tasks/birds.yaml").write_text(text)
    monkeypatch.chdir(tmp_path / "recipe")
    assert load_model(exported).tasks == ["asr", "srwt", "mna", "text", "birds"]


def test_how_answers_are_searched_stands_in_the_folder(loaded, exported, sounds):
    assert load_model(exported).search == InferenceConfig()
    (exported / "decode.yaml").write_text(
        "tasks: {asr: {beam_size: 3, ctc_weight: 0.5, max_new_tokens: 20}}\n"
    )
    again = load_model(exported)
    head = again.timestamp_head("attention")
    said = head.transcribe(head.hear(again, sounds, ["en"] * 5), list(range(5)), ["en"] * 5)
    asked = InferenceConfig(tasks={"asr": {"beam_size": 3, "ctc_weight": 0.5, "max_new_tokens": 20}})
    head = loaded.timestamp_head("attention", asked)
    assert said == head.transcribe(head.hear(loaded, sounds, ["en"] * 5), list(range(5)), ["en"] * 5)
    head = loaded.timestamp_head("attention")
    assert said != head.transcribe(head.hear(loaded, sounds, ["en"] * 5), list(range(5)), ["en"] * 5)
    (exported / "decode.yaml").write_text("beam_sise: 3\n")
    with pytest.raises(ValueError, match="decode.yaml: unknown key beam_sise; did you mean 'beam_size'"):
        load_model(exported)


def test_the_folder_needs_neither_the_backbones_nor_the_place_it_was_written_at(
    tiny_config, tiny_whisper, tiny_llm, tiny_tokenizer, ctc_tokens, tmp_path
):
    backbones = {"encoder": tmp_path / "whisper", "decoder": tmp_path / "llm"}
    shutil.copytree(tiny_whisper, backbones["encoder"])
    shutil.copytree(tiny_llm, backbones["decoder"])
    config = dict(tiny_config)
    for slot, folder in backbones.items():
        config[f"{slot}_conf"] = {"model": str(folder)}
    model = build_model(config, tiny_tokenizer, ctc_tokens)
    export_model(model, tiny_tokenizer, config, ["asr"], ctc_tokens, tmp_path / "run")
    for folder in backbones.values():
        shutil.rmtree(folder)
    (tmp_path / "run").rename(tmp_path / "moved")
    again = load_model(tmp_path / "moved").model
    torch.testing.assert_close(again.state_dict(), model.state_dict(), rtol=0, atol=0)


def test_tied_tensors_are_stored_once_and_stay_tied(loaded, exported):
    stored = load_file(exported / "model.safetensors")
    embedding = loaded.model.decoder.base_rows().shape[1]
    shape = (loaded.model.decoder.lm.config.vocab_size, embedding)
    assert sum(tensor.shape == shape for tensor in stored.values()) == 1
    lm = load_model(exported).model.decoder.lm
    assert lm.get_input_embeddings().weight is lm.get_output_embeddings().weight


def test_missing_and_left_over_tensors_are_named(exported):
    tensors = load_file(exported / "model.safetensors")
    tensors["adapter.odd"] = tensors.pop("adapter.norm.weight")
    save_file(tensors, exported / "model.safetensors")
    with pytest.raises(
        ValueError, match=r"1 tensors missing \(adapter.norm.weight\), 1 tensors left over \(adapter.odd\)"
    ):
        load_model(exported)


def test_a_tensor_of_another_shape_is_named(exported):
    tensors = load_file(exported / "model.safetensors")
    tensors["adapter.norm.weight"] = torch.ones(3)
    save_file(tensors, exported / "model.safetensors")
    with pytest.raises(ValueError, match=r"adapter.norm.weight is \(3,\), config.yaml builds \(128,\)"):
        load_model(exported)


def test_a_folder_without_weights_names_the_stage(exported):
    (exported / "model.safetensors").unlink()
    with pytest.raises(ValueError, match=r"model.safetensors is missing; stage 5 writes it"):
        load_model(exported)


def test_an_unknown_dtype_names_the_nearest(exported):
    with pytest.raises(ValueError, match="did you mean 'bfloat16'"):
        load_model(exported, dtype="bfloat")


def test_lora_is_merged_into_the_weights_without_changing_the_function(tiny_config, tiny_tokenizer, tmp_path):
    options = {**tiny_config["decoder_conf"], "lora": {"r": 2, "lora_alpha": 4}}
    config = {**tiny_config, "ctc": None, "ctc_conf": {}, "decoder_conf": options}
    model = build_model(config, tiny_tokenizer).eval()
    for name, parameter in model.named_parameters():
        if ".lora_B" in name:
            parameter.data.normal_()
    export_model(model, tiny_tokenizer, config, ["asr"], [], tmp_path)
    again = load_model(tmp_path).model
    assert not any("lora" in name for name in again.state_dict())
    inputs, positions = torch.randn(2, 5, model.decoder.hidden_size), torch.arange(5).expand(2, 5)
    expected, found = (m.decoder(inputs, torch.ones_like(positions), positions)[0] for m in (model, again))
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)


def test_bfloat16_holds_the_decoder_and_encodes_under_autocast(exported, sounds):
    half = load_model(exported, dtype="bfloat16")
    assert half.model.decoder.base_rows().dtype == torch.bfloat16
    assert next(half.model.encoder.parameters()).dtype == torch.float32
    clips = [torch.from_numpy(clip) for clip in sounds]
    frames, lengths = half.encode(clips)
    exact, exact_lengths = load_model(exported).encode(clips)
    assert torch.equal(lengths, exact_lengths)
    assert torch.nn.functional.cosine_similarity(frames.float(), exact, dim=-1)[0, 0] > 0.98


def test_a_trained_timestamp_head_that_the_model_lacks_says_what_to_write(loaded):
    with pytest.raises(ValueError, match="this model has tokens; train with timestamp_head: ctc"):
        loaded.timestamp_head("ctc")
