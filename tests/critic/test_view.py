"""A data set as the makers of clusterings see it."""

import numpy as np

from skdeepclust.critic._view import DataView


def test_view_of_many_features_keeps_distances():
    rng = np.random.RandomState(0)
    X = rng.standard_normal((30, 5)) @ rng.standard_normal((5, 60))
    view = DataView(X, rng)
    assert view.X.shape == (30, 32)
    ratio = np.linalg.norm(view.X[1:] - view.X[0], axis=1) / np.linalg.norm(X[1:] - X[0], axis=1)
    np.testing.assert_allclose(ratio, ratio[0])
