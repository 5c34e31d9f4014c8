"""Tests of the retrieval metrics against slow, obvious versions of themselves."""

from __future__ import annotations

import numpy as np
import pytest

from skdeepclust import _retrieval
from skdeepclust.metrics import map_at_r, recall_at_k

METRICS = ["cosine", "euclidean"]


def slow_ranking(embedding, row, metric):
    """Other rows from near to far; of equally near ones, the first comes first."""
    x = np.asarray(embedding, dtype=np.float64)
    others = [j for j in range(len(x)) if j != row]
    if metric == "euclidean":
        distances = [float(((x[row] - x[j]) ** 2).sum()) for j in others]
    else:
        unit = [v / np.linalg.norm(v) if v.any() else v for v in x]
        distances = [-float((unit[row] * unit[j]).sum()) for j in others]
    return [j for _, j in sorted(zip(distances, others, strict=True))]


def slow_recall_at_k(embedding, labels, k, metric):
    found = []
    for i in range(len(labels)):
        if sum(label == labels[i] for label in labels) > 1:
            nearest = slow_ranking(embedding, i, metric)[:k]
            found.append(any(labels[j] == labels[i] for j in nearest))
    return sum(found) / len(found)


def slow_map_at_r(embedding, labels, metric):
    values = []
    for i in range(len(labels)):
        n_relevant = sum(label == labels[i] for label in labels) - 1
        if n_relevant:
            value, n_found = 0.0, 0
            for rank, j in enumerate(slow_ranking(embedding, i, metric)[:n_relevant], start=1):
                if labels[j] == labels[i]:
                    n_found += 1
                    value += n_found / rank
            values.append(value / n_relevant)
    return sum(values) / len(values)


def random_case(seed, n=60, d=5, n_classes=6):
    """Random rows whose classes overlap; two rows are alone in their class."""
    rng = np.random.RandomState(seed)
    labels = rng.randint(n_classes, size=n)
    labels[[3, n - 2]] = [n_classes, n_classes + 1]
    return rng.normal(size=(n, d)) + 0.7 * rng.normal(size=(n_classes + 2, d))[labels], labels


def tied_case(seed, n=40):
    """Rows on a coarse grid in the plane: duplicates, zeros and many exact ties."""
    rng = np.random.RandomState(seed)
    return rng.randint(-2, 3, size=(n, 2)).astype(float), rng.randint(4, size=n)


@pytest.fixture(params=[1, 7, 1000])
def rows_per_block(request, monkeypatch):
    def set_for(n):
        monkeypatch.setattr(_retrieval, "_BLOCK_CELLS", request.param * n)

    return set_for


@pytest.mark.parametrize("metric", METRICS)
class TestRetrieval:
    @pytest.mark.parametrize("dtype", [np.float64, np.float32])
    @pytest.mark.parametrize("seed", range(3))
    def test_equals_the_slow_version(self, seed, dtype, metric, rows_per_block):
        embedding, labels = random_case(seed)
        rows_per_block(len(labels))
        ks = (1, 2, 4, 8, 59)
        expected = [slow_recall_at_k(embedding, labels, k, metric) for k in ks]
        recall = recall_at_k(embedding.astype(dtype), labels, ks, metric=metric)
        np.testing.assert_allclose(recall, expected, rtol=1e-12)
        assert map_at_r(embedding.astype(dtype), labels, metric=metric) == pytest.approx(
            slow_map_at_r(embedding, labels, metric), rel=1e-12
        )

    @pytest.mark.parametrize("seed", range(3))
    def test_duplicates_are_tied_in_every_block_size(self, seed, metric, rows_per_block):
        distinct, _ = random_case(seed, n=20)
        rng = np.random.RandomState(seed)
        embedding, labels = distinct[rng.randint(20, size=90)], rng.randint(5, size=90)
        rows_per_block(len(labels))
        for k in (1, 3, 10):
            expected = slow_recall_at_k(embedding, labels, k, metric)
            assert recall_at_k(embedding, labels, k, metric=metric) == pytest.approx(expected)
        expected = slow_map_at_r(embedding, labels, metric)
        assert map_at_r(embedding, labels, metric=metric) == pytest.approx(expected)

    def test_all_rows_equal(self, metric, rows_per_block):
        embedding, labels = np.ones((9, 3)), np.repeat([0, 1, 2], 3)
        rows_per_block(9)
        # Everybody's nearest rows are the first ones: those of class 0.
        assert recall_at_k(embedding, labels, metric=metric) == pytest.approx(3 / 9)
        assert map_at_r(embedding, labels, metric=metric) == pytest.approx(3 / 9)

    def test_perfect_and_hopeless_embeddings(self, metric):
        corners = np.eye(4)[[0, 1, 2, 3, 0, 1, 2, 3]]
        assert recall_at_k(corners, [0, 1, 2, 3] * 2, metric=metric) == 1.0
        assert map_at_r(corners, [0, 1, 2, 3] * 2, metric=metric) == 1.0
        assert recall_at_k(corners, [0, 1, 2, 3, 1, 2, 3, 0], metric=metric) == 0.0
        assert map_at_r(corners, [0, 1, 2, 3, 1, 2, 3, 0], metric=metric) == 0.0

    def test_bounds_and_growth_with_k(self, metric):
        embedding, labels = random_case(5)
        recall = recall_at_k(embedding, labels, range(1, 60), metric=metric)
        assert recall.dtype == np.float64
        assert recall.shape == (59,)
        assert (np.diff(recall) >= 0).all()
        assert 0 <= recall[0] <= recall[-1] == 1.0
        assert 0 <= map_at_r(embedding, labels, metric=metric) <= recall[-1]

    def test_equals_recall_at_1_for_pairs(self, metric):
        embedding, _ = random_case(6)
        labels = np.repeat(np.arange(30), 2)
        assert map_at_r(embedding, labels, metric=metric) == pytest.approx(
            recall_at_k(embedding, labels, 1, metric=metric)
        )

    @pytest.mark.parametrize("score", [recall_at_k, map_at_r])
    def test_invariances(self, score, metric):
        embedding, labels = random_case(7)
        expected = score(embedding, labels, metric=metric)
        rng = np.random.RandomState(0)
        order = rng.permutation(len(labels))
        rotation = np.linalg.qr(rng.normal(size=(5, 5)))[0]
        names = np.array(list("hgfedcba"))[labels]
        one_sided = rng.uniform(0.1, 9, size=(60, 1)) if metric == "cosine" else 3.7
        shift = 0.0 if metric == "cosine" else 100.0
        for other in (
            score(embedding[order], labels[order], metric=metric),
            score(embedding, names, metric=metric),
            score(embedding @ rotation, labels, metric=metric),
            score(embedding * one_sided + shift, labels, metric=metric),
            score(embedding * 1e-200, labels, metric=metric),
            score(embedding * 1e200, labels, metric=metric),
        ):
            assert other == pytest.approx(expected, abs=1e-12)

    def test_rows_alone_are_no_queries_but_answers(self, metric):
        embedding = np.array([[1.0, 0.0], [1.0, 0.3], [1.0, 0.1]])
        assert recall_at_k(embedding, ["a", "a", "alone"], metric=metric) == 0.0
        assert recall_at_k(embedding, ["a", "a", "alone"], 2, metric=metric) == 1.0
        assert map_at_r(embedding, ["a", "a", "alone"], metric=metric) == 0.0

    def test_k_decides_the_type(self, metric):
        embedding, labels = random_case(8)
        one = recall_at_k(embedding, labels, np.int64(2), metric=metric)
        assert type(one) is float
        several = recall_at_k(embedding, labels, [4, 2], metric=metric)
        assert several[1] == one <= several[0]
        assert recall_at_k(embedding, labels, [2], metric=metric).shape == (1,)

    def test_leaves_its_input_alone(self, metric):
        embedding, labels = random_case(9)
        before = embedding.copy()
        map_at_r(embedding, labels, metric=metric)
        np.testing.assert_array_equal(embedding, before)


@pytest.mark.parametrize("seed", range(4))
def test_exact_ties_on_a_grid(seed, rows_per_block):
    # Only squared distances of integers tie exactly in the slow version, too.
    embedding, labels = tied_case(seed)
    rows_per_block(len(labels))
    for dtype in (float, np.float32, int):
        for k in (1, 2, 5, 20):
            recall = recall_at_k(embedding.astype(dtype), labels, k, metric="euclidean")
            assert recall == slow_recall_at_k(embedding, labels, k, "euclidean")
        assert map_at_r(embedding.astype(dtype), labels, metric="euclidean") == pytest.approx(
            slow_map_at_r(embedding, labels, "euclidean"), rel=1e-12
        )


def test_zero_rows_have_cosine_zero_with_every_row():
    embedding = [[0.0, -0.0], [-0.0, 0.0], [1.0, 0.1], [-1.0, 0.0]]
    # Nearest to row 2 is row 0 (cosine 0 before -1), nearest to row 0 is row 1, and so on.
    assert recall_at_k(embedding, ["a", "b", "a", "b"]) == 0.25
    assert recall_at_k(embedding, ["a", "a", "b", "b"]) == 0.5


@pytest.mark.parametrize("score", [recall_at_k, map_at_r])
@pytest.mark.parametrize(
    "embedding, labels, metric, message",
    [
        (np.eye(3), [0, 0], "cosine", "embedding and labels must have the same .* 3 and 2"),
        (np.eye(3), [0, 1, 2], "cosine", "labels must hold a class twice, got 3 different"),
        (np.eye(3), [0, 0, 1], "cos", "metric must be one of 'cosine', 'euclidean', got 'cos'"),
        (np.eye(2), np.eye(2), "cosine", r"labels must be 1-D .* shape \(2, 2\)"),
        ([[np.nan], [1.0]], [0, 0], "cosine", "embedding contains NaN"),
        (np.ones(3), [0, 0, 1], "cosine", "2D array"),
    ],
)
def test_retrieval_refuses_bad_input(score, embedding, labels, metric, message):
    with pytest.raises(ValueError, match=message):
        score(embedding, labels, metric=metric)


@pytest.mark.parametrize("k", [0, -1, 1.5, True, 3, [], [1, 3], [[1]], "2", None])
def test_recall_refuses_bad_k(k):
    with pytest.raises(ValueError, match="k must be .* at least 1 and at most n - 1 = 2, got"):
        recall_at_k(np.eye(3), [0, 0, 1], k)
