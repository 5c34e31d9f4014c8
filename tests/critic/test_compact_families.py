"""Families of compact clusters: a part for each cluster, in as many dimensions."""

import numpy as np
import pytest

from skdeepclust.critic._compact_families import COMPACT_FAMILIES


def make(name, seed=0):
    family = COMPACT_FAMILIES[name]
    k = max(family.clusters[0], min(3, family.clusters[1]))
    sizes = family.rows + 5 * np.arange(k)
    return sizes, family.make(np.random.RandomState(seed), sizes, family.features[0])


@pytest.mark.parametrize("name", COMPACT_FAMILIES)
def test_there_is_a_part_for_each_cluster_and_no_more_rows_than_asked_for(name):
    sizes, parts = make(name)
    assert len(parts) == len(sizes)
    assert sizes.sum() / 2 < sum(map(len, parts)) <= sizes.sum()
    assert len({part.shape[1] for part in parts}) == 1
    assert all(np.isfinite(part).all() for part in parts)


@pytest.mark.parametrize("name", COMPACT_FAMILIES)
def test_draws_follow_the_seed(name):
    first, again, other = (np.concatenate(make(name, seed)[1]) for seed in (3, 3, 4))
    np.testing.assert_array_equal(first, again)
    assert first.shape != other.shape or np.abs(first - other).max() > 0


@pytest.mark.parametrize("p", [1, 3])
@pytest.mark.parametrize("name", ["no_structure", "uneven"])
def test_data_without_structure_are_one_cluster_of_every_kind(name, p):
    for seed in range(20):  # five kinds, and four
        (rows,) = COMPACT_FAMILIES[name].make(np.random.RandomState(seed), np.array([20, 11]), p)
        assert rows.shape == (31, p)
        assert np.isfinite(rows).all()
        assert len(np.unique(rows, axis=0)) == 31
