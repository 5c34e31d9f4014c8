"""Figures of choices: ties, undefined scores, rank correlation, truth taken out."""

import importlib
import sys
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import spearmanr

_FOLDER = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture(scope="module")
def module():
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(_FOLDER))
        before = set(sys.modules)
        yield importlib.import_module("critic_figures")
        for name in {"critic_figures", "critic_pool"} - before:
            sys.modules.pop(name, None)


def _pool(module, quality, group="g", name="s"):
    labels = np.zeros((len(quality), 4), dtype=np.int16)
    return module.Pool(name, group, np.eye(4), labels, np.array(quality))


def test_figures_of_a_choice(module):
    scores, quality = np.array([0.1, 3.0, 2.0, np.nan]), np.array([0.2, 0.7, 0.705, 0.9])
    found = module.choice_figures(scores, quality)
    assert found["ARI"] == 0.7
    assert found["success"] == 0.0
    assert found["regret"] == pytest.approx(0.2)
    assert module.choice_figures(scores[:3], quality[:3])["success"] == 1.0


def test_ties_are_broken_by_no_order(module):
    quality = np.array([1.0, 0.0, 0.5, 0.5])
    found = module.choice_figures(np.array([2.0, 2.0, 1.0, 0.0]), quality)
    assert (found["ARI"], found["success"], found["regret"]) == (0.5, 0.5, 0.5)
    none = module.choice_figures(np.full(4, -np.inf), quality)
    assert (none["ARI"], none["correlation"]) == (0.5, 0.0)


def test_rank_correlation_is_spearmans(module):
    rng = np.random.default_rng(0)
    scores, quality = rng.integers(4, size=12).astype(float), rng.normal(size=12)
    found = module.choice_figures(scores, quality)["correlation"]
    assert found == pytest.approx(spearmanr(scores, quality).statistic)
    assert "correlation" not in module.choice_figures(scores, np.ones(12))


def test_limits_are_the_expected_value_and_the_best(module):
    pools = [_pool(module, [0.0, 0.4, 0.8]), _pool(module, [0.1, 0.3])]
    expected = module.judge(module.all_scores(module.random_choice, pools), pools)
    best = module.judge(module.all_scores(module.oracle, pools), pools)
    assert expected["groups"]["all"]["ARI"] == pytest.approx(0.3)
    assert best["groups"]["all"]["ARI"] == pytest.approx(0.55)
    assert best["groups"]["all"]["regret"] == 0
    assert best["groups"]["all"]["success"] == best["groups"]["all"]["correlation"] == 1


def test_means_are_taken_over_all_sets_and_each_group(module):
    pools = [
        _pool(module, [0.0, 1.0], "a", "1"),
        _pool(module, [0.5, 0.5], "a", "2"),
        _pool(module, [0.2, 0.6], "b", "3"),
    ]
    record = module.judge([np.array([1.0, 0.0])] * 3, pools)
    groups = record["groups"]
    assert groups["all"]["ARI"] == pytest.approx(0.7 / 3)
    assert (groups["all"]["n"], groups["a"]["n"], groups["b"]["n"]) == (3, 2, 1)
    assert groups["a"]["correlation"] == pytest.approx(-1)  # of the set that has one
    assert record["sets"] == {"1": 0.0, "2": 0.5, "3": 0.2}
    many = [_pool(module, [0.0, 1.0], name=str(i)) for i in range(51)]
    assert "sets" not in module.judge([np.zeros(2)] * 51, many)


def test_the_truth_is_taken_out_with_what_agrees_with_it(module):
    pools = [
        _pool(module, [1.0, 0.3, 1.0, 0.6]),
        _pool(module, [1.0, 0.0, 0.0]),
        _pool(module, [1.0]),
    ]
    scores = [np.arange(4.0), np.zeros(3), np.zeros(1)]
    left_scores, left = module.without_truth(scores, pools)
    assert [pool.quality.tolist() for pool in left] == [[0.3, 0.6]]  # no choice in the others
    assert left_scores[0].tolist() == [1.0, 3.0]
    assert left[0].labels.shape == (2, 4)
    twice = module.judge_twice(scores, pools)
    assert twice[module.WITH_TRUTH]["groups"]["all"]["n"] == 3
    assert twice[module.WITHOUT_TRUTH]["groups"]["all"]["regret"] == 0
    assert module.judge([], [])["groups"] == {}


def test_relative_time_is_a_ratio_of_fresh_pools(module, monkeypatch):
    seconds = iter(range(100))
    monkeypatch.setattr(module.time, "perf_counter", lambda: float(next(seconds)))
    seen = []
    pools = [_pool(module, [0.0, 1.0], name=str(i)) for i in range(7)]
    assert module.relative_time(seen.append, lambda pool: None, pools) == 1.0
    assert [pool.name for pool in seen[1:]] == ["0", "2", "4"]
    assert all(pool is not one for pool, one in zip(seen[1:], pools[::2], strict=False))
