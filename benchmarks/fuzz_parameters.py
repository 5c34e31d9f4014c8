"""Values of parameters, valid and invalid, drawn from the constraints of an estimator."""

from __future__ import annotations

from collections.abc import Mapping
from numbers import Integral
from pathlib import Path
from typing import Any

import numpy as np
import torch
from fuzz_inputs import Rng, pick
from sklearn.base import BaseEstimator
from sklearn.frozen import FrozenEstimator
from sklearn.utils._param_validation import Interval, StrOptions
from torch import nn

from skdeepclust import ClusteringCritic, LinearEncoder, MLPEncoder, ModuleEncoder

__all__ = ["draw_invalid", "draw_valid"]

# Largest values that leave a fit small.
_LARGEST = {
    "max_epochs": 3, "n_tasks": 2, "n_proposals": 4, "adversarial_rounds": 1, "batch_size": 40,
    "population_size": 4, "n_generations": 2, "patience": 3, "hidden_dim": 6, "n_rounds": 2,
    "embedding_dim": 6, "n_clusters": 6, "min_clusters": 4, "max_clusters": 6,
    "n_iter_no_change": 3, "max_time": 0.2,
}  # fmt: skip
# Of rates and weights.
_EXPONENTS, _EXTREME_EXPONENTS = (-6.0, 3.0), (-300.0, 6.0)
_EXTREME = 0.1
_ANYTHING = (
    -1, 0, 1.5, float("nan"), float("inf"), -float("inf"), "unknown", "", b"auto", [], (), {},
    (1, 2), object(), 1j, np.array([1, 2]), np.float64("nan"), 10**30, -(10**30), int, len,
)  # fmt: skip


def draw_valid(
    rng: Rng, cls: type[BaseEstimator], critic_path: Path, share: float = 0.5
) -> dict[str, Any]:
    """Valid values of some parameters.

    Parameters
    ----------
    rng : Generator
    cls : estimator class
    critic_path : Path
        File of a fitted critic.
    share : float, default=0.5
        Chance of each parameter not to keep its default.
    """
    constraints: Mapping[str, Any] = cls._parameter_constraints
    chosen = [name for name in constraints if rng.uniform() < share]
    return {name: _valid(rng, name, pick(rng, constraints[name]), critic_path) for name in chosen}


def draw_invalid(rng: Rng, cls: type[BaseEstimator]) -> tuple[str, Any]:
    """A parameter and a value that it must not have."""
    constraints: Mapping[str, Any] = cls._parameter_constraints
    name = pick(rng, constraints)
    wrong = [value for value in _ANYTHING if not _may_be(name, constraints[name], value)]
    return name, pick(rng, wrong)


def _may_be(name: str, constraints: Any, value: Any) -> bool:
    """Whether one of the constraints admits a value; written anew, apart from scikit-learn."""
    return any(_admits(name, constraint, value) for constraint in constraints)


def _admits(name: str, constraint: Any, value: Any) -> bool:
    if isinstance(constraint, Interval):
        is_number = isinstance(value, Integral if constraint.type is Integral else int | float)
        return bool(is_number and not isinstance(value, bool) and _within(constraint, value))
    if isinstance(constraint, StrOptions):
        return value in constraint.options if isinstance(value, str) else False
    if constraint is None or constraint == "boolean":
        return value is None if constraint is None else isinstance(value, bool | np.bool_)
    if constraint is callable:
        return callable(value)
    if constraint == "random_state":
        return value is None or (isinstance(value, int) and 0 <= value < 2**32)
    if constraint == "verbose":
        return isinstance(value, int) and value >= 0
    if constraint is str and name == "device":
        return isinstance(value, str) and value in ("auto", "cpu")
    return isinstance(value, constraint)


def _within(interval: Any, value: Any) -> bool:
    low = -np.inf if interval.left is None else interval.left
    high = np.inf if interval.right is None else interval.right
    above = value >= low if interval.closed in ("left", "both") else value > low
    below = value <= high if interval.closed in ("right", "both") else value < high
    # An open end excludes infinity, too.
    return bool(above and below and np.isfinite(float(value)))


def _valid(rng: Rng, name: str, constraint: Any, critic_path: Path) -> Any:
    """A value that a constraint admits."""
    if isinstance(constraint, Interval):
        return _number(rng, name, constraint)
    if isinstance(constraint, StrOptions):
        options = sorted(constraint.options - {"conv", "affine", "affine+turns", "pretrained"})
        return pick(rng, options) if options else None
    plain = {
        "boolean": (True, False, np.True_),
        "random_state": (0, 7, np.int64(3), np.random.RandomState(1)),
        "verbose": (0, False),
    }
    if isinstance(constraint, str):
        return pick(rng, plain[constraint])
    return None if constraint is None else _object(rng, name, constraint, critic_path)


def _object(rng: Rng, name: str, constraint: Any, critic_path: Path) -> Any:
    """A value of a class."""
    if constraint is callable:
        return _add_noise
    if constraint is Integral:  # n_jobs
        return pick(rng, (1, 1, np.int32(1), None) if rng.uniform() < 0.98 else (2,))
    if name == "encoder":
        return _encoder(rng, constraint)
    if name == "critic":
        return _critic(constraint, critic_path)
    if name == "checkpoint":  # a directory of its own
        folder = critic_path.with_name(f"{rng.integers(2**63):x}")
        return str(folder) if constraint is str else folder
    return torch.device("cpu") if constraint is torch.device else pick(rng, ("auto", "cpu"))


def _add_noise(batch: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    return batch + 0.1 * torch.randn(batch.shape, generator=generator)


def _encoder(rng: Rng, constraint: Any) -> Any:
    if constraint is nn.Module:
        return nn.Flatten()
    hidden = pick(rng, ((), (3,), [4, 2], np.array([5]), 3))
    activation, dropout = pick(rng, ("relu", "gelu", "tanh", "silu")), pick(rng, (0.0, 0.5))
    mlp = MLPEncoder(hidden=hidden, activation=activation, dropout=dropout)
    return pick(rng, (LinearEncoder(), mlp, mlp, ModuleEncoder(nn.Flatten())))


def _critic(constraint: Any, critic_path: Path) -> Any:
    from skdeepclust import load

    if constraint is str:
        return str(critic_path)
    if constraint is FrozenEstimator:
        return FrozenEstimator(load(critic_path))
    if constraint is ClusteringCritic:
        return ClusteringCritic(
            hidden_dim=4, n_tasks=1, n_proposals=3, max_epochs=1, adversarial_rounds=0
        )
    return critic_path


def _number(rng: Rng, name: str, interval: Any) -> Any:
    """A small number within the bounds; now and then an extreme one, or one of numpy's types."""
    if interval.type is Integral:
        low, high = int(interval.left), _LARGEST.get(name, int(interval.left) + 5)
        value = int(rng.integers(low, high + 1))
        return pick(rng, (value, np.int64(value)))
    if name == "max_time":
        return float(rng.uniform(1e-3, _LARGEST[name]))
    ends = [end for end in (interval.left, interval.right) if _within(interval, end)]
    if ends and rng.uniform() < 0.1:
        return pick(rng, ends)
    if interval.right == 1:
        return float(rng.uniform(0.01, 0.99))
    bounds = _EXTREME_EXPONENTS if rng.uniform() < _EXTREME else _EXPONENTS
    value = float(np.clip(10.0 ** rng.uniform(*bounds), interval.left, interval.right))
    return pick(rng, (value, np.float64(value)))
