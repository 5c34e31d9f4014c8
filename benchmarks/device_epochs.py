"""Epochs of training on a device, with the losses of skdeepclust and with one of pairs.

All contenders have the same rows, batches, network with the same first weights, and AdamW. Ours is
the epoch of `DeepMetricClusterer`, with the objective that it reports.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from importlib.util import find_spec

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn import functional

from skdeepclust import ConvEncoder, MLPEncoder
from skdeepclust.networks import BaseEncoder
from skdeepclust.training import InputScaling, Rows, TrainingPlan, TrainingResult
from skdeepclust.training._batches import BatchShape
from skdeepclust.training._checkpoint import TrainingState
from skdeepclust.training._loop import BatchSource, BestWeights, Schedule, _train_epoch

__all__ = ["OURS", "RIVAL", "Workload", "contenders", "draw_workload"]

Epoch = Callable[[], object]

OURS = ("leave-one-out", "spectral")
RIVAL = "MultiSimilarity"
_FEATURES, _IMAGE = 128, (1, 32, 32)
_NOISE = 1.0


@dataclass(frozen=True)
class Workload:
    """What is learned.

    Attributes
    ----------
    name : str
    encoder : BaseEncoder
    X : ndarray of shape (n, ...)
        float32.
    codes : ndarray of shape (n,)
        k classes of equal size.
    batch_size : int
        A multiple of k, and n is one of it: each epoch shows each row once.
    """

    name: str
    encoder: BaseEncoder
    X: NDArray[np.float32]
    codes: NDArray[np.int64]
    batch_size: int

    @property
    def n_classes(self) -> int:
        """Classes, and dimensions of the embedding."""
        return int(self.codes.max()) + 1


def draw_workload(kind: str, n: int, n_classes: int, batch_size: int) -> Workload:
    """Rows, or images, around a random centre for each class.

    Parameters
    ----------
    kind : {"rows", "images"}
    n, n_classes, batch_size : int
    """
    rng = np.random.RandomState(0)
    shape = _IMAGE if kind == "images" else (_FEATURES,)
    codes = rng.permutation(np.arange(n) % n_classes)
    X = rng.standard_normal((n_classes, *shape)).astype(np.float32)[codes]
    X += _NOISE * rng.standard_normal(X.shape).astype(np.float32)
    encoder: BaseEncoder = ConvEncoder() if kind == "images" else MLPEncoder()
    return Workload(f"{type(encoder).__name__}, {kind}", encoder, X, codes, batch_size)


def contenders(work: Workload, device: torch.device) -> dict[str, Epoch]:
    """Functions that train on for an epoch; `RIVAL` only where its package is installed."""
    epochs: dict[str, Epoch] = {
        loss: partial(_train_epoch, _state(work, loss, device)) for loss in OURS
    }
    if find_spec("pytorch_metric_learning") is not None:
        loss = import_module("pytorch_metric_learning.losses").MultiSimilarityLoss()
        epochs[RIVAL] = partial(_rival_epoch, _state(work, "spectral", device), loss)
    return epochs


def _rival_epoch(state: TrainingState, loss: nn.Module) -> None:
    """One pass of steps, as `_train_epoch` makes them, with a loss that compares pairs."""
    for done, inputs, targets in state.batches.epoch():
        state.schedule.set_learning_rate(state.optimizer, done)
        y = torch.as_tensor(targets, device=inputs.device)
        state.optimizer.zero_grad(set_to_none=True)
        loss(functional.normalize(state.network(inputs), dim=1, eps=1e-12), y).backward()
        state.optimizer.step()


def _state(work: Workload, loss: str, device: torch.device) -> TrainingState:
    """The beginning of a training."""
    input_shape = work.X.shape[1:]
    rows = Rows(work.X, InputScaling.fit(work.X, input_shape), input_shape, device)
    plan = TrainingPlan(
        max_epochs=100, learning_rate=3e-3, weight_decay=1e-4, ridge=1.0, patience=100, loss=loss
    )
    torch.manual_seed(0)
    network = work.encoder.build(input_shape, work.n_classes).to(device).train()
    optimizer = torch.optim.AdamW(
        network.parameters(), lr=plan.learning_rate, weight_decay=plan.weight_decay
    )
    shape = BatchShape(work.n_classes, work.batch_size, work.n_classes)
    rng, everything = np.random.RandomState(0), np.arange(len(work.X))
    batches = BatchSource(rows, work.codes, everything, shape, None, rng)
    schedule, best = Schedule(plan), BestWeights(plan)
    return TrainingState(network, optimizer, batches, schedule, best, TrainingResult())
