"""Tests of the metrics against slow, obvious versions of themselves, and of the scorers."""

from __future__ import annotations

import itertools
import pickle

import numpy as np
import pandas as pd
import pytest
import torch
from scipy.sparse import csr_array
from sklearn.base import BaseEstimator, TransformerMixin, clone
from sklearn.cluster import DBSCAN, AgglomerativeClustering, KMeans
from sklearn.datasets import make_blobs
from sklearn.decomposition import PCA, TruncatedSVD
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.metrics import silhouette_score
from sklearn.model_selection import GridSearchCV, cross_validate
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skdeepclust import DeepMetricClusterer, MLPEncoder
from skdeepclust._critic import ClusteringCritic
from skdeepclust.critic._network import CriticNetwork
from skdeepclust.metrics import (
    clustering_accuracy,
    critic_scorer,
    recall_at_k,
    recall_at_k_scorer,
    zero_shot_clustering_scorer,
)
from skdeepclust.model_selection import ClassDisjointKFold, NoSplit
from skdeepclust.persistence import save
from skdeepclust.training import seeded_torch


def slow_accuracy(labels_true, labels_pred):
    classes, clusters = sorted(set(labels_true)), sorted(set(labels_pred))
    classes += [None] * (len(clusters) - len(classes))
    best = 0
    for names in itertools.permutations(classes, len(clusters)):
        name = dict(zip(clusters, names, strict=True))
        best = max(best, sum(name[p] == t for t, p in zip(labels_true, labels_pred, strict=True)))
    return best / len(labels_true)


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


class Silhouette:
    """Stands for a critic: scores rows in clusters, and remembers what it saw."""

    def __init__(self):
        self.seen = []

    def score_clustering(self, X, labels):
        self.seen.append((X, labels))
        kept = np.asarray(labels) >= 0
        one_cluster = len(np.unique(labels[kept])) == 1
        return 0.1 if one_cluster else silhouette_score(np.asarray(X)[kept], labels[kept])


def blobs():
    return make_blobs(90, centers=[[0, 0], [9, 0], [0, 9]], random_state=0)


def untrained_critic(seed=0):
    critic = ClusteringCritic()
    with seeded_torch(np.random.RandomState(seed), torch.device("cpu")):
        critic.network_ = CriticNetwork(hidden_dim=8, node_dim=4, cluster_dim=4).eval()
    return critic


class TestCriticScorer:
    def test_scores_the_predicted_clusters(self):
        X, _ = blobs()
        model, critic = KMeans(4, n_init=1, random_state=0).fit(X[:60]), Silhouette()
        score = critic_scorer(critic)(model, X)
        assert score == silhouette_score(X, model.predict(X))
        assert type(score) is float
        assert critic_scorer(critic)(model, X, np.zeros(90)) == score

    def test_scores_the_labels_of_those_who_cannot_predict(self):
        X, _ = blobs()
        model = AgglomerativeClustering(4).fit(X)
        expected = silhouette_score(X, model.labels_)
        assert critic_scorer(Silhouette())(model, X) == expected
        with pytest.raises(ValueError, match=r"has 90 rows, X has 80: .* use cv=NoSplit\(\)"):
            critic_scorer(Silhouette())(model, X[:80])

    @pytest.mark.parametrize("nested", [False, True])
    @pytest.mark.parametrize("last", [KMeans(4, n_init=1, random_state=0), DBSCAN(eps=0.3)])
    def test_pipelines_are_judged_in_the_space_they_are_given(self, last, nested):
        X, _ = blobs()
        model = make_pipeline(StandardScaler(), clone(last))
        model = make_pipeline("passthrough", model) if nested else model
        critic = Silhouette()
        score = critic_scorer(critic)(model.fit(X), X)
        ((rows, labels),) = critic.seen
        assert rows is X
        np.testing.assert_array_equal(
            labels, clone(last).fit(StandardScaler().fit_transform(X)).labels_
        )
        assert -1 < score < 1

    @pytest.mark.parametrize(
        "model, grid, best",
        [
            (KMeans(n_init=1, random_state=0), {"n_clusters": [2, 3, 4]}, {"n_clusters": 3}),
            (AgglomerativeClustering(), {"n_clusters": [2, 3, 4]}, {"n_clusters": 3}),
            # Only noise; singletons and pairs among noise; right; one cluster.
            (DBSCAN(min_samples=4), {"eps": [0.01, 0.2, 1.5, 99.0]}, {"eps": 1.5}),
            # Every row alone: two of three candidates are no clusterings.
            (AgglomerativeClustering(), {"n_clusters": [90, 3]}, {"n_clusters": 3}),
        ],
    )
    @pytest.mark.parametrize("scale", [False, True])
    def test_chooses_in_a_grid_search(self, model, grid, best, scale):
        X, _ = blobs()
        if scale:
            name = type(model).__name__.lower() + "__"
            X, model = 10 * X, make_pipeline(StandardScaler(with_mean=False), model)
            grid = {name + k: v for k, v in grid.items()}
            best = {name + k: v for k, v in best.items()}
            if "dbscan__eps" in grid:
                grid, best = {"dbscan__eps": [0.002, 0.4, 99.0]}, {"dbscan__eps": 0.4}
        search = GridSearchCV(
            model, grid, scoring=critic_scorer(Silhouette()), cv=NoSplit(), error_score="raise"
        )
        assert search.fit(X).best_params_ == best
        assert np.isfinite(search.cv_results_["mean_test_score"]).all()
        assert np.isfinite(search.cv_results_["std_test_score"]).all()

    def test_what_is_no_clustering_is_below_all_others(self):
        X, _ = blobs()
        scorer = critic_scorer(Silhouette())
        for labels in (np.full(90, -1), np.arange(90), np.array([f"c{i}" for i in range(90)])):
            model = AgglomerativeClustering().fit(X)
            model.labels_ = labels
            assert scorer(model, X) == np.finfo(np.float32).min
        model.labels_ = np.where(np.arange(90) < 3, 0, -1)
        assert scorer(model, X) == 0.1

    def test_errors_of_the_critic_are_not_swallowed(self):
        X, _ = blobs()
        model = AgglomerativeClustering().fit(X)
        with pytest.raises(ValueError, match="NaN"):
            critic_scorer(untrained_critic())(model, np.where(X > 5, np.nan, X))

    def test_of_several_splits(self):
        X, _ = blobs()
        model = KMeans(n_init=1, random_state=0)
        scoring = critic_scorer(Silhouette())
        search = GridSearchCV(model, {"n_clusters": [2, 3, 5]}, scoring=scoring, cv=3)
        assert search.fit(X).best_params_ == {"n_clusters": 3}

    def test_images_are_judged_as_rows(self):
        X, y = blobs()
        images = np.repeat(X, 8, axis=1).reshape(90, 1, 4, 4)
        model = DeepMetricClusterer(3, encoder=MLPEncoder((8,)), max_epochs=2, random_state=0)
        critic = Silhouette()
        critic_scorer(critic)(model.fit(images), images)
        assert critic.seen[0][0].shape == (90, 16)
        assert critic_scorer(untrained_critic())(model, images) < 1e3

    def test_frames_and_lists_are_handed_on(self):
        X, _ = blobs()
        model = AgglomerativeClustering(3).fit(X)
        scorer = critic_scorer(untrained_critic())
        assert scorer(model, pd.DataFrame(X)) == scorer(model, X.tolist()) == scorer(model, X)

    def test_pickles_and_clones(self):
        X, _ = blobs()
        model, critic = KMeans(3, n_init=1, random_state=0).fit(X), untrained_critic()
        scorer = critic_scorer(critic)
        search = GridSearchCV(model, {"n_clusters": [2]}, scoring=scorer, cv=NoSplit())
        for other in (pickle.loads(pickle.dumps(scorer)), clone(search).scoring):
            assert other is not scorer
            assert other(model, X) == scorer(model, X)
        assert len(pickle.dumps(scorer)) < 1.1 * len(pickle.dumps(critic)) + 500

    def test_in_processes(self):
        X, _ = blobs()
        scores = []
        for n_jobs in (None, 2):
            search = GridSearchCV(
                KMeans(n_init=1, random_state=0), {"n_clusters": [2, 3]}, n_jobs=n_jobs,
                scoring=critic_scorer(untrained_critic()), cv=NoSplit(),
            )  # fmt: skip
            scores.append(search.fit(X).cv_results_["mean_test_score"])
        np.testing.assert_array_equal(*scores)

    def test_reads_a_saved_critic_once(self, tmp_path):
        X, _ = blobs()
        model, critic = KMeans(3, n_init=1, random_state=0).fit(X), untrained_critic()
        path = tmp_path / "critic.safetensors"
        save(critic, path)
        expected = critic.score_clustering(X, model.labels_)
        scorer, frozen = critic_scorer(path), critic_scorer(FrozenEstimator(critic))
        content = pickle.dumps(critic_scorer(str(path)))
        again = pickle.loads(content)
        assert scorer(model, X) == again(model, X) == frozen(model, X) == expected
        assert len(content) < 500
        path.unlink()
        assert scorer(model, X) == again(model, X) == expected

    def test_refuses_what_is_no_critic(self, tmp_path):
        with pytest.raises(FileNotFoundError, match=r"absent\.safetensors is not there"):
            critic_scorer("absent.safetensors")
        with pytest.raises(ValueError, match="name='nobody'"):
            critic_scorer("nobody")
        save(clusterer := DeepMetricClusterer(), tmp_path / "clusterer")
        with pytest.raises(TypeError, match="DeepMetricClusterer cannot score clusterings"):
            critic_scorer(tmp_path / "clusterer")
        for critic in (clusterer, None, 3):
            with pytest.raises(TypeError, match="critic=.* a fitted ClusteringCritic is wanted"):
                critic_scorer(critic)
        with pytest.raises(NotFittedError):
            critic_scorer(ClusteringCritic())

    def test_repr_names_the_critic(self):
        silhouette = Silhouette()
        assert repr(critic_scorer(silhouette)) == f"critic_scorer({silhouette!r})"

    def test_refuses_what_is_no_clusterer(self):
        X, _ = blobs()
        for model in (PCA(2), make_pipeline(StandardScaler(), PCA(2))):
            with pytest.raises(TypeError, match="method predict or the attribute labels_, got PCA"):
                critic_scorer(Silhouette())(model.fit(X), X)

    def test_pretrained_critic_finds_the_blobs(self):
        try:
            scorer = critic_scorer()
        except ValueError as error:
            pytest.skip(f"the weights are not there yet: {error}")
        X, _ = blobs()
        search = GridSearchCV(
            KMeans(n_init=1, random_state=0),
            {"n_clusters": [2, 3, 5]},
            scoring=scorer,
            cv=NoSplit(),
        )
        assert search.fit(X).best_params_ == {"n_clusters": 3}
        assert critic_scorer("default")(search, X) == scorer(search, X)
        assert len(pickle.dumps(scorer)) < 500
