import hashlib

import pytest

from qwen_audio.interop.assemble import import_model
from qwen_audio.interop.info import report


def numbers(lines, slot):
    (line,) = [line for line in lines if line.startswith(f"{slot} ")]
    return [int(word.replace(",", "")) for word in line.split()[-3:]]


def test_the_sizes_are_those_of_the_model_frozen_and_trainable(trained, tmp_path):
    model = trained(tmp_path, freeze_param=["decoder", "encoder.conv1"])
    lines = report(tmp_path)
    for slot in ("encoder", "adapter", "decoder"):
        counts = [(p.numel(), p.requires_grad) for p in getattr(model, slot).parameters()]
        trained_ones = sum(count for count, grad in counts if grad)
        assert numbers(lines, slot) == [
            sum(c for c, _ in counts),
            trained_ones,
            sum(c for c, g in counts if not g),
        ]
    assert numbers(lines, "decoder")[1] == model.decoder.new_rows.numel()
    assert numbers(lines, "all")[0] == sum(parameter.numel() for parameter in model.parameters())


def test_rates_vocabulary_tasks_and_hash_are_named(trained, tmp_path, tiny_tokenizer):
    trained(tmp_path)
    text = "\n".join(report(tmp_path))
    assert "0.010 features, 0.020 encoder, 0.040 decoder" in text
    assert f"{len(tiny_tokenizer):,} = 320 of the base tokenizer + {len(tiny_tokenizer) - 320:,} new" in text
    assert "tasks: asr/en, lid" in text and "source: trained here" in text
    assert hashlib.sha256((tmp_path / "model.safetensors").read_bytes()).hexdigest() in text


def test_an_imported_model_names_its_sources_with_hashes(tiny_whisper, tiny_llm, tmp_path):
    import_model([tiny_whisper, tiny_llm], tmp_path)
    lines = report(tmp_path)
    for kind, folder in (("Whisper", tiny_whisper), ("causal LM (llama)", tiny_llm)):
        digest = hashlib.sha256((folder / "model.safetensors").read_bytes()).hexdigest()
        assert f"source: {kind}, {folder.name}" in lines and f"  model.safetensors sha256 {digest}" in lines


def test_a_folder_that_is_no_model_is_named(tmp_path):
    with pytest.raises(
        ValueError, match="config.yaml is missing; name the folder of a trained or imported model"
    ):
        report(tmp_path)
