"""The score of partitions, each computed once: in this search, or in one that it goes on from."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import takewhile
from typing import Any, Protocol

import numpy as np

from ._deadline import Deadline
from ._partition import Codes, Floats, Partition, canonical

__all__ = ["CachedScore", "OnScores", "Score", "ScoreStore"]

Score = Callable[[Codes], Floats]
OnScores = Callable[[Mapping[bytes, float]], Any]

_NO_LIMIT = Deadline()
# Of the time that is left, what one call of the score should take: it may take twice as long.
_CALL = 0.5


class ScoreStore(Protocol):
    """Where scores outlast a search, those of each of its islands by themselves."""

    def of(self, island: int) -> Mapping[bytes, float]:
        """Scores by `Partition.key`, of a search that was broken off."""

    def keep(self, island: int, scores: Mapping[bytes, float]) -> None:
        """Take over all scores so far."""


class CachedScore:
    """Score populations, in one call where time is not limited; equal partitions only once.

    Parameters
    ----------
    score : callable
        See `search_clusterings`.
    deadline : Deadline, optional
        Parts of a population are scored as long as there is time; the first part always.

    Attributes
    ----------
    function : callable
        The score.
    known : dict of bytes to float
        All scores so far, by the keys of partitions.
    is_cut_short : bool
        Whether time ran out before the end of the last population.
    """

    def __init__(
        self,
        score: Score,
        deadline: Deadline = _NO_LIMIT,
    ) -> None:
        self.function = score
        self.known: dict[bytes, float] = {}
        self.is_cut_short = False
        self._deadline = deadline
        self._on_scores: OnScores | None = None
        self._asked: set[bytes] = set()
        self._pace = 0.0  # seconds for a partition, in the last call

    @property
    def n_evaluations(self) -> int:
        """Different partitions scored, those with known scores among them."""
        return len(self._asked)

    def begin(self, known: Mapping[bytes, float], on_scores: OnScores | None = None) -> None:
        """Go on from known scores, and have a function called with all after every new one."""
        self.known.update(known)
        self._on_scores = on_scores

    def forget_unasked(self) -> None:
        """Keep only the scores of partitions that were met in this search."""
        self.known = {key: score for key, score in self.known.items() if key in self._asked}

    def __call__(self, population: Sequence[Partition]) -> list[tuple[float]]:
        """Fitness of the partitions in their order; of the first ones where time runs out."""
        new = {p.key: p.labels for p in population if p.key not in self.known}
        for keys in self._parts(list(new)):
            labels = canonical(np.stack([new[key] for key in keys]))
            self.known.update(zip(keys, self._checked(labels), strict=True))
            if self._on_scores is not None:
                self._on_scores(self.known)
        scored = list(takewhile(lambda partition: partition.key in self.known, population))
        self._asked.update(partition.key for partition in scored)
        self.is_cut_short = len(scored) < len(population)
        return [(self.known[partition.key],) for partition in scored]

    def _parts(self, keys: list[bytes]) -> Iterator[list[bytes]]:
        """All keys, or one part after the other as long as there is time for it."""
        start = 0
        while start < len(keys) and (start == 0 or self._deadline.allows(self._pace)):
            began, end = time.monotonic(), start + self._n_at_once(len(keys))
            part = keys[start:end]
            yield part
            self._pace, start = (time.monotonic() - began) / len(part), end

    def _n_at_once(self, most: int) -> int:
        """How many to score in the next call."""
        if not self._deadline.is_set:
            return most
        if not self._pace:  # the first one tells
            return 1
        return max(1, int(min(most, _CALL * self._deadline.left / self._pace)))

    def _checked(self, labels: Codes) -> list[float]:
        scores = np.asarray(self.function(labels), dtype=np.float64)
        if scores.shape != (len(labels),) or np.isnan(scores).any():
            raise ValueError(
                f"score must return {len(labels)} figures for as many clusterings, none of them "
                f"NaN; got an array of shape {scores.shape} with {np.isnan(scores).sum()} NaN."
            )
        return scores.tolist()
