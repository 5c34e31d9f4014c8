"""Sample and prototypes: which is searched, which is taken, and what time and interrupts change."""

import numpy as np
import pytest

from skdeepclust.search import Deadline, Found, ScoredClustering, SearchResult, search_rows
from skdeepclust.search import _many_rows as module

X = np.random.RandomState(0).standard_normal((1_000, 2))
ORDER = np.random.RandomState(1).permutation(len(X))
N_POINTS = 50  # 1,000 rows have as many prototypes


def found_of(points, score, labels=None, stopped_by="patience"):
    labels = np.arange(len(points)) % 2 if labels is None else labels
    chosen = ScoredClustering(labels, score)
    history = {"best": [score]}
    return Found(points, chosen, SearchResult(labels, score, [chosen], history, chosen, stopped_by))


class Search:
    """A search that finds what it is told to, and remembers what it was asked."""

    def __init__(self, **outcomes):
        self.outcomes, self.asked, self.left = outcomes, {}, {}

    def __call__(self, points, name, deadline):
        self.asked[name] = points
        self.left[name] = deadline.left
        outcome = self.outcomes[name]
        if isinstance(outcome, type):
            raise outcome
        return found_of(points, **outcome)


def run(search, rows=X, deadline=None):
    """What is found, after a look at the places."""
    found, places, own_places = search_rows(rows, ORDER, N_POINTS, search, deadline or Deadline())
    distances = ((rows[:, None] - found.points) ** 2).sum(axis=2)
    np.testing.assert_array_equal(places, distances.argmin(axis=1))
    distances = ((found.points[:, None] - found.points) ** 2).sum(axis=2)
    np.testing.assert_array_equal(own_places, distances.argmin(axis=1))
    return found


def test_few_rows_have_no_prototypes():
    search = Search(sample={"score": 0.5})
    rows = X[:499]
    order = np.random.RandomState(0).permutation(499)
    found, places, own_places = search_rows(rows, order, N_POINTS, search, Deadline())
    assert (len(places), len(own_places)) == (499, N_POINTS)
    np.testing.assert_array_equal(found.points, rows[np.sort(order[:N_POINTS])])


@pytest.mark.parametrize("rows", [X.astype(np.float32), np.repeat(X[:20], 50, axis=0)])
def test_points_are_float64_and_repeated_rows_have_no_prototypes(rows):
    search = Search(sample={"score": 0.1}, prototypes={"score": 0.2})
    found = run(search, rows)
    assert all(points.dtype == np.float64 for points in search.asked.values())
    n_distinct = len(np.unique(rows, axis=0))
    assert (found.chosen.score == 0.2) == (n_distinct > 20)


@pytest.mark.parametrize(("sample", "prototypes"), [(0.4, 0.5), (0.5, 0.4), (0.5, 0.5)])
def test_the_better_is_taken(sample, prototypes):
    search = Search(sample={"score": sample}, prototypes={"score": prototypes})
    found = run(search)
    assert len(search.asked["sample"]) == N_POINTS
    name = "prototypes" if prototypes > sample else "sample"
    assert found.points is search.asked[name]
    assert not found.is_interrupted


def test_one_cluster_of_prototypes_is_not_taken():
    one = np.zeros(N_POINTS, dtype=np.int64)
    search = Search(sample={"score": 0.1}, prototypes={"score": 0.9, "labels": one})
    assert run(search).points is search.asked["sample"]


class TestInterrupts:
    def test_in_the_first_search_there_is_no_second(self):
        search = Search(sample={"score": 0.3, "stopped_by": "interrupted"})
        assert run(search).is_interrupted

    def test_before_the_first_score_is_raised(self):
        with pytest.raises(KeyboardInterrupt):
            run(Search(sample=KeyboardInterrupt))

    def test_before_the_second_score_keeps_the_sample(self):
        search = Search(sample={"score": 0.3}, prototypes=KeyboardInterrupt)
        found = run(search)
        assert found.is_interrupted
        assert found.points is search.asked["sample"]

    def test_among_prototypes_in_the_making_keeps_the_sample(self, monkeypatch):
        def stop(*arguments):
            raise KeyboardInterrupt

        monkeypatch.setattr(module, "condense", stop)
        search = Search(sample={"score": 0.3})
        found = run(search)
        assert found.is_interrupted
        assert found.points is search.asked["sample"]

    @pytest.mark.parametrize("score", [0.2, 0.4])
    def test_in_the_second_search_the_better_is_kept(self, score):
        search = Search(
            sample={"score": 0.3}, prototypes={"score": score, "stopped_by": "interrupted"}
        )
        found = run(search)
        assert found.is_interrupted
        assert found.points is search.asked["prototypes" if score > 0.3 else "sample"]

    def test_other_errors_are_raised(self):
        with pytest.raises(MemoryError):
            run(Search(sample={"score": 0.3}, prototypes=MemoryError))


class TestTime:
    @pytest.fixture(autouse=True)
    def slow_neighbors(self, clock, monkeypatch):
        """A hundredth of a second for each row."""
        nearest = module.nearest_rows

        def slow(points, rows, *rest):
            clock.now += 0.01 * len(rows)
            return nearest(points, rows, *rest)

        monkeypatch.setattr(module, "nearest_rows", slow)

    @pytest.mark.parametrize("score", [0.05, 0.2])
    def test_places_are_looked_for_before_the_search(self, clock, score):
        search = Search(sample={"score": 0.1}, prototypes={"score": score})
        deadline = Deadline.after(60.0)
        run(search, deadline=deadline)
        # Each time 1,000 rows and 50 points.
        assert search.left["sample"] == pytest.approx(60.0 - 10.5)
        assert search.left["prototypes"] == pytest.approx(60.0 - 21.0)
        assert deadline.left == search.left["prototypes"]

    @pytest.mark.parametrize(("seconds", "expected"), [(20.0, 1), (45.0, 1), (60.0, 2)])
    def test_no_second_search_without_time(self, clock, seconds, expected):
        class Slow(Search):
            def __call__(self, *arguments):
                clock.now += 20.0
                return super().__call__(*arguments)

        # Of 45 seconds 14.5 are left, and places and a quarter of the search take 15.5.
        search = Slow(sample={"score": 0.1}, prototypes={"score": 0.2})
        run(search, deadline=Deadline.after(seconds))
        assert len(search.asked) == expected

    def test_no_second_search_where_prototypes_would_take_too_long(self, monkeypatch):
        monkeypatch.setattr(module, "condense", lambda *arguments: None)
        search = Search(sample={"score": 0.1})
        assert run(search, deadline=Deadline.after(60.0)).chosen.score == 0.1

    def test_without_a_limit_places_are_those_of_the_better_alone(self, clock):
        began = clock.now
        run(Search(sample={"score": 0.1}, prototypes={"score": 0.2}))
        assert clock.now - began == pytest.approx(10.5)


def test_fewer_prototypes_than_rows_of_the_sample():
    search = Search(sample={"score": 0.1}, prototypes={"score": 0.2})
    found, *_ = search_rows(X, ORDER, 60, search, Deadline())
    assert (len(search.asked["sample"]), len(search.asked["prototypes"])) == (60, 50)
    assert found.points is search.asked["prototypes"]


@pytest.mark.parametrize(("n", "n_searches"), [(499, 1), (500, 2)])
def test_prototypes_are_at_least_half_as_many_as_the_sample(n, n_searches):
    search = Search(sample={"score": 0.1}, prototypes={"score": 0.2})
    search_rows(X[:n], np.random.RandomState(0).permutation(n), N_POINTS, search, Deadline())
    assert len(search.asked) == n_searches


@pytest.mark.parametrize(("n_distinct", "n_searches"), [(24, 1), (25, 2)])
def test_half_of_the_prototypes_may_coincide(n_distinct, n_searches):
    n_equal = 1_000 // n_distinct
    rows = np.repeat(X[:n_distinct], n_equal, axis=0)
    order = np.arange(len(rows)).reshape(-1, n_equal).T.ravel()  # one of each kind, and again
    search = Search(sample={"score": 0.1}, prototypes={"score": 0.2})
    search_rows(rows, order, N_POINTS, search, Deadline())
    assert len(search.asked) == n_searches
