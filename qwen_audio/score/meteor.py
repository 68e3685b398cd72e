"""METEOR of captions: the METEOR 1.5 jar of pycocoevalcap, English."""

from qwen_audio.score.ptb import tokenize_both
from qwen_audio.score.registry import Absent


def meteor(refs: dict[str, list[str]], hyps: dict[str, str], protocol: str, lang: str) -> dict:
    """METEOR 1.5 (Denkowski 2014) on PTB tokens as a fraction: exact, stem, synonym and paraphrase matches.

    Raises:
        Absent: no Java, or a language other than English (pycocoevalcap ships the English tables).
    """
    if lang != "en":
        raise Absent(f"meteor knows English only, not {lang!r}; use rouge_l or cider")
    tokens = tokenize_both(refs, hyps)
    from pycocoevalcap.meteor.meteor import Meteor

    score, _ = Meteor().compute_score(*tokens)
    return {"score": float(score)}
