"""The gradient check: formula and differences agree, and the distance has both of its slopes."""

import numpy as np
import pytest
import torch

from skdeepclust import spectral_clustering_loss


@pytest.fixture(scope="module")
def example(run_example):
    return run_example("plot_gradient_check.py", "picture.png")[0]


def slope(steps, distances):
    return np.polyfit(np.log(steps), np.log(distances), 1)[0]


def test_sizes_are_those_of_the_authors(example):
    assert (example["F"].shape, example["Y"].shape) == ((10, 4), (10, 7))
    assert np.linalg.matrix_rank(example["Y"]) == 7


def test_formula_and_differences_agree(example):
    assert example["worst"] < 1e-6
    assert example["median"].min() < 1e-9


def test_worst_distance_is_that_of_the_step_of_the_authors(example):
    column = np.abs(example["STEPS"] - 1e-7).argmin()
    assert example["STEPS"][column] == pytest.approx(1e-7)
    assert example["worst"] == example["distances"][:, column].max()


def test_both_branches_are_visible(example):
    steps, median = example["STEPS"], example["median"]
    truncation, rounding = steps > 3e-4, steps < 1e-6
    assert slope(steps[truncation], median[truncation]) == pytest.approx(2, abs=0.1)
    assert slope(steps[rounding], median[rounding]) == pytest.approx(-1, abs=0.1)


def test_an_error_in_the_formula_would_show(example):
    half = example["without_factor"]
    norm = np.linalg.norm(example["G"])
    np.testing.assert_allclose(half[-1], norm / 2, rtol=0.01)
    assert half.min() > 1e6 * example["worst"]


def test_loss_is_that_of_the_package(example):
    F, Y = example["F"], example["Y"]
    expected = float(spectral_clustering_loss(torch.tensor(F), torch.tensor(Y)))
    stack = example["loss"](np.stack([F, 2 * F, F[:, ::-1]]), Y)
    np.testing.assert_allclose(stack, expected, rtol=1e-12)
