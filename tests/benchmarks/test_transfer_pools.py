"""Pools of clusterings: seeded, no two equal, the truth once, of all kinds."""

import importlib

import numpy as np
import pytest
from sklearn.metrics import adjusted_rand_score


@pytest.fixture(scope="module")
def modules(benchmark_path):
    """Pools, tasks and methods."""
    names = ("transfer_pools", "transfer_tasks", "suite_methods")
    return [importlib.import_module(name) for name in names]


@pytest.fixture(scope="module")
def pools(modules):
    return modules[0]


@pytest.fixture(scope="module")
def images(modules):
    return modules[1].load_images("Numbers", "test", None)


@pytest.fixture(scope="module")
def critic(modules):
    return modules[2].find_critic("tiny")


@pytest.fixture(scope="module")
def settings(pools):
    search = {"population_size": 4, "n_generations": 1, "max_clusters": 6}
    return {**pools.POOL_SETTINGS, "rows": (90, 120), "classes": (4, 6), "search": search}


@pytest.fixture(scope="module")
def made(pools, images, critic, settings):
    return pools.make_pools(images, 3, [0, 7], critic, settings)


def _same(first, second):
    return (
        np.array_equal(first.rows, second.rows)
        and np.array_equal(first.labels, second.labels)
        and first.kinds == second.kinds
    )


def test_full_pools_are_as_promised(pools):
    settings = pools.POOL_SETTINGS
    assert (settings["size"], settings["classes"], settings["rows"]) == (20, (2, 10), (200, 500))
    assert len(pools.ALGORITHMS) >= 8
    assert settings["search"] == {}


def test_no_two_clusterings_are_equal_and_the_truth_is_there_once(made, images):
    for pool in made:
        y = images.y[pool.rows]
        assert pool.labels.shape == (20, len(pool.rows))
        agreement = [adjusted_rand_score(y, labels) for labels in pool.labels]
        assert agreement[0] == 1.0
        assert max(agreement[1:]) < 1.0
        assert pool.kinds[0] == "truth"
        assert pool.kinds.count("truth") == 1
        pairs = np.triu([[adjusted_rand_score(a, b) for b in pool.labels] for a in pool.labels], 1)
        assert pairs.max() < 1.0


def test_every_kind_is_there(made, pools):
    for pool in made:
        assert pool.kinds.count(pools.SEARCHED) == 3
        assert sum(pool.kinds.count(kind) for kind in pools.PERTURBATIONS) == 5
        assert all(kind in pool.kinds for kind in pools.PERTURBATIONS)
        assert len(set(pool.kinds) & set(pools.ALGORITHMS)) >= 8
        numbers = {
            len(np.unique(labels))
            for labels, kind in zip(pool.labels, pool.kinds, strict=True)
            if kind in pools.ALGORITHMS
        }
        assert len(numbers) >= 3


def test_pools_are_seeded_and_few_are_the_first_of_many(pools, images, critic, settings, made):
    (again,) = pools.make_pools(images, 1, [0, 7], critic, settings)
    assert _same(again, made[0])
    (other,) = pools.make_pools(images, 1, [0, 8], critic, settings)
    assert not _same(other, made[0])
    hashes = [pools.describe_pools(some)["sha256"] for some in ([again], made[:1], [other], made)]
    assert hashes[0] == hashes[1]
    assert len(set(hashes)) == 3


def test_perturbed_clusterings_are_near_the_truth(made, pools, images):
    for pool in made:
        y, kinds = images.y[pool.rows], np.array(pool.kinds)
        for labels in pool.labels[kinds == "merged clusters"]:
            pairs = {(a, b) for a, b in zip(y, labels, strict=True)}
            assert len(pairs) == len(np.unique(y)) > len(np.unique(labels))
        for labels in pool.labels[kinds == "split clusters"]:
            pairs = {(a, b) for a, b in zip(y, labels, strict=True)}
            assert len(pairs) == len(np.unique(labels)) > len(np.unique(y))


def test_what_the_search_found_pleases_the_critic(made, pools, images, critic):
    for pool in made:
        rated = pools.rate_pool(pool, images, "Numbers")
        scores = critic.score_clusterings(rated.pool.X, list(pool.labels))
        searched = np.array(pool.kinds) == pools.SEARCHED
        assert scores[searched].mean() > scores[~searched].mean()


def test_pools_are_rated_by_the_truth(made, pools, images, modules):
    rated = pools.rate_pool(made[0], images, "Numbers")
    y = images.y[made[0].rows]
    slow = [adjusted_rand_score(y, labels) for labels in made[0].labels]
    np.testing.assert_allclose(rated.pool.quality, slow, atol=1e-12)
    X = modules[1].principal_components(images.pixels[made[0].rows])
    np.testing.assert_allclose(rated.pool.X, X, atol=1e-6)
    left = rated.without(pools.SEARCHED)
    assert len(left.labels) == len(left.quality) == 17
    assert left.quality[0] == 1.0


def test_without_a_search_algorithms_take_its_places(pools, images, critic, settings):
    (pool,) = pools.make_pools(images, 1, [0, 7], critic, {**settings, "searched": 0})
    assert len(pool.kinds) == 20
    assert pools.SEARCHED not in pool.kinds


def test_kinds_are_counted(pools, made):
    described = pools.describe_pools(made)
    assert described["tasks"] == 3
    assert described["kinds"]["truth"] == 1.0
    assert sum(described["kinds"].values()) == pytest.approx(20)


@pytest.mark.parametrize("k", [2, 7])
def test_algorithms_find_so_many_clusters(pools, k):
    rng = np.random.RandomState(0)
    rows = rng.normal(size=(90, 5)) + 8 * np.eye(5)[rng.randint(5, size=90)]
    for name, cluster in pools.ALGORITHMS.items():
        labels = pools.cluster_quietly(cluster, rows, 0, k)
        assert labels.shape == (90,)
        if name == "Birch":  # has no more subclusters, where its radius is large
            assert 2 <= len(np.unique(labels)) <= k
        elif name != "HDBSCAN":
            assert len(np.unique(labels)) == k, name
