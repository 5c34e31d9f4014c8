"""The genetic strategy: founders first, new children, the best survive."""

import numpy as np
import pytest

from skdeepclust.critic import quality
from skdeepclust.search import Bounds
from skdeepclust.search import _genetic as module
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


def test_shares_of_the_operators(strategy, moons, monkeypatch):
    """A tenth of the children are crossovers, a fifth are blends."""
    rate(strategy.generate(), moons[1])
    strategy.update(strategy.ancestry.founders)
    made = []
    for name in ("crossover", "blend", "mutate"):
        operator = getattr(module, name)
        called = lambda *rest, name=name, own=operator: (made.append(name), own(*rest))[1]  # noqa: E731
        monkeypatch.setattr(module, name, called)
    for _ in range(600):
        strategy._make_child()
    for name, share in {"crossover": 0.1, "blend": 0.2, "mutate": 0.7}.items():
        assert made.count(name) / 600 == pytest.approx(share, abs=0.06)


def test_good_survivors_have_more_children(strategy):
    strategy.survivors = list(range(10))
    counts = np.bincount([strategy._select() for _ in range(3_000)], minlength=10)
    assert (counts > 0).all()
    assert counts[0] == counts.max() > 2 * counts[1] > 2 * counts[9]


@pytest.mark.parametrize("n_best", [1, 3, 9])
def test_places_of_parents_are_sixth_powers_of_uniform_shares(strategy, n_best):
    """So the best tenth of the survivors are chosen in 68 % of all cases, the worst in 1.7 %."""
    strategy.survivors = list(range(10))
    chosen = [strategy._select() for _ in range(10_000)]
    assert np.mean(np.less(chosen, n_best)) == pytest.approx((n_best / 10) ** (1 / 6), abs=0.015)
