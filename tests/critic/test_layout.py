"""Where clusters lie: as far apart as they need to be."""

import numpy as np
import pytest

from skdeepclust.critic._layout import place, spread_points, uniform_ball


@pytest.mark.parametrize(("k", "p"), [(1, 3), (2, 1), (20, 1), (10, 5)])
def test_closest_centres_are_exactly_the_gap_apart(k, p):
    centers = spread_points(np.random.RandomState(0), k, p, 3.0)
    assert centers.shape == (k, p)
    distances = np.linalg.norm(centers[:, None] - centers, axis=2)[np.triu_indices(k, 1)]
    assert k == 1 or distances.min() == pytest.approx(3.0)


def test_gap_is_measured_in_spreads_along_the_line_of_centres():
    scales = np.array([1.0, 2.0, 5.0])
    centers = spread_points(
        np.random.RandomState(0), 3, 2, 2.0, lambda u: np.tile(scales[:, None], len(u))
    )
    ratios = [
        np.linalg.norm(centers[i] - centers[j]) / (scales[i] + scales[j])
        for i, j in [(0, 1), (0, 2), (1, 2)]
    ]
    assert min(ratios) == pytest.approx(2.0)


def test_placed_shapes_keep_apart():
    rng = np.random.RandomState(0)
    parts = place(rng, [uniform_ball(rng, 40, 2) for _ in range(6)], 3.0)
    for i, first in enumerate(parts):
        inner = np.linalg.norm(first[:, None] - first, axis=2) + 9 * np.eye(40)
        for second in parts[:i]:
            outer = np.linalg.norm(first[:, None] - second, axis=2)
            assert outer.min() > 2 * np.median(inner.min(axis=1))


def test_ball_is_filled_evenly():
    radii = np.linalg.norm(uniform_ball(np.random.RandomState(0), 4_000, 3), axis=1)
    assert radii.max() <= 1
    assert np.mean(radii < 0.5) == pytest.approx(0.125, abs=0.02)
