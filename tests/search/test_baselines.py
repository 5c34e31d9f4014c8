"""Baselines: founders first; one learns nothing, the other only climbs."""

import numpy as np
import pytest

from skdeepclust.critic import quality
from skdeepclust.search import Bounds
from skdeepclust.search import _baselines as module
from skdeepclust.search._baselines import HillClimbingStrategy, RandomStrategy
from skdeepclust.search._lineage import Ancestry, make_founders


@pytest.fixture
def ancestry(prototypes, moons):
    rng = np.random.RandomState(0)
    labelings = [rng.randint(k, size=300) for k in (2, 3)]
    founders = make_founders(prototypes, rng, labelings, Bounds(2, 6))
    return Ancestry(moons[0], prototypes, founders, Bounds(2, 6))


def rate(population, y):
    scores = quality(y, [partition.labels for partition in population])
    for partition, score in zip(population, scores, strict=True):
        partition.fitness.values = (score,)


def test_random_partitions_do_not_depend_on_scores(ancestry, moons):
    results = []
    for sign in (1, -1):
        strategy = RandomStrategy(ancestry, np.random.RandomState(1), 10)
        assert strategy.generate() == ancestry.founders
        population = strategy.generate()
        rate(population, moons[1])
        for partition in population:
            partition.fitness.values = (sign * partition.score,)
        strategy.update(population)
        results.append([partition.key for partition in [*population, *strategy.generate()]])
    assert results[0] == results[1]
    assert len(set(results[0])) == 20


def test_hill_climber_only_climbs_and_starts_again(monkeypatch, ancestry, moons):
    monkeypatch.setattr(module, "_MAX_STALLS", 1)
    strategy = HillClimbingStrategy(ancestry, np.random.RandomState(0), 6)
    rate(strategy.generate(), moons[1])
    strategy.update(ancestry.founders)
    assert strategy.current.score == max(founder.score for founder in ancestry.founders)
    for _ in range(10):
        before = strategy.current
        population = strategy.generate()
        rate(population, moons[1])
        strategy.update(population)
        best = max(partition.score for partition in population)
        if best > before.score:
            assert strategy.current.score == best
        else:
            assert strategy.current is before or strategy.current in ancestry.founders
