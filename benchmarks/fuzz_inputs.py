"""Rows and labels as nobody would wish for them, drawn from a seeded generator."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import scipy.sparse as sp
import torch
from numpy.typing import NDArray

__all__ = ["Rng", "draw_images", "draw_labels", "draw_matrix", "draw_rows", "pick"]

Rng = np.random.Generator
Floats = NDArray[np.float64]

_LARGEST_EXPONENT = 300.0
_MANY_COLUMNS = (300, 300, 300, 3_000, 50_000)
# To look at every column of a larger frame takes pandas seconds.
_MOST_IN_FRAME = 3_000
_DTYPES = (
    "float64", "float32", "float16", "longdouble", "int8", "int16", "int32", "int64", "uint8",
    "uint64", "bool", ">f8", ">f4", ">i4", "O",
)  # fmt: skip
# What nobody can read is drawn less often: nothing follows a refusal.
_SHARE_READABLE = 0.85
_READABLE = (
    "Fortran order", "strided", "reversed", "read-only", "subclass", "masked", "list", "tensor",
    "float32 tensor", "DataFrame", "named DataFrame", "DataFrame of nullable",
)  # fmt: skip
_LABELS_TO_LEARN = (
    "codes", "codes in a list", "some -1", "negative", "all -1", "all different", "one row alone",
    "names", "names as objects", "names and None", "floats", "floats and NaN", "bool", "Series",
    "nullable integers", "nullable names", "categories", "tensor", "one-hot", "memberships",
    "memberships with zeros", "huge memberships",
)  # fmt: skip
_ODD = ("complex128", "U9", "S9", "M8[s]", "m8[s]")


class _Subclass(np.ndarray):
    """An array of another class."""


def pick(rng: Rng, values: Any) -> Any:
    """One of them."""
    values = list(values)
    return values[int(rng.integers(len(values)))]


def draw_rows(rng: Rng, n_columns: int | None = None) -> tuple[Any, str]:
    """X, nearly always an array of shape (n, p), and a description of it."""
    X, what = draw_matrix(rng, n_columns)
    if rng.uniform() < 0.4:
        X, dtype = _cast(X, rng)
        what += f", {dtype}"
    if rng.uniform() < 0.5:
        X, container = _contain(X, rng)
        what += f", {container}"
    return X, what


def draw_matrix(rng: Rng, n_columns: int | None = None) -> tuple[Floats, str]:
    """Rows (n, p) of float64: their shape, their pattern, their scale, and holes in them."""
    n = int(rng.integers(1, 6) if rng.uniform() < 0.25 else rng.integers(6, 50))
    p = n_columns or _draw_n_columns(rng)
    n = min(n, 8) if p > 1_000 else n
    name = pick(rng, PATTERNS)
    X, what = PATTERNS[name](rng, n, p), f"({n}, {p}) {name}"
    if rng.uniform() < 0.4:
        X, scale = _scale(X, rng)
        what += f", {scale}"
    if rng.uniform() < 0.06 and X.size:
        hole = pick(rng, (np.nan, np.inf, -np.inf))
        X[rng.integers(n), rng.integers(p)] = hole
        what += f", {hole}"
    return X, what


def _draw_n_columns(rng: Rng) -> int:
    kind = rng.uniform()
    if kind < 0.2:
        return 1
    return int(rng.integers(2, 9)) if kind < 0.95 else int(pick(rng, _MANY_COLUMNS))


def _blobs(rng: Rng, n: int, p: int) -> Floats:
    centers = 5 * rng.normal(size=(3, p))
    return np.asarray(centers[rng.integers(3, size=n)] + rng.normal(size=(n, p)))


def _duplicates(rng: Rng, n: int, p: int) -> Floats:
    return np.asarray(rng.normal(size=(int(rng.integers(1, 4)), p))[rng.integers(1, size=n)])


def _few_distinct(rng: Rng, n: int, p: int) -> Floats:
    rows = rng.normal(size=(int(rng.integers(2, 5)), p))
    return np.asarray(rows[rng.integers(len(rows), size=n)])


def _constant_columns(rng: Rng, n: int, p: int) -> Floats:
    X = rng.normal(size=(n, p))
    X[:, rng.uniform(size=p) < 0.6] = rng.normal()
    return X


def _nearly_constant(rng: Rng, n: int, p: int) -> Floats:
    spread = 10.0 ** rng.uniform(-17, -6)
    return np.asarray(rng.normal(size=p) + spread * rng.normal(size=(n, p)))


def _outlier(rng: Rng, n: int, p: int) -> Floats:
    X = rng.normal(size=(n, p))
    X[0] = 10.0 ** rng.uniform(3, 200)
    return X


def _low_rank(rng: Rng, n: int, p: int) -> Floats:
    return np.asarray(rng.normal(size=(n, 1)) @ rng.normal(size=(1, p)))


def _integers(rng: Rng, n: int, p: int) -> Floats:
    return rng.integers(-3, 4, size=(n, p)).astype(np.float64)


def _one_row_differs(rng: Rng, n: int, p: int) -> Floats:
    X = np.full((n, p), rng.normal())
    X[-1, 0] = np.nextafter(X[-1, 0], np.inf)
    return X


PATTERNS: dict[str, Callable[[Rng, int, int], Floats]] = {
    "blobs": _blobs,
    "one row": _duplicates,
    "few rows": _few_distinct,
    "constant columns": _constant_columns,
    "nearly constant": _nearly_constant,
    "outlier": _outlier,
    "low rank": _low_rank,
    "integers": _integers,
    "one row differs": _one_row_differs,
}
"""By name; each takes a generator, n and p."""


def _scale(X: Floats, rng: Rng) -> tuple[Floats, str]:
    """The same rows on another scale, or each column on one of its own, or far from 0."""
    kind = pick(rng, ("scale", "columns", "offset"))
    exponents = rng.uniform(-_LARGEST_EXPONENT, _LARGEST_EXPONENT, size=X.shape[1])
    with np.errstate(all="ignore"):
        if kind == "scale":
            return X * 10.0 ** exponents[0], f"1e{exponents[0]:.0f}"
        if kind == "columns":
            return X * 10.0**exponents, "each column on a scale of its own"
        return X + 10.0 ** exponents[0], f"+ 1e{exponents[0]:.0f}"


def _cast(X: Floats, rng: Rng) -> tuple[Any, str]:
    dtype = pick(rng, _ODD) if rng.uniform() < 0.05 else pick(rng, _DTYPES)
    with np.errstate(all="ignore"):
        found = X.astype("i8").astype(dtype) if dtype[0] in "Mm" else X.astype(dtype)
    if dtype == "O" and rng.uniform() < 0.4:
        found[0, 0] = pick(rng, (None, "text", pd.NA, 2**70, [1, 2], 1j))
        dtype = f"O with {found[0, 0]!r}"
    return found, dtype


def _contain(X: Any, rng: Rng) -> tuple[Any, str]:
    name = pick(rng, CONTAINERS)
    if name not in _READABLE and rng.uniform() < _SHARE_READABLE:
        name = pick(rng, _READABLE)
    if X.shape[1] > _MOST_IN_FRAME and "DataFrame" in name:
        name = "list"
    try:
        with np.errstate(all="ignore"), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return CONTAINERS[name](X), name
    except (TypeError, ValueError, OverflowError, RuntimeError):
        return X, "array"


def _read_only(X: Any) -> Any:
    X = X.copy()
    X.setflags(write=False)
    return X


def _reversed(X: Any) -> Any:
    return X[::-1, ::-1]


def _strided(X: Any) -> Any:
    wide = np.repeat(np.repeat(X, 2, axis=0), 3, axis=1)
    return wide[::2, ::3]


def _nullable(X: Any) -> Any:
    frame = pd.DataFrame(X).convert_dtypes()
    if len(frame) % 2:
        frame.iloc[0, 0] = pd.NA
    return frame


CONTAINERS: dict[str, Callable[[Any], Any]] = {
    "Fortran order": np.asfortranarray,
    "strided": _strided,
    "reversed": _reversed,
    "read-only": _read_only,
    "subclass": lambda X: X.view(_Subclass),
    "matrix": np.matrix,
    "masked": lambda X: np.ma.masked_invalid(X),
    "list": lambda X: X.tolist(),
    "tuple of arrays": tuple,
    "tensor": lambda X: torch.from_numpy(X.copy()),
    "float32 tensor": lambda X: torch.from_numpy(X.astype("float32")),
    "tensor with grad": lambda X: torch.from_numpy(X.copy()).requires_grad_(),
    "bfloat16 tensor": lambda X: torch.from_numpy(X.copy()).bfloat16(),
    "DataFrame": pd.DataFrame,
    "named DataFrame": lambda X: pd.DataFrame(X, columns=[f"x{i}" for i in range(X.shape[1])]),
    "DataFrame of nullable": _nullable,
    "DataFrame of categories": lambda X: pd.DataFrame(X).astype("category"),
    "DataFrame of texts": lambda X: pd.DataFrame(X).astype("string"),
    "csr_array": sp.csr_array,
    "csc_matrix": sp.csc_matrix,
    "1-D": lambda X: X[:, 0],
    "3-D": lambda X: X[:, :, None],
    "0-D": lambda X: np.array(1.0),
    "no rows": lambda X: X[:0],
    "no columns": lambda X: X[:, :0],
    "None": lambda X: None,
    "text": lambda X: "X",
    "dict": lambda X: {"a": X},
    "ragged": lambda X: [[1.0], [1.0, 2.0], [3.0]],
    "iterator": iter,
    "records": lambda X: np.zeros(len(X), dtype=[("a", "f8"), ("b", "i4")]),
}
"""By name; each makes of an array (n, p) what users may pass instead."""


def draw_images(rng: Rng) -> tuple[NDArray[Any], str]:
    """X of shape (n, c, h, w)."""
    shape = tuple(int(v) for v in rng.integers((2, 1, 1, 1), (14, 4, 9, 9)))
    X, what = rng.normal(size=shape).astype(pick(rng, ("f4", "f8", "u1"))), f"images {shape}"
    if rng.uniform() < 0.3:
        X[:, rng.integers(shape[1])] = 0
        what += ", a constant channel"
    if rng.uniform() < 0.2 and X.dtype.kind == "f":
        X = X.astype("f8") * 10.0 ** rng.uniform(-_LARGEST_EXPONENT, _LARGEST_EXPONENT)
        what += ", scaled"
    return X, what


def draw_labels(rng: Rng, n: int) -> tuple[Any, str]:
    """Labels for n rows, and what they are."""
    name = pick(rng, LABELS)
    if name not in _LABELS_TO_LEARN and rng.uniform() < _SHARE_READABLE:
        name = pick(rng, _LABELS_TO_LEARN)
    with np.errstate(all="ignore"):
        return LABELS[name](rng, n), name


def _codes(rng: Rng, n: int) -> NDArray[np.int64]:
    return rng.integers(int(rng.integers(1, 5)), size=n)


def _some_missing(rng: Rng, n: int, value: Any, dtype: Any = None) -> NDArray[Any]:
    y = _codes(rng, n).astype(dtype or np.int64)
    y[rng.uniform(size=n) < 0.5] = value
    return y


def _names(rng: Rng, n: int) -> NDArray[Any]:
    return np.array(["a", "b", "-1", "ü"])[rng.integers(4, size=n)]


def _nullable_labels(rng: Rng, n: int, dtype: str) -> Any:
    y = pd.array(_codes(rng, n) % 2, dtype="Int64").astype(dtype)
    y[rng.uniform(size=n) < 0.3] = pd.NA
    return y


def _memberships(rng: Rng, n: int, scale: float = 1.0) -> Floats:
    return np.asarray(rng.uniform(size=(n, int(rng.integers(2, 5)))) * scale)


def _with_zeros(rng: Rng, n: int) -> Floats:
    values = _memberships(rng, n)
    values[rng.uniform(size=n) < 0.5] = 0
    return values


LABELS: dict[str, Callable[[Rng, int], Any]] = {
    "codes": _codes,
    "codes in a list": lambda rng, n: _codes(rng, n).tolist(),
    "some -1": lambda rng, n: _some_missing(rng, n, -1),
    "negative": lambda rng, n: _codes(rng, n) - 7,
    "all -1": lambda rng, n: np.full(n, -1),
    "all equal": lambda rng, n: np.zeros(n, dtype=int),
    "all different": lambda rng, n: np.arange(n),
    "one row alone": lambda rng, n: (np.arange(n) == 0).astype(int),
    "names": _names,
    "names as objects": lambda rng, n: _names(rng, n).astype(object),
    "names and None": lambda rng, n: _some_missing(rng, n, None, object),
    "floats": lambda rng, n: _codes(rng, n).astype(float),
    "floats and NaN": lambda rng, n: _some_missing(rng, n, np.nan, float),
    "float16 and NaN": lambda rng, n: _some_missing(rng, n, np.nan, np.float16),
    "all NaN": lambda rng, n: np.full(n, np.nan),
    "infinity": lambda rng, n: _some_missing(rng, n, np.inf, float),
    "continuous": lambda rng, n: rng.normal(size=n),
    "bool": lambda rng, n: rng.uniform(size=n) < 0.5,
    "uint64": lambda rng, n: _codes(rng, n).astype(np.uint64) + np.uint64(2**63),
    "huge integers": lambda rng, n: [2**70 + int(v) for v in _codes(rng, n)],
    "mixed types": lambda rng, n: np.array([1, "a", 2.5, None] * n, dtype=object)[:n],
    "tuples": lambda rng, n: [(1, 2)] * n,
    "complex": lambda rng, n: _codes(rng, n) * 1j,
    "dates": lambda rng, n: _codes(rng, n).astype("M8[D]"),
    "raw bytes": lambda rng, n: np.array([b"x", b"y"])[rng.integers(2, size=n)],
    "big-endian": lambda rng, n: _codes(rng, n).astype(">i4"),
    "read-only": lambda rng, n: _read_only(_codes(rng, n)),
    "Series": lambda rng, n: pd.Series(_codes(rng, n), index=rng.permutation(n)),
    "nullable integers": lambda rng, n: _nullable_labels(rng, n, "Int64"),
    "nullable floats": lambda rng, n: _nullable_labels(rng, n, "Float64"),
    "nullable bool": lambda rng, n: _nullable_labels(rng, n, "boolean"),
    "nullable names": lambda rng, n: _nullable_labels(rng, n, "string"),
    "categories": lambda rng, n: pd.Categorical(_names(rng, n)),
    "tensor": lambda rng, n: torch.from_numpy(_codes(rng, n)),
    "tensor with grad": lambda rng, n: torch.from_numpy(rng.normal(size=n)).requires_grad_(),
    "column": lambda rng, n: _codes(rng, n)[:, None],
    "one-hot": lambda rng, n: np.eye(3)[rng.integers(3, size=n)],
    "memberships": _memberships,
    "memberships in a frame": lambda rng, n: pd.DataFrame(_memberships(rng, n)),
    "huge memberships": lambda rng, n: _memberships(rng, n, 10.0 ** rng.uniform(-300, 300)),
    "memberships with zeros": _with_zeros,
    "negative memberships": lambda rng, n: _memberships(rng, n) - 0.5,
    "memberships with NaN": lambda rng, n: _memberships(rng, n, np.nan),
    "memberships of texts": lambda rng, n: np.full((n, 2), "a"),
    "sparse memberships": lambda rng, n: sp.csr_array(np.eye(3)[rng.integers(3, size=n)]),
    "too short": lambda rng, n: np.arange(max(n - 1, 0)) % 2,
    "too long": lambda rng, n: np.arange(n + 3) % 2,
    "empty": lambda rng, n: [],
    "3-D": lambda rng, n: np.zeros((n, 2, 2)),
    "number": lambda rng, n: 3,
    "dict": lambda rng, n: {"a": 1},
    "ragged": lambda rng, n: [[1], [1, 2]] * n,
    "None": lambda rng, n: None,
}
"""By name; each makes labels for n rows."""
