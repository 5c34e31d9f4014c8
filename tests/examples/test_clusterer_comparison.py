"""The comparison: who is told nothing finds as much as those who are told."""

import numpy as np
import pytest


@pytest.fixture(scope="module")
def example(run_example):
    return run_example("plot_clusterer_comparison.py", "clusterer_comparison.png")[0]


@pytest.fixture(scope="module")
def mean(example):
    names = [name.split("\n")[0] for name in example["names"]]
    return dict(zip(names, example["mean"], strict=True))


def test_every_data_set_meets_every_clusterer(example):
    assert example["agreement"].shape == example["axes"].shape == (6, 8)
    np.testing.assert_allclose(example["mean"], example["agreement"][:5].mean(axis=0))
    assert np.isfinite(example["mean"]).all()


def test_the_critic_is_best_though_it_is_told_nothing(mean):
    best = mean.pop("CriticClusterer")
    assert best > max(mean.values())
    assert best > 0.95


def test_few_labels_are_worth_more_than_density(mean):
    assert mean["DeepMetricClusterer"] > max(mean["HDBSCAN"], mean["MeanShift"])
    assert mean["DeepMetricClusterer"] > 0.9


def test_nothing_is_one_cluster_for_the_critic(example):
    names = [name.split("\n")[0] for name in example["names"]]
    last = dict(zip(names, example["agreement"][-1], strict=True))
    assert last["CriticClusterer"] == 1
    assert last["KMeans"] == 0
    assert np.isnan(last["DeepMetricClusterer"])


def test_few_labels_are_five_of_each_cluster(example):
    for _, y in example["data"].values():
        few = example["hide_most"](y)
        for cluster in np.unique(y):
            assert (few == cluster).sum() == 5
        assert (few[few >= 0] == y[few >= 0]).all()
