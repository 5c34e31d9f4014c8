"""Checks of what users pass in; the one place that imports private scikit-learn names."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from numbers import Integral
from typing import Any

import numpy as np
import torch
from sklearn.base import BaseEstimator, _fit_context
from sklearn.utils import check_array
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.multiclass import type_of_target
from sklearn.utils.validation import check_consistent_length, column_or_1d, validate_data

__all__ = [
    "MOST",
    "Interval",
    "StrOptions",
    "Targets",
    "as_numbers",
    "as_table",
    "check_device",
    "check_labelings",
    "check_labels",
    "check_n_clusters",
    "check_rows",
    "check_targets",
    "fit_context",
    "naming",
    "plain",
]

fit_context = _fit_context

MOST = 1e6
"""Largest rate or weight: products with larger ones would leave float32."""

# Memberships beyond these are brought to the order of 1: squares would overflow or vanish.
_SMALLEST, _LARGEST = 1e-50, 1e50


@dataclass(frozen=True)
class Targets:
    """What y says about the rows.

    Attributes
    ----------
    values : ndarray of shape (n,) or (n, k)
        Class codes with -1 for unlabelled rows, or a non-negative assignment matrix.
    classes : ndarray of shape (k,)
        Labels behind the codes, sorted; column numbers of a matrix; empty without labels.
    """

    values: np.ndarray
    classes: np.ndarray

    @property
    def labelled(self) -> np.ndarray:
        """Which rows say something, (n,) bool."""
        if self.values.ndim == 2:
            return np.asarray(self.values.any(axis=1))
        return np.asarray(self.values >= 0)


@contextmanager
def naming(*names: str) -> Iterator[None]:
    """Have errors of scikit-learn and NumPy say of which argument they speak; no warnings."""
    try:
        with np.errstate(over="ignore", invalid="ignore"):  # of sums that only find infinity
            yield
    except (TypeError, ValueError) as error:
        if any(re.search(rf"(?<!\w){re.escape(name)}(?!\w)", str(error)) for name in names):
            raise
        kind = TypeError if isinstance(error, TypeError) else ValueError
        raise kind(f"{' or '.join(names)}: {error}") from error


def plain(values: Any, name: str) -> Any:
    """Tensors of torch as arrays, numbers in the byte order of the machine; all else as it is."""
    if isinstance(values, np.ndarray):
        return _native(values)
    if not isinstance(values, torch.Tensor):
        if any(getattr(dtype, "kind", "") == "c" for dtype in _column_types(values)):
            raise ValueError(f"{name} has complex columns: real numbers are wanted.")
        return values
    try:
        return values.numpy()
    except (RuntimeError, TypeError) as error:
        raise TypeError(
            f"{name} is a tensor that is no array: {error} Something like "
            f"{name}.detach().cpu().float() is wanted."
        ) from error


def _native(values: np.ndarray) -> np.ndarray:
    """Floats in the byte order of the machine: scikit-learn 1.6 sees no infinities in others."""
    if values.dtype.kind != "f" or values.dtype.isnative or isinstance(values, np.memmap):
        return values
    return values.astype(values.dtype.newbyteorder("="))


def _column_types(values: Any) -> list[Any]:
    return list(getattr(values, "dtypes", [])) if hasattr(values, "columns") else []


def check_rows(estimator: BaseEstimator, X: Any, *, reset: bool) -> np.ndarray:
    """X as a numeric (n, p) or (n, c, h, w) array, checked against the fitted shape.

    Integers and memory maps stay as they are: batches are converted when they are used.
    """
    with naming("X"):
        X = validate_data(
            estimator,
            plain(X, "X"),
            reset=reset,
            dtype="numeric",
            allow_nd=True,
            ensure_min_samples=2 if reset else 1,
        )
        X = as_numbers(X)
    if X.ndim not in (2, 4) or 0 in X.shape:
        raise ValueError(f"X has shape {X.shape}: (n, p), or (n, c, h, w) for images, is wanted.")
    if not reset and X.shape[1:] != estimator._row_shape:
        raise ValueError(
            f"X has rows of shape {X.shape[1:]}, but {type(estimator).__name__} was fitted on "
            f"rows of shape {estimator._row_shape}."
        )
    return np.asarray(X)


def as_table(estimator: BaseEstimator, X: Any, *, reset: bool) -> np.ndarray:
    """X as a numeric (n, p) array, of any type: blocks are converted when they are used."""
    with naming("X"):
        X = validate_data(
            estimator,
            plain(X, "X"),
            reset=reset,
            dtype="numeric",
            ensure_min_samples=2 if reset else 1,
        )
        return as_numbers(X)


def as_numbers(X: Any) -> np.ndarray:
    """Objects as float64, which scikit-learn leaves as they are in lists.

    Raises
    ------
    ValueError
        If one of them is infinite, which scikit-learn does not see.
    """
    if X.dtype.kind in "biuf":
        return np.asarray(X)
    return np.asarray(check_array(X, dtype=np.float64, allow_nd=True, input_name="X"))


def check_targets(y: Any, X: np.ndarray, min_classes: int = 2) -> Targets:
    """Codes and classes behind y, one entry for each row of X.

    Raises
    ------
    ValueError
        If y does not fit X, is continuous, or has labels of fewer than `min_classes` classes.
    """
    if y is None:
        return Targets(np.full(len(X), -1, dtype=np.int64), np.empty(0, dtype=np.int64))
    try:
        y = np.asarray(plain(y, "y"))
    except ValueError as error:
        raise ValueError(f"y is no array of shape (n,) or (n, k): {error}") from error
    with naming("y"):
        if y.ndim == 2 and y.shape[1] > 1:
            targets = _check_assignments(y)
        elif y.ndim in (1, 2):
            targets = _check_labels(column_or_1d(y, warn=True), min_classes)
        else:
            raise ValueError(f"y must be 1d array or (n, k), got an array of shape {y.shape}.")
        check_consistent_length(X, targets.values)
    return targets


def check_n_clusters(n_clusters: Any, n_rows: int) -> None:
    """Refuse more clusters than rows, and what is no number of clusters."""
    if n_clusters is None:
        return
    if not isinstance(n_clusters, Integral) or int(n_clusters) < 1:
        raise ValueError(f"n_clusters={n_clusters!r}: an integer >= 1 is wanted.")
    if int(n_clusters) > n_rows:
        raise ValueError(
            f"n_clusters={n_clusters} is larger than the number of rows of X, {n_rows}."
        )


def check_device(device: Any) -> torch.device:
    """The torch device behind a name; "auto" is CUDA where there is one."""
    if device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        resolved = torch.device(device)
    except (RuntimeError, TypeError) as error:
        raise ValueError(f"device={device!r} is no torch device, such as 'cpu'.") from error
    if resolved.type == "cuda" and not torch.cuda.is_available():
        raise ValueError(f"device={device!r} is not there: torch finds no CUDA device.")
    return resolved


def _check_assignments(y: Any) -> Targets:
    values = check_array(y, dtype=np.float64, input_name="y")
    if values.min() < 0:
        raise ValueError(f"y of shape (n, k) must be >= 0, its minimum is {values.min()!r}.")
    empty = np.flatnonzero(~values.any(axis=0))
    if len(empty):
        raise ValueError(f"y of shape (n, k) needs a member in every column, {empty} have none.")
    largest = values.max()
    if not _SMALLEST < largest < _LARGEST:  # only their ratios matter
        values = values / largest
    return Targets(values, np.arange(values.shape[1]))


def _check_labels(y: np.ndarray, min_classes: int) -> Targets:
    labelled = ~_unlabelled(y)
    known = y[labelled]
    if known.dtype.kind == "O" and all(isinstance(v, Integral) for v in known):
        with suppress(OverflowError):  # larger ones are refused below
            known = known.astype(np.int64)
    values = np.full(len(y), -1, dtype=np.int64)
    if not len(known):
        return Targets(values, np.empty(0, dtype=np.int64))
    if isinstance(known[0], bytes):
        raise TypeError(f"y has bytes as labels, such as {known[0]!r}: str is wanted.")
    kind = type_of_target(_each_twice(known), input_name="y")
    if kind not in ("binary", "multiclass"):
        raise ValueError(
            f"y is of the kind {kind!r} (first values {known[:3].tolist()}): class labels, with "
            "-1 or None for unlabelled rows, or an (n, k) assignment matrix are wanted."
        )
    classes, codes = np.unique(known, return_inverse=True)
    if len(classes) < min_classes:
        raise ValueError(f"y has one class only, {classes[0]!r}: at least two are wanted.")
    values[labelled] = codes
    return Targets(values, classes)


def _each_twice(labels: np.ndarray) -> np.ndarray:
    """Every label twice: classes of one row are no regression, as scikit-learn would warn."""
    try:
        return np.repeat(np.unique(labels), 2)
    except TypeError:  # labels that cannot be compared are refused by what their kind is
        return labels


def _unlabelled(y: np.ndarray) -> np.ndarray:
    """Rows marked by -1, None, NaN or pandas' NA, (n,) bool."""
    if y.dtype.kind in "if":
        return np.asarray((y == -1) | (y != y))
    if y.dtype.kind != "O":
        return np.zeros(len(y), dtype=bool)
    return np.array([_is_missing(v) for v in y], dtype=bool)


def _is_missing(value: Any) -> bool:
    if value is None or type(value).__name__ == "NAType":
        return True
    return not isinstance(value, str | bytes | bool) and bool(value == -1 or value != value)


def check_labelings(labelings: Any, n_rows: int) -> np.ndarray:
    """Clusterings of the same rows as codes, (m, n) int64; see `check_labels`.

    Raises
    ------
    ValueError
        If there is no clustering, or one is not as it should be.
    """
    if not hasattr(labelings, "__len__") or isinstance(labelings, str | dict):
        raise ValueError(f"labelings is {labelings!r}: a sequence of label arrays is wanted.")
    if not len(labelings):
        raise ValueError("labelings is empty: at least one clustering is wanted.")
    named = ((labels, f"labelings[{i}]") for i, labels in enumerate(labelings))
    return np.stack([check_labels(labels, n_rows, name) for labels, name in named])


def check_labels(labels: Any, n_rows: int, name: str = "labels") -> np.ndarray:
    """A clustering as codes, (n,) int64: from 0 for clusters, -1 for noise.

    Parameters
    ----------
    labels : array-like of shape (n,)
        Of any sortable type; negative numbers and None are noise.
    n_rows : int
        Number n of rows of the data.
    name : str
        What messages call it.

    Raises
    ------
    ValueError
        If the length is another, or there is NaN, no cluster, or a cluster for every row.
    """
    with naming(name):
        values = np.asarray(plain(labels, name))
    if values.ndim != 1:
        raise ValueError(f"{name} has shape {values.shape}: a label for each row is wanted, (n,).")
    if len(values) != n_rows:
        raise ValueError(f"{name} has {len(values)} labels, but X has {n_rows} rows.")
    if values.dtype.kind == "f" and not np.isfinite(values).all():
        raise ValueError(f"{name} contains NaN or infinity: -1 marks noise.")
    with naming(name):
        codes = _cluster_codes(values)
    n_clusters = int(codes.max()) + 1
    if not n_clusters:
        raise ValueError(f"{name} has no cluster: every row is noise (-1).")
    if n_clusters == n_rows and n_rows > 1:
        raise ValueError(f"{name} puts each of the {n_rows} rows in a cluster of its own.")
    return codes


def _cluster_codes(values: np.ndarray) -> np.ndarray:
    """Sorted clusters from 0 and noise -1, (n,)."""
    noise = values < 0 if values.dtype.kind in "if" else _unlabelled(values)
    codes = np.full(len(values), -1, dtype=np.int64)
    if not noise.all():
        codes[~noise] = np.unique(values[~noise], return_inverse=True)[1]
    return codes
