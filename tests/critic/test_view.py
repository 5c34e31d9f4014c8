"""A data set as the makers of clusterings see it."""

import numpy as np
import pytest

from skdeepclust.critic._view import DataView


def test_view_of_many_features_keeps_distances():
    rng = np.random.RandomState(0)
    X = rng.standard_normal((30, 5)) @ rng.standard_normal((5, 60))
    view = DataView(X, rng)
    assert view.X.shape == (30, 5)
    ratio = np.linalg.norm(view.X[1:] - view.X[0], axis=1) / np.linalg.norm(X[1:] - X[0], axis=1)
    np.testing.assert_allclose(ratio, ratio[0])


@pytest.mark.parametrize("standardize", [False, True])
@pytest.mark.parametrize("exponent", [-1000, -600, 600, 1000])
def test_scale_of_the_data_changes_no_bit(exponent, standardize):
    X = np.random.RandomState(0).standard_normal((30, 40)) + 3.0
    rows = [
        DataView(np.ldexp(X, power), np.random.RandomState(1), standardize).X
        for power in (0, exponent)
    ]
    np.testing.assert_array_equal(*rows)


def test_fewer_rows_than_features_keep_their_distances():
    X = np.random.RandomState(0).standard_normal((12, 20_000))
    X[7] = X[3]
    view = DataView(X, np.random.RandomState(0))
    assert view.X.shape == (12, 10)
    found, wanted = (np.linalg.norm(rows - rows[0], axis=1)[1:] for rows in (view.X, X))
    np.testing.assert_allclose(found / found[0], wanted / wanted[0])


def test_equal_rows_of_many_features_stay_equal():
    view = DataView(np.ones((5, 40)), np.random.RandomState(0))
    assert view.X.shape == (5, 1)
    assert view.n_distinct == 1
