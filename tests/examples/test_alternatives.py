"""Alternatives: both answers are among what was found."""

import numpy as np
import pytest
from sklearn.metrics import adjusted_rand_score


@pytest.fixture(scope="module")
def example(run_example):
    return run_example("plot_alternatives.py", "alternatives.png")[0]


@pytest.mark.parametrize(
    ("first", "last", "truth", "least"), [(0, 0, "coarse", 1), (1, 5, "fine", 0.9)]
)
def test_both_answers_are_shown(example, first, last, truth, least):
    shown = list(example["found"].values())[first : last + 1]
    labels, score = max(shown, key=lambda one: adjusted_rand_score(example[truth], one[0]))
    assert adjusted_rand_score(example[truth], labels) >= least
    assert labels.max() == example[truth].max()
    assert score > 0.85


def test_scores_are_those_of_the_critic(example):
    critic = example["clusterer"].critic_
    for labels, score in example["found"].values():
        assert critic.score_clustering(example["X"], labels) == pytest.approx(score, abs=1e-5)


def test_the_clusterings_differ(example):
    labelings = [labels for labels, _ in example["found"].values()]
    for i, first in enumerate(labelings):
        assert all(adjusted_rand_score(first, other) < 1 for other in labelings[:i])
    assert np.shape(labelings)[1] == 360
