"""Internal indices: known values, noise, single clusters."""

import importlib
import sys
from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.distance import cdist
from sklearn.datasets import make_blobs
from sklearn.metrics import calinski_harabasz_score, davies_bouldin_score, silhouette_score

_FOLDER = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture(scope="module")
def rivals():
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(_FOLDER))
        before = set(sys.modules)
        yield importlib.import_module("critic_rivals")
        for name in {"critic_rivals", "critic_pool"} - before:
            sys.modules.pop(name, None)


@pytest.fixture(scope="module")
def pool(rivals):
    """Three far blobs: truth, truth with noise, two merged, random, one cluster, single rows."""
    X, y = make_blobs(60, centers=[(0, 0), (20, 0), (0, 20)], random_state=0)
    rng = np.random.default_rng(0)
    noisy = np.where(rng.uniform(size=60) < 0.2, -1, y)
    others = [np.minimum(y, 1), rng.integers(3, size=60), np.zeros(60), np.arange(60)]
    labels = np.stack([y, noisy, *others]).astype(np.int16)
    return rivals.Pool("blobs", "round", X, labels, np.zeros(len(labels)))


@pytest.mark.parametrize(
    "name", ["Silhouette", "Calinski-Harabasz", "Davies-Bouldin", "Dunn", "k-NN cut"]
)
def test_every_index_prefers_the_truth_and_knows_where_it_is_undefined(rivals, pool, name):
    scores = rivals.INDICES[name](pool)
    assert scores.shape == (6,)
    assert scores[0] == scores[1]  # noise joins the nearest cluster
    assert scores[0] == scores.max()
    assert scores[0] > scores[3] < scores[2] or name == "Davies-Bouldin"
    assert np.isneginf(scores[4:]).all()


def test_indices_are_those_of_sklearn(rivals, pool):
    for name, index, sign in (
        ("Silhouette", silhouette_score, 1),
        ("Calinski-Harabasz", calinski_harabasz_score, 1),
        ("Davies-Bouldin", davies_bouldin_score, -1),
    ):
        wanted = [sign * index(pool.X, pool.labels[i]) for i in (0, 2, 3)]
        np.testing.assert_allclose(rivals.INDICES[name](pool)[[0, 2, 3]], wanted)


def test_dunn_index_is_that_of_all_pairs(rivals):
    rng = np.random.default_rng(1)
    X, codes = rng.normal(size=(20, 3)), rng.integers(3, size=20)
    lengths = cdist(X, X)
    pairs = [(i, j) for i in range(20) for j in range(20)]
    gap = min(lengths[i, j] for i, j in pairs if codes[i] != codes[j])
    diameter = max(lengths[i, j] for i, j in pairs if codes[i] == codes[j])
    assert rivals.dunn_index(lengths, codes) == pytest.approx(gap / diameter)
    assert rivals.dunn_index(lengths, np.arange(20)) == np.inf


def test_share_of_edges_is_corrected_for_chance(rivals):
    rng = np.random.default_rng(0)
    neighbors = (np.arange(4000)[:, None] + np.array([1, 2, 3])) % 4000
    assert rivals.corrected_share(neighbors, np.arange(4000) // 2000) == pytest.approx(1, abs=0.01)
    by_lot = (rng.uniform(size=4000) < 0.9).astype(int)
    assert rivals.corrected_share(neighbors, by_lot) == pytest.approx(0, abs=0.02)


def test_large_data_are_sampled(rivals, pool, monkeypatch):
    seen = []
    monkeypatch.setattr(rivals, "MAX_ROWS", 30)
    monkeypatch.setattr(rivals, "distances", lambda X: seen.append(len(X)) or cdist(X, X))
    rivals.INDICES["Dunn"](pool)
    assert seen == [30]


def test_dbcv_is_left_out_without_its_package(rivals, monkeypatch):
    monkeypatch.setattr(rivals, "find_spec", lambda name: None)
    assert rivals.DBCV not in rivals.index_names()
    monkeypatch.setattr(rivals, "find_spec", lambda name: name)
    assert rivals.index_names() == list(rivals.INDICES)


def test_dbcv_prefers_the_truth(rivals, pool):
    pytest.importorskip("hdbscan")
    scores = rivals.INDICES[rivals.DBCV](pool)
    assert scores[0] == scores.max()
    assert scores[1] < scores[0]  # it counts noise against a clustering
    assert np.isneginf(scores[4:]).all()
