"""A search over clusterers without labels: what is chosen is as good as the best candidate."""

import numpy as np
import pytest
from sklearn.metrics import adjusted_rand_score
from sklearn.mixture import GaussianMixture


@pytest.fixture(scope="module")
def example(run_example):
    return run_example("plot_choose_clusterer.py", "choose_clusterer.png")[0]


def test_the_candidates_are_far_from_equal(example):
    assert len(example["scores"]) == 38
    assert np.ptp(example["agreement"]) > 0.5


def test_the_best_is_chosen(example):
    chosen = example["agreement"][example["search"].best_index_]
    assert chosen == example["agreement"].max() > 0.9
    assert isinstance(example["search"].best_estimator_[-1], GaussianMixture)


def test_scores_rank_as_the_agreement_does(example):
    assert np.corrcoef(example["scores"], example["agreement"])[0, 1] > 0.7


def test_the_clustering_drawn_is_the_one_chosen(example):
    found = adjusted_rand_score(example["y"], example["labels"])
    assert f"ARI {found:.2f}" in example["right"].get_title()
    best = example["left"].get_yticklabels()[0].get_text()
    assert best == example["names"][example["search"].best_index_]
