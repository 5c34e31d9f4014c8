"""Tests of the display objects: what they draw, without looking at it."""

import builtins

import numpy as np
import pytest
from sklearn.cluster import KMeans
from sklearn.datasets import load_iris
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skdeepclust.plotting import EmbeddingDisplay

matplotlib = pytest.importorskip("matplotlib", reason="matplotlib is not installed")
matplotlib.use("Agg")
plt = pytest.importorskip("matplotlib.pyplot")


@pytest.fixture(autouse=True)
def close_figures():
    """Leave no figure open."""
    yield
    plt.close("all")


@pytest.fixture
def embedding():
    return np.random.RandomState(0).normal(size=(60, 5))


def legend_texts(display):
    return [text.get_text() for text in display.ax_.get_legend().get_texts()]


def test_from_estimator_draws_every_row_and_names_the_classes():
    X, y = load_iris(return_X_y=True)
    estimator = make_pipeline(StandardScaler(), KMeans(3, n_init=1, random_state=0)).fit(X)
    display = EmbeddingDisplay.from_estimator(estimator, X, np.array(list("abc"))[y])
    assert isinstance(display, EmbeddingDisplay)
    assert display.scatter_.get_offsets().shape == (150, 2)
    assert display.scatter_.axes is display.ax_
    assert display.figure_ is display.ax_.figure
    assert legend_texts(display) == ["a", "b", "c"]


def test_predictions_are_the_colours_without_y():
    X, _ = load_iris(return_X_y=True)
    estimator = KMeans(4, n_init=1, random_state=0).fit(X)
    display = EmbeddingDisplay.from_estimator(estimator, X)
    np.testing.assert_array_equal(display.labels, estimator.labels_)
    assert len(np.unique(display.scatter_.get_facecolors(), axis=0)) == 4


def test_estimator_without_predict_is_drawn_in_one_colour():
    X, _ = load_iris(return_X_y=True)
    display = EmbeddingDisplay.from_estimator(StandardScaler().fit(X), X)
    assert display.labels is None
    assert display.ax_.get_legend() is None


def test_estimator_without_transform_is_refused():
    with pytest.raises(TypeError, match="cannot transform"):
        EmbeddingDisplay.from_estimator(object(), [[0.0, 1.0]])


@pytest.mark.parametrize("missing", [-1, None])
def test_unlabelled_rows_are_grey_and_lie_below(embedding, missing):
    labels = np.array([missing, 3, 5] * 20, dtype=object if missing is None else int)
    display = EmbeddingDisplay.from_embedding(embedding, labels)
    colors = display.scatter_.get_facecolors()
    assert len(np.unique(colors[:20], axis=0)) == 1
    assert np.ptp(colors[0, :3]) == 0
    assert len(np.unique(colors, axis=0)) == 3
    np.testing.assert_array_equal(display.scatter_.get_offsets()[:20], display.points[::3])
    assert legend_texts(display) == ["3", "5", "unlabelled"]


def test_only_unlabelled_rows(embedding):
    display = EmbeddingDisplay.from_embedding(embedding, np.full(60, -1))
    assert legend_texts(display) == ["unlabelled"]


@pytest.mark.parametrize(("n_classes", "has_legend"), [(20, True), (21, False)])
def test_legend_up_to_twenty_classes(embedding, n_classes, has_legend):
    display = EmbeddingDisplay.from_embedding(embedding, np.arange(60) % n_classes)
    assert (display.ax_.get_legend() is not None) == has_legend
    assert len(np.unique(display.scatter_.get_facecolors(), axis=0)) == n_classes


def test_pca_keeps_the_largest_variance(embedding):
    embedding[:, 3] *= 100
    display = EmbeddingDisplay.from_embedding(embedding)
    assert abs(np.corrcoef(display.points[:, 0], embedding[:, 3])[0, 1]) > 0.999


def test_tsne_is_reproducible_and_takes_few_rows(embedding):
    shown = [
        EmbeddingDisplay.from_embedding(embedding[:9], projection="tsne", random_state=0).points
        for _ in range(2)
    ]
    assert shown[0].shape == (9, 2)
    np.testing.assert_array_equal(*shown)


@pytest.mark.parametrize("width", [1, 2])
def test_flat_embeddings_are_shown_as_they_are(embedding, width):
    points = EmbeddingDisplay.from_embedding(embedding[:, :width]).points
    np.testing.assert_array_equal(points[:, :width], embedding[:, :width])
    assert points.shape == (60, 2)


def test_max_points_shows_a_random_part(embedding):
    first, again, other = (
        EmbeddingDisplay.from_embedding(embedding, np.arange(60), max_points=7, random_state=seed)
        for seed in (0, 0, 1)
    )
    assert first.points.shape == (7, 2)
    np.testing.assert_array_equal(first.labels, again.labels)
    assert not np.array_equal(first.labels, other.labels)
    assert len(EmbeddingDisplay.from_embedding(embedding, max_points=None).points) == 60


def test_axes_and_keywords_are_passed_on(embedding):
    ax = plt.subplots()[1]
    display = EmbeddingDisplay.from_embedding(
        embedding, np.arange(60) % 3, ax=ax, s=40, color="red"
    )
    assert display.ax_ is ax
    assert display.scatter_.get_sizes() == [40]
    np.testing.assert_array_equal(
        np.unique(display.scatter_.get_facecolors(), axis=0), [[1, 0, 0, 1]]
    )
    assert display.plot().ax_ is not ax


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"projection": "umap"}, "'pca' or 'tsne'"),
        ({"max_points": 0}, "max_points"),
        ({"labels": [0, 1]}, "inconsistent"),
    ],
)
def test_bad_arguments_are_named(embedding, arguments, message):
    with pytest.raises(ValueError, match=message):
        EmbeddingDisplay.from_embedding(embedding, **arguments)


def test_missing_matplotlib_names_the_extra(embedding, monkeypatch):
    real_import = builtins.__import__

    def without_matplotlib(name, *args, **kwargs):
        if name.startswith("matplotlib"):
            raise ImportError(name)
        return real_import(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without_matplotlib)
    with pytest.raises(ImportError, match=r'pip install "skdeepclust\[plot\]"'):
        EmbeddingDisplay.from_embedding(embedding)
