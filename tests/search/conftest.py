"""Data sets whose clusters are known, partitions of their prototypes, and a clock."""

import time

import numpy as np
import pytest
from sklearn.datasets import make_moons

from skdeepclust.search import make_prototypes


def grid_blobs(n, k, std, seed=0):
    rng = np.random.RandomState(seed)
    y = np.arange(n) % k
    side = int(np.ceil(k**0.5))
    centers = 4.0 * np.stack(np.divmod(np.arange(k), side), axis=1)
    return centers[y] + std * rng.standard_normal((n, 2)), y


@pytest.fixture(scope="session")
def blobs():
    return grid_blobs(240, 6, 0.4)


@pytest.fixture(scope="session")
def moons():
    return make_moons(300, noise=0.06, random_state=0)


@pytest.fixture(scope="session")
def prototypes(moons):
    return make_prototypes(moons[0], np.random.RandomState(0), 80)


@pytest.fixture(params=range(5))
def partition(request, prototypes):
    """Cells around a few random prototypes, by number of the nearest."""
    rng = np.random.RandomState(request.param)
    seeds = prototypes.centers[rng.permutation(len(prototypes))[: 2 + request.param]]
    squares = ((prototypes.centers[:, None] - seeds) ** 2).sum(axis=2)
    return squares.argmin(axis=1)


class Clock:
    """Time that passes only where a test says so."""

    def __init__(self):
        self.now = 1000.0

    def __call__(self):
        return self.now

    def slow(self, function, seconds):
        """A function that takes so many seconds for each of what it gets first."""

        def slowly(first, *rest, **named):
            self.now += seconds * len(first)
            return function(first, *rest, **named)

        return slowly


@pytest.fixture
def clock(monkeypatch):
    """The clock of all limits of time."""
    clock = Clock()
    monkeypatch.setattr(time, "monotonic", clock)
    return clock


@pytest.fixture(autouse=True)
def global_random_state():
    """No test of the search may touch the global states."""
    import random

    import torch

    before = np.random.get_state()[1].copy(), random.getstate(), torch.get_rng_state()
    yield
    np.testing.assert_array_equal(np.random.get_state()[1], before[0])
    assert random.getstate() == before[1]
    assert torch.equal(torch.get_rng_state(), before[2])
