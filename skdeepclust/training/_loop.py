"""Gradient training of an encoder on the spectral objective."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Iterator
from math import cos, pi
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from ..spectral import class_codes, sharded_sums_size
from ._augmentation import Augmentation, add_turned_classes
from ._batches import BatchShape, class_balanced_batches, random_batches
from ._checkpoint import StateKeeper, Store, TrainingState
from ._distributed import ALONE, OneProcess
from ._plan import TrainingPlan, TrainingResult
from ._rows import Rows
from ._two_passes import CHUNK_ROWS, backward_in_chunks

__all__ = ["BatchSource", "BestWeights", "Schedule", "train"]

OnEpoch = Callable[[dict[str, float]], Any]


def train(
    network: nn.Module,
    rows: Rows,
    targets: np.ndarray,
    shape: BatchShape,
    plan: TrainingPlan,
    rng: np.random.RandomState,
    indices: np.ndarray | None = None,
    validate: Callable[[], float] | None = None,
    on_epoch: OnEpoch | None = None,
    store: Store | None = None,
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
        Called with the figures of each epoch, also of those that the store has.
    store : Store, optional
        Gets the state after epochs; training goes on from the one that it has. With a store,
        enabled or not, a KeyboardInterrupt after the first step ends training in good order.
    """
    indices = np.arange(len(rows)) if indices is None else indices
    optimizer = torch.optim.AdamW(
        network.parameters(), lr=plan.learning_rate, weight_decay=plan.weight_decay
    )
    batches = BatchSource(rows, targets, indices, shape, plan.augment, rng, plan.sums_dtype)
    schedule, best = Schedule(plan, rows.ranks), BestWeights(plan)
    state = TrainingState(network, optimizer, batches, schedule, best, TrainingResult())
    network.train()
    try:
        _train_epochs(state, validate, on_epoch, StateKeeper(state, store))
    except KeyboardInterrupt:
        has_learned = state.result.n_epochs or schedule.n_steps
        if store is None or rows.ranks.n_ranks > 1 or not has_learned:
            raise
        state.result.interrupted = True
    best.restore(network)
    network.eval()
    return state.result


def _train_epochs(
    state: TrainingState,
    validate: Callable[[], float] | None,
    on_epoch: OnEpoch | None,
    keeper: StateKeeper,
) -> None:
    """Epochs from where the keeper has the state to where the plan ends."""
    plan, result, schedule = state.schedule.plan, state.result, state.schedule
    keeper.load()
    if on_epoch is not None:
        for figures in result.epochs():
            on_epoch(figures)
    # The first epoch has a step whatever the time.
    while result.n_epochs < plan.max_epochs and not (
        result.converged or (result.n_epochs and schedule.is_out_of_time())
    ):
        figures = _train_epoch(state)
        if validate is not None:
            figures["validation_objective"] = validate()
        figures = state.batches.ranks.first(figures)
        figures["learning_rate"] = float(state.optimizer.param_groups[0]["lr"])
        result.record(**figures)
        stalled = state.best.no_progress(state.network, figures, keep=validate is not None)
        # Without held-out rows a time limit alone decides: at the full learning rate the
        # objective of distorted inputs stands still for long and falls at the end.
        result.converged = stalled and (validate is not None or plan.max_time is None)
        keeper.save()
        if on_epoch is not None:
            on_epoch(figures)


def _train_epoch(state: TrainingState) -> dict[str, float]:
    """One pass of steps; means over its batches."""
    schedule, batches, optimizer = state.schedule, state.batches, state.optimizer
    losses, objectives, ranks = [], [], []
    for done, inputs, targets in batches.epoch():
        schedule.set_learning_rate(optimizer, state.result.n_epochs + done)
        y = torch.as_tensor(targets)  # looked at, thus left on the host
        optimizer.zero_grad(set_to_none=True)
        loss, objective = _backward(state.network, inputs, y, schedule.plan, batches)
        optimizer.step()
        schedule.n_steps += 1
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
    network: nn.Module, inputs: Tensor, y: Tensor, plan: TrainingPlan, batches: BatchSource
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
    plan: TrainingPlan, embedding: Tensor, y: Tensor, batches: BatchSource
) -> tuple[Tensor, Tensor]:
    """What is minimised and the objective for the latest batch of targets y (b,) or (b, k)."""
    if isinstance(batches.own, slice):
        return plan.loss_and_objective(embedding, y)
    embedding = embedding[: len(batches.own)]
    return plan.sharded_loss_and_objective(embedding, y, batches.own, batches.ranks)


class BatchSource:
    """Inputs and targets of the batches of an epoch, distorted where that is wanted.

    Attributes
    ----------
    own : slice or ndarray of int
        Which rows of the latest batch this rank holds.
    """

    own: slice | np.ndarray = slice(None)
    generator: torch.Generator | None = None

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
        if self.augment is None or self.generator is None:
            return inputs
        codes = torch.as_tensor(targets)
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


class Schedule:
    """How far training has come, in epochs or in time, and the learning rate there.

    Attributes
    ----------
    n_steps : int
        Steps of this process.
    elapsed : float
        Seconds since training began, without those between two processes.
    """

    def __init__(self, plan: TrainingPlan, ranks: OneProcess = ALONE) -> None:
        self.plan = plan
        self.ranks = ranks
        self.n_steps = 0
        self.elapsed = 0.0
        self._agreed_share = 0.0

    @property
    def elapsed(self) -> float:
        return time.monotonic() - self._started

    @elapsed.setter
    def elapsed(self, seconds: float) -> None:
        self._started = time.monotonic() - seconds

    def _elapsed_share(self) -> float:
        if self.plan.max_time is None:
            return 0.0
        return min(1.0, self.elapsed / self.plan.max_time)

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


def _rank(targets: np.ndarray) -> int:
    """k, the rank of the wanted clustering of a batch."""
    if targets.ndim == 1:
        return len(np.unique(targets))
    values = np.linalg.eigvalsh(targets.T @ targets)  # (k,)
    return int(np.count_nonzero(values > 1e-10 * values[-1]))


class BestWeights:
    """Remembers the best epoch and counts those without progress.

    Attributes
    ----------
    value : float
        Of the best epoch, what is to fall.
    stale : int
        Epochs without progress since then.
    weights : dict of str to Tensor, or None
        Of the best epoch, where they are kept.
    """

    def __init__(self, plan: TrainingPlan) -> None:
        self.plan = plan
        self.value = np.inf
        self.stale = 0
        self.weights: dict[str, Tensor] | None = None

    def no_progress(self, network: nn.Module, figures: dict[str, float], keep: bool) -> bool:
        """Take note of an epoch; whether patience is exhausted."""
        value, scale = _to_reduce(figures)
        if value < self.value - self.plan.tolerance * scale:
            self.value, self.stale = value, 0
            if keep:
                self.weights = copy.deepcopy(network.state_dict())
        else:
            self.stale += 1
        return self.stale >= self.plan.patience

    def restore(self, network: nn.Module) -> None:
        """Go back to the best weights, where they were kept."""
        if self.weights is not None:
            network.load_state_dict(self.weights)


def _to_reduce(figures: dict[str, float]) -> tuple[float, float]:
    """The figure that is to fall, on held-out rows if there are any, and its range."""
    if "validation_objective" not in figures and "loss" in figures:
        return figures["loss"], 1.0
    rank = figures["objective"] - figures["monitor"]
    return figures.get("validation_objective", figures["objective"]), rank
