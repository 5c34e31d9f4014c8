"""The critic as a network: graph encoder, then a score."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from itertools import pairwise
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from ..graph import Encoding, GraphEncoder, PointGraph, Population, node_descriptors, population

__all__ = ["CriticNetwork", "CriticOutput"]


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
        self.config: dict[str, Any] = {"hidden": tuple(hidden), **encoder}
        self.encoder = GraphEncoder(**encoder)
        linear = partial(nn.Linear, dtype=torch.float32)  # whatever torch's default is
        self.cluster_head = linear(self.encoder.cluster_dim, 1)
        widths = [self.encoder.embedding_dim, *hidden]
        layers: list[nn.Module] = []
        for n_in, n_out in pairwise(widths):
            layers += [linear(n_in, n_out), nn.ReLU()]
        self.head = nn.Sequential(*layers, linear(widths[-1], 1))

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
        """Score clusterings whose descriptors (m, n, 18) are known."""
        encoding = self.encoder(descriptors, graph, clusterings)
        scores = self.score_embedding(encoding.embedding)
        cluster_scores = self.cluster_head(functional.relu(encoding.clusters)).squeeze(1)
        return CriticOutput(scores, cluster_scores, encoding, clusterings)

    def score_embedding(self, embedding: Tensor) -> Tensor:
        """Scores (m,) of embedded clusterings (m, e)."""
        scores: Tensor = self.head(embedding).squeeze(1)
        return scores
