"""The scores that the searches of a fit have computed so far, kept in a checkpoint."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from torch import nn

from ._checkpoint import Checkpoint
from ._fingerprint import outline

__all__ = ["KnownScores", "ScoresOfSearch"]

# Between two saves.
_SECONDS = 1.0
_KEY_BYTES = 16
_KEYS, _VALUES = ".keys", ".scores"


class KnownScores:
    """Scores by key of the partition, those of each search by themselves.

    A search draws the same partitions again when it begins with the same random state. With
    their scores known it is soon where it was, and goes on as if nothing had happened.

    Parameters
    ----------
    checkpoint : Checkpoint
        What it has is taken over, if it is of the same critic.
    critic : nn.Module
        Whose scores they are. Of one that was trained for them, and interrupted, they are not
        those of the whole training.
    """

    def __init__(self, checkpoint: Checkpoint, critic: nn.Module) -> None:
        self._checkpoint = checkpoint
        self._next_save = -math.inf
        self._scores: dict[str, Mapping[bytes, float]] = {}
        if checkpoint.enabled:
            self._document = {"critic": outline(critic)}
            self._take_over()

    def _take_over(self) -> None:
        arrays, document = self._checkpoint.load() or ({}, {})
        if document != self._document:
            return
        for search in (name.removesuffix(_KEYS) for name in arrays if name.endswith(_KEYS)):
            keys, values = arrays[search + _KEYS], arrays[search + _VALUES]
            self._scores[search] = dict(zip(map(bytes, keys), values.tolist(), strict=True))

    def store(self, search: str) -> ScoresOfSearch:
        """Where a search finds its scores, and keeps them."""
        return ScoresOfSearch(self, search)

    def of(self, search: str) -> Mapping[bytes, float]:
        """The scores of a search, by its name."""
        return self._scores.get(search, {})

    def keep(self, search: str, scores: Mapping[bytes, float]) -> None:
        """Take over all scores of a search, and save them if it is time to do so.

        Parameters
        ----------
        search : str
        scores : mapping of bytes to float
            What is added later is saved as well, with the next ones.
        """
        self._scores[search] = scores
        if time.monotonic() >= self._next_save:
            self.save()
            self._next_save = time.monotonic() + _SECONDS

    def save(self) -> None:
        """Save all scores now, if there is a directory for them."""
        if not self._checkpoint.enabled:
            return
        arrays = {}
        for search, scores in self._scores.items():
            keys = np.frombuffer(b"".join(scores), dtype=np.uint8)
            arrays[search + _KEYS] = keys.reshape(-1, _KEY_BYTES)
            arrays[search + _VALUES] = np.array(list(scores.values()), dtype=np.float64)
        self._checkpoint.save(arrays, self._document)


class ScoresOfSearch(NamedTuple):
    """The scores of one search, those of each of its islands by themselves.

    Attributes
    ----------
    scores : KnownScores
    search : str
        Name of the search.
    """

    scores: KnownScores
    search: str

    def of(self, island: int) -> Mapping[bytes, float]:
        """The scores of an island, by its number."""
        return self.scores.of(self._name(island))

    def keep(self, island: int, scores: Mapping[bytes, float]) -> None:
        """Take over all scores of an island, as `KnownScores.keep` does."""
        self.scores.keep(self._name(island), scores)

    def _name(self, island: int) -> str:
        return f"{self.search}.{island}" if island else self.search
