"""Fingerprint of a fit: what its result depends on, as plain values that can be compared.

Numbers, names and lists stand for themselves, arrays and weights for their check sums. Nothing is
executed on behalf of a fingerprint, and nothing can be made of it again.
"""

from __future__ import annotations

import dataclasses
import os
import re
from collections.abc import Iterator
from functools import partial
from hashlib import sha256
from math import isfinite
from pathlib import Path, PurePath
from types import CodeType, ModuleType
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.base import BaseEstimator
from torch import Tensor, nn

__all__ = ["fingerprint", "outline"]

# Parameters on which the result does not depend; `device` for the sake of those who go on without
# an accelerator, where results agree up to rounding.
_WITHOUT_EFFECT = ("checkpoint", "device", "n_jobs", "verbose")
# Of larger arrays evenly spaced rows are read: a memory map may be larger than the memory.
_MAX_READ_BYTES = 2**26
_PART_BYTES = 2**22
# Objects within objects, beyond which their classes have to do.
_MAX_DEPTH = 6


def fingerprint(estimator: BaseEstimator, X: Any, y: Any = None) -> dict[str, Any]:
    """What the result of a fit depends on, by name: class, version, parameters and data.

    Left out are `verbose`, `n_jobs`, `device` and `checkpoint`. Of a RandomState it does not say
    what it would draw, of a file that is named by a parameter it holds the check sum.

    Parameters
    ----------
    estimator : estimator
    X, y : array-like, list of such, or None
    """
    from . import __version__  # the package imports this module

    parameters = {
        name: _file_sum(value) or outline(value)
        for name, value in estimator.get_params(deep=False).items()
        if name not in _WITHOUT_EFFECT
    }
    title = type(estimator).__name__
    return {
        "class": title,
        "skdeepclust": __version__,
        **parameters,
        "X": outline(X),
        "y": outline(y),
    }


def outline(value: Any, depth: int = 0) -> Any:
    """Plain values, equal for values that are equal, and for others different.

    Parameters
    ----------
    value : object
        Functions count by name, code and what they enclose; objects of classes unknown here
        by class and attributes.
    depth : int
        Objects around this one.
    """
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        return value if isfinite(value) else repr(value)
    if isinstance(value, PurePath | torch.device | bytes | complex):
        return str(value)
    if isinstance(value, nn.Module):
        return _module(value)
    if isinstance(value, Tensor) or hasattr(value, "__array__"):
        return _array(value)
    if depth >= _MAX_DEPTH or isinstance(value, np.random.RandomState | ModuleType):
        return f"{type(value).__module__}.{type(value).__qualname__}"
    if isinstance(value, list | tuple | dict | set | frozenset):
        return _container(value, depth + 1)
    return _object(value, depth + 1)


def _container(value: Any, depth: int) -> Any:
    if isinstance(value, dict):
        return {str(k): outline(v, depth) for k, v in value.items()}
    # The order of a set changes from process to process.
    is_ordered = isinstance(value, list | tuple)
    return [outline(v, depth) for v in value] if is_ordered else sorted(map(repr, value))


def _object(value: Any, depth: int) -> Any:
    if isinstance(value, partial):
        return outline([value.func, value.args, value.keywords], depth)
    if hasattr(value, "__code__"):
        return _function(value, depth)
    if hasattr(value, "__qualname__"):
        return f"{value.__module__}.{value.__qualname__}"
    kind = f"{type(value).__module__}.{type(value).__qualname__}"
    return {"kind": kind, "attributes": outline(_attributes(value), depth)}


def _attributes(value: Any) -> dict[str, Any]:
    """Parameters and fitted attributes of an estimator, or whatever else an object holds."""
    if dataclasses.is_dataclass(value):
        return {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
    found = getattr(value, "__dict__", {})
    return {name: found[name] for name in sorted(found) if name not in _WITHOUT_EFFECT}


def _function(function: Any, depth: int) -> dict[str, Any]:
    cells = [cell.cell_contents for cell in function.__closure__ or ()]
    given = [function.__defaults__, function.__kwdefaults__, getattr(function, "__self__", None)]
    return {
        "function": f"{function.__module__}.{function.__qualname__}",
        "code": _code(function.__code__),
        "encloses": outline([*cells, *given], depth),
    }


def _code(code: CodeType) -> list[Any]:
    constants = [_code(c) if isinstance(c, CodeType) else outline(c) for c in code.co_consts]
    return [sha256(code.co_code).hexdigest(), list(code.co_names), constants]


def _module(module: nn.Module) -> dict[str, Any]:
    total = sha256()
    for name, value in module.state_dict().items():
        total.update(name.encode())
        content = _bytes_of(value).tobytes() if isinstance(value, Tensor) else repr(value).encode()
        total.update(content)
    layers = re.sub(r" at 0x[0-9a-f]+", "", repr(module))
    title = f"{type(module).__module__}.{type(module).__qualname__}"
    return {"module": title, "layers": layers, "sha256": total.hexdigest()}


def _bytes_of(tensor: Tensor) -> NDArray[np.uint8]:
    flat = tensor.detach().cpu().contiguous().reshape(-1)
    return flat.view(torch.uint8).numpy()


def _array(values: Any) -> dict[str, Any]:
    array = values if isinstance(values, Tensor) else np.asarray(values)
    content = _bytes_of(array) if isinstance(array, Tensor) else np.atleast_1d(array)
    total = sha256()
    for part in _parts(content):
        total.update(repr(part.tolist()).encode() if part.dtype.hasobject else part.tobytes())
    return {"shape": list(array.shape), "dtype": str(array.dtype), "sha256": total.hexdigest()}


def _parts(array: NDArray[Any]) -> Iterator[NDArray[Any]]:
    """The rows, or evenly spaced ones of many, a few at a time."""
    row_bytes = max(1, array.nbytes // max(1, len(array)))
    rows = np.arange(len(array))
    if array.nbytes > _MAX_READ_BYTES:
        n = max(1, _MAX_READ_BYTES // row_bytes)
        rows = np.linspace(0, len(array) - 1, n).astype(np.int64)
    step = max(1, _PART_BYTES // row_bytes)
    for start in range(0, len(rows), step):
        yield array[rows[start : start + step]]


def _file_sum(value: Any) -> dict[str, str] | None:
    """Check sum of the file that a parameter names, if there is such a file."""
    if not isinstance(value, str | os.PathLike) or not os.path.isfile(value):
        return None
    return {"file": sha256(Path(value).read_bytes()).hexdigest()}
