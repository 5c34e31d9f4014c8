"""Proposed clusterings: different, valid, of all qualities; and their adjusted Rand index."""

import numpy as np
import pytest
from sklearn.metrics import adjusted_rand_score

from skdeepclust.critic import draw_dataset, propose_clusterings, quality


def make_blobs(n=90, k=3, p=2, seed=0):
    rng = np.random.RandomState(seed)
    y = rng.permutation(np.arange(n) % k)
    centers = np.zeros((k, p))
    centers[:, 0] = 12 * np.arange(k)
    return centers[y] + rng.standard_normal((n, p)), y


def same_partition(a, b):
    return adjusted_rand_score(a, b) == 1.0


def assert_canonical(labels, n):
    assert labels.shape == (n,)
    assert labels.dtype == np.int64
    names, first = np.unique(labels[labels >= 0], return_index=True)
    np.testing.assert_array_equal(names, np.arange(len(names)))
    assert (np.diff(first) > 0).all()
    assert labels.min() >= -1


@pytest.mark.parametrize("with_truth", [True, False])
def test_proposals_are_canonical_and_different(with_truth):
    for seed in range(4):
        dataset = draw_dataset(np.random.RandomState(seed))
        y = dataset.y if with_truth else None
        proposals = propose_clusterings(dataset.X, np.random.RandomState(seed), y)
        assert len(proposals) == 24
        for labels in proposals:
            assert_canonical(labels, len(dataset.X))
        assert len({labels.tobytes() for labels in proposals}) == 24
        assert any((labels == 0).all() for labels in proposals)


def test_truth_comes_first_and_others_are_of_all_qualities():
    X, y = make_blobs(150, 5)
    proposals = propose_clusterings(X, np.random.RandomState(0), y, 60)
    assert same_partition(proposals[0], y)
    scores = quality(y, proposals)
    assert scores[0] == 1
    assert (scores[1:] < 1).all()
    for low, high in [(-0.2, 0.2), (0.2, 0.6), (0.6, 0.9), (0.9, 1.0)]:
        assert ((scores >= low) & (scores < high)).any()
    assert len({labels.max() for labels in proposals}) > 5


def test_noise_is_no_sign_of_the_truth():
    X, y = make_blobs(120)
    y[:6] = -1
    proposals = propose_clusterings(X, np.random.RandomState(0), y, 40)
    assert (proposals[0] == -1).sum() == 6
    scores = quality(y, proposals)
    assert (scores == 1).sum() >= 2  # with noise and without
    with_noise = [s for s, labels in zip(scores, proposals, strict=True) if -1 in labels]
    assert min(with_noise) < 0.9


def test_proposals_are_reproducible():
    X, y = make_blobs()
    global_state = np.random.get_state()[1].copy()
    first, second = (propose_clusterings(X, np.random.RandomState(3), y) for _ in range(2))
    np.testing.assert_array_equal(first, second)
    np.testing.assert_array_equal(np.random.get_state()[1], global_state)


@pytest.mark.parametrize("kind", ["constant", "duplicates", "few", "one feature", "wide", "huge"])
def test_awkward_data(kind):
    X, y = make_blobs(60)
    if kind == "constant":
        X = np.zeros((40, 3))
    elif kind == "duplicates":
        X = np.round(X / 6)
    elif kind == "few":
        X = X[:4]
    elif kind == "one feature":
        X = X[:, :1]
    elif kind == "wide":
        X = np.random.RandomState(0).standard_normal((20, 200))
    else:
        X = 1e6 * (X + 50)
    for labels in propose_clusterings(X, np.random.RandomState(0), y[: len(X)], 40):
        assert_canonical(labels, len(X))
    assert len(propose_clusterings(X, np.random.RandomState(0), n_proposals=4)) >= 2


def test_quality_equals_adjusted_rand_score_without_noise():
    rng = np.random.RandomState(0)
    y = rng.randint(4, size=50)
    labelings = [rng.randint(k, size=50) for k in (1, 2, 5, 20)] + [y, np.arange(50)]
    expected = [adjusted_rand_score(y, labels) for labels in labelings]
    np.testing.assert_allclose(quality(y, labelings), expected, atol=1e-12)


def test_quality_leaves_out_noise_of_the_truth():
    y = np.array([0, 0, 0, 1, 1, 1, -1, -1])
    np.testing.assert_allclose(
        quality(y, [[1, 1, 1, 0, 0, 0, 0, 1], [0, 0, 0, 1, 1, 1, -1, 2]]), 1.0
    )


def test_quality_takes_noise_of_a_clustering_as_single_rows():
    y = np.repeat([0, 1, 2], 10)
    noise = np.where(y == 2, -1, y)
    alone = np.where(y == 2, 100 + np.arange(30), y)
    assert quality(y, [noise])[0] == pytest.approx(adjusted_rand_score(y, alone))
    assert quality(y, [noise])[0] < 0.9
    assert quality(y, [np.full(30, -1)])[0] == 0


def test_quality_of_answers_to_no_structure():
    y = np.zeros(20, dtype=int)
    noise = np.where(np.arange(20) < 1, -1, 0)
    np.testing.assert_allclose(quality(y, [y, np.arange(20) % 2, noise]), [1, 0, 0])
