import json

import pytest
import soundfile
from asterisk import clean_text, split_keys
from make_corpora import WORD_CLIP, make_asterisk

from qwen_audio.data.leak import check_leak
from qwen_audio.task_spec import load_tasks


@pytest.fixture(scope="module")
def prepared(tmp_path_factory, local_data):
    corpus = make_asterisk(tmp_path_factory.mktemp("asterisk"))
    status, printed, data = local_data(corpus, "multitask", "--corpus_name", "asterisk", "--corpus", corpus)
    assert status == 0, printed
    return data


def examples(data):
    return [
        json.loads(line)
        for path in data.glob("asterisk_*/examples.jsonl")
        for line in path.open(encoding="utf-8")
    ]


def table(data, name):
    lines = [
        line
        for path in data.glob(f"asterisk_*/{name}")
        for line in path.read_text(encoding="utf-8").splitlines()
    ]
    return dict(line.split(maxsplit=1) for line in lines)


def test_every_example_satisfies_its_task(prepared):
    tasks = load_tasks()
    rows = examples(prepared)
    for row in rows:
        tasks[row["task"]].check(row)
    assert {row["task"] for row in rows} == {"lid", "s2tt", "srwt"}


def test_a_translation_is_the_text_of_the_same_prompt(prepared):
    found = {row["utt"]: row for row in examples(prepared) if row["task"] == "s2tt"}
    row = found["es_MX_f_Allison-goodbye"]
    assert (row["audio_lang"], row["text_lang"], row["text"]) == ("es", "en", "Goodbye and thank you.")
    assert not any(utt.startswith("en_") for utt in found)


def test_decoded_audio_has_the_length_of_the_clip(prepared):
    path = table(prepared, "wav.scp")["en_US_f_Allison-vm-enter"]
    assert abs(soundfile.info(path).frames - soundfile.info(WORD_CLIP).frames) < 160
    assert soundfile.info(path).samplerate == 16000 and soundfile.info(path).channels == 1


def test_words_are_aligned_and_marked_as_constructed(prepared):
    (row,) = [r for r in examples(prepared) if r["task"] == "srwt" and r["utt"].endswith("vm-enter")]
    assert [word for *_, word in row["words"]] == "Please enter your number.".split()
    assert (row["label_origin"], row["aligner"]) == ("constructed", "pocketsphinx")


def test_what_is_read_is_used_or_listed(prepared):
    used = set(table(prepared, "text"))
    listed = [line.split("\t") for line in (prepared / "asterisk_rejected.tsv").read_text().splitlines()]
    assert len(used) == 14 and all(kind == "srwt" for kind, *_ in listed)
    aligned = sum(row["task"] == "srwt" for row in examples(prepared))
    assert aligned + len(listed) == 7


def test_a_prompt_is_in_the_same_split_in_every_language(prepared):
    for path in prepared.glob("asterisk_*/text"):
        keys = [line.split()[0].partition("-")[2] for line in path.read_text(encoding="utf-8").splitlines()]
        assert all(keys.count(key) == 2 for key in keys)


def test_the_second_run_gives_the_same(prepared, local_data):
    before = {path: path.read_bytes() for path in prepared.rglob("*") if path.is_file()}
    corpus = prepared.parent
    status, printed, data = local_data(corpus, "multitask", "--corpus_name", "asterisk", "--corpus", corpus)
    assert status == 0 and "aligned" not in printed and "decoded" not in printed
    assert before == {path: path.read_bytes() for path in data.rglob("*") if path.is_file()}


def test_the_recipe_leaves_no_leak(prepared):
    held = [prepared / "asterisk_valid", prepared / "asterisk_test"]
    assert check_leak([prepared / "asterisk_train"], held)["held_out_recordings"] >= 4


def test_set_names_and_licence_are_written(prepared):
    assert json.loads((prepared / "sets.json").read_text())["test"] == ["asterisk_test"]
    assert "CC-BY-SA-3.0" in (prepared / "asterisk_train/licence.txt").read_text()


@pytest.mark.parametrize(
    ("key", "published", "text"),
    [
        ("x", "  Hello,   you. ", "Hello, you."),
        ("letters/at", "at [@]", "at"),
        ("x", "Fine? Yes.", "Fine? Yes."),
        ("conf-menu", "conf-menu: Press 1 : now.", "Press 1 : now."),
    ],
)
def test_a_text_is_cleaned_to(key, published, text):
    assert clean_text(key, published, "en") == text


@pytest.mark.parametrize(
    ("key", "published", "lang", "reason"),
    [
        ("beep", "un suono beep", "it", "no speech"),
        ("silence/3", "(3 seconds of silence)", "en", "no speech"),
        ("x", "Il [suo] messaggio", "it", "remark in brackets inside"),
        ("x", "La conferenza ? piena.", "it", "letter was lost"),
        ("x", "non pu? essere", "it", "letter was lost"),
        ("x", "at", "ru", "script"),
    ],
)
def test_a_text_that_is_not_what_is_heard_is_refused(key, published, lang, reason):
    with pytest.raises(ValueError, match=reason):
        clean_text(key, published, lang)


def test_keys_that_share_a_sentence_in_one_language_share_a_split(tmp_path):
    prompts = {("en", f"k{n}"): f"sentence number {n}" for n in range(40)}
    prompts |= {("es", "k1"): "¡Igual!", ("es", "k30"): "igual"}
    audio = {}
    for n, prompt in enumerate(prompts):
        audio[prompt] = tmp_path / f"{n}.wav"
        soundfile.write(audio[prompt], [n / 100] * 100, 16000)
    split = split_keys(prompts, audio)
    assert split["k1"] == split["k30"] and set(split.values()) == {"train", "valid", "test"}


def test_a_folder_without_prompts_is_named(tmp_path, local_data):
    status, printed, _ = local_data(tmp_path, "multitask", "--corpus_name", "asterisk", "--corpus", tmp_path)
    assert status == 1 and "no prompts" in printed and "Traceback" not in printed


def test_an_unknown_corpus_is_refused_with_the_known_ones(tmp_path, local_data):
    status, printed, _ = local_data(tmp_path, "multitask", "--corpus_name", "astersik")
    assert status == 1 and "'astersik'; write asterisk, sounds, notes, " in printed
