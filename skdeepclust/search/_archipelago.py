"""Several searches that begin alike, go their own ways and exchange the best they find."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from operator import itemgetter

import numpy as np
import torch
from deap import tools
from sklearn.utils.parallel import Parallel, delayed
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from ._cached_score import ScoreStore
from ._island import Callback, Island, TakesMigrants
from ._partition import Partition
from ._result import INTERRUPTED

__all__ = ["evolve"]

# Generations between two migrations, and the partitions that move.
_ROUND, _N_MIGRANTS = 5, 2
# With less time than this, in seconds, processes may take too long to start.
_SLOW_START = 30.0
# Of several islands, the first of these that ended one of them ended the search.
_REASONS = (INTERRUPTED, "time", "generations", "evaluations", "patience")

Outcome = tuple[list[Partition], tools.Logbook, str]


def evolve(
    first: Island,
    rng: np.random.RandomState,
    n_islands: int = 1,
    n_jobs: int | None = None,
    callback: Callback | None = None,
    store: ScoreStore | None = None,
) -> Outcome:
    """Search until the limits end it.

    Parameters
    ----------
    first : Island
        That has not begun. The others are copies of it after the generation of the starts.
    rng : RandomState
        Gives the other islands, and of several the first one, too, their own random states.
    n_islands : int
    n_jobs : int, optional
        Islands searched at once.
    callback : callable, optional
        Called with the record of each generation of all islands.
    store : ScoreStore, optional

    Returns
    -------
    found : list of Partition
        Scored ones.
    log : Logbook
        Of each generation: the best of all islands and the number of its clusters, the mean of
        the means, and evaluations in all.
    reason : str
        What ended the search.
    """
    report = _Report(callback)
    if store is not None:
        first.score.begin(store.of(0), partial(store.keep, 0) if n_islands == 1 else None)
    if n_islands == 1:
        return _evolve_one(first, report)
    with _one_thread():
        first.advance(1)
        if store is not None:
            store.keep(0, first.score.known)
        seeds = rng.randint(np.iinfo(np.int32).max, size=n_islands)
        islands = [_branch(first, i, int(seed), store) for i, seed in enumerate(seeds)]
        islands = _evolve_together(islands, n_jobs, report, store)
    reasons = {island.stopped_by for island in islands}
    reason = next(reason for reason in _REASONS if reason in reasons)
    return [found for island in islands for found in island.found], report.log, reason


def _evolve_one(island: Island, report: _Report) -> Outcome:
    while island.stopped_by is None:
        island.advance(1)
        with island.ended_by_interrupts():
            report([island])
    return island.found, report.log, island.stopped_by


def _branch(first: Island, place: int, seed: int, store: ScoreStore | None) -> Island:
    """An island that goes on from the first generation with a random state of its own."""
    island = first.copy()
    island.strategy.rng = np.random.RandomState(seed)
    island.score.forget_unasked()
    if store is not None:
        island.score.begin(store.of(place))
    return island


def _evolve_together(
    islands: list[Island], n_jobs: int | None, report: _Report, store: ScoreStore | None
) -> list[Island]:
    """Rounds of some generations, with migrations between them, until all islands ended."""
    with islands[0].ended_by_interrupts():
        report(islands)
    prefer = "threads" if islands[0].limits.deadline.left < _SLOW_START else None
    while _going_on(islands):
        with islands[0].ended_by_interrupts():
            # Copies: after an interrupt nobody else works on what is kept.
            copies = (delayed(_advance)(island.copy()) for island in islands)
            islands = Parallel(n_jobs, prefer=prefer)(copies)
        with islands[0].ended_by_interrupts():
            _meet(islands, report, store)
    return islands


def _meet(islands: Sequence[Island], report: _Report, store: ScoreStore | None) -> None:
    """What is done between two rounds."""
    for place, island in enumerate(islands):
        if store is not None:
            store.keep(place, island.score.known)
    report(islands)
    _migrate(islands)


def _going_on(islands: Sequence[Island]) -> bool:
    reasons = {island.stopped_by for island in islands}
    return None in reasons and INTERRUPTED not in reasons


def _advance(island: Island) -> Island:
    with _one_thread():
        return island.advance(_ROUND)


def _migrate(islands: Sequence[Island]) -> None:
    """The best of each island move to the next one, where the strategy has use for them."""
    migrants = [island.best[:_N_MIGRANTS] for island in islands]
    for island, guests in zip(islands, [migrants[-1], *migrants[:-1]], strict=True):
        if island.stopped_by is None and isinstance(island.strategy, TakesMigrants):
            island.strategy.receive(guests)


@contextmanager
def _one_thread() -> Iterator[None]:
    """Compute with one thread: islands have a core each, and bits may depend on the number."""
    before = torch.get_num_threads()
    with threadpool_limits(limits=1):
        if before > 1:
            torch.set_num_threads(1)
        try:
            yield
        finally:
            if before > 1:
                torch.set_num_threads(before)


class _Report:
    """The log of all islands together.

    Parameters
    ----------
    callback : callable, optional
        Called with each record when it is complete.
    """

    def __init__(self, callback: Callback | None) -> None:
        self.log = tools.Logbook()
        self._callback = callback

    def __call__(self, islands: Sequence[Island]) -> None:
        """Add the generations that are new."""
        n_generations = max(len(island.log) for island in islands)
        for generation in range(len(self.log), n_generations):
            # An island that has ended stays as it is.
            records = [island.log[min(generation, len(island.log) - 1)] for island in islands]
            best = max(records, key=itemgetter("best"))
            common = islands[0].log[0]["n_evaluations"]
            self.log.record(
                generation=generation,
                best=best["best"],
                mean=float(np.mean([record["mean"] for record in records])),
                n_clusters=best["n_clusters"],
                n_evaluations=common + sum(r["n_evaluations"] - common for r in records),
            )
            if self._callback is not None:
                self._callback(dict(self.log[-1]))
