"""Clusterings to learn from: the neighbour graph, propagation, and what they recover."""

import numpy as np
import pytest
import scipy.sparse as sp
import torch
from scipy.spatial.distance import cdist
from sklearn.cluster import KMeans
from sklearn.datasets import make_blobs, make_moons
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import adjusted_rand_score

from skdeepclust.training import InputScaling, Rows, cluster_codes, complete_targets
from skdeepclust.training import _pseudo_labels as module
from skdeepclust.training._pseudo_labels import (
    neighbor_graph,
    normalized_cut,
    propagate,
    spread_codes,
)

few_distinct_rows = pytest.mark.filterwarnings(
    "ignore:Number of distinct clusters:sklearn.exceptions.ConvergenceWarning"
)


def random_state(seed=0):
    return np.random.RandomState(seed)


def cigars(n=300, p=2, seed=0):
    """Three long parallel clusters that k-means cuts across."""
    codes = np.arange(n) % 3
    X = random_state(seed).standard_normal((n, p))
    X[:, 0] *= 4
    X[:, 1] += 5.0 * codes
    return X, codes


def dense_graph(X, n_neighbors):
    """Locally scaled weights, the larger of both directions, symmetrically normalised."""
    distances = cdist(X, X)
    np.fill_diagonal(distances, np.inf)
    n_neighbors = min(n_neighbors, len(X) - 1)
    order = np.argsort(distances, axis=1)[:, :n_neighbors]
    radius = np.sort(distances, axis=1)[:, n_neighbors - 1]
    weights = np.zeros((len(X), len(X)))
    for i, neighbors in enumerate(order):
        for j in neighbors:
            weights[i, j] = np.exp(-(distances[i, j] ** 2) / (radius[i] * radius[j]))
    weights = np.maximum(weights, weights.T)
    degrees = weights.sum(axis=1)
    return weights / np.sqrt(np.outer(degrees, degrees))


@pytest.mark.parametrize(("n", "n_neighbors"), [(60, 10), (60, 3), (5, 10), (2, 10), (30, 29)])
def test_graph_equals_the_dense_formula(n, n_neighbors):
    X = random_state().standard_normal((n, 3))
    graph = neighbor_graph(X, n_neighbors)
    np.testing.assert_allclose(graph.toarray(), dense_graph(X, n_neighbors), atol=1e-12)


DUPLICATED = {
    "pairs": np.repeat(random_state().standard_normal((30, 3)), 2, axis=0),
    "many copies": np.repeat(random_state().standard_normal((4, 3)), 15, axis=0),
    "identical": np.ones((40, 3)),
    "a row among copies": np.concatenate([np.zeros((20, 3)), 5 * np.ones((1, 3))]),
    "rows among copies": np.concatenate([np.zeros((40, 2)), random_state().rand(9, 2) * 1e3]),
    "identical, many columns": np.ones((60, 70)),
    "two": np.zeros((2, 1)),
    "tiny": 1e-200 * random_state().standard_normal((30, 3)),
    "huge": 1e150 * random_state().standard_normal((30, 3)),
    "ordinary": random_state().standard_normal((200, 4)),
    "unequal": np.exp(4 * random_state().standard_normal((100, 2))),
}


@pytest.mark.parametrize("X", DUPLICATED.values(), ids=DUPLICATED.keys())
def test_graph_is_finite_symmetric_and_has_spectral_radius_1(X):
    dense = neighbor_graph(X).toarray()
    assert np.isfinite(dense).all()
    assert (dense >= 0).all()
    np.testing.assert_allclose(dense, dense.T, atol=1e-15)
    assert np.abs(np.linalg.eigvalsh(dense)).max() == pytest.approx(1.0, abs=1e-9)
    assert (np.diag(dense) == 0).all()
    assert (dense.sum(axis=1) > 0).all()


def test_graph_does_not_see_the_scale():
    X = random_state().standard_normal((50, 3))
    difference = neighbor_graph(X) - neighbor_graph(1000 * X)
    assert np.abs(difference.toarray()).max() < 1e-9


@pytest.mark.parametrize("diffusion", [0.5, 0.9, 0.99])
def test_propagate_equals_a_dense_reference(diffusion):
    X, truth = cigars(90)
    graph = neighbor_graph(X)
    codes = np.where(random_state(1).rand(90) < 0.2, truth, -1)
    seeds = np.zeros((90, 3))
    for i in np.flatnonzero(codes >= 0):
        seeds[i, codes[i]] = 1 / np.count_nonzero(codes == codes[i])
    belief = seeds
    for _ in range(30):
        belief = diffusion * graph.toarray() @ belief + (1 - diffusion) * seeds
    found = propagate(graph, codes, 3, diffusion)
    np.testing.assert_array_equal(found, belief.argmax(axis=1))


def test_propagate_approaches_the_linear_system():
    X, truth = cigars(90)
    graph, codes = neighbor_graph(X), np.where(np.arange(90) % 5 == 0, truth, -1)
    seeds = np.eye(3)[truth] * (codes >= 0)[:, None] / np.bincount(codes[codes >= 0])
    exact = np.linalg.solve(np.eye(90) - 0.5 * graph.toarray(), seeds)
    np.testing.assert_array_equal(propagate(graph, codes, 3, 0.5), exact.argmax(axis=1))


def test_rows_that_no_label_reaches_stay_unknown():
    X = np.concatenate([np.zeros((20, 2)), 1e6 + np.ones((20, 2))]) + random_state().rand(40, 2)
    codes = np.full(40, -1)
    codes[:2] = 1, 0
    found = propagate(neighbor_graph(X), codes, 2, 0.9)
    assert (found[:20] >= 0).all()
    assert (found[20:] == -1).all()


def test_spread_codes_keeps_given_codes_and_completes_the_others():
    X, truth = cigars()
    codes = np.where(random_state(1).rand(300) < 0.1, truth, -1)
    wrong = np.flatnonzero(codes >= 0)[0]
    codes[wrong] = (truth[wrong] + 1) % 3
    whitened = X / [4, 1]
    found = spread_codes(whitened, codes, 3, random_state())
    np.testing.assert_array_equal(found[codes >= 0], np.eye(3)[codes[codes >= 0]])
    assert np.mean(found.argmax(axis=1) == truth) > 0.95
    np.testing.assert_allclose(found.sum(axis=1), 1)
    assert ((found > 0.01).sum(axis=1) > 1).any()


def test_spread_codes_follows_curved_clusters():
    X, truth = make_moons(300, noise=0.05, random_state=0)
    codes = np.full(300, -1)
    for code in (0, 1):
        codes[np.flatnonzero(truth == code)[:3]] = code
    found = spread_codes(X, codes, 2, random_state()).argmax(axis=1)
    assert np.mean(found == truth) > 0.98


@pytest.mark.parametrize("n_given", [1, 299, 300])
def test_spread_codes_with_few_or_all_codes(n_given):
    X, truth = cigars()
    codes = np.where(np.arange(300) < n_given, truth, -1)
    found = spread_codes(X, codes, 3, random_state())
    np.testing.assert_array_equal(found[:n_given], np.eye(3)[truth[:n_given]])
    total = found.sum(axis=1)
    np.testing.assert_allclose(total[total > 0], 1)
    assert found.min() >= 0


def test_spread_codes_leaves_rows_that_no_label_reaches_at_zero():
    X = np.concatenate([random_state().rand(30, 2), 100 + random_state(1).rand(30, 2)])
    found = spread_codes(X, np.where(np.arange(60) == 0, 0, -1), 2, random_state())
    np.testing.assert_array_equal(found[:30, 0], 1)
    np.testing.assert_array_equal(found[30:], 0)


@pytest.mark.parametrize("p", [2, 5, 80])
def test_cluster_codes_recovers_long_clusters_where_kmeans_does_not(p):
    X, truth = make_blobs(500, random_state=170)
    X = X @ [[0.6, -0.6], [-0.4, 0.8]] @ random_state(1).standard_normal((2, p))
    X = X + 0.01 * random_state(2).standard_normal(X.shape)
    plain = adjusted_rand_score(truth, KMeans(3, n_init=10, random_state=0).fit(X).labels_)
    found = adjusted_rand_score(truth, cluster_codes(X, 3, random_state()))
    assert plain < 0.7
    assert found > 0.95


@pytest.mark.parametrize("seed", range(3))
def test_cluster_codes_is_as_good_as_kmeans_on_round_clusters(seed):
    X, truth = make_blobs(300, n_features=5, centers=5, random_state=seed)
    plain = adjusted_rand_score(truth, KMeans(5, n_init=10, random_state=0).fit(X).labels_)
    assert adjusted_rand_score(truth, cluster_codes(X, 5, random_state())) >= plain - 0.02


@few_distinct_rows
@pytest.mark.parametrize("X", DUPLICATED.values(), ids=DUPLICATED.keys())
@pytest.mark.parametrize("n_clusters", [1, 2])
def test_codes_are_valid_whatever_the_rows(X, n_clusters):
    X = X / np.abs(X).max() if np.abs(X).max() else X
    codes = cluster_codes(X, n_clusters, random_state())
    assert codes.shape == (len(X),)
    assert codes.dtype == np.int64
    assert codes.min() >= 0
    assert codes.max() < n_clusters


def test_copies_of_a_row_get_one_code():
    X = np.repeat(random_state().standard_normal((4, 3)), 15, axis=0)
    codes = cluster_codes(X, 4, random_state()).reshape(4, 15)
    assert (codes == codes[:, :1]).all()
    assert len(np.unique(codes)) == 4


@pytest.mark.parametrize(("n", "p"), [(2, 1), (3, 3), (12, 2), (6, 100), (60, 100)])
def test_as_many_clusters_as_rows(n, p):
    codes = cluster_codes(random_state().standard_normal((n, p)), n, random_state())
    assert codes.min() >= 0
    assert codes.max() < n


@few_distinct_rows
def test_more_clusters_than_distinct_rows():
    codes = cluster_codes(np.repeat([[0.0], [1.0]], 10, axis=0), 5, random_state())
    assert codes.min() >= 0
    assert codes.max() < 5
    assert codes[0] != codes[-1]


@pytest.mark.parametrize(("n", "p"), [(20, 300), (200, 300), (51, 51)])
def test_many_columns_are_reduced_to_few(n, p):
    X = random_state().standard_normal((n, p))
    reduced = module._reduce(X, random_state())
    assert reduced.shape == (n, min(n, 50))
    if n <= 50:
        np.testing.assert_allclose(cdist(reduced, reduced), cdist(X, X), atol=1e-9)


def test_few_columns_stay_as_they_are():
    X = random_state().standard_normal((20, 50))
    assert module._reduce(X, random_state()) is X


@pytest.mark.parametrize("p", [2, 80])
def test_codes_follow_from_the_random_state_and_leave_no_trace(p):
    X, _ = cigars(p=p)
    before = np.random.get_state()[1].copy()
    first, again = (cluster_codes(X, 3, random_state(7)) for _ in range(2))
    np.testing.assert_array_equal(first, again)
    np.testing.assert_array_equal(np.random.get_state()[1], before)


def make_rows(X):
    return Rows(X, InputScaling.fit(X, X.shape[1:]), X.shape[1:], torch.device("cpu"))


def test_complete_targets_leaves_complete_codes_alone():
    X, truth = cigars()
    indices, codes = complete_targets(make_rows(X), truth, 3, random_state())
    np.testing.assert_array_equal(indices, np.arange(300))
    np.testing.assert_array_equal(codes, truth)


@pytest.mark.parametrize("max_rows", [20_000, 50])
def test_complete_targets_fills_in_missing_ones(monkeypatch, max_rows):
    monkeypatch.setattr(module, "_MAX_ROWS", max_rows)
    X, truth = cigars()
    X[:, 0] /= 4
    given = np.where(np.arange(300) < 100, truth, -1)
    indices, targets = complete_targets(make_rows(X), given, 3, random_state())
    hard = complete_targets(make_rows(X), given, 3, random_state(), soft=False)
    codes = targets.argmax(axis=1)
    np.testing.assert_array_equal(hard[0], indices)
    np.testing.assert_array_equal(hard[1], codes)
    assert len(np.unique(indices)) == len(indices) == 100 + min(200, max_rows)
    np.testing.assert_array_equal(np.sort(indices)[:100], np.arange(100))
    assert np.mean(codes == truth[indices]) > 0.95
    known = indices < 100
    np.testing.assert_array_equal(codes[known], truth[indices[known]])


@pytest.mark.parametrize("max_rows", [20_000, 50])
def test_complete_targets_without_any_labels(monkeypatch, max_rows):
    monkeypatch.setattr(module, "_MAX_ROWS", max_rows)
    X, truth = make_blobs(200, centers=3, random_state=0, cluster_std=0.5)
    indices, codes = complete_targets(make_rows(X), np.full(200, -1), 3, random_state())
    assert len(np.unique(indices)) == len(indices) == min(200, max_rows)
    assert adjusted_rand_score(truth[indices], codes) > 0.9


@few_distinct_rows
def test_complete_targets_closes_up_unused_codes():
    X = np.repeat([[0.0], [1.0]], 10, axis=0)
    _, codes = complete_targets(make_rows(X), np.full(20, -1), 5, random_state())
    np.testing.assert_array_equal(np.unique(codes), np.arange(codes.max() + 1))


def test_sklearn_warning_is_the_one_that_is_ignored():
    with pytest.warns(ConvergenceWarning, match="Number of distinct clusters"):
        cluster_codes(np.ones((20, 2)), 2, random_state())


def test_normalized_cut_against_a_dense_reference():
    rng = random_state()
    weights = rng.rand(12, 12) * (rng.rand(12, 12) < 0.5)
    weights += weights.T
    codes = np.arange(12) % 3
    expected = 0.0
    for code in range(3):
        inside = codes == code
        expected += weights[inside][:, ~inside].sum() / weights[inside].sum()
    found = normalized_cut(sp.csr_array(weights), codes, 3)
    assert found == pytest.approx(expected)
    assert normalized_cut(sp.csr_array(weights), codes, 4) == pytest.approx(expected + 1)


def test_propagation_does_not_drown_a_small_cluster():
    X, truth = make_blobs([400, 400, 12], centers=[[0, 0], [9, 0], [4.5, 9]], random_state=0)
    assert adjusted_rand_score(truth, cluster_codes(X, 3, random_state())) > 0.95
