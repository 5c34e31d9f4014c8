"""The spanning tree against scipy's, and what it must not depend on."""

import numpy as np
import pytest
import torch
from scipy.sparse.csgraph import connected_components, minimum_spanning_tree
from scipy.spatial.distance import cdist

from skdeepclust.graph import _spanning_tree as module
from skdeepclust.graph._spanning_tree import spanning_tree


def draw(n, p=3, seed=0):
    return torch.from_numpy(np.random.RandomState(seed).standard_normal((n, p)))


def reachability(points):
    """Mutual reachability with a hundredth of the distance, pair by pair."""
    distances = cdist(points, points)
    core = np.sort(distances, axis=1)[:, min(5, len(points) - 1)]
    result = np.zeros_like(distances)
    for i in range(len(points)):
        for j in range(len(points)):
            result[i, j] = max(distances[i, j], core[i], core[j]) + 0.01 * distances[i, j]
    return result


@pytest.mark.parametrize(("n", "p"), [(2, 1), (3, 2), (40, 1), (60, 3), (60, 40)])
def test_the_tree_of_scipy(n, p):
    points = draw(n, p)
    tree = spanning_tree(points)
    full = reachability(points.numpy())
    np.fill_diagonal(full, 0)
    found = np.zeros((n, n))
    found[tree.starts, tree.ends] = full[tree.starts, tree.ends]
    expected = minimum_spanning_tree(full)
    assert found.sum() == pytest.approx(expected.sum())
    assert connected_components(found, directed=False)[0] == 1
    typical = np.median(full[tree.starts, tree.ends])
    np.testing.assert_allclose(
        tree.lengths, full[tree.starts, tree.ends] / typical, rtol=1e-5, atol=0
    )


def test_sides_count_the_rows_that_an_edge_cuts_off():
    points = draw(30)
    tree = spanning_tree(points)
    for cut in range(29):
        graph = np.zeros((30, 30))
        kept = [i for i in range(29) if i != cut]
        graph[tree.starts[kept], tree.ends[kept]] = 1
        parts = np.bincount(connected_components(graph, directed=False)[1])
        assert float(tree.sides[cut]) == pytest.approx(parts.min() / 30)


def test_the_gap_between_two_groups_is_the_longest_edge():
    points = torch.cat([draw(20, 2), draw(30, 2, seed=1) + 40])
    tree = spanning_tree(points)
    longest = int(tree.lengths.argmax())
    assert float(tree.sides[longest]) == pytest.approx(0.4)
    assert tree.lengths[longest] > 10 * tree.lengths.sort().values[-2]


@pytest.mark.parametrize("n", [50, 400])
def test_order_rotation_and_scale_change_nothing(n, monkeypatch):
    """Also where only a sample of the rows is in the tree."""
    monkeypatch.setattr(module, "_MAX_ROWS", 100)
    points = draw(n)
    order = torch.randperm(n, generator=torch.Generator().manual_seed(0))
    square = torch.linalg.qr(draw(3, 3, seed=2)).Q
    tree, other = spanning_tree(points), spanning_tree(7 * points[order] @ square)

    def edges(tree, names):
        pairs = np.sort(names[torch.stack([tree.starts, tree.ends])], axis=0)
        rows = np.lexsort(pairs)
        return pairs[:, rows], tree.lengths.numpy()[rows], tree.sides.numpy()[rows]

    for found, expected in zip(edges(other, order.numpy()), edges(tree, np.arange(n)), strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-5)
    assert tree.n_rows == min(n, 100)


def test_duplicates():
    """Lengths of 0 are no unit; if there are no others, they stay."""
    points = draw(40)
    points[:10] = points[0]
    tree = spanning_tree(points)
    assert float(tree.lengths[tree.lengths > 0].median()) == pytest.approx(1.0, rel=0.2)
    assert spanning_tree(torch.zeros(5, 2, dtype=torch.float64)).lengths.eq(0).all()


@pytest.mark.parametrize(("n", "most"), [(37, 10), (400, 100), (11, 10), (10, 10), (9, 10)])
def test_the_sample_is_evenly_spaced_from_the_middle_outwards(n, most, monkeypatch):
    monkeypatch.setattr(module, "_MAX_ROWS", most)
    points = draw(n)
    outwards = np.argsort(points.norm(dim=1).numpy())
    expected = [outwards[round(i * (n - 1) / (most - 1))] for i in range(most)]
    assert module._sample(points).tolist() == (expected if n > most else list(range(n)))


def test_two_thousand_rows_at_most():
    assert spanning_tree(draw(2001, 1)).n_rows == 2000


def test_moved_to_another_device():
    tree, device = spanning_tree(draw(8)), torch.device("meta")
    moved = tree.to(device)
    for name in ("starts", "ends", "lengths", "sides"):
        before, after = getattr(tree, name), getattr(moved, name)
        assert (after.device, after.shape, after.dtype) == (device, before.shape, before.dtype)
    assert moved.n_rows == 8
