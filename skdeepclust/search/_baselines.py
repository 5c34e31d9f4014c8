"""Random search and a hill climber: what a search has to beat at equal evaluations."""

from __future__ import annotations

import numpy as np
from scipy.spatial.distance import cdist

from ._lineage import Ancestry, descend, offspring
from ._operators import keep_bounds, mutate
from ._partition import Partition

__all__ = ["HillClimbingStrategy", "RandomStrategy"]

_MOST_CHANGES = 8
_MAX_STALLS = 4


class RandomStrategy:
    """Draw partitions, each without regard to the scores of those before.

    Half of them are cells around random prototypes, half a founder after some random changes.
    The first generation are the founders.

    Parameters
    ----------
    ancestry : Ancestry
    rng : RandomState
    population_size : int, default=48
        Partitions of a generation.
    """

    def __init__(
        self, ancestry: Ancestry, rng: np.random.RandomState, population_size: int = 48
    ) -> None:
        self.ancestry = ancestry
        self.rng = rng
        self.population_size = population_size
        self._known: set[bytes] = set()

    def generate(self) -> list[Partition]:
        """The founders, and from then on random partitions."""
        if not self._known:
            self._known = {founder.key for founder in self.ancestry.founders}
            return list(self.ancestry.founders)
        return offspring(self.ancestry, self._make_child, self.population_size, self._known)

    def update(self, population: list[Partition]) -> None:
        """Learn nothing."""

    def _make_child(self) -> Partition:
        founder = self.ancestry.founders[self.rng.randint(len(self.ancestry.founders))]
        return self._cells(founder) if self.rng.uniform() < 0.5 else self._walk(founder)

    def _cells(self, founder: Partition) -> Partition:
        """The founder's name, so that a trust region holds, and nothing else of it."""
        prototypes, bounds, rng = self.ancestry.prototypes, self.ancestry.bounds, self.rng
        k = rng.randint(bounds.min_clusters, bounds.max_clusters + 1)
        seeds = prototypes.centers[rng.permutation(len(prototypes))[:k]]
        codes = cdist(prototypes.centers, seeds).argmin(axis=1)
        codes = keep_bounds(prototypes, rng, codes, bounds)
        codes = np.unique(codes, return_inverse=True)[1].reshape(-1)
        return Partition(codes[prototypes.codes], codes, founder.founder)

    def _walk(self, founder: Partition) -> Partition:
        prototypes, codes = self.ancestry.prototypes, founder.codes
        assert codes is not None
        for _ in range(self.rng.randint(1, _MOST_CHANGES + 1)):
            codes = mutate(prototypes, self.rng, codes, self.ancestry.bounds)
        return descend(prototypes, founder, codes)


class HillClimbingStrategy:
    """Change the current partition, go on from the best of the changed ones if it is better.

    The climb starts at the best founder; after some generations without a better partition it
    starts again at the next one. The first generation are the founders.

    Parameters
    ----------
    ancestry : Ancestry
    rng : RandomState
    population_size : int, default=48
        Changed partitions of a generation.
    """

    def __init__(
        self, ancestry: Ancestry, rng: np.random.RandomState, population_size: int = 48
    ) -> None:
        self.ancestry = ancestry
        self.rng = rng
        self.population_size = population_size
        self.current: Partition | None = None
        self._waiting: list[Partition] = []
        self._stalls = 0
        self._known = {founder.key for founder in ancestry.founders}

    def generate(self) -> list[Partition]:
        """The founders, and from then on neighbours of the current partition."""
        if self.current is None:
            return list(self.ancestry.founders)
        return offspring(self.ancestry, self._make_child, self.population_size, self._known)

    def update(self, population: list[Partition]) -> None:
        """Climb, or start again."""
        ranked = sorted(population, key=lambda partition: partition.score, reverse=True)
        if self.current is None:
            self.current, self._waiting = ranked[0], ranked[1:]
        elif ranked[0].score > self.current.score:
            self.current, self._stalls = ranked[0], 0
        else:
            self._stalls += 1
        if self._stalls == _MAX_STALLS and self._waiting:
            self.current, self._stalls = self._waiting.pop(0), 0

    def _make_child(self) -> Partition:
        prototypes = self.ancestry.prototypes
        assert self.current is not None and self.current.codes is not None
        codes = mutate(prototypes, self.rng, self.current.codes, self.ancestry.bounds)
        return descend(prototypes, self.current, codes)
