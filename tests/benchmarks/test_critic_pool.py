"""Pools of clusterings: as usual algorithms make them, all different, rated, stored."""

import importlib
import sys
from pathlib import Path

import numpy as np
import pytest
from sklearn.cluster import KMeans, SpectralClustering
from sklearn.datasets import make_moons
from sklearn.metrics import adjusted_rand_score

_FOLDER = Path(__file__).parents[2] / "benchmarks"
_FEW = {"max_clusters": 4, "smallest_sizes": [5]}


@pytest.fixture(scope="module")
def pool_module():
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(_FOLDER))
        known = "critic_pool" in sys.modules
        yield importlib.import_module("critic_pool")
        if not known:
            sys.modules.pop("critic_pool", None)


@pytest.fixture(scope="module")
def pools(pool_module):
    return pool_module.suite_pools(pool_module.quick_suite(), **_FEW)


def test_pools_hold_different_clusterings_of_several_clusters(pools):
    assert [pool.name for pool in pools] == ["curved/moons", "round/blobs"]
    assert [pool.group for pool in pools] == ["curved", "round"]
    for pool in pools:
        assert pool.labels.shape[1] == len(pool.X)
        assert 10 <= len(pool.labels) <= 3 * 7 + 1
        assert pool.labels.min() == 0
        assert all(len(np.unique(labels)) >= 2 for labels in pool.labels)
        pairs = np.array([[adjusted_rand_score(a, b) for a in pool.labels] for b in pool.labels])
        assert (pairs == 1).sum() == len(pairs)


def test_quality_is_the_ari_with_the_truth(pool_module, pools):
    for pool, one in zip(pools, pool_module.quick_suite(), strict=True):
        wanted = [adjusted_rand_score(one.references[0], labels) for labels in pool.labels]
        np.testing.assert_allclose(pool.quality, wanted)


def test_quality_is_the_largest_over_references_without_their_noise(pool_module):
    labels = np.array([0, 0, 1, 1, 1, 0])
    first, second = np.array([1, 1, 2, 2, 1, 2]), np.array([1, 1, 2, 2, 2, 0])
    assert pool_module.reference_quality([first], labels) < 0.5
    assert pool_module.reference_quality([first, second], labels) == 1.0


def test_the_spectrum_of_many_clusters_serves_few(pool_module):
    X = make_moons(90, noise=0.1, random_state=1)[0]
    spectrum = pool_module._spectrum(X, 6, 0)
    for k in (2, 3, 4):
        model = SpectralClustering(k, affinity="nearest_neighbors", n_init=10, random_state=0)
        found = KMeans(k, n_init=10, random_state=0).fit_predict(spectrum[:, :k])
        assert adjusted_rand_score(model.fit_predict(X), found) == 1.0


def test_a_stored_pool_is_read_back(pool_module, pools, tmp_path, monkeypatch):
    path, sets = tmp_path / "pool.npz", pool_module.quick_suite()
    pool_module.suite_pools(sets, path, **_FEW)
    assert [file.name for file in tmp_path.iterdir()] == ["pool.npz"]
    monkeypatch.delattr(pool_module, "make_candidates")
    monkeypatch.setattr(pool_module, "make_candidates", None, raising=False)
    for found, wanted in zip(pool_module.suite_pools(sets, path, **_FEW), pools, strict=True):
        np.testing.assert_array_equal(found.labels, wanted.labels)
        np.testing.assert_array_equal(found.quality, wanted.quality)
    with pytest.raises(SystemExit, match="file of its own"):
        pool_module.suite_pools(sets, path, **{**_FEW, "max_clusters": 5})
    with pytest.raises(SystemExit, match="file of its own"):
        pool_module.suite_pools(sets[:1], path, **_FEW)


def test_large_sets_are_sampled_with_their_references(pool_module):
    (pool,) = pool_module.suite_pools(pool_module.quick_suite()[1:], max_rows=40, **_FEW)
    assert pool.X.shape == (40, 2)
    assert pool.labels.shape[1] == 40
    assert pool.quality.max() > 0.5


def test_few_rows_are_a_fixed_sample(pool_module, pools):
    few = pool_module.few_rows(pools[0], 20)
    again = pool_module.few_rows(pools[0], 20)
    assert few.X.shape == (20, 2)
    np.testing.assert_array_equal(few.X, again.X)
    places = [int(np.flatnonzero((row == pools[0].X).all(axis=1))[0]) for row in few.X]
    np.testing.assert_array_equal(few.labels, pools[0].labels[:, places])
    assert pool_module.few_rows(pools[0], 60) is pools[0]


def test_noise_joins_the_nearest_row(pool_module):
    X = np.array([[0.0], [1.0], [2.0], [10.0], [11.0]])
    joined = pool_module.join_noise(X, np.array([4, -1, -1, 7, -1]))
    assert joined.tolist() == [4, 4, 4, 7, 7]
    assert pool_module.join_noise(X, np.full(5, -1)).tolist() == [0] * 5


def test_drawn_pools_are_seeded_and_begin_with_the_truth(pool_module):
    first, second = (pool_module.draw_pool(5, ["moons"], 6) for _ in range(2))
    np.testing.assert_array_equal(first.X, second.X)
    np.testing.assert_array_equal(first.labels, second.labels)
    assert first.group == "moons"
    assert first.quality[0] == 1.0
    assert len(first.labels) == 6
    assert first.graph.points.shape == first.X.shape


def test_the_suite_is_read_with_all_references(pool_module, tmp_path):
    path = tmp_path / "suite.npz"
    X, y = np.arange(8.0).reshape(4, 2), np.array([1, 1, 2, 2])
    arrays = {"a/b/data": X, "a/b/labels0": y, "a/b/labels1": 3 - y, "names": np.array(["a/b"])}
    np.savez(path, **arrays)
    (one,) = pool_module.load_suite(path)
    assert one.name == "a/b"
    assert [reference.tolist() for reference in one.references] == [[1, 1, 2, 2], [2, 2, 1, 1]]
    with pytest.raises(SystemExit, match="--data-dir"):
        pool_module.load_suite(tmp_path / "nothing.npz")
