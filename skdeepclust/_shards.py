"""What the ranks of a process group agree on before they fit one estimator together."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator

from ._validation import Targets, check_n_clusters, check_rows, check_targets
from .training import OneProcess, Ranks

__all__ = ["check_fit_data"]

# Parameters that may differ from rank to rank, and those of which rank 0 has the last word.
_OWN_PARAMETERS = ("device", "random_state", "verbose")


class _Facts(NamedTuple):
    """What a rank tells the others of its part of the training set.

    Attributes
    ----------
    row_shape : tuple of int
    codes : ndarray of shape (n,)
    classes : ndarray of shape (k,)
        Labels behind the codes.
    parameters : dict of str to object
    goes_on : bool
        Whether there are weights to go on from.
    """

    row_shape: tuple[int, ...]
    codes: NDArray[np.int64]
    classes: NDArray[Any]
    parameters: dict[str, Any]
    goes_on: bool


def check_fit_data(
    estimator: BaseEstimator, X: Any, y: Any, ranks: OneProcess
) -> tuple[NDArray[Any], Targets]:
    """Rows of this process as an array, and the targets of the rows of all ranks.

    Raises
    ------
    ValueError
        If X or y is not as it should be, or the ranks do not fit each other.
    NotImplementedError
        In a group, where labels are missing.
    """
    X = check_rows(estimator, X, reset=True)
    if not isinstance(ranks, Ranks):
        targets = check_targets(y, X)
        check_n_clusters(estimator.n_clusters, len(X))
        return X, targets
    targets = check_targets(y, X, min_classes=1)
    _check_labels(targets)
    parameters = _plain_parameters(estimator)
    goes_on = bool(estimator.warm_start) and hasattr(estimator, "network_")
    facts = ranks.gather(_Facts(X.shape[1:], targets.values, targets.classes, parameters, goes_on))
    _check_agreement(facts)
    ranks.hold([len(fact.codes) for fact in facts])
    return X, _joined_targets(facts, estimator.n_clusters)


def _check_labels(targets: Targets) -> None:
    """Only a class for each row is summed up over ranks."""
    if targets.values.ndim == 2:
        raise NotImplementedError(
            f"y of shape {targets.values.shape} inside a process group: a class for each row, "
            "(n,), is wanted there."
        )
    n_missing = int(np.count_nonzero(~targets.labelled))
    if n_missing:
        raise NotImplementedError(
            f"y has no label for {n_missing} of {len(targets.values)} rows: inside a process "
            "group labels of all rows are wanted."
        )


def _plain_parameters(estimator: BaseEstimator) -> dict[str, Any]:
    """Parameters that can be compared: numbers, names and tuples of them."""
    return {
        name: value
        for name, value in estimator.get_params(deep=True).items()
        if isinstance(value, str | int | float | bool | tuple | None)
        and name not in _OWN_PARAMETERS
    }


def _check_agreement(facts: list[_Facts]) -> None:
    """Refuse ranks that would not take the same steps; all of them see the same facts."""
    _check_equal("X has rows of shape", [fact.row_shape for fact in facts])
    _check_equal("y has labels of kind", [fact.classes.dtype.kind for fact in facts])
    for name in sorted(set().union(*(fact.parameters for fact in facts))):
        _check_equal(f"{name} is", [fact.parameters.get(name) for fact in facts])
    _check_equal("warm_start finds weights:", [fact.goes_on for fact in facts])


def _check_equal(what: str, values: list[Any]) -> None:
    for rank, value in enumerate(values):
        if value != values[0]:
            raise ValueError(
                f"{what} {values[0]!r} on rank 0, but {value!r} on rank {rank} of the process "
                "group: the same is wanted on all ranks."
            )


def _joined_targets(facts: list[_Facts], n_clusters: int | None) -> Targets:
    """Targets of the rows of all ranks, one rank after the other."""
    classes = np.unique(np.concatenate([fact.classes for fact in facts]))
    if len(classes) < 2:
        raise ValueError(
            f"y has one class only on all ranks, {classes.tolist()[0]!r}: at least two are wanted."
        )
    if n_clusters not in (None, len(classes)):
        raise NotImplementedError(
            f"n_clusters={n_clusters} inside a process group: the number of classes, "
            f"{len(classes)}, or None is wanted there."
        )
    codes = [np.searchsorted(classes, fact.classes)[fact.codes] for fact in facts]
    return Targets(np.concatenate(codes), classes)
