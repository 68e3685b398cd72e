"""A corpus of which only the test part was fetched: enough to decode and score with a model that is there."""

import json
import shutil
from pathlib import Path

import layouts_a
import layouts_b
import make_corpora
import pytest

PARTS = {  # recipe: (maker of the whole corpus, what is for training, then what for validation, test sets)
    "librispeech": (make_corpora.make_librispeech, ["train-*", "dev-*"], ["test_clean"]),
    "aishell1": (layouts_a.make_aishell1, ["wav/train", "wav/dev"], ["test"]),
    "aishell2": (
        layouts_a.make_aishell2,
        ["iOS", "AISHELL-DEV-TEST-SET/*/dev"],
        ["test_android", "test_ios", "test_mic"],
    ),
    "covost2": (
        layouts_a.make_covost2,
        ["*/*.train.tsv", "*/*.dev.tsv"],
        ["test_en_de", "test_en_zh", "test_zh_en"],
    ),
    "clotho": (make_corpora.make_clotho, ["*development*", "*validation*"], ["test"]),
    "clothoaqa": (layouts_b.make_clothoaqa, ["clotho_aqa_train.csv", "clotho_aqa_val.csv"], ["test"]),
    "cochlscene": (layouts_a.make_cochlscene, ["Train", "Val"], ["test"]),
    "tut2017": (layouts_a.make_tut2017, ["*-development"], ["test"]),
    "meld": (layouts_a.make_meld, ["train_*", "dev_*"], ["test"]),
    "vocalsound": (layouts_b.make_vocalsound, ["datafiles/tr.json", "datafiles/val.json"], ["test"]),
    "nsynth": (layouts_b.make_nsynth, ["nsynth-train", "nsynth-valid"], ["test"]),
    "musicavqa": (layouts_b.make_musicavqa, ["json/avqa-train.json", "json/avqa-val.json"], ["test"]),
    "srwt": (layouts_b.make_srwt_ctm, ["train", "dev", "valid"], ["test"]),
}


def remove(corpus, patterns):
    for path in [path for pattern in patterns for path in corpus.glob(pattern)]:
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()


def test_every_recipe_of_a_published_corpus_is_here():
    folders = {path.parent.name for path in make_corpora.ROOT.glob("egs/*/run.sh")}
    # of the end-to-end test
    own = {"multitask", "alltasks"} | {name for name in folders if name.startswith("test_")}
    assert set(PARTS) == folders - own


VALID_IS_TESTED = {"librispeech": "dev_clean", "aishell1": "dev"}  # as the paper scores it


@pytest.fixture(scope="module", params=PARTS)
def whole(request, tmp_path_factory, local_data):
    """(recipe, corpus, data that were prepared of all of it)."""
    folder = tmp_path_factory.mktemp(request.param)
    corpus = PARTS[request.param][0](folder / "corpus")
    status, printed, data = local_data(folder / "recipe", request.param, "--corpus", corpus)
    assert status == 0, printed
    return request.param, corpus, data


def assert_same_tests(whole, alone, named):
    """Those sets alone are in ``alone``, as they are in ``whole`` but for the folder that their audio is in."""
    assert json.loads((alone / "sets.json").read_text()) == {"train": [], "valid": [], "test": sorted(named)}
    for name in named:
        files = sorted(path.name for path in (whole / name).iterdir())
        assert files == sorted(path.name for path in (alone / name).iterdir())
        for file in files:
            audio, beside = ((data / name / file).read_text().splitlines() for data in (alone, whole))
            if file == "wav.scp":
                audio, beside = ([Path(line).name for line in lines] for lines in (audio, beside))
            assert audio == beside, (name, file)


@pytest.mark.parametrize("valid", ["without valid", "valid there"])
def test_test_sets_are_prepared_alone_as_they_are_beside_training_data(whole, valid, tmp_path, local_data):
    recipe, corpus, data = whole
    _, learnt, tests = PARTS[recipe]
    corpus = shutil.copytree(corpus, tmp_path / "corpus")
    remove(corpus, learnt if valid == "without valid" else learnt[:1])
    status, printed, alone = local_data(tmp_path / "alone", recipe, "--corpus", corpus)
    assert status == 0, printed
    assert "test data alone" in printed and "--eval_model DIR" in printed
    more = [VALID_IS_TESTED[recipe]] if valid == "valid there" and recipe in VALID_IS_TESTED else []
    assert_same_tests(data, alone, [f"{recipe}_{name}" for name in tests + more])


def test_test_sets_alone_are_read_of_a_whole_corpus_where_no_others_are_wanted(whole, tmp_path, local_data):
    recipe, corpus, data = whole
    status, printed, alone = local_data(tmp_path / "alone", recipe, "--corpus", corpus, "--test_only", "true")
    assert status == 0, printed
    assert "test data alone" not in printed
    more = [VALID_IS_TESTED[recipe]] if recipe in VALID_IS_TESTED else []
    assert_same_tests(data, alone, [f"{recipe}_{name}" for name in PARTS[recipe][2] + more])
    assert not (alone / f"{recipe}_rejected.tsv").read_text()


@pytest.mark.parametrize("recipe", ["nsynth", "clotho", "srwt", "covost2"])
def test_training_data_without_validation_data_are_still_refused(recipe, tmp_path, local_data):
    make, learnt, _ = PARTS[recipe]
    corpus = make(tmp_path / "corpus")
    remove(corpus, learnt[1:])
    status, printed, _ = local_data(tmp_path / "recipe", recipe, "--corpus", corpus)
    assert status == 1 and "needs" in printed and "found" in printed
