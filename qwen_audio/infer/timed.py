"""Answers of words with times, where a timestamp head aligns what the model transcribed."""

from qwen_audio.infer.answer_form import grammar_of
from qwen_audio.infer.clips import Clips
from qwen_audio.infer.load import LoadedModel
from qwen_audio.infer.options import InferenceConfig
from qwen_audio.infer.requests import Request
from qwen_audio.infer.search import Hypothesis
from qwen_audio.task_spec import WORDS, TaskSpec
from qwen_audio.timestamp.head import Aligner


class Timed:
    """The model's timestamp head as the one who answers tasks whose target is ``words``.

    Where the head is ``tokens``, or there is none, the decoder writes the times itself and this answers nothing.
    """

    def __init__(self, loaded: LoadedModel, config: InferenceConfig, specs: dict[str, TaskSpec]):
        head = loaded.timestamp_head(search=config) if loaded.config["timestamp_head"] else None
        self.head = head if isinstance(head, Aligner) else None
        self.loaded, self.specs = loaded, specs

    def answers(self, task: str) -> bool:
        return self.head is not None and self.specs[task].target == WORDS

    def answer(
        self, clips: Clips, which: list[int], asked: list[Request], heard: dict[tuple, Hypothesis]
    ) -> tuple[list[str], list[Hypothesis]]:
        """Words with times in the form of the task's target, and the transcripts they come from.

        Args:
            which: the clip each request is about.
            heard: transcripts there are already, by (clip, task, language, language); new ones are added.
        """
        spec = self.specs[self.head.task]
        keys = [(at, spec.name, *[request.asked["audio_lang"]] * 2) for at, request in zip(which, asked)]
        new = [key for key in dict.fromkeys(keys) if key not in heard]
        if new:
            grammar = grammar_of(spec, self.loaded.tokenizer)
            found = self.head.write(clips, [key[0] for key in new], [key[2] for key in new], grammar)
            heard.update(zip(new, found, strict=True))
        texts, answers = [""] * len(asked), [heard[key] for key in keys]
        for language in dict.fromkeys(key[2] for key in keys):
            rows = {key[0]: place for place, key in enumerate(keys) if key[2] == language}
            said = [""] * len(clips.samples)
            for clip, place in rows.items():
                said[clip] = self.loaded.tokenizer.decode(answers[place].tokens)
            words = self.head.times(clips, said, [language] * len(said))
            for clip, place in rows.items():
                timed = [[round(start, 2), round(end, 2), word] for word, start, end, _ in words[clip]]
                fields = {**asked[place].asked, "words": timed}
                texts[place] = self.specs[asked[place].task].target_text(fields) if timed else ""
        return texts, answers
