"""Collecting what was found: best first, alternatives that differ."""

import numpy as np
from deap import tools

from skdeepclust.search import Partition
from skdeepclust.search._result import collect_result


def scored(labels, score):
    partition = Partition(np.array(labels))
    partition.fitness.values = (score,)
    return partition


def test_alternatives_differ_from_better_ones():
    best = scored([1, 1, 1, 0, 0, 0, 0, 0, 0, 0], 0.9)
    again = scored([0, 0, 0, 1, 1, 1, 1, 1, 1, 1], 0.9)
    near = scored([0, 0, 0, 0, 1, 1, 1, 1, 1, 1], 0.8)
    far = scored([0, 1, 0, 1, 0, 1, 0, 1, 0, 1], 0.1)
    log = tools.Logbook()
    log.record(best=0.9, mean=0.5, n_clusters=2, n_evaluations=3)
    found = [far, near, again, best]
    for least, expected in ((0.0, [0.9, 0.8, 0.1]), (0.2, [0.9, 0.1])):
        result = collect_result(found, [far, near], log, "time", 5, least)
        assert [alternative.score for alternative in result.alternatives] == expected
    assert result.labels.tolist() == [0] * 3 + [1] * 7
    assert result.best_start.score == 0.8
    assert result.history == {"best": [0.9], "mean": [0.5], "n_clusters": [2], "n_evaluations": [3]}
    assert len(collect_result(found, [far], log, "time", 1, 0.0).alternatives) == 1


def test_a_search_is_believed_if_it_finds_something_clearly_better():
    start, best = scored([0, 0, 1, 1], 0.6), scored([0, 1, 0, 1], 0.9)
    log = tools.Logbook()
    log.record(best=0.9, mean=0.5, n_clusters=2, n_evaluations=3)
    result = collect_result([best, start], [start], log, "time", 5, 0.0)
    for margin, level, expected in ((0.2, 0.8, best), (0.4, 0.8, start), (0.2, 0.95, start)):
        trusted = result.trusted(margin, level)
        assert trusted.labels.tolist() == expected.labels.tolist()
        assert trusted.score == expected.score
    alone = collect_result([start], [start], log, "time", 5, 0.0)
    assert alone.trusted(0.0, 0.0) == alone.best_start


def test_alternatives_may_differ_by_no_more_than_they_have_to():
    best, other = scored([0, 0, 0, 0, 1, 1, 1, 1], 0.9), scored([0, 0, 0, 0, 0, 0, 1, 1], 0.8)
    log = tools.Logbook()
    log.record(best=0.9, mean=0.5, n_clusters=2, n_evaluations=3)
    for least, expected in ((0.25, [0.9, 0.8]), (0.26, [0.9])):
        result = collect_result([other, best], [other], log, "time", 5, least)
        assert [alternative.score for alternative in result.alternatives] == expected


def test_a_search_that_is_better_by_just_the_margin_is_not_believed():
    start, best = scored([0, 0, 1, 1], 0.5), scored([0, 1, 0, 1], 0.75)
    log = tools.Logbook()
    log.record(best=0.75, mean=0.5, n_clusters=2, n_evaluations=3)
    result = collect_result([best, start], [start], log, "time", 5, 0.0)
    assert result.trusted(0.25, 0.0).score == 0.5
    assert result.trusted(0.0, 0.75).score == 0.5
    assert result.trusted(0.125, 0.5).score == 0.75
