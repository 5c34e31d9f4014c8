"""Proposed clusterings: different, valid, of all qualities; and their adjusted Rand index."""

import numpy as np
import pytest
from sklearn.metrics import adjusted_rand_score

from skdeepclust.critic import _view as view_module
from skdeepclust.critic import draw_dataset, propose_clusterings, quality
from skdeepclust.critic._algorithms import ALGORITHMS
from skdeepclust.critic._damage import DAMAGES, complete_noise, smooth
from skdeepclust.critic._view import DataView


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


@pytest.mark.parametrize("name", ALGORITHMS)
def test_algorithms_find_easy_clusters(name):
    X, y = make_blobs(120)
    view = DataView(X, np.random.RandomState(0))
    found = [ALGORITHMS[name](view, np.random.RandomState(seed), 3) for seed in range(8)]
    assert all(labels.shape == (120,) for labels in found)
    assert quality(y, found).max() > 0.95


def test_costly_algorithms_see_a_part_of_the_rows(monkeypatch):
    monkeypatch.setattr(view_module, "_MAX_COSTLY_ROWS", 60)
    monkeypatch.setattr(view_module, "_MAX_DENSE_ROWS", 40)
    X, y = make_blobs(300)
    view = DataView(X, np.random.RandomState(0))
    assert len(view.few) == 60
    np.testing.assert_array_equal(view.extend(y[view.costly]), y)
    for name in ("ward", "spectral", "hdbscan", "birch", "mixture_full"):
        found = [ALGORITHMS[name](view, np.random.RandomState(seed), 3) for seed in range(6)]
        assert quality(y, found).max() > 0.95


def test_view_of_many_features_keeps_distances():
    rng = np.random.RandomState(0)
    X = rng.standard_normal((30, 5)) @ rng.standard_normal((5, 60))
    view = DataView(X, rng)
    assert view.X.shape == (30, 32)
    ratio = np.linalg.norm(view.X[1:] - view.X[0], axis=1) / np.linalg.norm(X[1:] - X[0], axis=1)
    np.testing.assert_allclose(ratio, ratio[0])


@pytest.mark.parametrize("name", DAMAGES)
def test_damages_change_labels_and_not_their_input(name):
    X, y = make_blobs(120, 4)
    view = DataView(X + 4 * np.random.RandomState(1).standard_normal(X.shape), rng0())
    before = y.copy()
    found = [DAMAGES[name](view, np.random.RandomState(seed), y) for seed in range(6)]
    np.testing.assert_array_equal(y, before)
    assert all(labels.shape == y.shape for labels in found)
    assert any(not np.array_equal(labels, y) for labels in found)
    assert 0 < quality(y, found).mean() < 1


def rng0():
    return np.random.RandomState(0)


@pytest.mark.parametrize("name", DAMAGES)
def test_damages_of_a_single_cluster(name):
    X, _ = make_blobs(40)
    labels = DAMAGES[name](DataView(X, rng0()), rng0(), np.zeros(40, dtype=np.int64))
    assert labels.shape == (40,)


def test_merges_and_splits_change_the_number_of_clusters():
    X, y = make_blobs(120, 4)
    view = DataView(X, rng0())
    counts = {
        name: len(np.unique(DAMAGES[name](view, rng0(), y)))
        for name in ("merge_nearest", "merge_random", "dissolve", "split_hyperplane", "split_all")
    }
    assert counts["merge_nearest"] == counts["dissolve"] == 3
    assert counts["merge_random"] < 4
    assert counts["split_hyperplane"] == 5
    assert counts["split_all"] == 8


def test_smoothing_mends_scattered_errors():
    X, y = make_blobs(120)
    wrong = y.copy()
    wrong[:10] = (y[:10] + 1) % 3
    view = DataView(X, rng0())
    np.testing.assert_array_equal(smooth(view, wrong), y)
    np.testing.assert_array_equal(smooth(view, y, 3), y)


def test_completed_noise_joins_the_nearest_cluster():
    X, y = make_blobs(90)
    labels = np.where(np.arange(90) < 20, -1, y)
    np.testing.assert_array_equal(complete_noise(DataView(X, rng0()), labels), y)


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
