"""Baselines: founders first; one learns nothing, the other only climbs."""

import numpy as np
import pytest

from skdeepclust.critic import quality
from skdeepclust.search import Bounds, Partition
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


def scored(score):
    partition = Partition(np.array([0]))
    partition.fitness.values = (score,)
    return partition


def test_hill_climber_goes_from_start_to_start(monkeypatch, ancestry):
    """After two generations without a better one it goes on from the next best start."""
    monkeypatch.setattr(module, "_MAX_STALLS", 2)
    strategy = HillClimbingStrategy(ancestry, np.random.RandomState(0), 6)
    strategy.update([scored(score) for score in (0.125, 0.5, 0.25, 0.375)])
    current = [strategy.current.score]
    generations = [
        (0.4, 0.45),  # none better
        (0.1, 0.4375),  # again: on to the second start, 0.375
        (0.1, 0.2),
        (0.3, 0.4),  # better
        (0.1,),
        (0.4,),  # no better: on to 0.25
        (0.1,),
        (0.125,),  # on to 0.125
        (0.1,),
        (0.1,),  # there is no other start
        (0.1,),
        (0.2, 0.15),
    ]
    for scores in generations:
        strategy.update([scored(score) for score in scores])
        current.append(strategy.current.score)
    expected = [0.5, 0.5, 0.375, 0.375, 0.4, 0.4, 0.25, 0.25, 0.125, 0.125, 0.125, 0.125, 0.2]
    assert current == expected


def test_half_of_the_random_partitions_are_cells(monkeypatch, ancestry):
    strategy, made = RandomStrategy(ancestry, np.random.RandomState(0), 10), []
    monkeypatch.setattr(strategy, "_cells", lambda founder: made.append("cells"))
    monkeypatch.setattr(strategy, "_walk", lambda founder: made.append("walk"))
    for _ in range(400):
        strategy._make_child()
    assert 160 < made.count("cells") < 240


def test_cells_have_any_number_of_clusters_within_the_bounds(monkeypatch, ancestry):
    monkeypatch.setattr(module, "keep_bounds", lambda prototypes, rng, codes, bounds: codes)
    strategy = RandomStrategy(ancestry, np.random.RandomState(0), 10)
    cells = [strategy._cells(ancestry.founders[1]) for _ in range(100)]
    assert {partition.n_clusters for partition in cells} == {2, 3, 4, 5, 6}
    assert {partition.founder for partition in cells} == {1}


def test_walks_lead_away_from_a_founder(ancestry):
    strategy, founder = RandomStrategy(ancestry, np.random.RandomState(0), 10), ancestry.founders[1]
    found = [strategy._walk(founder) for _ in range(20)]
    assert np.mean([partition.key != founder.key for partition in found]) > 0.8
    assert {partition.founder for partition in found} == {1}
    assert all(2 <= partition.n_clusters <= 6 for partition in found)


def test_walks_are_of_one_to_eight_changes(monkeypatch, ancestry):
    """Each length as often as the others: some stay near their founder, some go far."""
    strategy, changes = RandomStrategy(ancestry, np.random.RandomState(0), 10), []

    def note(prototypes, rng, codes, bounds):
        changes[-1] += 1
        return codes

    monkeypatch.setattr(module, "mutate", note)
    for _ in range(800):
        changes.append(0)
        strategy._walk(ancestry.founders[0])
    counts = np.bincount(changes)
    assert len(counts) == 9
    assert counts[0] == 0
    np.testing.assert_allclose(counts[1:], 100, atol=40)


def test_hill_climber_waits_four_generations_for_a_better_partition(ancestry):
    strategy = HillClimbingStrategy(ancestry, np.random.RandomState(0), 6)
    strategy.update([scored(0.5), scored(0.25)])
    current = []
    for score in (0.5, 0.125, 0.375, 0.625, 0.25, 0.5, 0.375, 0.125):
        strategy.update([scored(score)])
        current.append(strategy.current.score)
    assert current == [0.5] * 3 + [0.625] * 4 + [0.25]
