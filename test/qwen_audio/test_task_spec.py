import pytest
import yaml

from qwen_audio.score.baseline import baseline_hypotheses
from qwen_audio.score.train_labels import Common
from qwen_audio.tags import AUDIO_BEGIN, AUDIO_END, AUDIO_PAD, LANGUAGES
from qwen_audio.task_spec import GROUPS, TASKS_DIR, load_tasks

TASKS = load_tasks()
TABLE_1 = {
    "speech": "asr s2tt osr dialect_asr srwt did lid sgc er sv sd ser ks ic sf sap vsc",
    "sound": "aac sec asc sed aqa",
    "music": "sid smer mc mic mna mgr mr mqa",
}


def write_task(folder, **changes):
    content = yaml.safe_load((TASKS_DIR / "sec.yaml").read_text())
    content = {key: value for key, value in {**content, **changes}.items() if value is not None}
    (folder / "sec.yaml").write_text(yaml.safe_dump(content))
    return folder


def test_the_tasks_are_those_of_the_papers_table_1():
    """31 there: word times in English and in Mandarin are two."""
    found = {group: {name for name, spec in TASKS.items() if spec.group == group} for group in GROUPS}
    assert found == {group: set(names.split()) for group, names in TABLE_1.items()}
    assert len(TASKS) + 1 == 31


@pytest.mark.parametrize("task, row, prompt", [
    ("asr", {"audio_lang": "en", "text_lang": "en"},
     "<|startoftranscript|><|en|><|transcribe|><|en|><|notimestamps|><|wo_itn|>"),
    ("s2tt", {"audio_lang": "es", "text_lang": "en"},
     "<|startoftranscript|><|es|><|translate|><|en|><|notimestamps|><|itn|>"),
    ("aac", {}, "<|startofanalysis|><|unknown|><|caption|><|en|><|notimestamps|><|caption_clotho|>"),
    ("asc", {}, "<|startofanalysis|><|unknown|><|keyword|><|en|><|notimestamps|><|scene|>"),
    ("er", {}, "<|startofanalysis|><|en|><|keyword|><|en|><|notimestamps|><|emotion_recognition|>"),
    ("vsc", {}, "<|startofanalysis|><|en|><|keyword|><|en|><|notimestamps|><|vocal_classification|>"),
    ("aqa", {"question": "is it a dog?"}, "<|startofanalysis|><|en|><|question|>is it a dog?<|answer|>"),
    ("mna", {}, "<|startofanalysis|><|unknown|><|keyword|><|en|><|notimestamps|><|note_analysis|>"),
])  # fmt: skip
def test_released_prompts_byte_for_byte(task, row, prompt):
    assert TASKS[task].prompt_text(row) == prompt


@pytest.mark.parametrize("task, limit", [
    ("asr", 256), ("s2tt", 256), ("aac", 30), ("asc", 10), ("er", 4), ("vsc", 4), ("aqa", 4), ("mna", 30),
])  # fmt: skip
def test_answers_are_cut_where_the_released_evaluation_cuts_them(task, limit):
    assert TASKS[task].max_new_tokens == limit


def test_the_word_time_prompt_is_the_released_one_up_to_its_first_time():
    """The released prompt ends in ``<|0.00|>``, which is the first token of the answer."""
    row = {"audio_lang": "zh", "text_lang": "zh", "words": [[0.0, 0.54, "面"]]}
    spec = TASKS["srwt"]
    released = "<|startoftranscript|><|zh|><|transcribe|><|zh|><|timestamps|><|0.00|>"
    assert (spec.prompt_text(row) + spec.target_text(row)).startswith(released)


NOTE = "<|pitch|><|midi_pitch_60|><|velocity|><|midi_velocity_100|><|instrument|>keyboard"


@pytest.mark.parametrize("task, row, target", [
    ("mna", {"pitch": 60, "velocity": 100, "instrument": "keyboard"}, NOTE),
    ("mna", {"pitch": 60, "velocity": 100, "instrument": "keyboard", "sonic": ["a", "b"]},
     NOTE + "<|sonic|>a, b"),
    ("osr", {"texts": ["one two", "three", "x"]}, "one two<|delim|>three<|delim|>x"),
    ("sd", {"segments": [[0, 1.2, "1"], [0.9, 2.345, "2"]]}, "<|0.00|>1<|1.20|><|0.90|>2<|2.35|>"),
    ("sed", {"segments": [[0.5, 1, "dog"]]}, "<|0.50|>dog<|1.00|>"),
    ("sed", {"segments": []}, "none"),
    ("ser", {"entities": [["date", "May 3"]]},
     "<|startofentitytype|>date<|endofentitytype|><|startofentityvalue|>May 3<|endofentityvalue|>"),
    ("sf", {"slots": []}, "none"),
    ("ic", {"scenario": "alarm", "action": "set"}, "<|scenario|>alarm<|action|>set"),
])  # fmt: skip
def test_targets_byte_for_byte(task, row, target):
    assert TASKS[task].target_text(row) == target


def test_the_audio_stands_before_the_prompt():
    row = TASKS["asr"].sample()
    pieces = TASKS["asr"].prompt_pieces(row)
    assert pieces[:3] == [(AUDIO_BEGIN, True), (AUDIO_PAD, True), (AUDIO_END, True)]
    assert "".join(text for text, _ in pieces[3:]) == TASKS["asr"].prompt_text(row)


def test_a_task_is_counted_by_the_languages_its_prompt_names():
    row = {"audio_lang": "es", "text_lang": "en"}
    assert [TASKS[name].stream(row) for name in ("s2tt", "sec", "sgc")] == ["s2tt/es-en", "sec", "sgc/es"]
    assert TASKS["asr"].stream({"audio_lang": "es", "text_lang": "es"}) == "asr/es"


@pytest.mark.parametrize("task", TASKS)
def test_only_recognition_of_one_speaker_writes_the_spoken_words(task):
    assert TASKS[task].transcribes == (task in ("asr", "dialect_asr", "srwt"))


@pytest.mark.parametrize("lang, space", [("en", " "), ("zh", "")])
def test_words_with_times_are_the_words_of_running_text(lang, space):
    row = {"audio_lang": lang, "text_lang": lang, "words": [[0.0, 0.4, "one"], [0.5, 0.9, "two"]]}
    assert TASKS["srwt"].target_text(row) == f"<|0.00|>one<|0.40|><|0.50|>{space}two<|0.90|>"
    assert TASKS["srwt"].transcript(row) == f"one{space}two"
    assert TASKS["dialect_asr"].transcript({**row, "text": "one two"}) == "one two"
    assert TASKS["lid"].transcript(row) is None


def test_no_prompt_is_that_of_another_task_nor_its_beginning():
    prompts = {}
    for spec in TASKS.values():
        for audio_lang in ("en", "zh", "zh_tr", "yue", "unknown"):
            for text_lang in ("en", "zh", "zh_tr", "yue", "unknown"):
                row = {**spec.sample(), "audio_lang": audio_lang, "text_lang": text_lang, "question": "what?"}
                prompts.setdefault(spec.prompt_text(row), set()).add(spec.name)
    ordered = sorted(prompts)
    for prompt, after in zip(ordered, ordered[1:], strict=False):  # what begins with a prompt sorts behind it
        assert len(prompts[prompt]) == 1 and not after.startswith(prompt), (prompt, prompts[prompt])


@pytest.mark.parametrize("task", TASKS)
def test_a_baseline_that_needs_no_audio_writes_an_answer_of_the_task(task):
    spec = TASKS[task]
    if spec.baseline in ("majority", "constant"):
        common = Common(spec.baseline, spec, [spec.sample()] * 2)
        written = baseline_hypotheses(spec.baseline, spec, common, {"u": ""}, {"u": 2.5})["u"]
        assert spec.parse(written) is not None
    else:
        assert spec.baseline in ("empty", "even_spacing")


def test_the_language_names_of_lid_are_those_of_the_language_tags():
    assert LANGUAGES["es"] == "Spanish" and len(set(LANGUAGES.values())) == len(LANGUAGES)


@pytest.mark.parametrize("changes, message", [
    ({"promt": "x"}, "sec.yaml: unknown key 'promt'; known: name, title"),
    ({"metrics": None, "baseline": None}, "sec.yaml: .*missing .*'baseline'"),
    ({"name": "sek"}, "sec.yaml: name is 'sek'; it must be the file's name, 'sec'"),
    ({"group": "noise"}, "group 'noise'; write one of speech, sound, music"),
    ({"prompt": "<|startoftranscription|>"}, r"sec.yaml: <\|startoftranscription\|> is no special token"),
    ({"target": "<|labl|>{label}"}, r"sec.yaml: <\|labl\|> is no special token"),
    ({"kinds": {"label": "txet"}}, "sec.yaml: kinds.label is 'txet'; did you mean 'text'"),
    ({"kinds": {"lable": "texts"}}, r"kinds.lable: prompt and target have no field \{lable\}"),
    ({"example": {"lable": "dog"}}, r"example.lable: prompt and target have no field \{lable\}"),
    ({"example": {"label": ""}}, "sec.yaml: field 'label' of task sec is ''; write a text"),
    ({"target": "{label} {label}"}, r"the field \{label\} stands twice in the target"),
    ({"target": "{label} {x}"}, r"no tag between the fields of '\{label\} \{x\}'"),
    ({"target": "a {label}", "kinds": {"label": "texts"}, "example": None}, r"beside the list \{label\}"),
    ({"target": "<|{label}|>"}, r"\{label\} in '<\|\{label\}\|>' belongs outside a tag"),
    ({"target": "{label}<|delim|>{n}", "kinds": {"n": "number"}}, r"\{n\} in '\{n\}' belongs within a tag"),
])  # fmt: skip
def test_a_task_file_with_a_mistake_is_refused_by_name(tmp_path, changes, message):
    with pytest.raises(ValueError, match=message):
        load_tasks(write_task(tmp_path, **changes))


@pytest.mark.parametrize("line, message", [
    *((f"{key}:", f"{key} has no value; write one, or leave") for key in ("datasets", "chat", "kinds", "example")),
    ("target: 5", "target is 5; write a text"),
    ("kinds: [label]", r"kinds is \['label'\]; write KEY: VALUE lines"),
    ("datasets: esc50", r"datasets is 'esc50'; write a list of names"),
    ("metrics: [accuracy]", r"metrics is \['accuracy'\]; write a list of entries, such as \[{metric: accuracy}\]"),
    ("metrics: [{metric: acuracy}]", r"metrics\[0\]: metric 'acuracy' is unknown; did you mean 'accuracy'"),
    ("metrics: [{protocol: strict}]", r"metrics\[0\] names no metric"),
    ("metrics: [{metric: accuracy, protocl: strict}]", r"metrics\[0\].protocl: no such key; did you mean 'protocol'"),
    ("metrics: [{metric: accuracy, protocol: strickt}]", r"'strickt' is none of accuracy; did you mean 'strict'"),
    ("metrics: [{metric: note, field: pich}]", "metric 'note_pich' is unknown; did you mean 'note_pitch'"),
    ("baseline: majorty", "baseline 'majorty' is unknown; did you mean 'majority'"),
    ("max_new_tokens: many", "max_new_tokens is 'many'; write a whole number from 1 on"),
])  # fmt: skip
def test_a_value_that_no_command_could_use_is_refused_when_the_file_is_read(tmp_path, line, message):
    content = yaml.safe_load((TASKS_DIR / "sec.yaml").read_text()) | yaml.safe_load(line)
    (tmp_path / "sec.yaml").write_text(yaml.safe_dump(content))
    with pytest.raises(ValueError, match=f"sec.yaml: .*{message}"):
        load_tasks(tmp_path)


@pytest.mark.parametrize("content, message", [
    ("name: {sec", "sec.yaml: no YAML: "), ("just words", "sec.yaml: write `key: value` lines"),
])  # fmt: skip
def test_a_task_file_that_is_no_mapping_is_refused_by_name(tmp_path, content, message):
    (tmp_path / "sec.yaml").write_text(content)
    with pytest.raises(ValueError, match=message):
        load_tasks(tmp_path)


def test_a_question_in_the_prompt_is_text_between_tags():
    row = {"question": "is it <|en|>?", "answer": "yes"}
    assert TASKS["aqa"].fields == ["question", "answer"] and TASKS["aqa"].prompt_fields == ["question"]
    assert TASKS["aqa"].prompt_pieces(row)[3:] == [
        ("<|startofanalysis|>", True), ("<|en|>", True), ("<|question|>", True),
        ("is it <|en|>?", False), ("<|answer|>", True),
    ]  # fmt: skip


NEW_TASK = """
name: duet
title: Who sings what and how
group: music
source: none, a test
prompt: "<|startofanalysis|><|unknown|><|keyword|><|en|><|timestamps|><|song_meta|><|delim|>{hint}"
target: "<|pitch|><|midi_pitch_{low}|><|singer|>{turns}<|genre|>it is {genre}."
optional: "<|sonic|>{tones}<|entities|>{people}"
kinds: {low: number, turns: segments, tones: listed, people: pairs}
metrics: [{metric: accuracy}]
baseline: constant
max_new_tokens: 99
example: {low: 40, genre: a waltz}
"""


def test_a_new_yaml_in_a_folder_is_a_new_task(tmp_path, tiny_tokenizer):
    (tmp_path / "duet.yaml").write_text(NEW_TASK)
    spec = load_tasks(tmp_path)["duet"]
    row = {
        "hint": "two <|en|> voices", "low": 41, "turns": [[0.0, 1.5, "Ann"], [1.0, 2.0, "Bo"]],
        "genre": "a waltz", "tones": ["soft", "high"], "people": [["singer", "Ann"]],
    }  # fmt: skip
    spec.check(row)
    assert spec.fields == ["hint", "low", "turns", "genre"] and spec.optional_fields == ["tones", "people"]
    assert spec.prompt_pieces(row)[-2:] == [("<|delim|>", True), ("two <|en|> voices", False)]
    written = (
        "<|pitch|><|midi_pitch_41|><|singer|><|0.00|>Ann<|1.50|><|1.00|>Bo<|2.00|><|genre|>it is a waltz."
        "<|sonic|>soft, high<|entities|><|startofentitytype|>singer<|endofentitytype|>"
        "<|startofentityvalue|>Ann<|endofentityvalue|>"
    )
    text = tiny_tokenizer.decode(tiny_tokenizer.encode_pieces(spec.target_pieces(row)))
    assert text == written
    del row["hint"]
    assert spec.parse(text) == row
    with pytest.raises(ValueError, match="task duet needs the field 'people'"):
        spec.check(_without(spec.sample(), "people"))
    short = _without(_without(row, "people"), "tones")
    assert spec.parse(spec.target_text(short)) == short


def _without(row: dict, name: str) -> dict:
    return {key: value for key, value in row.items() if key != name}
