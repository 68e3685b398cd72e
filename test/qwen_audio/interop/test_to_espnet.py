import argparse
import tarfile
import tempfile

import pytest
import torch
from espnet2.main_funcs.pack_funcs import unpack

from qwen_audio.infer.load import load_model
from qwen_audio.interop.assemble import import_model
from qwen_audio.interop.to_espnet import export


@pytest.fixture(scope="module")
def packed(trained, tmp_path_factory):
    """(our folder, the archive)."""
    folder = tmp_path_factory.mktemp("pack")
    trained(folder / "ours", {"final_norm": True}, {"lora": {"r": 2}}, ctc="embedding")
    export(folder / "ours", folder / "theirs")
    return folder / "ours", folder / "theirs/model.tar"


def test_espnets_unpack_and_the_task_give_the_model(packed, tmp_path):
    from qwen_audio.task import AudioLLMTask

    files = unpack(packed[1], tmp_path)
    model, args = AudioLLMTask.build_model_from_file(files["train_config"], files["model_file"], "cpu")
    assert isinstance(args, argparse.Namespace)
    ours, theirs = load_model(packed[0]).model, model.eval()
    wave, length = torch.randn(1, 8000) * 0.1, torch.tensor([8000])
    with torch.no_grad():
        for expected, found in zip(ours.encode(wave, length), theirs.encode(wave, length)):
            torch.testing.assert_close(found, expected)
        ids, positions = torch.tensor([[3, 5, 400, 9]]), torch.arange(4)[None]
        outs = []
        for m in (ours, theirs):
            hidden = m.decoder(m.decoder.embed(ids), torch.ones_like(ids), positions)[0]
            outs.append(m.decoder.logits(hidden))
    torch.testing.assert_close(outs[1], outs[0], atol=1e-4, rtol=1e-4)


def test_imported_again_it_is_bit_identical_and_nothing_unpacked_is_left(
    packed, tmp_path, same_model, monkeypatch
):
    (tmp_path / "tmp").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "tmp"))
    import_model([packed[1]], tmp_path / "models/again")
    same_model(tmp_path / "models/again", packed[0])
    with pytest.raises(ValueError, match="fits no tensor"):
        import_model([packed[1]], tmp_path / "models/again", leave_out=["nothing"])
    assert [path.name for path in (tmp_path / "models").iterdir()] == ["again"]
    assert list((tmp_path / "tmp").iterdir()) == []


def test_the_folder_that_the_export_wrote_is_a_source_too(packed, tmp_path, same_model):
    import_model([packed[1].parent], tmp_path / "again")
    same_model(tmp_path / "again", packed[0])


def test_a_pack_that_was_not_made_here_says_so(tmp_path):
    (tmp_path / "meta.yaml").write_text("files: {}\nyaml_files: {}\n")
    with tarfile.open(tmp_path / "other.tar", "w") as archive:
        archive.add(tmp_path / "meta.yaml", "meta.yaml")
    with pytest.raises(ValueError, match="other.tar was not packed here; unpack it"):
        import_model([tmp_path / "other.tar"], tmp_path / "out")
    assert {path.name for path in tmp_path.iterdir()} == {"meta.yaml", "other.tar"}
