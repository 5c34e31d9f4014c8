"""Damaged truths: changed, valid, and worse in their own way."""

import numpy as np
import pytest

from skdeepclust.critic import quality
from skdeepclust.critic._damage import DAMAGES, complete_noise, smooth
from skdeepclust.critic._view import DataView


def make_blobs(n=90, k=3, p=2, seed=0):
    rng = np.random.RandomState(seed)
    y = rng.permutation(np.arange(n) % k)
    centers = np.zeros((k, p))
    centers[:, 0] = 12 * np.arange(k)
    return centers[y] + rng.standard_normal((n, p)), y


def rng0():
    return np.random.RandomState(0)


@pytest.mark.parametrize("name", DAMAGES)
def test_damages_change_labels_and_not_their_input(name):
    X, y = make_blobs(120, 4)
    view = DataView(X + 4 * np.random.RandomState(1).standard_normal(X.shape), rng0())
    before = y.copy()
    found = [DAMAGES[name](view, np.random.RandomState(seed), y) for seed in range(6)]
    np.testing.assert_array_equal(y, before)
    assert all(labels.shape == y.shape for labels in found)
    assert any(not np.array_equal(labels, y) for labels in found)
    assert 0 < quality(y, found).mean() < 1


@pytest.mark.parametrize("name", DAMAGES)
def test_damages_of_a_single_cluster(name):
    X, _ = make_blobs(40)
    labels = DAMAGES[name](DataView(X, rng0()), rng0(), np.zeros(40, dtype=np.int64))
    assert labels.shape == (40,)


def test_merges_and_splits_change_the_number_of_clusters():
    X, y = make_blobs(120, 4)
    view = DataView(X, rng0())
    counts = {
        name: len(np.unique(DAMAGES[name](view, rng0(), y)))
        for name in ("merge_nearest", "merge_random", "dissolve", "split_hyperplane", "split_all")
    }
    assert counts["merge_nearest"] == counts["dissolve"] == 3
    assert counts["merge_random"] < 4
    assert counts["split_hyperplane"] == 5
    assert counts["split_all"] == 8


def test_smoothing_mends_scattered_errors():
    X, y = make_blobs(120)
    wrong = y.copy()
    wrong[:10] = (y[:10] + 1) % 3
    view = DataView(X, rng0())
    np.testing.assert_array_equal(smooth(view, wrong), y)
    np.testing.assert_array_equal(smooth(view, y, 3), y)


def test_completed_noise_joins_the_nearest_cluster():
    X, y = make_blobs(90)
    labels = np.where(np.arange(90) < 20, -1, y)
    np.testing.assert_array_equal(complete_noise(DataView(X, rng0()), labels), y)
