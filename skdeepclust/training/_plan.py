"""How to train an encoder, and what training leaves behind."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from math import sqrt

import numpy as np
import torch
from torch import Tensor

from ..spectral import (
    class_codes,
    leave_one_out_dtype,
    leave_one_out_loss,
    sharded_losses,
    spectral_clustering_loss,
    to_device,
)
from ._augmentation import Augmentation
from ._distributed import OneProcess

__all__ = ["TrainingPlan", "TrainingResult"]

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
        """What is minimised and, without gradient, the spectral objective; both of shape ().

        The device of the embedding (b, d) is waited for less where y (b,) or (b, k) is on the CPU.
        """
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
            to_device(codes[own], embedding.device),
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
    interrupted : bool
        Whether a KeyboardInterrupt ended it, in the middle of an epoch.
    """

    history: dict[str, list[float]] = field(default_factory=dict)
    n_epochs: int = 0
    converged: bool = False
    interrupted: bool = False

    def record(self, **values: float) -> None:
        """Append the figures of one epoch."""
        self.n_epochs += 1
        for name, value in values.items():
            self.history.setdefault(name, []).append(value)

    def epochs(self) -> Iterator[dict[str, float]]:
        """The figures of each epoch."""
        for values in zip(*self.history.values(), strict=True):
            yield dict(zip(self.history, values, strict=True))


def _n_classes(y: Tensor) -> int:
    return y.shape[1] if y.ndim == 2 else len(torch.unique(y))
