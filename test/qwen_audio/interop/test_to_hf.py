import pytest
import torch
import yaml

from qwen_audio import cli
from qwen_audio.interop.assemble import import_model
from qwen_audio.interop.to_hf import export, from_pretrained


@pytest.fixture(scope="module")
def shared(trained, tmp_path_factory):
    """(our folder, the exported one, the model)."""
    folder = tmp_path_factory.mktemp("share")
    model = trained(folder / "ours", ctc="embedding")
    (folder / "ours/train_log.jsonl").write_text("{}")
    export(folder / "ours", folder / "shared")
    return folder / "ours", folder / "shared", model


def test_what_from_pretrained_gives_is_the_model(shared):
    loaded = from_pretrained(str(shared[1]))
    expected, found = shared[2].state_dict(), loaded.model.state_dict()
    assert all(torch.equal(found[name], expected[name]) for name in expected)
    assert loaded.search.beam_size == 3 and loaded.search.tasks == {"lid": {"max_new_tokens": 4}}


def test_imported_again_it_is_bit_identical_and_nothing_else_is_shared(shared, tmp_path, same_model):
    import_model([shared[1]], tmp_path)
    same_model(tmp_path, shared[0])
    names = {path.name for path in shared[1].iterdir()}
    assert names == {
        "README.md",
        "config.yaml",
        "run.json",
        "decode.yaml",
        "model.safetensors",
        "tokenizer",
        "encoder",
        "decoder",
    }


def test_the_card_has_the_hubs_header_the_tasks_and_the_sizes(shared):
    text = (shared[1] / "README.md").read_text()
    header = yaml.safe_load(text.split("---")[1])
    assert header == {"library_name": "qwen_audio", "pipeline_tag": "audio-text-to-text", "language": ["en"]}
    assert "- `asr`: Automatic speech recognition" in text and "- `lid`: " in text
    assert "encoder         whisper" in text and 'from_pretrained("shared")' in text


@pytest.mark.parametrize("command", [["import", "{0}", "{0}"], ["export", "{0}", "{0}", "--to", "hf"]])
def test_a_folder_is_never_written_over_itself(shared, command):
    before = (shared[1] / "model.safetensors").read_bytes()
    with pytest.raises(SystemExit, match="is the source itself; name another folder to write"):
        cli.run(command[0], [part.format(shared[1]) for part in command[1:]])
    assert (shared[1] / "model.safetensors").read_bytes() == before
