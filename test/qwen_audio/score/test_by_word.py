import random

import pytest
from whisper_normalizer.basic import BasicTextNormalizer
from whisper_normalizer.english import EnglishTextNormalizer

from qwen_audio.score import by_word

ENGLISH, BASIC = EnglishTextNormalizer(), BasicTextNormalizer()
ODD = """hello hello, word a half the st th nd rd s um uh um's one's $ $5 £3 €0 ¢7 % 5% 5 007 1 1s 21st 1,000 3.5 .5 5.
    1.2.3 -5 + - — … . , ' 's 'd been gone done got he he'd he's don’t o'clock mr. one, um, and, twenty-one naïve œuvre
    ΟΔΟΣ İstanbul 中文 x1 1x b2, 5th $0 ¢ b.c. ( ) [ x ] (x) <y> rock'n'roll ½ ٣ cents dollars point double ẞ \u0301x ﬁ
    w12 nd5 one5 mr5 colour5 colour per cent halves i'ma 'em""".split()


def texts(count, vocabulary, longest=9):
    draw = random.Random(0)
    return [" ".join(draw.choices(vocabulary, k=draw.randint(0, longest))) for _ in range(count)]


def made_by_the_library(library, text):
    """Its text, or the error of it: it fails on some rows of number words, such as "minus twenty zero fifth"."""
    try:
        return library(text).strip()
    except Exception as error:
        return type(error)


@pytest.mark.parametrize("library, name", [(ENGLISH, "english"), (BASIC, "basic")])
def test_any_text_becomes_what_the_library_makes_of_it(library, name):
    numbers = sorted(ENGLISH.standardize_numbers.words)
    replaced = [pattern.replace(r"\b", "") for pattern in ENGLISH.replacers]
    british = sorted(ENGLISH.standardize_spellings.mapping)[::100]
    normalise = getattr(by_word, name)(library)
    for text in texts(8000, numbers + replaced + british + 3 * ODD):
        assert made_by_the_library(normalise, text) == made_by_the_library(library, text), text


def test_the_library_sees_each_plain_sentence_not_at_all_and_each_odd_piece_once():
    asked = []

    class Counted(EnglishTextNormalizer):
        def __call__(self, text):
            asked.append(text)
            return super().__call__(text)

    normalise = by_word.english(Counted())
    assert normalise("The colour of it. Then he'd gone twenty two miles") == (
        "the color of it then he had gone 22 miles"
    )
    assert normalise("Well, then he'd gone home") == "well then he had gone home"
    assert asked == ["then he'd gone", "twenty two"]
