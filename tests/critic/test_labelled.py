"""Tasks from labelled data: subsets of classes and rows of one group, fixed by the seed."""

import numpy as np
import pytest
import torch
from sklearn.datasets import make_blobs

from skdeepclust.critic._labelled import LabelledSet, _draw_rows, sample_tasks


@pytest.fixture(scope="module")
def data():
    X, y = make_blobs(900, centers=12, n_features=3, random_state=0)
    return LabelledSet(X, y, y % 2)


def test_rows_are_of_few_classes_of_one_group(data):
    seen = set()
    for seed in range(40):
        rows = _draw_rows(data, np.random.RandomState(seed))
        assert len(np.unique(rows)) == len(rows) <= 400
        assert len(np.unique(data.groups[rows])) == 1
        seen.add(len(np.unique(data.y[rows])))
    assert seen == {1, 2, 3, 4, 5, 6}


def test_of_many_classes_few_are_drawn_more_often():
    y = np.arange(8_000) % 80
    many = LabelledSet(np.zeros((8_000, 2)), y, np.zeros(8_000, dtype=int))
    found = []
    for seed in range(300):
        rows = _draw_rows(many, np.random.RandomState(seed))
        found.append(len(np.unique(y[rows])))
        assert len(rows) >= 12 * found[-1] * 0.99
        assert min(200, 100 * found[-1]) <= len(rows) <= 12 * 64
    assert min(found) == 1
    assert 50 < max(found) <= 64
    # Half of the logarithms are below that of the root of 2 x 64.
    assert np.mean(np.array(found) <= 11) == pytest.approx(0.5, abs=0.1)


def test_all_rows_where_there_are_few():
    X, y = make_blobs(30, centers=2, random_state=0)
    small = LabelledSet(X, y, np.zeros(30, dtype=int))
    sizes = {len(_draw_rows(small, np.random.RandomState(seed))) for seed in range(30)}
    assert sizes == {15, 30}


def test_data_sets_take_turns(data):
    other = LabelledSet(*make_blobs(40, n_features=2, random_state=0), np.zeros(40, dtype=int))
    tasks = sample_tasks([data, other], 4, np.random.RandomState(0), n_proposals=5)
    assert [task.graph.points.shape[1] for task in tasks] == [3, 2, 3, 2]
    for task in tasks:
        assert float(task.quality[0]) == 1
        assert int(task.labels[0].min()) >= 0


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_a_seed_fixes_the_tasks(data, n_jobs):
    first = sample_tasks([data], 3, np.random.RandomState(1), 5)
    second = sample_tasks([data], 3, np.random.RandomState(1), 5, n_jobs)
    for one, other in zip(first, second, strict=True):
        assert torch.equal(one.labels, other.labels)
        assert torch.equal(one.graph.points, other.graph.points)


def test_equal_rows_are_refused():
    constant = LabelledSet(np.ones((20, 2)), np.arange(20) % 2, np.zeros(20, dtype=int))
    with pytest.raises(ValueError, match="same values in every row"):
        sample_tasks([constant], 1, np.random.RandomState(0))
