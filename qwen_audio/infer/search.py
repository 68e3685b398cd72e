"""Greedy and beam search over a batch of prompts, with a grammar, a guard against loops, and CTC scores."""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from qwen_audio.decoder.causal import CausalDecoder
from qwen_audio.infer.ctc_prefix import CtcPrefixScorer
from qwen_audio.infer.grammar import NONE, Grammar
from qwen_audio.infer.loops import first_round, looping, settled
from qwen_audio.infer.prefix import Prefix

LOOKAHEAD = 10  # tokens whose length_bonus an open hypothesis may still hope for


@dataclass(frozen=True)
class SearchOptions:
    """How to search.

    Attributes:
        beam_size: hypotheses kept per clip; 1 is greedy search.
        ctc_weight: w of ``score = (1 - w) log p_llm + w log p_ctc``; above 0, tokens that CTC does not know
            are not written.
        length_bonus: added to the score for every token, the end token included.
        max_new_tokens: an answer is cut after this many.
    """

    beam_size: int = 1
    ctc_weight: float = 0.0
    length_bonus: float = 0.0
    max_new_tokens: int = 256


@dataclass(frozen=True)
class Hypothesis:
    """An answer.

    Attributes:
        tokens: ids, without the end-of-text token.
        logprobs: log probability that the decoder gave each of them.
        score: what the search ranked it by.
        ended: whether the end-of-text token was written, and not max_new_tokens or a loop cut it.
        looped: whether it ran into a loop; it is cut after the first round then.
    """

    tokens: list[int]
    logprobs: list[float]
    score: float
    ended: bool
    looped: bool = False


class CtcVocabulary:
    """CTC scores for the search: which decoder tokens CTC knows, and the scorer of a batch.

    Args:
        log_probs: (R, T, C) of the clips; lengths: (R,) frames.
        columns: (V,) CTC column of each decoder token, -1 for none.
        silent: (V,) bool, tokens that CTC lets pass.
        end: id of the end-of-text token.
    """

    def __init__(self, log_probs: Tensor, lengths: Tensor, columns: Tensor, silent: Tensor, end: int):
        columns = columns.masked_fill(silent, 0)  # as the blank, which says nothing either
        known = columns >= 0
        known[end] = False
        self.tokens = torch.cat([known.nonzero()[:, 0], columns.new_tensor([end])])
        self.columns = columns[self.tokens[:-1]]
        self.scorer = CtcPrefixScorer(log_probs, lengths)


@torch.inference_mode()
def search(
    decoder: CausalDecoder,
    prefix: Prefix,
    grammar: Grammar,
    samples: Tensor,
    end: int,
    options: SearchOptions,
    ctc: CtcVocabulary | None = None,
) -> list[Hypothesis]:
    """The best answer to each of R prompts; no answer depends on the prompts it is searched with.

    A row ends when no open hypothesis can beat its best finished one (with ``length_bonus`` above 0: not
    within 10 tokens), or at ``max_new_tokens``. A hypothesis in a loop is given up; it answers only where
    nothing else is left.

    Args:
        prefix: the R prompts, read; it must not be used afterwards.
        samples: (R,) clip lengths at 16 kHz, for the grammar.
        end: id of the end-of-text token.
        ctc: needed where ``options.ctc_weight`` is above 0.
    """
    beams = _Beams(decoder, prefix, grammar, samples, end, options, ctc if options.ctc_weight else None)
    for _ in beams.steps():
        pass
    return beams.answers()


@torch.inference_mode()
def search_stream(
    decoder: CausalDecoder,
    prefix: Prefix,
    grammar: Grammar,
    samples: Tensor,
    end: int,
    options: SearchOptions,
) -> Iterator[Hypothesis]:
    """The answer to one prompt while it is written; the last hypothesis is that of ``search``, whole.

    Those before it begin as it does: greedy search gives each token that nothing can take back any more, a beam
    none. Arguments as of ``search``.
    """
    beams = _Beams(decoder, prefix, grammar, samples, end, options, None)
    for _ in beams.steps():
        if options.beam_size == 1 and beams.bar[0] == NONE:
            tokens = beams.tokens[0, 0]
            sure = settled(grammar.alias[tokens].tolist())
            yield Hypothesis(tokens[:sure].tolist(), beams.logprobs[0, 0, :sure].tolist(), NONE, ended=False)
    yield beams.answers()[0]


class _Beams:
    """Hypotheses of the rows still open: R rows of W, those of score -inf being dead.

    Attributes:
        row: (R,) which prompt it is.
        tokens, logprobs: (R, W, L).
        llm, heard, score: (R, W) log probability by the decoder and by CTC, and what hypotheses are ranked by.
        states: (R * W, S) of the grammar.
        finished, open, looped: of every prompt, the best hypothesis that ended, that did not, that looped.
        bar: (R,) score of the best finished one.
    """

    def __init__(self, decoder, prefix, grammar, samples, end, options, ctc):
        self.decoder, self.prefix, self.grammar, self.end = decoder, prefix, grammar, end
        self.options, self.ctc = options, ctc
        rows = len(samples)
        self.row = torch.arange(rows, device=samples.device)
        self.tokens = samples.new_zeros(rows, 1, 0)
        self.logprobs = torch.zeros(rows, 1, 0, device=samples.device)
        self.llm = self.logprobs.new_zeros(rows, 1)
        self.heard = self.score = self.llm
        self.bar = self.llm.new_full((rows,), NONE)
        self.states = grammar.start(samples)
        self.scorer, self.ctc_state = (ctc.scorer, ctc.scorer.start()) if ctc else (None, None)
        self.finished: list[Hypothesis | None] = [None] * rows
        self.open, self.looped = list(self.finished), list(self.finished)

    def steps(self) -> Iterator[None]:
        """Write token after token, until every prompt has its answer."""
        for _ in range(self.options.max_new_tokens):
            self.branch()
            self.give_up_loops()
            yield
            if not self.read():
                break

    def branch(self) -> None:
        """Rank all continuations; those that end are finished, the best others become the hypotheses."""
        rows, width = self.score.shape
        beam = self.options.beam_size
        logprobs = self.decoder.logits(self.prefix.hidden).float().log_softmax(-1)
        logprobs = self.grammar.mask(logprobs, self.states).view(rows, width, -1)
        if self.ctc:
            logprobs = logprobs[..., self.ctc.tokens]
        heard = self._hear() if self.ctc else None
        score = self._scores(logprobs, heard)
        score, place = score.flatten(1).topk(min(2 * beam, score[0].numel()))  # at most one in W of them ends
        parent, token = place // logprobs.shape[2], place % logprobs.shape[2]
        logprob = logprobs.flatten(1).gather(1, place)
        column = None
        if self.ctc:
            heard = heard.flatten(1).gather(1, place)
            column = torch.nn.functional.pad(self.ctc.columns, (0, 1))[token]
            token = self.ctc.tokens[token]
        # an end that is not among the best is none: greedy search goes on
        ended = (token == self.end)[:, :beam]
        self._finish(score[:, :beam].masked_fill(~ended, NONE), parent)
        self.score, order = score.masked_fill(token == self.end, NONE).topk(min(beam, score.shape[1]))
        self.parent, token, logprob = (x.gather(1, order) for x in (parent, token, logprob))
        self.heard = heard.gather(1, order) if self.ctc else self.heard.gather(1, self.parent)
        self._follow(token, logprob, column.gather(1, order) if self.ctc else None)

    def _hear(self) -> Tensor:
        """(R, W, C) log probability by CTC of hypotheses with each token appended."""
        prefixes, whole = self.scorer.scores(self.ctc_state)
        spoken = prefixes[..., self.ctc.columns].float()
        prefixes = torch.where(self.ctc.columns > 0, spoken, self.heard[..., None])
        return torch.cat([prefixes, whole[..., None].float()], dim=-1)

    def _scores(self, logprobs: Tensor, heard: Tensor | None) -> Tensor:
        """(R, W, C) scores of hypotheses with each token appended."""
        llm = self.llm[..., None] + logprobs
        score = llm + self.options.length_bonus * (self.tokens.shape[2] + 1)
        if heard is not None:
            score = score + self.options.ctc_weight * (heard - llm)
        return score.masked_fill((llm == NONE) | (self.score == NONE)[..., None], NONE)

    def _finish(self, score: Tensor, parent: Tensor) -> None:
        score, place = score.max(1)
        better = score > self.bar
        self.bar = torch.where(better, score, self.bar)
        for i in better.nonzero()[:, 0].tolist():
            self.finished[self.row[i]] = self._hypothesis(i, parent[i, place[i]], score[i], ended=True)

    def _follow(self, token: Tensor, logprob: Tensor, column: Tensor | None) -> None:
        """Move on to the chosen continuations (R, W)."""
        at = self.parent[..., None].expand(-1, -1, self.tokens.shape[2])
        self.tokens = torch.cat([self.tokens.gather(1, at), token[..., None]], dim=2)
        self.logprobs = torch.cat([self.logprobs.gather(1, at), logprob[..., None]], dim=2)
        self.llm = self.llm.gather(1, self.parent) + logprob
        first = torch.arange(len(token), device=token.device)[:, None] * (len(self.states) // len(token))
        self.source = (first + self.parent).flatten()  # where in the old rows times beams each comes from
        self.states = self.grammar.advance(self.states[self.source], token.flatten())
        if self.ctc:
            self.ctc_state = self.scorer.advance(self.ctc_state, self.parent, column)

    def give_up_loops(self) -> None:
        loops = looping(self.grammar.alias[self.tokens]) & (self.score > NONE)
        for i, j in loops.nonzero().tolist():
            found, before = self._hypothesis(i, j, self.score[i, j], looped=True), self.looped[self.row[i]]
            if before is None or found.score > before.score:
                self.looped[self.row[i]] = found
        self.score = self.score.masked_fill(loops, NONE)

    def read(self) -> bool:
        """Let the decoder read the new tokens of the rows that go on; False if there is none, or no room."""
        best, place = self.score.max(1)
        room = self.options.max_new_tokens - self.tokens.shape[2]
        hope = max(self.options.length_bonus, 0.0) * min(room, LOOKAHEAD)
        open_rows = ((best + hope > self.bar) & (best > NONE)).nonzero()[:, 0]
        if not room:
            for i in open_rows.tolist():
                self.open[self.row[i]] = self._hypothesis(i, place[i], best[i])
            return False
        if not len(open_rows):
            return False
        width = self.score.shape[1]
        self.states = self.states.unflatten(0, (-1, width))[open_rows].flatten(0, 1)
        source = self.source.view(-1, width)[open_rows].flatten()
        names = ("row", "tokens", "logprobs", "llm", "heard", "score", "bar")
        if len(open_rows) < len(self.row):
            for name in names:
                setattr(self, name, getattr(self, name)[open_rows])
            if self.ctc:
                self.scorer, self.ctc_state = self.scorer.select(open_rows, self.ctc_state)
        same = torch.arange(len(self.prefix.mask), device=source.device)
        if not torch.equal(source, same):
            self.prefix = self.prefix.select(source)
        self.prefix = self.prefix.append(self.decoder, self.tokens[..., -1].flatten())
        return True

    def _hypothesis(
        self, i: int, j: int, score: Tensor, ended: bool = False, looped: bool = False
    ) -> Hypothesis:
        """Hypothesis ``j`` of row ``i``; unless it ended, what the grammar keeps of it."""
        tokens = self.tokens[i, j]
        if looped:
            tokens = tokens[: first_round(self.grammar.alias[tokens].tolist())]
        tokens = tokens.tolist() if ended else self.grammar.close(tokens.tolist())
        return Hypothesis(tokens, self.logprobs[i, j, : len(tokens)].tolist(), float(score), ended, looped)

    def answers(self) -> list[Hypothesis]:
        nothing = Hypothesis([], [], NONE, ended=False)
        kinds = zip(self.finished, self.open, self.looped, strict=True)
        return [ended or cut or loop or nothing for ended, cut, loop in kinds]
