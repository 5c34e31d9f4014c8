import pickle
import random

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.cluster import KMeans
from sklearn.datasets import make_blobs, make_circles, make_moons
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.metrics import adjusted_rand_score
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils import estimator_checks
from sklearn.utils.estimator_checks import parametrize_with_checks

from skdeepclust import ClusteringCritic, CriticClusterer, DeepMetricClusterer, load, save
from skdeepclust.model_selection import NoSplit

SHORT = {"population_size": 8, "n_generations": 2, "random_state": 0}
TINY_CRITIC = {
    "n_tasks": 4,
    "n_proposals": 6,
    "max_epochs": 1,
    "adversarial_rounds": 0,
    "hidden_dim": 8,
    "random_state": 0,
}
# Checks that scikit-learn keeps for itself: check_estimator does not run them.
OWN_CHECKS = [
    "check_param_validation",
    "check_set_output_transform",
    "check_set_output_transform_pandas",
    "check_set_output_transform_polars",
    "check_global_output_transform_pandas",
    "check_global_set_output_transform_polars",
    "check_transformer_get_feature_names_out",
    "check_transformer_get_feature_names_out_pandas",
    "check_dataframe_column_names_consistency",
    "check_inplace_ensure_writeable",
    "check_estimators_overwrite_params",
]


@parametrize_with_checks([CriticClusterer(**SHORT), CriticClusterer(search="cem", **SHORT)])
def test_scikit_learn_checks(estimator, check):
    check(estimator)


@pytest.mark.parametrize("name", OWN_CHECKS)
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore:X (does not have|has)")
def test_checks_that_scikit_learn_keeps_for_itself(name):
    getattr(estimator_checks, name)("CriticClusterer", CriticClusterer(**SHORT))


def apart(k):
    """Centres (k, 2), the closest seven standard deviations apart."""
    return 7.0 * np.stack(np.divmod(np.arange(k), 3), axis=1)


@pytest.fixture(scope="module")
def blobs():
    return make_blobs(200, centers=5, n_features=3, cluster_std=0.7, random_state=3)


@pytest.fixture(scope="module")
def fitted(blobs):
    return CriticClusterer(random_state=0).fit(blobs[0])


class TestClusters:
    @pytest.mark.parametrize("k", [2, 4, 7, 9])
    def test_blobs_without_their_number(self, k):
        X, y = make_blobs(300, centers=apart(k), random_state=k)
        found = CriticClusterer(random_state=0).fit_predict(X)
        assert adjusted_rand_score(y, found) > 0.95

    def test_moons_and_rings_which_k_means_cannot_find(self):
        for X, y in (
            make_moons(300, noise=0.05, random_state=0),
            make_circles(300, noise=0.03, factor=0.4, random_state=0),
        ):
            ours = adjusted_rand_score(y, CriticClusterer(random_state=0).fit_predict(X))
            assert ours > 0.95
            assert ours > adjusted_rand_score(y, KMeans(2, n_init=3).fit_predict(X)) + 0.3

    def test_no_structure_is_one_cluster(self):
        X = np.random.RandomState(0).uniform(size=(300, 2))
        assert CriticClusterer(random_state=0).fit(X).n_clusters_ == 1

    def test_bounds_and_given_number_hold(self, blobs):
        X, _ = blobs
        assert CriticClusterer(3, **SHORT).fit(X).n_clusters_ == 3
        assert CriticClusterer(min_clusters=7, **SHORT).fit(X).n_clusters_ >= 7
        assert CriticClusterer(max_clusters=2, **SHORT).fit(X).n_clusters_ <= 2

    def test_a_single_row_is_no_cluster(self):
        X, y = make_blobs(200, centers=apart(3), random_state=0)
        X = np.vstack([X, [[40.0, 40.0]]])
        found = CriticClusterer(random_state=0).fit(X)
        assert np.bincount(found.labels_).min() > 1
        assert adjusted_rand_score(y, found.labels_[:-1]) > 0.95
        forced = CriticClusterer(3, **SHORT).fit([[0.0], [1.0], [5.0]])
        assert sorted(forced.labels_) == [0, 1, 2]

    def test_cross_entropy_method_is_another_search(self, blobs):
        X, y = blobs
        found = CriticClusterer(search="cem", random_state=0).fit(X)
        assert adjusted_rand_score(y, found.labels_) > 0.9
        assert len(found.history_["best"]) > 1


class TestAttributes:
    def test_labels_are_those_of_predict(self, fitted, blobs):
        X, _ = blobs
        np.testing.assert_array_equal(fitted.predict(X), fitted.labels_)
        assert set(fitted.labels_) == set(range(fitted.n_clusters_))
        assert fitted.labels_.dtype == np.int64

    def test_score_is_the_critics(self, fitted, blobs):
        X, _ = blobs
        expected = ClusteringCritic.from_pretrained().score_clustering(X, fitted.labels_)
        assert fitted.score_ == pytest.approx(expected, rel=1e-4)
        assert fitted.score(X) == pytest.approx(expected, rel=1e-4)

    def test_nothing_scores_better_than_the_result(self, fitted, blobs):
        X, y = blobs
        labelings = [KMeans(k, random_state=0).fit(X).labels_ for k in range(2, 9)]
        scores = ClusteringCritic.from_pretrained().score_clusterings(X, labelings)
        # A search is believed only where it finds something clearly better.
        assert fitted.history_["best"][-1] >= scores.max() - 1e-3

    def test_alternatives_are_others_best_first(self, fitted):
        scores = [found.score for found in fitted.alternatives_]
        assert scores == sorted(scores, reverse=True)
        assert scores[0] <= fitted.history_["best"][-1]
        for found in fitted.alternatives_:
            assert found.labels.shape == fitted.labels_.shape
            assert adjusted_rand_score(found.labels, fitted.labels_) < 1

    def test_history_never_falls(self, fitted):
        history = fitted.history_
        assert (np.diff(history["best"]) >= 0).all()
        assert len(history["best"]) == len(history["mean"]) == len(history["n_clusters"])
        assert history["best"][-1] >= fitted.score_

    def test_transform_is_the_distance_to_the_nearest_member(self, fitted, blobs):
        new = np.random.RandomState(0).uniform(-10, 10, size=(20, 3))
        found = fitted.transform(new)
        for c in range(fitted.n_clusters_):
            members = blobs[0][fitted.labels_ == c]
            expected = np.linalg.norm(new[:, None] - members, axis=2).min(axis=1)
            np.testing.assert_allclose(found[:, c], expected)
        np.testing.assert_array_equal(found.argmin(axis=1), fitted.predict(new))

    def test_of_many_rows_a_sample_is_clustered(self, monkeypatch):
        monkeypatch.setattr("skdeepclust._critic_clusterer._MAX_ROWS", 200)
        X, y = make_blobs(1000, centers=apart(4), random_state=5)
        found = CriticClusterer(random_state=0).fit(X)
        assert adjusted_rand_score(y, found.labels_) > 0.95
        np.testing.assert_array_equal(found.predict(X), found.labels_)
        assert all(len(other.labels) == 1000 for other in found.alternatives_)


class TestReproducibility:
    def test_a_seed_fixes_the_result_whatever_n_jobs(self, blobs):
        X, _ = blobs
        first, second = (CriticClusterer(n_jobs=n, **SHORT).fit(X) for n in (1, 2))
        np.testing.assert_array_equal(first.labels_, second.labels_)
        assert first.score_ == second.score_

    def test_global_random_states_are_left_alone(self, blobs):
        before = (random.getstate(), np.random.get_state()[1].copy(), torch.get_rng_state())
        CriticClusterer(**SHORT).fit(blobs[0])
        assert random.getstate() == before[0]
        np.testing.assert_array_equal(np.random.get_state()[1], before[1])
        assert torch.equal(torch.get_rng_state(), before[2])

    def test_pickled_and_saved_ones_predict_alike(self, fitted, tmp_path):
        new = np.random.RandomState(0).uniform(-10, 10, size=(20, 3))
        save(fitted, tmp_path / "clusterer.safetensors")
        for again in (pickle.loads(pickle.dumps(fitted)), load(tmp_path / "clusterer.safetensors")):
            np.testing.assert_array_equal(again.predict(new), fitted.predict(new))
            np.testing.assert_array_equal(again.labels_, fitted.labels_)
            assert again.score_ == fitted.score_

    def test_verbose_alone_prints(self, blobs, capsys):
        CriticClusterer(**SHORT).fit(blobs[0])
        assert capsys.readouterr() == ("", "")
        CriticClusterer(verbose=1, **SHORT).fit(blobs[0])
        assert "CriticClusterer" in capsys.readouterr().err

    def test_max_time_ends_the_search(self, blobs):
        found = CriticClusterer(max_time=1e-6, random_state=0).fit(blobs[0])
        assert len(found.history_["best"]) == 1


class TestCritics:
    def test_frozen_critics_survive_clone(self, blobs):
        X, y = blobs
        critic = ClusteringCritic(**TINY_CRITIC).fit(X, y)
        clusterer = clone(CriticClusterer(critic=FrozenEstimator(critic), **SHORT)).fit(X)
        assert clusterer.critic_ is not None
        assert clusterer.score_ == pytest.approx(critic.score_clustering(X, clusterer.labels_))

    def test_paths_survive_clone(self, blobs, tmp_path):
        X, y = blobs
        critic = ClusteringCritic(**TINY_CRITIC).fit(X, y)
        save(critic, tmp_path / "critic.safetensors")
        for path in (tmp_path / "critic.safetensors", str(tmp_path / "critic.safetensors")):
            found = clone(CriticClusterer(critic=path, **SHORT)).fit(X)
            assert found.score_ == pytest.approx(critic.score_clustering(X, found.labels_))

    def test_a_new_critic_learns_from_the_labels(self, blobs):
        X, y = blobs
        clusterer = CriticClusterer(critic=ClusteringCritic(**TINY_CRITIC), **SHORT)
        with pytest.raises(ValueError, match="not fitted, and y=None"):
            clusterer.fit(X)
        assert hasattr(clusterer.fit(X, y).critic_, "network_")
        assert not hasattr(clusterer.critic, "network_")

    def test_a_new_critic_without_a_seed_takes_that_of_the_search(self, blobs):
        X, y = blobs
        critic = ClusteringCritic(**{**TINY_CRITIC, "random_state": None})
        state = np.random.get_state()[1].copy()
        first, second = (CriticClusterer(critic=critic, **SHORT).fit(X, y) for _ in range(2))
        assert first.score_ == second.score_
        np.testing.assert_array_equal(first.labels_, second.labels_)
        np.testing.assert_array_equal(np.random.get_state()[1], state)

    def test_other_files_are_refused(self, blobs, tmp_path):
        X, y = blobs
        save(DeepMetricClusterer(max_epochs=1).fit(X, y), tmp_path / "other.safetensors")
        with pytest.raises(ValueError, match="no fitted ClusteringCritic"):
            CriticClusterer(critic=tmp_path / "other.safetensors").fit(X)
        with pytest.raises(FileNotFoundError, match="nowhere"):
            CriticClusterer(critic=str(tmp_path / "nowhere")).fit(X)
        with pytest.raises(ValueError, match="a ClusteringCritic is wanted"):
            CriticClusterer(critic=FrozenEstimator(KMeans())).fit(X)


class TestComposition:
    def test_pipeline(self, blobs):
        X, y = blobs
        model = make_pipeline(StandardScaler(), CriticClusterer(random_state=0))
        assert adjusted_rand_score(y, model.fit_predict(X * [1, 100, 0.01])) > 0.9

    def test_behind_a_frozen_embedding(self, blobs):
        X, y = blobs
        embedding = FrozenEstimator(DeepMetricClusterer(max_epochs=5, random_state=0).fit(X, y))
        labels = make_pipeline(embedding, CriticClusterer(**SHORT)).fit_predict(X)
        assert labels.shape == (200,)

    def test_grid_search_without_labels(self, blobs):
        X, _ = blobs
        grid = {"n_clusters": [2, 5]}
        search = GridSearchCV(CriticClusterer(**SHORT), grid, cv=NoSplit()).fit(X)
        assert search.best_params_ == {"n_clusters": 5}


class TestBadInput:
    @pytest.mark.parametrize(
        ("parameters", "message"),
        [
            ({"n_clusters": 9}, "n_clusters=9 is larger than the number of rows"),
            ({"min_clusters": 5, "max_clusters": 3}, "min_clusters=5 is larger than max_clusters"),
            ({"search": "annealing"}, "'search' parameter"),
            ({"critic": 3}, "'critic' parameter"),
            ({"max_time": 0}, "'max_time' parameter"),
            ({"device": "nowhere"}, "device='nowhere'"),
        ],
    )
    def test_parameters(self, parameters, message):
        X = np.random.RandomState(0).standard_normal((8, 2))
        with pytest.raises(ValueError, match=message):
            CriticClusterer(**parameters).fit(X)

    @pytest.mark.parametrize(
        ("X", "message"),
        [
            (np.full((5, 2), np.nan), "NaN"),
            (np.ones((1, 2)), "minimum of 2"),
            (np.ones((6, 2)), "same values in every row"),
            (np.empty((5, 0)), r"0 feature\(s\)"),
        ],
    )
    def test_data_and_nothing_is_lost(self, fitted, X, message):
        before = fitted.labels_
        with pytest.raises(ValueError, match=message):
            fitted.fit(X)
        assert fitted.labels_ is before

    def test_few_rows_and_duplicates(self):
        for X in ([[0.0], [1.0]], [[0.0], [0.0], [1.0]], np.repeat([[0.0], [5.0]], 10, axis=0)):
            found = CriticClusterer(**SHORT).fit(np.array(X))
            assert len(found.labels_) == len(X)

    def test_constant_columns_do_no_harm(self, blobs):
        X, y = blobs
        wide = np.column_stack([X, np.ones(200)])
        assert adjusted_rand_score(y, CriticClusterer(random_state=0).fit_predict(wide)) > 0.9

    def test_not_fitted(self, blobs):
        with pytest.raises(NotFittedError):
            CriticClusterer().predict(blobs[0])


def test_equal_rows_are_in_one_cluster_and_no_cluster_is_empty():
    rng = np.random.RandomState(0)
    for seed in range(10):
        X = rng.randint(0, 2, (23, 3)).astype(float)
        fitted = CriticClusterer(n_generations=1, random_state=seed).fit(X)
        pairs = np.unique(np.column_stack([X, fitted.labels_]), axis=0)
        assert len(pairs) == len(np.unique(X, axis=0))
        assert set(fitted.labels_) == set(range(fitted.n_clusters_))
        np.testing.assert_array_equal(fitted.predict(X), fitted.labels_)
        for other in fitted.alternatives_:
            assert set(other.labels) == set(range(other.labels.max() + 1))
