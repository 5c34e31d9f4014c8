"""Densities along borders, against loops over edges, and what they tell apart."""

import math

import pytest
import torch

from skdeepclust.graph import point_graph, population
from skdeepclust.graph._density_features import N_DENSITY_FEATURES, density_features


def features(graph, labels):
    return torch.stack(density_features(graph, population(labels)), dim=2)  # (m, n, 6)


def reference(graph, labels):
    """Features (n, 6) of one clustering, edge by edge."""
    density, neighbors = graph.log_density.tolist(), graph.neighbors.tolist()
    n, labels = len(density), labels.tolist()
    rows = {name: [i for i in range(n) if labels[i] == name] for name in set(labels) - {-1}}
    border = {
        name: [
            min(density[i], density[j])
            for i in members
            for j in neighbors[i]
            if labels[j] not in (name, -1)
        ]
        for name, members in rows.items()
    }
    result = torch.zeros(n, N_DENSITY_FEATURES, dtype=torch.float64)
    for i, name in enumerate(labels):
        if name < 0:
            continue
        highest = max(density[j] for j in rows[name])
        mean = sum(density[j] for j in rows[name]) / len(rows[name])
        edges = border[name]
        around = sum(density[j] for j in neighbors[i]) / len(neighbors[i])
        values = [
            density[i] - highest,
            density[i] - around,
            max(edges) - highest if edges else -10.0,
            sum(edges) / len(edges) - mean if edges else -10.0,
        ]
        bounded = [min(max(value, -10.0), 10.0) for value in values]
        result[i] = torch.tensor([*bounded, math.log(n), math.log(graph.intrinsic_dim)])
    return result


def test_equal_to_loops_over_edges(points, neighbors, labels):
    graph = point_graph(points, neighbors[:, :4])
    found = features(graph, labels)
    for row, result in zip(labels, found, strict=True):
        kept = row >= 0
        expected = reference(graph, row)[kept]
        torch.testing.assert_close(result[kept].double(), expected, rtol=1e-5, atol=1e-5)
    assert found.dtype == torch.float32


@pytest.mark.parametrize("labels", [torch.zeros(1, 30).long(), torch.arange(30)[None] % 2 - 1])
def test_without_a_border_the_valley_is_the_deepest(points, neighbors, labels):
    found = features(point_graph(points, neighbors), labels)
    assert found[labels >= 0][:, 2:4].eq(-10).all()


def test_a_cut_through_a_hill_has_a_high_pass():
    """Two humps: the border in the valley between them is lower than one across a hump."""
    generator = torch.Generator().manual_seed(0)
    rows = torch.randn(600, 2, generator=generator, dtype=torch.float64)
    rows[:300, 0] += 4
    neighbors = torch.cdist(rows, rows).argsort(dim=1)[:, 1:13]
    cuts = torch.stack([rows[:, 0] > 2, rows[:, 0] > 0]).long()
    found = features(point_graph(rows, neighbors), cuts)
    # Of the cluster on the left, whose top is at 0.
    valley, across = (found[i][cuts[i] == 0][0, 2:4] for i in range(2))
    assert (valley < across - 0.5).all()
