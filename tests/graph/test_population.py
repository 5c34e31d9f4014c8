"""Numbering of many clusterings and sums over their clusters, against loops over clusters."""

import pytest
import torch

from skdeepclust.graph import population


def clusters_of(labels):
    """(clustering, rows) of every cluster."""
    return [
        (i, torch.nonzero(row == name)[:, 0])
        for i, row in enumerate(labels)
        for name in torch.unique(row[row >= 0])
    ]


def normal(*shape):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


def test_clusters_are_numbered_clustering_by_clustering(labels):
    result, expected = population(labels), clusters_of(labels)
    assert len(result.owner) == len(expected)
    for code, (clustering, rows) in enumerate(expected):
        assert int(result.owner[code]) == clustering
        assert int(result.counts[code]) == len(rows)
        where = torch.nonzero(result.codes == code)
        assert torch.equal(where[:, 0], torch.full((len(rows),), clustering))
        assert torch.equal(where[:, 1], rows)
    assert torch.equal(result.codes == -1, labels < 0)
    assert torch.equal(result.rows, torch.cat([rows for _, rows in expected]))


def test_shares_and_numbers(labels):
    result = population(labels)
    assert result.n_clusters.tolist() == [4, 1, 10, 8]
    torch.testing.assert_close(result.noise, torch.tensor([0.2, 0.0, 0.0, 0.0]))
    torch.testing.assert_close(
        result.shares, torch.tensor([len(r) for _, r in clusters_of(labels)]) / 30
    )


@pytest.mark.parametrize(
    "name", [lambda y: 10**17 + 3 * y, lambda y: y.to(torch.int8), lambda y: 99 - y]
)
def test_names_of_clusters_do_not_matter(labels, name):
    renamed = torch.where(labels < 0, -5, name(labels))
    codes, expected = population(renamed).codes, population(labels).codes
    for row, old in zip(codes, expected, strict=True):
        assert torch.equal(row[:, None] == row, old[:, None] == old)
    assert torch.equal(codes < 0, labels < 0)


@pytest.mark.parametrize("shape", [(4, 30), (4, 30, 3)])
def test_sums_and_means(labels, shape):
    values, result = normal(*shape), population(labels)
    parts = [values[i, rows] for i, rows in clusters_of(labels)]
    torch.testing.assert_close(result.sums(values), torch.stack([p.sum(0) for p in parts]))
    torch.testing.assert_close(result.means(values), torch.stack([p.mean(0) for p in parts]))


def test_spread_gives_rows_what_their_cluster_has(labels):
    result = population(labels)
    values = normal(len(result.owner), 3)
    expected = torch.zeros(4, 30, 3, dtype=torch.float64)
    for value, (i, rows) in zip(values, clusters_of(labels), strict=True):
        expected[i, rows] = value
    assert torch.equal(result.spread(values), expected)
    assert torch.equal(result.spread(values[:, 0]), expected[:, :, 0])


def test_centroids(labels, points):
    expected = torch.stack([points[rows].mean(0) for _, rows in clusters_of(labels)])
    torch.testing.assert_close(population(labels).centroids(points), expected)


def test_gradients_of_sums_and_spread(labels):
    result = population(labels)
    values = normal(4, 30, 2).requires_grad_()
    assert torch.autograd.gradcheck(lambda v: result.spread(result.means(v).sin()), values)


def test_moved_to_another_device(labels):
    clusterings, device = population(labels), torch.device("meta")
    moved = clusterings.to(device)
    for name in ("codes", "owner", "counts", "rows"):
        before, after = getattr(clusterings, name), getattr(moved, name)
        assert (after.device, after.shape, after.dtype) == (device, before.shape, before.dtype)


def test_a_clustering_of_noise_alone_is_refused(labels):
    labels[2] = -1
    with pytest.raises(ValueError, match="every row of clustering 2 is noise"):
        population(labels)
