"""Corpus BLEU by sacrebleu, its signature beside the score."""

from qwen_audio.score.registry import Absent
from qwen_audio.tags import UNSPACED

_CHINESE = ("zh", "zh_tr", "yue")
_TOKENIZERS = dict.fromkeys(UNSPACED, "char") | dict.fromkeys(_CHINESE, "zh") | {"ja": "ja-mecab"}


def bleu(refs: dict[str, list[str]], hyps: dict[str, str], protocol: str, lang: str) -> dict:
    """BLEU as sacrebleu prints it (0 to 100): mixed case, no normalisation, one figure for the corpus.

    The tokenizer follows the target language: ``zh``, ``ja-mecab``, for Thai, Lao, Burmese, Khmer and Tibetan
    ``char``, else ``13a``, which cuts at spaces.

    Returns:
        ``score, signature, brevity_penalty, hyp_length, ref_length``; lengths in tokens.

    Raises:
        Absent: Japanese without MeCab.
    """
    from sacrebleu.metrics import BLEU

    try:
        metric = BLEU(tokenize=_TOKENIZERS.get(lang, "13a"))
    except (ImportError, RuntimeError) as error:
        raise Absent(f"BLEU for {lang!r} needs MeCab: pip install 'sacrebleu[ja]' ({error})") from None
    most = max(map(len, refs.values()))
    streams = [[texts[k] if k < len(texts) else None for texts in refs.values()] for k in range(most)]
    found = metric.corpus_score([hyps[utt] for utt in refs], streams)
    return {
        "score": found.score,
        "signature": str(metric.get_signature()),
        "brevity_penalty": found.bp,
        "hyp_length": found.sys_len,
        "ref_length": found.ref_len,
    }
