"""CIDEr of captions by pycocoevalcap."""

from qwen_audio.score.ptb import tokenize_both


def cider(refs: dict[str, list[str]], hyps: dict[str, str], protocol: str, lang: str) -> dict:
    """CIDEr (Vedantam 2015) on PTB tokens, as pycocoevalcap prints it (0 to 10).

    Words are weighted by how few of the set's references hold them, so the score of a caption depends on
    the whole set, and a set of one caption scores 0.
    """
    from pycocoevalcap.cider.cider import Cider

    score, _ = Cider().compute_score(*tokenize_both(refs, hyps))
    return {"score": float(score)}
