"""The search: better than its starts and than baselines, reproducible, ends when told."""

import ast
import inspect
import pickle
import re
from contextlib import suppress
from itertools import count

import numpy as np
import pytest

from skdeepclust.critic import quality
from skdeepclust.search import (
    STRATEGIES,
    Bounds,
    Deadline,
    Partition,
    difference,
    portfolio,
    search_clusterings,
)
from skdeepclust.search import _loop as module
from skdeepclust.search._cem import ClusteringNetwork
from skdeepclust.search._genetic import GeneticStrategy

from .conftest import grid_blobs


def truth_score(y):
    return lambda labelings: quality(y, labelings)


def poor_starts(n, seed=0):
    rng = np.random.RandomState(seed)
    return [rng.randint(3, size=n), (np.arange(n) * 4) // n]


def search(X, y, seed=0, **kwargs):
    kwargs = {"population_size": 24, "n_generations": 15, "patience": None} | kwargs
    return search_clusterings(X, truth_score(y), rng=np.random.RandomState(seed), **kwargs)


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_result_is_consistent_and_never_below_the_best_start(blobs, strategy):
    X, y = blobs
    starts = [*poor_starts(len(X)), np.where(np.arange(len(X)) % 7 == 0, 0, y)]
    result = search(X, y, strategy=strategy, starts=starts, n_generations=5)
    assert result.best_start.score == pytest.approx(quality(y, starts).max())
    assert result.score >= result.best_start.score
    assert quality(y, [result.labels])[0] == pytest.approx(result.score)
    assert result.alternatives[0].score == result.score
    np.testing.assert_array_equal(result.alternatives[0].labels, result.labels)
    scores = [alternative.score for alternative in result.alternatives]
    assert scores == sorted(scores, reverse=True)
    for i, first in enumerate(result.alternatives):
        for second in result.alternatives[:i]:
            assert difference(first.labels, second.labels) >= 0.02
    history = result.history
    assert {len(values) for values in history.values()} == {6}
    assert history["best"] == sorted(history["best"])
    assert history["best"][-1] == result.score
    assert history["n_clusters"][-1] == result.labels.max() + 1
    assert all(mean <= best for mean, best in zip(history["mean"], history["best"], strict=True))
    assert history["n_evaluations"][0] >= 3
    assert (np.diff(history["n_evaluations"]) >= 0).all()


@pytest.mark.parametrize("strategy", ["genetic", "cem"])
def test_poor_starts_become_the_truth_on_moons(moons, strategy):
    X, y = moons
    result = search(X, y, strategy=strategy, starts=poor_starts(len(X)), n_generations=40)
    assert result.best_start.score < 0.4
    assert result.score > 0.97


def test_poor_starts_become_the_truth_on_blobs(blobs):
    X, y = blobs
    result = search(X, y, starts=poor_starts(len(X)), n_generations=40)
    assert result.score > 0.97


def test_genetic_search_beats_the_baselines():
    means = {}
    for strategy in ("genetic", "random", "hill_climbing"):
        scores = []
        for seed in range(6):
            X, y = grid_blobs(450, 9, 1.0, seed)
            starts = [*poor_starts(450, seed), (X[:, 0] > X[:, 0].mean()).astype(int)]
            settings = {"strategy": strategy, "starts": starts, "population_size": 32}
            result = search(X, y, seed, n_generations=60, max_evaluations=1_200, **settings)
            scores.append(result.score)
        means[strategy] = np.mean(scores)
    assert means["genetic"] > means["random"]
    assert means["genetic"] > means["hill_climbing"]


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_results_follow_from_the_seed(moons, strategy):
    X, y = moons
    results = [search(X, y, 3, strategy=strategy, n_generations=3, n_starts=12) for _ in range(2)]
    np.testing.assert_array_equal(results[0].labels, results[1].labels)
    assert results[0].history == results[1].history


def test_whole_generations_are_scored_in_one_call_and_partitions_once(blobs):
    X, y = blobs
    calls = []

    def score(labelings):
        assert labelings.dtype == np.int64
        calls.append(labelings.copy())
        return quality(y, labelings)

    result = search_clusterings(
        X, score, rng=np.random.RandomState(0), strategy="cem", n_generations=6, n_starts=12
    )
    assert len(calls) <= 7
    keys = [Partition(labels).key for labels in np.concatenate(calls)]
    assert len(keys) == len(set(keys)) == result.history["n_evaluations"][-1]


@pytest.mark.parametrize("strategy", ["genetic", "random"])
def test_trust_keeps_near_the_starts(blobs, strategy):
    X, y = blobs
    starts = [(np.arange(len(X)) * 4) // len(X)]
    near = search(X, y, strategy=strategy, starts=starts, trust=0.05)
    free = search(X, y, strategy=strategy, starts=starts)
    assert difference(near.labels, starts[0]) <= 0.05 + 1e-9
    assert near.best_start.score <= near.score < free.score
    none = search(X, y, strategy=strategy, starts=starts, trust=0.0)
    assert none.score == none.best_start.score


@pytest.mark.parametrize("strategy", ["genetic", "cem"])
@pytest.mark.parametrize("k", [1, 4])
def test_number_of_clusters_can_be_fixed(moons, strategy, k):
    X, y = moons
    result = search(X, y, strategy=strategy, min_clusters=k, max_clusters=k, n_generations=4)
    assert {len(np.unique(found.labels)) for found in result.alternatives} == {k}


def test_patience():
    X, _ = grid_blobs(60, 3, 0.5)
    settings = {"rng": np.random.RandomState(0), "n_starts": 12, "population_size": 8}
    flat = search_clusterings(X, lambda c: np.zeros(len(c)), patience=4, **settings)
    assert flat.stopped_by == "patience"
    assert len(flat.history["best"]) == 5
    ever = count()
    rising = search_clusterings(
        X,
        lambda c: np.full(len(c), float(next(ever))),
        patience=2,
        n_generations=9,
        **settings,
    )
    assert rising.stopped_by == "generations"
    assert len(rising.history["best"]) == 10
    crawling = search_clusterings(
        X, lambda c: np.full(len(c), 1e-9 * next(ever)), patience=3, **settings
    )
    assert crawling.stopped_by == "patience"


class TestTime:
    @pytest.mark.parametrize("strategy", STRATEGIES)
    def test_slow_scores_end_the_search_in_time(self, clock, blobs, strategy):
        X, y = blobs
        score, began = clock.slow(truth_score(y), 0.02), clock.now
        result = search_clusterings(
            X,
            score,
            rng=np.random.RandomState(0),
            strategy=strategy,
            n_starts=12,
            n_generations=1_000,
            patience=None,
            max_time=5.0,
        )
        assert result.stopped_by == "time"
        assert 4.5 < clock.now - began <= 5.5
        assert len(result.history["best"]) > 2
        assert quality(y, [result.labels])[0] == pytest.approx(result.score)

    @pytest.mark.parametrize("strategy", STRATEGIES)
    def test_starts_for_which_there_is_no_time_are_left_out(self, clock, blobs, strategy):
        X, y = blobs
        starts = [np.arange(len(X)) % k for k in range(2, 12)]
        score = clock.slow(truth_score(y), 1.0)
        settings = {"strategy": strategy, "starts": starts, "max_time": 5.5}
        result = search_clusterings(X, score, rng=np.random.RandomState(0), **settings)
        assert result.stopped_by == "time"
        assert result.history["n_evaluations"] == [5]
        assert result.best_start.score == pytest.approx(quality(y, starts[:5]).max())
        assert len(result.alternatives) <= 5

    @pytest.mark.parametrize("strategy", STRATEGIES)
    @pytest.mark.parametrize("fewest", [1, 3])
    def test_no_time_at_all_gives_a_valid_result(self, clock, blobs, strategy, fewest):
        X, y = blobs
        settings = {"min_clusters": fewest, "max_time": 1e-9, "strategy": strategy}
        score = clock.slow(truth_score(y), 1.0)
        result = search_clusterings(X, score, rng=np.random.RandomState(0), **settings)
        assert result.stopped_by == "time"
        assert result.history["n_evaluations"] == [1]
        assert result.labels.max() + 1 >= fewest
        assert result.score == result.best_start.score == result.alternatives[0].score

    @pytest.mark.parametrize("seconds", [0.05, 0.3])
    def test_slow_children_end_the_search_in_time(self, clock, blobs, monkeypatch, seconds):
        make_child = GeneticStrategy._make_child

        def slowly(self):
            clock.now += seconds
            return make_child(self)

        monkeypatch.setattr(GeneticStrategy, "_make_child", slowly)
        began = clock.now
        result = search(*blobs, max_time=7.0, n_generations=100, n_starts=12)
        assert result.stopped_by == "time"
        assert 6.5 < clock.now - began <= 7.7

    def test_slow_networks_end_the_search_in_time(self, clock, blobs, monkeypatch):
        assign = ClusteringNetwork.assign

        def slowly(self, Z, weights):
            clock.now += 0.1
            return assign(self, Z, weights)

        monkeypatch.setattr(ClusteringNetwork, "assign", slowly)
        began = clock.now
        result = search(*blobs, strategy="cem", max_time=7.0, n_generations=100, n_starts=30)
        assert result.stopped_by == "time"
        assert clock.now - began <= 7.7
        assert len(result.history["best"]) > 1

    def test_time_that_is_not_needed_changes_nothing(self, clock, blobs):
        free, limited = (search(*blobs, max_time=time, n_starts=12) for time in (None, 1e6))
        np.testing.assert_array_equal(free.labels, limited.labels)
        assert free.history == limited.history
        assert free.stopped_by == limited.stopped_by == "generations"


class Failing:
    """A score that raises an error in one of its calls."""

    def __init__(self, y, call, error=KeyboardInterrupt):
        self.score, self.call, self.error, self.n_calls = truth_score(y), call, error, 0

    def __call__(self, labelings):
        self.n_calls += 1
        if self.n_calls == self.call:
            raise self.error
        return self.score(labelings)


class TestInterrupts:
    def run(self, X, score, **kwargs):
        settings = {"population_size": 16, "n_generations": 6, "n_starts": 12, "patience": None}
        settings["keep_if_interrupted"] = True
        return search_clusterings(X, score, rng=np.random.RandomState(0), **settings | kwargs)

    @pytest.mark.parametrize("strategy", STRATEGIES)
    @pytest.mark.parametrize("call", [2, 4])
    def test_in_a_score_keeps_the_best_so_far(self, blobs, strategy, call):
        X, y = blobs
        complete = self.run(X, truth_score(y), strategy=strategy)
        result = self.run(X, Failing(y, call), strategy=strategy)
        n = len(result.history["best"])
        assert result.stopped_by == "interrupted"
        assert n >= call - 1
        assert result.history == {name: v[:n] for name, v in complete.history.items()}
        assert result.score == complete.history["best"][n - 1]
        assert quality(y, [result.labels])[0] == pytest.approx(result.score)

    @pytest.mark.parametrize("method", ["generate", "update"])
    def test_elsewhere_in_a_generation(self, blobs, monkeypatch, method):
        X, y = blobs
        calls, own = count(1), getattr(GeneticStrategy, method)

        def failing(self, *arguments):
            if next(calls) == 3:
                raise KeyboardInterrupt
            return own(self, *arguments)

        monkeypatch.setattr(GeneticStrategy, method, failing)
        result = self.run(X, truth_score(y))
        assert result.stopped_by == "interrupted"
        assert len(result.history["best"]) == 2

    def test_in_the_callback(self, blobs):
        X, y = blobs

        def stop(record):
            if record["generation"] == 1:
                raise KeyboardInterrupt

        result = self.run(X, truth_score(y), callback=stop)
        assert result.stopped_by == "interrupted"
        assert len(result.history["best"]) == 2

    def test_unless_they_are_kept_they_are_raised(self, blobs):
        X, y = blobs
        with pytest.raises(KeyboardInterrupt):
            self.run(X, Failing(y, 3), keep_if_interrupted=False)

    def test_before_the_starts_are_scored_it_is_raised(self, blobs, monkeypatch):
        X, y = blobs
        with pytest.raises(KeyboardInterrupt):
            self.run(X, Failing(y, 1))

        def stop(*arguments):
            raise KeyboardInterrupt

        monkeypatch.setattr(module, "portfolio", stop)
        with pytest.raises(KeyboardInterrupt):
            self.run(X, truth_score(y))

    def test_a_second_one_is_raised(self, blobs, monkeypatch):
        def stop(*arguments):
            raise KeyboardInterrupt

        X, y = blobs
        monkeypatch.setattr(module, "collect_result", stop)
        with pytest.raises(KeyboardInterrupt):
            self.run(X, Failing(y, 3))


class Memory:
    """Scores of the islands, and what they were after every call."""

    def __init__(self, known=None):
        self.known, self.saved = dict(known or {}), []

    def of(self, island):
        return self.known.get(island, {})

    def keep(self, island, scores):
        self.known[island] = dict(scores)
        self.saved.append(dict(self.known))


class TestKnownScores:
    @pytest.mark.parametrize("strategy", STRATEGIES)
    @pytest.mark.parametrize("call", [2, 4])
    @pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
    def test_a_broken_search_goes_on_bit_for_bit(self, blobs, strategy, call, error):
        X, y = blobs
        settings = {"n_generations": 4, "population_size": 12, "n_starts": 8, "patience": None}
        settings["strategy"] = strategy
        complete_rng, rng = np.random.RandomState(5), np.random.RandomState(5)
        complete = search_clusterings(X, truth_score(y), rng=complete_rng, **settings)
        state, memory, broken = rng.get_state(), Memory(), Failing(y, call, error)
        with suppress(error):
            search_clusterings(X, broken, rng=rng, store=memory, **settings)
        assert len(memory.saved) == call - 1
        rng.set_state(state)
        score = Failing(y, None)
        resumed = search_clusterings(X, score, rng=rng, store=memory, **settings)
        np.testing.assert_array_equal(resumed.labels, complete.labels)
        assert resumed.score == complete.score
        assert resumed.history == complete.history
        for found, wanted in zip(resumed.alternatives, complete.alternatives, strict=True):
            np.testing.assert_array_equal(found.labels, wanted.labels)
            assert found.score == wanted.score
        np.testing.assert_array_equal(rng.get_state()[1], complete_rng.get_state()[1])
        assert score.n_calls <= len(complete.history["best"]) - (call - 1)

    def test_evaluations_are_counted_as_without_known_scores(self, blobs):
        X, y = blobs
        settings = {"max_evaluations": 100, "n_starts": 12, "patience": None}
        memory = Memory()
        first = search_clusterings(
            X, truth_score(y), rng=np.random.RandomState(1), store=memory, **settings
        )
        again = search_clusterings(
            X, Failing(y, 1), rng=np.random.RandomState(1), store=memory, **settings
        )
        assert again.history == first.history
        assert len(memory.of(0)) == first.history["n_evaluations"][-1]


def test_max_evaluations_and_callback(blobs):
    seen = []
    result = search(*blobs, max_evaluations=100, n_starts=20, callback=seen.append)
    assert result.stopped_by == "evaluations"
    assert 100 <= result.history["n_evaluations"][-1] < 130
    assert [record["generation"] for record in seen] == list(range(len(seen)))
    assert [record["best"] for record in seen] == result.history["best"]


def test_results_pickle(blobs):
    result = search(*blobs, n_generations=2, n_starts=12)
    twin = pickle.loads(pickle.dumps(result))
    np.testing.assert_array_equal(twin.labels, result.labels)
    assert twin.history == result.history


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize("kind", ["two rows", "duplicates", "constant column", "equal", "scale"])
def test_awkward_rows(strategy, kind):
    X = np.random.RandomState(0).standard_normal((40, 2))
    if kind == "two rows":
        X = X[:2]
    elif kind == "duplicates":
        X = np.repeat(X[:2], 20, axis=0)
    elif kind == "constant column":
        X[:, 1] = 5.0
    elif kind == "equal":
        X = np.ones((5, 2))
    else:
        X = 1e200 * X
    y = (X[:, 0] > X[:, 0].mean()).astype(int)
    result = search(X, y, strategy=strategy, n_generations=3, n_starts=12)
    assert result.labels.shape == (len(X),)
    if kind in ("two rows", "duplicates"):
        assert result.score == 1


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        ({"min_clusters": 0}, "min_clusters must be at least 1, got 0"),
        ({"min_clusters": 5, "max_clusters": 3}, "at most max_clusters, got 5 and 3"),
        ({"min_clusters": 11, "max_clusters": 20}, "min_clusters=11 is more than the 10 rows"),
        ({"min_clusters": 3}, "min_clusters=3 is more than the 2 different rows"),
        ({"strategy": "luck"}, "strategy must be one of .*, got 'luck'"),
        ({"population_size": 1}, "population_size must be at least 2, got 1"),
        ({"n_generations": -1}, "n_generations must be at least 0, got -1"),
        ({"trust": 1.5}, "trust must be None or between 0 and 1, got 1.5"),
        ({"starts": []}, "starts must hold at least one clustering"),
        ({"starts": [np.zeros(4, dtype=int)]}, "starts: clustering 0 must be 10 integers"),
        ({"starts": [np.full(10, -1)]}, "lowest value of -1"),
        ({"starts": [np.zeros(10)]}, "starts: clustering 0 must be 10 integers .* dtype float64"),
        ({"starts": [[0, 1] * 5, [0] * 9]}, "starts: clustering 1 must be 10 integers"),
    ],
)
def test_bad_parameters(kwargs, message):
    X = np.repeat([[0.0], [1.0]], 5, axis=0)
    with pytest.raises(ValueError, match=message):
        search(X, X[:, 0].astype(int), **kwargs)


@pytest.mark.parametrize("X", [np.zeros(4), np.zeros((0, 2)), [[np.nan], [1.0]]])
def test_bad_rows(X):
    with pytest.raises(ValueError, match="X must"):
        search(X, np.zeros(len(X), dtype=int))


@pytest.mark.parametrize("wrong", [lambda c: np.zeros(1), lambda c: np.full(len(c), np.nan)])
def test_bad_scores(blobs, wrong):
    with pytest.raises(ValueError, match="score must return"):
        search_clusterings(blobs[0], wrong, rng=np.random.RandomState(0), n_starts=12)


def test_a_single_row_is_a_cluster():
    found = search_clusterings(
        np.array([[3.0, 4.0]]), lambda labels: np.ones(len(labels)), rng=np.random.RandomState(0)
    )
    np.testing.assert_array_equal(found.labels, [0])


@pytest.mark.parametrize(
    "function", [search_clusterings, portfolio, Partition, *STRATEGIES.values()]
)
def test_defaults_are_those_of_the_docstring(function):
    text = inspect.getdoc(function)
    documented = re.findall(r"^(\w+(?:, \w+)*) : .*default=(.+)$", text, re.MULTILINE)
    parameters = inspect.signature(function).parameters
    assert documented
    for names, values in documented:
        found = tuple(parameters[name].default for name in names.split(", "))
        assert found == ast.literal_eval(f"({values},)")


@pytest.mark.parametrize(
    "settings",
    [
        {"min_clusters": 2, "max_clusters": 2},  # as many as there are different rows
        {"population_size": 2},
        {"n_generations": 0},
        {"trust": 1.0},
        {"trust": 0.0},
        {"n_alternatives": 0},
        {"max_evaluations": 1},
    ],
)
def test_parameters_at_the_end_of_their_range(settings):
    X = np.repeat([[0.0], [1.0]], 5, axis=0)
    result = search(X, X[:, 0].astype(int), **settings)
    assert result.score == 1
    assert len(result.alternatives) <= settings.get("n_alternatives", 10)


def test_every_row_may_be_a_cluster():
    X = np.arange(3.0)[:, None]
    result = search(X, np.arange(3), min_clusters=3, max_clusters=9)
    np.testing.assert_array_equal(result.labels, [0, 1, 2])


def test_many_clusters_have_as_many_prototypes():
    X = np.random.RandomState(0).standard_normal((1_000, 2))
    start = np.arange(1_000) // 4
    settings = {"min_clusters": 250, "max_clusters": 250, "n_generations": 0, "starts": [start]}
    result = search(X, start, **settings)
    np.testing.assert_array_equal(result.labels, start)


def test_bounds_are_those_of_the_prototypes():
    X = np.repeat([[0.0], [1.0], [5.0]], 5, axis=0)
    rng, starts = np.random.RandomState(0), [np.arange(15) // 5]
    ancestry = module._make_ancestry(X, rng, Bounds(2, 9), starts, 64, None, Deadline())
    assert len(ancestry.prototypes) == 3
    assert ancestry.bounds == Bounds(2, 3)


@pytest.mark.parametrize("scale", [2.0**-900, 1.0, 2.0**900])
@pytest.mark.parametrize("offset", [0.0, 2.0**40])
def test_rows_are_looked_at_around_their_mean_in_their_own_unit(scale, offset):
    X = np.random.RandomState(0).randint(-99, 99, size=(20, 3)).astype(float)
    found = module._scaled((X + offset) * scale)
    centered = X - X.mean(axis=0)
    np.testing.assert_allclose(found.mean(axis=0), 0, atol=1e-12)
    np.testing.assert_allclose(found * (centered[0, 0] / found[0, 0]), centered, atol=1e-9)
    assert 0.5 <= np.abs(found).max() <= 2


def test_a_callback_sees_each_generation_before_the_next_one(blobs):
    X, y = blobs
    score, seen = Failing(y, None), []
    search_clusterings(
        X,
        score,
        rng=np.random.RandomState(0),
        n_starts=12,
        n_generations=5,
        patience=None,
        callback=lambda record: seen.append((record["generation"], score.n_calls)),
    )
    assert seen == [(i, i + 1) for i in range(6)]


def test_evaluations_that_the_starts_use_up(blobs):
    starts = poor_starts(240)
    result = search(*blobs, starts=starts, max_evaluations=len(starts))
    assert result.stopped_by == "evaluations"
    assert result.history["n_evaluations"] == [2]


@pytest.mark.parametrize(("most", "n_prototypes"), [(20, 200), (50, 200), (60, 240), (90, 300)])
def test_there_are_four_prototypes_for_each_cluster_that_may_be(most, n_prototypes):
    """As far as there are rows, and 200 at least."""
    X, rng = np.random.RandomState(0).standard_normal((300, 2)), np.random.RandomState(0)
    starts = [np.arange(300) % 2]
    ancestry = module._make_ancestry(X, rng, Bounds(1, most), starts, 64, None, Deadline())
    assert len(ancestry.prototypes) == n_prototypes
