import pytest

from qwen_audio.serve.transcript_request import TranscriptRequest, parse_transcript


def test_what_is_not_said_is_english_as_json():
    assert parse_transcript({"file": "x", "model": "any", "stream": "False"}) == TranscriptRequest(
        "en", "json", ()
    )


@pytest.mark.parametrize("field", ["prompt", "temperature", "timestamp_granularities[]"])
def test_a_field_without_effect_is_told_of(field):
    (note,) = parse_transcript({"language": "fr", field: "0"}).notes
    assert note.startswith(f"{field} has no effect: ")


@pytest.mark.parametrize("fields, message", [
    ({"stream": "true"}, "stream is 'true'; a transcript comes whole here, leave it out"),
    ({"chunking_strategy": "auto"}, "chunking_strategy is not supported"),
    ({"langage": "fr"}, "langage is not supported; did you mean 'language'"),
    ({"language": "english"}, "language 'english'"),
    ({"response_format": "xml"}, "response_format 'xml'"),
])  # fmt: skip
def test_a_field_that_is_wrong_is_named(fields, message):
    with pytest.raises(ValueError, match=message):
        parse_transcript(fields)
