#!/usr/bin/env python3
"""Fish Fillets: acted game dialogue in Czech and Dutch with its English, tasks asr, s2tt and lid.

    python3 local/fillets.py --corpus downloads/deb --data data

Reads usr/share/games/fillets-ng/script/LEVEL/dialogs_LL.lua and sound/LEVEL/LL/ID.ogg under --corpus. Writes
data/fillets_{train,valid,test}, split by level: a level's dialogue hangs together. What is not used stands
with its reason in data/fillets_rejected.tsv.
"""

import argparse
import re
from pathlib import Path

from arguments import run

from qwen_audio.data.corpus_dir import Utterance, write_corpus
from qwen_audio.data.split import SPLITS, audio_hash, components, split_components
from qwen_audio.tags import LANGUAGES

GAME = Path("usr/share/games/fillets-ng")
SPOKEN = ("cs", "nl")
STRING = r'"((?:[^"\\]|\\.)*)"'
LINE = re.compile(rf"dialogId\(\s*{STRING}\s*,\s*{STRING}\s*,\s*{STRING}\s*\)\s*dialogStr\(\s*{STRING}\s*\)")
LICENCE = """Dialogue and recordings: Debian packages fillets-ng-data, fillets-ng-data-cs, fillets-ng-data-nl;
GPL-2 (full text: usr/share/doc/fillets-ng-data*/copyright in the packages).
"""


def main(args: argparse.Namespace) -> None:
    rows: dict[str, tuple[str, Utterance]] = {}  # utterance id -> (level, utterance)
    rejected = []
    for lang in SPOKEN:
        for script in sorted((args.corpus / GAME / "script").glob(f"*/dialogs_{lang}.lua")):
            level = script.parent.name
            folder = args.corpus / GAME / "sound" / level / lang
            unsaid = {path.stem for path in folder.glob("*.ogg")}
            for name, role, english, text in read_dialogue(script):
                row = utterance(lang, level, name, role, english, text, folder / f"{name}.ogg")
                if name in unsaid and text.strip():
                    rows[row.utt] = level, row
                else:
                    rejected.append(
                        ("text", row.utt, "no recording" if text.strip() else "recording without words")
                    )
                unsaid.discard(name)
            rejected += [
                ("recording", f"{lang}/{level}/{name}", "recording without a text") for name in unsaid
            ]
    if not rows:
        raise ValueError(
            f"{args.corpus}: no dialogue; it must hold {GAME}/script/LEVEL/dialogs_cs.lua and sound/LEVEL/cs"
        )
    features: dict[str, set[str]] = {}
    for level, row in rows.values():
        features.setdefault(level, set()).add(audio_hash(row.audio))
    joined = components(features)  # a recording used in two levels joins them
    split = split_components(joined.values(), test=0.08, valid=0.05)
    sets: dict[str, list[Utterance]] = {name: [] for name in SPLITS}
    for level, row in rows.values():
        sets[split[joined[level]]].append(row)
    write_corpus(args.data, "fillets", sets, LICENCE, rejected)


def read_dialogue(script: Path) -> list[tuple[str, str, str, str]]:
    """(id, role, English, text) of every line; the role is the font's: small and big are the two fish."""
    found = []
    for match in LINE.finditer(script.read_text(encoding="utf-8")):
        name, font, english, text = (
            " ".join(re.sub(r"\\(.)", _unescape, part).split()) for part in match.groups()
        )
        found.append((name, font.removeprefix("font_") or "narrator", english, text))
    return found


def utterance(lang: str, level: str, name: str, role: str, english: str, text: str, audio: Path) -> Utterance:
    examples = [{"task": "lid", "label": LANGUAGES[lang]}]
    if english:
        examples.append({"task": "s2tt", "audio_lang": lang, "text_lang": "en", "text": english})
    spk = f"fillets-{lang}-{role}"
    return Utterance(f"{spk}-{level}-{name}", spk, str(audio), text, lang, examples=examples)


def _unescape(match: re.Match) -> str:
    return " " if match[1] in "ntr" else match[1]


if __name__ == "__main__":
    run(main, __doc__, "not used: the sounds are read as they are")
