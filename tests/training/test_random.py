"""Torch randomness from a seed, without a trace outside."""

import random

import numpy as np
import torch

from skdeepclust.training._random import seeded_torch

CPU = torch.device("cpu")


def states():
    return torch.get_rng_state().tolist(), random.getstate(), np.random.get_state()[1].tolist()


def test_global_states_are_left_as_they_were():
    before = states()
    with seeded_torch(np.random.RandomState(0), CPU):
        torch.nn.Linear(3, 3)
        torch.rand(100)
    assert states() == before


def test_global_state_returns_after_an_error():
    before = states()
    try:
        with seeded_torch(np.random.RandomState(0), CPU):
            torch.rand(3)
            raise KeyError
    except KeyError:
        pass
    assert states() == before


def test_draws_follow_from_the_random_state_alone():
    draws = []
    for seed in (0, 0, 1):
        torch.manual_seed(len(draws))
        with seeded_torch(np.random.RandomState(seed), CPU):
            draws.append(torch.rand(5))
    assert torch.equal(draws[0], draws[1])
    assert not torch.equal(draws[0], draws[2])


def test_two_blocks_draw_different_numbers():
    rng = np.random.RandomState(0)
    draws = []
    for _ in range(2):
        with seeded_torch(rng, CPU):
            draws.append(torch.rand(5))
    assert not torch.equal(*draws)
