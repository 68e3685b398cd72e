import pytest
import qwen_layouts as layouts

from qwen_audio.interop.token_list import audio_tokens
from qwen_audio.tags import RELEASED


def test_the_list_is_read_with_its_loops_and_names_and_nothing_of_the_file_runs(tmp_path):
    layouts.write_token_list(tmp_path, "<|own|>")
    released = RELEASED[RELEASED.index("[[[AUDIO:modality]]]") :]
    assert audio_tokens(tmp_path) == [*released[:-2], "<|own|>", *released[-2:]]


def test_a_folder_without_the_file_has_no_list(tmp_path):
    assert audio_tokens(tmp_path) is None


@pytest.mark.parametrize("text, fault", [
    ("A = 1\n\nAUDIO_ST = ('<a>', make())\n", r"tokenization_qwen.py, line 3: AUDIO_ST is no plain list of tokens"),
    ("A = ()\n", r"tokenization_qwen.py has no list AUDIO_ST; fetch"),
])  # fmt: skip
def test_what_is_no_list_is_named_by_file_and_line(text, fault, tmp_path):
    (tmp_path / "tokenization_qwen.py").write_text(text)
    with pytest.raises(ValueError, match=fault):
        audio_tokens(tmp_path)
