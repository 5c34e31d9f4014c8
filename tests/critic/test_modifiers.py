"""What happens to a data set on its way into a table."""

import numpy as np
import pytest

from skdeepclust.critic._modifiers import MODIFIERS, modify


@pytest.mark.parametrize("name", MODIFIERS)
@pytest.mark.parametrize("p", [1, 2, 256])
def test_modifiers_keep_rows_finite_and_labels_known(name, p):
    rng = np.random.RandomState(0)
    X, y = rng.standard_normal((60, p)), np.arange(60) % 3
    before = X.copy(), y.copy()
    found, labels = MODIFIERS[name][1](rng, X, y)
    assert found.shape[0] == len(labels) == 60
    assert p <= found.shape[1] <= 256
    assert np.isfinite(found).all()
    assert set(labels) <= {-1, 0, 1, 2}
    np.testing.assert_array_equal(X, before[0])
    np.testing.assert_array_equal(y, before[1])


def test_outliers_are_far_and_unlabelled():
    rng = np.random.RandomState(0)
    X, y = rng.standard_normal((300, 2)), np.zeros(300, dtype=int)
    found, labels = MODIFIERS["outliers"][1](rng, X, y)
    far = labels == -1
    assert 0 < far.sum() <= 0.06 * 300
    np.testing.assert_array_equal(found[~far], X[~far])
    distances = np.linalg.norm(found[far][:, None] - found[~far], axis=2).min(axis=1)
    assert distances.min() > 0.2


def test_background_fills_the_box_of_few_dimensions():
    rng = np.random.RandomState(0)
    X, y = rng.standard_normal((400, 2)), np.zeros(400, dtype=int)
    found, labels = MODIFIERS["background"][1](rng, X, y)
    background = labels == -1
    assert 0.02 * 400 <= background.sum() <= 0.2 * 400
    np.testing.assert_array_equal(found[~background], X[~background])
    margin = 0.1 * np.ptp(X, axis=0)
    assert (found >= X.min(axis=0) - margin).all()
    assert (found <= X.max(axis=0) + margin).all()
    wide = rng.standard_normal((50, 5))
    assert MODIFIERS["background"][1](rng, wide, y[:50])[0] is wide


def test_rounded_values_are_integers_and_copies_are_copies():
    rng = np.random.RandomState(0)
    X, y = rng.standard_normal((100, 3)), np.arange(100)
    rounded = MODIFIERS["round"][1](rng, X, y)[0]
    np.testing.assert_array_equal(rounded, np.round(rounded))
    copied, labels = MODIFIERS["duplicates"][1](rng, X, y)
    np.testing.assert_array_equal(copied, X[labels])
    assert len(np.unique(labels)) < 100


def test_modify_is_reproducible():
    X, y = np.random.RandomState(1).standard_normal((50, 3)), np.arange(50) % 2
    for seed in range(10):
        first, second = (modify(np.random.RandomState(seed), X, y) for _ in range(2))
        np.testing.assert_array_equal(first[0], second[0])
        np.testing.assert_array_equal(first[1], second[1])
