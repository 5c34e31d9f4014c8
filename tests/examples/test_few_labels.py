"""Few labels: more of them help, and the rows without labels do, too."""

import numpy as np
import pytest


@pytest.fixture(scope="module")
def example(run_example):
    return run_example("plot_few_labels.py", "few_labels.png")[0]


def test_more_labels_are_better(example):
    for values in example["accuracy"].values():
        mean = values.mean(axis=0)
        assert mean[-1] > mean[0] + 0.04
        assert (np.diff(mean) > -0.02).all()


def test_rows_without_labels_help(example):
    mean = {name: values.mean(axis=0) for name, values in example["accuracy"].items()}
    assert (mean["DeepMetricClusterer"] > mean["nearest labelled image"]).all()
    assert mean["DeepMetricClusterer"][1:].min() > example["without"]


def test_so_many_labels_of_each_digit_are_shown(example):
    few = example["hide_most"](3, np.random.RandomState(0))
    shown = few >= 0
    assert np.bincount(few[shown]).tolist() == [3] * 10
    np.testing.assert_array_equal(few[shown], example["y"][shown])
