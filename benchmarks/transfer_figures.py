"""How good a score is at finding the truth in pools of clusterings."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from critic_figures import all_scores, choice_figures
from critic_pool import Floats, Scorer
from transfer_pools import SEARCHED, RatedPool

__all__ = [
    "EVERYTHING",
    "FIGURES",
    "WITHOUT_SEARCH",
    "chance_in_top",
    "judge_choices",
    "pool_figures",
]

FIGURES = ("Best", "Top 3", "ARI", "regret")
EVERYTHING, WITHOUT_SEARCH = "all clusterings", "without those of the search"


def chance_in_top(scores: Floats, place: int, n_top: int) -> float:
    """Probability that a clustering is among the highest scores, ties in random order.

    Parameters
    ----------
    scores : ndarray of shape (m,)
        Not a number counts as the worst.
    place : int
        Of the clustering.
    n_top : int
    """
    scores = np.where(np.isnan(scores), -np.inf, scores)
    above = int((scores > scores[place]).sum())
    tied = int((scores == scores[place]).sum())  # with itself
    return float(np.clip((n_top - above) / tied, 0.0, 1.0))


def pool_figures(scores: Floats, quality: Floats) -> dict[str, float]:
    """Figures of one pool whose first clustering is the truth.

    Parameters
    ----------
    scores : ndarray of shape (m,)
    quality : ndarray of shape (m,)
        Adjusted Rand index (ARI) of each.

    Returns
    -------
    dict
        "Best" and "Top 3": whether the truth is there; "ARI" of the choice; "regret": with the
        truth taken out, by how much the choice is below the best of the others.
    """
    return {
        "Best": chance_in_top(scores, 0, 1),
        "Top 3": chance_in_top(scores, 0, 3),
        "ARI": choice_figures(scores, quality)["ARI"],
        "regret": choice_figures(scores[1:], quality[1:])["regret"],
    }


def judge_choices(
    score: Scorer, rated: Sequence[RatedPool], n_jobs: int | None = None
) -> dict[str, dict[str, float]]:
    """Mean figures over the pools, with the search's clusterings and without them."""
    scores = all_scores(score, [one.pool for one in rated], n_jobs)
    everything = [pool_figures(s, one.pool.quality) for s, one in zip(scores, rated, strict=True)]
    others = [
        pool_figures(s[one.is_not(SEARCHED)], one.without(SEARCHED).quality)
        for s, one in zip(scores, rated, strict=True)
    ]
    return {EVERYTHING: _means(everything), WITHOUT_SEARCH: _means(others)}


def _means(found: Sequence[dict[str, float]]) -> dict[str, Any]:
    return {name: float(np.mean([figures[name] for figures in found])) for name in FIGURES}
