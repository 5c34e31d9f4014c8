"""The critic as a network: graph encoder, then a score."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from ..graph import (
    N_DESCRIPTORS,
    Encoding,
    GraphEncoder,
    PointGraph,
    Population,
    feed_forward,
    node_descriptors,
    population,
)

__all__ = ["CriticNetwork", "CriticOutput"]

# Networks whose stored parameters do not tell have so many descriptors.
_FIRST_DESCRIPTORS = 18


class CriticOutput(NamedTuple):
    """What the critic says about m clusterings.

    Attributes
    ----------
    scores : Tensor of shape (m,)
        Higher is better.
    cluster_scores : Tensor of shape (T,)
        Of the single clusters, T in all: the share that each would have in common with the
        class it matches best, their Jaccard index.
    encoding : Encoding
        The embedding ẑ of each clustering, and the vectors of its clusters and rows.
    clusterings : Population
    """

    scores: Tensor
    cluster_scores: Tensor
    encoding: Encoding
    clusterings: Population


class CriticNetwork(nn.Module):
    """Score clusterings of a data set by what a graph encoder makes of them.

    Parameters
    ----------
    hidden : tuple of int, default=(128, 64)
        Widths of the hidden layers from ẑ to the score.
    **encoder
        Parameters of `GraphEncoder`.

    Attributes
    ----------
    config : dict
        These parameters: ``CriticNetwork(**config)`` has the same layers.
    """

    def __init__(self, hidden: Sequence[int] = (128, 64), **encoder: Any) -> None:
        super().__init__()
        encoder = {"n_descriptors": N_DESCRIPTORS, "normalize": True, **encoder}
        self.config: dict[str, Any] = {"hidden": tuple(hidden), **encoder}
        self.encoder = GraphEncoder(**encoder)
        self.cluster_head = nn.Linear(self.encoder.cluster_dim, 1, dtype=torch.float32)
        widths = [self.encoder.embedding_dim, *hidden, 1]
        self.head = feed_forward(widths, self.encoder.normalize)
        if self.encoder.normalize:
            self.head.insert(0, nn.LayerNorm(widths[0], dtype=torch.float32))

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> CriticNetwork:
        """The layers of a stored `config`, also of one that knows fewer parameters."""
        older = {
            "n_descriptors": _FIRST_DESCRIPTORS,
            "normalize": False,
            "cluster_hidden": (config.get("hidden_dim", 64),),
        }
        return cls(**(config if "normalize" in config else {**older, **config}))

    def forward(self, graph: PointGraph, labels: Tensor) -> CriticOutput:
        """Score clusterings.

        Parameters
        ----------
        graph : PointGraph
            Of n rows.
        labels : Tensor of shape (m, n)
            Any integers, negative ones for noise.
        """
        clusterings = population(labels)
        return self.judge(node_descriptors(graph, clusterings), graph, clusterings)

    def judge(
        self, descriptors: Tensor, graph: PointGraph, clusterings: Population
    ) -> CriticOutput:
        """Score clusterings whose descriptors (m, n, 32) are known."""
        encoding = self.encoder(descriptors, graph, clusterings)
        scores = self.score_embedding(encoding.embedding)
        cluster_scores = self.cluster_head(functional.relu(encoding.clusters)).squeeze(1)
        return CriticOutput(scores, cluster_scores, encoding, clusterings)

    def score_embedding(self, embedding: Tensor) -> Tensor:
        """Scores (m,) of embedded clusterings (m, e)."""
        scores: Tensor = self.head(embedding).squeeze(1)
        return scores
