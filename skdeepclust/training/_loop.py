"""Gradient training of an encoder on the spectral objective."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from math import cos, pi, sqrt
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from ..spectral import (
    class_codes,
    leave_one_out_dtype,
    leave_one_out_loss,
    sharded_losses,
    sharded_sums_size,
    spectral_clustering_loss,
)
from ._augmentation import Augmentation, add_turned_classes
from ._batches import BatchShape, class_balanced_batches, random_batches
from ._distributed import ALONE, OneProcess
from ._rows import Rows
from ._two_passes import CHUNK_ROWS, backward_in_chunks

__all__ = ["TrainingPlan", "TrainingResult", "train"]

# The softmax has to outweigh all other classes together: the more there are, the sharper.
# This gives 0.02 for 128 classes in a batch, where held-out background alphabets of Omniglot find
# 0.01 to 0.05 alike, and 0.07 for 13, where the letters N to Z of EMNIST find 0.02 to 0.07 alike.
_TEMPERATURE = 0.25


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
    loss : {"spectral", "leave-one-out"}
        What is minimised; the spectral objective is reported in any case.
    temperature : float or None
        Of the leave-one-out loss. None: 0.25 over the root of the number of classes
        in the batch.
    augment : Augmentation, optional
    max_time : float, optional
        Seconds after which training stops, in the middle of an epoch if need be.
    tolerance : float
        Progress below this share of the objective's range does not count.
    """

    max_epochs: int
    learning_rate: float
    weight_decay: float
    ridge: float
    patience: int
    loss: str = "spectral"
    temperature: float | None = None
    augment: Augmentation | None = None
    max_time: float | None = None
    tolerance: float = 1e-4

    @property
    def sums_dtype(self) -> torch.dtype:
        """Precision of the sums over the rows of a batch of float32 embeddings."""
        is_spectral = self.loss == "spectral"
        return torch.float32 if is_spectral else leave_one_out_dtype(torch.float32, self.ridge)

    def loss_and_objective(self, embedding: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        """What is minimised and, without gradient, the spectral objective; both of shape ()."""
        if self.loss == "spectral":
            loss = spectral_clustering_loss(embedding, y, ridge=self.ridge)
            return loss, loss.detach()
        objective = spectral_clustering_loss(embedding.detach(), y, ridge=self.ridge)
        temperature = self.temperature or _TEMPERATURE / sqrt(_n_classes(y))
        loss = leave_one_out_loss(embedding, y, ridge=self.ridge, temperature=temperature)
        return loss, objective

    def sharded_loss_and_objective(
        self, embedding: Tensor, y: Tensor, own: np.ndarray, ranks: OneProcess
    ) -> tuple[Tensor, Tensor]:
        """The same of a batch (b,) of which this rank embedded the rows at `own`."""
        codes, n_classes = class_codes(y)
        temperature = None
        if self.loss != "spectral":
            temperature = self.temperature or _TEMPERATURE / sqrt(_n_classes(y))
        return sharded_losses(
            embedding,
            codes[own],
            n_classes,
            ranks.sums,
            ridge=self.ridge,
            temperature=temperature,
        )


@dataclass
class TrainingResult:
    """What training leaves behind besides the weights.

    Attributes
    ----------
    history : dict of str to list
        One entry an epoch.
    n_epochs : int
    converged : bool
        Whether training ended for want of progress.
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
    batches = _BatchSource(rows, targets, indices, shape, plan.augment, rng, plan.sums_dtype)
    result, best, schedule = TrainingResult(), _BestWeights(plan), _Schedule(plan, rows.ranks)
    network.train()
    for epoch in range(plan.max_epochs):
        figures = _train_epoch(network, optimizer, batches, schedule, epoch)
        if validate is not None:
            figures["validation_objective"] = validate()
        figures = rows.ranks.first(figures)
        figures["learning_rate"] = float(optimizer.param_groups[0]["lr"])
        result.record(**figures)
        if on_epoch is not None:
            on_epoch(figures)
        stalled = best.no_progress(network, figures, keep=validate is not None)
        # Without held-out rows a time limit alone decides: at the full learning rate the
        # objective of distorted inputs stands still for long and falls at the end.
        result.converged = stalled and (validate is not None or plan.max_time is None)
        if result.converged or schedule.is_out_of_time():
            break
    best.restore(network)
    network.eval()
    return result


def _train_epoch(
    network: nn.Module,
    optimizer: torch.optim.Optimizer,
    batches: _BatchSource,
    schedule: _Schedule,
    epoch: int,
) -> dict[str, float]:
    """One pass of steps; means over its batches."""
    losses, objectives, ranks = [], [], []
    for done, inputs, targets in batches.epoch():
        schedule.set_learning_rate(optimizer, epoch + done)
        y = torch.as_tensor(targets, device=inputs.device)
        optimizer.zero_grad(set_to_none=True)
        loss, objective = _backward(network, inputs, y, schedule.plan, batches)
        optimizer.step()
        losses.append(loss.detach())
        objectives.append(objective)
        ranks.append(_rank(targets))
        if schedule.is_out_of_time():
            break
    mean = float(torch.stack(objectives).double().mean())
    figures = {"objective": mean, "monitor": mean - float(np.mean(ranks))}
    if schedule.plan.loss != "spectral":
        figures["loss"] = float(batches.ranks.sums(torch.stack(losses).double().mean())[0])
    return figures


def _backward(
    network: nn.Module, inputs: Tensor, y: Tensor, plan: TrainingPlan, batches: _BatchSource
) -> tuple[Tensor, Tensor]:
    """Loss and objective of the latest batch; the parameters get the gradient of the loss."""
    if len(inputs) > CHUNK_ROWS and batches.ranks.n_ranks == 1:
        return backward_in_chunks(
            network, inputs, lambda embedding: _losses(plan, embedding, y, batches), CHUNK_ROWS
        )
    embedding = functional.normalize(network(inputs), dim=1, eps=1e-12)
    loss, objective = _losses(plan, embedding, y, batches)
    batches.ranks.backward(loss, network)
    return loss, objective


def _losses(
    plan: TrainingPlan, embedding: Tensor, y: Tensor, batches: _BatchSource
) -> tuple[Tensor, Tensor]:
    """What is minimised and the objective for the latest batch of targets y (b,) or (b, k)."""
    if isinstance(batches.own, slice):
        return plan.loss_and_objective(embedding, y)
    embedding = embedding[: len(batches.own)]
    return plan.sharded_loss_and_objective(embedding, y, batches.own, batches.ranks)


class _BatchSource:
    """Inputs and targets of the batches of an epoch, distorted where that is wanted.

    Attributes
    ----------
    own : slice or ndarray of int
        Which rows of the latest batch this rank holds.
    """

    own: slice | np.ndarray = slice(None)

    def __init__(
        self,
        rows: Rows,
        targets: np.ndarray,
        indices: np.ndarray,
        shape: BatchShape,
        augment: Augmentation | None,
        rng: np.random.RandomState,
        sums_dtype: torch.dtype = torch.float32,
    ) -> None:
        self.rows = rows
        self.sums_dtype = sums_dtype
        self.ranks = rows.ranks
        self.shape = shape
        self.rng = rng
        self.augment = augment
        self.n_classes = int(targets.max()) + 1 if targets.ndim == 1 else 0
        self.targets, self.indices = targets, indices
        if augment is not None:
            self.targets, self.indices = add_turned_classes(targets, indices, augment.n_turns)
            seed = int(rng.randint(np.iinfo(np.int32).max)) + self.ranks.rank
            self.generator = torch.Generator().manual_seed(seed)

    def epoch(self) -> Iterator[tuple[float, Tensor, np.ndarray]]:
        """Share of the epoch that is done, inputs (b, ...) and targets (b,) or (b, k).

        In a group the inputs are this rank's, the targets those of the whole batch.
        """
        batches = list(self._positions())
        for step, batch in enumerate(batches):
            targets = self.targets[batch]
            self.own = self.ranks.own(self.indices[batch])
            self._begin_step(targets)
            yield step / len(batches), self._inputs(batch[self.own], targets[self.own]), targets

    def _inputs(self, positions: np.ndarray, targets: np.ndarray) -> Tensor:
        """Inputs at `positions`; the first of the rank where it has none in the batch."""
        if not len(positions):  # not every module takes no rows
            return self.rows.take(np.zeros(1, dtype=np.int64))
        inputs = self.rows.take(self.ranks.local(self.indices[positions]))
        if self.augment is None:
            return inputs
        codes = torch.as_tensor(targets, device=inputs.device)
        return self.augment(inputs, codes, self.n_classes, self.generator)

    def _begin_step(self, targets: np.ndarray) -> None:
        """Announce the sums over a batch that is spread over ranks."""
        if not isinstance(self.own, slice):
            _, n_classes = class_codes(torch.as_tensor(targets))
            n_sums = sharded_sums_size(self.shape.embedding_dim, n_classes)
            self.ranks.begin_step(len(self.own), n_sums, self.sums_dtype)

    def _positions(self) -> Iterator[np.ndarray]:
        if self.targets.ndim == 1:
            return class_balanced_batches(self.targets, self.shape, self.rng)
        return random_batches(len(self.targets), self.shape, self.rng)


class _Schedule:
    """How far training has come, in epochs or in time, and the learning rate there."""

    def __init__(self, plan: TrainingPlan, ranks: OneProcess = ALONE) -> None:
        self.plan = plan
        self.ranks = ranks
        self.started = time.monotonic()
        self._agreed_share = 0.0

    def _elapsed_share(self) -> float:
        if self.plan.max_time is None:
            return 0.0
        return min(1.0, (time.monotonic() - self.started) / self.plan.max_time)

    def is_out_of_time(self) -> bool:
        """Whether `max_time` has passed; for the slowest of the ranks, which all ask."""
        if self.plan.max_time is None:
            return False
        self._agreed_share = self.ranks.largest(self._elapsed_share())
        return self._agreed_share >= 1.0

    def set_learning_rate(self, optimizer: torch.optim.Optimizer, epoch: float) -> None:
        """Half a cosine from the peak to a hundredth of it."""
        elapsed = self._elapsed_share() if self.ranks.n_ranks == 1 else self._agreed_share
        share = max(epoch / self.plan.max_epochs, elapsed)
        height = 0.5 * (1 + cos(pi * share))
        for group in optimizer.param_groups:
            group["lr"] = self.plan.learning_rate * (0.01 + 0.99 * height)


def _n_classes(y: Tensor) -> int:
    return y.shape[1] if y.ndim == 2 else len(torch.unique(y))


def _rank(targets: np.ndarray) -> int:
    """k, the rank of the wanted clustering of a batch."""
    if targets.ndim == 1:
        return len(np.unique(targets))
    values = np.linalg.eigvalsh(targets.T @ targets)  # (k,)
    return int(np.count_nonzero(values > 1e-10 * values[-1]))


class _BestWeights:
    """Remembers the best epoch and counts those without progress."""

    def __init__(self, plan: TrainingPlan) -> None:
        self.plan = plan
        self.best = np.inf
        self.stale = 0
        self.state: dict[str, Tensor] | None = None

    def no_progress(self, network: nn.Module, figures: dict[str, float], keep: bool) -> bool:
        """Take note of an epoch; whether patience is exhausted."""
        value, scale = _to_reduce(figures)
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


def _to_reduce(figures: dict[str, float]) -> tuple[float, float]:
    """The figure that is to fall, on held-out rows if there are any, and its range."""
    if "validation_objective" not in figures and "loss" in figures:
        return figures["loss"], 1.0
    rank = figures["objective"] - figures["monitor"]
    return figures.get("validation_objective", figures["objective"]), rank
