import pytest
from hypothesis import given
from hypothesis import strategies as st
from transformers.models.whisper import tokenization_whisper as whisper

from qwen_audio.tags import (
    ADDED,
    LANGUAGES,
    RELEASED,
    SPECIAL_TOKENS,
    TIMES,
    UNSPACED,
    split_tags,
    tag,
    time_pieces,
    time_tag,
)  # fmt: skip

BASE = 151643  # byte-level BPE ranks below the released special tokens


@pytest.mark.parametrize("first, tokens", [
    (151643, "<|endoftext|> <|im_start|> <|im_end|> <|extra_0|>"),
    (151850, "<|extra_204|> [[[AUDIO:modality]]] <|startoftranscript|> <|startofanalysis|>"),
    (151854, "<|translate|> <|transcribe|> <|caption|> <|keyword|> <|unknown|>"),
    (151859, "<|en|> <|zh|> <|de|> <|es|> <|ko|> <|fr|> <|ja|> <|it|> <|zh_tr|>"),
    (151868, "<|notimestamps|> <|sil|> <|timestamps|> <|0.00|> <|0.01|>"),
    (154870, "<|29.99|> <|30.00|> <|caption_audiocaps|> <|caption_clotho|> <|audioset_ontology|>"),
    (154875, "<|caption_plain|> <|itn|> <|wo_itn|> <|startofentityvalue|> <|endofentityvalue|>"),
    (154880, "<|startofentitytype|> <|endofentitytype|> <|named_entity_recognition|> <|audio_grounding|>"),
    (154884, "<|startofword|> <|endofword|> <|delim|> <|emotion_recognition|> <|music_description|>"),
    (154889, "<|note_analysis|> <|pitch|> <|midi_pitch_0|> <|midi_pitch_1|>"),
    (155018, "<|midi_pitch_127|> <|velocity|> <|midi_velocity_0|>"),
    (155147, "<|midi_velocity_127|> <|sonic|> <|instrument|> <|speaker_meta|> <|song_meta|> <|question|>"),
    (155153, "<|answer|> <|choice|> <|scene|> <|event|> <|vocal_classification|> <|speech_understanding|>"),
    (155159, "<|scenario|> <|action|> <|entities|> <|speech_edit|> <audio> </audio>"),
])  # fmt: skip
def test_released_tokens_keep_their_ids(first, tokens):
    tokens = tokens.split(" ")
    assert [BASE + RELEASED.index(token) for token in tokens] == list(range(first, first + len(tokens)))


def test_the_released_vocabulary_ends_at_its_size():
    assert BASE + len(RELEASED) == 155165


def test_no_token_stands_twice():
    assert len(set(SPECIAL_TOKENS)) == len(SPECIAL_TOKENS)


def test_own_tokens_come_after_all_released_ones():
    assert SPECIAL_TOKENS[: len(RELEASED)] == RELEASED and SPECIAL_TOKENS[len(RELEASED) :] == ADDED


def test_own_tokens_keep_their_order_and_grow_at_the_end():
    """Trained models know them by their place."""
    names = (
        "ru cs nl pl sv bg ca ro pt ar tr language_identification instrument_classification overlapped_speech "
        "dialect speaker_verification speaker_diarization keyword_spotting gender age singer genre title"
    ).split()
    later = (
        "id hi fi vi he uk el ms da hu ta no th ur hr lt la mi ml cy sk te fa lv bn sr az sl kn et mk br eu is hy ne "
        "mn bs kk sq sw gl mr pa si km sn yo so af oc ka be tg sd gu am yi lo uz fo ht ps tk nn mt sa lb my bo tl mg "
        "as tt haw ln ha ba jw su yue"
    ).split()
    assert ADDED[: len(names + later)] == [tag(name) for name in names + later]


def test_every_language_has_a_token():
    assert {tag(code) for code in LANGUAGES} <= set(SPECIAL_TOKENS)


def test_the_languages_are_those_of_whisper_by_its_codes_and_names():
    """But for zh_tr: Whisper has one Chinese."""
    codes = {name.lower(): code for code, name in LANGUAGES.items() if code != "zh_tr"}
    assert set(codes.values()) == set(whisper.LANGUAGES)
    assert {name: whisper.TO_LANGUAGE_CODE[name] for name in codes} == codes


def test_what_is_written_without_spaces_is_a_language():
    assert set(UNSPACED) <= set(LANGUAGES)


@pytest.mark.parametrize(
    "seconds, token",
    [(0, "<|0.00|>"), (0.537, "<|0.54|>"), (-0.004, "<|0.00|>"), (12.3, "<|12.30|>"), (30.004, "<|30.00|>")],
)
def test_a_time_takes_the_nearest_token(seconds, token):
    assert time_tag(seconds) == token and token in TIMES


@given(st.integers(0, 3000))
def test_every_hundredth_second_has_its_own_token(hundredths):
    assert TIMES.index(time_tag(hundredths / 100)) == hundredths


@pytest.mark.parametrize("seconds", [-0.01, 30.01, float("nan"), float("inf")])
def test_a_time_without_token_is_refused_with_the_range(seconds):
    with pytest.raises(ValueError, match="has no token: they run from 0 to 30 s; cut longer audio"):
        time_tag(seconds)


def test_text_is_cut_at_tags():
    assert split_tags("a<|en|>b <audio>") == ["a", "<|en|>", "b ", "<audio>"]
    assert split_tags("<|0.5|>") == ["<|0.5|>"]  # no token: text in one piece
    assert split_tags("") == []


@given(st.lists(st.one_of(st.sampled_from(SPECIAL_TOKENS), st.sampled_from("<|> [a"), st.text()), max_size=8))
def test_cutting_loses_nothing_and_leaves_no_tag_inside_a_piece(parts):
    pieces = split_tags("".join(parts))
    assert "".join(pieces) == "".join(parts)
    for piece in pieces:
        assert piece in SPECIAL_TOKENS or not any(
            token in piece for token in SPECIAL_TOKENS[:3600:97] + ["<|en|>"]
        )


def test_a_text_is_cut_at_the_time_tokens_that_there_are_and_nowhere_else():
    assert time_pieces("from <|0.00|> to <|2.33|>") == [
        ("from ", False),
        ("<|0.00|>", True),
        (" to ", False),
        ("<|2.33|>", True),
    ]
    assert time_pieces("".join(TIMES)) == [(name, True) for name in TIMES]
    other = "<|30.01|> <|00.10|> <|1.5|> <|1.500|> <|31.00|> <|٣.00|> <|en|> <|im_end|> 1.50"
    assert time_pieces(other) == [(other, False)]
