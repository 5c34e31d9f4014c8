"""Work spread over two processes of a local Dask cluster gives what one process gives."""

import joblib
import numpy as np
import pytest
from sklearn.datasets import make_blobs
from sklearn.model_selection import GridSearchCV

from skdeepclust import ClusteringCritic, CriticClusterer, DeepMetricClusterer
from skdeepclust.model_selection import NoSplit

distributed = pytest.importorskip("distributed")

# Closing sockets and event loops is the business of Dask.
pytestmark = [
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


@pytest.fixture(scope="module")
def cluster():
    """Two workers, each a process with one thread, for joblib."""
    with (
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, host="127.0.0.1", dashboard_address=None
        ) as of_two,
        distributed.Client(of_two),
    ):
        yield of_two


@pytest.fixture(scope="module")
def blobs():
    return make_blobs(150, centers=4, n_features=5, cluster_std=0.6, random_state=0)


def searched(estimator, grid, X, y=None, **parameters):
    """Mean scores and the best parameters of a grid search."""
    found = GridSearchCV(estimator, grid, n_jobs=2, **parameters).fit(X, y)
    return found.cv_results_["mean_test_score"], found.best_params_


def test_grid_search_over_the_metric(cluster, blobs):
    estimator = DeepMetricClusterer(max_epochs=2, random_state=0, device="cpu")
    grid = {"encoder": ["linear", "mlp"]}
    expected = GridSearchCV(estimator, grid, cv=2).fit(*blobs)
    with joblib.parallel_config("dask"):
        scores, best = searched(estimator, grid, *blobs, cv=2)
    np.testing.assert_allclose(scores, expected.cv_results_["mean_test_score"], rtol=1e-6)
    assert best == expected.best_params_


def test_grid_search_over_the_clusterer_without_labels(cluster, blobs):
    estimator = CriticClusterer(population_size=4, n_generations=1, random_state=0, device="cpu")
    grid = {"n_clusters": [2, 4]}
    expected = GridSearchCV(estimator, grid, cv=NoSplit()).fit(blobs[0])
    with joblib.parallel_config("dask"):
        scores, best = searched(estimator, grid, blobs[0], cv=NoSplit())
    np.testing.assert_allclose(scores, expected.cv_results_["mean_test_score"], rtol=1e-5)
    assert best == expected.best_params_ == {"n_clusters": 4}


def test_tasks_of_a_critic(cluster, blobs):
    critic = ClusteringCritic(
        n_tasks=4, n_proposals=6, max_epochs=1, adversarial_rounds=0, hidden_dim=8, random_state=0
    )
    labels = blobs[1]
    expected = critic.fit(*blobs).score_clustering(blobs[0], labels)
    with joblib.parallel_config("dask"):
        found = critic.set_params(n_jobs=2).fit(*blobs).score_clustering(blobs[0], labels)
    assert found == pytest.approx(expected, rel=1e-6)


def test_blocks_of_rows(cluster, blobs, monkeypatch):
    X, _ = blobs
    clusterer = CriticClusterer(population_size=4, n_generations=0, random_state=0).fit(X)
    monkeypatch.setattr("skdeepclust.critic._geometry._BLOCK_BYTES", 8 * 5 * 40)
    with joblib.parallel_config("dask"):
        np.testing.assert_array_equal(clusterer.predict(X), clusterer.labels_)
        lazy = clusterer.set_params(n_jobs=2).predict(X)
    np.testing.assert_array_equal(lazy, clusterer.labels_)


def test_islands_of_a_search(cluster, blobs):
    clusterer = CriticClusterer(
        n_islands=3, population_size=8, n_generations=6, random_state=0, device="cpu"
    )
    expected = clusterer.fit(blobs[0])
    labels, history = expected.labels_.copy(), expected.history_
    with joblib.parallel_config("dask"):
        found = clusterer.set_params(n_jobs=2).fit(blobs[0])
    np.testing.assert_array_equal(found.labels_, labels)
    assert found.history_ == history
