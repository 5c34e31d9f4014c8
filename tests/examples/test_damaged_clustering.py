"""A damaged clustering: the critic's score falls with the adjusted Rand index."""

import numpy as np
import pytest
from sklearn.metrics import adjusted_rand_score

KINDS = ["rows moved to a random cluster", "clusters split", "clusters merged"]


@pytest.fixture(scope="module")
def example(run_example):
    return run_example("plot_damaged_clustering.py", "damaged_clustering.png")[0]


@pytest.mark.parametrize("kind", KINDS)
def test_score_falls_with_the_damage(example, kind):
    mean = example["curves"][kind]["critic"].mean(axis=0)
    assert (np.diff(mean) < 0.03).all()
    assert mean[-1] < mean[0] - 0.3


@pytest.mark.parametrize("kind", KINDS)
def test_score_ranks_the_damaged_as_the_truth_does(example, kind):
    curves = {name: values.ravel() for name, values in example["curves"][kind].items()}
    assert np.corrcoef(curves["critic"], curves["ARI"])[0, 1] > 0.8


def test_silhouette_rises_where_moons_are_split(example):
    mean = example["curves"]["clusters split"]["silhouette"].mean(axis=0)
    assert mean[-1] > mean[0]


def test_undamaged_clusterings_are_the_truth(example):
    for figures in example["curves"].values():
        np.testing.assert_array_equal(figures["ARI"][:, 0], 1)
        assert np.ptp(figures["critic"][:, 0]) < 1e-5


def test_damages_do_what_they_are_called(example):
    y, rng = example["y"], np.random.RandomState(0)
    for n in range(7):
        assert len(set(example["split"](n, rng))) == 6 + n
    for n in range(5):
        labels = example["merge"](n, rng)
        assert len(set(labels)) == 6 - n
        assert all(len(set(labels[y == cluster])) == 1 for cluster in range(6))
    assert abs(adjusted_rand_score(y, example["move"](1.0, rng))) < 0.05
