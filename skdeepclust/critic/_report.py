"""How well a critic chooses: figures on tasks that it has not learned."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.stats import spearmanr

from ._judging import judge
from ._network import CriticNetwork
from ._tasks import Task

__all__ = ["choice_figures"]

_TOP = 3


def choice_figures(network: CriticNetwork, tasks: Sequence[Task]) -> dict[str, float]:
    """Means over tasks of how the critic chooses among their clusterings.

    Parameters
    ----------
    network : CriticNetwork
    tasks : sequence of Task
        The first clustering of each is the truth.

    Returns
    -------
    dict of str to float
        "truth first" and "truth in top 3": shares of the tasks; "ARI of the chosen"; "regret
        without truth": by how much the chosen among the others is worse than the best of them;
        "rank correlation" of score and ARI.
    """
    rows = [_figures(judge(network, t.graph, t.labels.numpy()).scores, t) for t in tasks]
    return {name: float(np.mean([row[name] for row in rows])) for name in rows[0]}


def _figures(scores: np.ndarray, task: Task) -> dict[str, float]:
    quality = task.quality.double().numpy()
    # A clustering as good as the truth is the truth under another name for its noise.
    best_true = scores[quality >= 1 - 1e-6].max()
    place = int((scores > best_true).sum())
    others = np.flatnonzero(quality < 1 - 1e-6)
    figures = {
        "truth first": float(place == 0),
        f"truth in top {_TOP}": float(place < _TOP),
        "ARI of the chosen": float(quality[scores.argmax()]),
        "rank correlation": float(spearmanr(scores, quality).statistic),
        "regret without truth": 0.0,
    }
    if len(others):
        chosen = others[scores[others].argmax()]
        figures["regret without truth"] = float(quality[others].max() - quality[chosen])
    return figures
