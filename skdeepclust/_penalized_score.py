"""The critic's score as a search sees it: less for what is no clustering."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from .critic._judging import judge
from .critic._network import CriticNetwork
from .graph import PointGraph
from .search import ScoredClustering

__all__ = ["PenalizedScore", "without_penalty"]

Codes = NDArray[np.int64]
Floats = NDArray[np.float64]

# From so many points on a cluster has three of them, or five.
_MANY, _VERY_MANY = 50, 500


@dataclass(frozen=True)
class PenalizedScore:
    """The critic's score, less 1 for clusterings in which a row is a cluster by itself.

    No true clustering that the critic has learned from has such a cluster. Of 50 points or more,
    two are no cluster either, and of 500 or more four are none.

    Attributes
    ----------
    network : CriticNetwork
    graph : PointGraph
        Of n points.
    device : torch.device
        Where the critic computes.
    """

    network: CriticNetwork
    graph: PointGraph
    device: torch.device

    def __call__(self, labels: Codes) -> Floats:
        """Scores (m,) of clusterings (m, n)."""
        return judge(self.network, self.graph, labels, self.device).scores - _penalty(labels)


def without_penalty(found: ScoredClustering) -> ScoredClustering:
    """The clustering with the score that the critic gave it."""
    return ScoredClustering(found.labels, found.score + float(_penalty(found.labels[None])[0]))


def _penalty(labels: Codes) -> Floats:
    """1 for clusterings (m, n) with a cluster of too few rows, else 0; (m,)."""
    (m, n), k = labels.shape, int(labels.max()) + 1
    most = 1 if n < _MANY else 2 if n < _VERY_MANY else 4
    numbered = labels + k * np.arange(m)[:, None]
    counts = np.bincount(numbered.ravel(), minlength=m * k).reshape(m, k)
    return np.asarray(((counts > 0) & (counts <= most)).any(axis=1), dtype=np.float64)
