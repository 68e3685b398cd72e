"""Aligners that read what another program aligned; the words must be the transcript's."""

from collections.abc import Mapping

from qwen_audio.align.aligner import Answer, WordAligner
from qwen_audio.align.match import match_words
from qwen_audio.align.transcripts import Transcript
from qwen_audio.data.format_audio import OVERSHOOT_SECONDS
from qwen_audio.data.word_files import chinese_word, unknown_word, within
from qwen_audio.tags import UNSPACED
from qwen_audio.words import Word


class WordFile(WordAligner):
    """Base of the readers; where nothing is transcribed the words of the file are the transcript.

    Args:
        times: words by id, of an utterance or of the recording that it is cut from.
    """

    def __init__(self, times: Mapping[str, list[Word]]):
        self.times, self.asked = times, set()

    def align_one(self, transcript: Transcript) -> Answer:
        """See WordAligner."""
        try:
            return transcript, self._words(transcript), ""
        except ValueError as error:
            return transcript, [], str(error)

    def unused(self) -> list[str]:
        """See WordAligner."""
        return sorted(self.times.keys() - self.asked)

    def _words(self, transcript: Transcript) -> list[Word]:
        found, language = self._find(transcript), transcript.language
        if unknown_word(found):
            raise ValueError(f"a word that the aligner did not know: {unknown_word(found)}")
        if transcript.text is not None:
            found = match_words(transcript.text, language, found)
        elif language not in UNSPACED and chinese_word(found):
            mend = f"write a line `{transcript.utt} zh` for it in utt2lang"
            raise ValueError(f"word of another language than {language}: {chinese_word(found)}; {mend}")
        seconds = transcript.seconds()
        for start, end, word in found:
            if end > seconds + OVERSHOOT_SECONDS:
                raise ValueError(f"words past the end: {word} at {start} to {end} s of {seconds:.3f} s")
        last = round(seconds, 3)
        return [(min(start, last), min(end, last), word) for start, end, word in found]

    def _find(self, transcript: Transcript) -> list[Word]:
        keys = (transcript.utt, transcript.recording)
        key = next((key for key in keys if key in self.times), None)
        if key is None:
            raise ValueError("no words of it in the files")
        self.asked.add(key)
        try:
            words = self.times[key]
        except ValueError as error:
            raise ValueError(f"unreadable words: {error}") from None
        if key != transcript.utt:
            words = within(words, transcript.start, transcript.end)
        if not words:
            raise ValueError("nothing but silence in the files")
        return words
