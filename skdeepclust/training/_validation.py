"""Held-out rows and the objective on them."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from ..spectral import SpectralStatistics, normalizer, spectral_statistics
from ._batches import stratified_sample
from ._inference import embed_rows
from ._rows import Rows

__all__ = ["HeldOutObjective", "split_rows"]

_MAX_REFERENCE_ROWS = 4096


def split_rows(
    targets: np.ndarray, fraction: float, rng: np.random.RandomState
) -> tuple[np.ndarray, np.ndarray]:
    """Positions to train on and to hold out; of each class the same share, rounded down.

    Parameters
    ----------
    targets : ndarray of shape (n,) or (n, k)
        Class codes, or assignments, of which a share of all rows is held out.
    fraction : float
    rng : RandomState
    """
    codes = targets if targets.ndim == 1 else np.zeros(len(targets), dtype=np.int64)
    order = np.lexsort((rng.random_sample(len(codes)), codes))
    sizes = np.bincount(codes)
    rank = np.empty(len(codes), dtype=np.int64)
    rank[order] = np.arange(len(codes)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    held_out = rank < np.floor(sizes * fraction)[codes]
    return np.flatnonzero(~held_out), np.flatnonzero(held_out)


class HeldOutObjective:
    """How well the best linear map from training embeddings to clusters fits held-out rows.

    k - tr(C F F⁺) is the least ‖J - F A‖² over all A. The A found on training rows is
    applied to the held-out ones; their squared error, multiplied by the ratio of the numbers
    of rows, is comparable with the training objective if there is no ridge. With one it is the
    smaller of the two: the objective counts what the ridge shrinks, too.

    Parameters
    ----------
    rows : Rows
    targets : ndarray of shape (n,) or (n, k)
        Of the rows at `indices`.
    indices : ndarray of shape (n,)
    training, held_out : ndarray of int
        Positions in `indices`, see `split_rows`.
    ridge : float
    """

    def __init__(
        self,
        rows: Rows,
        targets: np.ndarray,
        indices: np.ndarray,
        training: np.ndarray,
        held_out: np.ndarray,
        ridge: float,
    ) -> None:
        reference = training[stratified_sample(targets[training], _MAX_REFERENCE_ROWS)]
        self._rows = rows
        self._ridge = ridge
        self._n_columns = int(targets.max()) + 1 if targets.ndim == 1 else targets.shape[1]
        self._ratio = len(reference) / len(held_out)
        self._reference = self._own_rows(indices, targets, reference)
        self._held_out = self._own_rows(indices, targets, held_out)

    def _own_rows(
        self, indices: np.ndarray, targets: np.ndarray, positions: np.ndarray
    ) -> tuple[np.ndarray, Tensor]:
        """The rank's own among the rows at `positions`, and their targets."""
        own, y = self._rows.ranks.share(indices[positions], targets[positions])
        return own, torch.as_tensor(y)

    def __call__(self, network: nn.Module) -> float:
        """The objective of the held-out rows under the present weights."""
        indices, y = self._reference
        embedding = embed_rows(network, self._rows, indices).double()
        statistics = spectral_statistics(embedding, y, self._n_columns)
        loadings, scales = _ridge_map(self._rows.ranks.statistics(statistics), self._ridge)
        (errors,) = self._rows.ranks.sums(self._errors(network, loadings, scales))
        return float(errors * self._ratio)

    def _errors(self, network: nn.Module, loadings: Tensor, scales: Tensor) -> Tensor:
        """‖J - F A‖² over the own held-out rows."""
        indices, y = self._held_out
        fitted = embed_rows(network, self._rows, indices).double() @ loadings  # (n, rank)
        if y.ndim == 2:
            return (fitted - y.double() @ scales).square().sum()
        own = fitted.gather(1, y[:, None]).squeeze(1)  # (n,)
        return fitted.square().sum() - own.square().sum() + (own - scales[y]).square().sum()


def _ridge_map(statistics: SpectralStatistics, ridge: float) -> tuple[Tensor, Tensor]:
    """A = (S + λI)⁻¹ FᵀJ (d, rank) and the scales T of J = Y T."""
    scales, _ = normalizer(statistics)
    sums = statistics.sums
    targets = (sums * scales[:, None]).T if scales.ndim == 1 else sums.T @ scales
    gram = statistics.gram.clone()
    gram.diagonal().add_(max(ridge, 1e-6) * gram.diagonal().mean())
    return torch.linalg.solve(gram, targets), scales
