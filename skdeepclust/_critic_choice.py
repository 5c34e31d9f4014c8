"""The critic that a parameter names: shipped, in a file, given, or to be trained first."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone

from ._critic import ClusteringCritic, named_critic

__all__ = ["is_untrained", "resolve_critic"]


def is_untrained(critic: Any) -> bool:
    """Whether it is a critic that has to learn first; one in a ``FrozenEstimator`` counts."""
    critic = _inside(critic)
    return isinstance(critic, ClusteringCritic) and not hasattr(critic, "network_")


def resolve_critic(
    critic: Any, X: NDArray[Any], y: Any, rng: np.random.RandomState
) -> ClusteringCritic:
    """A fitted critic.

    Parameters
    ----------
    critic : str, path-like, ClusteringCritic or FrozenEstimator
        A name, a file, or a critic; one that is not fitted stays so, and a clone of it learns.
    X : ndarray of shape (n, p)
    y : array-like of shape (n,) or None
        Labels from which a critic learns.
    rng : RandomState
        Where that critic has no seed, it gets one from here.

    Raises
    ------
    ValueError
        If there is no such critic, or it is not fitted and y is None.
    """
    if isinstance(critic, str | os.PathLike):
        return named_critic(critic)
    found = _inside(critic)
    if not isinstance(found, ClusteringCritic):
        raise ValueError(f"critic={critic!r}: a ClusteringCritic is wanted.")
    if not is_untrained(found):
        return found
    if y is None:
        raise ValueError(
            f"critic={critic!r} is not fitted, and y=None: labels are wanted to train it, or a "
            "fitted critic in a FrozenEstimator."
        )
    trained: ClusteringCritic = clone(found)
    if trained.random_state is None:
        trained.set_params(random_state=int(rng.randint(np.iinfo(np.int32).max)))
    return trained.fit(X, y)


def _inside(critic: Any) -> Any:
    """The critic in a ``FrozenEstimator``."""
    return getattr(critic, "estimator", critic)
