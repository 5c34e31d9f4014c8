"""Cluster centres against loops and cdist."""

import numpy as np
import pytest
import torch
from scipy.spatial.distance import cdist

from skdeepclust.training import EmbeddedRows, assign, class_sums, place_centers
from skdeepclust.training import _centers as module
from skdeepclust.training._centers import class_means, find_centers


def make_blobs(k=4, n=120, d=3, seed=0):
    rng = np.random.RandomState(seed)
    codes = rng.permutation(np.arange(n) % k)
    corners = 10 * np.eye(max(k, d))[:k, :d] - 10 * np.eye(max(k, d))[:k, d:].sum(1, keepdims=True)
    return (corners[codes] + rng.standard_normal((n, d))).astype(np.float32), codes


def naive_means(embedding, wanted):
    Y = np.eye(wanted.max() + 1)[wanted] if wanted.ndim == 1 else wanted
    return np.array([np.average(embedding, axis=0, weights=w) for w in Y.T])


@pytest.mark.parametrize("kind", ["codes", "one-hot", "soft"])
def test_class_means_equal_weighted_averages(kind):
    embedding, codes = make_blobs()
    soft = np.random.RandomState(0).random_sample((120, 5))
    wanted = {"codes": codes, "one-hot": np.eye(4)[codes], "soft": soft}[kind]
    found = class_means(embedding, wanted)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, naive_means(embedding, wanted), rtol=1e-5, atol=1e-5)


def test_codes_and_one_hot_have_the_same_sums():
    embedding, codes = make_blobs()
    sums, weights = class_sums(embedding, codes, 6)
    again, same = class_sums(embedding, np.eye(6)[codes], 6)
    assert sums.shape == (6, 3)
    np.testing.assert_allclose(sums, again, rtol=1e-12)
    np.testing.assert_array_equal(weights, same)
    np.testing.assert_array_equal(weights, [30, 30, 30, 30, 0, 0])


@pytest.mark.parametrize("kind", ["codes", "soft"])
def test_means_of_some_rows_in_parts(monkeypatch, kind):
    embedding, codes = make_blobs()
    soft = np.random.RandomState(0).random_sample((120, 5))
    wanted = {"codes": codes, "soft": soft}[kind]
    order = np.random.RandomState(1).permutation(120)[:70]
    expected = naive_means(embedding[order], wanted[order])
    monkeypatch.setattr(module, "_PART_ROWS", 9)
    rows = EmbeddedRows(lambda indices: torch.from_numpy(embedding[indices]), 120, 3)
    for source in (embedding, rows):
        found = class_means(source, wanted[order], indices=order)
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)


def test_of_very_many_rows_a_sample_finds_another_number_of_clusters(monkeypatch):
    embedding, codes = make_blobs(k=4, n=400)
    monkeypatch.setattr(module, "_MAX_SAMPLE_BYTES", 200 * 4 * 3)
    rows = EmbeddedRows(lambda indices: torch.from_numpy(embedding[indices]), 400, 3)
    sizes = []
    monkeypatch.setattr(
        module, "find_centers", lambda some, *others: sizes.append(some.shape) or some[:2]
    )
    place_centers(rows, codes, np.arange(400), 2, np.random.RandomState(0), False)
    assert sizes == [(200, 3)]


def test_sums_are_accumulated_in_double_precision():
    embedding = np.full((100_000, 1), 0.1, dtype=np.float32)
    sums, _ = class_sums(embedding, np.zeros(100_000, dtype=np.int64), 1)
    assert sums[0, 0] == pytest.approx(100_000 * float(np.float32(0.1)), rel=1e-10)


def test_mean_of_a_class_without_rows_is_finite():
    embedding, codes = make_blobs()
    np.testing.assert_array_equal(class_means(embedding, 2 * codes)[[1, 3, 5]], 0)


def test_more_clusters_than_classes_grow_from_far_rows():
    embedding, codes = make_blobs(5, d=5)
    means = naive_means(embedding, codes).astype(np.float32)
    found = find_centers(embedding, means[:3], 5, np.random.RandomState(0))
    np.testing.assert_allclose(found[:3], means[:3], atol=1e-4)
    assert cdist(means[3:], found[3:]).min(axis=1).max() < 1e-4


def test_fewer_clusters_than_classes_merge_close_ones():
    embedding, codes = make_blobs(4)
    embedding[codes == 1] -= embedding[codes == 1].mean(0) - embedding[codes == 0].mean(0)
    means = naive_means(embedding, codes).astype(np.float32)
    found = find_centers(embedding, means, 3, np.random.RandomState(0))
    assert found.shape == (3, 3)
    assert cdist(naive_means(embedding, np.maximum(codes - 1, 0)), found).min(axis=1).max() < 1e-4


@pytest.mark.parametrize("n_clusters", [1, 3, 4, 7, 120])
def test_there_are_as_many_centres_as_wanted(n_clusters):
    embedding, codes = make_blobs()
    means = naive_means(embedding, codes).astype(np.float32)
    found = find_centers(embedding, means, n_clusters, np.random.RandomState(0))
    again = find_centers(embedding, means, n_clusters, np.random.RandomState(0))
    assert found.shape == (n_clusters, 3)
    assert np.isfinite(found).all()
    np.testing.assert_array_equal(found, again)


@pytest.mark.parametrize("n_clusters", [None, 4])
def test_centres_of_known_classes_are_their_means(n_clusters):
    embedding, codes = make_blobs()
    indices = np.arange(0, 120, 2)
    found = place_centers(
        embedding, codes[indices], indices, n_clusters, np.random.RandomState(0), False
    )
    np.testing.assert_allclose(found, naive_means(embedding[indices], codes[indices]), rtol=1e-5)


@pytest.mark.parametrize("n_clusters", [2, 6])
def test_place_centers_finds_another_number_of_clusters(n_clusters):
    embedding, codes = make_blobs()
    found = place_centers(
        embedding, codes, np.arange(120), n_clusters, np.random.RandomState(0), False
    )
    assert found.shape == (n_clusters, 3)


def test_kmeans_has_the_last_word_on_guesses():
    embedding, codes = make_blobs()
    guesses = np.where(np.arange(120) < 10, (codes + 1) % 4, codes)
    found = place_centers(embedding, guesses, np.arange(120), None, np.random.RandomState(0), True)
    np.testing.assert_allclose(found, naive_means(embedding, codes), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("d", [1, 3, 40])
@pytest.mark.parametrize("k", [1, 2, 9])
def test_assign_equals_cdist(d, k):
    rng = np.random.RandomState(0)
    embedding, centers = rng.standard_normal((200, d)), rng.standard_normal((k, d))
    labels, squared = assign(torch.from_numpy(embedding), torch.from_numpy(centers))
    expected = cdist(embedding, centers, "sqeuclidean")
    np.testing.assert_array_equal(labels, expected.argmin(axis=1))
    np.testing.assert_allclose(squared, expected.min(axis=1), rtol=1e-9, atol=1e-12)


def test_squared_distances_are_never_negative():
    centers = torch.randn(5, 30, generator=torch.Generator().manual_seed(0))
    labels, squared = assign(centers, centers)
    np.testing.assert_array_equal(labels, np.arange(5))
    assert squared.min() >= 0
    assert squared.max() < 1e-4
