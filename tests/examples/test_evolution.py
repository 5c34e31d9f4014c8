"""The evolution: the score never falls, and the truth is found on the way."""

import numpy as np
import pytest
from sklearn.metrics import adjusted_rand_score


@pytest.fixture(scope="module")
def run(run_example):
    return run_example("plot_evolution.py", "evolution.png", "evolution.gif")


@pytest.fixture(scope="module")
def example(run):
    return run[0]


def test_there_is_a_clustering_of_every_generation(example):
    assert len(example["path"]) == len(example["history"]["best"]) == 31
    assert len(set(example["history"]["best"])) > 8  # as many as are drawn


def test_path_has_the_scores_of_the_history(example):
    scores = example["critic"].score_clusterings(example["X"], np.array(example["path"]))
    np.testing.assert_allclose(scores, example["history"]["best"], atol=1e-5)
    assert (np.diff(example["history"]["best"]) >= 0).all()


def test_search_finds_the_truth(example):
    assert example["agreement"][0] < 0.6
    assert example["agreement"][-1] > 0.95
    found = adjusted_rand_score(example["y"], example["path"][-1])
    assert found == pytest.approx(example["agreement"][-1])


def test_names_do_not_change_the_clusters(example):
    rename = example["rename"]
    labels, after = np.array([0, 0, 1, 1, 2, 2, 2]), np.array([5, 5, 5, 2, 2, 2, 2])
    renamed = rename(labels, after)
    assert adjusted_rand_score(labels, renamed) == 1
    assert renamed.tolist() == [5, 5, 0, 0, 2, 2, 2]


def test_animation_has_a_frame_for_every_generation(run):
    image = pytest.importorskip("PIL.Image")
    with image.open(run[1] / "evolution.gif") as animation:
        assert animation.format == "GIF"
        assert 31 <= animation.n_frames <= 41
