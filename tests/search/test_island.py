"""One search: some generations at a time, copies that go their own ways, interrupts."""

import pickle

import numpy as np
import pytest
from deap import tools

from skdeepclust.critic import quality
from skdeepclust.search import STRATEGIES, Bounds, Deadline, make_prototypes
from skdeepclust.search._cached_score import CachedScore
from skdeepclust.search._island import Island, Limits, TakesMigrants
from skdeepclust.search._lineage import Ancestry, make_founders


class TruthScore:
    """Agreement with the truth."""

    def __init__(self, y):
        self.y = y

    def __call__(self, labels):
        return quality(self.y, labels)


def make_island(blobs, strategy="genetic", score=None, n_generations=50, interrupts=True):
    X, y = blobs
    rng = np.random.RandomState(0)
    prototypes = make_prototypes(X, rng, 60)
    bounds = Bounds(1, 12)
    starts = [rng.randint(3, size=len(X)), (np.arange(len(X)) * 4) // len(X)]
    ancestry = Ancestry(X, prototypes, make_founders(prototypes, rng, starts, bounds), bounds)
    limits = Limits(n_generations, None, 1e-4, None, Deadline(), interrupts)
    cached = CachedScore(score or TruthScore(y))
    return Island(STRATEGIES[strategy](ancestry, rng, 12), cached, limits, 10)


def figures(island):
    return list(island.log), [(p.key, p.score) for p in island.found], island.stopped_by


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_parts_are_as_good_as_the_whole(blobs, strategy):
    whole, parts = (make_island(blobs, strategy, n_generations=7) for _ in range(2))
    whole.advance(50)
    for _ in range(4):
        assert parts.advance(3) is parts
    assert figures(parts) == figures(whole)
    assert whole.stopped_by == "generations"
    assert [record["generation"] for record in whole.log] == list(range(8))
    best = [partition.key for partition in whole.best]
    assert len(best) == len(set(best)) == 10


@pytest.mark.parametrize("twin", ["copy", "pickle"])
@pytest.mark.parametrize("strategy", STRATEGIES)
def test_twins_find_the_same_and_leave_each_other_alone(blobs, strategy, twin):
    island = make_island(blobs, strategy)
    island.advance(3)
    before = figures(island)
    other = island.copy() if twin == "copy" else pickle.loads(pickle.dumps(island))
    assert figures(other) == before
    other.advance(4)
    assert figures(island) == before
    island.advance(4)
    assert figures(other) == figures(island)
    assert len(island.log) == 7


def test_copies_share_what_nobody_changes(blobs):
    island = make_island(blobs).advance(2)
    other = island.copy()
    assert other.strategy.ancestry is island.strategy.ancestry
    assert other.score.function is island.score.function
    assert other.strategy.rng is not island.strategy.rng
    assert other.score.known is not island.score.known


class Failing(TruthScore):
    def __call__(self, labels):
        if len(labels) > 5:
            raise KeyboardInterrupt
        return super().__call__(labels)


def test_interrupts_end_a_search_that_has_begun(blobs):
    island = make_island(blobs, score=Failing(blobs[1]))
    island.advance(5)
    assert island.stopped_by == "interrupted"
    assert len(island.log) == 1
    assert island.advance(5) is island
    assert len(island.log) == 1


def test_other_interrupts_are_raised(blobs):
    island = make_island(blobs, score=Failing(blobs[1]), interrupts=False).advance(1)
    with pytest.raises(KeyboardInterrupt):
        island.advance(1)
    with pytest.raises(KeyboardInterrupt), make_island(blobs).ended_by_interrupts():
        raise KeyboardInterrupt


def test_the_genetic_search_takes_migrants(blobs):
    takers = {
        name for name in STRATEGIES if isinstance(make_island(blobs, name).strategy, TakesMigrants)
    }
    assert takers == {"genetic"}
    island, guests = (make_island(blobs).advance(n) for n in (2, 30))
    best = guests.best[:2]
    island.strategy.receive(best)
    assert [p.key for p in island.strategy.survivors[:2]] == [p.key for p in best]
    assert len(island.strategy.survivors) == 12
    for _ in range(20):
        assert not {p.key for p in island.strategy.generate()} & {p.key for p in best}


@pytest.mark.parametrize(
    ("best", "expected"),
    [
        ([0.0], None),
        ([0.0, 1.0], None),
        ([0.0, 0.25], None),  # no more than the tolerance, and once
        ([0.0, 0.25, 0.25], "patience"),
        ([0.0, 0.25, 0.5], None),  # by little steps, but more than the tolerance
        ([0.0, 1.0, 1.0], None),
        ([0.0, 1.0, 1.0, 1.25], "patience"),
        ([0.0, 0.0, 1.0, 1.0], None),
        ([1.0, 0.0, 0.5], "patience"),
        ([0.0, 1.0, 2.0, 3.0], None),
        ([0.0, 1.0, 2.0, 3.0, 4.0], "generations"),
    ],
)
def test_patience_and_generations(best, expected):
    log = tools.Logbook()
    for score in best:
        log.record(best=score, n_evaluations=9)
    limits = Limits(4, 2, 0.25, None, Deadline(), False)
    assert limits.reached(log) == expected


@pytest.mark.parametrize(
    ("most", "expected"), [(10, "evaluations"), (9, "evaluations"), (11, None)]
)
def test_evaluations(most, expected):
    log = tools.Logbook()
    for n_evaluations in (4, 10):
        log.record(best=0.0, n_evaluations=n_evaluations)
    assert Limits(4, None, 0.25, most, Deadline(), False).reached(log) == expected


def test_nothing_is_printed(blobs, capsys):
    make_island(blobs).advance(2)
    assert capsys.readouterr() == ("", "")
