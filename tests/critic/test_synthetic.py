"""Synthetic data sets: valid, reproducible, varied, and with clusters that can be found."""

import numpy as np
import pytest

from skdeepclust.critic import FAMILIES, draw_dataset
from skdeepclust.critic._layout import place, spread_points, uniform_ball
from skdeepclust.critic._modifiers import MODIFIERS, modify
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


@pytest.mark.parametrize("name", MODIFIERS)
@pytest.mark.parametrize("p", [1, 2, 256])
def test_modifiers_keep_rows_finite_and_labels_known(name, p):
    rng = np.random.RandomState(0)
    X, y = rng.standard_normal((60, p)), np.arange(60) % 3
    before = X.copy(), y.copy()
    found, labels = MODIFIERS[name][1](rng, X, y)
    assert found.shape[0] == len(labels) == 60
    assert p <= found.shape[1] <= 256
    assert np.isfinite(found).all()
    assert set(labels) <= {-1, 0, 1, 2}
    np.testing.assert_array_equal(X, before[0])
    np.testing.assert_array_equal(y, before[1])


def test_outliers_are_far_and_unlabelled():
    rng = np.random.RandomState(0)
    X, y = rng.standard_normal((300, 2)), np.zeros(300, dtype=int)
    found, labels = MODIFIERS["outliers"][1](rng, X, y)
    far = labels == -1
    assert 0 < far.sum() <= 0.06 * 300
    np.testing.assert_array_equal(found[~far], X[~far])
    distances = np.linalg.norm(found[far][:, None] - found[~far], axis=2).min(axis=1)
    assert distances.min() > 0.2


def test_rounded_values_are_integers_and_copies_are_copies():
    rng = np.random.RandomState(0)
    X, y = rng.standard_normal((100, 3)), np.arange(100)
    rounded = MODIFIERS["round"][1](rng, X, y)[0]
    np.testing.assert_array_equal(rounded, np.round(rounded))
    copied, labels = MODIFIERS["duplicates"][1](rng, X, y)
    np.testing.assert_array_equal(copied, X[labels])
    assert len(np.unique(labels)) < 100


def test_modify_is_reproducible():
    X, y = np.random.RandomState(1).standard_normal((50, 3)), np.arange(50) % 2
    for seed in range(10):
        first, second = (modify(np.random.RandomState(seed), X, y) for _ in range(2))
        np.testing.assert_array_equal(first[0], second[0])
        np.testing.assert_array_equal(first[1], second[1])


@pytest.mark.parametrize(("k", "p"), [(1, 3), (2, 1), (20, 1), (10, 5)])
def test_closest_centres_are_exactly_the_gap_apart(k, p):
    centers = spread_points(np.random.RandomState(0), k, p, 3.0)
    assert centers.shape == (k, p)
    distances = np.linalg.norm(centers[:, None] - centers, axis=2)[np.triu_indices(k, 1)]
    assert k == 1 or distances.min() == pytest.approx(3.0)


def test_gap_is_measured_in_spreads_along_the_line_of_centres():
    scales = np.array([1.0, 2.0, 5.0])
    centers = spread_points(
        np.random.RandomState(0), 3, 2, 2.0, lambda u: np.tile(scales[:, None], len(u))
    )
    ratios = [
        np.linalg.norm(centers[i] - centers[j]) / (scales[i] + scales[j])
        for i, j in [(0, 1), (0, 2), (1, 2)]
    ]
    assert min(ratios) == pytest.approx(2.0)


def test_placed_shapes_keep_apart():
    rng = np.random.RandomState(0)
    parts = place(rng, [uniform_ball(rng, 40, 2) for _ in range(6)], 3.0)
    for i, first in enumerate(parts):
        inner = np.linalg.norm(first[:, None] - first, axis=2) + 9 * np.eye(40)
        for second in parts[:i]:
            outer = np.linalg.norm(first[:, None] - second, axis=2)
            assert outer.min() > 2 * np.median(inner.min(axis=1))


def test_ball_is_filled_evenly():
    radii = np.linalg.norm(uniform_ball(np.random.RandomState(0), 4_000, 3), axis=1)
    assert radii.max() <= 1
    assert np.mean(radii < 0.5) == pytest.approx(0.125, abs=0.02)


def test_separation_counts_rows_with_mostly_own_neighbours():
    X = np.array([[0.0], [1], [2], [3], [10], [11], [12], [13], [11.5]])
    known = separation(X, np.array([0, 0, 0, 0, 1, 1, 1, 1, 0]))
    np.testing.assert_allclose(known, [0.8, 1.0])
    np.testing.assert_allclose(separation(X, np.array([0, 0, 0, 0, 1, 1, 1, 1, -1])), 1.0)
