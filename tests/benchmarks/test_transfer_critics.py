"""Critics that learn from images in three ways."""

import importlib

import numpy as np
import pytest
import torch
from sklearn.datasets import make_blobs

from skdeepclust import ClusteringCritic

_TRAINING = {"n_tasks": 2, "n_proposals": 5, "max_epochs": 1, "adversarial_rounds": 0}


@pytest.fixture(scope="module")
def critics(benchmark_path):
    return importlib.import_module("transfer_critics")


@pytest.fixture(scope="module")
def data():
    return make_blobs(60, centers=3, random_state=0)


@pytest.fixture(scope="module")
def base(data):
    return ClusteringCritic(**_TRAINING, hidden_dim=8, random_state=5).fit(*data)


def _weights(critic):
    return torch.cat([w.flatten() for w in critic.network_.state_dict().values()])


def test_paper_configuration_has_the_objectives_of_the_paper_alone(critics):
    plan = critics.PaperCritic(**critics.VARIANTS[critics.PAPER])._plan()
    assert (plan.ranking, plan.regression, plan.clusters) == (0.0, 0.0, 0.0)
    assert plan.wasserstein > 0
    assert plan.reconstruction > 0


def test_variants_start_where_they_should(critics, data, base):
    before = _weights(base).clone()
    made = {v: critics.train_on_images(v, base, *data, 0, _TRAINING) for v in critics.VARIANTS}
    torch.testing.assert_close(_weights(base), before, rtol=0, atol=0)
    assert made[critics.PAPER].network_.encoder.kind == "complete"
    assert made[critics.SCRATCH].network_.encoder.kind == "knn"
    went_on = _weights(made[critics.TRAINED_ON])
    assert went_on.shape == before.shape  # of the small network that it starts from
    assert 0 < (went_on - before).abs().max() < 0.05
    assert len(_weights(made[critics.SCRATCH])) > len(before)


def test_seed_determines_the_critic(critics, data, base):
    first, again, other = (
        critics.train_on_images(critics.SCRATCH, base, *data, seed, _TRAINING) for seed in (0, 0, 1)
    )
    labels = [data[1], np.zeros(60, dtype=int)]
    scores = [critic.score_clusterings(data[0], labels) for critic in (first, again, other)]
    np.testing.assert_array_equal(scores[0], scores[1])
    assert np.abs(scores[0] - scores[2]).max() > 1e-6
