"""Soft labels: the embedding tells the shares, which labels alone do not."""

import numpy as np
import pytest


@pytest.fixture(scope="module")
def example(run_example):
    return run_example("plot_soft_labels.py", "soft_labels.png")[0]


def test_shares_are_learned_from_shares(example):
    explained = example["explained"]
    assert explained["shares"] > 0.75
    assert explained["shares"] > explained["the pixels"]
    assert explained["shares"] > explained["labels"] + 0.15


def test_explained_variance_is_that_of_the_points_drawn(example):
    wanted = example["true_shares"]
    for name, values in example["read"].items():
        left = ((wanted - values) ** 2).sum(axis=0) / ((wanted - wanted.mean(axis=0)) ** 2).sum(
            axis=0
        )
        assert example["explained"][name] == pytest.approx(1 - left.mean())


def test_blends_are_sums_of_images(example):
    parts = [np.full((1, 64), 1.0), np.full((1, 64), 2.0), np.full((1, 64), 4.0)]
    rows, shares = example["blend"](parts, 9, np.random.RandomState(0))
    np.testing.assert_allclose(shares.sum(axis=1), 1)
    np.testing.assert_allclose(rows, np.repeat(shares @ [[1.0], [2.0], [4.0]], 64, axis=1))


def test_no_test_blend_has_an_image_of_the_training_blends(example):
    images = example["images"]
    assert example["X_test"].shape == (400, 64)
    assert all(len(of_digit) > 150 for of_digit in images)
