"""Ways to cluster alphabets without K, and their figures."""

import importlib

import numpy as np
import pytest


@pytest.fixture(scope="module")
def modules(benchmark_path):
    """Methods of alphabets, critics of alphabets, methods in general."""
    names = ("alphabet_methods", "alphabet_critics", "suite_methods")
    return [importlib.import_module(name) for name in names]


@pytest.fixture(scope="module")
def methods(modules):
    return modules[0]


@pytest.fixture(scope="module")
def data(modules):
    """Two alphabets of 4 and 6 well separated characters."""
    rng = np.random.RandomState(0)
    characters = np.repeat(np.arange(10), 8)
    rows = 5 * np.eye(10)[characters] + 0.3 * rng.normal(size=(80, 10))
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    return modules[1].Embedded(rows.astype(np.float32), characters, (characters >= 4).astype(int))


def test_figures_of_known_clusterings(methods):
    characters = np.repeat([5, 7, 9], 4)
    found = methods.alphabet_figures(characters, np.repeat([2, 0, 1], 4))
    assert found == {"accuracy": 1.0, "NMI": 1.0, "error of K": 0.0, "K": 3.0, "found K": 3.0}
    found = methods.alphabet_figures(characters, np.zeros(12, dtype=int))
    assert found["accuracy"] == pytest.approx(1 / 3)
    assert (found["NMI"], found["error of K"], found["found K"]) == (0.0, 2.0, 1.0)
    found = methods.alphabet_figures(characters, np.arange(12) // 2)
    assert found["accuracy"] == 0.5
    assert found["error of K"] == 3.0


def test_means_are_over_alphabets(methods, data):
    given = []

    def cluster(rows, seed, k):
        given.append((rows.shape, rows.dtype, seed, k))
        return np.repeat(np.arange(4), 8) if len(rows) == 32 else np.zeros(48, dtype=int)

    found = methods.figures_of(cluster, data, 7, 50)
    assert given == [((32, 10), np.float64, 7, 50), ((48, 10), np.float64, 7, 50)]
    assert set(found["alphabets"]) == {"0", "1"}
    assert found["accuracy"] == pytest.approx((1 + 1 / 6) / 2)
    assert found["error of K"] == 2.5
    methods.figures_of(cluster, data, 7, None)
    assert [k for *_, k in given[2:]] == [4, 6]


def test_the_critic_chooses_among_all_numbers(methods, data):
    asked = []

    class Critic:
        def rank(self, X, labelings):
            asked.append([len(np.unique(labels)) for labels in labelings])
            return np.argsort([abs(len(np.unique(labels)) - 5) for labels in labelings])

    cluster = methods.critic_methods(Critic(), {})[methods.CHOICE]
    labels = cluster(data.rows.astype(np.float64), 0, 12)
    assert asked == [list(range(2, 13))]
    assert len(np.unique(labels)) == 5


def test_the_search_admits_all_numbers(methods, data, modules, monkeypatch):
    given = {}

    def by_critic(rows, seed, k, **parameters):
        given.update(parameters)
        return np.zeros(len(rows), dtype=int)

    monkeypatch.setattr(methods, "by_critic", by_critic)
    critic = modules[2].find_critic("tiny")
    methods.critic_methods(critic, {"n_generations": 3})[methods.SEARCH](data.rows, 0, 100)
    assert given["critic"].estimator is critic
    assert (given["search"], given["max_clusters"], given["n_generations"]) == ("genetic", 100, 3)


def test_others_find_what_is_easy(methods, data, modules):
    rivals = methods.rival_methods(modules[2].find_critic("tiny"))
    assert list(rivals) == [
        *("HDBSCAN, 3", "HDBSCAN, 5", "HDBSCAN, 10"),
        *("KMeans, Silhouette", methods.KNOWN),
    ]
    for name in ("HDBSCAN, 3", "KMeans, Silhouette", methods.KNOWN):
        most = None if name == methods.KNOWN else 10
        found = methods.figures_of(rivals[name], data, 0, most)
        assert found["accuracy"] == 1.0, name
