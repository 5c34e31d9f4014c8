"""Many clusterings of one data set, as segments of one long list of clusters."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

__all__ = ["Population", "population"]


@dataclass(frozen=True)
class Population:
    """m clusterings of the same n rows; their T clusters are numbered one after the other.

    Attributes
    ----------
    codes : Tensor of shape (m, n)
        Cluster of each row in ``[0, T)``, -1 for rows that are noise.
    owner : Tensor of shape (T,)
        Clustering of each cluster; never decreases.
    counts : Tensor of shape (T,)
        Rows in each cluster, at least 1.
    rows : Tensor of shape (N,)
        The rows of cluster 0, then those of cluster 1 and so on, noise left out.
    """

    codes: Tensor
    owner: Tensor
    counts: Tensor
    rows: Tensor

    def to(self, device: torch.device) -> Population:
        """The same population on a device."""
        tensors = (self.codes, self.owner, self.counts, self.rows)
        return Population(*(tensor.to(device) for tensor in tensors))

    @property
    def n_clusters(self) -> Tensor:
        """Clusters of each clustering, (m,)."""
        return torch.bincount(self.owner, minlength=len(self.codes))

    @property
    def noise(self) -> Tensor:
        """Share of the rows of each clustering that are noise, (m,)."""
        return (self.codes < 0).float().mean(dim=1)

    @property
    def shares(self) -> Tensor:
        """Share of all rows that each cluster has, (T,)."""
        return self.counts.float() / self.codes.shape[1]

    def sums(self, values: Tensor) -> Tensor:
        """Sums over the rows of each cluster of values that differ by clustering.

        Parameters
        ----------
        values : Tensor of shape (m, n) or (m, n, c)

        Returns
        -------
        Tensor of shape (T,) or (T, c)
        """
        n_clusters = len(self.owner)
        flat = values.flatten(0, 1)
        index = self._segments().reshape(-1, *[1] * (flat.ndim - 1)).expand_as(flat)
        empty = values.new_zeros(n_clusters + 1, *flat.shape[1:])
        return empty.scatter_add(0, index, flat)[:n_clusters]

    def means(self, values: Tensor) -> Tensor:
        """Means over the rows of each cluster; see `sums`."""
        counts = self.counts.to(values.dtype)
        return self.sums(values) / counts.reshape(-1, *[1] * (values.ndim - 2))

    def spread(self, values: Tensor) -> Tensor:
        """Give every row what its cluster has, and noise zeros.

        Parameters
        ----------
        values : Tensor of shape (T,) or (T, c)

        Returns
        -------
        Tensor of shape (m, n) or (m, n, c)
        """
        padded = torch.cat([values, values.new_zeros(1, *values.shape[1:])])
        return padded.index_select(0, self._segments()).unflatten(0, self.codes.shape)

    def centroids(self, points: Tensor) -> Tensor:
        """Mean of the rows (n, p) of each cluster, (T, p); no copy of the rows is made."""
        starts = self.counts.cumsum(0) - self.counts
        return functional.embedding_bag(self.rows, points, starts, mode="mean")

    def _segments(self) -> Tensor:
        """Codes (m n,) with noise as one more cluster, T."""
        return torch.where(self.codes < 0, len(self.owner), self.codes).flatten()


def population(labels: Tensor) -> Population:
    """Number the clusters of many clusterings.

    Parameters
    ----------
    labels : Tensor of shape (m, n)
        Any integers; negative ones are noise.

    Raises
    ------
    ValueError
        If a clustering is nothing but noise.
    """
    kept = labels >= 0
    if not bool(kept.any(dim=1).all()):
        empty = int(torch.nonzero(~kept.any(dim=1))[0])
        raise ValueError(f"labels: every row of clustering {empty} is noise (-1).")
    # Rows in the order of their labels: noise first, then one cluster after the other.
    ordered, rows = labels.long().sort(dim=1, stable=True)
    starts = ordered >= 0
    starts[:, 1:] &= ordered[:, 1:] != ordered[:, :-1]
    numbers = starts.flatten().cumsum(0).reshape(labels.shape) - 1
    codes = torch.empty_like(numbers).scatter_(1, rows, numbers).masked_fill_(~kept, -1)
    return Population(
        codes,
        owner=torch.nonzero(starts)[:, 0],
        counts=torch.bincount(codes[kept]),
        rows=rows[ordered >= 0],
    )
