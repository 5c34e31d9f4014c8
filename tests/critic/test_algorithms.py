"""The usual algorithms, each at a bounded cost."""

import numpy as np
import pytest

from skdeepclust.critic import _view as view_module
from skdeepclust.critic import quality
from skdeepclust.critic._algorithms import ALGORITHMS
from skdeepclust.critic._view import DataView


def make_blobs(n=90, k=3, p=2, seed=0):
    rng = np.random.RandomState(seed)
    y = rng.permutation(np.arange(n) % k)
    centers = np.zeros((k, p))
    centers[:, 0] = 12 * np.arange(k)
    return centers[y] + rng.standard_normal((n, p)), y


@pytest.mark.parametrize("name", ALGORITHMS)
def test_algorithms_find_easy_clusters(name):
    X, y = make_blobs(120)
    view = DataView(X, np.random.RandomState(0))
    found = [ALGORITHMS[name](view, np.random.RandomState(seed), 3) for seed in range(8)]
    assert all(labels.shape == (120,) for labels in found)
    assert quality(y, found).max() > 0.95


def test_costly_algorithms_see_a_part_of_the_rows(monkeypatch):
    monkeypatch.setattr(view_module, "_MAX_DENSE_ROWS", 40)
    X, y = make_blobs(300)
    view = DataView(X, np.random.RandomState(0), n_costly=60)
    assert len(view.few) == 60
    np.testing.assert_array_equal(view.extend(y[view.costly]), y)
    for name in ("ward", "spectral", "hdbscan", "birch", "mixture_full"):
        found = [ALGORITHMS[name](view, np.random.RandomState(seed), 3) for seed in range(6)]
        assert quality(y, found).max() > 0.95
