"""What happens to a data set on its way into a table: noise, scales, rounding, outliers."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from ._layout import Floats

__all__ = ["MAX_FEATURES", "MODIFIERS", "modify"]

MAX_FEATURES = 256
_MOST_OF_A_BOX = 4

Codes = NDArray[np.int64]
Modifier = Callable[[np.random.RandomState, Floats, Codes], tuple[Floats, Codes]]


def modify(rng: np.random.RandomState, X: Floats, y: Codes) -> tuple[Floats, Codes]:
    """Apply each modifier with its probability, in the order of `MODIFIERS`.

    Parameters
    ----------
    rng : RandomState
    X : ndarray of shape (n, p)
    y : ndarray of shape (n,)

    Returns
    -------
    X : ndarray of shape (n, q), with ``p <= q <= 256``
    y : ndarray of shape (n,)
        The same labels, but -1 for rows that became outliers.
    """
    for probability, modifier in MODIFIERS.values():
        if rng.uniform() < probability:
            X, y = modifier(rng, X, y)
    return X, y


def _lift(rng: np.random.RandomState, X: Floats, y: Codes) -> tuple[Floats, Codes]:
    """Turn into a space of more dimensions, with a little noise there."""
    p = X.shape[1]
    wide = min(MAX_FEATURES, p + rng.randint(1, 31))
    frame = np.linalg.qr(rng.standard_normal((wide, p)))[0]  # (wide, p)
    noise = rng.uniform(0.0, 0.02) * X.std()
    return X @ frame.T + noise * rng.standard_normal((len(X), wide)), y


def _stretch(rng: np.random.RandomState, X: Floats, y: Codes) -> tuple[Floats, Codes]:
    """Turn, and stretch along random axes."""
    p = X.shape[1]
    axes = np.linalg.qr(rng.standard_normal((p, p)))[0]
    other = np.linalg.qr(rng.standard_normal((p, p)))[0]
    return X @ axes * np.exp(rng.uniform(-0.4, 0.4, p)) @ other, y


def _rescale(rng: np.random.RandomState, X: Floats, y: Codes) -> tuple[Floats, Codes]:
    """Give every feature its own unit."""
    return X * np.exp(rng.uniform(-0.7, 0.7, X.shape[1])), y


def _standardize(rng: np.random.RandomState, X: Floats, y: Codes) -> tuple[Floats, Codes]:
    """Divide every feature by its standard deviation, as most people do."""
    std = X.std(axis=0)
    return (X - X.mean(axis=0)) / np.where(std > 1e-9 * std.max(), std, 1.0), y


def _add_noise_features(rng: np.random.RandomState, X: Floats, y: Codes) -> tuple[Floats, Codes]:
    """Add features that say nothing about the clusters."""
    n, p = X.shape
    q = rng.randint(1, max(2, p // 2 + 1))
    q = min(q, MAX_FEATURES - p)
    level = rng.uniform(0.05, 0.5) * X.std()
    noise = rng.standard_normal((n, q)) if rng.uniform() < 0.5 else rng.uniform(-1.7, 1.7, (n, q))
    columns = rng.permutation(p + q)
    return np.column_stack([X, level * noise])[:, columns], y


def _jitter(rng: np.random.RandomState, X: Floats, y: Codes) -> tuple[Floats, Codes]:
    """Measure every value with an error."""
    return X + rng.uniform(0.005, 0.03) * X.std() * rng.standard_normal(X.shape), y


def _add_outliers(rng: np.random.RandomState, X: Floats, y: Codes) -> tuple[Floats, Codes]:
    """Replace a few rows by far ones, which belong to no cluster (-1)."""
    n, p = X.shape
    replaced = rng.permutation(n)[: max(1, int(rng.uniform(0.005, 0.06) * n))]
    low, high = X.min(axis=0), X.max(axis=0)
    margin = rng.uniform(0.0, 0.5) * (high - low).mean()
    candidates = rng.uniform(low - margin, high + margin, (20 * len(replaced), p))
    reference = X[:: max(1, n // 500)]
    typical = np.quantile(cKDTree(reference).query(reference, k=2)[0][:, 1], 0.9)
    far = candidates[cKDTree(reference).query(candidates)[0] > 2.5 * typical][: len(replaced)]
    X, y, replaced = X.copy(), y.copy(), replaced[: len(far)]
    X[replaced], y[replaced] = far, -1
    return X, y


def _add_background(rng: np.random.RandomState, X: Floats, y: Codes) -> tuple[Floats, Codes]:
    """Replace rows by others that fill the box of few dimensions evenly, and belong to none."""
    n, p = X.shape
    if p > _MOST_OF_A_BOX:
        return X, y
    low, high = X.min(axis=0), X.max(axis=0)
    margin = rng.uniform(0.0, 0.1) * (high - low)
    replaced = rng.permutation(n)[: max(1, int(rng.uniform(0.02, 0.2) * n))]
    X, y = X.copy(), y.copy()
    X[replaced] = rng.uniform(low - margin, high + margin, (len(replaced), p))
    y[replaced] = -1
    return X, y


def _duplicate(rng: np.random.RandomState, X: Floats, y: Codes) -> tuple[Floats, Codes]:
    """Replace rows by copies of others."""
    n = len(X)
    replaced = rng.permutation(n)[: int(rng.uniform(0.02, 0.3) * n)]
    source = np.arange(n)
    source[replaced] = rng.randint(n, size=len(replaced))
    # A cluster of few rows may vanish: what is left of it is dropped with the other remains.
    return X[source], y[source]


def _round(rng: np.random.RandomState, X: Floats, y: Codes) -> tuple[Floats, Codes]:
    """Round to integers."""
    return np.round(X * (rng.uniform(5, 40) / max(X.std(), 1e-9))), y


def _change_unit(rng: np.random.RandomState, X: Floats, y: Codes) -> tuple[Floats, Codes]:
    """Move and scale the whole table."""
    offset = rng.uniform(-10, 10) * X.std()
    return (X + offset) * 10 ** rng.uniform(-3, 3), y


MODIFIERS: dict[str, tuple[float, Modifier]] = {
    "lift": (0.12, _lift),
    "stretch": (0.2, _stretch),
    "rescale": (0.12, _rescale),
    "standardize": (0.12, _standardize),
    "noise_features": (0.15, _add_noise_features),
    "jitter": (0.1, _jitter),
    "outliers": (0.1, _add_outliers),
    "background": (0.1, _add_background),
    "duplicates": (0.08, _duplicate),
    "round": (0.1, _round),
    "change_unit": (0.3, _change_unit),
}
"""Modifiers with their probabilities, in the order in which they are applied."""
