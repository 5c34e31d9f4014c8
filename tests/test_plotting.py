"""Tests of the display objects: what they draw, without looking at it."""

import builtins
from itertools import combinations

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
MarkerStyle = pytest.importorskip("matplotlib.markers").MarkerStyle
to_hex, to_rgb = matplotlib.colors.to_hex, matplotlib.colors.to_rgb


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
    display = EmbeddingDisplay.from_embedding(embedding, np.arange(60) % n_classes, legend=False)
    assert display.ax_.get_legend() is None
    X, y = load_iris(return_X_y=True)
    display = EmbeddingDisplay.from_estimator(StandardScaler().fit(X), X, y, legend=False)
    assert display.ax_.get_legend() is None


def drawn(display):
    """Colour and outline of each point, as they were drawn."""
    points = display.scatter_
    paths, colors = points.get_paths(), points.get_facecolors()
    return [
        (to_hex(colors[i]), paths[i % len(paths)].vertices.tobytes())
        for i in range(len(points.get_offsets()))
    ]


OKABE_ITO = "#0072b2 #d55e00 #009e73 #e69f00 #56b4e9 #cc79a7 #000000 #f0e442".split()


def test_eight_classes_have_the_colours_of_okabe_and_ito(embedding):
    kinds = drawn(EmbeddingDisplay.from_embedding(embedding, np.arange(60) % 8))
    assert [color for color, _ in kinds[:8]] == OKABE_ITO
    assert len({outline for _, outline in kinds}) == 1


# Of Machado, Oliveira and Fernandes (2009), for linear RGB: people without one kind of cones.
SIGHT = {
    "three kinds": np.eye(3),
    "no red": [[0.152, 1.053, -0.205], [0.115, 0.786, 0.099], [-0.004, -0.048, 1.052]],
    "no green": [[0.367, 0.861, -0.228], [0.280, 0.673, 0.047], [-0.012, 0.043, 0.969]],
    "no blue": [[1.256, -0.077, -0.179], [-0.078, 0.931, 0.148], [0.005, 0.691, 0.304]],
}


def cielab(color, sight):
    """Lightness and both hues of a colour as it is seen, (3,)."""
    rgb = np.array(to_rgb(color))
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    to_xyz = [[0.434, 0.376, 0.190], [0.213, 0.715, 0.072], [0.018, 0.109, 0.873]]  # white is 1
    x, y, z = np.cbrt(to_xyz @ np.clip(sight @ linear, 0, 1))
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


def nearest_colors(colors, sight):
    seen = [cielab(color, np.asarray(sight)) for color in colors]
    return min(np.linalg.norm(a - b) for a, b in combinations(seen, 2))


@pytest.mark.parametrize("sight", SIGHT)
def test_colours_differ_for_any_kind_of_sight(embedding, sight):
    display = EmbeddingDisplay.from_embedding(embedding, np.arange(60) % 9 - 1)
    colors = {color for color, _ in drawn(display)}
    assert len(colors) == 9  # eight classes and the grey of unlabelled rows
    assert nearest_colors(colors, SIGHT[sight]) > 12


def test_colours_of_another_palette_do_not():
    """What the figure above is worth: those of matplotlib's default are much nearer."""
    colors = [f"C{i}" for i in range(8)]
    assert nearest_colors(colors, SIGHT["no red"]) < 6


@pytest.mark.parametrize(("n_classes", "n_markers"), [(9, 2), (16, 2), (17, 3), (48, 6)])
def test_more_classes_have_other_markers(embedding, n_classes, n_markers):
    kinds = drawn(EmbeddingDisplay.from_embedding(embedding, np.arange(60) % n_classes))
    assert len(set(kinds)) == n_classes
    assert kinds[n_classes] == kinds[0]
    assert {color for color, _ in kinds} == set(OKABE_ITO)
    assert len({outline for _, outline in kinds}) == n_markers


def test_kinds_of_points_are_repeated_in_the_end(embedding):
    kinds = drawn(EmbeddingDisplay.from_embedding(embedding, np.arange(60)))
    assert len(set(kinds)) == 48
    assert kinds[48:] == kinds[:12]


def test_legend_has_the_colours_and_markers_of_the_points(embedding):
    labels = np.r_[np.full(6, -1), np.arange(54) % 18]
    display = EmbeddingDisplay.from_embedding(embedding, labels)
    kinds = drawn(display)
    assert kinds[0] == ("#cccccc", kinds[6][1])  # as round as the first class
    for i, handle in enumerate(display.ax_.get_legend().legend_handles):
        style = MarkerStyle(handle.get_marker())
        outline = style.get_path().transformed(style.get_transform()).vertices
        place = 0 if i == 18 else 6 + i
        assert kinds[place] == (to_hex(handle.get_color()), outline.tobytes())


def test_a_marker_of_the_user_is_that_of_all(embedding):
    display = EmbeddingDisplay.from_embedding(embedding, np.arange(60) % 10, marker="s")
    assert len({outline for _, outline in drawn(display)}) == 1
    assert {handle.get_marker() for handle in display.ax_.get_legend().legend_handles} == {"s"}


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
