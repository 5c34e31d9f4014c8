"""The clustering network and the cross-entropy method over its weights."""

import numpy as np
import pytest
from scipy.spatial.distance import cdist

from skdeepclust.critic import quality
from skdeepclust.search import Bounds, make_prototypes, search_clusterings
from skdeepclust.search import _cem as module
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
    labelings = y if isinstance(y, list) else [y]
    founders = make_founders(prototypes, rng0(), labelings, bounds)
    return CrossEntropyStrategy(Ancestry(X, prototypes, founders, bounds), rng0(), 20, **kwargs)


def test_eigenvectors_let_networks_have_clusters_of_any_shape(moons):
    X, y = moons
    shares = {}
    for n_eigenvectors in (0, 8):
        strategy = make_strategy(X, y, n_eigenvectors=n_eigenvectors)
        network = strategy.generate()[1]
        assert network.weights is not None
        shares[n_eigenvectors] = float(quality(y, [network.labels])[0])
    assert shares[8] > 0.95 > 0.7 > shares[0]


def test_features_are_coordinates_and_eigenvectors(moons):
    X, y = moons
    plain = make_strategy(X, y, n_eigenvectors=0).Z
    Z = make_strategy(X, y).Z
    assert Z.shape == (300, 2 + 8)
    np.testing.assert_array_equal(Z[:, :2], plain)
    np.testing.assert_allclose(np.square(Z[:, 2:]).mean(axis=0), 1, rtol=1e-6)
    few = make_strategy(X[:11], np.arange(11) % 3).Z
    assert few.shape == (11, 2)
    assert make_strategy(X[:12], np.arange(12) % 3).Z.shape == (12, 10)


def test_of_very_many_rows_some_have_eigenvectors_and_others_follow(moons, monkeypatch):
    X, y = moons
    monkeypatch.setattr(module, "_MAX_ROWS", 60)
    eigenvectors = make_strategy(X, y).Z[:, 2:]
    assert len(np.unique(eigenvectors, axis=0)) <= 60


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


def test_sizes_of_weights(blobs):
    """Those in the place of a weight: of A and a as they are drawn, of V as of W."""
    X, y = blobs
    network = ClusteringNetwork(2, 4_000, 6)
    weights = network.from_labels(X, y, rng0())
    W, b, _, A, a = network.unpack(weights)
    sizes = network.unpack(network.sizes(weights))
    direct = np.sqrt(np.mean([(W[:, j] - W[:, j].mean()) ** 2 for j in range(2)]))
    for found, expected in zip(sizes, (direct, b.std(), direct, A.std(), a.std()), strict=True):
        assert np.ptp(found) == 0
        assert found.flat[0] == pytest.approx(expected, rel=0.05)
    one = ClusteringNetwork(2, 0, 1)
    np.testing.assert_array_equal(one.sizes(np.arange(3.0)), 1.0)


def with_weights(weights, score, labels):
    partition = Partition(labels, founder=0, weights=weights)
    partition.fitness.values = (score,)
    return partition


def started(blobs, score=0.0, **kwargs):
    """A strategy after the generation of its founders."""
    strategy = make_strategy(*blobs, **kwargs)
    population = strategy.generate()
    for partition in population:
        partition.fitness.values = (score,)
    strategy.update(population)
    return strategy


@pytest.mark.parametrize(("share", "n"), [(0.15, 3), (0.25, 5), (0.01, 2)])
def test_the_gaussian_moves_to_a_share_of_the_samples(blobs, share, n):
    strategy = started(blobs, elite_share=share)
    mean, labels = strategy.mean, np.zeros(len(blobs[0]), dtype=np.int64)
    steps = rng0().permutation(20).astype(float)
    strategy.update([with_weights(mean + step, step, labels) for step in steps])
    best = np.sort(steps)[-n:]
    np.testing.assert_allclose(strategy.mean, mean + 0.7 * best.mean())


def test_the_gaussian_starts_at_the_best_network(blobs):
    X, y = blobs
    strategy = make_strategy(X, [y % 2, y, y % 3])
    population = strategy.generate()
    scores = quality(y, [partition.labels for partition in population])
    for partition, score in zip(population, scores, strict=True):
        partition.fitness.values = (score,)
    strategy.update(population)
    best = max((p for p in population if p.weights is not None), key=lambda p: p.score)
    np.testing.assert_array_equal(strategy.mean, best.weights)
    assert strategy.founder == best.founder == 1
    ratios = strategy.deviation / strategy.network.sizes(strategy.mean)
    np.testing.assert_allclose(ratios, ratios[0])
    strategy._restart()
    ratios = strategy.deviation / strategy.network.sizes(strategy.mean)
    np.testing.assert_allclose(ratios, ratios[0])


def test_noise_on_top_of_the_elites_decays(blobs):
    strategy = started(blobs)
    labels = np.zeros(len(blobs[0]), dtype=np.int64)
    elites = [with_weights(strategy.mean, 0.0, labels)] * 3  # which do not vary at all
    expected = strategy.deviation**2
    for generation in range(6):
        extra = module._EXTRA_NOISE * module._DECAY**generation * strategy.first_deviation
        expected = 0.7 * extra**2 + 0.3 * expected
        strategy._move(elites)
        np.testing.assert_allclose(strategy.deviation, np.sqrt(expected))


def test_restarts(blobs, monkeypatch):
    """After two generations without a better network, counted anew after each restart."""
    monkeypatch.setattr(module, "_MAX_STALLS", 2)
    strategy, restarts = started(blobs, 0.5), []
    restart = strategy._restart
    monkeypatch.setattr(strategy, "_restart", lambda: (restarts.append(True), restart()))
    labels = blobs[1].astype(np.int64)
    counts = []
    for score in (0.25, 0.5, 0.125, 0.75, 0.75, 0.25, 0.5, 0.5):
        strategy.update([with_weights(strategy.mean, score, labels)])
        counts.append(len(restarts))
    assert counts == [0, 1, 1, 1, 1, 2, 2, 3]


@pytest.mark.parametrize(("admitted", "n_wanted"), [(1, 20), (2, 20), (9, 8), (1_000, 1)])
def test_samples_are_drawn_until_there_are_enough(blobs, monkeypatch, admitted, n_wanted):
    """One of so many is within the bounds; of none the first founder is all there is."""
    strategy, drawn = started((blobs[0], [blobs[1], blobs[1] % 2])), []
    one, two = np.zeros(len(blobs[0]), dtype=np.int64), blobs[1] % 2

    def sample():
        drawn.append(len(drawn) + 1)
        return Partition(two if drawn[-1] % admitted == 0 else one)

    monkeypatch.setattr(strategy, "_sample", sample)
    population = strategy.generate()
    assert len(population) == n_wanted
    # Four times as many as are wanted at most, and none after there are enough.
    assert len(drawn) == 20 * min(admitted, 4)
    assert {partition.n_clusters for partition in population} <= {2, 6}
    if admitted == 1_000:
        assert population == [strategy.ancestry.founders[0]]


def test_samples_vary_as_the_gaussian_does(blobs):
    strategy = started(blobs)
    weights = np.stack([strategy._sample().weights for _ in range(400)])
    np.testing.assert_allclose(weights.std(axis=0), strategy.deviation, rtol=0.2)
    errors = (weights.mean(axis=0) - strategy.mean) / strategy.deviation
    assert np.abs(errors).max() < 5 / 400**0.5


@pytest.mark.parametrize(("k", "n_outputs"), [(2, 4), (5, 7), (6, 8), (7, 8), (8, 8)])
def test_networks_have_two_outputs_more_than_clusters(blobs, k, n_outputs):
    """But no more than there may be clusters."""
    labels = np.arange(len(blobs[0])) % k
    strategy = started((blobs[0], labels))
    assert strategy.network.n_outputs == n_outputs
    strategy._best = (strategy.network, with_weights(strategy.mean, 0.0, labels))
    strategy._restart()
    assert strategy.network.n_outputs == n_outputs


def test_first_weights_vary_by_two_fifths_of_their_size(blobs):
    """Enough for other partitions, not so much that nothing of the start is left."""
    strategy = started(blobs)
    for _ in range(2):
        sizes = strategy.network.sizes(strategy.mean)
        np.testing.assert_allclose(strategy.deviation, 0.4 * sizes)
        strategy._restart()


def test_noise_on_top_of_the_elites_loses_a_tenth_in_each_generation(blobs):
    strategy = started(blobs, learning_rate=1.0)
    labels = np.zeros(len(blobs[0]), dtype=np.int64)
    elites = [with_weights(strategy.mean, 0.0, labels)] * 3  # which do not vary at all
    for generation in range(8):
        strategy._move(elites)
        noise = 0.5 * 0.9**generation * strategy.first_deviation
        np.testing.assert_allclose(strategy.deviation, noise)


def test_the_search_begins_anew_after_six_generations_without_a_better_network(blobs, monkeypatch):
    strategy, restarts = started(blobs, 0.5), []
    monkeypatch.setattr(strategy, "_restart", lambda: restarts.append(True))
    labels, counts = blobs[1].astype(np.int64), []
    for score in (0.25, 0.5, 0.75, 0.75, 0.5, 0.25, 0.75, 0.5, 0.75):
        strategy.update([with_weights(strategy.mean, score, labels)])
        counts.append(len(restarts))
    assert counts == [0] * 8 + [1]


@pytest.mark.parametrize("scale", [0.01, 1.0])
@pytest.mark.parametrize("wider", [False, True])
def test_spare_outputs_stay_below_the_winners_by_the_spread_of_the_outputs(blobs, scale, wider):
    """Where they come nearest to one: they win no row, but with a little noise they might."""
    Z, y = scale * blobs[0], blobs[1]
    network = ClusteringNetwork(2, 3, 6)
    weights = network.from_labels(Z, y, rng0())
    own = network.logits(Z, weights)
    if wider:
        network = ClusteringNetwork(2, 3, 9)
        found = network.widen(Z, ClusteringNetwork(2, 3, 6), weights, rng0())
    else:
        network = ClusteringNetwork(2, 3, 9)
        found = network.from_labels(Z, y, rng0())
    logits = network.logits(Z, found)
    np.testing.assert_allclose(logits[:, :6], own)
    best = own.max(axis=1, keepdims=True)
    least_gaps = (best - logits[:, 6:]).min(axis=0)
    np.testing.assert_allclose(least_gaps, (own - best).std())
