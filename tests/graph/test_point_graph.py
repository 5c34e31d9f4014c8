"""Positions and distances in units of the neighbourhood."""

import pytest
import torch

from skdeepclust.graph import point_graph


def rotation(p):
    square = torch.randn(p, p, generator=torch.Generator().manual_seed(5), dtype=torch.float64)
    return torch.linalg.qr(square).Q


def assert_same_lengths(left, right, rtol=1e-6):
    torch.testing.assert_close(left.distances, right.distances, rtol=rtol, atol=0.0)
    torch.testing.assert_close(
        torch.cdist(left.points, left.points),
        torch.cdist(right.points, right.points),
        rtol=rtol,
        atol=1e-6,
    )
    assert left.radius == pytest.approx(right.radius, rel=rtol)


def test_lengths_are_in_units_of_the_neighborhood(points, neighbors):
    graph = point_graph(points, neighbors)
    distances = torch.stack([(points[neighbors[i]] - points[i]).norm(dim=1) for i in range(30)])
    unit = distances[:, -1].sort().values[14]
    torch.testing.assert_close(graph.distances, (distances / unit).float())
    torch.testing.assert_close(graph.points, (points - points.mean(0)) / unit)
    assert graph.radius == pytest.approx(float(graph.points.norm() / 30**0.5))
    assert torch.equal(graph.neighbors, neighbors)
    assert graph.points.dtype == torch.float64
    assert graph.distances.dtype == torch.float32


@pytest.mark.parametrize("scale", [1e-200, 1e-6, 1e6, 1e200])
def test_invariant_to_scale(points, neighbors, scale):
    assert_same_lengths(point_graph(scale * points, neighbors), point_graph(points, neighbors))


def test_invariant_to_rotation_and_translation(points, neighbors):
    moved = points @ rotation(3) + torch.tensor([1e6, -1e6, 3.0])
    assert_same_lengths(point_graph(moved, neighbors), point_graph(points, neighbors))


def test_offset_of_single_precision_rows(points, neighbors):
    """What float32 can tell apart beside an offset is kept."""
    coarse = (points * 64).round() / 64
    moved = (coarse + 1000).float()
    assert_same_lengths(point_graph(moved, neighbors), point_graph(coarse, neighbors))


def test_duplicates_do_not_set_the_unit(points, neighbors):
    """Rows whose farthest neighbour is at distance 0 have no say."""
    points[1:20] = points[0]
    neighbors[:20] = torch.arange(20).roll(-1)[:, None]
    graph = point_graph(points, neighbors)
    farthest = (points[neighbors[20:, -1]] - points[20:]).norm(dim=1)
    torch.testing.assert_close(graph.distances[20:, -1], (farthest / farthest.median()).float())
    assert graph.distances[:20].eq(0).all()


def test_neighborhoods_of_duplicates_alone(points):
    """Then the unit is the distance of the farthest row to the centre."""
    pairs = points[:5].repeat_interleave(2, dim=0)
    graph = point_graph(pairs, torch.arange(10).reshape(5, 2).flip(1).reshape(10, 1))
    assert graph.distances.eq(0).all()
    assert float(graph.points.norm(dim=1).max()) == pytest.approx(1)


@pytest.mark.parametrize("value", [0.0, 0.1, 1e9])
def test_equal_rows_are_refused(value):
    with pytest.raises(ValueError, match="same values in every row"):
        point_graph(torch.full((7, 3), value, dtype=torch.float64), torch.zeros(7, 1).long())


def test_the_tree_joins_all_rows_and_is_computed_once(points, neighbors):
    graph = point_graph(points, neighbors)
    assert len(torch.cat([graph.tree.starts, graph.tree.ends]).unique()) == 30
    assert graph.tree is graph.tree
    assert graph.to(torch.device("cpu")) is graph


def test_moved_to_another_device(points, neighbors):
    graph, device = point_graph(points, neighbors), torch.device("meta")
    moved = graph.to(device)
    for name in ("points", "neighbors", "distances"):
        before, after = getattr(graph, name), getattr(moved, name)
        assert (after.device, after.shape, after.dtype) == (device, before.shape, before.dtype)
    assert moved.radius == graph.radius
    for name in ("starts", "ends", "lengths", "sides"):
        assert getattr(moved.tree, name).device == device
    assert moved.tree.n_rows == graph.tree.n_rows
    assert moved.whitened.device == device
    assert moved.intrinsic_dim == graph.intrinsic_dim


def test_whitened_coordinates_have_unit_covariance(points, neighbors):
    graph = point_graph(points, neighbors)
    assert graph.whitened is graph.whitened
    covariance = graph.whitened.T @ graph.whitened / 30
    torch.testing.assert_close(covariance, torch.eye(3, dtype=torch.float64))
    # Mahalanobis distances between rows are those of the data.
    precision = torch.linalg.inv(torch.cov(points.T, correction=0))
    difference = points[3] - points[17]
    expected = (difference @ precision @ difference).sqrt()
    torch.testing.assert_close((graph.whitened[3] - graph.whitened[17]).norm(), expected)


@pytest.mark.parametrize(("n", "p"), [(40, 9), (8, 20)])
def test_whitened_are_the_leading_six_coordinates(n, p):
    generator = torch.Generator().manual_seed(2)
    rows = torch.randn(n, p, generator=generator, dtype=torch.float64) * torch.arange(1, p + 1)
    graph = point_graph(rows, torch.arange(n).roll(1)[:, None])
    u = torch.linalg.svd(rows - rows.mean(0), full_matrices=False).U[:, :6]
    assert graph.whitened.shape == (n, 6)
    torch.testing.assert_close(graph.whitened @ graph.whitened.T, n * u @ u.T)


def test_directions_without_variance_are_left_out(points, neighbors):
    flat = torch.cat([points, points[:, :1] - points[:, 1:2]], dim=1)
    assert point_graph(flat, neighbors).whitened.shape == (30, 3)


@pytest.mark.parametrize("p", [1, 2, 5])
def test_intrinsic_dimension_of_a_turned_cube(p):
    generator = torch.Generator().manual_seed(3)
    rows = torch.rand(2000, p, generator=generator, dtype=torch.float64) @ torch.eye(p, 9).double()
    neighbors = torch.cdist(rows, rows).argsort(dim=1)[:, 1:13]
    assert point_graph(rows, neighbors).intrinsic_dim == pytest.approx(p, rel=0.2)


def test_intrinsic_dimension_of_duplicates_is_within_its_bounds(points):
    pairs = points[:5].repeat_interleave(2, dim=0)
    graph = point_graph(pairs, torch.arange(10).reshape(5, 2).flip(1).reshape(10, 1))
    assert graph.intrinsic_dim == 16


def test_log_density_falls_with_the_distances_around(points, neighbors):
    graph = point_graph(points, neighbors)
    spread = graph.distances.double().mean(dim=1).clamp(min=1e-3).log()
    around = torch.stack([spread[[i, *neighbors[i].tolist()]].mean() for i in range(30)])
    expected = -graph.intrinsic_dim * around
    torch.testing.assert_close(graph.log_density.double(), expected, rtol=1e-5, atol=1e-5)


def test_an_outlier_at_any_distance_leaves_distances_finite():
    points = torch.tensor([[0.0], [1.0], [2.0], [3.0], [1e60]], dtype=torch.float64)
    neighbors = torch.tensor([[1, 2], [0, 2], [1, 3], [2, 1], [3, 2]])
    graph = point_graph(points, neighbors)
    assert bool(graph.distances.isfinite().all())
    assert bool((graph.distances[4] > graph.distances[:4]).all())
