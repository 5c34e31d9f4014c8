"""What notebooks show: key facts of fitted estimators, nothing more of others."""

import html
import re

import numpy as np
import pytest
from sklearn import config_context
from sklearn.base import BaseEstimator, ClusterMixin
from sklearn.datasets import make_blobs
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils import estimator_html_repr
from sklearn.utils.estimator_checks import check_estimator_repr

from skdeepclust import ClusteringCritic, CriticClusterer, DeepMetricClusterer
from skdeepclust._html import FittedFactsMixin


class Anything(FittedFactsMixin, ClusterMixin, BaseEstimator):
    """Has the attributes that it is given."""

    def __init__(self, note=None):
        self.note = note

    def fit(self, X=None, y=None, **fitted):
        vars(self).update(fitted)
        return self


@pytest.fixture(scope="module")
def blobs():
    return make_blobs(60, centers=3, cluster_std=0.5, random_state=0)


@pytest.fixture(scope="module")
def clusterer(blobs):
    return DeepMetricClusterer(max_epochs=2, random_state=0).fit(*blobs)


def captions(estimator):
    """What stands below the names of the diagram's boxes that have a caption."""
    return re.findall(r'<div class="caption">(.*?)</div>', estimator_html_repr(estimator))


def boxes(estimator):
    """The names of the diagram's boxes."""
    return re.findall(r"<div><div>(.*?)</div>", estimator_html_repr(estimator))


def test_metric_clusterer_says_what_it_found(clusterer):
    assert captions(clusterer) == ["3 clusters, 3 dimensions, 2 epochs"]


def test_closed_form_has_no_epochs(blobs):
    fitted = DeepMetricClusterer(encoder="linear", embedding_dim=2, random_state=0).fit(*blobs)
    assert captions(fitted) == ["3 clusters, 2 dimensions, closed form"]


def test_critic_clusterer_says_score_and_effort(blobs):
    fitted = CriticClusterer(n_generations=1, random_state=0).fit(blobs[0])
    n_scored = fitted.history_["n_evaluations"][-1]
    assert captions(fitted) == [
        f"{fitted.n_clusters_} clusters, score {fitted.score_:.2f}, {n_scored} clusterings scored"
    ]


def test_critic_that_judges_is_no_box_of_its_own(blobs):
    critic = FrozenEstimator(ClusteringCritic.from_pretrained())
    fitted = CriticClusterer(critic=critic, n_generations=0, random_state=0).fit(blobs[0])
    assert "3 clusters" in captions(fitted)[0]
    assert "FrozenEstimator" in html.unescape(estimator_html_repr(fitted))


def test_pretrained_critic_says_how_long_it_learned():
    critic = ClusteringCritic.from_pretrained()
    assert captions(critic) == [f"{len(critic.history_['loss'])} epochs"]


@pytest.mark.parametrize(
    ("fitted", "caption"),
    [
        ({"n_clusters_": 1, "n_iter_": 1}, "1 cluster, 1 epoch"),
        ({"score_": np.float64(-0.126)}, "score -0.13"),
        ({"cluster_centers_": np.zeros((2, 1)), "n_iter_": 0}, "1 dimension, closed form"),
        ({"history_": {"n_evaluations": [64, 12345]}}, "12,345 clusterings scored"),
        ({"history_": {"loss": [0.5, 0.4]}, "n_iter_": 7}, "7 epochs"),
    ],
)
def test_facts_are_those_that_are_known(fitted, caption):
    assert captions(Anything().fit(**fitted)) == [caption]


@pytest.mark.parametrize("fitted", [{"labels_": [0]}, {"history_": {"loss": []}}])
def test_fitted_without_facts(fitted):
    assert captions(Anything().fit(**fitted)) == []


@pytest.mark.parametrize(
    "estimator",
    [
        DeepMetricClusterer(),
        CriticClusterer(),
        ClusteringCritic(),
        CriticClusterer(critic=FrozenEstimator(ClusteringCritic())),
    ],
)
def test_unfitted_shows_nothing_extra(estimator):
    assert not hasattr(estimator, "_sk_visual_block_")
    assert captions(estimator) == []
    kind = type(estimator)
    plain = type(kind.__name__, (BaseEstimator,), {"__init__": kind.__init__})
    assert boxes(estimator) == boxes(plain(**estimator.get_params(deep=False)))


def test_facts_stand_in_the_diagram_of_a_pipeline_and_a_search(blobs):
    X, y = blobs
    pipeline = make_pipeline(StandardScaler(), DeepMetricClusterer(max_epochs=2, random_state=0))
    assert captions(pipeline) == []
    assert captions(pipeline.fit(X, y)) == ["3 clusters, 3 dimensions, 2 epochs"]
    search = GridSearchCV(pipeline, {"deepmetricclusterer__ridge": [1.0]}, cv=2).fit(X, y)
    assert captions(search) == ["3 clusters, 3 dimensions, 2 epochs"]


def test_notebooks_get_the_facts_unless_they_want_text(clusterer):
    caption = "3 clusters, 3 dimensions, 2 epochs"
    assert caption in clusterer._repr_html_()
    bundle = clusterer._repr_mimebundle_()
    assert caption in bundle["text/html"]
    assert bundle["text/plain"] == "DeepMetricClusterer(max_epochs=2, random_state=0)"
    with config_context(display="text"):
        assert not hasattr(clusterer, "_repr_html_")
        assert list(clusterer._repr_mimebundle_()) == ["text/plain"]


def test_names_and_parameters_are_escaped():
    kind = type("Any<b>", (Anything,), {})
    shown = estimator_html_repr(kind("<script>&").fit(n_clusters_=2))
    assert "Any<b>" not in shown
    assert "<script>&" not in shown
    assert "&lt;script&gt;&amp;" in shown
    assert "2 clusters" in shown


def test_facts_that_cannot_be_told_leave_the_diagram_as_it_is():
    assert captions(Anything().fit(score_="high")) == []
    assert boxes(Anything().fit(score_="high")) == ["Anything"]


def test_scikit_learn_checks_the_representation():
    check_estimator_repr("DeepMetricClusterer", DeepMetricClusterer())
