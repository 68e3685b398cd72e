"""Shared fixtures: tiny random Hugging Face folders, made here; nothing is downloaded."""

import shutil

import hypothesis
import pytest
import torch

# a busy machine misses deadlines
hypothesis.settings.register_profile("here", deadline=None, max_examples=50)
hypothesis.settings.load_profile("here")

CHATML = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n"
    "{{ message['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
SENTENCES = (
    "please leave a message after the tone",
    "the quick brown fox jumps over the lazy dog",
    "you have seven new messages and three old ones",
    "press one to hear it again, press two to go on",
)


def pytest_collection_modifyitems(items):
    """The end-to-end test first: it takes as long as all others, which another process runs beside it."""
    items.sort(key=lambda item: item.path.name != "test_end_to_end.py")


@pytest.fixture(scope="session")
def tiny_whisper(tmp_path_factory):
    """Folder of a random Whisper: width 32, 2 layers, 80 mels, 1500 positions."""
    from transformers import WhisperConfig, WhisperFeatureExtractor, WhisperModel

    folder = tmp_path_factory.mktemp("tiny_whisper")
    config = WhisperConfig(
        vocab_size=64, d_model=32, encoder_layers=2, decoder_layers=1, encoder_attention_heads=2,
        decoder_attention_heads=2, encoder_ffn_dim=64, decoder_ffn_dim=64, num_mel_bins=80, init_std=0.2,
        pad_token_id=0, bos_token_id=1, eos_token_id=2, decoder_start_token_id=1,
    )  # fmt: skip
    with torch.random.fork_rng():
        torch.manual_seed(1)
        WhisperModel(config).save_pretrained(folder)
    WhisperFeatureExtractor().save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def random_llama():
    """Function (folder, embedding rows, tied=True) that saves a random Llama of width 32 there."""
    return save_llama


@pytest.fixture(scope="session")
def tiny_llm(tmp_path_factory):
    """Folder of a random Llama (width 32, 2 layers, 8 spare embedding rows) and its byte-level BPE."""
    folder = tmp_path_factory.mktemp("tiny_llm")
    tokenizer = byte_bpe(folder)
    save_llama(folder, len(tokenizer) + 8)
    return folder


@pytest.fixture(scope="session")
def tiny_tokenizer(tiny_llm, tmp_path_factory):
    """Tokenizer of ``tiny_llm`` with the special tokens appended."""
    from qwen_audio.tokenizer import Tokenizer, build_from_hub

    folder = tmp_path_factory.mktemp("tiny_tokenizer")
    build_from_hub(str(tiny_llm), folder)
    return Tokenizer(folder)


@pytest.fixture(scope="session")
def timed_tokenizer(tiny_tokenizer, tmp_path_factory):
    """The same, of a model whose answers hold times as tokens, as those of Qwen-Audio-Chat do."""
    from qwen_audio.tokenizer import Tokenizer, set_dialogue_form

    folder = shutil.copytree(tiny_tokenizer.folder, tmp_path_factory.mktemp("timed_tokenizer") / "tokenizer")
    set_dialogue_form(folder, answer_times=True)
    return Tokenizer(folder)


def byte_bpe(folder):
    """Train a small BPE over bytes with ChatML's tokens and save it in ``folder``."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    bpe = Tokenizer(models.BPE())
    bpe.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    bpe.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=320,
        special_tokens=["<|endoftext|>", "<|im_start|>", "<|im_end|>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    bpe.train_from_iterator(SENTENCES, trainer)
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=bpe, eos_token="<|im_end|>", pad_token="<|endoftext|>", chat_template=CHATML
    )
    tokenizer.save_pretrained(folder)
    return tokenizer


def save_llama(folder, rows: int, tied: bool = True):
    from transformers import LlamaConfig, LlamaForCausalLM

    config = LlamaConfig(
        vocab_size=rows, hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=2,
        num_key_value_heads=1, tie_word_embeddings=tied, initializer_range=0.2, max_position_embeddings=4096,
        pad_token_id=0, bos_token_id=1, eos_token_id=2,
    )  # fmt: skip
    with torch.random.fork_rng():
        torch.manual_seed(2)
        LlamaForCausalLM(config).save_pretrained(folder)
