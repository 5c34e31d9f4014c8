"""The demo on the simplex: projection, descent, its bounds, and the animation."""

import numpy as np
import pytest
import torch
from scipy.optimize import minimize
from scipy.spatial.distance import pdist


@pytest.fixture(scope="module")
def run(run_example):
    return run_example("plot_simplex_demo.py", "picture.png", "animation.gif")


@pytest.fixture(scope="module")
def example(run):
    return run[0]


def slow_projection(row):
    """The nearest point of the simplex, by a solver that knows nothing of it."""
    found = minimize(
        lambda point: ((point - row) ** 2).sum(),
        np.full(len(row), 1 / len(row)),
        jac=lambda point: 2 * (point - row),
        bounds=[(0, None)] * len(row),
        constraints={"type": "eq", "fun": lambda point: point.sum() - 1},
        method="SLSQP",
        options={"ftol": 1e-14},
    )
    return found.x


@pytest.mark.parametrize("dim", [1, 2, 3, 6])
def test_projection_is_the_nearest_point(example, dim):
    rows = 2 * np.random.RandomState(dim).normal(size=(30, dim))
    projected = example["project_to_simplex"](torch.tensor(rows)).numpy()
    np.testing.assert_allclose(projected, [slow_projection(row) for row in rows], atol=1e-6)


def test_projection_keeps_points_of_the_simplex(example):
    rows = np.random.RandomState(0).dirichlet(np.ones(4), 20)
    projected = example["project_to_simplex"](torch.tensor(rows)).numpy()
    np.testing.assert_allclose(projected, rows, atol=1e-15)


def test_all_points_stay_on_the_simplex(example):
    path = np.stack(example["path"])
    assert path.shape == (151, 180, 3)
    assert path.min() >= 0
    np.testing.assert_allclose(path.sum(axis=-1), 1, atol=1e-12)


def test_monitor_falls_to_the_bound_of_three_dimensions(example):
    monitor = np.array(example["monitor"])
    assert monitor.min() >= -3 - 1e-9
    assert monitor.max() <= 0
    assert (np.diff(monitor) <= 1e-9).all()
    assert monitor[-1] == pytest.approx(-3, rel=0.01)
    assert example["accuracy"] == 1


def test_monitor_is_minus_the_trace(example):
    Y = np.eye(6)[example["y"]]
    for iteration in (0, 60, 150):
        F = example["path"][iteration]
        trace = np.trace(Y @ np.linalg.pinv(Y) @ F @ np.linalg.pinv(F))
        assert example["monitor"][iteration] == pytest.approx(-trace, abs=1e-9)


def test_monitor_reaches_minus_k_with_six_coordinates(example):
    assert example["roomy_monitor"][-1] == pytest.approx(-6, rel=1e-6)


def nearest_centers(points, y):
    return pdist([points[y == cluster].mean(axis=0) for cluster in range(6)]).min()


@pytest.mark.parametrize(("dim", "least", "most"), [(3, 0.01, 0.34), (6, 0.32, 0.50)])
def test_distances_of_other_starts_are_as_the_text_says(example, dim, least, most):
    for seed in range(1, 5):
        path, monitor = example["descend"](dim, seed)
        assert monitor[-1] == pytest.approx(-dim, rel=0.01)
        assert least < nearest_centers(path[-1], example["y"]) < most


def test_animation_has_a_frame_for_every_third_iteration(run):
    image = pytest.importorskip("PIL.Image")
    with image.open(run[1] / "animation.gif") as animation:
        assert animation.n_frames >= 150 / 3
        assert animation.format == "GIF"
