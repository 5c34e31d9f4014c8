"""The genetic strategy: founders first, new children, the best survive."""

import numpy as np
import pytest

from skdeepclust.critic import quality
from skdeepclust.search import Bounds
from skdeepclust.search._genetic import GeneticStrategy
from skdeepclust.search._lineage import Ancestry, make_founders


@pytest.fixture
def strategy(prototypes, moons):
    rng = np.random.RandomState(0)
    labelings = [rng.randint(k, size=300) for k in (2, 3, 4)]
    founders = make_founders(prototypes, rng, labelings, Bounds(2, 6))
    return GeneticStrategy(Ancestry(moons[0], prototypes, founders, Bounds(2, 6)), rng, 12)


def rate(population, y):
    for partition, score in zip(
        population, quality(y, [partition.labels for partition in population]), strict=True
    ):
        partition.fitness.values = (score,)


def test_generations(strategy, moons):
    first = strategy.generate()
    assert first == strategy.ancestry.founders
    known, best = set(), -1.0
    population = first
    for _ in range(8):
        assert not known & {partition.key for partition in population}
        known |= {partition.key for partition in population}
        rate(population, moons[1])
        strategy.update(population)
        scores = [partition.score for partition in strategy.survivors]
        assert scores == sorted(scores, reverse=True)
        assert len(scores) <= 12
        assert scores[0] >= max(best, max(p.score for p in population))
        best = scores[0]
        population = strategy.generate()
        assert 0 < len(population) <= 12
        assert all(2 <= partition.n_clusters <= 6 for partition in population)
    assert best > max(partition.score for partition in first)
