"""Partitions: names do not matter, copies are independent, differences are matched."""

import pickle
from copy import deepcopy
from itertools import permutations

import numpy as np
import pytest

from skdeepclust.search import Bounds, Partition, canonical, difference


def slow_canonical(labels):
    names = list(dict.fromkeys(labels.tolist()))
    return [names.index(label) for label in labels.tolist()]


def test_canonical_numbers_by_first_appearance():
    labels = np.random.RandomState(0).randint(7, size=(20, 15))
    labels[3] = 6
    np.testing.assert_array_equal(canonical(labels), [slow_canonical(row) for row in labels])


def test_difference_is_that_of_the_best_renaming():
    rng = np.random.RandomState(0)
    for _ in range(20):
        first, second = rng.randint(4, size=30), rng.randint(4, size=30)
        matches = [(np.array(names)[first] == second).mean() for names in permutations(range(4))]
        assert difference(first, second) == pytest.approx(1 - max(matches))


def test_difference_of_different_numbers_of_clusters():
    assert difference(np.zeros(10, dtype=int), np.arange(10) // 5) == pytest.approx(0.5)
    assert difference(np.arange(10), np.arange(10)[::-1]) == 0


def test_key_ignores_names():
    first, second = Partition(np.array([0, 0, 1, 2])), Partition(np.array([2, 2, 0, 1]))
    assert first.key == second.key
    assert first.key != Partition(np.array([0, 1, 1, 2])).key
    assert first.n_clusters == 3


def test_copies_and_pickles():
    partition = Partition(np.array([0, 1, 1]), founder=4)
    partition.fitness.values = (0.5,)
    for twin in (deepcopy(partition), pickle.loads(pickle.dumps(partition))):
        twin.fitness.values = (0.75,)
        assert (partition.score, twin.score) == (0.5, 0.75)
        assert partition.fitness < twin.fitness
        assert (twin.key, twin.founder) == (partition.key, 4)


def test_bounds():
    assert [Bounds(2, 3).admit(k) for k in (1, 2, 3, 4)] == [False, True, True, False]
