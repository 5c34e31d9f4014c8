"""Graph autoencoder: clusterings of any size, as graphs, become vectors of one size.

The encoder is a graph neural network over the rows of each clustering, then over its clusters;
the decoder tells by inner products which rows are joined by an edge. See Kipf and Welling,
"Variational Graph Auto-Encoders", 2016, here without the variational part.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Any, Literal, NamedTuple

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional

from ._descriptors import N_DESCRIPTORS
from ._point_graph import PointGraph
from ._population import Population

__all__ = ["Encoding", "GraphEncoder", "reconstruction_loss"]

_KINDS = ("knn", "complete")
# The square root has no slope at 0, where clusters of one row are.
_VARIANCE_FLOOR = 1e-6
# Descriptors that hardly vary where they are standardised are not blown up elsewhere.
_SMALLEST_SCALE = 0.05
# log K, 1 / K, entropy of the shares, share of noise
_N_SUMMARIES = 4


class Encoding(NamedTuple):
    """What `GraphEncoder` makes of m clusterings of n rows with T clusters in all.

    Attributes
    ----------
    embedding : Tensor of shape (m, embedding_dim)
        Of each clustering.
    clusters : Tensor of shape (T, cluster_dim)
        Of each cluster.
    nodes : Tensor of shape (m, n, node_dim)
        Of each row in each clustering; those of noise carry no meaning.
    """

    embedding: Tensor
    clusters: Tensor
    nodes: Tensor


class GraphEncoder(nn.Module):
    """Encode clusterings from the descriptors of their rows.

    A network per node, rounds of message passing along the edges of the clustering graph,
    pooling per cluster, a network per cluster, and pooling over clusters. Invariant to the order
    of rows and to the names of clusters; fits any n, p and K.

    Parameters
    ----------
    n_descriptors : int, default=32
        Descriptors of a node: so many of those given, the first ones.
    hidden_dim : int, default=64
        Hidden units of the network per node.
    node_dim : int, default=32
        Size of a node's vector.
    cluster_dim : int, default=64
        Size of a cluster's vector.
    n_rounds : int, default=1
        Rounds of message passing; 0 for none.
    kind : {"knn", "complete"}, default="knn"
        Edges of the clustering graph: between neighbours in one cluster, or between all rows of
        a cluster. The latter are never formed: a mean over a cluster does the same.
    cluster_hidden : tuple of int, default=(128, 128)
        Hidden units of the network per cluster.
    normalize : bool, default=True
        Whether descriptors are standardised, by what `standardize` saw, and hidden units of the
        network per cluster by layer.

    Examples
    --------
    >>> import torch
    >>> from skdeepclust.graph import GraphEncoder, node_descriptors, point_graph, population
    >>> points = torch.tensor([[0.0], [1.0], [5.0], [6.0], [7.0]])
    >>> graph = point_graph(points, torch.tensor([[1], [0], [3], [2], [3]]))
    >>> clusterings = population(torch.tensor([[0, 0, 1, 1, 1], [3, 3, 3, 3, -1]]))
    >>> encoder = GraphEncoder(cluster_dim=8)
    >>> encoding = encoder(node_descriptors(graph, clusterings), graph, clusterings)
    >>> encoding.embedding.shape, encoding.clusters.shape, encoding.nodes.shape
    (torch.Size([2, 36]), torch.Size([3, 8]), torch.Size([2, 5, 32]))
    """

    center: Tensor
    scale: Tensor

    def __init__(
        self,
        n_descriptors: int = N_DESCRIPTORS,
        *,
        hidden_dim: int = 64,
        node_dim: int = 32,
        cluster_dim: int = 64,
        n_rounds: int = 1,
        kind: Literal["knn", "complete"] = "knn",
        cluster_hidden: Sequence[int] = (128, 128),
        normalize: bool = True,
    ) -> None:
        super().__init__()
        if kind not in _KINDS:
            raise ValueError(f"kind must be one of {_KINDS}, got {kind!r}.")
        self.kind = kind
        self.n_descriptors = n_descriptors
        self.cluster_dim = cluster_dim
        self.embedding_dim = 4 * cluster_dim + _N_SUMMARIES
        self.normalize = normalize
        if normalize:
            self.register_buffer("center", torch.zeros(n_descriptors, dtype=torch.float32))
            self.register_buffer("scale", torch.zeros(n_descriptors, dtype=torch.float32))
        self.node_network = feed_forward([n_descriptors, hidden_dim, node_dim])
        self.rounds = nn.ModuleList(_MeanConvolution(node_dim) for _ in range(n_rounds))
        n_inputs = 2 * node_dim + n_descriptors + 1
        self.cluster_network = feed_forward([n_inputs, *cluster_hidden, cluster_dim], normalize)

    def standardize(self, descriptors: Iterable[Tensor]) -> None:
        """Take centre and scale of the descriptors from some of them, if they are not known yet.

        Parameters
        ----------
        descriptors : iterable of Tensor of shape (m, n, n_descriptors)
            Of several data sets, which count alike.
        """
        if not self.normalize or bool(self.scale.any()):
            return
        flat = [some[:, :, : self.n_descriptors].flatten(0, 1).double() for some in descriptors]
        mean = torch.stack([some.mean(dim=0) for some in flat]).mean(dim=0)
        square = torch.stack([(some - mean).square().mean(dim=0) for some in flat]).mean(dim=0)
        self.center.copy_(mean)
        self.scale.copy_(square.sqrt().clamp(min=_SMALLEST_SCALE))

    def _standardized(self, descriptors: Tensor) -> Tensor:
        if not self.normalize or not bool(self.scale.any()):
            return descriptors
        return (descriptors - self.center) / self.scale

    def forward(self, descriptors: Tensor, graph: PointGraph, clusterings: Population) -> Encoding:
        """Encode m clusterings.

        Parameters
        ----------
        descriptors : Tensor of shape (m, n, n_descriptors)
        graph : PointGraph
            Its neighbours are those of the ``"knn"`` graph.
        clusterings : Population

        Returns
        -------
        Encoding
        """
        descriptors = self._standardized(descriptors[:, :, : self.n_descriptors])
        nodes = self._pass_messages(self.node_network(descriptors), graph, clusterings)
        clusters = self.cluster_network(_pool_rows(nodes, descriptors, clusterings))
        return Encoding(_pool_clusters(clusters, clusterings), clusters, nodes)

    def _pass_messages(self, nodes: Tensor, graph: PointGraph, clusterings: Population) -> Tensor:
        weights = None
        if self.kind == "knn" and len(self.rounds):
            weights = _edge_weights(graph.neighbors, clusterings, nodes.dtype)
        for convolution in self.rounds:
            active = functional.relu(nodes)
            if weights is None:
                mean = clusterings.spread(clusterings.means(active))
            else:
                mean = _NeighborMean.apply(active, graph.neighbors, weights)
            nodes = convolution(active, mean)
        return nodes


class _MeanConvolution(nn.Module):
    """Graph convolution with mean aggregation (Hamilton, Ying, Leskovec, GraphSAGE, 2017)."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.own = nn.Linear(dim, dim, dtype=torch.float32)
        self.neighbors = nn.Linear(dim, dim, bias=False, dtype=torch.float32)

    def forward(self, nodes: Tensor, mean: Tensor) -> Tensor:
        """Nodes and the means of their neighbours, (m, n, c) each, to nodes (m, n, c)."""
        out: Tensor = self.own(nodes) + self.neighbors(mean)
        return out


def feed_forward(widths: Sequence[int], normalize: bool = False) -> nn.Sequential:
    """Linear layers of float32 with rectified, possibly normalised hidden units between them."""
    # Linear at the end: inner products of non-negative vectors could not be negative.
    layers: list[nn.Module] = []
    for n_in, n_out in pairwise(widths):
        # Whatever torch's default type is.
        layers.append(nn.Linear(n_in, n_out, dtype=torch.float32))
        if normalize:
            layers.append(nn.LayerNorm(n_out, dtype=torch.float32))
        layers.append(nn.ReLU())
    return nn.Sequential(*layers[: -2 if normalize else -1])


def _edge_weights(neighbors: Tensor, clusterings: Population, dtype: torch.dtype) -> Tensor:
    """1 / degree for the neighbours (n, k) in the own cluster and 0 for others, (m, n, k)."""
    codes = clusterings.codes[:, :, None]
    same = (clusterings.codes[:, neighbors] == codes) & (codes >= 0)
    return same.to(dtype) / same.sum(dim=2, keepdim=True).clamp(min=1)


class _NeighborMean(torch.autograd.Function):
    """Weighted sums over neighbours, no vector copied per edge on the way there or back."""

    @staticmethod
    def forward(ctx: Any, nodes: Tensor, neighbors: Tensor, weights: Tensor) -> Tensor:
        ctx.save_for_backward(neighbors, weights)
        n, k = neighbors.shape
        starts = k * torch.arange(n, device=neighbors.device)
        return _bag_sums(nodes, neighbors.flatten(), starts, weights.flatten(1))

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grad_outputs: Tensor) -> Any:
        neighbors, weights = ctx.saved_tensors
        n, k = neighbors.shape
        # The edges again, sorted by the neighbour instead of by the row.
        order = neighbors.flatten().argsort(stable=True)
        degrees = torch.bincount(neighbors.flatten(), minlength=n)
        starts = degrees.cumsum(0) - degrees
        weights = weights.flatten(1).index_select(1, order)
        return _bag_sums(grad_outputs[0].contiguous(), order // k, starts, weights), None, None


def _bag_sums(values: Tensor, rows: Tensor, starts: Tensor, weights: Tensor) -> Tensor:
    """Weighted sums over bags of rows, the same bags for every clustering.

    Parameters
    ----------
    values : Tensor of shape (m, n, c)
    rows : Tensor of shape (E,)
    starts : Tensor of shape (n,)
        Where each bag begins in `rows`.
    weights : Tensor of shape (m, E)

    Returns
    -------
    Tensor of shape (m, n, c)
    """
    m, n, _ = values.shape
    clustering = torch.arange(m, device=values.device)[:, None]
    summed = functional.embedding_bag(
        (rows + n * clustering).flatten(),
        values.flatten(0, 1),
        (starts + len(rows) * clustering).flatten(),
        mode="sum",
        per_sample_weights=weights.flatten(),
    )
    return summed.unflatten(0, (m, n))


def _pool_rows(nodes: Tensor, descriptors: Tensor, clusterings: Population) -> Tensor:
    """Mean and deviation of the nodes, mean of the descriptors and share, per cluster."""
    mean = clusterings.means(nodes)  # (T, c)
    variance = clusterings.means((nodes - clusterings.spread(mean)).square())
    return torch.cat(
        [
            mean,
            (variance + _VARIANCE_FLOOR).sqrt(),
            clusterings.means(descriptors),
            clusterings.shares.to(mean.dtype)[:, None],
        ],
        dim=1,
    )


def _pool_clusters(clusters: Tensor, clusterings: Population) -> Tensor:
    """Four ways to pool the clusters (T, c) of each clustering, and summaries; (m, 4 c + 4)."""
    owner, n_clusters = clusterings.owner, clusterings.n_clusters
    empty = clusters.new_zeros(len(n_clusters), clusters.shape[1])
    index = owner[:, None].expand_as(clusters)
    shares = (clusterings.shares / (1 - clusterings.noise)[owner]).to(clusters.dtype)
    return torch.cat(
        [
            empty.index_add(0, owner, clusters) / n_clusters[:, None],
            empty.index_add(0, owner, shares[:, None] * clusters),
            empty.scatter_reduce(0, index, clusters, "amax", include_self=False),
            empty.scatter_reduce(0, index, clusters, "amin", include_self=False),
            _summaries(clusterings, shares),
        ],
        dim=1,
    )


def _summaries(clusterings: Population, shares: Tensor) -> Tensor:
    """Log K, 1 / K, entropy of the clusters' shares of what is not noise, and noise; (m, 4)."""
    n_clusters = clusterings.n_clusters.to(shares.dtype)
    entropy = torch.zeros_like(n_clusters).index_add(
        0, clusterings.owner, torch.special.entr(shares)
    )
    noise = clusterings.noise.to(shares.dtype)
    return torch.stack([n_clusters.log(), 1 / n_clusters, entropy, noise], dim=1)


def reconstruction_loss(
    nodes: Tensor,
    graph: PointGraph,
    clusterings: Population,
    generator: torch.Generator | None = None,
    *,
    n_pairs: int = 128,
) -> Tensor:
    """Cross-entropy of the inner-product decoder on sampled pairs of rows.

    The decoder says that two rows are joined with probability sigmoid(<z_i, z_j>). Joined are
    neighbours in one cluster; not joined are neighbours in different clusters and any rows in
    different clusters. The three kinds weigh 1/2, 1/4 and 1/4; one of which there are no pairs
    is left out.

    Parameters
    ----------
    nodes : Tensor of shape (m, n, c)
        Vectors z of the rows in each clustering.
    graph : PointGraph
    clusterings : Population
    generator : torch.Generator, optional
        Draws the pairs.
    n_pairs : int, default=128
        Pairs of neighbours, and as many of any rows, drawn for each clustering; those with a
        row of noise are left out.

    Returns
    -------
    Tensor of shape ()
        In nats; ln 2 for vectors of zeros if all three kinds are there.
    """
    rows, close, far = (
        drawn.to(nodes.device)
        for drawn in _sample_pairs(graph.neighbors, len(nodes), n_pairs, generator)
    )
    codes = clusterings.codes
    row_codes, close_codes, far_codes = (codes.gather(1, index) for index in (rows, close, far))
    start = _take(nodes, rows)  # (m, n_pairs, c)
    close_logits = (start * _take(nodes, close)).sum(dim=2)
    far_logits = (start * _take(nodes, far)).sum(dim=2)
    same = row_codes == close_codes
    close_kept = (row_codes >= 0) & (close_codes >= 0)
    far_kept = (row_codes >= 0) & (far_codes >= 0) & (row_codes != far_codes)
    return (
        _mean_where(functional.softplus(-close_logits), close_kept & same) / 2
        + _mean_where(functional.softplus(close_logits), close_kept & ~same) / 4
        + _mean_where(functional.softplus(far_logits), far_kept) / 4
    )


def _sample_pairs(
    neighbors: Tensor, m: int, n_pairs: int, generator: torch.Generator | None
) -> tuple[Tensor, Tensor, Tensor]:
    """Rows, one neighbour of each, and any other rows; (m, n_pairs) each."""
    n, k = neighbors.shape
    device = neighbors.device if generator is None else generator.device
    rows, far = torch.randint(n, (2, m, n_pairs), generator=generator, device=device)
    slots = torch.randint(k, (m, n_pairs), generator=generator, device=device)
    close = neighbors[rows.to(neighbors.device), slots.to(neighbors.device)]
    return rows, close, far


def _take(nodes: Tensor, index: Tensor) -> Tensor:
    """Vectors of some rows (m, s) of each clustering, (m, s, c)."""
    m, n, _ = nodes.shape
    flat = index + n * torch.arange(m, device=nodes.device)[:, None]
    return nodes.flatten(0, 1).index_select(0, flat.flatten()).unflatten(0, index.shape)


def _mean_where(values: Tensor, kept: Tensor) -> Tensor:
    """Mean of some values, 0 if there are none."""
    return (values * kept).sum() / kept.sum().clamp(min=1)
