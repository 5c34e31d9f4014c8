"""The score of a search: the critic's, and less for a row by itself."""

import pickle

import numpy as np
import pytest
import torch

from skdeepclust import ClusteringCritic
from skdeepclust._penalized_score import PenalizedScore, without_penalty
from skdeepclust.critic._geometry import measure_points
from skdeepclust.critic._judging import judge
from skdeepclust.search import ScoredClustering

X = np.random.RandomState(0).standard_normal((30, 3))


@pytest.fixture(scope="module")
def score():
    network = ClusteringCritic.from_pretrained().network_
    return PenalizedScore(network, measure_points(X), torch.device("cpu"))


@pytest.fixture(scope="module")
def labelings():
    whole, halves, pairs = np.zeros(30, dtype=int), np.arange(30) % 2, np.arange(30) // 2
    alone = np.r_[0, np.ones(29, dtype=int)]
    return np.stack([whole, halves, alone, pairs, np.where(alone, halves, 2)])


def test_a_row_by_itself_costs_one(score, labelings):
    own = ClusteringCritic.from_pretrained().score_clusterings(X, labelings)
    np.testing.assert_allclose(own - score(labelings), [0, 0, 1, 0, 1], atol=1e-6)


@pytest.mark.parametrize(("n", "expected"), [(499, [0, 0]), (500, [1, 0])])
def test_so_do_four_of_very_many(n, expected):
    points = np.random.RandomState(1).standard_normal((n, 2))
    labelings = np.stack([np.where(np.arange(n) < size, 0, 1) for size in (4, 5)])
    network, graph = ClusteringCritic.from_pretrained().network_, measure_points(points)
    found = PenalizedScore(network, graph, torch.device("cpu"))(labelings)
    penalties = judge(network, graph, labelings).scores - found
    assert penalties.tolist() == pytest.approx(expected)


def test_so_do_two_of_many_rows():
    points = np.random.RandomState(1).standard_normal((50, 2))
    two, three = (np.where(np.arange(50) < size, 0, 1) for size in (2, 3))
    for n, expected in ((49, [0, 0]), (50, [1, 0])):
        labelings = np.stack([two[:n], three[:n]])
        network = ClusteringCritic.from_pretrained().network_
        found = PenalizedScore(network, measure_points(points[:n]), torch.device("cpu"))(labelings)
        own = ClusteringCritic.from_pretrained().score_clusterings(points[:n], labelings)
        np.testing.assert_allclose(own - found, expected, atol=1e-6)


def test_the_penalty_can_be_taken_off(score, labelings):
    own = ClusteringCritic.from_pretrained().score_clusterings(X, labelings)
    for labels, value, expected in zip(labelings, score(labelings), own, strict=True):
        found = without_penalty(ScoredClustering(labels, value))
        assert found.labels is labels
        assert found.score == pytest.approx(expected, abs=1e-6)


def test_scores_go_to_other_processes(score, labelings):
    twin = pickle.loads(pickle.dumps(score))
    np.testing.assert_array_equal(twin(labelings), score(labelings))
