"""Training of a critic on tasks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from math import cos, pi
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..graph import reconstruction_loss
from ._network import CriticNetwork
from ._objectives import ranking_loss, regression_loss, wasserstein_loss
from ._state import TrainingState
from ._tasks import Task

__all__ = ["CriticPlan", "end_training", "train_critic", "train_epochs"]

# Tasks whose descriptors set the scale of those of all.
_STANDARDIZED = 300

OnEpoch = Callable[[dict[str, float]], Any]


@dataclass(frozen=True)
class CriticPlan:
    """How to train a critic.

    Attributes
    ----------
    ranking, regression, wasserstein, reconstruction, clusters : float
        Weights of the objectives; 0 leaves one out. `clusters` is the regression of the
        quality of single clusters.
    n_epochs : int
        Passes over the tasks.
    batch_size : int
        Tasks of a step.
    learning_rate : float
        Peak of the cosine schedule of AdamW.
    weight_decay : float
    attacked : float
        Share of the tasks that are attacked in an adversarial round.
    device : torch.device
        Where the network is trained; tasks are brought there one by one.
    """

    ranking: float = 1.0
    regression: float = 10.0
    wasserstein: float = 0.0
    reconstruction: float = 0.1
    clusters: float = 1.0
    n_epochs: int = 4
    batch_size: int = 1
    learning_rate: float = 1.5e-3
    weight_decay: float = 1e-4
    attacked: float = 0.25
    device: torch.device = torch.device("cpu")

    @property
    def weights(self) -> dict[str, float]:
        """Of the objectives that a user may weigh."""
        names = ("ranking", "regression", "wasserstein", "reconstruction")
        return {name: float(getattr(self, name)) for name in names}


def train_critic(
    network: CriticNetwork,
    tasks: Sequence[Task],
    plan: CriticPlan,
    rng: np.random.RandomState,
    on_epoch: OnEpoch | None = None,
) -> dict[str, list[float]]:
    """Train in place; the mean loss of each epoch.

    Parameters
    ----------
    network : CriticNetwork
    tasks : sequence of Task
    plan : CriticPlan
    rng : RandomState
    on_epoch : callable, optional
        Called with the figures of each epoch.
    """
    state = TrainingState(network, tasks, rng)
    train_epochs(state, plan, on_epoch)
    return {"loss": state.history["loss"]}


@torch.inference_mode(mode=False)
def train_epochs(state: TrainingState, plan: CriticPlan, on_epoch: OnEpoch | None = None) -> None:
    """Train from where the state is to the last epoch of the plan.

    Parameters
    ----------
    state : TrainingState
        Changed in place.
    plan : CriticPlan
    on_epoch : callable, optional
        Called with the figures of each epoch, once the state has them.
    """
    network = state.network.to(plan.device)
    parameters = network.parameters()
    state.begin(
        torch.optim.AdamW(parameters, lr=plan.learning_rate, weight_decay=plan.weight_decay)
    )
    network.train()
    network.encoder.standardize(task.descriptors for task in state.tasks[:_STANDARDIZED])
    for epoch in range(state.n_epochs, plan.n_epochs):
        loss = _train_epoch(state, plan, epoch)
        state.end_epoch(loss)
        if on_epoch is not None:
            on_epoch({"loss": loss})
    end_training(state, plan)


def _train_epoch(state: TrainingState, plan: CriticPlan, epoch: int) -> float:
    """One pass over the tasks; the mean loss."""
    order = state.rng.permutation(len(state.tasks))
    losses = []
    for start in range(0, len(order), plan.batch_size):
        _set_learning_rate(state.optimizer, plan, epoch + start / len(order))
        batch = [state.tasks[i] for i in order[start : start + plan.batch_size]]
        losses.append(_step(state.network, state.optimizer, batch, plan, state.generator))
    return float(np.mean(losses))


def end_training(state: TrainingState, plan: CriticPlan) -> None:
    """Have the network ready to judge.

    Raises
    ------
    ValueError
        If training has blown it up.
    """
    state.network.to(plan.device).eval()
    _check_finite(state.network, state.tasks[0], plan, state.history["loss"])


def _check_finite(
    network: CriticNetwork, task: Task, plan: CriticPlan, losses: Sequence[float]
) -> None:
    """Refuse a critic that training has blown up."""
    with torch.no_grad():
        loss = task_loss(network, task, replace(plan, wasserstein=0.0), torch.Generator())
    if not np.isfinite([*losses, float(loss)]).all():
        raise ValueError(
            "training diverged, the loss is not finite: a smaller learning_rate or weight_decay, "
            f"or smaller weights than {plan.weights} are wanted."
        )


def _step(
    network: CriticNetwork,
    optimizer: torch.optim.Optimizer,
    batch: Sequence[Task],
    plan: CriticPlan,
    generator: torch.Generator,
) -> float:
    """One step; gradients add up task by task, so that only one is in memory."""
    optimizer.zero_grad(set_to_none=True)
    total = 0.0
    for task in batch:
        loss = task_loss(network, task, plan, generator) / len(batch)
        loss.backward()
        total += loss.item()
    torch.nn.utils.clip_grad_norm_(network.parameters(), 10.0)
    optimizer.step()
    return total


def task_loss(
    network: CriticNetwork, task: Task, plan: CriticPlan, generator: torch.Generator
) -> Tensor:
    """Weighted objectives of one task, of shape ()."""
    graph, clusterings = task.graph.to(plan.device), task.clusterings.to(plan.device)
    quality = task.target.to(plan.device)
    output = network.judge(task.descriptors.to(plan.device).float(), graph, clusterings)
    loss = plan.ranking * ranking_loss(output.scores, quality)
    loss = loss + plan.regression * regression_loss(output.scores, quality)
    if plan.clusters:
        wanted = task.cluster_quality.to(plan.device)
        rated = regression_loss(output.cluster_scores, wanted)
        loss = loss + plan.clusters * rated
    if plan.wasserstein:
        embedding = output.encoding.embedding
        loss = loss + plan.wasserstein * wasserstein_loss(
            network.score_embedding, embedding[:1], embedding[1:], generator=generator
        )
    if plan.reconstruction:
        nodes = output.encoding.nodes
        loss = loss + plan.reconstruction * reconstruction_loss(
            nodes, graph, clusterings, generator
        )
    return loss


def _set_learning_rate(optimizer: torch.optim.Optimizer, plan: CriticPlan, epoch: float) -> None:
    """Half a cosine from the peak to a hundredth of it."""
    share = 0.01 + 0.99 * 0.5 * (1 + cos(pi * epoch / plan.n_epochs))
    for group in optimizer.param_groups:
        group["lr"] = plan.learning_rate * share
