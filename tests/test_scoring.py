"""What a fitted critic says of clusterings, and what it refuses."""

import pickle

import numpy as np
import pytest
from sklearn.datasets import make_blobs, make_moons
from sklearn.exceptions import NotFittedError

from skdeepclust import ClusteringCritic


@pytest.fixture(scope="module")
def blobs():
    return make_blobs(240, centers=6, n_features=3, cluster_std=0.8, random_state=3)


@pytest.fixture(scope="module")
def critic(blobs):
    critic = ClusteringCritic(
        n_tasks=4, n_proposals=6, max_epochs=1, adversarial_rounds=0, hidden_dim=8, random_state=0
    )
    return critic.fit(*blobs)


def test_batches_and_single_clusterings_agree(critic, blobs):
    X, y = blobs
    labelings = [y, y % 3, y % 2]
    scores = critic.score_clusterings(X, labelings)
    assert scores.shape == (3,)
    assert scores.dtype == np.float64
    alone = [critic.score_clustering(X, labels) for labels in labelings]
    np.testing.assert_allclose(scores, alone, rtol=1e-5)
    np.testing.assert_array_equal(critic.score_clusterings(X, np.array(labelings)), scores)
    np.testing.assert_array_equal(critic.score_clusterings(X, iter(labelings)), scores)


def test_rank_is_the_order_of_the_scores(critic, blobs):
    X, y = blobs
    labelings = [y % 2, y, y % 3, y]
    order, scores = critic.rank(X, labelings), critic.score_clusterings(X, labelings)
    assert (np.diff(scores[order]) <= 0).all()
    assert list(order).index(1) < list(order).index(3)


def test_data_of_other_dimensions(critic):
    X, y = make_moons(60, random_state=0)
    assert np.isfinite(critic.score_clustering(X, y))
    assert np.isfinite(critic.score_clustering(X[:, :1], y))


def test_names_of_labels_do_not_matter(critic, blobs):
    X, y = blobs
    expected = critic.score_clustering(X, y)
    for names in (y.astype(str), 10 - y, y.astype(float), y.astype(object), list(y)):
        assert critic.score_clustering(X, names) == pytest.approx(expected, rel=1e-6)


def test_noise_is_understood(critic, blobs):
    X, y = blobs
    noise = np.arange(240) % 5 == 0
    with_noise = critic.score_clustering(X, np.where(noise, -1, y))
    assert with_noise != critic.score_clustering(X, y)
    objects = np.where(noise, None, y)
    assert critic.score_clustering(X, objects) == with_noise


def test_embedding_has_one_size_for_all(critic, blobs):
    X, y = blobs
    moons, sides = make_moons(50, random_state=0)
    first, second = critic.embed(X, y), critic.embed(moons, sides)
    assert first.shape == second.shape == (critic.network_.encoder.embedding_dim,)
    assert np.isfinite(first).all()


def test_clusters_have_scores_in_the_order_of_their_labels(critic, blobs):
    X, y = blobs
    found = critic.score_clusters(X, y)
    assert found.shape == (6,)
    swapped = critic.score_clusters(X, 5 - y)
    np.testing.assert_allclose(swapped, found[::-1], rtol=1e-5)
    assert critic.score_clusters(X, np.where(y == 0, -1, y)).shape == (5,)


def test_large_data_are_judged_by_a_sample(critic, monkeypatch):
    monkeypatch.setattr("skdeepclust._scoring._MAX_ROWS", 100)
    X, y = make_blobs(400, centers=[[0, 0], [9, 9]], random_state=0)
    y[np.random.RandomState(0).permutation(400)[100]] = 2  # not in the sample
    assert critic.score_clustering(X, y) == critic.score_clustering(X, np.minimum(y, 1))
    scores = critic.score_clusters(X, y)
    assert np.isnan(scores[2])
    assert np.isfinite(scores[:2]).all()


def test_not_fitted(blobs):
    with pytest.raises(NotFittedError):
        ClusteringCritic().score_clustering(*blobs)


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (np.zeros(7), "labels has 7 labels, but X has 8 rows"),
        (np.full(8, -1), "labels has no cluster"),
        (np.arange(8), "cluster of its own"),
        (np.array([0, 1, np.nan, 0, 1, 0, 1, 0]), "contains NaN"),
        (np.zeros((8, 2)), r"has shape \(8, 2\)"),
    ],
)
def test_bad_labels_are_refused(critic, labels, message):
    with pytest.raises(ValueError, match=message):
        critic.score_clustering(np.arange(16.0).reshape(8, 2), labels)


def test_a_bad_clustering_among_several_is_named(critic):
    labelings = [[0, 0, 1, 1], [0, 1], [0, 1, 0, 1]]
    with pytest.raises(ValueError, match=r"labelings\[1\] has 2 labels, but X has 4 rows"):
        critic.score_clusterings(np.eye(4), labelings)


@pytest.mark.parametrize("labelings", [[], {}, "ab", 3])
def test_no_clusterings_are_refused(critic, labelings):
    with pytest.raises((ValueError, TypeError)):
        critic.score_clusterings(np.eye(4), labelings)


@pytest.mark.parametrize(
    ("X", "message"),
    [
        (np.full((4, 2), np.nan), "NaN"),
        (np.empty((4, 0)), r"0 feature\(s\)"),
        (np.ones((4, 2)), "same values in every row"),
        (np.ones((1, 2)), "minimum of 2"),
        (np.ones(4), "2D array"),
    ],
)
def test_bad_data_are_refused(critic, X, message):
    with pytest.raises(ValueError, match=message):
        critic.score_clustering(X, [0, 0, 1, 1][: len(X)])


def test_pickles_score_alike(critic, blobs):
    again = pickle.loads(pickle.dumps(critic))
    assert again.score_clustering(*blobs) == critic.score_clustering(*blobs)
