"""Neighbours of a data set."""

import numpy as np
import pytest
from scipy.spatial.distance import cdist

from skdeepclust.critic._geometry import measure_points


@pytest.mark.parametrize("offset", [0.0, 1e6])
def test_neighbors_are_the_nearest_other_rows(offset):
    X = np.random.RandomState(0).standard_normal((40, 3))
    graph = measure_points(X + offset, 5)
    distances = cdist(X, X)
    np.fill_diagonal(distances, np.inf)
    np.testing.assert_array_equal(graph.neighbors, np.argsort(distances, axis=1)[:, :5])


def test_few_rows_have_all_others_as_neighbors():
    graph = measure_points(np.array([[0.0], [1.0], [5.0]]))
    np.testing.assert_array_equal(graph.neighbors, [[1, 2], [0, 2], [1, 0]])


def test_no_row_is_its_own_neighbor_even_among_equal_ones():
    X = np.repeat([[0.0, 1.0], [2.0, 3.0]], 20, axis=0)
    graph = measure_points(X)
    assert (graph.neighbors.numpy() != np.arange(40)[:, None]).all()
