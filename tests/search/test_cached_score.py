"""Scores: each partition once, in one call without a limit of time, in parts under one."""

import numpy as np
import pytest

from skdeepclust.search import Deadline, Partition
from skdeepclust.search._cached_score import CachedScore


def make_partitions(n, seed=0):
    rng = np.random.RandomState(seed)
    return [Partition(np.arange(30) % (i + 1)) for i in rng.permutation(20)[:n]]


class Score:
    """A score that remembers how many partitions each call had."""

    def __init__(self):
        self.sizes = []

    def __call__(self, labels):
        self.sizes.append(len(labels))
        return labels.max(axis=1) / 7


def values(population):
    return [(float(p.labels.max() / 7),) for p in population]


def test_equal_partitions_are_scored_once_and_generations_in_one_call():
    score, population = Score(), make_partitions(6)
    cached = CachedScore(score)
    assert not cached.is_cut_short
    renamed = Partition(population[0].labels.max() - population[0].labels)
    again = [*population[:4], renamed, *population[2:]]
    assert cached(again) == values(again)
    assert cached(again[3:]) == values(again[3:])
    assert score.sizes == [6]
    assert cached.n_evaluations == 6
    assert not cached.is_cut_short


def test_known_scores_are_not_asked_for_and_count_when_they_are_met():
    population, seen = make_partitions(8), []
    first = CachedScore(Score())
    first.begin({}, lambda scores: seen.append(dict(scores)))
    first(population[:3])
    first(population[:5])
    assert [len(scores) for scores in seen] == [3, 5]
    score, known = Score(), seen[-1]
    second = CachedScore(score)
    second.begin(known)
    assert second.n_evaluations == 0
    assert second(population[:2]) == values(population[:2])
    assert second.n_evaluations == 2
    assert second(population) == values(population)
    assert second.n_evaluations == 8
    assert score.sizes == [3]
    assert len(known) == 5


def test_scores_of_partitions_that_were_not_met_are_forgotten():
    population, score = make_partitions(8), Score()
    first = CachedScore(Score())
    first(population)
    second = CachedScore(score)
    second.begin(first.known)
    second(population[:3])
    second.forget_unasked()
    pairs = zip(population[:3], values(population[:3]), strict=True)
    assert second.known == {p.key: value for p, (value,) in pairs}
    second(population)
    assert score.sizes == [5]


class TestTime:
    def test_parts_fill_the_time_and_do_not_exceed_it(self, clock):
        score, population = Score(), make_partitions(20)
        cached = CachedScore(clock.slow(score, 1.0), Deadline.after(12.5))
        began = clock.now
        found = cached(population)
        assert found == values(population[: len(found)])
        assert len(found) == sum(score.sizes) == cached.n_evaluations == 12
        assert clock.now - began == 12.0
        assert cached.is_cut_short

    def test_scores_that_become_slower_take_at_most_one_call_more(self, clock):
        def slower(labels):
            clock.now += 0.1 * len(labels) if clock.now < began + 1.0 else 0.2 * len(labels)
            return np.zeros(len(labels))

        began = clock.now
        cached = CachedScore(slower, Deadline.after(2.0))
        assert len(cached(make_partitions(20))) > 5
        assert clock.now - began <= 2.2

    def test_one_is_scored_however_late_it_is(self, clock):
        population = make_partitions(4)
        cached = CachedScore(clock.slow(Score(), 1.0), Deadline.after(-1.0))
        assert cached(population) == values(population[:1])
        assert cached.is_cut_short
        # What is known costs no time.
        assert cached([population[0], population[0]]) == values(population[:1]) * 2
        assert not cached.is_cut_short

    def test_much_time_is_enough_for_all(self, clock):
        score, population = Score(), make_partitions(20)
        cached = CachedScore(clock.slow(score, 0.01), Deadline.after(100.0))
        assert cached(population) == values(population)
        assert score.sizes == [1, 19]
        assert not cached.is_cut_short


@pytest.mark.parametrize("wrong", [np.zeros(1), np.zeros((4, 1)), np.array([0, 1, np.nan, 2])])
def test_other_figures_are_refused(wrong):
    with pytest.raises(ValueError, match="score must return 4 figures"):
        CachedScore(lambda labels: wrong)(make_partitions(4))


def test_a_call_gets_what_takes_half_of_the_time_that_is_left(clock):
    """Scores may become slower: a call that takes twice as long is still in time."""
    score, population = Score(), make_partitions(20)
    CachedScore(clock.slow(score, 1.0), Deadline.after(13.5))(population)
    # 12.5 seconds are left after the first one, then 6.5, 3.5, 2.5, 1.5 and 0.5.
    assert score.sizes == [1, 6, 3, 1, 1, 1]
