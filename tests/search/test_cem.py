"""The clustering network and the cross-entropy method over its weights."""

import numpy as np
import pytest
from scipy.spatial.distance import cdist

from skdeepclust.critic import quality
from skdeepclust.search import Bounds, make_prototypes, search_clusterings
from skdeepclust.search._cem import ClusteringNetwork, CrossEntropyStrategy
from skdeepclust.search._lineage import Ancestry, make_founders
from skdeepclust.search._partition import Partition


def rng0():
    return np.random.RandomState(0)


@pytest.mark.parametrize("n_hidden", [0, 5])
def test_network_row_by_row(n_hidden):
    network = ClusteringNetwork(3, n_hidden, 4)
    weights, Z = rng0().standard_normal(network.n_weights), rng0().standard_normal((20, 3))
    W, b, V, A, a = network.unpack(weights)
    np.testing.assert_array_equal(network.pack([W, b, V, A, a]), weights)
    for z, logits in zip(Z, network.logits(Z, weights), strict=True):
        expected = [
            sum(W[k] * z)
            + b[k]
            + sum(V[k, j] * np.tanh(sum(A[j] * z) + a[j]) for j in range(n_hidden))
            for k in range(4)
        ]
        np.testing.assert_allclose(logits, expected)
    labels = network.assign(Z, weights)
    assert set(labels) == set(range(labels.max() + 1))


@pytest.mark.parametrize("n_hidden", [0, 5])
def test_means_of_clusters_as_a_network(blobs, n_hidden):
    X, y = blobs
    noisy = np.where(rng0().uniform(size=len(y)) < 0.2, 0, y)
    network = ClusteringNetwork(2, n_hidden, 9)
    weights = network.from_labels(X, noisy, rng0())
    means = np.stack([X[noisy == c].mean(axis=0) for c in range(6)])
    np.testing.assert_array_equal(network.assign(X, weights), cdist(X, means).argmin(axis=1))


def test_wider_networks_keep_the_clusters(blobs):
    X, _ = blobs
    network = ClusteringNetwork(2, 5, 6)
    weights = rng0().standard_normal(network.n_weights)
    wider = ClusteringNetwork(2, 5, 8)
    widened = wider.widen(X, network, weights, rng0())
    np.testing.assert_array_equal(wider.assign(X, widened), network.assign(X, weights))


def make_strategy(X, y, **kwargs):
    prototypes = make_prototypes(X, rng0())
    bounds = Bounds(2, 8)
    founders = make_founders(prototypes, rng0(), [y], bounds)
    return CrossEntropyStrategy(Ancestry(X, prototypes, founders, bounds), rng0(), 20, **kwargs)


@pytest.mark.parametrize("init", ["founders", "random"])
def test_samples_are_within_bounds(blobs, init):
    X, y = blobs
    strategy = make_strategy(X, y % 3, init=init)
    for _ in range(4):
        population = strategy.generate()
        assert all(2 <= partition.n_clusters <= 8 for partition in population)
        scores = quality(y, [partition.labels for partition in population])
        for partition, score in zip(population, scores, strict=True):
            partition.fitness.values = (score,)
        strategy.update(population)
    assert len(population) == 20
    assert {partition.founder for partition in population} == {0 if init == "founders" else -1}


def test_the_gaussian_moves_to_the_elites(blobs):
    strategy = make_strategy(*blobs)
    population = strategy.generate()
    for partition in population:
        partition.fitness.values = (0.0,)
    strategy.update(population)
    mean, deviation = strategy.mean, strategy.deviation
    kept = mean.copy()
    elites = np.stack([mean + 1, mean + 3])
    labels = np.zeros(len(blobs[0]), dtype=np.int64)
    strategy._move([Partition(labels, weights=weights) for weights in elites])
    np.testing.assert_array_equal(mean, kept)
    np.testing.assert_allclose(strategy.mean, mean + 0.7 * 2)
    expected = 0.7 * (1 + (0.5 * strategy.first_deviation) ** 2) + 0.3 * deviation**2
    np.testing.assert_allclose(strategy.deviation, np.sqrt(expected))


def test_one_elite_has_no_spread_and_moves_nothing(blobs):
    strategy = make_strategy(*blobs)
    population = strategy.generate()
    for partition in population:
        partition.fitness.values = (0.0,)
    strategy.update(population)
    mean, deviation = strategy.mean.copy(), strategy.deviation.copy()
    labels = np.zeros(len(blobs[0]), dtype=np.int64)
    strategy._move([Partition(labels, weights=mean + 1)])
    np.testing.assert_array_equal(strategy.mean, mean)
    np.testing.assert_array_equal(strategy.deviation, deviation)


def test_random_weights_find_blobs(blobs):
    X, y = blobs
    found = search_clusterings(
        X,
        lambda labelings: quality(y, labelings),
        rng=rng0(),
        strategy="cem",
        starts=[np.arange(len(X)) % 2],
        options={"init": "random", "n_hidden": 0},
        n_generations=30,
        patience=None,
    )
    assert found.score > 0.7


def test_unknown_init(blobs):
    with pytest.raises(ValueError, match="init must be 'founders' or 'random', got 'zeros'"):
        make_strategy(*blobs, init="zeros")
