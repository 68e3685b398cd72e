"""SPICE and SPIDEr of captions: pycocoevalcap's SPICE 1.0 with a Stanford CoreNLP that the user supplies."""

import importlib.util
import json
import os
import subprocess
import tempfile
from pathlib import Path

from qwen_audio.score.cider import cider
from qwen_audio.score.ptb import java, tokenize_both
from qwen_audio.score.registry import Absent

FOLDER = "SPICE_JARS"  # environment variable: folder with CORENLP
CORENLP = ("stanford-corenlp-3.6.0.jar", "stanford-corenlp-3.6.0-models.jar")


def spice(refs: dict[str, list[str]], hyps: dict[str, str], protocol: str, lang: str) -> dict:
    """SPICE (Anderson 2016), the mean F-score over scene graphs, as a fraction.

    Raises:
        Absent: no Java, or the CoreNLP jars are not in the folder that ``SPICE_JARS`` names.
    """
    jars = _class_path()
    ref_tokens, hyp_tokens = tokenize_both(refs, hyps)
    with tempfile.TemporaryDirectory() as folder:
        asked, answer = Path(folder, "in.json"), Path(folder, "out.json")
        rows = [{"image_id": utt, "test": hyp_tokens[utt][0], "refs": ref_tokens[utt]} for utt in refs]
        asked.write_text(json.dumps(rows), encoding="utf-8")
        command = [
            java(),
            "-Xmx8G",
            "-cp",
            jars,
            "edu.anu.spice.SpiceScorer",
            str(asked),
            "-out",
            str(answer),
        ]
        ran = subprocess.run(
            [*command, "-subset", "-silent"], capture_output=True, text=True, errors="replace"
        )
        if ran.returncode or not answer.is_file():
            raise ValueError(f"SPICE failed: {ran.stderr.strip()[-300:]}")
        found = json.loads(answer.read_text(encoding="utf-8"))
    return {"score": sum(row["scores"]["All"]["f"] for row in found) / len(refs)}


def spider(refs: dict[str, list[str]], hyps: dict[str, str], protocol: str, lang: str) -> dict:
    """SPIDEr (Liu 2017): the mean of CIDEr and SPICE of the corpus. Raises: as :func:`spice`."""
    parts = {
        "spice": spice(refs, hyps, protocol, lang)["score"],
        "cider": cider(refs, hyps, protocol, lang)["score"],
    }
    return {"score": (parts["spice"] + parts["cider"]) / 2, **parts}


def _class_path() -> str:
    given = os.environ.get(FOLDER)
    lacking = [name for name in CORENLP if not given or not Path(given, name).is_file()]
    if lacking:
        raise Absent(
            f"SPICE needs {' and '.join(lacking)}, which no package registry has: take them from Stanford "
            f"CoreNLP 3.6.0 and name their folder by --spice_jars or the environment variable {FOLDER}"
        )
    shipped = Path(importlib.util.find_spec("pycocoevalcap").submodule_search_locations[0], "spice")
    return os.pathsep.join(
        [str(shipped / "spice-1.0.jar"), str(shipped / "lib" / "*"), str(Path(given) / "*")]
    )
