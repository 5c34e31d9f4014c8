"""Synthetic data sets: valid, reproducible, varied, and with clusters that can be found."""

import numpy as np
import pytest

from skdeepclust.critic import FAMILIES, _synthetic, draw_dataset
from skdeepclust.critic._synthetic import separation


def draw(seed, families=None):
    return draw_dataset(np.random.RandomState(seed), families)


def assert_valid(dataset):
    X, y = dataset.X, dataset.y
    family = FAMILIES[dataset.family]
    assert X.dtype == np.float32
    assert y.dtype == np.int64
    assert 30 <= len(X) == len(y) <= 5_000
    assert 1 <= X.shape[1] <= 256
    assert np.isfinite(X).all()
    counts = np.bincount(y[y >= 0])
    assert family.clusters[0] <= len(counts) <= family.clusters[1] <= 64
    assert counts.min() >= 2
    assert y.min() >= -1
    assert (y == -1).mean() < 0.2
    if not family.overlapping:
        known = separation(X, y)
        assert known.mean() >= 0.9
        assert known.min() >= 0.7


@pytest.mark.parametrize("family", FAMILIES)
def test_every_family_draws_valid_sets(family):
    for seed in range(3):
        dataset = draw(seed, [family])
        assert dataset.family == family
        assert_valid(dataset)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize(("n", "k"), [(30, 2), (300, 64)])
def test_every_family_makes_extreme_sizes(family, n, k):
    spec = FAMILIES[family]
    k = min(max(k, spec.clusters[0]), spec.clusters[1])
    sizes = np.full(k, n // k)
    for p in spec.features:
        parts = spec.make(np.random.RandomState(0), sizes, min(p, 64))
        rows = np.concatenate(parts)
        assert len(parts) <= k
        assert np.isfinite(rows).all()
        assert len(rows) <= n


def test_same_seed_same_set():
    global_state = np.random.get_state()[1].copy()
    for seed in range(8):
        first, second = draw(seed), draw(seed)
        assert first.family == second.family
        np.testing.assert_array_equal(first.X, second.X)
        np.testing.assert_array_equal(first.y, second.y)
    np.testing.assert_array_equal(np.random.get_state()[1], global_state)


def test_sets_are_varied():
    sets = [draw(seed) for seed in range(80)]
    rows = [len(s.X) for s in sets]
    assert len({s.family for s in sets}) > 20
    assert np.median(rows) < 1_000 < max(rows)
    assert min(rows) < 60
    clusters = [s.y.max() + 1 for s in sets]
    assert min(clusters) == 1
    assert max(clusters) > 30
    features = [s.X.shape[1] for s in sets]
    assert min(features) <= 2
    assert max(features) > 60
    assert any((s.y == -1).any() for s in sets)


def test_families_can_be_left_out():
    kept = [name for name in FAMILIES if name not in ("moons", "rings")]
    assert {draw(seed, kept).family for seed in range(25)} <= set(kept)


@pytest.mark.parametrize("families", [[], ["cats"], ["moons", "cats"]])
def test_unknown_families_are_named(families):
    with pytest.raises(ValueError, match="families ==.*moons"):
        draw(0, families)


def test_without_structure_there_is_one_cluster():
    for seed in range(5):
        y = draw(seed, ["no_structure", "single_shape"]).y
        assert set(y) <= {-1, 0}


def test_separation_counts_rows_with_mostly_own_neighbours():
    X = np.array([[0.0], [1], [2], [3], [10], [11], [12], [13], [11.5]])
    known = separation(X, np.array([0, 0, 0, 0, 1, 1, 1, 1, 0]))
    np.testing.assert_allclose(known, [0.8, 1.0])
    np.testing.assert_allclose(separation(X, np.array([0, 0, 0, 0, 1, 1, 1, 1, -1])), 1.0)


def test_families_without_valid_sets_are_given_up(monkeypatch):
    rows, labels = np.ones((40, 2), dtype=np.float32), np.arange(40) % 2
    useless = iter([(rows * np.nan, labels), (rows, labels), (rows[:3], labels[:3])] * 1000)
    monkeypatch.setattr(_synthetic, "_attempt", lambda rng, family: next(useless))
    with pytest.raises(RuntimeError, match="No valid data set of the family 'no_structure'"):
        draw(0, ["no_structure"])
