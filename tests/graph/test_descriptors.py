"""The descriptors, against loops over rows in float64, and their invariances.

Those of normal distributions and of densities have tests of their own.
"""

import math

import pytest
import torch

from skdeepclust.graph import N_DESCRIPTORS, node_descriptors, point_graph, population
from skdeepclust.graph import _descriptors as module
from skdeepclust.graph import _own_and_other as blocks
from skdeepclust.graph._density_features import density_features
from skdeepclust.graph._normal_features import normal_features
from skdeepclust.graph._spanning_tree import SpanningTree, spanning_tree


def log(ratio):
    return math.log(min(max(ratio, 1e-3), 1e3))


def reference(points, neighbors, labels):
    """The first 18 descriptors (n, 18) of one clustering, row by row."""
    k = neighbors.shape[1]
    distances = (points[neighbors] - points[:, None]).norm(dim=2)
    positive = distances[:, -1][distances[:, -1] > 0]
    unit = float(positive.median())
    radius = float((points - points.mean(0)).square().sum(1).mean().sqrt())
    names = labels[labels >= 0].unique()
    centroids = {int(name): points[labels == name].mean(0) for name in names}
    gaps = reference_gaps(spanning_tree(points), labels)
    result = torch.zeros(len(points), 18, dtype=torch.float64)
    for i, name in enumerate(labels.tolist()):
        if name < 0:
            continue
        same = (labels[neighbors[i]] == name).tolist()
        near = list(zip((distances[i] / unit).tolist(), same, strict=True))
        inside, outside = ([d for d, same in near if same is kind] for kind in (True, False))
        last = 2 * near[-1][0]
        own = float((points[i] - centroids[name]).norm())
        others = [float((points[i] - c).norm()) for other, c in centroids.items() if other != name]
        other = min(min(others, default=math.inf), 7.4 * radius)
        spread = float((points[labels == name] - centroids[name]).square().sum(1).mean().sqrt())
        silhouette = (other - own) / max(own, other, 1e-3 * radius) if others else 0.0
        result[i] = torch.tensor(
            [
                *(
                    sum(same for _, same in near[:s]) / s
                    for s in (max(1, k // 4), max(1, k // 2), k)
                ),
                log(min([*inside, last])),
                log(min([*outside, last])),
                log(sum(d for d, _ in near) / k),
                log(sum(inside) / len(inside) if inside else last),
                log(own / radius),
                log(other / radius),
                silhouette,
                log(spread / radius),
                math.log(float((labels == name).double().mean())),
                log(own / max(spread, 1e-4 * radius)),
                log(other / max(spread, 1e-4 * radius)),
                *gaps[name],
            ]
        )
    return result


def reference_gaps(tree, labels):
    """Descriptors 15 to 18 of each cluster, edge by edge."""
    lengths = tree.lengths.double().clamp(1 / 50, 50).tolist()
    edges = list(zip(tree.starts.tolist(), tree.ends.tolist(), lengths, tree.sides, strict=True))
    found = {}
    for name in labels[labels >= 0].unique().tolist():
        members = {i for i, label in enumerate(labels.tolist()) if label == name}
        inside = [(length, side) for a, b, length, side in edges if {a, b} <= members]
        leaving = [
            length
            for a, b, length, _ in edges
            if len({a, b} & members) == 1 and min(labels[a], labels[b]) >= 0
        ]
        wide = [length for length, side in inside if float(side) >= max(0.01, 3 / tree.n_rows)]
        in_tree = members & {i for a, b, *_ in edges for i in (a, b)}
        mean = sum(length for length, _ in inside) / len(inside) if inside else 1.0
        parts = max(1, len(in_tree) - len(inside))
        features = (max(wide, default=1 / 50), mean, min(leaving, default=50), parts)
        found[name] = [math.log(feature) for feature in features]
    return found


def describe(points, neighbors, labels):
    return node_descriptors(point_graph(points, neighbors), population(labels))


def rotation(p):
    square = torch.randn(p, p, generator=torch.Generator().manual_seed(5), dtype=torch.float64)
    return torch.linalg.qr(square).Q


@pytest.mark.parametrize("k", [1, 2, 5, 12])
def test_equal_to_loops_over_rows(points, neighbors, labels, k):
    result = describe(points, neighbors[:, :k], labels)
    expected = torch.stack([reference(points, neighbors[:, :k], row) for row in labels])
    torch.testing.assert_close(result[:, :, :18].double(), expected, rtol=1e-5, atol=1e-5)
    assert result.dtype == torch.float32
    assert result.shape == (4, 30, N_DESCRIPTORS)


def test_normal_distributions_and_densities_come_last(points, neighbors, labels):
    graph, clusterings = point_graph(points, neighbors), population(labels)
    expected = [*normal_features(graph, clusterings), *density_features(graph, clusterings)]
    expected = torch.stack(expected, dim=2) * (labels >= 0)[:, :, None]
    assert torch.equal(describe(points, neighbors, labels)[:, :, 18:], expected)


def test_many_columns(labels):
    points = torch.randn(30, 100, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    neighbors = torch.cdist(points, points).argsort(dim=1)[:, 1:6]
    expected = torch.stack([reference(points, neighbors, row) for row in labels])
    result = describe(points, neighbors, labels)
    torch.testing.assert_close(result[:, :, :18].double(), expected, rtol=1e-5, atol=1e-5)


def test_a_cluster_of_duplicates(points, neighbors, labels):
    """A radius of 0 leaves no digits of rounding, however far away the cluster is."""
    points[:6] = 1e4
    labels[:] = (torch.arange(30) >= 6).long()
    expected = torch.stack([reference(points, neighbors, row) for row in labels])
    result = describe(points, neighbors, labels)
    torch.testing.assert_close(result[:, :, :18].double(), expected, rtol=1e-5, atol=1e-5)
    assert result[:, :6, 12].eq(math.log(1e-3)).all()


def test_centroid_distances(points, labels):
    centered, clusterings = points - points.mean(0), population(labels)
    centroids = clusterings.centroids(centered)
    own, other = module.centroid_distances(centered, clusterings)
    for i in range(4):
        for j in range(30):
            lengths = (centered[j] - centroids).norm(dim=1)
            code = int(clusterings.codes[i, j])
            mine = lengths[code] if code >= 0 else centered[j].norm()
            rest = [
                float(length)
                for number, length in enumerate(lengths)
                if clusterings.owner[number] == i and number != code
            ]
            assert float(own[i, j]) == pytest.approx(float(mine), abs=1e-7)
            assert float(other[i, j]) == pytest.approx(min(rest, default=math.inf))


@pytest.mark.parametrize("cells", [1, 7 * 25])
def test_blocks_of_rows_change_nothing(points, neighbors, labels, cells, monkeypatch):
    expected = describe(points, neighbors, labels)
    monkeypatch.setattr(blocks, "_BLOCK_CELLS", cells)
    torch.testing.assert_close(describe(points, neighbors, labels), expected)


def test_behind_a_gap_is_a_hundredth_of_many_rows():
    """Fewer are outliers: the edge to them is long, and no gap."""
    n = 400
    lengths = torch.ones(n - 1)
    lengths[[0, 2, 4]] = torch.tensor([1000.0, 30.0, 20.0])  # before 1, 3 and 5 rows
    sides = torch.minimum(torch.arange(1, n), n - torch.arange(1, n)) / n
    tree = SpanningTree(torch.arange(n - 1), torch.arange(1, n), lengths, sides, n)
    (found,) = module.cluster_gaps(tree, population(torch.zeros(1, n).long()))
    mean = (50 + 30 + 20 + n - 4) / (n - 1)  # lengths end at 50
    expected = [math.log(20), math.log(mean), math.log(50), 0.0]
    assert found.tolist() == pytest.approx(expected)


@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e6])
def test_invariant_to_rotation_translation_and_scale(points, neighbors, labels, scale):
    moved = scale * (points @ rotation(3) + torch.tensor([300.0, -20.0, 5.0]))
    torch.testing.assert_close(
        describe(moved, neighbors, labels),
        describe(points, neighbors, labels),
        rtol=1e-5,
        atol=1e-6,
    )


def test_rows_permute_along(points, neighbors, labels):
    points[11] += 0.1  # which of two equal rows the spanning tree joins depends on their order
    order = torch.randperm(30, generator=torch.Generator().manual_seed(2))
    permuted = describe(points[order], order.argsort()[neighbors[order]], labels[:, order])
    torch.testing.assert_close(
        permuted, describe(points, neighbors, labels)[:, order], rtol=1e-5, atol=1e-6
    )


def test_invariant_to_names_of_clusters(points, neighbors, labels):
    renamed = torch.where(labels < 0, -3, 2000 - 17 * labels)
    torch.testing.assert_close(
        describe(points, neighbors, renamed), describe(points, neighbors, labels)
    )


def test_clusterings_do_not_see_each_other(points, neighbors, labels):
    together = describe(points, neighbors, labels)
    alone = torch.cat([describe(points, neighbors, row[None]) for row in labels])
    torch.testing.assert_close(together, alone)


@pytest.mark.parametrize("offset", [0.0, 1e12])
def test_finite_on_extreme_rows(offset):
    """A far outlier, duplicates and every row a cluster of its own."""
    points = torch.zeros(12, 2, dtype=torch.float64)
    points[6:, 0] = torch.arange(6)
    points[-1] = 1e10
    neighbors = torch.cdist(points, points).fill_diagonal_(torch.inf).argsort(dim=1)[:, :3]
    labels = torch.stack([torch.arange(12), torch.arange(12) // 6, torch.zeros(12).long()])
    assert describe(points + offset, neighbors, labels).isfinite().all()
