"""Neighbours of a data set, and the nearest of a few rows, against plain arithmetic."""

import tracemalloc

import numpy as np
import pytest
from scipy.spatial.distance import cdist

from skdeepclust.critic import _geometry as module
from skdeepclust.critic._geometry import (
    map_blocks,
    measure_points,
    nearest_distances,
    nearest_rows,
)


@pytest.mark.parametrize("offset", [0.0, 1e6])
def test_neighbors_are_the_nearest_other_rows(offset):
    X = np.random.RandomState(0).standard_normal((40, 3))
    graph = measure_points(X + offset, 5)
    distances = cdist(X, X)
    np.fill_diagonal(distances, np.inf)
    np.testing.assert_array_equal(graph.neighbors, np.argsort(distances, axis=1)[:, :5])


@pytest.mark.parametrize("exponent", [-1000, -600, 600, 1000])
def test_scale_of_the_data_changes_no_bit(exponent):
    X = np.random.RandomState(0).standard_normal((40, 3))
    graph, scaled = measure_points(X), measure_points(np.ldexp(X, exponent))
    assert (graph.neighbors == scaled.neighbors).all()
    assert (graph.distances == scaled.distances).all()
    assert graph.radius == scaled.radius


def test_few_rows_have_all_others_as_neighbors():
    graph = measure_points(np.array([[0.0], [1.0], [5.0]]))
    np.testing.assert_array_equal(graph.neighbors, [[1, 2], [0, 2], [1, 0]])


def test_no_row_is_its_own_neighbor_even_among_equal_ones():
    X = np.repeat([[0.0, 1.0], [2.0, 3.0]], 20, axis=0)
    graph = measure_points(X)
    assert (graph.neighbors.numpy() != np.arange(40)[:, None]).all()


def brute_force(rows, X):
    return np.array([np.square(rows - x).sum(axis=1).argmin() for x in X])


@pytest.mark.parametrize("p", [1, 2, 16, 40])
@pytest.mark.parametrize("offset", [0.0, 1e7])
@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.int16])
def test_nearest_rows_equal_brute_force(p, offset, dtype):
    rng = np.random.RandomState(p)
    rows = 5 * rng.standard_normal((37, p)) + (0.0 if dtype is np.int16 else offset)
    X = (rows[rng.randint(37, size=300)] + rng.standard_normal((300, p))).astype(dtype)
    found = nearest_rows(rows, X)
    assert found.dtype == np.intp
    np.testing.assert_array_equal(found, brute_force(rows, X.astype(np.float64)))


@pytest.mark.parametrize("scale", [1e-250, 1.0, 1e250])
def test_nearest_rows_of_tight_clusters_far_apart(scale):
    rng = np.random.RandomState(0)
    rows = np.repeat([[0.0, 0.0], [1e12, 1e12]], 50, axis=0)
    rows[:50] += 1e-3 * rng.standard_normal((50, 2))
    rows[50:] += 10 * rng.standard_normal((50, 2))
    # Products of such coordinates have no digits left for distances like these.
    products = (rows**2).sum(axis=1) - 2 * rows @ rows.T
    assert (products.argmin(axis=1) != np.arange(100)).any()
    np.testing.assert_array_equal(nearest_rows(scale * rows, scale * rows), np.arange(100))


def test_the_first_of_equally_near_rows_is_taken():
    rows = np.array([[1.0, 0.1], [0.0, 0.3], [0.0, 0.3], [1.0, 0.1]])
    X = np.array([[0.0, 0.3], [1.0, 0.1], [0.5, 0.2]])
    np.testing.assert_array_equal(nearest_rows(rows, X)[:2], [1, 0])
    grid = np.stack(np.meshgrid(np.arange(4.0), np.arange(4.0)), axis=-1).reshape(-1, 2)
    between = grid + 0.5
    np.testing.assert_array_equal(nearest_rows(grid, between), brute_force(grid, between))
    np.testing.assert_array_equal(nearest_rows(rows[:1], X), [0, 0, 0])


@pytest.mark.parametrize("n_jobs", [None, 2])
def test_nearest_row_does_not_depend_on_company_blocks_and_threads(monkeypatch, n_jobs):
    rng = np.random.RandomState(0)
    rows = rng.randint(4, size=(50, 20)) / 10  # many ties, and rounded coordinates
    X = rng.randint(4, size=(90, 20)) / 10
    whole = nearest_rows(rows, X)
    assert [int(nearest_rows(rows, x[None])[0]) for x in X] == whole.tolist()
    monkeypatch.setattr(module, "_BLOCK_BYTES", 7 * 8 * 20)
    monkeypatch.setattr(module, "_MAX_DISTANCES", 120)
    np.testing.assert_array_equal(nearest_rows(rows, X, n_jobs), whole)


def test_distances_to_groups_are_those_to_their_nearest_rows(monkeypatch):
    rng = np.random.RandomState(0)
    groups = [1e5 + rng.standard_normal((m, 3)) for m in (1, 4, 9)]
    X = np.vstack([1e5 + rng.standard_normal((20, 3)), groups[1]])
    expected = np.stack([cdist(X, group).min(axis=1) for group in groups], axis=1)
    for n_bytes in (2**24, 5 * 8 * 3):
        monkeypatch.setattr(module, "_BLOCK_BYTES", n_bytes)
        found = nearest_distances(groups, X)
        np.testing.assert_allclose(found, expected, rtol=1e-12)
        assert (found[20:, 1] == 0).all()


def test_blocks_of_a_memory_map_are_all_that_is_read(monkeypatch, tmp_path):
    X = np.memmap(tmp_path / "rows.bin", dtype=np.float32, mode="w+", shape=(60_000, 10))
    X[:] = np.arange(60_000)[:, None]
    monkeypatch.setattr(module, "_BLOCK_BYTES", 1000 * 8 * 10)
    sizes = []

    def last_column(block):
        assert block.dtype == np.float64
        sizes.append(len(block))
        return block[:, -1].astype(np.float32)

    tracemalloc.start()
    found = map_blocks(last_column, X)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    np.testing.assert_array_equal(found, np.arange(60_000))
    assert sizes == [1000] * 60
    assert peak < 2 * found.nbytes + 10**6  # X in float64 has 4.8 MB


@pytest.mark.parametrize("scale", [1e-300, 1e-200, 1e200, 1e300])
@pytest.mark.parametrize("other", [1e-300, 1.0, 1e300])
def test_rows_on_any_scale_have_a_nearest_one(scale, other):
    rng = np.random.RandomState(0)
    rows, X = rng.standard_normal((9, 3)), rng.standard_normal((7, 3))
    places = nearest_rows(rows * scale, np.concatenate([X * scale, X * other]))
    np.testing.assert_array_equal(places[:7], brute_force(rows, X))
    assert ((places >= 0) & (places < 9)).all()
    distances = nearest_distances([rows[:4] * scale, rows[4:] * scale], X * scale)
    wanted = nearest_distances([rows[:4], rows[4:]], X)
    np.testing.assert_allclose(distances, wanted * scale)
    assert np.isfinite(nearest_distances([rows * scale], X * other)).all()


@pytest.mark.parametrize("scale", [1e-184, 1e184])
@pytest.mark.parametrize("offset", [0.0, 1e294])
def test_neither_rows_of_zeros_nor_a_common_offset_hide_differences(scale, offset):
    rows = np.random.RandomState(0).randint(-3, 4, (15, 2)) * scale
    rows[3] = 0.0
    rows = np.unique(np.column_stack([rows, np.full(15, offset)]), axis=0)
    np.testing.assert_array_equal(nearest_rows(rows, rows), np.arange(len(rows)))
