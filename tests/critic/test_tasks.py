"""Tasks: the truth comes first, every clustering is rated, everything is reproducible."""

import numpy as np
import pytest
import torch
from sklearn.datasets import make_blobs
from sklearn.metrics import adjusted_rand_score

from skdeepclust.critic._tasks import best_overlaps, draw_tasks, graded_quality, make_task
from skdeepclust.graph import node_descriptors, population


@pytest.fixture(scope="module")
def data():
    return make_blobs(90, centers=3, cluster_std=0.8, random_state=0)


@pytest.fixture(scope="module")
def task(data):
    return make_task(*data, np.random.RandomState(0), n_proposals=10)


def test_truth_comes_first_and_all_are_rated(task, data):
    assert task.labels.shape == (10, 90)
    assert task.labels.dtype == torch.int16
    assert float(task.quality[0]) == 1
    for labels, rated in zip(task.labels.numpy(), task.quality, strict=True):
        if (labels >= 0).all():
            expected = adjusted_rand_score(data[1], labels)
            assert float(rated) == pytest.approx(expected, abs=1e-6)


def test_descriptors_are_those_of_the_clusterings(task):
    expected = node_descriptors(task.graph, population(task.labels.long()))
    torch.testing.assert_close(task.descriptors.float(), expected, rtol=2e-3, atol=2e-3)


def test_extension_keeps_what_is_there(task, data):
    more = task.extended([data[1], np.arange(90) % 4], data[1])
    assert more.labels.shape == (12, 90)
    torch.testing.assert_close(more.quality[:10], task.quality)
    assert float(more.quality[10]) == 1
    assert float(more.quality[11]) < 0.1


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_tasks_follow_from_the_seed_alone(n_jobs):
    first = draw_tasks(3, np.random.RandomState(5), ["moons", "boxes"], 6)
    second = draw_tasks(3, np.random.RandomState(5), ["moons", "boxes"], 6, n_jobs)
    for one, other in zip(first, second, strict=True):
        assert one.family == other.family
        assert one.family in ("moons", "boxes")
        torch.testing.assert_close(one.graph.points, other.graph.points)
        torch.testing.assert_close(one.labels, other.labels)


def test_many_rows_have_fewer_clusterings_where_cells_are_limited():
    given = (["gaussians"], 12)
    free = draw_tasks(12, np.random.RandomState(2), *given)
    bounded = draw_tasks(12, np.random.RandomState(2), *given, max_cells=2_000)
    for task, one in zip(free, bounded, strict=True):
        n = task.labels.shape[1]
        assert one.labels.shape == (min(12, max(8, 2_000 // n)), n)
        torch.testing.assert_close(one.labels[0], task.labels[0])
    assert {len(task.labels) for task in bounded} >= {8, 12}


class TestGradedQuality:
    def test_is_the_quality_where_there_are_several_clusters(self, task):
        assert task.target is task.quality

    def test_of_a_single_cluster_is_twice_the_share_of_joined_pairs_less_1(self):
        truth = torch.zeros(50, dtype=torch.int16)
        row = torch.arange(50)
        labels = torch.stack(
            [
                truth.long(),
                (row == 7).long(),  # one row cut off
                torch.where(row < 3, -1, 0),  # three rows alone
                row % 2,
                row,
            ]
        ).short()
        quality = torch.tensor([1.0, 0, 0, 0, 0])
        joined = [50 * 49, 49 * 48, 47 * 46, 2 * 25 * 24, 0]
        expected = [max(0.0, 2 * pairs / (50 * 49) - 1) for pairs in joined]
        found = graded_quality(truth, labels, quality)
        assert found.tolist() == pytest.approx(expected)
        assert found.dtype == torch.float32

    def test_rows_of_no_cluster_have_no_say(self):
        truth = torch.tensor([0, 0, 0, -1, -1], dtype=torch.int16)
        labels = torch.tensor([[0, 0, 0, 1, -1], [0, 0, 1, 0, 0]], dtype=torch.int16)
        found = graded_quality(truth, labels, torch.tensor([1.0, 0.0]))
        assert found.tolist() == [1, 0]


def test_best_overlaps_are_jaccard_indices_with_the_best_class():
    rng = np.random.RandomState(0)
    truth, labels = rng.randint(-1, 4, 50), rng.randint(-1, 5, (3, 50))
    found = best_overlaps(population(torch.from_numpy(labels)), torch.from_numpy(truth))
    expected = []
    for clustering in labels:
        for cluster in range(5):
            members = (clustering == cluster) & (truth >= 0)
            classes = [truth == c for c in range(4)]
            expected.append(max((members & c).sum() / (members | c).sum() for c in classes))
    np.testing.assert_allclose(found.numpy(), expected, rtol=1e-6)


def test_clusters_of_the_truth_are_perfect(task):
    assert (task.cluster_quality[:3] == 1).all()
    assert (task.cluster_quality[3:] < 1).any()
