"""What a trained critic says about many clusterings, in blocks of bounded memory."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from ..graph import PointGraph
from ._network import CriticNetwork

__all__ = ["Judgement", "judge"]

# Rows times clusterings judged at a time: bounds the memory to some hundred MB.
_BLOCK_CELLS = 200_000


class Judgement(NamedTuple):
    """What a critic says about m clusterings with T clusters in all.

    Attributes
    ----------
    scores : ndarray of shape (m,), float64
    cluster_scores : ndarray of shape (T,), float64
    embedding : ndarray of shape (m, e), float32
    """

    scores: NDArray[np.float64]
    cluster_scores: NDArray[np.float64]
    embedding: NDArray[np.float32]


def judge(
    network: CriticNetwork,
    graph: PointGraph,
    labels: NDArray[np.integer],
    device: torch.device | None = None,
) -> Judgement:
    """Judge clusterings without keeping gradients.

    Parameters
    ----------
    network : CriticNetwork
    graph : PointGraph
        Of n rows.
    labels : ndarray of shape (m, n)
        Negative ones are noise.
    device : torch.device, optional
        Default: the CPU.
    """
    device = device or torch.device("cpu")
    graph, network = graph.to(device), network.to(device).eval()
    n_at_once = max(1, _BLOCK_CELLS // labels.shape[1])
    parts = []
    with torch.inference_mode():
        for block in torch.from_numpy(np.asarray(labels, dtype=np.int64)).split(n_at_once):
            output = network(graph, block.to(device))
            parts.append((output.scores, output.cluster_scores, output.encoding.embedding))
    scores, cluster_scores, embedding = (torch.cat(c).cpu() for c in zip(*parts, strict=True))
    return Judgement(scores.double().numpy(), cluster_scores.double().numpy(), embedding.numpy())
