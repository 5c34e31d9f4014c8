"""Thirty rows, two of them equal, in four clusterings with everything that is rare in them."""

import pytest
import torch


def nearest(points, k):
    """Indices (n, k) of the nearest other rows, by all distances."""
    distances = torch.cdist(points, points, compute_mode="donot_use_mm_for_euclid_dist")
    return distances.fill_diagonal_(torch.inf).argsort(dim=1, stable=True)[:, :k]


@pytest.fixture
def points():
    rows = torch.randn(30, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    rows[:10] += 4
    rows[11] = rows[10]
    return rows


@pytest.fixture
def neighbors(points):
    return nearest(points, 12)


@pytest.fixture
def labels():
    """Noise; a single cluster; clusters of one row; clusters smaller than k."""
    row = torch.arange(30)
    return torch.stack([row % 5 - 1, torch.full((30,), 7), (row - 20).clamp(min=0), row // 4 * 9])
