import itertools

import pytest
import torch

from qwen_audio.decoder.transformer import Transformer
from qwen_audio.infer.grammar import Grammar
from qwen_audio.infer.loops import UNCOUNTED
from qwen_audio.infer.prefix import Prefix
from qwen_audio.infer.search import CtcVocabulary, SearchOptions, search, search_stream

END, SIZE = 0, 6


class Only(Grammar):
    """Allows a fixed list of tokens, always."""

    def __init__(self, tokens):
        self.alias = torch.arange(SIZE)
        self.letters = torch.zeros(SIZE, dtype=torch.bool)
        self.letters[tokens] = True

    def start(self, samples):
        return samples.new_zeros(len(samples), 1)

    def allowed(self, states):
        return self.letters.expand(len(states), -1)

    def advance(self, states, tokens):
        return states


@pytest.fixture(scope="module")
def decoder():
    torch.manual_seed(3)
    decoder = (
        Transformer(SIZE, [], hidden_size=16, layers=2, heads=2, ffn_size=32).eval().requires_grad_(False)
    )
    for parameter in decoder.parameters():
        parameter.mul_(4 if parameter.dim() > 1 else 1)
    return decoder


def prompts(count=3):
    draw = torch.Generator().manual_seed(5)
    lengths = torch.tensor([4, 7, 2])[:count]
    return torch.randn(count, int(lengths.max()), 16, generator=draw), lengths


def read(decoder, embeddings, lengths):
    return Prefix.empty(len(lengths), "cpu").extend(decoder, embeddings, lengths)


def log_prob(decoder, prompt, tokens):
    """Log probability of ``tokens`` after ``prompt`` (L, E), in one pass without a cache."""
    tokens = torch.tensor(tokens)
    inputs = torch.cat([prompt, decoder.embed(tokens)])[None]
    positions = torch.arange(inputs.shape[1])[None]
    hidden, _ = decoder(inputs, torch.ones_like(positions), positions)
    chances = decoder.logits(hidden[0, len(prompt) - 1 : -1]).log_softmax(-1)
    return chances.gather(1, tokens[:, None]).sum().item()


def run(decoder, options, grammar=None, ctc=None, count=3):
    embeddings, lengths = prompts(count)
    samples = torch.full((count,), 16000)
    prefix = read(decoder, embeddings, lengths)
    return search(decoder, prefix, grammar or Only(range(SIZE)), samples, END, options, ctc)


def all_texts(letters, longest):
    for length in range(longest + 1):
        yield from itertools.product(letters, repeat=length)


def test_greedy_takes_the_likeliest_token_each_time(decoder):
    embeddings, lengths = prompts()
    for found, prompt, length in zip(run(decoder, SearchOptions(max_new_tokens=9)), embeddings, lengths):
        expected = []
        while len(expected) < 9:
            best = max(range(SIZE), key=lambda token: log_prob(decoder, prompt[:length], [*expected, token]))
            if best == END:
                break
            expected.append(best)
        assert found.tokens == expected and found.ended == (len(expected) < 9)


def test_a_wide_beam_finds_the_best_of_all_texts(decoder):
    embeddings, lengths = prompts()
    found = run(decoder, SearchOptions(beam_size=40, max_new_tokens=4), Only([END, 2, 4, 5]))
    for hypothesis, prompt, length in zip(found, embeddings, lengths):
        scores = {t: log_prob(decoder, prompt[:length], [*t, END]) for t in all_texts((2, 4, 5), 3)}
        best = max(scores, key=scores.get)
        assert tuple(hypothesis.tokens) == best
        assert hypothesis.score == pytest.approx(scores[best], abs=1e-4)
        for place, value in enumerate(hypothesis.logprobs):
            more, less = (
                log_prob(decoder, prompt[:length], best[:n]) if n else 0.0 for n in (place + 1, place)
            )
            assert value == pytest.approx(more - less, abs=1e-4)


def random_ctc(count=3, frames=5, labels=(2, 4, 5), seed=0, silent=()):
    """CTC posteriors over a blank and ``labels``; and a function that scores a text by torch's ctc_loss."""
    draw = torch.Generator().manual_seed(seed)
    log_probs = torch.randn(count, frames, 1 + len(labels), generator=draw).mul(2).log_softmax(-1)
    lengths = torch.tensor([5, 3, 4])[:count]
    columns = torch.full((SIZE,), -1)
    columns[list(labels)] = torch.arange(1, 1 + len(labels))

    def score(clip, text):
        text = [token for token in text if token not in silent]
        target = columns[text] if text else torch.zeros(0, dtype=torch.long)
        n = lengths[clip]
        spoken = torch.tensor(len(text))
        return -torch.nn.functional.ctc_loss(log_probs[clip, :n], target, n, spoken, reduction="sum").item()

    passed = torch.zeros(SIZE, dtype=torch.bool)
    passed[list(silent)] = True
    return CtcVocabulary(log_probs, lengths, columns, passed, END), score


@pytest.mark.parametrize("weight, silent", [(1.0, ()), (0.5, ()), (0.2, ()), (0.5, (5,)), (0.2, (5,))])
def test_joint_search_finds_the_text_with_the_best_weighted_score(decoder, weight, silent):
    embeddings, lengths = prompts()
    ctc, ctc_score = random_ctc(labels=[token for token in (2, 4, 5) if token not in silent], silent=silent)
    found = run(decoder, SearchOptions(beam_size=130, ctc_weight=weight, max_new_tokens=6), ctc=ctc)
    for clip, (hypothesis, prompt, length) in enumerate(zip(found, embeddings, lengths)):
        scores = {}
        for text in all_texts((2, 4, 5), 5):
            heard = ctc_score(clip, text)
            if heard > float("-inf"):
                scores[text] = weight * heard + (1 - weight) * log_prob(
                    decoder, prompt[:length], [*text, END]
                )
        best = max(scores, key=scores.get)
        assert tuple(hypothesis.tokens) == best
        assert hypothesis.score == pytest.approx(scores[best], abs=1e-4)


def test_ctc_alone_hears_what_the_decoder_would_never_say(decoder):
    ctc, ctc_score = random_ctc(seed=4)
    found = run(decoder, SearchOptions(beam_size=60, ctc_weight=1.0, max_new_tokens=6), ctc=ctc)
    for clip, hypothesis in enumerate(found):
        best = max(all_texts((2, 4, 5), 5), key=lambda text: ctc_score(clip, text))
        assert tuple(hypothesis.tokens) == best


def test_a_length_bonus_counts_every_token_and_the_end(decoder):
    embeddings, lengths = prompts()
    found = run(
        decoder, SearchOptions(beam_size=200, length_bonus=3.0, max_new_tokens=5), Only([END, 2, 4, 5])
    )
    for hypothesis, prompt, length in zip(found, embeddings, lengths):
        texts = all_texts((2, 4, 5), 4)
        scores = {t: log_prob(decoder, prompt[:length], [*t, END]) + 3.0 * (len(t) + 1) for t in texts}
        best = max(scores, key=scores.get)
        assert (tuple(hypothesis.tokens), len(best)) == (best, 4)
        assert hypothesis.score == pytest.approx(scores[best], abs=1e-4)


@pytest.mark.parametrize("options", [SearchOptions(max_new_tokens=30), SearchOptions(3, 0.4, 0.1, 30)])
def test_a_row_alone_gets_the_answer_it_gets_in_a_batch(decoder, options):
    embeddings, lengths = prompts()
    together = run(decoder, options, ctc=random_ctc()[0])
    for row, length in enumerate(lengths):
        prefix = read(decoder, embeddings[row : row + 1, :length], lengths[row : row + 1])
        whole = random_ctc()[0]
        whole.scorer, _ = whole.scorer.select(torch.tensor([row]), whole.scorer.start())
        alone = search(decoder, prefix, Only(range(SIZE)), torch.tensor([16000]), END, options, whole)
        assert alone[0].tokens == together[row].tokens


def test_a_loop_is_cut_and_told(decoder):
    found = run(decoder, SearchOptions(max_new_tokens=50), Only([3]))
    assert [(a.tokens, a.looped, a.ended) for a in found] == [([3], True, False)] * 3


class Rounds(Only):
    """Allows a time, 3 or 4, then the word 5, then a time; so a number of times."""

    def __init__(self, rounds):
        super().__init__([])
        self.alias[3:5] = UNCOUNTED
        self.length = 3 * rounds

    def allowed(self, states):
        mask = torch.zeros(len(states), SIZE, dtype=torch.bool)
        word, over = states[:, 0] % 3 == 1, states[:, 0] == self.length
        mask[word, 5] = mask[over, END] = True
        mask[~word & ~over, 3:5] = True
        return mask

    def advance(self, states, tokens):
        return states + 1


@pytest.mark.parametrize("beam", [1, 3])
def test_a_word_said_four_times_between_times_is_no_loop_and_twelve_times_is(decoder, beam):
    options = SearchOptions(beam_size=beam, max_new_tokens=50)
    for answer in run(decoder, options, Rounds(4)):
        assert answer.ended and not answer.looped and answer.tokens[1::3] == [5] * 4
    for answer in run(decoder, options, Rounds(14)):
        assert answer.looped and not answer.ended
        assert answer.tokens[1::3] == [5] and len(answer.tokens) == 3


def test_a_beam_prefers_what_does_not_loop(decoder):
    class Stutter(Only):
        """Token 3 is likeliest by far, and never leads to an end; token 4 does."""

        def allowed(self, states):
            mask = torch.zeros(len(states), SIZE, dtype=torch.bool)
            mask[states[:, 0] == 0, 3] = mask[states[:, 0] == 0, 4] = True
            mask[states[:, 0] == 3, 3] = True
            mask[states[:, 0] == 4, END] = True
            return mask

        def advance(self, states, tokens):
            return tokens[:, None]

    found = run(decoder, SearchOptions(beam_size=2, max_new_tokens=50, length_bonus=20.0), Stutter([]))
    assert [(a.tokens, a.looped) for a in found] == [([4], False)] * 3


def test_an_answer_is_cut_at_max_new_tokens(decoder):
    found = run(decoder, SearchOptions(beam_size=2, max_new_tokens=5), Only([2, 3, 4]))
    assert [len(a.tokens) for a in found] == [5, 5, 5] and not any(a.ended or a.looped for a in found)


@pytest.mark.parametrize("bonus", [0.0, 0.4])
@pytest.mark.parametrize("letters", [[END, 2, 3, 4, 5], [2, 3]])
def test_a_stream_gives_beginnings_of_the_answer_and_then_all_of_it(decoder, letters, bonus):
    embeddings, lengths = prompts()
    options, grammar = SearchOptions(length_bonus=bonus, max_new_tokens=30), Only(letters)
    for i, length in enumerate(lengths):
        alone = (embeddings[i : i + 1, :length], lengths[i : i + 1])
        whole = search(decoder, read(decoder, *alone), grammar, torch.tensor([0]), END, options)[0]
        given = list(search_stream(decoder, read(decoder, *alone), grammar, torch.tensor([0]), END, options))
        assert given[-1] == whole
        sizes = [len(answer.tokens) for answer in given]
        assert sizes == sorted(sizes)
        assert all(answer.tokens == whole.tokens[: len(answer.tokens)] for answer in given)


def test_a_stream_of_a_beam_is_its_answer(decoder):
    options, grammar = SearchOptions(3, max_new_tokens=8), Only([END, 2, 3, 4, 5])
    expected = search(decoder, read(decoder, *prompts(1)), grammar, torch.tensor([0]), END, options)
    given = search_stream(decoder, read(decoder, *prompts(1)), grammar, torch.tensor([0]), END, options)
    assert list(given) == expected
