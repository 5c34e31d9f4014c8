"""How good a score is at choosing from pools of clusterings."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from critic_pool import Floats, Pool, Scorer
from scipy.stats import rankdata
from sklearn.utils.parallel import Parallel, delayed

__all__ = [
    "ALL",
    "FIGURES",
    "WITHOUT_TRUTH",
    "WITH_TRUTH",
    "all_scores",
    "choice_figures",
    "judge",
    "judge_twice",
    "oracle",
    "random_choice",
    "relative_time",
    "without_truth",
]

FIGURES = ("ARI", "success", "regret", "correlation")
ALL = "all"
WITH_TRUTH, WITHOUT_TRUTH = "truth in the pool", "truth not in the pool"
# A clustering this near to the truth is the truth, but for noise.
_PERFECT = 1 - 1e-9
# A choice this much below the best of the pool is a success.
_NEAR = 0.01
# Up to so many pools the ARI of each choice is recorded.
_MAX_SINGLE = 50
_TIMED_POOLS = 3


def random_choice(pool: Pool) -> Floats:
    """No preference: figures are then expected values."""
    return np.zeros(len(pool.quality))


def oracle(pool: Pool) -> Floats:
    """The quality itself."""
    return pool.quality


def choice_figures(scores: Floats, quality: Floats) -> dict[str, float]:
    """Figures of the choice with the highest score.

    Parameters
    ----------
    scores : ndarray of shape (m,)
        Not a number counts as the worst. Of several highest ones the mean is taken.
    quality : ndarray of shape (m,)

    Returns
    -------
    dict
        "ARI" of the choice; "success", whether it is within 0.01 of the best; "regret", the
        best ARI less its own; "correlation", Spearman's, of scores and quality: 0 for constant
        scores, left out for constant quality.
    """
    scores = np.where(np.isnan(scores), -np.inf, scores)
    chosen = quality[scores == scores.max()]
    best = quality.max()
    figures = {
        "ARI": float(chosen.mean()),
        "success": float((chosen >= best - _NEAR).mean()),
        "regret": float(best - chosen.mean()),
    }
    if np.ptp(quality) > 0:
        figures["correlation"] = _rank_correlation(scores, quality)
    return figures


def _rank_correlation(first: Floats, second: Floats) -> float:
    ranks = np.stack([rankdata(first), rankdata(second)])
    ranks -= ranks.mean(axis=1, keepdims=True)
    scale = float(np.sqrt((ranks[0] ** 2).sum() * (ranks[1] ** 2).sum()))
    return float(ranks[0] @ ranks[1]) / scale if scale > 0 else 0.0


def all_scores(score: Scorer, pools: Sequence[Pool], n_jobs: int | None = None) -> list[Floats]:
    """Scores of the clusterings of every pool."""
    return list(Parallel(n_jobs)(delayed(score)(pool) for pool in pools))


def without_truth(
    scores: Sequence[Floats], pools: Sequence[Pool]
) -> tuple[list[Floats], list[Pool]]:
    """Scores and pools without what agrees with the truth; pools with a choice left."""
    left_scores, left_pools = [], []
    for found, pool in zip(scores, pools, strict=True):
        kept = pool.quality < _PERFECT
        if kept.any() and np.ptp(pool.quality[kept]) > 0:
            left_scores.append(found[kept])
            left_pools.append(pool.only(kept))
    return left_scores, left_pools


def judge(scores: Sequence[Floats], pools: Sequence[Pool]) -> dict[str, Any]:
    """Mean figures over all pools and over those of each group.

    Parameters
    ----------
    scores : sequence of ndarray of shape (m_i,)
    pools : sequence of Pool

    Returns
    -------
    dict
        "groups": figures and number of pools by group; "sets": ARI of the choice by set, where
        the pools are few.
    """
    found = [choice_figures(s, pool.quality) for s, pool in zip(scores, pools, strict=True)]
    groups = {ALL: found} if found else {}
    for pool, figures in zip(pools, found, strict=True):
        groups.setdefault(pool.group, []).append(figures)
    record: dict[str, Any] = {"groups": {name: _means(f) for name, f in groups.items()}}
    if len(pools) <= _MAX_SINGLE:
        record["sets"] = {p.name: f["ARI"] for p, f in zip(pools, found, strict=True)}
    return record


def judge_twice(scores: Sequence[Floats], pools: Sequence[Pool]) -> dict[str, Any]:
    """Figures with the truth in the pools and without it."""
    return {
        WITH_TRUTH: judge(scores, pools),
        WITHOUT_TRUTH: judge(*without_truth(scores, pools)),
    }


def _means(found: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """Mean of each figure over those that have it, and their number."""
    means: dict[str, float] = {"n": len(found)}
    for name in FIGURES:
        values = [figures[name] for figures in found if name in figures]
        if values:
            means[name] = float(np.mean(values))
    return means


def relative_time(score: Scorer, unit: Scorer, pools: Sequence[Pool]) -> float:
    """Median over a few pools of the time of a score as a multiple of another's.

    Both are taken one after the other, so that they meet the same load of the machine.
    """
    timed = pools[:: max(1, len(pools) // _TIMED_POOLS)][:_TIMED_POOLS]
    score(timed[0])  # what happens on the first call alone is not counted
    return float(np.median([_seconds(score, pool) / _seconds(unit, pool) for pool in timed]))


def _seconds(score: Scorer, pool: Pool) -> float:
    fresh = replace(pool)  # without the neighbours that an earlier score has found
    started = time.perf_counter()
    score(fresh)
    return time.perf_counter() - started
