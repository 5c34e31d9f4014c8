"""What the searches reach at equal numbers of evaluations, and what they gain over their start.

Data: synthetic sets by number from 35 10⁸ on; the seeds of training sets end at 2³¹, and other
benchmarks have others. Of sets of more than 600 rows a random sample of 600 is clustered. All
searches of a set have the same prototypes and starts, and count different clusterings only.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
import torch
from critic_pool import Codes, Floats
from sklearn.utils.parallel import Parallel, delayed
from suite_measurements import Bench

from skdeepclust._critic_clusterer import _LEVEL, _MARGIN
from skdeepclust._penalized_score import PenalizedScore
from skdeepclust.critic import SyntheticSet, draw_dataset, quality
from skdeepclust.critic._geometry import measure_points
from skdeepclust.critic._network import CriticNetwork
from skdeepclust.search import search_clusterings

__all__ = ["SEARCHES", "EvaluationLog", "draw_set", "measure_searches"]

SEARCHES = ("genetic", "cem", "random", "hill_climbing")
"""Those of the package first, then those that they have to beat."""

_FIRST_NUMBER = 35 * 10**8
_MAX_ROWS = 600
_MAX_CLUSTERS, _POPULATION = 30, 32  # the defaults of CriticClusterer
# Shares of the evaluations after which the best score is noted.
_CHECKPOINTS = (0.25, 0.5, 1.0)
# Generations, in multiples of those that would do if all their clusterings were new.
_PATIENCE = 3


class EvaluationLog:
    """Score clusterings, and keep the best of the first so many.

    Parameters
    ----------
    network : CriticNetwork
    X : ndarray of shape (n, p)
    limit : int
        Clusterings beyond are scored, for the sake of the search, and not counted.

    Attributes
    ----------
    scores : list of float
        Of the first clusterings, in their order; at most `limit`.
    labels : ndarray of shape (n,) or None
        The first of the best of them.
    """

    def __init__(self, network: CriticNetwork, X: Floats, limit: int) -> None:
        self.score = PenalizedScore(network, measure_points(X), torch.device("cpu"))
        self.limit = limit
        self.scores: list[float] = []
        self.labels: Codes | None = None

    def __call__(self, labelings: Codes) -> Floats:
        """Scores (m,) of labels (m, n)."""
        scores = self.score(labelings)
        counted = scores[: self.limit - len(self.scores)]
        if len(counted) and counted.max() > max(self.scores, default=-np.inf):
            self.labels = labelings[counted.argmax()]
        self.scores += counted.tolist()
        return scores

    def best_after(self, n: int) -> float:
        """The best score of the first n clusterings, or of all if there are fewer."""
        return max(self.scores[:n])


def measure_searches(bench: Bench, part: str) -> None:
    """Every search on every set that is not in the file yet, several sets at a time."""
    options = bench.options
    settings = {**bench.critic_settings, "evaluations": options.evaluations}
    found = bench.store.records.setdefault(part, {})
    for number in [n for n, record in found.items() if record["parameters"] != settings]:
        del found[number]
    missing = [i for i in range(options.sets) if str(i) not in found]
    run = delayed(_search_set)
    results = Parallel(options.jobs, return_as="generator")(
        run(bench.critic.network_, i, options.evaluations) for i in missing
    )
    for i, result in zip(missing, results, strict=True):
        bench.store.recall((part, str(i)), settings, partial(dict, result))


def draw_set(number: int, max_rows: int = _MAX_ROWS) -> SyntheticSet:
    """A held-out synthetic set of at most so many rows."""
    rng = np.random.RandomState(_FIRST_NUMBER + number)
    data = draw_dataset(rng)
    kept = np.sort(rng.permutation(len(data.X))[:max_rows])
    return SyntheticSet(data.X[kept], data.y[kept], data.family)


def _search_set(network: CriticNetwork, number: int, evaluations: int) -> dict[str, Any]:
    """What every search reaches on a set, and the best start by its score."""
    data = draw_set(number)
    found: dict[str, Any] = {"family": data.family, "rows": len(data.X)}
    for name in SEARCHES:
        found[name], start = _search(network, data, name, evaluations, number)
    return {**found, "start": start}


def _search(
    network: CriticNetwork, data: SyntheticSet, name: str, evaluations: int, seed: int
) -> tuple[Mapping[str, Any], Mapping[str, float]]:
    """Figures of a search and of its best start, which is the same for all of them."""
    X = np.asarray(data.X, dtype=np.float64)
    log = EvaluationLog(network, X, evaluations)
    result = search_clusterings(
        X,
        log,
        rng=np.random.RandomState(seed),
        strategy=name,
        max_clusters=min(_MAX_CLUSTERS, len(X) - 1),
        population_size=_POPULATION,
        n_generations=_PATIENCE * -(-evaluations // _POPULATION),
        patience=None,
        max_evaluations=evaluations,
    )
    start = result.best_start
    best = log.best_after(evaluations)
    # As CriticClusterer decides.
    believed = best > max(_LEVEL, start.score + _MARGIN)
    labels = log.labels if believed else start.labels
    return {**_figures(log, data, evaluations), "ARI": _ari(data, labels)}, {
        "score": start.score,
        "ARI": _ari(data, start.labels),
    }


def _figures(log: EvaluationLog, data: SyntheticSet, evaluations: int) -> dict[str, Any]:
    assert log.labels is not None
    counts = [max(1, round(share * evaluations)) for share in _CHECKPOINTS]
    return {
        "score": log.best_after(evaluations),
        "scores": {str(n): log.best_after(n) for n in counts},
        "ARI of the best": _ari(data, log.labels),
        "evaluations": len(log.scores),
    }


def _ari(data: SyntheticSet, labels: Sequence[int] | Codes) -> float:
    return float(quality(data.y, [labels])[0])
