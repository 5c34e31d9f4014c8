"""The monitor over training: it ends at the bounds that are drawn, and only there."""

import numpy as np
import pytest


@pytest.fixture(scope="module")
def example(run_example):
    return run_example("plot_training_monitor.py", "picture.png")[0]


def test_every_epoch_is_in_the_history(example):
    for figures in example["history"].values():
        assert len(figures["monitor"]) == example["N_EPOCHS"]
        np.testing.assert_allclose(np.subtract(figures["objective"], figures["monitor"]), 10)


@pytest.mark.parametrize(("ridge", "bound"), [(0.0, -10), (0.1, -10 / 1.1), (1.0, -5)])
def test_monitor_ends_at_the_bound_of_its_ridge(example, ridge, bound):
    monitor = example["history"][ridge]["monitor"]
    assert example["bound"][ridge] == pytest.approx(bound)
    assert min(monitor) >= bound - 1e-3
    assert monitor[-1] == pytest.approx(bound, rel=0.01)
    assert monitor[0] > bound + 1


def test_held_out_rows_are_expressed_less(example):
    monitor, held_out = example["history"][0.0]["monitor"], example["held_out"]
    assert held_out[-1] == example["history"][0.0]["validation_objective"][-1] - 10
    assert monitor[-1] + 0.5 < held_out[-1] < -8


@pytest.mark.parametrize(("k", "d"), [(3, 3), (3, 5), (2, 6)])
@pytest.mark.parametrize("ridge", [0.1, 1.0, 10.0])
def test_no_embedding_is_below_the_bound(k, d, ridge):
    """-k d / (d + ρ k) is what equally long, orthogonal clusters reach, and nothing passes."""
    rng = np.random.RandomState(0)
    y = np.arange(60) % k
    J = np.eye(k)[y] / np.sqrt(np.bincount(y))[y, None]
    bound = -k * d / (d + ridge * k)

    def monitor(F):
        gram = F.T @ F
        gram += ridge * gram.trace() / d * np.eye(d)
        return -np.trace(J.T @ F @ np.linalg.solve(gram, F.T @ J))

    assert monitor(np.pad(J, ((0, 0), (0, d - k)))) == pytest.approx(bound)
    for scale in (0.0, 0.01, 1.0):
        F = J @ rng.normal(size=(k, d)) + scale * rng.normal(size=(60, d))
        assert monitor(F) > bound
