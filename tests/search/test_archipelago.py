"""Several searches: no worse than one, the same however many run at once, and they stop."""

import threading

import joblib
import numpy as np
import pytest
import torch
from threadpoolctl import threadpool_info

from skdeepclust.critic import quality
from skdeepclust.search import (
    STRATEGIES,
    Bounds,
    Deadline,
    Partition,
    make_prototypes,
    search_clusterings,
)
from skdeepclust.search import _archipelago as module
from skdeepclust.search._cached_score import CachedScore
from skdeepclust.search._genetic import GeneticStrategy
from skdeepclust.search._island import Island, Limits
from skdeepclust.search._lineage import Ancestry, make_founders

from .conftest import grid_blobs

SETTINGS = {"population_size": 12, "n_generations": 12, "patience": None, "n_starts": 8}


class TruthScore:
    """Agreement with the truth; some calls can be made to fail."""

    def __init__(self, y, fails=lambda n_calls: False, error=KeyboardInterrupt):
        self.y, self.fails, self.error, self.n_calls = y, fails, error, 0
        self.n_threads, self.n_asked = set(), 0

    def __call__(self, labels):
        self.n_calls += 1
        self.n_asked += len(labels)
        self.n_threads.add(torch.get_num_threads())
        if self.fails(self.n_calls):
            raise self.error
        return quality(self.y, labels)


def plain_score(y):
    """The same as a function that processes get by value: they cannot import tests."""
    return lambda labels: quality(y, labels)


def poor_starts(n):
    return [np.random.RandomState(0).randint(3, size=n), (np.arange(n) * 4) // n]


def search(data, score=None, seed=0, **settings):
    X, y = data
    settings = {**SETTINGS, "n_islands": 3, "starts": poor_starts(len(X)), **settings}
    rng = np.random.RandomState(seed)
    return search_clusterings(X, score or plain_score(y), rng=rng, **settings)


def assert_same(first, second):
    np.testing.assert_array_equal(first.labels, second.labels)
    assert first.score == second.score
    assert first.history == second.history
    assert first.stopped_by == second.stopped_by
    for ours, theirs in zip(first.alternatives, second.alternatives, strict=True):
        np.testing.assert_array_equal(ours.labels, theirs.labels)
        assert ours.score == theirs.score


@pytest.mark.parametrize("strategy", ["genetic", "cem"])
@pytest.mark.parametrize("backend", ["loky", "threading"])
def test_results_do_not_depend_on_n_jobs(blobs, strategy, backend):
    expected = search(blobs, strategy=strategy)
    with joblib.parallel_config(backend):
        assert_same(search(blobs, strategy=strategy, n_jobs=2), expected)
    assert_same(search(blobs, strategy=strategy), expected)


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_history_is_that_of_all_islands(blobs, strategy):
    found = search(blobs, strategy=strategy)
    history = found.history
    assert {len(values) for values in history.values()} == {13}
    assert history["best"] == sorted(history["best"])
    assert history["best"][-1] == found.score == found.alternatives[0].score
    assert history["n_clusters"][-1] == found.labels.max() + 1
    assert quality(blobs[1], [found.labels])[0] == pytest.approx(found.score)
    assert found.best_start.score == pytest.approx(quality(blobs[1], poor_starts(240)).max())


@pytest.mark.parametrize("patience", [None, 1])
def test_evaluations_are_those_that_the_score_was_asked_for(blobs, patience):
    score = TruthScore(blobs[1])
    found = search(blobs, score, patience=patience)
    assert found.history["n_evaluations"][-1] == score.n_asked


def test_islands_that_have_ended_stay_as_they_are(blobs):
    found = search(blobs, patience=1, n_generations=100)
    seeds = [search(blobs, patience=1, n_generations=n) for n in range(1, 10)]
    assert found.stopped_by == "patience"
    assert 2 < len(found.history["best"]) < 50
    for n, part in enumerate(seeds, start=1):
        for name, values in part.history.items():
            assert values == found.history[name][: n + 1]


def test_islands_go_their_own_ways_and_meet(monkeypatch):
    data = grid_blobs(450, 9, 1.0)
    scores = {}
    for n_islands in (1, 4):
        found = [search(data, seed=s, n_islands=n_islands).score for s in range(4)]
        scores[n_islands] = np.mean(found)
    assert scores[4] > scores[1] + 0.01
    monkeypatch.setattr(module, "_migrate", lambda islands: None)
    apart = np.mean([search(data, seed=s, n_islands=4).score for s in range(4)])
    assert scores[4] > apart


def test_migrants_go_once_around(blobs, monkeypatch):
    rounds, migrate = [], module._migrate

    def note(islands):
        before = [{p.key for p in island.strategy.survivors} for island in islands]
        best = [[p.key for p in island.best[:2]] for island in islands]
        migrate(islands)
        after = [{p.key for p in island.strategy.survivors} for island in islands]
        rounds.append((before, best, after))

    monkeypatch.setattr(module, "_migrate", note)
    search(blobs, n_generations=11)
    assert len(rounds) == 3
    for before, best, after in rounds[:2]:
        for place in range(3):
            assert after[place] <= before[place] | set(best[place - 1])
            assert best[place - 1][0] in after[place]


class TestLimits:
    def test_patience_is_that_of_each_island(self, blobs):
        X, _ = blobs
        found = search(blobs, lambda labels: np.zeros(len(labels)), patience=3)
        assert found.stopped_by == "patience"
        assert len(found.history["best"]) == 4

    def test_no_generations(self, blobs):
        found = search(blobs, n_generations=0)
        assert found.stopped_by == "generations"
        assert found.score == found.best_start.score

    def test_time(self, blobs, clock):
        score = clock.slow(TruthScore(blobs[1]), 0.02)
        began = clock.now
        found = search(blobs, score, max_time=5.0, n_generations=10_000)
        assert found.stopped_by == "time"
        assert 4.5 < clock.now - began <= 5.5

    def test_no_process_is_started_where_time_is_short(self, blobs):
        n_asked = []  # of processes it would learn nothing

        def score(labels):
            n_asked.append(len(labels))
            return quality(blobs[1], labels)

        found = search(blobs, score, n_jobs=2, max_time=29.0)
        assert found.history["n_evaluations"][-1] == sum(n_asked)
        assert_same(found, search(blobs, n_jobs=1))

    def test_at_least_one_island(self, blobs):
        with pytest.raises(ValueError, match="n_islands must be at least 1, got 0"):
            search(blobs, n_islands=0)


class TestInterrupts:
    @pytest.mark.parametrize("call", [2, 9, 20])
    def test_the_best_so_far_is_kept(self, blobs, call):
        score = TruthScore(blobs[1], lambda n: n == call)
        found = search(blobs, score, keep_if_interrupted=True)
        assert found.stopped_by == "interrupted"
        assert quality(blobs[1], [found.labels])[0] == pytest.approx(found.score)
        assert found.score == max(found.history["best"])

    def test_in_the_callback(self, blobs):
        def stop(record):
            if record["generation"] == 3:
                raise KeyboardInterrupt

        found = search(blobs, keep_if_interrupted=True, callback=stop)
        assert found.stopped_by == "interrupted"
        assert len(found.history["best"]) == 4

    def test_in_the_callback_of_the_starts(self, blobs):
        def stop(record):
            raise KeyboardInterrupt

        found = search(blobs, keep_if_interrupted=True, callback=stop)
        assert found.stopped_by == "interrupted"
        assert found.score == found.best_start.score

    def test_in_a_pool_of_threads(self, blobs):
        main = threading.main_thread()

        class Raising(TruthScore):
            def __call__(self, labels):
                if threading.current_thread() is not main:
                    raise RuntimeError("a thread failed")
                return super().__call__(labels)

        with joblib.parallel_config("threading"), pytest.raises(RuntimeError, match="thread"):
            search(blobs, Raising(blobs[1]), n_jobs=2, keep_if_interrupted=True)

    def test_others_are_raised(self, blobs):
        with pytest.raises(KeyboardInterrupt):
            search(blobs, TruthScore(blobs[1], lambda n: n == 5))


class Memory:
    """Scores of the islands, until a call of `keep` fails."""

    def __init__(self, n_calls=None):
        self.known, self.n_calls = {}, n_calls

    def of(self, island):
        return self.known.get(island, {})

    def keep(self, island, scores):
        if self.n_calls == 0:
            raise RuntimeError("the process was killed")
        self.known[island] = dict(scores)
        if self.n_calls is not None:
            self.n_calls -= 1


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize("n_calls", [1, 3, 5])
def test_a_broken_search_goes_on_bit_for_bit(blobs, strategy, n_calls):
    expected = search(blobs, strategy=strategy)
    memory = Memory(n_calls)
    with pytest.raises(RuntimeError, match="killed"):
        search(blobs, strategy=strategy, store=memory)
    memory.n_calls, score = None, TruthScore(blobs[1])
    n_common = expected.history["n_evaluations"][0]
    n_known = n_common + sum(len(known) - n_common for known in memory.known.values())
    assert_same(search(blobs, score, strategy=strategy, store=memory), expected)
    assert score.n_asked == expected.history["n_evaluations"][-1] - n_known


def test_the_scores_of_the_starts_are_kept_first(blobs):
    memory = Memory()
    with pytest.raises(RuntimeError):
        search(blobs, TruthScore(blobs[1], lambda n: n == 2, RuntimeError), store=memory)
    starts = [Partition(labels).key for labels in poor_starts(240)]
    assert memory.known.keys() == {0}
    assert memory.known[0].keys() == set(starts)


class WatchingScore(TruthScore):
    """Looks at the threads of other libraries as well."""

    def __call__(self, labels):
        self.n_threads |= {pool["num_threads"] for pool in threadpool_info()}
        return super().__call__(labels)


@pytest.mark.parametrize("n_threads", [1, 2, 3])
def test_one_thread_meanwhile_and_as_many_as_before_afterwards(blobs, n_threads):
    before = torch.get_num_threads()
    torch.set_num_threads(n_threads)
    try:
        score = WatchingScore(blobs[1])
        search(blobs, score, n_generations=2)
        assert score.n_threads == {1}
        assert torch.get_num_threads() == n_threads
        failing = TruthScore(blobs[1], lambda n: n == 6, RuntimeError)
        with pytest.raises(RuntimeError):
            search(blobs, failing)
        assert torch.get_num_threads() == n_threads
    finally:
        torch.set_num_threads(before)


def test_the_two_best_of_each_island_move_after_every_five_generations(blobs, monkeypatch):
    moved, receive = [], GeneticStrategy.receive

    def note(self, migrants):
        moved.append(len(migrants))
        receive(self, migrants)

    lengths, migrate = [], module._migrate

    def look(islands):
        lengths.append([len(island.log) for island in islands])
        migrate(islands)

    monkeypatch.setattr(GeneticStrategy, "receive", note)
    monkeypatch.setattr(module, "_migrate", look)
    search(blobs, n_generations=11)
    assert lengths == [[6] * 3, [11] * 3, [12] * 3]
    assert moved == [2] * 6  # in the end there is nobody to receive any


def test_a_search_is_one_island_unless_more_are_asked_for(blobs):
    X, y = blobs
    rng = np.random.RandomState(0)
    prototypes, bounds = make_prototypes(X, rng, 30), Bounds(1, 9)
    founders = make_founders(prototypes, rng, poor_starts(len(X)), bounds)
    strategy = GeneticStrategy(Ancestry(X, prototypes, founders, bounds), rng, 6)
    limits = Limits(2, None, 1e-4, None, Deadline(), False)
    island = Island(strategy, CachedScore(plain_score(y)), limits, 3)
    found, log, reason = module.evolve(island, rng)
    assert found == island.found
    assert log == island.log
    assert reason == "generations"
