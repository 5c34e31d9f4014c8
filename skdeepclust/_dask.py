"""Methods of rows applied to Dask arrays, block by block."""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import partial, wraps
from typing import Any

import numpy as np

__all__ = ["by_blocks"]


def by_blocks(method: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    """Let a method of an estimator and rows take a Dask array, and return one.

    Each block of rows is given to the method when it is computed, wherever that is. The method
    must treat every row by itself, and return an array with as many rows.

    Parameters
    ----------
    method : callable
        Takes the estimator and X.
    """

    @wraps(method)
    def of_blocks(self: Any, X: Any) -> Any:
        return _map_blocks(partial(method, self), X) if _is_dask_array(X) else method(self, X)

    return of_blocks


def _is_dask_array(X: Any) -> bool:
    """Whether X is a Dask array; where Dask was not imported, nothing is."""
    dask_array = sys.modules.get("dask.array")
    return dask_array is not None and isinstance(X, dask_array.Array)


def _map_blocks(function: Callable[[Any], Any], X: Any) -> Any:
    # One row of zeros shows shape and type of the result, and raises what is wrong with X now.
    shown = np.asarray(function(np.zeros((1, *X.shape[1:]), dtype=X.dtype)))
    empty = shown[:0]
    X = X.rechunk(dict.fromkeys(range(1, X.ndim), -1))
    return X.map_blocks(
        partial(_of_block, function, empty),
        drop_axis=list(range(shown.ndim, X.ndim)),
        chunks=(X.chunks[0], *((width,) for width in shown.shape[1:])),
        meta=empty,
    )


def _of_block(function: Callable[[Any], Any], empty: Any, block: Any) -> Any:
    """The result for a block of rows; there may be none in it."""
    return function(block) if len(block) else empty
