"""What a search found, in the end."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from deap import tools

from ._partition import Codes, Partition, canonical, difference

__all__ = ["INTERRUPTED", "ScoredClustering", "SearchResult", "collect_result"]

INTERRUPTED = "interrupted"
"""What ends a search after a KeyboardInterrupt."""

_FIGURES = ("best", "mean", "n_clusters", "n_evaluations")


class ScoredClustering(NamedTuple):
    """A clustering and its score.

    Attributes
    ----------
    labels : ndarray of shape (n,)
        From 0, in the order of their first appearance.
    score : float
    """

    labels: Codes
    score: float


@dataclass(frozen=True)
class SearchResult:
    """What a search found.

    Attributes
    ----------
    labels : ndarray of shape (n,)
        The best clustering: labels from 0, in the order of their first appearance.
    score : float
        Its score.
    alternatives : list of ScoredClustering
        Different good clusterings, the best one first.
    history : dict of str to list of float
        Of every generation: ``best`` (score, up to then) and ``n_clusters`` (of this best one),
        ``mean`` (score within the generation), ``n_evaluations`` (up to then).
    best_start : ScoredClustering
        The best of the starting clusterings.
    stopped_by : {"generations", "patience", "time", "evaluations", "interrupted"}
        What ended the search.
    """

    labels: Codes
    score: float
    alternatives: list[ScoredClustering]
    history: dict[str, list[float]]
    best_start: ScoredClustering
    stopped_by: str

    def trusted(self, margin: float, level: float) -> ScoredClustering:
        """The best clustering, or the best start where a search is not to be believed.

        A search finds what a learned score overrates, most of all where nothing scores well.

        Parameters
        ----------
        margin : float
            By more than this the best score must exceed that of the best start.
        level : float
            The best score must exceed this as well.
        """
        if self.score > max(level, self.best_start.score + margin):
            return ScoredClustering(self.labels, self.score)
        return self.best_start


def collect_result(
    found: Iterable[Partition],
    founders: Sequence[Partition],
    log: tools.Logbook,
    stopped_by: str,
    n_alternatives: int,
    min_difference: float,
) -> SearchResult:
    """Sort what was found.

    Parameters
    ----------
    found : iterable of Partition
        Scored ones, the founders among them.
    founders : sequence of Partition
    log : Logbook
        With a record of every generation.
    stopped_by : str
    n_alternatives : int
        At most so many are kept.
    min_difference : float
        Share of rows on which an alternative differs from every better one.
    """
    ranked = sorted(found, key=_score, reverse=True)
    best = _scored(ranked[0])
    return SearchResult(
        best.labels,
        best.score,
        [_scored(partition) for partition in _distinct(ranked, n_alternatives, min_difference)],
        {figure: log.select(figure) for figure in _FIGURES},
        _scored(max(founders, key=_score)),
        stopped_by,
    )


def _distinct(ranked: list[Partition], most: int, min_difference: float) -> list[Partition]:
    kept: dict[bytes, Partition] = {}
    for partition in ranked:
        if len(kept) == most:
            break
        if partition.key not in kept and all(
            difference(partition.labels, other.labels) >= min_difference for other in kept.values()
        ):
            kept[partition.key] = partition
    return list(kept.values())


def _scored(partition: Partition) -> ScoredClustering:
    return ScoredClustering(canonical(partition.labels[None])[0], partition.score)


def _score(partition: Partition) -> float:
    return partition.score
