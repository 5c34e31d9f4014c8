"""State of gradient training, from which another process goes on bit for bit."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ._plan import TrainingResult
from ._random import random_states, set_random_states

if TYPE_CHECKING:
    from ._loop import BatchSource, BestWeights, Schedule

__all__ = ["StateKeeper", "Store", "TrainingState"]

# Of short epochs not each is worth a file.
_SECONDS_BETWEEN = 1.0
# So many times longer than a save itself takes.
_TIMES_BETWEEN = 20

Arrays = dict[str, NDArray[Any]]
Document = dict[str, Any]


class Store(Protocol):
    """What keeps a state beyond the end of the process."""

    @property
    def enabled(self) -> bool:
        """Whether it does so at all."""

    def load(self) -> tuple[Arrays, Document] | None:
        """Arrays and JSON document that were saved last, if there are any."""

    def save(self, arrays: Mapping[str, Any], document: Mapping[str, Any]) -> None:
        """Put others in their place."""


@dataclass
class TrainingState:
    """All that changes while an encoder is trained.

    Attributes
    ----------
    network : nn.Module
    optimizer : torch.optim.AdamW
    batches : BatchSource
        With the random numbers.
    schedule : Schedule
    best : BestWeights
    result : TrainingResult
    """

    network: nn.Module
    optimizer: torch.optim.AdamW
    batches: BatchSource
    schedule: Schedule
    best: BestWeights
    result: TrainingResult

    def pack(self) -> tuple[Arrays, Document]:
        """The state as arrays and a JSON document; tensors by their bytes, of whatever type."""
        tensors, twister = self._tensors(), self.batches.rng.get_state()
        _, words, *position = twister
        arrays = {name: _bytes_of(tensor) for name, tensor in tensors.items()}
        document = {
            "tensors": {name: _kind(tensor) for name, tensor in tensors.items()},
            "rng": position,
            "elapsed": self.schedule.elapsed,
            "best": [self.best.value, self.best.stale, self.best.weights is not None],
            "history": self.result.history,
            "n_epochs": self.result.n_epochs,
            "converged": self.result.converged,
        }
        return {**arrays, "rng": np.asarray(words)}, document

    def unpack(self, arrays: Arrays, document: Document) -> None:
        """Go back to what `pack` gave."""
        kinds = document["tensors"]
        tensors = {name: _tensor_of(arrays[name], *kinds[name]) for name in kinds}
        _set_weights(self.network, _under("network.", tensors))
        _set_moments(self.optimizer, _under("optimizer.", tensors))
        self._set_random(_under("random.", tensors))
        self.batches.rng.set_state(("MT19937", arrays["rng"], *document["rng"]))
        self.schedule.elapsed = document["elapsed"]
        self.best.value, self.best.stale, is_kept = document["best"]
        self.best.weights = _under("best.", tensors) if is_kept else None
        self.result.history, self.result.n_epochs = document["history"], document["n_epochs"]
        self.result.converged = document["converged"]

    def _tensors(self) -> dict[str, Tensor]:
        found = {f"network.{name}": value for name, value in _weights(self.network).items()}
        for i, parameter in enumerate(_parameters(self.optimizer)):
            moments = self.optimizer.state.get(parameter, {})
            found |= {f"optimizer.{i}.{name}": value for name, value in moments.items()}
        for name, value in (self.best.weights or {}).items():
            found[f"best.{name}"] = value
        found |= {f"random.{i}": state for i, state in enumerate(self._drawn())}
        if self.batches.generator is not None:
            found["random.augment"] = self.batches.generator.get_state()
        return found

    def _drawn(self) -> list[Tensor]:
        return random_states(self.network, self.batches.rows.device)

    def _set_random(self, states: dict[str, Tensor]) -> None:
        augment = states.pop("augment", None)
        if self.batches.generator is not None and augment is not None:
            self.batches.generator.set_state(augment)
        if len(states) == len(self._drawn()):  # else the device is another one
            drawn = [states[str(i)] for i in range(len(states))]
            set_random_states(self.network, self.batches.rows.device, drawn)


class StateKeeper:
    """Saves a state now and then, and goes back to what was saved.

    Parameters
    ----------
    state : TrainingState
    store : Store or None
    """

    def __init__(self, state: TrainingState, store: Store | None) -> None:
        self._state = state
        self._store = store if store is not None and store.enabled else None
        self._next = -np.inf

    def load(self) -> None:
        """Go on from what the store has, if it has anything."""
        saved = None if self._store is None else self._store.load()
        if saved is not None:
            self._state.unpack(*saved)

    def save(self) -> None:
        """Give the state to the store, unless it got one a moment ago."""
        now = time.monotonic()
        if self._store is None or now < self._next:
            return
        self._store.save(*self._state.pack())
        spent = time.monotonic() - now
        self._next = now + spent + max(_SECONDS_BETWEEN, _TIMES_BETWEEN * spent)


def _weights(network: nn.Module) -> dict[str, Tensor]:
    """Parameters and buffers, also those that are not in the state_dict."""
    strange = [name for name, v in network.state_dict().items() if not isinstance(v, Tensor)]
    if strange:
        raise NotImplementedError(
            f"checkpoint with an encoder whose state holds {strange}, which are no tensors: "
            "checkpoint=None is wanted."
        )
    return dict(network.named_parameters()) | dict(network.named_buffers())


def _set_weights(network: nn.Module, tensors: dict[str, Tensor]) -> None:
    with torch.no_grad():
        for name, value in _weights(network).items():
            value.copy_(tensors[name])


def _set_moments(optimizer: torch.optim.Optimizer, tensors: dict[str, Tensor]) -> None:
    """State of each parameter, in the layout of the parameter: sums may round otherwise."""
    parameters = _parameters(optimizer)
    for place, value in tensors.items():
        i, name = place.split(".")
        parameter = parameters[int(i)]
        if name != "step":
            value = torch.empty_like(parameter, dtype=value.dtype).copy_(value)
        optimizer.state[parameter][name] = value


def _parameters(optimizer: torch.optim.Optimizer) -> list[Tensor]:
    return [parameter for group in optimizer.param_groups for parameter in group["params"]]


def _under(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Those whose names begin so, under the rest of their names."""
    return {name.removeprefix(prefix): v for name, v in tensors.items() if name.startswith(prefix)}


def _bytes_of(tensor: Tensor) -> NDArray[np.uint8]:
    flat = tensor.detach().cpu().contiguous().reshape(-1)
    return np.array(flat.view(torch.uint8).numpy())


def _kind(tensor: Tensor) -> list[Any]:
    return [str(tensor.dtype).removeprefix("torch."), *tensor.shape]


def _tensor_of(content: NDArray[np.uint8], dtype: str, *shape: int) -> Tensor:
    """What `_bytes_of` and `_kind` have taken apart."""
    tensor = torch.empty(shape, dtype=getattr(torch, dtype))
    tensor.reshape(-1).view(torch.uint8).copy_(torch.from_numpy(content))
    return tensor
