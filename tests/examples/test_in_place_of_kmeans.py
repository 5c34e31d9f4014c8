"""The same call for both clusterers: the learned one puts more images in the right cluster."""

import numpy as np
import pytest


@pytest.fixture(scope="module")
def example(run_example):
    return run_example("plot_in_place_of_kmeans.py", "in_place_of_kmeans.png")[0]


def test_all_images_are_in_ten_clusters(example):
    for labels in example["found"].values():
        assert sorted(set(labels)) == list(range(10))
        assert len(labels) == len(example["y"]) == 1797


def test_the_learned_embedding_is_better(example):
    for figures in (example["accuracy"], example["agreement"]):
        assert figures["DeepMetricClusterer"] > figures["KMeans"] + 0.04


def test_accuracy_is_what_lies_on_the_diagonals_drawn(example):
    for ax, accuracy in zip(example["axes"], example["accuracy"].values(), strict=True):
        counts = ax.images[0].get_array()
        assert counts.shape == (10, 10)
        assert counts.sum() == 1797
        assert np.trace(counts) / 1797 == pytest.approx(accuracy)
        assert f"{accuracy:.0%}" in ax.get_title(loc="left")
