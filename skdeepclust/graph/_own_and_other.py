"""What each row costs in its own cluster, and in the best other one of its clustering."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from ._population import Population

__all__ = ["own_and_other"]

# Costs of rows in clusters that are held at a time.
_BLOCK_CELLS = 2**20


def own_and_other(
    costs: Callable[[slice], Tensor], clusterings: Population, n_rows: int
) -> tuple[Tensor, Tensor]:
    """Cost of each row in its own cluster, and the least one in another.

    Parameters
    ----------
    costs : callable
        Takes a slice of b rows, and returns their costs (T, b) in all clusters, which are
        changed in place.
    clusterings : Population
        m clusterings with T clusters in all.
    n_rows : int

    Returns
    -------
    own : Tensor of shape (m, n)
        0 for noise.
    other : Tensor of shape (m, n)
        Infinite where there is one cluster only; for noise, the least of all.
    """
    # One more cluster, of one more clustering, stands for noise.
    n_clusters = len(clusterings.owner)
    owner = torch.cat([clusterings.owner, clusterings.owner[-1:] + 1])  # (T + 1,)
    members = torch.where(clusterings.codes < 0, n_clusters, clusterings.codes)
    size = max(1, _BLOCK_CELLS // len(owner))
    parts = []
    for start in range(0, n_rows, size):
        rows = slice(start, start + size)
        found = costs(rows)
        found = torch.cat([found, torch.zeros_like(found[:1])])  # (T + 1, b)
        parts.append(_in_block(found, members[:, rows], owner))
    own, other = zip(*parts, strict=True)
    return torch.cat(own, dim=1), torch.cat(other, dim=1)


def _in_block(costs: Tensor, members: Tensor, owner: Tensor) -> tuple[Tensor, Tensor]:
    own = costs.gather(0, members)
    costs.scatter_(0, members, torch.inf)
    other = costs.new_full((len(members) + 1, costs.shape[1]), torch.inf)
    other.scatter_reduce_(0, owner[:, None].expand_as(costs), costs, "amin")
    return own, other[:-1]
