"""Genetic search over partitions of prototypes."""

from __future__ import annotations

import numpy as np

from ._lineage import Ancestry, descend, offspring
from ._operators import blend, crossover, mutate
from ._partition import Partition

__all__ = ["GeneticStrategy"]

# The place of a parent among the sorted survivors is a uniform share to this power.
_PRESSURE = 6.0
# Shares of the children with two parents.
_CROSSOVERS, _BLENDS = 0.1, 0.2


class GeneticStrategy:
    """Merge, split, move and cross partitions, and keep the best ones.

    The interface is that of DEAP's strategies. The first generation are the founders, so that
    the best partition ever seen is never below the best of them.

    Parameters
    ----------
    ancestry : Ancestry
    rng : RandomState
    population_size : int, default=48
        Children of a generation, and survivors.
    """

    def __init__(
        self, ancestry: Ancestry, rng: np.random.RandomState, population_size: int = 48
    ) -> None:
        self.ancestry = ancestry
        self.rng = rng
        self.population_size = population_size
        self.survivors: list[Partition] = []
        self._known = {founder.key for founder in ancestry.founders}

    def generate(self) -> list[Partition]:
        """The founders, and from then on children of the survivors that are not known yet."""
        if not self.survivors:
            return list(self.ancestry.founders)
        return offspring(self.ancestry, self._make_child, self.population_size, self._known)

    def update(self, population: list[Partition]) -> None:
        """Let the best of the survivors and of a scored population survive."""
        best = {partition.key: partition for partition in [*self.survivors, *population]}
        ranked = sorted(best.values(), key=_score, reverse=True)
        self.survivors = ranked[: self.population_size]

    def receive(self, migrants: list[Partition]) -> None:
        """Let scored partitions of another search survive, if they are good."""
        self._known.update(migrant.key for migrant in migrants)
        self.update(migrants)

    def _make_child(self) -> Partition:
        prototypes, bounds, rng = self.ancestry.prototypes, self.ancestry.bounds, self.rng
        parent, other = self._select(), self._select()
        assert parent.codes is not None and other.codes is not None
        kind = rng.uniform()
        if kind < _CROSSOVERS:
            codes = crossover(prototypes, rng, parent.codes, other.codes, bounds)
        elif kind < _CROSSOVERS + _BLENDS:
            codes = blend(prototypes, rng, parent.codes, other.codes, bounds)
        else:
            codes = mutate(prototypes, rng, parent.codes, bounds)
        return descend(prototypes, parent, codes)

    def _select(self) -> Partition:
        """A survivor, a good one more often: they are sorted."""
        place = len(self.survivors) * self.rng.uniform() ** _PRESSURE
        return self.survivors[int(place)]


def _score(partition: Partition) -> float:
    return partition.score
