"""Searches are compared at equal numbers of evaluations, from the same starts."""

import importlib

import numpy as np
import pytest

from skdeepclust.critic import quality


@pytest.fixture(scope="module")
def modules(benchmark_path):
    """The program and its part on searches."""
    names = ("bench_suite", "suite_search", "suite_measurements")
    return [importlib.import_module(name) for name in names]


@pytest.fixture(scope="module")
def suite_search(modules):
    return modules[1]


@pytest.fixture(scope="module")
def bench(modules):
    program, _, measurements = modules
    options = program.parse_options(["--quick", "--sets", "2", "--evaluations", "90"])
    return measurements.Bench(options, program.Store(None, {}))


def test_evaluations_beyond_the_limit_do_not_count(suite_search, bench):
    X = np.random.default_rng(0).normal(size=(30, 2))
    labelings = np.random.default_rng(1).integers(3, size=(12, 30))
    everything = suite_search.EvaluationLog(bench.critic.network_, X, 99)
    scores = everything(labelings)
    np.testing.assert_allclose(scores, bench.critic.score_clusterings(X, labelings), atol=1e-5)
    assert everything.best_after(12) == everything.best_after(99) == scores.max()
    log = suite_search.EvaluationLog(bench.critic.network_, X, 7)
    for part in np.split(labelings, 3):
        assert len(log(part)) == 4
    # Sums in a batch round by position.
    assert log.scores == pytest.approx(scores[:7].tolist(), abs=1e-6)
    assert log.best_after(3) == pytest.approx(scores[:3].max(), abs=1e-6)
    np.testing.assert_array_equal(log.labels, labelings[scores[:7].argmax()])


def test_sets_are_drawn_by_number_and_have_few_rows(suite_search):
    drawn = [suite_search.draw_set(i, max_rows=50) for i in range(6)]
    assert max(len(data.X) for data in drawn) <= 50
    assert all(len(data.X) == len(data.y) for data in drawn)
    assert len({data.X.tobytes() for data in drawn}) == 6
    again = suite_search.draw_set(3, max_rows=50)
    np.testing.assert_array_equal(again.X, drawn[3].X)
    # Training draws from seeds of 31 bits.
    assert suite_search._FIRST_NUMBER >= 2**31


def test_every_search_has_the_same_start_and_does_not_fall_below(suite_search, bench, monkeypatch):
    few = suite_search.draw_set(0, max_rows=40)
    network = bench.critic.network_
    searched = [suite_search._search(network, few, n, 120, 5) for n in suite_search.SEARCHES]
    starts = [start for _, start in searched]
    assert all(start == starts[0] for start in starts)
    for found, start in searched:
        assert found["score"] >= start["score"]
        assert found["evaluations"] <= 120
        assert list(found["scores"]) == ["30", "60", "120"]
        assert found["scores"]["30"] <= found["scores"]["60"] <= found["score"]
    monkeypatch.setattr(suite_search, "draw_set", lambda number: few)
    record = suite_search._search_set(network, 5, 120)
    assert record["start"] == starts[0]
    assert record["genetic"] == searched[0][0]


def test_the_ari_is_that_of_the_clustering_with_the_best_score(suite_search, bench):
    data = suite_search.draw_set(1, max_rows=40)
    log = suite_search.EvaluationLog(bench.critic.network_, data.X, 50)
    labelings = np.random.default_rng(2).integers(3, size=(20, len(data.X)))
    scores = log(labelings)
    figures = suite_search._figures(log, data, 50)
    assert figures["ARI of the best"] == quality(data.y, [labelings[scores.argmax()]])[0]
    assert figures["evaluations"] == 20


def test_only_missing_sets_are_searched(suite_search, bench, monkeypatch):
    searched = []

    def search(network, number, evaluations):
        searched.append(number)
        return {"made": float(evaluations)}

    monkeypatch.setattr(suite_search, "_search_set", search)
    for evaluations, n_sets, wanted in ((90, 2, [0, 1]), (90, 3, [2]), (80, 1, [0])):
        bench.options.evaluations, bench.options.sets = evaluations, n_sets
        suite_search.measure_searches(bench, "search")
        assert searched == wanted
        searched.clear()
    assert {k: r["made"] for k, r in bench.store.records["search"].items()} == {"0": 80.0}
