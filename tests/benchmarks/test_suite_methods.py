"""Clusterers that are compared: they find what they can find, and are told what they should be."""

import importlib
from functools import partial

import numpy as np
import pytest
from sklearn.cluster import AgglomerativeClustering
from sklearn.datasets import make_blobs
from sklearn.metrics import adjusted_rand_score, silhouette_samples
from sklearn.mixture import GaussianMixture

from skdeepclust import CriticClusterer, save

# A tiny critic is no judge, and these make many clusters by default, or call small ones noise.
_UNRELIABLE = {"AffinityPropagation", "OPTICS", "HDBSCAN, 50"}


@pytest.fixture(scope="module")
def suite(benchmark_path):
    return importlib.import_module("suite_methods")


@pytest.fixture(scope="module")
def critic(suite):
    return suite.find_critic("tiny")


@pytest.fixture(scope="module")
def methods(suite, critic):
    return suite.make_methods(critic, {"population_size": 4, "n_generations": 1})


@pytest.fixture(scope="module")
def blobs():
    """Three far blobs of 30 rows."""
    centers = [(0, 0), (20, 0), (0, 20)]
    return make_blobs(90, centers=centers, cluster_std=0.7, random_state=0)


def test_far_blobs_are_found_by_all_that_can(suite, methods, blobs):
    X, y = blobs
    missed = {
        name
        for name, method in methods.items()
        if name not in suite.OURS.values()
        and adjusted_rand_score(
            y, suite.cluster_quietly(method.cluster, X, 0, 3 if method.knows_k else 6)
        )
        < 0.9
    }
    assert missed <= _UNRELIABLE


def test_what_is_not_random_does_not_depend_on_the_seed(suite, methods):
    X = np.random.default_rng(0).normal(size=(50, 2))
    for name, method in methods.items():
        if not method.is_random:
            first, second = (suite.cluster_quietly(method.cluster, X, s, 4) for s in (0, 1))
            np.testing.assert_array_equal(first, second, err_msg=name)


def test_every_clusterer_answers_on_few_and_on_equal_rows(suite, methods):
    X = np.repeat(np.random.default_rng(1).normal(size=(12, 3)), 2, axis=0)
    for name, method in methods.items():
        labels = suite.cluster_quietly(method.cluster, X, 0, 3)
        assert labels.shape == (24,), name
        assert labels.min() >= 0, name


def test_ours_is_the_estimator_with_that_critic(suite, critic, blobs):
    shared = {"critic": critic, "population_size": 4, "n_generations": 1}
    for search, name in suite.OURS.items():
        method = suite.make_methods(critic, {"population_size": 4, "n_generations": 1})[name]
        wanted = CriticClusterer(search=search, random_state=3, **shared).fit_predict(blobs[0])
        np.testing.assert_array_equal(method.cluster(blobs[0], 3, 99), wanted)


def test_silhouette_chooses_the_number_of_clusters(suite, blobs):
    X = np.random.default_rng(2).normal(size=(60, 2))
    make = partial(suite.at_each_k, cluster=suite.k_means)
    labelings = list(make(X, 0, 6))
    assert [len(np.unique(labels)) for labels in labelings] == [2, 3, 4, 5, 6]
    widths = [silhouette_samples(X, labels).mean() for labels in labelings]
    found = suite.best_silhouette(X, 0, 6, make)
    np.testing.assert_array_equal(found, labelings[int(np.argmax(widths))])


def test_silhouettes_of_many_clusterings_are_those_of_each(suite, monkeypatch):
    monkeypatch.setattr(suite, "_BLOCK_ROWS", 17)
    rng = np.random.default_rng(6)
    X = rng.normal(size=(60, 3))
    labelings = [rng.integers(k, size=60) * 2 + 1 for k in (2, 3, 9)]
    labelings.append(np.where(np.arange(60) < 3, np.arange(60), 7))  # some rows are alone
    wanted = [silhouette_samples(X, labels).mean() for labels in labelings]
    undefined = [np.zeros(60), np.arange(60)]
    found = suite.mean_silhouettes(X, [*labelings, *undefined])
    np.testing.assert_allclose(found, [*wanted, -1, -1], atol=1e-12)


def test_cuts_of_a_tree_are_agglomerative_clusterings(suite):
    X = np.random.default_rng(3).normal(size=(40, 3))
    for method in ("ward", "average"):
        for k, labels in enumerate(suite.tree_cuts(X, 0, 5, method), start=2):
            wanted = AgglomerativeClustering(k, linkage=method).fit_predict(X)
            assert adjusted_rand_score(wanted, labels) == 1


def test_bic_chooses_the_number_of_components(suite):
    X = make_blobs(150, centers=4, cluster_std=0.5, random_state=5)[0]
    criteria = {}
    for k in range(2, 7):
        floor = 1e-6 * X.var(axis=0).mean()
        criteria[k] = GaussianMixture(k, reg_covar=floor, random_state=0).fit(X).bic(X)
    found = suite.mixture_by_bic(X, 0, 6)
    assert len(np.unique(found)) == min(criteria, key=criteria.get)


def test_the_knee_is_farthest_from_the_line(suite):
    rng = np.random.default_rng(4)
    for _ in range(5):
        values = rng.exponential(size=30) ** 2
        ordered = sorted(values)
        rise = (ordered[-1] - ordered[0]) / (len(ordered) - 1)
        below = [ordered[0] + rise * i - value for i, value in enumerate(ordered)]
        assert suite.knee_distance(values) == ordered[below.index(max(below))]


def test_affinity_propagation_sees_a_sample(suite, blobs, monkeypatch):
    monkeypatch.setattr(suite, "MAX_PROPAGATION_ROWS", 30)
    X, y = blobs
    labels = suite.affinity_propagation(X, 0, 9)
    assert labels.shape == y.shape
    assert labels.min() == 0
    assert all(len(np.unique(y[labels == c])) == 1 for c in np.unique(labels))
    assert labels.max() + 1 <= 30


def test_noise_joins_a_cluster_and_warnings_are_kept_back(suite, recwarn):
    X = np.array([[0.0], [0.1], [5.0], [5.1], [4.0]])
    joined = suite.cluster_quietly(lambda rows, seed, k: np.array([0, 0, 1, 1, -1]), X, 0, 2)
    assert joined.tolist() == [0, 0, 1, 1, 1]
    suite.cluster_quietly(suite.k_means, np.ones((6, 2)), 0, 3)
    assert not recwarn


def test_of_infinitely_good_clusterings_genie_takes_the_most_clusters(suite, blobs):
    pytest.importorskip("genieclust")
    X = blobs[0] * 100
    assert len(np.unique(suite.genie_by_dunn(X, 0, 6))) == 3


def test_genie_is_left_out_where_it_is_not_installed(suite, critic, monkeypatch):
    monkeypatch.setattr(suite, "find_spec", lambda name: None)
    assert not [name for name in suite.make_methods(critic, {}) if "Genie" in name]


def test_critics_are_told_apart_by_their_weights(suite, critic, tmp_path):
    save(critic, tmp_path / "critic.safetensors")
    again = suite.find_critic(str(tmp_path / "critic.safetensors"))
    assert suite.fingerprint(again) == suite.fingerprint(critic)
    assert suite.fingerprint(suite.find_critic("tiny")) == suite.fingerprint(critic)
    with pytest.raises(SystemExit, match="--critic nothing"):
        suite.find_critic("nothing")
    again.network_.load_state_dict({k: v + 1 for k, v in again.network_.state_dict().items()})
    assert suite.fingerprint(again) != suite.fingerprint(critic)
