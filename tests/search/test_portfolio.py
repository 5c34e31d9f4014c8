"""The portfolio: different, within bounds, the obvious solution among them."""

import numpy as np
import pytest
from threadpoolctl import threadpool_info, threadpool_limits

from skdeepclust.critic import quality
from skdeepclust.search import Bounds, Deadline, make_prototypes, portfolio
from skdeepclust.search import _portfolio as module


def start(X, bounds, seed=0, **kwargs):
    prototypes = make_prototypes(X, np.random.RandomState(seed))
    return portfolio(X, prototypes, np.random.RandomState(seed), bounds, **kwargs)


@pytest.mark.parametrize("bounds", [Bounds(1, 20), Bounds(2, 10), Bounds(6, 6), Bounds(2, 2)])
def test_portfolio_is_different_and_within_bounds(moons, bounds):
    found = start(moons[0], bounds, n_clusterings=40)
    assert len({partition.key for partition in found}) == len(found) > 2
    for i, partition in enumerate(found):
        assert partition.founder == i
        assert bounds.admit(partition.n_clusters)
        assert set(partition.labels) == set(range(partition.n_clusters))
    assert (found[0].n_clusters == 1) == (bounds.min_clusters == 1)


def test_the_obvious_solution_is_there(blobs, moons):
    for X, y in (blobs, moons):
        found = start(X, Bounds(1, 20))
        assert quality(y, [partition.labels for partition in found]).max() > 0.99


def test_one_cluster_only(blobs):
    (only,) = start(blobs[0], Bounds(1, 1))
    assert only.n_clusters == 1


def test_rows_of_large_sets_follow_their_prototypes(monkeypatch, blobs):
    monkeypatch.setattr(module, "_MAX_ROWS", 100)
    X, y = blobs
    prototypes = make_prototypes(X, np.random.RandomState(0), 60)
    found = portfolio(X, prototypes, np.random.RandomState(0), Bounds(1, 20))
    assert quality(y, [partition.labels for partition in found]).max() > 0.99
    for partition in found:
        np.testing.assert_array_equal(partition.labels, partition.codes[prototypes.codes])


def test_portfolio_is_reproducible(blobs):
    first, second = (start(blobs[0], Bounds(1, 9), n_clusterings=20) for _ in range(2))
    assert [partition.key for partition in first] == [partition.key for partition in second]


@pytest.mark.parametrize("kind", ["two rows", "duplicates", "five", "constant column", "nine"])
def test_awkward_rows(kind):
    X = np.random.RandomState(0).standard_normal((50, 2))
    if kind == "duplicates":
        X = np.repeat(X[:2], 20, axis=0)
    elif kind == "constant column":
        X[:, 0] = 3.0
    else:
        X = X[: {"two rows": 2, "five": 5, "nine": 9}[kind]]
    distinct = len(np.unique(X, axis=0))
    for fewest in (1, 2):
        found = start(X, Bounds(fewest, min(10, distinct)))
        assert found
        assert all(fewest <= partition.n_clusters <= 10 for partition in found)


class TestTime:
    @pytest.fixture(autouse=True)
    def slow_algorithms(self, clock, monkeypatch):
        """A second for each clustering."""

        def slow(algorithm):
            def run(view, rng, k):
                clock.now += 1.0
                return algorithm(view, rng, k)

            return run

        slow_ones = {name: slow(algorithm) for name, algorithm in module.ALGORITHMS.items()}
        monkeypatch.setattr(module, "ALGORITHMS", slow_ones)

    @pytest.mark.parametrize("bounds", [Bounds(1, 20), Bounds(2, 10), Bounds(6, 6)])
    def test_half_of_the_time_is_left_for_scores(self, clock, moons, bounds):
        deadline = Deadline.after(9.0)
        found = start(moons[0], bounds, deadline=deadline)
        assert 3.0 <= deadline.left <= 4.5
        assert 1 <= len(found) <= 6
        assert all(bounds.admit(partition.n_clusters) for partition in found)

    @pytest.mark.parametrize("bounds", [Bounds(1, 20), Bounds(2, 10), Bounds(6, 6)])
    def test_there_is_always_one_start(self, clock, moons, bounds):
        (only,) = start(moons[0], bounds, deadline=Deadline.after(-1.0))
        assert only.n_clusters == bounds.min_clusters

    def test_of_few_rows_too(self, clock, moons):
        assert len(start(moons[0][:6], Bounds(2, 6), deadline=Deadline.after(5.0))) <= 3

    def test_enough_time_changes_nothing(self, clock, moons):
        free = start(moons[0], Bounds(1, 9), n_clusterings=20)
        found = start(moons[0], Bounds(1, 9), n_clusterings=20, deadline=Deadline.after(1e4))
        assert [partition.key for partition in found] == [partition.key for partition in free]


@pytest.mark.parametrize("name", ["k_means", "ward"])
@pytest.mark.parametrize(("wanted", "low"), [(1, [2]), (7, [2, 3, 4, 5]), (8, [2, 3, 4, 5])])
def test_half_of_the_numbers_of_clusters_are_the_smallest(name, wanted, low):
    numbers = module._numbers_of_clusters(np.random.RandomState(0), 2, 40, wanted, name)
    assert numbers[: len(low)] == low
    assert all(low[-1] < k <= 40 for k in numbers[len(low) :])
    assert len(numbers) == wanted


@pytest.mark.parametrize("wanted", [2, 3, 8, 21])
def test_the_other_half_is_spread_evenly_over_ratios(wanted):
    """Of equal parts of the scale from the next number to the largest, each has one."""
    n_low, largest, seen = (wanted + 1) // 2, 10**6, set()
    n_high, first = wanted - n_low, 2 + n_low
    ratio = (largest + 1) / first
    for seed in range(60):
        rng = np.random.RandomState(seed)
        numbers = module._numbers_of_clusters(rng, 2, largest, wanted, "k_means")
        assert numbers[:n_low] == list(range(2, first))
        for i, k in enumerate(numbers[n_low:]):
            assert k + 1 > first * ratio ** (i / n_high)
            assert k <= first * ratio ** ((i + 1) / n_high)
            seen.add((i, np.log(k / first) * n_high / np.log(ratio) > i + 0.75))
    assert len(seen) == 2 * n_high  # also the upper quarter of each part


def test_no_tree_is_cut_twice_at_the_same_height():
    rng = np.random.RandomState(0)
    assert module._numbers_of_clusters(rng, 2, 5, 20, "ward") == [2, 3, 4, 5]
    assert len(module._numbers_of_clusters(rng, 2, 5, 20, "k_means")) == 20
    assert module._numbers_of_clusters(rng, 3, 5, 4, "dbscan") == [3] * 4


class TestNumbersOfClusters:
    @pytest.fixture
    def asked(self, monkeypatch):
        """Numbers of clusters that each algorithm is asked for."""
        asked = {}

        def remember(name):
            def run(view, rng, k):
                asked.setdefault(name, []).append(k)
                return np.arange(len(view)) % min(k, len(view))

            return run

        monkeypatch.setattr(module, "ALGORITHMS", {n: remember(n) for n in module.ALGORITHMS})
        return asked

    @pytest.mark.parametrize(
        ("n", "bounds", "expected"),
        [
            (40, Bounds(1, 30), (2, 20)),
            (41, Bounds(3, 30), (3, 20)),
            (40, Bounds(2, 2), (2, 2)),
            (60, Bounds(4, 9), (4, 9)),
            (9, Bounds(1, 20), (2, 4)),
            (5, Bounds(1, 20), (2, 5)),
            (5, Bounds(2, 3), (2, 3)),
        ],
    )
    def test_range(self, asked, n, bounds, expected):
        start(np.random.RandomState(0).standard_normal((n, 2)), bounds, n_clusterings=200)
        numbers = sum(asked.values(), [])
        assert (min(numbers), max(numbers)) == expected
        assert set(asked["ward"]) == set(range(expected[0], expected[1] + 1))

    def test_half_of_the_different_rows_at_most(self, asked):
        X = np.random.RandomState(0).standard_normal((21, 2))
        start(np.concatenate([X, X]), Bounds(1, 42), n_clusterings=400)
        assert max(sum(asked.values(), [])) == 10

    def test_half_of_the_rows_that_costly_algorithms_see_at_most(self, asked, monkeypatch):
        monkeypatch.setattr(module, "_MAX_ROWS", 21)
        X = np.random.RandomState(0).standard_normal((60, 2))
        start(X, Bounds(1, 42), n_clusterings=400)
        assert max(sum(asked.values(), [])) == 10

    @pytest.mark.parametrize("n", [1, 64, 128])
    def test_about_as_many_clusterings_as_wanted(self, asked, n):
        start(np.random.RandomState(0).standard_normal((400, 2)), Bounds(1, 200), n_clusterings=n)
        assert 0.8 * n <= sum(map(len, asked.values())) <= max(n + 1, len(asked))
        assert len(asked) == 11

    def test_shares_of_the_algorithms(self, asked):
        """Most where the number of clusters matters and a cut costs little; 64 in all."""
        start(np.random.RandomState(0).standard_normal((400, 2)), Bounds(2, 200))
        assert {name: len(numbers) for name, numbers in asked.items()} == {
            "ward": 10,
            "k_means": 8,
            "single_absorbing": 8,
            "spectral": 8,
            "average": 6,
            "mixture_full": 6,
            "hdbscan": 5,
            "single": 4,
            "complete": 3,
            "dbscan": 3,
            "mixture_diagonal": 3,
        }
        assert sum(map(len, asked.values())) == 64

    @pytest.mark.parametrize(("n_distinct", "n_algorithms"), [(7, 2), (8, 11)])
    def test_algorithms_other_than_trees_need_eight_different_rows(
        self, asked, n_distinct, n_algorithms
    ):
        X = np.random.RandomState(0).standard_normal((n_distinct, 2))
        start(np.concatenate([X, X]), Bounds(2, 7))
        assert len(asked) == n_algorithms
        assert {"ward", "single"} <= asked.keys()


def test_as_many_rows_as_algorithms_see_keep_their_own_labels(monkeypatch, blobs):
    X, _ = blobs
    monkeypatch.setattr(module, "_MAX_ROWS", len(X))
    prototypes = make_prototypes(X, np.random.RandomState(0), 30)
    found = portfolio(X, prototypes, np.random.RandomState(0), Bounds(1, 20))
    assert any((p.labels != p.codes[prototypes.codes]).any() for p in found)


@pytest.mark.parametrize("n", [5_000, 5_001])
def test_algorithms_see_five_thousand_rows_at_most(monkeypatch, n):
    seen = []

    def look(view, rng, k):
        seen.append(len(view))
        return np.arange(len(view)) % k

    monkeypatch.setattr(module, "ALGORITHMS", dict.fromkeys(module.ALGORITHMS, look))
    X = np.random.RandomState(0).standard_normal((n, 2))
    prototypes = make_prototypes(X, np.random.RandomState(0), 20)
    found = portfolio(X, prototypes, np.random.RandomState(0), Bounds(2, 4), n_clusterings=1)
    assert set(seen) == {5_000}
    assert all(len(partition.labels) == n for partition in found)


def test_algorithms_run_with_one_thread(monkeypatch, blobs):
    """So little is to do at a time that threads would mostly wait for one another."""
    seen = set()

    def look(view, rng, k):
        seen.update(pool["num_threads"] for pool in threadpool_info())
        return np.arange(len(view)) % k

    monkeypatch.setattr(module, "ALGORITHMS", dict.fromkeys(module.ALGORITHMS, look))
    with threadpool_limits(limits=2):
        start(blobs[0], Bounds(2, 4), n_clusterings=1)
    assert seen == {1}
