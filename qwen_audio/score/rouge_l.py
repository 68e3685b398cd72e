"""ROUGE-L of captions by pycocoevalcap."""

from qwen_audio.score.ptb import tokenize_both


def rouge_l(refs: dict[str, list[str]], hyps: dict[str, str], protocol: str, lang: str) -> dict:
    """ROUGE-L (Lin 2004, beta 1.2) on PTB tokens as a fraction: the longest common subsequence."""
    from pycocoevalcap.rouge.rouge import Rouge

    score, _ = Rouge().compute_score(*tokenize_both(refs, hyps))
    return {"score": float(score)}
