"""Costs in the own cluster and in the best other one, against loops."""

import math

import pytest
import torch

from skdeepclust.graph import _own_and_other as module
from skdeepclust.graph import population


@pytest.fixture
def clusterings(labels):
    return population(labels)


@pytest.fixture
def costs(clusterings):
    generator = torch.Generator().manual_seed(4)
    return torch.randn(len(clusterings.owner), 30, generator=generator, dtype=torch.float64)


def find(costs, clusterings):
    return module.own_and_other(lambda rows: costs[:, rows].clone(), clusterings, costs.shape[1])


def test_equal_to_loops(costs, clusterings):
    own, other = find(costs, clusterings)
    assert own.shape == other.shape == (4, 30)
    for i in range(4):
        for j in range(30):
            code = int(clusterings.codes[i, j])
            rest = [
                float(costs[t, j])
                for t in range(len(costs))
                if clusterings.owner[t] == i and t != code
            ]
            assert float(own[i, j]) == (float(costs[code, j]) if code >= 0 else 0.0)
            assert float(other[i, j]) == min(rest, default=math.inf)


@pytest.mark.parametrize("cells", [1, 7 * 25])
def test_blocks_of_rows_change_nothing(costs, clusterings, cells, monkeypatch):
    expected = find(costs, clusterings)
    monkeypatch.setattr(module, "_BLOCK_CELLS", cells)
    for found, wanted in zip(find(costs, clusterings), expected, strict=True):
        assert torch.equal(found, wanted)


def test_blocks_are_of_bounded_size(costs, clusterings, monkeypatch):
    monkeypatch.setattr(module, "_BLOCK_CELLS", 3 * (len(costs) + 1))
    sizes = []

    def recorded(rows):
        sizes.append(len(range(*rows.indices(30))))
        return costs[:, rows].clone()

    module.own_and_other(recorded, clusterings, 30)
    assert sizes == [3] * 10
