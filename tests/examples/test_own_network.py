"""One's own network: it finds kinds of waves that others do not tell apart."""

import numpy as np
import pytest
import torch


@pytest.fixture(scope="module")
def example(run_example):
    return run_example("plot_own_network.py", "own_network.png")[0]


def test_own_network_finds_the_kinds(example):
    agreement = example["agreement"]
    assert agreement["encoder=network"] > 0.8
    assert agreement["encoder=network"] > agreement['encoder="mlp"'] + 0.15
    assert agreement["the waves themselves"] < 0.3


def test_network_does_not_care_where_a_wave_begins(example):
    waves = torch.tensor(example["X_test"][:20], dtype=torch.float32)
    with torch.no_grad():
        here, there = (example["network"](torch.roll(waves, shift, 1)) for shift in (0, 17))
    torch.testing.assert_close(here, there)
    assert here.shape == (20, 32)


def test_kinds_are_equally_frequent_and_start_anywhere(example):
    waves, names = example["make_waves"](50, np.random.RandomState(0))
    assert waves.shape == (50, 64)
    assert set(np.unique(names, return_counts=True)[1]) == {10}
    assert np.corrcoef(waves[names == "sine"]).min() < -0.5
