"""What the estimators share: safe refits, pickling across devices, embedding of rows."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sklearn.base import BaseEstimator
from torch import nn

__all__ = ["DevicePickleMixin", "keep_fitted_on_error"]


@contextmanager
def keep_fitted_on_error(estimator: BaseEstimator) -> Iterator[None]:
    """Undo what a failed fit changed: the estimator predicts as before it."""
    before = dict(vars(estimator))
    try:
        yield
    except BaseException:
        vars(estimator).clear()
        vars(estimator).update(before)
        raise


class DevicePickleMixin:
    """Networks are pickled from the CPU, so that they load where there is no accelerator."""

    def __getstate__(self) -> dict[str, Any]:
        """State with every network on the CPU."""
        state: dict[str, Any] = super().__getstate__()  # type: ignore[misc]
        return {name: _on_cpu(value) for name, value in state.items()}


def _on_cpu(value: Any) -> Any:
    if isinstance(value, nn.Module) and any(p.device.type != "cpu" for p in value.parameters()):
        return copy.deepcopy(value).cpu()
    return value
