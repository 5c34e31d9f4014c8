"""Critics that learn from images, in three ways."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from critic_pool import Codes
from numpy.typing import NDArray

from skdeepclust import ClusteringCritic
from skdeepclust.critic._training import CriticPlan

__all__ = ["PAPER", "SCRATCH", "TRAINED_ON", "VARIANTS", "PaperCritic", "train_on_images"]

TRAINED_ON, SCRATCH, PAPER = "trained on", "from scratch", "paper configuration"

VARIANTS: dict[str, dict[str, Any]] = {
    # Half the step of a training from scratch, as the package's own critic of images has it.
    TRAINED_ON: {"warm_start": True, "learning_rate": 1e-3},
    SCRATCH: {},
    PAPER: {"graph": "complete", "ranking": 0.0, "regression": 0.0, "wasserstein": 1.0},
}
"""Parameters that are not the defaults of `ClusteringCritic`, by the way of learning.

The paper's objectives are reconstruction of the graph and the Wasserstein critic, on complete
graphs of the clusters; their weights, sizes and the descriptors of rows are not published.
"""


class PaperCritic(ClusteringCritic):
    """Without the regression of single clusters' quality, which no parameter turns off."""

    def _plan(self) -> CriticPlan:
        return replace(super()._plan(), clusters=0.0)


def train_on_images(
    variant: str,
    base: ClusteringCritic,
    X: NDArray[Any],
    y: Codes,
    seed: int,
    training: Mapping[str, Any],
) -> ClusteringCritic:
    """A critic that has learned from labelled rows.

    Parameters
    ----------
    variant : {"trained on", "from scratch", "paper configuration"}
    base : ClusteringCritic
        Where "trained on" starts; it is not changed.
    X, y : ndarray of shape (n, d) and (n,)
    seed : int
    training : mapping
        Further parameters of `ClusteringCritic`.
    """
    parameters = {**training, **VARIANTS[variant], "random_state": seed}
    if variant == TRAINED_ON:
        return copy.deepcopy(base).set_params(**parameters).fit(X, y)
    make = PaperCritic if variant == PAPER else ClusteringCritic
    return make(**parameters).fit(X, y)
