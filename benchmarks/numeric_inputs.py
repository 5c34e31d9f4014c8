"""Embeddings on which float32 is likely to fail, drawn from a seeded generator."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

__all__ = ["CONDITIONS", "PATTERNS", "SCALES", "SPREADS", "Rng", "draw_embedding"]

Rng = np.random.Generator
Floats = NDArray[np.float64]
Codes = NDArray[np.int64]

CONDITIONS = (1.0, 1e3, 1e6, 1e9, 1e12)
SPREADS = (1e-3, 1e-6, 0.0)
SCALES = (1e-20, 1.0, 1.0, 1e20)
_MOST_ROWS = 20_000


def draw_embedding(rng: Rng, name: str) -> tuple[NDArray[np.float32], Codes, str]:
    """Rows F (n, d) of the named pattern, class codes (n,) and what they are."""
    rows, codes = PATTERNS[name](rng)
    scale = float(rng.choice(SCALES))
    found = (rows * scale).astype(np.float32)
    what = f"{name}, {found.shape[0]} x {found.shape[1]}, {codes.max() + 1} classes, x {scale:g}"
    return found, codes, what


def _codes(rng: Rng, n: int, k: int) -> Codes:
    """Codes in which each of min(n, k) classes occurs."""
    return rng.permutation(np.concatenate([np.arange(k), rng.integers(k, size=max(0, n - k))])[:n])


def _size(rng: Rng) -> tuple[int, int, int]:
    """n, d and k of an ordinary batch."""
    d = int(rng.integers(2, 25))
    return int(rng.integers(3 * d, 12 * d + 20)), d, int(rng.integers(2, 9))


def _orthonormal(rng: Rng, n: int, d: int) -> Floats:
    return np.linalg.qr(rng.normal(size=(n, d)))[0]


def _conditioned(rng: Rng, condition: float) -> tuple[Floats, Codes]:
    """Singular values from 1 to 1 / condition, as lengths of columns or mixed."""
    n, d, k = _size(rng)
    values = condition ** -np.linspace(0, 1, d)
    if rng.uniform() < 0.5:  # two levels
        values = np.where(np.arange(d) < (d + 1) // 2, 1.0, 1 / condition)
    rows = np.sqrt(n) * _orthonormal(rng, n, d) * values
    if rng.uniform() < 0.5:
        rows = rows @ _orthonormal(rng, d, d)
    return rows, _codes(rng, n, k)


def _rank_deficient(rng: Rng) -> tuple[Floats, Codes]:
    """Products of small integers, which float32 holds exactly, or of others."""
    n, d, k = _size(rng)
    rank = int(rng.integers(1, d))
    left, right = rng.normal(size=(n, rank)), rng.normal(size=(rank, d))
    if rng.uniform() < 0.5:
        left, right = np.round(2 * left), np.round(2 * right)
    return left @ right, _codes(rng, n, k)


def _duplicated(rng: Rng) -> tuple[Floats, Codes]:
    """Columns two or three times, also with other signs and lengths."""
    n, d, k = _size(rng)
    rows = rng.normal(size=(n, d))
    copies = rows[:, rng.integers(d, size=int(rng.integers(1, 2 * d)))]
    return np.concatenate([rows, copies * rng.choice((1.0, -1.0, 4.0))], axis=1), _codes(rng, n, k)


def _constant_columns(rng: Rng) -> tuple[Floats, Codes]:
    n, d, k = _size(rng)
    rows = rng.normal(size=(n, d))
    constant = rng.uniform(size=d) < 0.5
    rows[:, constant] = rng.choice((0.0, 1.0, 100.0), size=int(constant.sum()))
    return rows, _codes(rng, n, k)


def _classes_of_one(rng: Rng) -> tuple[Floats, Codes]:
    """One large class and many of one row, some of these far away."""
    n, d, _ = _size(rng)
    n_alone = int(rng.integers(1, d + 3))
    rows = rng.normal(size=(n + n_alone, d)) + rng.normal(size=d)
    rows[n:] *= 10.0 ** rng.uniform(0, 3)
    codes = np.concatenate([np.zeros(n, dtype=np.int64), np.arange(1, n_alone + 1)])
    return rows, codes


def _imbalanced(rng: Rng) -> tuple[Floats, Codes]:
    """One row or two among ten thousand and more."""
    n, d = int(rng.integers(10_001, _MOST_ROWS)), int(rng.integers(1, 7))
    codes = np.zeros(n, dtype=np.int64)
    codes[rng.permutation(n)[: int(rng.integers(1, 3))]] = 1
    rows = rng.choice((0.0, 1.0, 10.0)) * rng.normal(size=d) + rng.normal(size=(n, d))
    return rows + 3.0 * codes[:, None], codes


def _collapsed(rng: Rng, spread: float) -> tuple[Floats, Codes]:
    """All rows nearly equal, seldom many of them."""
    n, d, k = _size(rng)
    if rng.uniform() < 0.2:
        n, d = _MOST_ROWS, int(rng.integers(1, 5))
    codes = _codes(rng, n, k)
    centers = rng.normal(size=(k, d))
    return rng.normal(size=d) + spread * (centers[codes] + rng.normal(size=(n, d))), codes


def _collapsed_classes(rng: Rng) -> tuple[Floats, Codes]:
    """All rows of a class equal."""
    n, d, k = _size(rng)
    codes = _codes(rng, n, k)
    return rng.normal(size=(k, d))[codes], codes


def _on_a_line(rng: Rng) -> tuple[Floats, Codes]:
    n, d, k = _size(rng)
    offset = rng.choice((0.0, 1.0)) * rng.normal(size=d)
    return offset + rng.normal(size=(n, 1)) * rng.normal(size=d), _codes(rng, n, k)


def _wide(rng: Rng) -> tuple[Floats, Codes]:
    """Fewer rows than columns."""
    n = int(rng.integers(2, 20))
    d, k = n + int(rng.integers(0, 40)), int(rng.integers(1, n + 1))
    return rng.normal(size=(n, d)), _codes(rng, n, k)


PATTERNS: dict[str, Callable[[Rng], tuple[Floats, Codes]]] = {
    **{f"condition {c:.0e}": lambda rng, c=c: _conditioned(rng, c) for c in CONDITIONS},
    "rank-deficient": _rank_deficient,
    "duplicated features": _duplicated,
    "constant features": _constant_columns,
    "classes of one row": _classes_of_one,
    "99.99 % imbalance": _imbalanced,
    **{f"rows equal but for {s:.0e}": lambda rng, s=s: _collapsed(rng, s) for s in SPREADS if s},
    "equal rows": lambda rng: _collapsed(rng, 0.0),
    "equal rows in a class": _collapsed_classes,
    "rows on a line": _on_a_line,
    "d > n": _wide,
}
"""By name; each takes a generator."""
