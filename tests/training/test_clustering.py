"""Clusters of an embedded set: which are found, from which starts."""

import numpy as np
import pytest
import torch
from sklearn.cluster import KMeans
from sklearn.datasets import make_blobs
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import adjusted_rand_score

from skdeepclust.training import _clustering as module
from skdeepclust.training import cluster_embedding, k_means_from_ward


def blobs(n=900, k=60, p=8, spread=0.5, seed=0):
    X, codes = make_blobs(n, centers=k, n_features=p, cluster_std=spread, random_state=seed)
    return X.astype(np.float32), codes


def find(X, n_clusters, seed=0):
    return k_means_from_ward(X, n_clusters, np.random.RandomState(seed))


def inertia(X, labels):
    parts = [X[labels == j].astype(np.float64) for j in np.unique(labels)]
    return sum(np.square(part - part.mean(axis=0)).sum() for part in parts)


def starts(monkeypatch):
    """Records the starts and their number of every run of k-means."""
    seen = []
    run = module._k_means
    monkeypatch.setattr(module, "_k_means", lambda *a: seen.append(a[2:4]) or run(*a))
    return seen


def subspaces(k=4, n=200, noise=0.02, seed=0):
    """Rows of length 1, each about one of k orthogonal directions."""
    rng = np.random.RandomState(seed)
    codes = np.arange(n) % k
    directions = np.linalg.qr(rng.standard_normal((k + 2, k + 2)))[0][:k]
    rows = directions[codes] + noise * rng.standard_normal((n, k + 2))
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    return torch.as_tensor(rows, dtype=torch.float32), codes


@pytest.mark.parametrize("k", [2, 5, 60])
def test_separated_clusters_are_found(k):
    X, codes = blobs(15 * k, k, spread=0.2)
    labels = find(X, k)
    assert labels.dtype == np.int64
    assert labels.shape == codes.shape
    assert adjusted_rand_score(codes, labels) == 1


def test_dozens_of_clusters_that_random_starts_miss_are_found():
    scores = {"ward": [], "random": []}
    for seed in range(4):
        X, codes = blobs(seed=seed)
        scores["ward"].append(adjusted_rand_score(codes, find(X, 60)))
        random = KMeans(60, n_init=1, random_state=0).fit_predict(X)
        scores["random"].append(adjusted_rand_score(codes, random))
    assert min(scores["ward"]) == 1
    assert min(scores["random"]) < 0.99


@pytest.mark.parametrize("seed", range(3))
def test_inertia_is_below_that_of_random_starts_where_nothing_is_separated(seed):
    X = np.random.RandomState(seed).standard_normal((500, 6)).astype(np.float32)
    random = [KMeans(40, n_init=1, random_state=r).fit(X).inertia_ for r in range(3)]
    assert inertia(X, find(X, 40)) < min(random)


@pytest.mark.parametrize("n", [1, 2, 30])
def test_one_cluster_holds_all_rows(n):
    np.testing.assert_array_equal(find(blobs(n, 2)[0], 1), np.zeros(n))


@pytest.mark.parametrize("n", [2, 3, 20])
def test_as_many_clusters_as_rows_are_single_rows(n):
    X = np.random.RandomState(0).standard_normal((n, 3)).astype(np.float32)
    assert sorted(find(X, n)) == list(range(n))


def test_repeated_rows_are_of_one_cluster():
    points = np.random.RandomState(0).standard_normal((7, 3)).astype(np.float32)
    codes = np.arange(140) % 7
    labels = find(points[codes], 7)
    assert adjusted_rand_score(codes, labels) == 1
    twice = find(np.concatenate([blobs(200, 5)[0]] * 2), 9)
    np.testing.assert_array_equal(twice[:200], twice[200:])


@pytest.mark.parametrize("limit", [2048, 100])
def test_clusters_follow_from_the_random_state(monkeypatch, limit):
    monkeypatch.setattr(module, "_MAX_WARD_ROWS", limit)
    X = np.random.RandomState(0).standard_normal((300, 4)).astype(np.float32)
    np.testing.assert_array_equal(find(X, 12), find(X, 12))
    state = np.random.get_state()[1].copy()
    find(X, 12)
    np.testing.assert_array_equal(np.random.get_state()[1], state)


def test_a_sample_depends_on_the_random_state(monkeypatch):
    monkeypatch.setattr(module, "_MAX_WARD_ROWS", 100)
    seen = starts(monkeypatch)
    X = np.random.RandomState(0).standard_normal((300, 4)).astype(np.float32)
    find(X, 12, seed=0), find(X, 12, seed=1)
    assert not np.array_equal(seen[0][0], seen[1][0])


def test_more_rows_than_ward_takes():
    X, codes = blobs(2500, 20, spread=0.2)
    assert len(X) > module._MAX_WARD_ROWS
    assert adjusted_rand_score(codes, find(X, 20)) == 1


@pytest.mark.parametrize(
    ("n", "k", "n_init"), [(100, 90, 1), (101, 20, 1), (101, 21, 10), (101, 101, 10)]
)
def test_starts_are_random_where_a_sample_would_miss_clusters(monkeypatch, n, k, n_init):
    monkeypatch.setattr(module, "_MAX_WARD_ROWS", 100)
    seen = starts(monkeypatch)
    X = np.random.RandomState(0).standard_normal((n, 4)).astype(np.float32)
    assert len(np.unique(find(X, k))) == k
    ((init, found),) = seen
    assert found == n_init
    assert init == "k-means++" if n_init == 10 else init.shape == (k, 4)


def test_orthogonal_directions_are_found():
    embedding, codes = subspaces()
    labels = cluster_embedding(embedding, 4, np.random.RandomState(0))
    assert labels.dtype == np.int64
    assert adjusted_rand_score(codes, labels) == 1


@pytest.mark.parametrize("noise", [0.05, 0.4])
def test_orthogonal_maps_of_the_embedding_do_not_matter(noise):
    embedding, _ = subspaces(noise=noise)
    random = np.random.RandomState(1).standard_normal((6, 6))
    mapped = embedding.double() @ torch.as_tensor(np.linalg.qr(random)[0])
    first, second = (
        cluster_embedding(found, 4, np.random.RandomState(0))
        for found in (embedding.double(), mapped)
    )
    assert adjusted_rand_score(first, second) == 1


def test_shifts_and_scales_of_the_embedding_do_not_matter():
    embedding, codes = subspaces(noise=0.02)
    first, second = (
        cluster_embedding(found, 6, np.random.RandomState(0))
        for found in (embedding.double(), 5 * embedding.double() + torch.arange(6.0))
    )
    assert adjusted_rand_score(first, second) == 1


@pytest.mark.parametrize("n_clusters", [1, 3, 9])
def test_number_of_clusters_may_differ_from_the_dimension(n_clusters):
    embedding, _ = subspaces(noise=0.3)
    labels = cluster_embedding(embedding, n_clusters, np.random.RandomState(0))
    np.testing.assert_array_equal(np.unique(labels), np.arange(n_clusters))


def test_equal_rows_are_one_cluster():
    rng = np.random.RandomState(0)
    with pytest.warns(ConvergenceWarning, match="distinct clusters"):
        labels = cluster_embedding(torch.ones(12, 3), 2, rng)
    assert set(labels) == {0}
