"""State of the training of a critic: all that changes, so that another process can go on."""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..training import Store
from ._network import CriticNetwork
from ._tasks import Task

__all__ = ["TrainingState"]

Arrays = dict[str, NDArray[Any]]


class TrainingState:
    """All that changes while a critic is trained in rounds.

    Parameters
    ----------
    network : CriticNetwork
        Trained in place.
    tasks : sequence of Task
    rng : RandomState
    store : Store, optional
        Gets the state after each epoch and each attack.

    Attributes
    ----------
    tasks : list of Task
        With what attacks have found.
    history : dict of str to list
        "loss" of each epoch and "overrated" of each attack.
    n_rounds : int
        Attacks so far.
    n_epochs : int
        Complete epochs since the last one, or since the start.
    optimizer : torch.optim.Optimizer
    generator : torch.Generator
        Both of these epochs, from `begin` on.
    """

    optimizer: torch.optim.Optimizer
    generator: torch.Generator

    def __init__(
        self,
        network: CriticNetwork,
        tasks: Sequence[Task],
        rng: np.random.RandomState,
        store: Store | None = None,
    ) -> None:
        self.network, self.tasks, self.rng = network, list(tasks), rng
        self.history: dict[str, list[float]] = {"loss": [], "overrated": []}
        self.n_rounds = self.n_epochs = 0
        self._store = store if store is not None and store.enabled else None
        self._start = "" if self._store is None else _digest(_weights(network))
        self._found: list[tuple[int, NDArray[np.int16]]] = []
        self._loaded: Arrays = {}
        self._complete: tuple[dict[str, Tensor], dict[str, list[float]]] | None = None

    def begin(self, optimizer: torch.optim.Optimizer) -> None:
        """Begin the epochs after the last attack, or go on where the loaded state is."""
        self.optimizer, self.generator = optimizer, torch.Generator()
        if not self.n_epochs:
            self.generator.manual_seed(int(self.rng.randint(np.iinfo(np.int32).max)))
        else:
            moments = _optimizer_moments(self._loaded)
            optimizer.load_state_dict({**optimizer.state_dict(), "state": moments})
            self.generator.set_state(torch.tensor(self._loaded["generator"]))

    def end_epoch(self, loss: float) -> None:
        """Take note of a complete epoch."""
        self.history["loss"].append(loss)
        self.n_epochs += 1
        self._keep()
        self._save()

    def end_attack(self, attacked: Mapping[int, Task], overrated: float) -> None:
        """Take over what an attack has found; see `attack_tasks`."""
        for i, task in attacked.items():
            known = len(self.tasks[i].labels)
            self._found.append((i, task.labels[known:].numpy()))
            self.tasks[i] = task
        self.history["overrated"].append(overrated)
        self.n_rounds, self.n_epochs = self.n_rounds + 1, 0
        self._save()

    def go_back(self) -> bool:
        """Put back weights and history of the last complete epoch; whether there is one."""
        if self._complete is None:
            return False
        weights, self.history = self._complete
        self.network.load_state_dict(weights)
        return True

    def load(self) -> None:
        """Take over what the store has, if it has anything.

        Raises
        ------
        ValueError
            If it is from a training that began with other weights.
        """
        saved = None if self._store is None else self._store.load()
        if saved is None:
            return
        self._loaded, document = saved
        weights = _under("network.", self._loaded)
        # A training that was interrupted leaves its estimator with the weights it had then.
        if self._start not in (document["start"], _digest(weights)):
            raise ValueError(
                "checkpoint: the interrupted fit began with other weights than this one (those of "
                "another critic, where warm_start=True): the same ones, or another directory, are "
                "wanted."
            )
        self._start = document["start"]
        self.network.load_state_dict({name: torch.tensor(v) for name, v in weights.items()})
        self.rng.set_state(document["rng"])
        self.n_rounds, self.n_epochs = document["n_rounds"], document["n_epochs"]
        self.history = {name: self._loaded[f"history.{name}"].tolist() for name in self.history}
        for place, i in enumerate(document["attacked"]):
            self._extend(i, self._loaded[f"found.{place}"])
        if self.history["loss"]:
            self._keep()

    def _extend(self, i: int, labels: NDArray[np.int16]) -> None:
        """Add clusterings (m, n), found by an attack, to a task."""
        self._found.append((i, labels))
        self.tasks[i] = self.tasks[i].extended(labels, self.tasks[i].labels[0].numpy())

    def _keep(self) -> None:
        weights = copy.deepcopy(self.network.state_dict())
        self._complete = (weights, copy.deepcopy(self.history))

    def _save(self) -> None:
        if self._store is not None:
            self._store.save(self._arrays(), self._document())

    def _arrays(self) -> Arrays:
        arrays = {f"network.{name}": value for name, value in _weights(self.network).items()}
        for name, values in self.history.items():
            arrays[f"history.{name}"] = np.array(values, dtype=np.float64)
        for place, (_, labels) in enumerate(self._found):
            arrays[f"found.{place}"] = labels
        if self.n_epochs:
            arrays["generator"] = self.generator.get_state().numpy()
            for i, moments in self.optimizer.state_dict()["state"].items():
                for name, value in moments.items():
                    arrays[f"optimizer.{i}.{name}"] = _to_numpy(value)
        return arrays

    def _document(self) -> dict[str, Any]:
        state = self.rng.get_state(legacy=False)
        return {
            "start": self._start,
            "rng": json.loads(json.dumps(state, default=np.ndarray.tolist)),
            "n_rounds": self.n_rounds,
            "n_epochs": self.n_epochs,
            "attacked": [i for i, _ in self._found],
        }


def _weights(network: CriticNetwork) -> Arrays:
    return {name: _to_numpy(value) for name, value in network.state_dict().items()}


def _to_numpy(tensor: Tensor) -> NDArray[Any]:
    return np.asarray(tensor.detach().cpu().numpy())


def _under(prefix: str, arrays: Arrays) -> Arrays:
    """Those whose names begin so, under the rest of their names."""
    return {name.removeprefix(prefix): v for name, v in arrays.items() if name.startswith(prefix)}


def _optimizer_moments(arrays: Arrays) -> dict[int, dict[str, Tensor]]:
    """State of AdamW by the number of the parameter, as `load_state_dict` wants it."""
    moments: dict[int, dict[str, Tensor]] = {}
    for key, value in _under("optimizer.", arrays).items():
        i, name = key.split(".")
        moments.setdefault(int(i), {})[name] = torch.tensor(value)
    return moments


def _digest(arrays: Arrays) -> str:
    """Hash of names, shapes and values."""
    total = sha256()
    for name in sorted(arrays):
        total.update(f"{name} {arrays[name].shape} ".encode())
        total.update(arrays[name].tobytes())
    return total.hexdigest()
