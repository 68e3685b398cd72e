"""Which tokenizer a configuration takes, and which sets it refuses."""

import json
import shutil

import pytest
import yaml
from transformers import AutoTokenizer

from qwen_audio.cli import run
from qwen_audio.config import DEFAULTS, merge
from qwen_audio.data.run_tokenizer import check_tokenizer, make_tokenizer, source
from qwen_audio.data.tokenize import tokenize
from qwen_audio.task_spec import load_tasks
from qwen_audio.tokenizer import Tokenizer, train_sentencepiece
from qwen_audio.train.run import train

FROM_SCRATCH = {"encoder": "conformer", "decoder": "transformer", "tokenizer_conf": {"pieces": 60}}


@pytest.fixture
def formatted(tmp_path):
    folder = tmp_path / "raw"
    folder.mkdir()
    row = {"utt": "a", "task": "asr", "audio_lang": "en", "text_lang": "en", "text": "a dog barks"}
    (folder / "examples.jsonl").write_text(json.dumps(row) + "\n")
    (folder / "wav.scp").write_text("a a.flac\n")
    (folder / "utt2num_samples").write_text("a 1600\n")
    return folder


@pytest.fixture
def other_llm(tmp_path):
    """Folder of a tokenizer as large as that of ``tiny_llm``, whose last two pieces are swapped."""

    def make(llm):
        folder = shutil.copytree(llm, tmp_path / "other_llm")
        content = json.loads((folder / "tokenizer.json").read_text())
        vocabulary = content["model"]["vocab"]
        one, two = sorted(vocabulary, key=vocabulary.get)[-2:]
        vocabulary[one], vocabulary[two] = vocabulary[two], vocabulary[one]
        (folder / "tokenizer.json").write_text(json.dumps(content))
        return folder

    return make


def config_of(**keys) -> dict:
    return merge(DEFAULTS, keys)


def of_llm(model) -> dict:
    return config_of(encoder="conformer", decoder="hf_causal_lm", decoder_conf={"model": str(model)})


def test_overrides_reach_the_tokenizer(formatted, tmp_path, tiny_llm):
    (tmp_path / "train.yaml").write_text(yaml.safe_dump({**FROM_SCRATCH, "phases": [{"steps": 1}]}))
    call = ["--config", str(tmp_path / "train.yaml"), "--train", str(formatted), "--out"]
    run("tokenizer", [*call, str(tmp_path / "plain")])
    llm = ["--override", "decoder=hf_causal_lm", f"decoder_conf.model={tiny_llm}"]
    run("tokenizer", [*call, str(tmp_path / "changed"), *llm])
    plain, changed = Tokenizer(tmp_path / "plain"), Tokenizer(tmp_path / "changed")
    assert plain.made_of == "sentencepiece" and plain.new_tokens == []
    assert changed.made_of == str(tiny_llm) and changed.base_size == len(
        AutoTokenizer.from_pretrained(tiny_llm)
    )


def test_a_run_that_starts_from_a_model_takes_that_models_tokenizer(formatted, tmp_path):
    train_sentencepiece(["the fox is quick"] * 9, tmp_path / "first/tokenizer", pieces=40)
    config = config_of(**FROM_SCRATCH, init=str(tmp_path / "first"))
    made = make_tokenizer(config, [formatted], load_tasks(), tmp_path / "out")
    assert made.vocabulary() == Tokenizer(tmp_path / "first/tokenizer").vocabulary()
    check_tokenizer(config, made)
    own = make_tokenizer(config | {"init": None}, [formatted], load_tasks(), tmp_path / "own")
    with pytest.raises(
        ValueError, match=r"init: .*first was trained with another .*tokenise the sets with its own"
    ):
        check_tokenizer(config, own)


def test_its_source_is_the_model_to_start_from_or_the_llm_or_the_size():
    assert source(config_of(**FROM_SCRATCH)) == "pieces_60"
    assert source(of_llm("Qwen/Qwen-7B")) == "Qwen/Qwen-7B"
    assert source(of_llm("Qwen/Qwen-7B") | {"init": "exp/first"}) == "exp/first"


def test_sets_of_another_llm_are_refused_before_any_model_is_built(formatted, tmp_path, tiny_llm, other_llm):
    tokenizer = make_tokenizer(of_llm(tiny_llm), [], {}, tmp_path / "tokenizer")
    tokenize(formatted, tmp_path / "tokens", tokenizer, load_tasks())
    config = of_llm(other_llm(tiny_llm)) | {"phases": [{"steps": 1}]}
    with pytest.raises(
        ValueError, match=r"tokenised for .*tiny_llm.*decoder is .*other_llm.*run stage 2 again"
    ):
        train(config, [str(tmp_path / "tokens")], [], tmp_path / "out", "cpu")


def test_a_sentencepiece_model_serves_decoders_from_scratch_alone(formatted, tmp_path, tiny_llm):
    tokenizer = make_tokenizer(config_of(**FROM_SCRATCH), [formatted], load_tasks(), tmp_path / "tokenizer")
    check_tokenizer(config_of(**FROM_SCRATCH), tokenizer)
    with pytest.raises(ValueError, match="tokenised for sentencepiece"):
        check_tokenizer(of_llm(tiny_llm), tokenizer)


def test_an_llms_tokenizer_serves_a_decoder_from_scratch(tiny_tokenizer):
    check_tokenizer(config_of(**FROM_SCRATCH), tiny_tokenizer)


def test_the_same_tokens_under_another_name_are_no_fault(tiny_llm, tiny_tokenizer, tmp_path):
    check_tokenizer(of_llm(shutil.copytree(tiny_llm, tmp_path / "copy")), tiny_tokenizer)


def test_a_tokenizer_that_does_not_say_what_it_is_made_of_is_told_by_its_tokens(
    tiny_llm, tiny_tokenizer, tmp_path, other_llm
):
    old = shutil.copytree(tiny_tokenizer.folder, tmp_path / "old")
    meta = json.loads((old / "qwen_audio.json").read_text())
    assert meta.pop("model") == str(tiny_llm)
    (old / "qwen_audio.json").write_text(json.dumps(meta))
    check_tokenizer(of_llm(tiny_llm), Tokenizer(old))
    with pytest.raises(ValueError, match="run stage 2 again"):
        check_tokenizer(of_llm(other_llm(tiny_llm)), Tokenizer(old))


def test_whispers_decoder_knows_its_tokenizer_with_the_times_that_its_files_leave_out(
    whole_whisper, tmp_path
):
    config = config_of(decoder="whisper", decoder_conf={"model": str(whole_whisper)})
    tokenizer = make_tokenizer(config, [], {}, tmp_path / "tokenizer")
    same = shutil.copytree(whole_whisper, tmp_path / "same")
    check_tokenizer(config | {"decoder_conf": {"model": str(same)}}, tokenizer)
