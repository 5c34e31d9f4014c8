"""What normal distributions say, against SciPy row by row, and their invariances."""

import math

import numpy as np
import pytest
import torch
from scipy.stats import multivariate_normal

from skdeepclust.graph import point_graph, population
from skdeepclust.graph._normal_features import N_NORMAL_FEATURES, normal_features


def features(points, neighbors, labels):
    graph = point_graph(points, neighbors)
    return torch.stack(normal_features(graph, population(labels)), dim=2)  # (m, n, 8)


def squash(x):
    x = min(max(x, -50.0), 50.0)
    return math.copysign(math.log1p(abs(x)), x)


def log(ratio):
    return math.log(min(max(ratio, 1e-2), 1e2))


def cluster_normals(x, labels):
    """Share, mean and covariance of each cluster, with the prior of the docstring's reference."""
    names, d = np.unique(labels[labels >= 0]), x.shape[1]
    found = {}
    for name in names:
        rows = x[labels == name]
        weight = 0.1 * (d + 2) / (len(rows) + d + 2)
        covariance = np.cov(rows.T, bias=True).reshape(d, d)
        covariance = covariance + weight * len(names) ** (-2 / d) * np.eye(d)
        found[name] = (len(rows) / (labels >= 0).sum(), rows.mean(axis=0), covariance)
    return found


def reference(x, labels):
    """Features (n, 8) of one clustering of whitened rows, row by row."""
    n_kept, d = int((labels >= 0).sum()), x.shape[1]
    normals = cluster_normals(x, labels)
    everywhere = multivariate_normal(np.zeros(d), np.eye(d))
    result, gains = np.zeros((len(x), N_NORMAL_FEATURES)), []
    for i, name in enumerate(labels):
        if name < 0:
            continue
        logs = {
            other: math.log(share) + multivariate_normal(mean, covariance).logpdf(x[i])
            for other, (share, mean, covariance) in normals.items()
        }
        gain = logs[name] - everywhere.logpdf(x[i])
        rest = [value for other, value in logs.items() if other != name]
        _, mean, covariance = normals[name]
        squared = (x[i] - mean) @ np.linalg.solve(covariance, x[i] - mean)
        low, high = fourth_moments(x[labels == name], mean, covariance)
        gains.append(gain)
        result[i, :-1] = [
            squash(gain),
            squash(logs[name] - max(rest, default=-math.inf)),
            log(squared / d),
            np.linalg.slogdet(covariance)[1] / (2 * d),
            log(low),
            log(high),
            math.log((labels == name).sum()),
        ]
    n_parameters = 1 + d + d * (d + 1) / 2
    penalty = (len(normals) - 1) * n_parameters * math.log(n_kept) / (2 * n_kept)
    result[labels >= 0, -1] = squash(np.mean(gains) - penalty)
    return result


def fourth_moments(rows, mean, covariance):
    z = np.linalg.solve(np.linalg.cholesky(covariance), (rows - mean).T).T
    moments = sum((row @ row) * np.outer(row, row) for row in z) / len(z)
    values = np.linalg.eigvalsh(moments) / (rows.shape[1] + 2)
    return values[0], values[-1]


def test_equal_to_scipy(points, neighbors, labels):
    graph = point_graph(points, neighbors)
    found = features(points, neighbors, labels)
    for row, result in zip(labels, found, strict=True):
        expected = reference(graph.whitened.numpy(), row.numpy())
        kept = row >= 0
        np.testing.assert_allclose(result[kept], expected[kept.numpy()], rtol=1e-5, atol=1e-5)
    assert found.shape == (4, 30, N_NORMAL_FEATURES)
    assert found.dtype == torch.float32


def test_a_linear_map_changes_nothing(points, neighbors, labels):
    """Also one under which other rows would be the nearest, as these are given."""
    mapped = points @ torch.tensor([[2.0, 1, 0], [0, 3, -1], [0.5, 0, 1]], dtype=torch.float64)
    torch.testing.assert_close(
        features(mapped - 7, neighbors, labels),
        features(points, neighbors, labels),
        rtol=1e-4,
        atol=1e-4,
    )


def two_humps(gap, n=400):
    """Two round clusters of the plane under one label, and under two."""
    generator = torch.Generator().manual_seed(0)
    rows = torch.randn(n, 2, generator=generator, dtype=torch.float64)
    halves = torch.arange(n) % 2
    rows[:, 0] += gap * halves
    neighbors = torch.cdist(rows, rows).argsort(dim=1)[:, 1:13]
    return features(rows, neighbors, torch.stack([torch.zeros(n).long(), halves]))


def test_humps_make_the_smallest_fourth_moment_small():
    smallest = [float(two_humps(gap)[0, 0, 4]) for gap in (0.0, 2.5, 5.0)]
    assert smallest[0] > smallest[1] > smallest[2]
    assert smallest[2] < math.log(0.7)


def test_the_criterion_knows_two_clusters_from_one():
    """It is 0 for one cluster, and above where two are well apart."""
    one, two = zip(*(two_humps(gap)[:, 0, 7].tolist() for gap in (0.0, 2.5, 5.0)), strict=True)
    assert one == pytest.approx([0, 0, 0], abs=0.01)
    assert two[0] < two[1] < 0 < two[2]


def test_few_rows_in_many_dimensions_are_finite():
    generator = torch.Generator().manual_seed(1)
    rows = torch.randn(5, 40, generator=generator, dtype=torch.float64)
    neighbors = torch.tensor([[1, 2], [0, 2], [0, 1], [4, 0], [3, 0]])
    found = features(rows, neighbors, torch.stack([torch.arange(5), torch.zeros(5).long()]))
    assert found.isfinite().all()
