#!/usr/bin/env python3
"""Asterisk's telephone prompts: real speech in five languages, one voice each, the same prompts in all.

    python3 local/asterisk.py --corpus downloads/deb --data data

Reads usr/share/asterisk/sounds/VOICE/KEY.g722 and usr/share/doc/asterisk-core-sounds-LL/core-sounds-LL.txt.gz
(``key: text``) under --corpus. Writes data/asterisk_{train,valid,test} with the tasks asr, s2tt, lid and,
for English, srwt by forced alignment; training has srwt of joined clips too (joined.py). What is not used
stands with its reason in data/asterisk_rejected.tsv.
"""

import argparse
import gzip
import re
from pathlib import Path

from align_words import align_all
from arguments import run
from joined import join_clips
from transcode import decode_g722

from qwen_audio.data.corpus_dir import Utterance, write_corpus
from qwen_audio.data.split import SPLITS, audio_hash, components, normalise_sentence, split_components
from qwen_audio.tags import LANGUAGES

VOICES = {
    "en": "en_US_f_Allison",
    "es": "es_MX_f_Allison",
    "fr": "fr_CA_f_June",
    "it": "it_IT_m_Carlo",
    "ru": "ru_RU_f_IvrvoiceRU",
}
INTO_ENGLISH = [(lang, "en") for lang in ("es", "fr", "it", "ru")]  # (audio, text)
TRANSLATED = {"default": INTO_ENGLISH, "full": [*INTO_ENGLISH, ("en", "es"), ("en", "fr"), ("en", "it")]}
JOINED = {"default": 600, "full": 3000}  # sequences of English clips for srwt
TONES = re.compile(r"silence/|(ascending|descending)-2tone|beep(err)?$|confbridge-(join|leave)$|tt-monkeys$")
# "pu? essere": a letter became a question mark; "Sure? Press 1" is a question
LOST_LETTER = re.compile(r"\?(?=\S)|\?(?=\s+[^\W\d_])(?!\s+[A-ZÀ-Þ])")
SENTENCE_WORDS = 3
LICENCE = """Recordings and texts: Debian packages {packages}.
Voices: Allison Smith (English, Spanish), June Wallack (French): CC-BY-SA-3.0; Carlo Flora (Italian), Maxim
(Russian): CC-BY-3.0. Full texts: usr/share/doc/asterisk-core-sounds-*/copyright in the packages.
Times of words: aligned automatically with pocketsphinx's en-us model (BSD-2-Clause).
"""


def main(args: argparse.Namespace) -> None:
    prompts, rejected = read_prompts(args.corpus)
    wavs = decode_g722(
        [sound(args.corpus, lang, key) for lang, key in prompts], args.downloads / "asterisk" / "wav"
    )
    audio = dict(zip(prompts, wavs, strict=True))
    english = {key: (audio["en", key], text) for (lang, key), text in prompts.items() if lang == "en"}
    words, unaligned = align_all(english, args.downloads / "asterisk" / "align.jsonl", args.nj)
    rejected += [("srwt", utterance_id("en", key), reason) for key, reason in unaligned.items()]

    split = split_keys(prompts, audio)
    sets: dict[str, list[Utterance]] = {name: [] for name in SPLITS}
    for (lang, key), text in prompts.items():
        row = Utterance(utterance_id(lang, key), VOICES[lang], str(audio[lang, key]), text, lang)
        row.examples.append({"task": "lid", "label": LANGUAGES[lang]})
        for source, target in TRANSLATED[args.preset]:
            if source == lang and (target, key) in prompts:
                languages = {"audio_lang": source, "text_lang": target}
                row.examples.append({"task": "s2tt", **languages, "text": prompts[target, key]})
        if lang == "en" and key in words:
            row.examples.append(word_times(words[key]))
        sets[split[key]].append(row)
    clips = [(audio["en", key], times) for key, times in words.items() if split[key] == "train"]
    for n, (path, times) in enumerate(
        join_clips(clips, JOINED[args.preset], args.downloads / "asterisk" / "joined")
    ):
        name = utterance_id("en", f"joined-{n:04d}")
        sets["train"].append(
            Utterance(name, VOICES["en"], str(path), lang="en", examples=[word_times(times)])
        )

    packages = ", ".join(
        f"asterisk-core-sounds-{lang}(-g722)" for lang in sorted({lang for lang, _ in prompts})
    )
    write_corpus(args.data, "asterisk", sets, LICENCE.format(packages=packages), rejected)


def read_prompts(corpus: Path) -> tuple[dict[tuple[str, str], str], list[tuple[str, str, str]]]:
    """All usable prompts of the languages found: ((lang, key) -> text, rejected rows).

    Raises:
        ValueError: if there is no language at all, or a line of a text is no ``key: text``.
    """
    prompts: dict[tuple[str, str], str] = {}
    rejected = []
    for lang, voice in VOICES.items():
        path = corpus / f"usr/share/doc/asterisk-core-sounds-{lang}/core-sounds-{lang}.txt.gz"
        folder = corpus / "usr/share/asterisk/sounds" / voice
        if not path.exists() and not folder.exists():
            continue
        unsaid = {p.relative_to(folder).with_suffix("").as_posix() for p in folder.rglob("*.g722")}
        for number, line in enumerate(gzip.decompress(path.read_bytes()).decode("utf-8-sig").splitlines(), 1):
            if not line.strip() or line.startswith(";"):
                continue
            key, colon, published = line.partition(":")
            if not colon:
                raise ValueError(
                    f"{path}:{number}: {line!r} is no 'key: text'; add the colon or comment it out by ';'"
                )
            key, reason = key.strip(), None
            try:
                text = clean_text(key, published, lang)
            except ValueError as error:
                reason = str(error)
            if key not in unsaid:
                reason = "key given twice" if (lang, key) in prompts else reason or "text without a recording"
            unsaid.discard(key)
            if reason:
                rejected.append(("text", utterance_id(lang, key), reason))
            else:
                prompts[lang, key] = text
        rejected += [("recording", utterance_id(lang, key), "recording without a text") for key in unsaid]
    if not prompts:
        raise ValueError(
            f"{corpus}: no prompts of {', '.join(VOICES)}; it must hold usr/share/asterisk/sounds/VOICE"
        )
    return prompts, rejected


def clean_text(key: str, published: str, lang: str) -> str:
    """White space collapsed, its own key before it and a closing remark in brackets dropped; else as published.

    Raises:
        ValueError: saying why the text cannot be what is heard.
    """
    text = " ".join(published.split()).removeprefix(f"{key}:").strip()
    if TONES.match(key) or text.startswith(("[", "(", "<")) or not text:
        raise ValueError("no speech: the text describes a sound or is empty")
    text = re.sub(r"\s*(\[[^]]*\]|\([^)]*\))\.?$", "", text)
    if re.search(r"[\[\]()<>]", text):
        raise ValueError("a remark in brackets inside the text")
    if LOST_LETTER.search(text):
        raise ValueError("a question mark where a letter was lost")
    if lang == "ru" and not re.search("[а-яё]", text.lower()):
        raise ValueError("not in the language's script")
    return text


def word_times(words: list[list]) -> dict:
    """An example of srwt; the times are an aligner's."""
    return {
        "task": "srwt",
        "audio_lang": "en",
        "text_lang": "en",
        "words": words,
        "label_origin": "constructed",
        "aligner": "pocketsphinx",
    }


def utterance_id(lang: str, key: str) -> str:
    return f"{VOICES[lang]}-{key.replace('/', '_')}"


def sound(corpus: Path, lang: str, key: str) -> Path:
    return corpus / "usr/share/asterisk/sounds" / VOICES[lang] / f"{key}.g722"


def split_keys(prompts: dict[tuple[str, str], str], audio: dict[tuple[str, str], Path]) -> dict[str, str]:
    """Key -> split, the same in every language; keys that share a sentence or a recording go together."""
    features: dict[str, set[str]] = {}
    for (lang, key), text in prompts.items():
        features.setdefault(key, set()).update(
            {normalise_sentence(text), audio_hash(audio[lang, key])} - {""}
        )
    joined = components(features)
    said = {key: prompts.get(("en", key), text) for (_, key), text in prompts.items()}
    sentences = {joined[key] for key, text in said.items() if len(text.split()) >= SENTENCE_WORDS}
    split = split_components(sentences, test=0.18, valid=0.06)
    split |= split_components(set(joined.values()) - sentences, test=0.03, valid=0.02)  # digits, letters
    return {key: split[name] for key, name in joined.items()}


if __name__ == "__main__":
    run(main, __doc__, "decoded audio and alignments", TRANSLATED, nj="processes that align")
