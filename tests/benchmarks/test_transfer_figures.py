"""Figures of choices: Best and Top 3 against all orders of ties, regret against its definition."""

import importlib
import itertools

import numpy as np
import pytest


@pytest.fixture(scope="module")
def modules(benchmark_path):
    """Figures and pools."""
    names = ("transfer_figures", "transfer_pools", "critic_pool")
    return [importlib.import_module(name) for name in names]


@pytest.fixture(scope="module")
def figures(modules):
    return modules[0]


def _slow_chance(scores, place, n_top):
    """Share of all orders of the clusterings in which a stable sort leaves this one at the top."""
    hits = []
    for order in itertools.permutations(range(len(scores))):
        ranked = sorted(order, key=lambda i: -scores[i])
        hits.append(place in ranked[:n_top])
    return np.mean(hits)


@pytest.mark.parametrize("seed", range(8))
def test_chance_in_top_is_that_of_random_orders_of_ties(figures, seed):
    scores = np.random.RandomState(seed).randint(3, size=6).astype(float)
    for place in range(6):
        for n_top in (1, 3):
            expected = _slow_chance(scores, place, n_top)
            assert figures.chance_in_top(scores, place, n_top) == pytest.approx(expected)


def test_scores_that_are_not_defined_are_the_worst(figures):
    scores = np.array([0.1, np.nan, -np.inf, -0.2])
    assert figures.chance_in_top(scores, 0, 1) == 1.0
    assert figures.chance_in_top(scores, 1, 3) == 0.5
    assert figures.chance_in_top(np.full(4, np.nan), 2, 1) == 0.25


def test_figures_of_a_pool(figures):
    quality = np.array([1.0, 0.9, 0.5, 0.1, 0.7])
    found = figures.pool_figures(np.array([3.0, 5.0, 4.0, 0.0, 1.0]), quality)
    assert found == pytest.approx({"Best": 0.0, "Top 3": 1.0, "ARI": 0.9, "regret": 0.0})
    found = figures.pool_figures(np.array([0.0, 1.0, 4.0, 3.0, 2.0]), quality)
    assert found == pytest.approx({"Best": 0.0, "Top 3": 0.0, "ARI": 0.5, "regret": 0.4})
    found = figures.pool_figures(np.array([9.0, 0.0, 0.0, 1.0, 0.0]), quality)
    assert found == pytest.approx({"Best": 1.0, "Top 3": 1.0, "ARI": 1.0, "regret": 0.8})


def test_chance_is_known(figures):
    quality = np.concatenate([[1.0], np.linspace(0, 0.9, 19)])
    found = figures.pool_figures(np.zeros(20), quality)
    assert found["Best"] == pytest.approx(1 / 20)
    assert found["Top 3"] == pytest.approx(3 / 20)
    assert found["ARI"] == pytest.approx(quality.mean())
    assert found["regret"] == pytest.approx(0.9 - 0.45)


def test_means_are_taken_with_and_without_the_search(figures, modules):
    _, pools, critic_pool = modules
    X, labels = np.zeros((3, 1)), np.zeros((4, 3), dtype=np.int16)
    rated = [
        pools.RatedPool(
            critic_pool.Pool(name, name, X, labels, np.array([1.0, 0.2, 0.6, 0.4])),
            (pools.TRUTH, pools.SEARCHED, "Ward", "k-means"),
        )
        for name in ("a", "b")
    ]
    scores = {"a": np.array([2.0, 3.0, 1.0, 0.0]), "b": np.array([1.0, 0.0, 2.0, 3.0])}
    found = figures.judge_choices(lambda pool: scores[pool.name], rated)
    assert found["all clusterings"] == pytest.approx(
        {"Best": 0.0, "Top 3": 1.0, "ARI": (0.2 + 0.4) / 2, "regret": (0.4 + 0.2) / 2}
    )
    assert found["without those of the search"] == pytest.approx(
        {"Best": 0.5, "Top 3": 1.0, "ARI": (1.0 + 0.4) / 2, "regret": (0.0 + 0.2) / 2}
    )
