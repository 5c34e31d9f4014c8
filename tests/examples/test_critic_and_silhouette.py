"""Critic and silhouette: both are right about blobs, only one about rings and moons."""

import numpy as np
import pytest


@pytest.fixture(scope="module")
def example(run_example):
    return run_example("plot_critic_and_silhouette.py", "critic_and_silhouette.png")[0]


def preferred(example, title, name):
    return example["agreement"][title][example["scores"][title][name].argmax()]


@pytest.mark.parametrize("title", ["moons", "rings", "blobs"])
def test_critic_prefers_a_clustering_as_near_to_the_truth_as_any(example, title):
    most = example["agreement"][title].max()
    assert preferred(example, title, "critic") >= most - 0.01
    assert most > 0.9


@pytest.mark.parametrize("title", ["moons", "rings"])
def test_silhouette_prefers_round_parts_of_clusters_that_are_not(example, title):
    assert preferred(example, title, "silhouette") < 0.6


@pytest.mark.parametrize("title", ["moons", "rings", "blobs"])
def test_critic_estimates_the_agreement(example, title):
    error = example["scores"][title]["critic"] - example["agreement"][title]
    assert np.abs(error).mean() < 0.15


def test_what_is_drawn_is_what_is_preferred(example):
    for column, title in zip(example["axes"].T, example["data"], strict=True):
        for ax, name in zip(column, ("silhouette", "critic"), strict=False):
            assert f"{title}: {name}" in ax.get_title()
            assert ax.get_xlabel().endswith(f"{round(preferred(example, title, name), 2) + 0:.2f}")
