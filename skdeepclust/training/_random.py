"""Torch randomness that starts from a seed and leaves no trace outside."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch

__all__ = ["seeded_torch"]


@contextmanager
def seeded_torch(rng: np.random.RandomState, device: torch.device) -> Iterator[None]:
    """Initialisation and dropout inside draw from a seed taken from `rng`.

    Modules know the global generator only; its state is put back on leaving.
    """
    seed = int(rng.randint(np.iinfo(np.int32).max))
    devices = [device] if device.type == "cuda" else []
    with torch.random.fork_rng(devices=devices):
        torch.random.manual_seed(seed)  # inside fork_rng: the global state returns
        yield
