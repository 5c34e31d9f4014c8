"""Tests of the metrics against slow, obvious versions of themselves, and of the scorers."""

from __future__ import annotations

import itertools
import pickle

import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csr_array
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.cluster import KMeans
from sklearn.datasets import make_blobs
from sklearn.decomposition import PCA, TruncatedSVD
from sklearn.model_selection import GridSearchCV, cross_validate
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skdeepclust import metrics
from skdeepclust.metrics import (
    clustering_accuracy,
    map_at_r,
    recall_at_k,
    recall_at_k_scorer,
    zero_shot_clustering_scorer,
)
from skdeepclust.model_selection import ClassDisjointKFold

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


def slow_accuracy(labels_true, labels_pred):
    classes, clusters = sorted(set(labels_true)), sorted(set(labels_pred))
    classes += [None] * (len(clusters) - len(classes))
    best = 0
    for names in itertools.permutations(classes, len(clusters)):
        name = dict(zip(clusters, names, strict=True))
        best = max(best, sum(name[p] == t for t, p in zip(labels_true, labels_pred, strict=True)))
    return best / len(labels_true)


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
        monkeypatch.setattr(metrics, "_BLOCK_CELLS", request.param * n)

    return set_for


class TestClusteringAccuracy:
    @pytest.mark.parametrize("n_classes, n_clusters", [(3, 3), (2, 4), (4, 2), (1, 3), (3, 1)])
    def test_equals_the_best_of_all_matchings(self, n_classes, n_clusters):
        rng = np.random.RandomState(n_classes + 10 * n_clusters)
        for _ in range(5):
            true, pred = rng.randint(n_classes, size=20), rng.randint(n_clusters, size=20)
            larger, smaller = (true, pred) if n_classes >= n_clusters else (pred, true)
            expected = slow_accuracy(pred.tolist(), true.tolist())
            assert clustering_accuracy(true, pred) == pytest.approx(expected)
            assert clustering_accuracy(larger, smaller) == clustering_accuracy(smaller, larger)

    def test_needs_the_hungarian_method(self):
        # Matching the largest overlap, class 0 with cluster 0, leaves 4 right; the best is 6.
        true = [0] * 7 + [1] * 3
        pred = [0] * 4 + [1] * 3 + [0] * 3
        assert clustering_accuracy(true, pred) == pytest.approx(0.6)

    def test_is_one_up_to_names_of_any_type(self):
        assert clustering_accuracy(["x", "x", "y"], [2.5, 2.5, -1.0]) == 1.0
        assert clustering_accuracy(pd.Series(["b", "a"]), np.array([True, False])) == 1.0
        assert isinstance(clustering_accuracy([0, 1], [1, 0]), float)

    def test_ignores_the_order_of_rows(self):
        rng = np.random.RandomState(0)
        true, pred, order = rng.randint(5, size=50), rng.randint(4, size=50), rng.permutation(50)
        assert clustering_accuracy(true[order], pred[order]) == clustering_accuracy(true, pred)

    @pytest.mark.parametrize(
        "true, pred, message",
        [
            ([0, 1, 1], [0, 1], "labels_true and labels_pred must have the same .* 3 and 2"),
            ([], [], r"labels_true must be 1-D and not empty, got an array of shape \(0,\)"),
            ([0, 1], [[0], [1]], r"labels_pred must be 1-D .* shape \(2, 1\)"),
            ([0, 1], [0, "a", None][1:], "labels_pred must hold labels that can be sorted"),
            ([0.0, np.nan], [0, 1], "labels_true contains NaN"),
        ],
    )
    def test_refuses_bad_labels(self, true, pred, message):
        with pytest.raises(ValueError, match=message):
            clustering_accuracy(true, pred)


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


class FirstColumns(TransformerMixin, BaseEstimator):
    """Embeds rows, or images after flattening, by their first columns."""

    def __init__(self, n_columns=1):
        self.n_columns = n_columns

    def fit(self, X, y=None):
        self.shape_ = np.shape(X)[1:]
        return self

    def transform(self, X):
        assert np.shape(X)[1:] == self.shape_
        return np.reshape(X, (len(X), -1))[:, : self.n_columns]


class FirstColumnsClusterer(FirstColumns):
    """Clusters new rows by their first columns."""

    def cluster(self, X, n_clusters):
        return KMeans(n_clusters, n_init=2, random_state=0).fit_predict(self.transform(X))


def blobs_behind_noise():
    """Blobs in columns 1 to 4 of (80, 5); column 0 says nothing."""
    X, y = make_blobs(80, n_features=4, centers=8, cluster_std=0.5, random_state=0)
    return np.column_stack([np.random.RandomState(0).normal(size=80), X]), y


class TestRecallScorer:
    def test_equals_the_metric_of_the_embedding(self):
        X, y = blobs_behind_noise()
        pca = PCA(2).fit(X)
        embedding = pca.transform(X)
        assert recall_at_k_scorer(pca, X, y) == recall_at_k(embedding, y)
        scorer = recall_at_k_scorer(k=3, metric="euclidean")
        assert scorer(pca, X, y) == recall_at_k(embedding, y, 3, metric="euclidean")

    def test_pickles(self):
        X, y = blobs_behind_noise()
        scorer = recall_at_k_scorer(k=2, metric="euclidean")
        model = FirstColumns(2).fit(X)
        assert pickle.loads(pickle.dumps(scorer))(model, X, y) == scorer(model, X, y)
        assert pickle.loads(pickle.dumps(recall_at_k_scorer)) is recall_at_k_scorer

    @pytest.mark.parametrize(
        "scoring", [recall_at_k_scorer, recall_at_k_scorer(k=2, metric="euclidean")]
    )
    def test_chooses_in_a_grid_search(self, scoring):
        X, y = blobs_behind_noise()
        model = make_pipeline(StandardScaler(), FirstColumns())
        grid = {"firstcolumns__n_columns": [1, 5]}
        search = GridSearchCV(model, grid, scoring=scoring, cv=ClassDisjointKFold(2))
        search.fit(X, y)
        assert search.best_params_ == {"firstcolumns__n_columns": 5}
        assert np.isfinite(search.cv_results_["mean_test_score"]).all()

    def test_goes_with_other_scorers(self):
        X, y = blobs_behind_noise()
        scoring = {
            "r1": recall_at_k_scorer,
            "r4": recall_at_k_scorer(k=4),
            "nmi": zero_shot_clustering_scorer,
        }
        model, cv = FirstColumnsClusterer(5), ClassDisjointKFold(4)
        scores = cross_validate(model, X, y, scoring=scoring, cv=cv, error_score="raise")
        assert (scores["test_r4"] >= scores["test_r1"]).all()
        assert scores["test_nmi"].shape == (4,)

    def test_leaves_unlabelled_rows_out(self):
        X, y = blobs_behind_noise()
        y = np.where(np.arange(80) % 3 == 0, -1, y)
        expected = recall_at_k(X[y != -1], y[y != -1])
        for rows in (X, X.tolist(), pd.DataFrame(X, index=np.arange(80)[::-1])):
            assert recall_at_k_scorer(FirstColumns(5).fit(X), rows, y) == expected
        sparse, model = csr_array(X), TruncatedSVD(2, random_state=0).fit(X)
        expected = recall_at_k(model.transform(sparse[y != -1]), y[y != -1])
        assert recall_at_k_scorer(model, sparse, y) == expected
        # Only integers have an unlabelled value.
        expected = recall_at_k(X, y)
        for labels in (y.astype(float), y.astype(str)):
            assert recall_at_k_scorer(FirstColumns(5).fit(X), X, labels) == expected

    def test_refuses_bad_input(self):
        X, y = blobs_behind_noise()
        model = FirstColumns(2).fit(X)
        with pytest.raises(ValueError, match=r"k must be an integer in a scorer, got \(1, 2\)"):
            recall_at_k_scorer(k=(1, 2))
        with pytest.raises(ValueError, match="k must be .* at least 1, got 0"):
            recall_at_k_scorer(k=0)
        with pytest.raises(ValueError, match="metric must be .* got 'l1'"):
            recall_at_k_scorer(metric="l1")
        with pytest.raises(TypeError, match="estimator must have the method transform, got Agg"):
            recall_at_k_scorer(type("Agg", (BaseEstimator,), {})(), X, y)
        with pytest.raises(ValueError, match="y must hold the classes"):
            recall_at_k_scorer(model, X)
        with pytest.raises(ValueError, match="y must have labelled rows, got -1"):
            recall_at_k_scorer(model, X, np.full(80, -1))
        with pytest.raises(ValueError, match="X and y must have the same .* 80 and 79"):
            recall_at_k_scorer(model, X, y[:79])


class TestZeroShotScorer:
    @pytest.mark.parametrize("metric", ["nmi", "ari", "accuracy"])
    def test_is_one_where_the_clusters_are_the_classes(self, metric):
        X, y = make_blobs(60, centers=4, cluster_std=0.1, random_state=0)
        scorer = zero_shot_clustering_scorer(metric=metric)
        model = FirstColumnsClusterer(2).fit(X)
        assert scorer(model, X, np.array(list("wxyz"))[y]) == pytest.approx(1.0)
        assert scorer(model, X, np.random.RandomState(0).permutation(y)) < 0.6
        assert pickle.loads(pickle.dumps(scorer))(model, X, y) == scorer(model, X, y)

    def test_metrics_differ_and_nmi_is_the_default(self):
        X, y = blobs_behind_noise()
        model = FirstColumnsClusterer(2).fit(X)
        scores = {
            metric: zero_shot_clustering_scorer(model, X, y, metric=metric)
            for metric in ("nmi", "ari", "accuracy")
        }
        assert len(set(scores.values())) == 3
        assert zero_shot_clustering_scorer(model, X, y) == scores["nmi"]

    def test_images_reach_the_estimator_as_they_are(self):
        X, y = blobs_behind_noise()
        images = np.repeat(X, 4, axis=1).reshape(80, 5, 2, 2)
        model = FirstColumnsClusterer(20)
        scores = cross_validate(
            model,
            images,
            y,
            scoring=zero_shot_clustering_scorer,
            cv=ClassDisjointKFold(4),
            error_score="raise",
        )
        assert (scores["test_score"] > 0.9).all()

    @pytest.mark.parametrize("nested", [False, True])
    def test_chooses_in_a_grid_search_over_a_pipeline(self, nested):
        X, y = blobs_behind_noise()
        model = make_pipeline(StandardScaler(), "passthrough", FirstColumnsClusterer())
        name = "firstcolumnsclusterer__n_columns"
        if nested:
            model, name = make_pipeline(None, model), "pipeline__" + name
        search = GridSearchCV(
            model,
            {name: [1, 5]},
            scoring=zero_shot_clustering_scorer(metric="accuracy"),
            cv=ClassDisjointKFold(2, shuffle=True, random_state=0),
            error_score="raise",
        )
        assert search.fit(X, y).best_params_ == {name: 5}

    def test_pipeline_transforms_before_it_clusters(self):
        X, y = blobs_behind_noise()
        pipeline = make_pipeline(StandardScaler(), FirstColumnsClusterer(5)).fit(X)
        clusters = pipeline[-1].cluster(pipeline[0].transform(X), n_clusters=8)
        scorer = zero_shot_clustering_scorer(metric="accuracy")
        assert scorer(pipeline, X, y) == clustering_accuracy(y, clusters)

    def test_leaves_unlabelled_rows_out(self):
        X, y = blobs_behind_noise()
        y = np.where(np.arange(80) % 3 == 0, -1, y)
        model = FirstColumnsClusterer(5).fit(X)
        assert zero_shot_clustering_scorer(model, X, y) == zero_shot_clustering_scorer(
            model, X[y != -1], y[y != -1]
        )

    def test_refuses_bad_input(self):
        X, y = blobs_behind_noise()
        with pytest.raises(ValueError, match="metric must be one of 'accuracy', 'ari', 'nmi', got"):
            zero_shot_clustering_scorer(metric="f1")
        for model in (PCA(2), make_pipeline(StandardScaler(), PCA(2))):
            with pytest.raises(TypeError, match="estimator must have the method cluster, got PCA"):
                zero_shot_clustering_scorer(model.fit(X), X, y)
        with pytest.raises(TypeError, match="must have the method cluster, got 'passthrough'"):
            pipeline = make_pipeline(StandardScaler(), "passthrough").fit(X)
            zero_shot_clustering_scorer(pipeline, X, y)
        with pytest.raises(ValueError, match="y must hold the classes"):
            zero_shot_clustering_scorer(FirstColumnsClusterer().fit(X), X)
