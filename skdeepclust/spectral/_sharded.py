"""The losses of a batch of which every process holds a part of the rows.

The rows of a batch meet in sums over them only. Of the spectral objective these are the Gram, the
class sums and the counts, d² + k d + k numbers whatever the batch; every process then has the
gradient of its own rows. The leave-one-out loss needs d² + k d numbers more for its gradient.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional

from ._leave_one_out import LeaveOneOut, SharedSums, leave_one_out_dtype
from ._objective import SpectralObjective, exact_products
from ._solve import SpectralSolution, solve_statistics, solve_wide_statistics
from ._statistics import SpectralStatistics, spectral_statistics

__all__ = ["sharded_losses", "sharded_sums_size"]

Reduce = Callable[..., tuple[Tensor, ...]]


def sharded_sums_size(dim: int, n_classes: int) -> int:
    """How many numbers `sharded_losses` adds up first."""
    return dim * dim + n_classes * dim + n_classes


def sharded_losses(
    embedding: Tensor,
    y: Tensor,
    n_classes: int,
    reduce: Reduce,
    *,
    ridge: float,
    temperature: float | None = None,
) -> tuple[Tensor, Tensor]:
    """The rows' part of what is minimised over a batch, and the objective of the batch.

    Parameters
    ----------
    embedding : Tensor of shape (n, d)
        Rows of this process; there may be none.
    y : Tensor of shape (n,)
        Codes in ``[0, n_classes)``, which mean the same in all processes.
    n_classes : int
    reduce : callable
        Gives the sums of tensors over the processes, all of which call it alike.
    ridge : float
        As for `spectral_clustering_loss`.
    temperature : float, optional
        For the leave-one-out loss; None stands for the spectral loss.

    Returns
    -------
    loss : Tensor of shape ()
        Its gradient for the rows of this process is that of the loss of the batch. The value
        is the rows' share of the leave-one-out loss, or the whole spectral objective.
    objective : Tensor of shape ()
    """
    dtype = embedding.dtype
    if temperature is not None:
        dtype = leave_one_out_dtype(dtype, ridge)
    with exact_products(embedding.device.type), torch.no_grad():
        statistics = _sharded_statistics(embedding, y, n_classes, dtype, reduce)
        solution, statistics = _solve(embedding, y, statistics, ridge, reduce)
    objective = solution.objective.to(embedding.dtype)
    if temperature is None:
        loss: Tensor = SpectralObjective.apply(embedding, y, solution)
        return loss, objective
    shares = functional.one_hot(y, n_classes).to(embedding.dtype)
    shared = SharedSums(statistics, reduce)
    loss = LeaveOneOut.apply(embedding, shares, ridge, temperature, shared)
    return loss, objective


def _sharded_statistics(
    embedding: Tensor, y: Tensor, n_classes: int, dtype: torch.dtype, reduce: Reduce
) -> SpectralStatistics:
    """Statistics of the rows of all processes."""
    own = spectral_statistics(embedding, y, n_classes, dtype)
    return SpectralStatistics(*reduce(own.gram, own.sums, own.counts))


def _solve(
    embedding: Tensor, y: Tensor, statistics: SpectralStatistics, ridge: float, reduce: Reduce
) -> tuple[SpectralSolution, SpectralStatistics]:
    """As `solve`; float64 sums where others are not accurate, as all processes see alike."""
    solution = solve_statistics(statistics, ridge)
    if solution is not None:
        return solution, statistics
    n_classes = statistics.counts.shape[0]
    if statistics.gram.dtype != torch.float64:
        statistics = _sharded_statistics(embedding, y, n_classes, torch.float64, reduce)
    if not bool(torch.isfinite(statistics.gram).all()):
        raise ValueError("embedding contains NaN or infinity; finite values are needed.")
    return solve_wide_statistics(statistics, ridge), statistics
