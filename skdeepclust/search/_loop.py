"""The search for a clustering, from the rows to the result."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ._archipelago import evolve
from ._baselines import HillClimbingStrategy, RandomStrategy
from ._cached_score import CachedScore, Score, ScoreStore
from ._cem import CrossEntropyStrategy
from ._deadline import Deadline
from ._genetic import GeneticStrategy
from ._island import Callback, Island, Limits, Strategy
from ._lineage import Ancestry, make_founders
from ._partition import Bounds, Codes, Floats
from ._portfolio import portfolio
from ._prototypes import default_n_prototypes, make_prototypes
from ._result import SearchResult, collect_result

__all__ = ["STRATEGIES", "search_clusterings"]

_PROTOTYPES_PER_CLUSTER = 4

STRATEGIES: dict[str, Callable[..., Strategy]] = {
    "genetic": GeneticStrategy,
    "cem": CrossEntropyStrategy,
    "random": RandomStrategy,
    "hill_climbing": HillClimbingStrategy,
}
"""Strategies by name; each takes an ancestry, a source of randomness and a population size."""


def search_clusterings(
    X: ArrayLike,
    score: Score,
    *,
    rng: np.random.RandomState,
    strategy: str = "genetic",
    min_clusters: int = 1,
    max_clusters: int = 20,
    population_size: int = 48,
    n_generations: int = 40,
    patience: int | None = 10,
    tolerance: float = 1e-4,
    max_time: float | None = None,
    max_evaluations: int | None = None,
    starts: Iterable[ArrayLike] | None = None,
    n_starts: int = 64,
    trust: float | None = None,
    n_alternatives: int = 10,
    min_difference: float = 0.02,
    options: Mapping[str, Any] | None = None,
    n_islands: int = 1,
    n_jobs: int | None = None,
    callback: Callback | None = None,
    store: ScoreStore | None = None,
    keep_if_interrupted: bool = False,
) -> SearchResult:
    """Search the clustering of a data set that a score likes best.

    Parameters
    ----------
    X : array-like of shape (n, p)
    score : callable
        Takes clusterings (m, n), labels from 0 in the order of their first appearance, and
        returns their scores (m,); higher is better.
    rng : RandomState
        The only source of randomness.
    strategy : {"genetic", "cem", "random", "hill_climbing"}, default="genetic"
        The latter two are there for comparison.
    min_clusters, max_clusters : int, default=1, 20
        Fewest and most clusters; at most as many as there are different rows are used.
    population_size : int, default=48
        Clusterings of a generation. The first one are the starts, however many.
    n_generations : int, default=40
        At most so many generations after the starts.
    patience : int or None, default=10
        Ends the search after so many generations without a better score; None: never.
    tolerance : float, default=1e-4
        A score is better if it is higher by more than this.
    max_time : float or None, default=None
        Seconds after which the search ends. What is not made and scored by then is left out,
        starts included; one of these is always scored. The clock is looked at between calls of
        the score, which then gets less than a generation at a time.
    max_evaluations : int or None, default=None
        Clusterings scored after which no further generation begins.
    starts : iterable of array-like of shape (n,), optional
        Clusterings to start from, labels from 0. Default: `portfolio`.
    n_starts : int, default=64
        About how many clusterings a portfolio has.
    trust : float or None, default=None
        Largest share of rows on which a clustering may differ, after the best matching of
        clusters, from the start of which it descends. None: any.
    n_alternatives : int, default=10
    min_difference : float, default=0.02
        Share of rows on which an alternative differs from every better one; 0: just different.
    options : mapping, optional
        Further parameters of the strategy.
    n_islands : int, default=1
        Searches that begin alike and then go their own ways, but for the best partitions, which
        move to the next island every five generations. Patience, generations and evaluations
        are those of an island.
    n_jobs : int or None, default=None
        Islands searched at once, see `joblib.Parallel`; the result does not depend on it. In
        processes, the default where 30 seconds or more are left, `score` has to be picklable.
    callback : callable, optional
        Called after every generation with its figures: those of `SearchResult.history`, and
        ``generation``.
    store : ScoreStore, optional
        Gets the scores, and has those of a search that was broken off. With these, and a `rng`
        as it was, the same search goes on: `score` is asked for no partition again.
    keep_if_interrupted : bool, default=False
        Whether a KeyboardInterrupt ends the search as a limit does, once the starts are scored;
        otherwise it is raised, as it always is before.

    Returns
    -------
    SearchResult

    Raises
    ------
    ValueError
        If a parameter is out of range, no start is given, or fewer rows are different than
        there should be clusters.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.metrics import silhouette_score
    >>> from skdeepclust.search import search_clusterings
    >>> X = np.array([[0.0], [0.1], [0.2], [5.0], [5.1], [9.0], [9.1]])
    >>> found = search_clusterings(
    ...     X,
    ...     lambda labelings: np.array([silhouette_score(X, labels) for labels in labelings]),
    ...     rng=np.random.RandomState(0),
    ...     min_clusters=2,
    ...     max_clusters=5,
    ... )
    >>> found.labels
    array([0, 0, 0, 1, 1, 2, 2])
    """
    deadline = Deadline.after(max_time)
    rows = _scaled(np.asarray(X, dtype=np.float64))
    bounds = _checked_bounds(rows, min_clusters, max_clusters)
    _check_settings(strategy, population_size, n_generations, trust, n_islands)
    ancestry = _make_ancestry(rows, rng, bounds, starts, n_starts, trust, deadline)
    chosen = STRATEGIES[strategy](ancestry, rng, population_size, **(options or {}))
    limits = Limits(
        n_generations, patience, tolerance, max_evaluations, deadline, keep_if_interrupted
    )
    first = Island(chosen, CachedScore(score, deadline), limits, max(1, n_alternatives))
    found, log, reason = evolve(first, rng, n_islands, n_jobs, callback, store)
    founders = [founder for founder in ancestry.founders if founder.fitness.valid]
    return collect_result(
        [*found, *founders], founders, log, reason, n_alternatives, min_difference
    )


def _make_ancestry(
    rows: Floats,
    rng: np.random.RandomState,
    bounds: Bounds,
    starts: Iterable[ArrayLike] | None,
    n_starts: int,
    trust: float | None,
    deadline: Deadline,
) -> Ancestry:
    n = len(rows)
    wanted = max(default_n_prototypes(n), _PROTOTYPES_PER_CLUSTER * bounds.max_clusters)
    prototypes = make_prototypes(rows, rng, min(n, wanted))
    if len(prototypes) < bounds.min_clusters:
        raise ValueError(
            f"min_clusters={bounds.min_clusters} is more than the {len(prototypes)} different "
            "rows of X."
        )
    bounds = Bounds(bounds.min_clusters, min(bounds.max_clusters, len(prototypes)))
    if starts is None:
        founders = portfolio(rows, prototypes, rng, bounds, n_starts, deadline)
    else:
        founders = make_founders(prototypes, rng, _checked_starts(starts, n), bounds)
    return Ancestry(rows, prototypes, founders, bounds, trust, deadline)


def _checked_starts(starts: Iterable[ArrayLike], n: int) -> list[Codes]:
    labelings = [np.asarray(labels) for labels in starts]
    if not labelings:
        raise ValueError("starts must hold at least one clustering, got none.")
    for i, labels in enumerate(labelings):
        if labels.shape != (n,) or labels.dtype.kind not in "iu" or labels.min() < 0:
            raise ValueError(
                f"starts: clustering {i} must be {n} integers from 0, one for each row, got an "
                f"array of shape {labels.shape} and dtype {labels.dtype}"
                + (f" with a lowest value of {labels.min()}." if labels.size else ".")
            )
    return [labels.astype(np.int64) for labels in labelings]


def _checked_bounds(rows: Floats, min_clusters: int, max_clusters: int) -> Bounds:
    if min_clusters < 1:
        raise ValueError(f"min_clusters must be at least 1, got {min_clusters}.")
    if min_clusters > max_clusters:
        raise ValueError(
            f"min_clusters must be at most max_clusters, got {min_clusters} and {max_clusters}."
        )
    if min_clusters > len(rows):
        raise ValueError(f"min_clusters={min_clusters} is more than the {len(rows)} rows of X.")
    return Bounds(min_clusters, min(max_clusters, len(rows)))


def _check_settings(
    strategy: str, population_size: int, n_generations: int, trust: float | None, n_islands: int
) -> None:
    if strategy not in STRATEGIES:
        raise ValueError(f"strategy must be one of {tuple(STRATEGIES)}, got {strategy!r}.")
    if population_size < 2:
        raise ValueError(f"population_size must be at least 2, got {population_size}.")
    if n_generations < 0:
        raise ValueError(f"n_generations must be at least 0, got {n_generations}.")
    if trust is not None and not 0 <= trust <= 1:
        raise ValueError(f"trust must be None or between 0 and 1, got {trust}.")
    if n_islands < 1:
        raise ValueError(f"n_islands must be at least 1, got {n_islands}.")


def _scaled(X: Floats) -> Floats:
    """Rows around their mean, the largest coordinate 1: squares neither overflow nor vanish."""
    if X.ndim != 2 or not X.size:
        raise ValueError(f"X must be of shape (n, p) and not empty, got shape {X.shape}.")
    if not np.isfinite(X).all():
        raise ValueError("X must not contain NaN or infinity.")
    centered = X - X[0]
    centered = centered / (np.abs(centered).max() or 1.0)
    return np.asarray(centered - centered.mean(axis=0))
