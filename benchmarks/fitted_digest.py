"""Digests of fitted estimators, to compare them bit for bit, and of what all of a process share."""

from __future__ import annotations

import dataclasses
import os
import random
import struct
import sys
import warnings
from collections.abc import Callable, Iterable, Mapping
from enum import Enum
from hashlib import sha256
from pathlib import PurePath
from types import BuiltinFunctionType, FunctionType, MethodType, NoneType
from typing import Any

import numpy as np
import scipy.sparse as sp
import sklearn
import torch
from sklearn.base import BaseEstimator
from threadpoolctl import threadpool_info
from torch import nn

__all__ = ["answers", "changes", "digest", "differences", "fitted_digests", "process_state"]

Digests = dict[str, str]
Feed = Callable[[bytes], None]

# Parameters that say how to compute, and not what.
_HOW = ("n_jobs", "verbose")
# What a description of it says all about.
_NAMED = (type, np.dtype, torch.dtype, torch.device, torch.Size, slice, range, PurePath, Enum)
_FUNCTIONS = (FunctionType, BuiltinFunctionType, MethodType)


def digest(value: Any) -> str:
    """A check sum of arrays, tensors, networks, random states, estimators, and what holds them.

    Two values have the same one if and only if they are of the same types and have the same bits.
    Dictionaries and sets are compared whatever their order is; the devices of tensors and the
    strides of arrays do not count, nor do the parameters `n_jobs` and `verbose` of estimators.

    Raises
    ------
    TypeError
        If the value, or a part of it, is of a type of which nothing is known.
    ValueError
        If it holds itself.
    """
    total = sha256()
    _add(total.update, value, ())
    return total.hexdigest()


def _add(feed: Feed, value: Any, outer: tuple[int, ...]) -> None:
    """Add a value, which is a part of `outer`, to a check sum."""
    if id(value) in outer:
        raise ValueError(f"{type(value).__name__} holds itself")
    inner = (*outer, id(value))
    _say(feed, f"{type(value).__module__}.{type(value).__qualname__}")
    for kinds, add in _ADDERS:
        if isinstance(value, kinds):
            add(feed, value, inner)
            return
    if dataclasses.is_dataclass(value):
        _add_dataclass(feed, value, inner)
        return
    if not hasattr(value, "__dict__"):
        raise TypeError(f"nothing is known of {type(value).__name__}")
    _add_mapping(feed, vars(value), inner)


def _say(feed: Feed, content: str | bytes) -> None:
    """Add a text after its length, so that no two sequences of texts look alike."""
    content = content.encode() if isinstance(content, str) else content
    feed(struct.pack("<q", len(content)))
    feed(content)


def _add_plain(feed: Feed, value: Any, inner: tuple[int, ...]) -> None:
    _say(feed, value if isinstance(value, bytes) else repr(value))


def _add_float(feed: Feed, value: float, inner: tuple[int, ...]) -> None:
    feed(struct.pack("<d", value))


def _add_complex(feed: Feed, value: complex, inner: tuple[int, ...]) -> None:
    feed(struct.pack("<dd", value.real, value.imag))


def _add_function(feed: Feed, value: Any, inner: tuple[int, ...]) -> None:
    _say(feed, f"{value.__module__}.{value.__qualname__}")


def _add_array(feed: Feed, value: Any, inner: tuple[int, ...]) -> None:
    array = np.asarray(value)
    _say(feed, f"{array.dtype.str} {array.shape}")
    if array.dtype.hasobject:
        _add_sequence(feed, array.ravel().tolist(), inner)
    else:
        _say(feed, np.ascontiguousarray(array).tobytes())


def _add_tensor(feed: Feed, value: torch.Tensor, inner: tuple[int, ...]) -> None:
    _say(feed, f"{value.dtype} {tuple(value.shape)} {value.requires_grad}")
    flat = value.detach().cpu().contiguous().reshape(-1)
    _say(feed, flat.view(torch.uint8).numpy().tobytes() if flat.numel() else b"")


def _add_module(feed: Feed, value: nn.Module, inner: tuple[int, ...]) -> None:
    for name, module in value.named_modules():
        kind = type(module)
        _say(feed, f"{name} {kind.__module__}.{kind.__qualname__} {module.training}")
        _say(feed, module.extra_repr())
    values = dict(value.named_parameters()) | dict(value.named_buffers())
    _add_mapping(feed, values, inner)


def _add_generator(feed: Feed, value: Any, inner: tuple[int, ...]) -> None:
    if isinstance(value, torch.Generator):
        _add(feed, value.get_state(), inner)
    elif isinstance(value, np.random.Generator):
        _add_mapping(feed, value.bit_generator.state, inner)
    else:
        _add_mapping(feed, value.get_state(legacy=False), inner)


def _add_sparse(feed: Feed, value: Any, inner: tuple[int, ...]) -> None:
    ordered = sp.coo_array(value)
    _add_sequence(feed, [ordered.shape, *ordered.coords, ordered.data], inner)


def _add_estimator(feed: Feed, value: BaseEstimator, inner: tuple[int, ...]) -> None:
    _add_mapping(feed, {k: v for k, v in vars(value).items() if k not in _HOW}, inner)


def _add_mapping(feed: Feed, value: Mapping[Any, Any], inner: tuple[int, ...]) -> None:
    keys = {digest(key): key for key in value}
    _say(feed, str(len(keys)))
    for name in sorted(keys):
        _say(feed, name)
        _add(feed, value[keys[name]], inner)


def _add_sequence(feed: Feed, value: Iterable[Any], inner: tuple[int, ...]) -> None:
    parts = list(value)
    _say(feed, str(len(parts)))
    for part in parts:
        _add(feed, part, inner)


def _add_set(feed: Feed, value: Iterable[Any], inner: tuple[int, ...]) -> None:
    _add_sequence(feed, sorted(digest(part) for part in value), inner)


def _add_dataclass(feed: Feed, value: Any, inner: tuple[int, ...]) -> None:
    fields = {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
    _add_mapping(feed, fields, inner)


_ADDERS: tuple[tuple[Any, Callable[[Feed, Any, tuple[int, ...]], None]], ...] = (
    ((NoneType, bool, int, str, bytes, *_NAMED), _add_plain),
    ((float,), _add_float),
    ((complex,), _add_complex),
    (_FUNCTIONS, _add_function),
    ((np.ndarray, np.generic), _add_array),
    ((torch.Tensor,), _add_tensor),
    ((nn.Module,), _add_module),
    ((np.random.RandomState, np.random.Generator, torch.Generator), _add_generator),
    ((sp.sparray, sp.spmatrix), _add_sparse),
    ((BaseEstimator,), _add_estimator),
    ((Mapping,), _add_mapping),
    ((list, tuple), _add_sequence),
    ((set, frozenset), _add_set),
)


def answers(estimator: Any, X: Any) -> list[Any]:
    """All that a fitted estimator says about some rows."""
    n = len(X)
    if hasattr(estimator, "score_clusterings"):
        labelings = np.arange(n) % np.array([[2], [3], [5]])
        labels = labelings[1]
        parts = estimator.embed(X, labels), estimator.score_clusters(X, labels)
        return [estimator.score_clusterings(X, labelings), *parts]
    found = [estimator.predict(X), estimator.transform(X)]
    if hasattr(estimator, "cluster"):
        return [*found, estimator.cluster(X, 3), estimator.score(X, np.arange(n) % 3)]
    return [*found, estimator.score(X), estimator.alternatives_]


def fitted_digests(estimator: BaseEstimator, X: Any | None = None) -> Digests:
    """Check sums by name of all that a fit has left, and of the answers about rows X."""
    parameters = estimator.get_params(deep=False)
    fitted = {name: value for name, value in vars(estimator).items() if name not in parameters}
    if X is not None:
        fitted["answers"] = answers(estimator, X)
    return {name: digest(value) for name, value in sorted(fitted.items())}


def differences(found: Digests, expected: Digests) -> list[str]:
    """Names that are not the same, or not there, in both."""
    names = sorted(found.keys() | expected.keys())
    return [name for name in names if found.get(name) != expected.get(name)]


def process_state() -> dict[str, Any]:
    """What all that runs in a process shares, and what this thread finds set, by name."""
    pools = [(pool["filepath"], pool["num_threads"]) for pool in threadpool_info()]
    numpy_state = np.random.get_state(legacy=False)
    return {
        "random state of python": digest(random.getstate()),
        "random state of numpy": digest(numpy_state),
        "random state of torch": digest(torch.get_rng_state()),
        "threads of torch": (torch.get_num_threads(), torch.get_num_interop_threads()),
        "threads of BLAS and OpenMP": sorted(pools),
        "default dtype": torch.get_default_dtype(),
        "grad mode": (torch.is_grad_enabled(), torch.is_inference_mode_enabled()),
        "deterministic algorithms": torch.are_deterministic_algorithms_enabled(),
        "warnings filters": [str(entry) for entry in warnings.filters],
        "floating-point errors of numpy": dict(np.geterr()),
        "configuration of scikit-learn": sklearn.get_config(),
        "environment": dict(os.environ),
        "search path": list(sys.path),
        "working directory": os.getcwd(),
    }


def changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    """Names of the parts of the state of a process that are not as they were."""
    return [name for name in before if before[name] != after[name]]
