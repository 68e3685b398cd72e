import io
import shutil
import subprocess
import sys

import pytest
import soundfile

from qwen_audio import cli, load
from qwen_audio.audio import SAMPLE_RATE
from qwen_audio.chat.terminal import COMMANDS, Terminal, typed_lines
from qwen_audio.data.dialogue import read_dialogues
from qwen_audio.model_folder import export_model

SHORT = {"max_new_tokens": 16}
needs_ffmpeg = pytest.mark.skipif(not shutil.which("ffmpeg"), reason="there is no ffmpeg")


@pytest.fixture(scope="module")
def model(loaded, ctc_tokens, tmp_path_factory):
    """Folder of the exported model."""
    folder = tmp_path_factory.mktemp("model")
    export_model(
        loaded.model, loaded.tokenizer, loaded.config, ["asr/en", "srwt/en", "text"], ctc_tokens, folder
    )
    return folder


@pytest.fixture(scope="module")
def clip(sounds, tmp_path_factory):
    """A sound as a wave file, in a folder whose name has a space."""
    folder = tmp_path_factory.mktemp("my sounds")
    soundfile.write(folder / "a.wav", sounds[1], SAMPLE_RATE, subtype="FLOAT")
    return folder / "a.wav"


@pytest.fixture
def converse(loaded):
    """Function (*lines) -> what a fresh terminal prints for them (out, err), and the terminal."""

    def talk(*lines):
        out, err = io.StringIO(), io.StringIO()
        terminal = Terminal(loaded.chat(notify=lambda _: None, **SHORT), out, err)
        terminal.converse(lines)
        return out.getvalue(), err.getvalue(), terminal

    return talk


def test_a_line_is_a_question_and_audio_goes_with_the_next_one(loaded, converse, clip):
    session = loaded.chat(notify=lambda _: None, **SHORT)
    expected = [session.ask("What is said?", audio=clip), session.ask("Is it a fox?")]
    out, err, terminal = converse(f"/audio {clip}\n", "What is said?\n", "\n", "Is it a fox?\n")
    assert out == "".join(f"{answer}\n" for answer in expected)
    assert f"({clip}, 2.1 s: heard with the next question)" in err
    assert terminal.session.messages == session.messages and terminal.faults == 0


@pytest.mark.parametrize("kind", ["flac", "mp3", "ogg", pytest.param("m4a", marks=needs_ffmpeg)])
def test_audio_may_come_in_the_usual_formats(converse, clip, tmp_path, kind):
    path = tmp_path / f"b.{kind}"
    if kind == "m4a":
        subprocess.run(["ffmpeg", "-loglevel", "error", "-i", clip, path], check=True)
    else:
        soundfile.write(path, soundfile.read(clip)[0], SAMPLE_RATE)
    out, err, terminal = converse(f"/audio {path}", "What is said?")
    assert terminal.faults == 0 and terminal.session.messages[0].audios == [str(path)]
    assert f"({path}, 2." in err and out


def test_several_audios_are_heard_together(converse, clip):
    _, _, terminal = converse(f"/audio {clip}", f"/audio '{clip}'", "Which is longer?")
    assert terminal.session.messages[0].audios == [str(clip), str(clip)]


def test_what_goes_wrong_is_told_and_the_chat_goes_on(converse, clip, tmp_path):
    (tmp_path / "text.wav").write_text("no audio")
    lines = {
        "/audio gone.wav": "missing file: gone.wav",
        f"/audio {tmp_path}/text.wav": "unreadable audio: ",
        "/audio": "no file is named; write /audio a.wav",
        "/load gone.jsonl": "(gone.jsonl: No such file or directory)",
        "/save": "no file is named; write /save dialogue.jsonl",
        "/save x.jsonl": "nothing was said yet; there is nothing to save",
        "/words": "no audio was heard yet; give one",
        "/sve x": "unknown command /sve; did you mean '/save'?",
        "a\udcffb": "the question holds half a surrogate pair",
    }
    out, err, terminal = converse(*lines, f"/audio {clip}", "What is said?")
    assert terminal.faults == len(lines)
    assert all(message in err for message in lines.values())
    assert len(terminal.session.messages) == 2 and out


def test_audio_waits_for_a_question_that_can_be_asked(converse, clip):
    _, _, terminal = converse(f"/audio {clip}", "\udcff", "What is said?")
    assert terminal.session.messages[0].audios == [str(clip)]


def test_ctrl_c_breaks_off_an_answer_and_not_the_chat(loaded, converse):
    calls = []

    def break_off(*_):
        calls.append(1)
        if len(calls) == 3:
            raise KeyboardInterrupt

    hook = loaded.model.decoder.body().layers[0].register_forward_pre_hook(break_off)
    _, err, terminal = converse("What is said?", "Is it a fox?")
    hook.remove()
    assert "(broken off; the question is not kept)" in err
    assert [message.text for message in terminal.session.messages][::2] == ["Is it a fox?"]


def test_words_are_written_with_times_and_confidence(loaded, converse, clip):
    expected = loaded.chat(notify=lambda _: None).words("en", clip)
    lines = [f"{start:.2f}\t{end:.2f}\t{word}\t{sure:.2f}\n" for word, start, end, sure in expected]
    waiting, _, _ = converse(f"/audio {clip}", "/words")
    assert waiting == "".join(lines) and len(lines) > 1
    asked, _, _ = converse(f"/audio {clip}", "What is said?", "/words en")
    assert asked.endswith(waiting)


def test_silence_has_no_words_and_says_so(converse, tmp_path):
    soundfile.write(tmp_path / "silence.wav", [0.0] * SAMPLE_RATE, SAMPLE_RATE)
    out, err, terminal = converse(f"/audio {tmp_path}/silence.wav", "/words")
    assert (out, terminal.faults) == ("", 0) and "(no words were heard)" in err


def test_a_dialogue_is_saved_reset_and_gone_on_with(converse, clip, tmp_path):
    path = tmp_path / "talk.jsonl"
    first = [f"/audio {clip}", "What is said?"]
    whole, _, talked = converse(*first, "Is it a fox?")
    out, err, terminal = converse(*first, f"/save {path}", "/reset", "Hello", f"/load {path}", "Is it a fox?")
    assert terminal.session.messages == talked.session.messages
    assert out.splitlines()[-1] == whole.splitlines()[-1]
    assert f"user: [{clip}] What is said?" in err
    assert [message.role for message in next(read_dialogues(path)).messages] == ["user", "assistant"]


def test_help_lists_every_command(converse):
    _, err, _ = converse("/help")
    assert [line.split()[0] for line in err.splitlines()] == list(COMMANDS)
    assert all(hasattr(Terminal, f"_{command[1:]}") for command in COMMANDS)


def test_a_pipe_is_answered_line_by_line(model, clip, monkeypatch, capsys):
    session = load(model).chat(notify=lambda _: None, **SHORT)
    expected = [session.ask("What is said?", audio=clip), session.ask("Really?")]
    monkeypatch.setattr(sys, "stdin", io.StringIO(f"/audio {clip}\nWhat is said?\nReally?\n"))
    with pytest.raises(SystemExit) as end:
        cli.run("chat", [str(model), "--max-new-tokens", "16"])
    assert end.value.code == 0
    assert capsys.readouterr().out == "".join(f"{answer}\n" for answer in expected)


def test_a_pipe_with_a_line_that_cannot_be_served_ends_with_status_1(model, monkeypatch, capsys):
    monkeypatch.setattr(sys, "stdin", io.StringIO("/audio gone.wav\nWhat is said?\n"))
    with pytest.raises(SystemExit) as end:
        cli.run("chat", [str(model), "--max-new-tokens", "16"])
    assert end.value.code == 1
    told = capsys.readouterr()
    assert "(missing file: gone.wav" in told.err and told.out


def test_one_question_is_answered_by_ask(model, clip, capsys):
    expected = load(model).chat(notify=lambda _: None, beam_size=2, **SHORT).ask("Which?", [clip, clip])
    command = [
        str(model),
        "--audio",
        str(clip),
        "--audio",
        str(clip),
        "--beam-size",
        "2",
        "--max-new-tokens",
        "16",
    ]
    cli.run("ask", [*command, "Which?"])
    assert capsys.readouterr().out == f"{expected}\n"


@pytest.mark.parametrize("words, message", [
    (["--audio", "gone.wav", "What?"], "missing file: gone.wav"),
    (["--max-new-tokens", "0", "What?"], "--max_new_tokens is 0; write a whole number from 1 on"),
])  # fmt: skip
def test_ask_ends_with_one_line_about_what_is_wrong(model, words, message):
    with pytest.raises(SystemExit, match=f"^qwen-audio ask: {message}"):
        cli.run("ask", [str(model), *words])


def test_typed_lines_end_with_ctrl_d_and_ctrl_c_leaves_one_out(monkeypatch):
    typed = iter(["one", KeyboardInterrupt(), "two", EOFError()])

    def answer(_):
        line = next(typed)
        if isinstance(line, BaseException):
            raise line
        return line

    monkeypatch.setattr("builtins.input", answer)
    assert list(typed_lines()) == ["one", "two"]


def test_importing_the_package_imports_no_torch():
    code = "import sys, qwen_audio; qwen_audio.load; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def test_lines_can_be_typed_where_python_has_no_readline(monkeypatch):
    monkeypatch.setitem(sys.modules, "readline", None)
    monkeypatch.setattr("builtins.input", lambda _: "one")
    assert next(typed_lines()) == "one"
