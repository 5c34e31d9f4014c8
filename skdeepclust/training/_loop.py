"""Gradient training of an encoder on the spectral objective."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from math import cos, pi
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from ..spectral import spectral_clustering_loss
from ._batches import BatchShape, class_balanced_batches, random_batches
from ._rows import Rows

__all__ = ["TrainingPlan", "TrainingResult", "train"]


@dataclass(frozen=True)
class TrainingPlan:
    """How to train.

    Attributes
    ----------
    max_epochs : int
    learning_rate : float
        Peak of the cosine schedule of AdamW.
    weight_decay : float
    ridge : float
        Relative ridge of the objective.
    patience : int
        Epochs without progress after which training stops.
    tolerance : float
        Progress below this share of the objective's range does not count.
    """

    max_epochs: int
    learning_rate: float
    weight_decay: float
    ridge: float
    patience: int
    tolerance: float = 1e-4


@dataclass
class TrainingResult:
    """What training leaves behind besides the weights.

    Attributes
    ----------
    history : dict of str to list
        One entry an epoch.
    n_epochs : int
    converged : bool
        Whether training ended before `max_epochs`.
    """

    history: dict[str, list[float]] = field(default_factory=dict)
    n_epochs: int = 0
    converged: bool = False

    def record(self, **values: float) -> None:
        """Append the figures of one epoch."""
        self.n_epochs += 1
        for name, value in values.items():
            self.history.setdefault(name, []).append(value)


def train(
    network: nn.Module,
    rows: Rows,
    targets: np.ndarray,
    shape: BatchShape,
    plan: TrainingPlan,
    rng: np.random.RandomState,
    indices: np.ndarray | None = None,
    validate: Callable[[], float] | None = None,
    on_epoch: Callable[[dict[str, float]], Any] | None = None,
) -> TrainingResult:
    """Minimise the objective over batches; keep the best weights.

    Parameters
    ----------
    network : nn.Module
        Trained in place.
    rows : Rows
    targets : ndarray of shape (n,) or (n, k)
        Class codes or assignments of the rows at `indices`.
    shape : BatchShape
    plan : TrainingPlan
    rng : RandomState
        Source of the batches; dropout draws from a torch seed taken from it.
    indices : ndarray of shape (n,), optional
        Rows to train on. Default: all.
    validate : callable, optional
        Gives the held-out objective after an epoch; without it the training objective
        decides about progress.
    on_epoch : callable, optional
        Called with the figures of each epoch.
    """
    indices = np.arange(len(rows)) if indices is None else indices
    optimizer = torch.optim.AdamW(
        network.parameters(), lr=plan.learning_rate, weight_decay=plan.weight_decay
    )
    result, best = TrainingResult(), _BestWeights(plan)
    network.train()
    for epoch in range(plan.max_epochs):
        objective = _train_epoch(
            network, optimizer, rows, targets, indices, shape, plan, epoch, rng
        )
        figures = _figures(objective, optimizer, validate)
        result.record(**figures)
        if on_epoch is not None:
            on_epoch(figures)
        if best.no_progress(network, figures, keep=validate is not None):
            result.converged = True
            break
    best.restore(network)
    network.eval()
    return result


def _train_epoch(
    network: nn.Module,
    optimizer: torch.optim.Optimizer,
    rows: Rows,
    targets: np.ndarray,
    indices: np.ndarray,
    shape: BatchShape,
    plan: TrainingPlan,
    epoch: int,
    rng: np.random.RandomState,
) -> tuple[float, float]:
    """One pass of steps; the mean objective of its batches and their mean rank."""
    objectives, ranks = [], []
    batches = list(_batches(targets, shape, rng))
    for step, batch in enumerate(batches):
        _set_learning_rate(optimizer, plan, epoch + step / len(batches))
        y = torch.as_tensor(targets[batch], device=rows.device)
        embedding = functional.normalize(network(rows.take(indices[batch])), dim=1, eps=1e-12)
        loss = spectral_clustering_loss(embedding, y, ridge=plan.ridge)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        objectives.append(loss.detach())
        ranks.append(_rank(targets[batch]))
    return float(torch.stack(objectives).double().mean()), float(np.mean(ranks))


def _batches(
    targets: np.ndarray, shape: BatchShape, rng: np.random.RandomState
) -> Iterator[np.ndarray]:
    if targets.ndim == 1:
        return class_balanced_batches(targets, shape, rng)
    return random_batches(len(targets), shape, rng)


def _rank(targets: np.ndarray) -> int:
    """k, the rank of the wanted clustering of a batch."""
    if targets.ndim == 1:
        return len(np.unique(targets))
    values = np.linalg.eigvalsh(targets.T @ targets)  # (k,)
    return int(np.count_nonzero(values > 1e-10 * values[-1]))


def _set_learning_rate(optimizer: torch.optim.Optimizer, plan: TrainingPlan, epoch: float) -> None:
    """Half a cosine from the peak to a hundredth of it."""
    share = 0.5 * (1 + cos(pi * epoch / plan.max_epochs))
    for group in optimizer.param_groups:
        group["lr"] = plan.learning_rate * (0.01 + 0.99 * share)


def _figures(
    objective: tuple[float, float],
    optimizer: torch.optim.Optimizer,
    validate: Callable[[], float] | None,
) -> dict[str, float]:
    mean, rank = objective
    figures = {"objective": mean, "monitor": mean - rank}
    if validate is not None:
        figures["validation_objective"] = validate()
    figures["learning_rate"] = float(optimizer.param_groups[0]["lr"])
    return figures


class _BestWeights:
    """Remembers the best epoch and counts those without progress."""

    def __init__(self, plan: TrainingPlan) -> None:
        self.plan = plan
        self.best = np.inf
        self.stale = 0
        self.state: dict[str, Tensor] | None = None

    def no_progress(self, network: nn.Module, figures: dict[str, float], keep: bool) -> bool:
        """Take note of an epoch; whether patience is exhausted."""
        value = figures.get("validation_objective", figures["objective"])
        scale = figures["objective"] - figures["monitor"]
        if value < self.best - self.plan.tolerance * scale:
            self.best, self.stale = value, 0
            if keep:
                self.state = copy.deepcopy(network.state_dict())
        else:
            self.stale += 1
        return self.stale >= self.plan.patience

    def restore(self, network: nn.Module) -> None:
        """Go back to the best weights, where they were kept."""
        if self.state is not None:
            network.load_state_dict(self.state)
