"""Torch randomness that starts from a seed and leaves no trace outside.

Modules of torch draw from its global generator, which all threads of a process share. Layers of
which it is known what they draw are given a generator of their own instead. Of other modules it
is not known: for these the global generator is seeded and put back, by one fit at a time.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from ..networks import (
    BaseEncoder,
    ConvEncoder,
    EncoderNetwork,
    LinearEncoder,
    MLPEncoder,
    ModuleEncoder,
)

__all__ = [
    "GlobalDraws",
    "PrivateDraws",
    "draws_as_known",
    "module_draws",
    "random_states",
    "seeded_torch",
    "set_random_states",
]

# What our encoders are made of; of these layers dropout alone draws.
_KNOWN_LAYERS = {
    EncoderNetwork, nn.Sequential, nn.Identity, nn.Flatten, nn.Linear, nn.Conv2d, nn.MaxPool2d,
    nn.BatchNorm2d, nn.Dropout, nn.ReLU, nn.GELU, nn.Tanh, nn.SiLU,
}  # fmt: skip


class _Turns:
    """Who uses torch's global generator: one thread at a time, within it as often as it likes."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=self._begin_anew)

    def _begin_anew(self) -> None:
        # In a forked child the thread that would release the lock does not exist.
        self.lock = threading.RLock()


_TURNS = _Turns()


@contextmanager
def seeded_torch(rng: np.random.RandomState, device: torch.device) -> Iterator[None]:
    """Initialisation and dropout inside draw from a seed taken from `rng`.

    Any module does, as the global generator itself is seeded; its state is put back on leaving.
    Threads wait for each other. Those that draw without asking are disturbed, and disturb.
    """
    seed = _seed(rng)
    devices = [device] if device.type == "cuda" else []
    with _TURNS.lock, torch.random.fork_rng(devices=devices):
        # Not `torch.manual_seed`: it seeds all devices, of which only these are put back.
        torch.default_generator.manual_seed(seed)
        for used in devices:
            with torch.cuda.device(used):
                torch.cuda.manual_seed(seed)
        yield


class GlobalDraws:
    """Modules draw from the global generator, which `seeded_torch` has seeded."""

    def initialization(self) -> AbstractContextManager[Any]:
        """While modules are made."""
        return nullcontext()

    def training(self, network: nn.Module) -> AbstractContextManager[None]:
        """While a network is trained."""
        return nullcontext()


class PrivateDraws:
    """Layers draw from a generator of their own, on the CPU.

    The numbers are those that the global generator would give from the same seed.

    Parameters
    ----------
    seed : int
    """

    def __init__(self, seed: int) -> None:
        self._generator = torch.Generator().manual_seed(seed)

    def initialization(self) -> AbstractContextManager[Any]:
        """While layers are made in this thread, ``torch.nn.init`` draws from the generator."""
        return _InitialValues(self._generator)

    @contextmanager
    def training(self, network: EncoderNetwork) -> Iterator[None]:
        """While a network is trained, its layers `torch.nn.Dropout` draw from the generator."""
        layers = [module for module in network.modules() if type(module) is nn.Dropout]
        network.generator = self._generator
        for layer in layers:
            layer.forward = partial(_drop, layer, self._generator)  # type: ignore[method-assign]
        try:
            yield
        finally:
            del network.generator
            for layer in layers:
                del layer.forward


def draws_as_known(encoder: BaseEncoder, network: nn.Module | None) -> bool:
    """Whether initial values and layers `torch.nn.Dropout` are all that is random in a network.

    Parameters
    ----------
    encoder : BaseEncoder
        Builds the network, where there is none yet.
    network : nn.Module or None
    """
    if network is None:
        if type(encoder) in (LinearEncoder, MLPEncoder, ConvEncoder):
            return True
        network = encoder.module if type(encoder) is ModuleEncoder else None
    return network is not None and all(type(m) in _KNOWN_LAYERS for m in network.modules())


@contextmanager
def module_draws(
    rng: np.random.RandomState, device: torch.device, is_private: bool
) -> Iterator[GlobalDraws | PrivateDraws]:
    """What modules draw from, inside; the seed is taken from `rng`.

    Parameters
    ----------
    rng : RandomState
    device : torch.device
    is_private : bool
        Whether all that draws is known, see `draws_as_known`, and is on the CPU.
    """
    if is_private:
        yield PrivateDraws(_seed(rng))
        return
    with seeded_torch(rng, device):
        yield GlobalDraws()


def random_states(network: nn.Module, device: torch.device) -> list[Tensor]:
    """States of the generators from which a network draws on a device while it is trained."""
    private = getattr(network, "generator", None)
    if private is not None:
        return [private.get_state()]
    on_device = [torch.cuda.get_rng_state(device)] if device.type == "cuda" else []
    return [torch.get_rng_state(), *on_device]


def set_random_states(network: nn.Module, device: torch.device, states: list[Tensor]) -> None:
    """Go back to what `random_states` gave."""
    private = getattr(network, "generator", None)
    if private is not None:
        private.set_state(states[0])
        return
    torch.set_rng_state(states[0])
    if device.type == "cuda":
        torch.cuda.set_rng_state(states[1], device)


class _InitialValues(TorchFunctionMode):
    """Functions of this thread that may be given a generator are given this one."""

    def __init__(self, generator: torch.Generator) -> None:
        super().__init__()
        self._generator = generator

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Iterable[type],
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        kwargs = dict(kwargs or {})
        if "generator" in kwargs and kwargs["generator"] is None:
            kwargs["generator"] = self._generator
        return func(*args, **kwargs)


def _drop(layer: nn.Dropout, generator: torch.Generator, x: Tensor) -> Tensor:
    """What the layer makes of its inputs; as torch does on the CPU, bit for bit."""
    if not layer.training or layer.p in (0.0, 1.0) or not x.numel():
        out: Tensor = type(layer).forward(layer, x)  # draws nothing
        return out
    kept = 1.0 - layer.p
    noise = torch.empty_like(x).bernoulli_(kept, generator=generator).div_(kept)
    return x.mul_(noise) if layer.inplace else x * noise


def _seed(rng: np.random.RandomState) -> int:
    return int(rng.randint(np.iinfo(np.int32).max))
