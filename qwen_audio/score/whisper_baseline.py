"""Whisper's own decoder on the speech recognition clips of a set: what the encoder came from, as a yardstick.

Writes hyp.jsonl as the decoding stage does, so it is joined and scored by the same code. Whisper's protocol:
every clip padded to 30 s, greedy, no timestamps.
"""

import hashlib
import json
from pathlib import Path

from qwen_audio.audio import SAMPLE_RATE, file_state, read_audio
from qwen_audio.data.json_rows import write_rows
from qwen_audio.data.prepared import PreparedSet
from qwen_audio.progress import progress

WINDOW = 30 * SAMPLE_RATE  # samples that Whisper takes at once
_MAX_NEW_TOKENS = 224  # half of Whisper's 448 positions, as in its paper's section 2.3


def whisper_name(model: str) -> str:
    """``tools/backbones/whisper-tiny.en`` or ``openai/whisper-tiny.en`` -> ``whisper-tiny.en``."""
    return Path(model).name


def decode_with_whisper(
    model: str, dump: Path, out: Path, batch_size: int = 8, num_threads: int = 1, device: str = "cpu"
) -> bool:
    """Write ``out``/hyp.jsonl for the asr examples of the set ``dump``; keep one of the same model and clips.

    Clips are taken to be the same where the files that they stand in have the same size and time of change.

    An English-only model takes English clips, a multilingual one every language it knows. A clip longer than
    30 s is cut there and its texts are joined.

    Args:
        model: folder or hub name of a transformers Whisper model.
        dump: prepared set with raw audio.

    Returns:
        False where the set has no clip that the model can take; then nothing is written.

    Raises:
        ValueError: the set holds features instead of audio, or is no set.
    """
    prepared, out = PreparedSet(dump), Path(out)
    audio, known = prepared.audio, _languages(model)
    rows = prepared.rows({"asr"})
    clips = {row["utt"]: row["audio_lang"] for row in rows if row["audio_lang"] in known}
    if not clips:
        return False
    heard = [[utt, lang, audio[utt], *file_state(audio[utt])] for utt, lang in clips.items()]
    source = {"model": str(model), "clips": _digest(heard)}
    if not _cached(out, source):
        texts = _transcribe(model, clips, audio, known, batch_size, num_threads, device)
        out.mkdir(parents=True, exist_ok=True)
        (out / "source.json").unlink(missing_ok=True)
        write_rows(out / "hyp.jsonl", texts)
        write_rows(out / "source.json", [source])
    return True


def _languages(model: str) -> dict[str, str]:
    """Our language codes that the model knows -> its own; ``en`` alone for an English-only model."""
    from transformers import GenerationConfig

    from qwen_audio.tags import LANGUAGES

    config = GenerationConfig.from_pretrained(model)
    if not getattr(config, "is_multilingual", False):
        return {"en": "en"}
    codes = {code: code.split("_")[0] for code in LANGUAGES}
    return {code: name for code, name in codes.items() if f"<|{name}|>" in config.lang_to_id}


def _transcribe(model, clips, audio, known, batch_size, num_threads, device) -> list[dict]:
    import torch
    from transformers import AutoTokenizer, WhisperFeatureExtractor, WhisperForConditionalGeneration

    _quiet()
    before = torch.get_num_threads()
    torch.set_num_threads(num_threads)
    extract = WhisperFeatureExtractor.from_pretrained(model)
    tokenizer = AutoTokenizer.from_pretrained(model)
    network = WhisperForConditionalGeneration.from_pretrained(model, dtype=torch.float32).to(device).eval()
    windows = list(_windows(clips, audio))
    batches = [windows[at : at + batch_size] for at in range(0, len(windows), batch_size)]
    found = {utt: {"utt": utt, "task": "asr", "audio_lang": lang, "text_lang": lang, "hyp": "", "tokens": 0}
             for utt, lang in clips.items()}  # fmt: skip
    for batch in progress(
        batches, len(batches), f"{whisper_name(model)} ({len(clips)} clips, {num_threads} threads)"
    ):
        waves = [read_audio(audio[utt])[start : start + WINDOW] for utt, start in batch]
        features = extract(waves, sampling_rate=SAMPLE_RATE, return_tensors="pt").input_features.to(device)
        options = (
            {}
            if len(known) == 1
            else {"task": "transcribe", "language": [known[clips[utt]] for utt, _ in batch]}
        )
        with torch.inference_mode():
            tokens = network.generate(
                features, max_new_tokens=_MAX_NEW_TOKENS, num_beams=1, do_sample=False, **options
            )
        for (utt, _), row in zip(batch, tokens.tolist()):
            text = tokenizer.decode(row, skip_special_tokens=True).strip()
            found[utt]["hyp"] = f"{found[utt]['hyp']} {text}".strip()
            found[utt]["tokens"] += len(tokenizer.encode(text, add_special_tokens=False))
    torch.set_num_threads(before)
    return list(found.values())


def _quiet() -> None:
    """transformers warns at each call of generate() of options that its own Whisper class sets."""
    from transformers.utils import logging

    logging.set_verbosity_error()
    logging.disable_progress_bar()


def _windows(clips: dict[str, str], audio: dict[str, str]):
    """(utt, first sample) of every 30 s window, in order."""
    from qwen_audio.audio import num_samples

    for utt in clips:
        for start in range(0, max(num_samples(audio[utt]), 1), WINDOW):
            yield utt, start


def _cached(out: Path, source: dict) -> bool:
    path = out / "source.json"
    return path.is_file() and (out / "hyp.jsonl").is_file() and json.loads(path.read_text()) == source


def _digest(value) -> str:
    return hashlib.sha256(json.dumps(value).encode()).hexdigest()
