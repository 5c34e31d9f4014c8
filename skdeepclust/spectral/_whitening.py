"""What is done to an embedding after training: whitening and spectral normalisation.

The objective does not change under an invertible linear map of the embedding, so distances
in it mean nothing before a choice among these maps is made.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional

from ._statistics import gram

__all__ = ["shrinkage_whitening", "spectral_normalization", "whiten_rows"]

_LEAST_VARIANCE = 1e-70
# What the mean of equal rows may differ from them, relative to their length.
_CENTERING_NOISE = 64 * torch.finfo(torch.float64).eps


def shrinkage_whitening(
    second_moment: Tensor, total: Tensor, n: float, strength: float
) -> tuple[Tensor, Tensor]:
    """Centre and symmetric whitening map of a training embedding, from its sums alone.

    Parameters
    ----------
    second_moment : Tensor of shape (d, d)
        FᵀF over the training rows.
    total : Tensor of shape (d,)
        Sum of the training rows.
    n : float
        Number of training rows.
    strength : float in [0, 1]
        1 makes the covariance the identity; 0 only scales it to unit mean variance. Between,
        the covariance Σ is shrunk: strength Σ + (1 - strength) (tr Σ / d) I is whitened.

    Returns
    -------
    mean : Tensor of shape (d,)
    whitener : Tensor of shape (d, d)
        Float64. Directions without variance are mapped to 0.
    """
    mean = total.double() / n
    covariance = second_moment.double() / n - torch.outer(mean, mean)
    level = covariance.diagonal().mean().clamp(min=0)
    values, vectors = torch.linalg.eigh((covariance + covariance.T) / 2)
    # Sums over float32 rows: variances below this share of the largest are rounding noise.
    kept = values > 1e-6 * values[-1].clamp(min=torch.finfo(torch.float64).tiny)
    shrunk = strength * values + (1 - strength) * level
    # Of equal rows only the noise is left; float32 has to hold the inverse root.
    kept &= shrunk > _LEAST_VARIANCE
    shrunk = torch.where(kept, shrunk, 1.0)
    weights = torch.where(kept, shrunk.rsqrt(), 0.0)
    return mean, (vectors * weights) @ vectors.T


def whiten_rows(embedding: Tensor, mean: Tensor, whitener: Tensor) -> Tensor:
    """Centre, whiten and scale every row to length 1 (a row at the mean stays 0); (n, d)."""
    return functional.normalize((embedding - mean) @ whitener, dim=1, eps=1e-12)


def spectral_normalization(
    embedding: Tensor, rank: int | None = None, ridge: float = 0.0
) -> Tensor:
    """Rows of the left singular vectors of a centred set, scaled to length 1.

    Parameters
    ----------
    embedding : Tensor of shape (n, d)
        The set to be clustered; the result depends on all of it.
    rank : int, optional
        Keep the first `rank` singular vectors. Default: all that are not rounding noise.
    ridge : float, default=0.0
        A singular vector with the singular value s is weighted by s / √(s² + λ), λ being
        `ridge` times the mean of all s²: weak directions count for less. 0 is the
        algorithm of the paper.

    Returns
    -------
    Tensor of shape (n, r)
        Of equal rows r is 0.

    References
    ----------
    Law, Urtasun, Zemel, "Deep Spectral Clustering Learning", ICML 2017, Algorithm 2.
    """
    exponent = math.frexp(float(embedding.abs().max()))[1]
    # A power of two: no digit changes, and no square leaves the range.
    centered = embedding.double() / math.ldexp(1.0, exponent - 1)
    noise = centered.square().sum() * _CENTERING_NOISE**2
    centered -= centered.mean(dim=0)
    values, vectors = torch.linalg.eigh(gram(centered))
    kept = int((values > torch.maximum(1e-10 * values[-1], noise)).sum())
    kept = kept if rank is None else min(kept, rank)
    leading = values[values.numel() - kept :].flip(0)  # s² (r,)
    scores = centered @ vectors[:, values.numel() - kept :].flip(1)  # U Σ (n, r)
    weighted = scores * (leading + ridge * values.clamp(min=0).mean()).rsqrt()
    return functional.normalize(weighted, dim=1, eps=1e-12).to(embedding.dtype)
