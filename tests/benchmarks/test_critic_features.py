"""Features of partitions: known values, always finite, enough to learn quality from."""

import importlib
import sys
from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.distance import cdist
from sklearn.datasets import make_blobs
from sklearn.metrics import calinski_harabasz_score, davies_bouldin_score, silhouette_samples
from sklearn.neighbors import NearestNeighbors

_FOLDER = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture(scope="module")
def features():
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(_FOLDER))
        before = set(sys.modules)
        yield importlib.import_module("critic_features")
        for name in {"critic_features", "critic_rivals", "critic_pool"} - before:
            sys.modules.pop(name, None)


@pytest.fixture(scope="module")
def pool(features):
    X, y = make_blobs(80, centers=3, n_features=3, random_state=2)
    rng = np.random.default_rng(0)
    noisy = np.where(rng.uniform(size=80) < 0.25, -1, y)
    odd = [np.zeros(80), np.arange(80), np.full(80, -1), np.arange(80) == 0]
    labels = np.stack([y, rng.integers(5, size=80), noisy, *odd]).astype(np.int16)
    return features.Pool("blobs", "round", X, labels, np.zeros(len(labels)))


def _named(features, pool, i):
    return dict(zip(features.FEATURES, features.partition_features(pool)[i].tolist(), strict=True))


def test_there_are_28_finite_features_of_any_partition(features, pool):
    found = features.partition_features(pool)
    assert found.shape == (len(pool.labels), 28)
    assert len(set(features.FEATURES)) == 28
    assert np.isfinite(found).all()


@pytest.mark.parametrize("i", [0, 1])
def test_indices_among_the_features_are_the_known_ones(features, pool, i):
    X, codes = pool.X, pool.labels[i]
    found = _named(features, pool, i)
    widths = silhouette_samples(X, codes)
    wanted = {
        "silhouette": widths.mean(),
        "worst silhouette of a cluster": min(widths[codes == c].mean() for c in np.unique(codes)),
        "share of negative silhouettes": (widths < 0).mean(),
        "log Calinski-Harabasz": np.log(calinski_harabasz_score(X, codes)),
        "log Davies-Bouldin": np.log(davies_bouldin_score(X, codes)),
    }
    pairs = np.triu_indices(len(X), 1)
    different = (codes[:, None] != codes)[pairs]
    wanted["correlation with the distances"] = np.corrcoef(cdist(X, X)[pairs], different)[0, 1]
    for name, value in wanted.items():
        assert found[name] == pytest.approx(float(value), abs=1e-5), name


@pytest.mark.parametrize("i", [0, 1])
def test_neighbour_features_are_those_of_the_edges(features, pool, i):
    X, codes = pool.X, pool.labels[i]
    neighbors = NearestNeighbors(n_neighbors=20).fit(X).kneighbors(return_distance=False)
    same = codes[neighbors] == codes[:, None]
    found = _named(features, pool, i)
    assert found["1 neighbour"] == pytest.approx(same[:, 0].mean())
    assert found["20 neighbours"] == pytest.approx(same.mean())
    assert found["worst cluster's neighbours"] == pytest.approx(
        min(same[codes == c, :10].mean() for c in np.unique(codes))
    )
    edges = np.zeros((80, 80))
    np.add.at(edges, (np.repeat(np.arange(80), 10), neighbors[:, :10].ravel()), 1 / 800)
    shares = [edges[np.ix_(codes == c, codes == c)].sum() for c in np.unique(codes)]
    chance = [edges[codes == c].sum() * edges[:, codes == c].sum() for c in np.unique(codes)]
    assert found["modularity"] == pytest.approx(sum(shares) - sum(chance), abs=1e-6)


def test_size_features_are_those_of_the_counts(features, pool):
    found = _named(features, pool, 6)  # one row against all others
    assert found["log K"] == pytest.approx(np.log(2))
    assert found["largest share"] == pytest.approx(79 / 80)
    assert found["smallest share"] == pytest.approx(1 / 80)
    assert _named(features, pool, 2)["noise"] == pytest.approx((pool.labels[2] < 0).mean())


def test_a_torn_cluster_has_several_components(features):
    X = np.concatenate([np.random.default_rng(c).normal(100 * c, 1, (30, 2)) for c in range(3)])
    labels = np.stack([np.repeat([0, 1, 2], 30), np.repeat([0, 1, 0], 30)])
    pool = features.Pool("", "", X, labels, np.zeros(2))
    assert _named(features, pool, 0)["components per cluster"] == 1
    assert _named(features, pool, 0)["rows outside the largest component"] == 0
    assert _named(features, pool, 1)["components per cluster"] == 1.5
    assert _named(features, pool, 1)["rows outside the largest component"] == pytest.approx(1 / 3)


def test_features_do_not_depend_on_scale_and_position(features, pool):
    moved = features.Pool("", "", 1e3 * pool.X + 5.0, pool.labels, pool.quality)
    wanted = features.partition_features(pool)
    np.testing.assert_allclose(features.partition_features(moved), wanted, rtol=1e-3, atol=1e-4)


def test_trees_learn_quality_from_features(features):
    rng = np.random.default_rng(0)
    found, qualities = [], []
    for seed in range(12):
        X, y = make_blobs(60, centers=4, random_state=seed)
        moved = rng.uniform(size=(20, 60)) < np.linspace(0, 1, 20)[:, None]
        labels = np.where(moved, rng.integers(4, size=(20, 60)), y)
        found.append(features.partition_features(features.Pool("", "", X, labels, np.zeros(20))))
        qualities.append(1 - moved.mean(axis=1))
    model = features.fit_regressor(found[:10], qualities[:10], seed=0, max_iter=50)
    again = features.fit_regressor(found[:10], qualities[:10], seed=0, max_iter=50)
    predicted = model.predict(np.concatenate(found[10:]))
    assert np.corrcoef(predicted, np.concatenate(qualities[10:]))[0, 1] > 0.8
    np.testing.assert_array_equal(predicted, again.predict(np.concatenate(found[10:])))
