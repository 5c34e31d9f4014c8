"""Tests of the picture of a clustering as a matrix: what it draws, without looking at it."""

import itertools

import numpy as np
import pytest
from sklearn.base import BaseEstimator, ClusterMixin
from sklearn.cluster import HDBSCAN, KMeans
from sklearn.datasets import load_iris
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skdeepclust import DeepMetricClusterer
from skdeepclust.metrics import clustering_accuracy
from skdeepclust.plotting import ClusterMatrixDisplay

matplotlib = pytest.importorskip("matplotlib", reason="matplotlib is not installed")
matplotlib.use("Agg")
plt = pytest.importorskip("matplotlib.pyplot")


@pytest.fixture(autouse=True)
def close_figures():
    """Leave no figure open."""
    yield
    plt.close("all")


@pytest.fixture
def rows():
    return np.random.RandomState(0).normal(size=(12, 3))


def drawn(display):
    return np.asarray(display.image_.get_array())


def tick_names(axis):
    return [text.get_text() for text in axis.get_ticklabels()]


def line_places(display):
    """Where the lines between clusters run: horizontal and vertical ones."""
    lines = [np.array([line.get_xdata(), line.get_ydata()]) for line in display.lines_]
    half = len(lines) // 2
    return [line[1, 0] for line in lines[:half]], [line[0, 0] for line in lines[half:]]


class Fixed(ClusterMixin, BaseEstimator):
    """Two clusters: of even and of odd rows; distances that do not fit them."""

    def fit(self, X, y=None):
        self.n_features_ = np.shape(X)[1]
        return self

    def predict(self, X):
        return np.arange(len(X)) % 2

    def transform(self, X):
        raise AssertionError("distances to clusters are no embedding")


class TestSimilarity:
    def test_rows_are_in_the_order_of_their_clusters(self, rows):
        labels = np.array(list("bacabcbacbca"))
        display = ClusterMatrixDisplay.from_predictions(rows, labels, similarity="cosine")
        assert isinstance(display, ClusterMatrixDisplay)
        unit = rows / np.linalg.norm(rows, axis=1, keepdims=True)
        order = np.argsort(labels, kind="stable")
        np.testing.assert_allclose(drawn(display), (unit @ unit.T)[np.ix_(order, order)])
        assert tick_names(display.ax_.xaxis) == tick_names(display.ax_.yaxis) == ["a", "b", "c"]
        np.testing.assert_allclose(display.ax_.get_xticks(), [1.5, 5.5, 9.5])
        assert line_places(display) == ([3.5, 7.5], [3.5, 7.5])

    def test_gaussian_similarity_equals_its_formula(self, rows):
        rows[1] = rows[0]  # equal rows do not count for the median
        matrix = ClusterMatrixDisplay.from_predictions(rows, [0] * 6 + [1] * 6).matrix
        distances = np.array([[np.sqrt(((a - b) ** 2).sum()) for b in rows] for a in rows])
        pairs = itertools.combinations(range(12), 2)
        median = np.median([distances[i, j] for i, j in pairs if distances[i, j] > 0])
        np.testing.assert_allclose(matrix, np.exp(-2 * distances**2 / median**2))

    @pytest.mark.parametrize(
        ("similarity", "name"), [("gaussian", "exp(-2 d² / 2.5²)"), ("cosine", "cosine similarity")]
    )
    def test_the_similarity_is_stated(self, similarity, name):
        display = ClusterMatrixDisplay.from_predictions(
            [[0.0, 1.0], [2.5, 1.0], [5.0, 1.0]], [0, 1, 1], similarity=similarity
        )
        assert name in display.colorbar_.ax.get_ylabel()

    def test_many_rows_are_sampled_evenly(self):
        labels = np.repeat([4, 2, 9], [300, 3, 97])
        X = np.column_stack([np.arange(400.0), np.ones(400)])
        display = ClusterMatrixDisplay.from_predictions(X, labels, max_rows=23)
        np.testing.assert_array_equal(display.sizes, [3, 10, 10])
        assert display.matrix.shape == (23, 23)
        assert display.clusters == ["2", "4", "9"]
        assert display.ax_.get_title(loc="left") == "23 of 400 rows"
        # similarities tell the distance of neighbours in the sample: even steps
        steps = np.sqrt(-np.log(np.diag(display.matrix, 1)))
        np.testing.assert_allclose(steps[3:12] / steps[0], np.full(9, 299 / 9), atol=1)
        np.testing.assert_allclose(steps[13:] / steps[0], np.full(9, 96 / 9), atol=1)

    @pytest.mark.parametrize("max_rows", [6, 7, 8, 11, 50, 99, 100, 500])
    def test_as_many_rows_as_may_be_are_shown(self, max_rows):
        labels = np.repeat(np.arange(6), [1, 2, 40, 40, 7, 10])
        X = np.arange(100.0)[:, None]
        sizes = ClusterMatrixDisplay.from_predictions(X, labels, max_rows=max_rows).sizes
        total = np.bincount(labels)
        assert sizes.sum() <= max_rows
        one_more = np.minimum(total, sizes.max() + 1)
        assert (sizes == total).all() or one_more.sum() > max_rows
        np.testing.assert_array_equal(sizes, np.minimum(total, sizes.max()))

    @pytest.mark.parametrize("noise", [-1, None])
    def test_noise_is_last(self, rows, noise):
        labels = np.array([noise, 5, 3] * 4, dtype=object if noise is None else int)
        display = ClusterMatrixDisplay.from_predictions(rows, labels)
        assert display.clusters == ["3", "5", "noise"]
        order = [*range(2, 12, 3), *range(1, 12, 3), *range(0, 12, 3)]
        expected = ClusterMatrixDisplay.from_predictions(rows[order], [0] * 6 + [1] * 6).matrix
        np.testing.assert_allclose(display.matrix, expected)

    def test_equal_rows_and_one_cluster_are_drawn(self):
        display = ClusterMatrixDisplay.from_predictions(np.ones((4, 2)), [0] * 4)
        np.testing.assert_array_equal(drawn(display), np.ones((4, 4)))
        assert display.lines_ == []

    def test_names_of_many_clusters_do_not_overlap(self):
        X = np.random.RandomState(0).normal(size=(400, 2))
        display = ClusterMatrixDisplay.from_predictions(X, np.arange(400) % 130)
        display.figure_.canvas.draw()
        for axis, side in ((display.ax_.xaxis, 0), (display.ax_.yaxis, 1)):
            boxes = [label.get_window_extent().get_points() for label in axis.get_ticklabels()]
            spans = sorted((box[0, side], box[1, side]) for box in boxes)
            assert len(spans) > 10
            assert all(a[1] <= b[0] for a, b in itertools.pairwise(spans))


class TestEstimators:
    def test_the_input_of_a_clusterer_is_compared(self, rows):
        expected = ClusterMatrixDisplay.from_predictions(rows, np.arange(12) % 2).matrix
        matrix = ClusterMatrixDisplay.from_estimator(Fixed().fit(rows), rows).matrix
        np.testing.assert_array_equal(matrix, expected)

    def test_the_input_of_the_last_step_is_compared(self, rows):
        rows[:, 0] *= 1_000
        pipeline = make_pipeline(StandardScaler(), Fixed()).fit(rows)
        scaled = StandardScaler().fit_transform(rows)
        expected = ClusterMatrixDisplay.from_predictions(scaled, np.arange(12) % 2).matrix
        matrix = ClusterMatrixDisplay.from_estimator(pipeline, rows).matrix
        np.testing.assert_array_equal(matrix, expected)

    def test_the_embedding_of_a_metric_clusterer_is_compared(self):
        X, y = load_iris(return_X_y=True)
        clusterer = DeepMetricClusterer(encoder="linear").fit(X, y)
        display = ClusterMatrixDisplay.from_estimator(clusterer, X, similarity="cosine")
        expected = ClusterMatrixDisplay.from_predictions(
            clusterer.transform(X), clusterer.predict(X), similarity="cosine"
        )
        np.testing.assert_array_equal(display.matrix, expected.matrix)

    def test_labels_stand_in_for_predictions(self):
        blob = np.random.RandomState(0).normal(size=(20, 2))
        X = np.concatenate([blob, blob + 50, [[500.0, 0.0]]])
        found = HDBSCAN(copy=True).fit(X)
        display = ClusterMatrixDisplay.from_estimator(found, X)
        assert display.clusters == ["0", "1", "noise"]
        np.testing.assert_array_equal(display.sizes, np.bincount(found.labels_ % 3))
        with pytest.raises(ValueError, match="labels has 41 labels, but X has 9 rows"):
            ClusterMatrixDisplay.from_estimator(found, X[:9])

    def test_counts_of_images_are_drawn(self):
        images = np.zeros((4, 1, 2, 2))
        display = ClusterMatrixDisplay.from_estimator(
            Fixed().fit(images), images, [0, 1, 0, 1], kind="counts"
        )
        np.testing.assert_array_equal(display.matrix, [[2, 0], [0, 2]])

    def test_what_has_no_clusters_is_refused(self, rows):
        for found in (StandardScaler().fit(rows), HDBSCAN(copy=True)):
            with pytest.raises(TypeError, match="neither predict nor labels_"):
                ClusterMatrixDisplay.from_estimator(found, rows)
        with pytest.raises(ValueError, match="y=None: classes of the rows"):
            ClusterMatrixDisplay.from_estimator(Fixed().fit(rows), rows, kind="counts")


class TestCounts:
    def test_every_cell_has_its_number(self):
        rng = np.random.RandomState(0)
        y, labels = np.array(list("abcd"))[rng.randint(4, size=200)], rng.randint(6, size=200)
        display = ClusterMatrixDisplay.from_predictions(None, labels, y, kind="counts")
        for (i, name), (j, cluster) in itertools.product(
            enumerate(display.classes), enumerate(display.clusters)
        ):
            count = np.sum((y == name) & (labels == int(cluster)))
            assert display.texts_[i, j].get_text() == str(count)
            assert display.texts_[i, j].get_position() == (j, i)
            assert drawn(display)[i, j] == count
        assert tick_names(display.ax_.yaxis) == display.classes == ["a", "b", "c", "d"]
        assert tick_names(display.ax_.xaxis) == display.clusters
        assert sorted(display.clusters) == ["0", "1", "2", "3", "4", "5"]

    @pytest.mark.parametrize(("n_classes", "n_clusters"), [(4, 4), (3, 6), (6, 3), (1, 3), (3, 1)])
    def test_clusters_are_in_the_order_of_the_best_matching(self, n_classes, n_clusters):
        rng = np.random.RandomState(0)
        y, labels = rng.randint(n_classes, size=90), rng.randint(n_clusters, size=90)
        display = ClusterMatrixDisplay.from_predictions(None, labels, y, kind="counts")
        matched = display.matrix[tuple(display.matching.T)].sum()
        assert matched == round(90 * clustering_accuracy(y, labels))
        assert (np.diff(display.matching, axis=0) > 0).all()
        rest = display.matrix[:, len(display.matching) :].sum(axis=0)
        assert (np.diff(rest) <= 0).all()
        bold = {(i, j) for (i, j), t in np.ndenumerate(display.texts_) if t.get_weight() == "bold"}
        assert bold == set(map(tuple, display.matching.tolist()))
        assert f"{matched / 90:.0%}" in display.ax_.get_title(loc="left")

    def test_noise_is_matched_with_nothing_and_last(self):
        labels, y = [-1, -1, -1, -2, 1, 0, 0], list("aaaaabb")
        display = ClusterMatrixDisplay.from_predictions(None, labels, y, kind="counts")
        assert display.clusters == ["1", "0", "noise"]
        np.testing.assert_array_equal(display.matrix, [[1, 0, 4], [0, 2, 0]])
        np.testing.assert_array_equal(display.matching, [[0, 0], [1, 1]])

    @pytest.mark.parametrize("missing", [-1, None])
    def test_unlabelled_rows_are_not_counted(self, missing):
        y = [missing, 1, 2, 2, missing, 1]
        display = ClusterMatrixDisplay.from_predictions(
            None, [0, 0, 1, 1, 2, 1], np.array(y, dtype=object), kind="counts"
        )
        np.testing.assert_array_equal(display.matrix, [[1, 1, 0], [0, 2, 0]])

    def test_numbers_have_contrast(self):
        y, labels = np.repeat(np.arange(20), np.arange(1, 21)), np.zeros(210, dtype=int)
        display = ClusterMatrixDisplay.from_predictions(None, labels, y, kind="counts")
        colors = display.image_.to_rgba(display.matrix)[:, 0, :3]
        linear = np.where(colors <= 0.04045, colors / 12.92, ((colors + 0.055) / 1.055) ** 2.4)
        light = linear @ [0.2126, 0.7152, 0.0722] + 0.05
        inks = [text.get_color() for text in display.texts_[:, 0]]
        contrast = np.where(np.array(inks) == "white", 1.05 / light, light / 0.05)
        assert set(inks) == {"black", "white"}
        assert contrast.min() > 4.5  # what the WCAG asks of text

    def test_many_classes_have_colours_alone(self):
        y = np.arange(60) % 26
        display = ClusterMatrixDisplay.from_predictions(None, y, y, kind="counts")
        assert display.texts_ is None
        assert display.colorbar_.ax.get_ylabel() == "number of rows"
        few = ClusterMatrixDisplay.from_predictions(None, y % 25, y % 25, kind="counts")
        assert few.texts_.shape == (25, 25)
        assert few.colorbar_ is None


@pytest.mark.parametrize("kind", ["similarity", "counts"])
def test_axes_and_keywords_are_passed_on(rows, kind):
    ax = plt.subplots()[1]
    display = ClusterMatrixDisplay.from_predictions(
        rows, [0, 1, 1] * 4, [0, 1] * 6, kind=kind, ax=ax, cmap="Greys", vmin=-1
    )
    assert display.ax_ is ax
    assert display.figure_ is ax.figure
    assert display.image_.get_cmap().name == "Greys"
    assert display.image_.get_clim()[0] == -1
    assert display.plot(norm=matplotlib.colors.PowerNorm(0.5)).ax_ is not ax


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"kind": "table"}, "kind='table': 'similarity' or 'counts'"),
        ({"kind": "counts"}, "y_true=None: classes of the rows"),
        ({"similarity": "euclidean"}, "similarity='euclidean': 'gaussian' or 'cosine'"),
        ({"max_rows": 0}, "max_rows == 0"),
        ({"max_rows": 2}, "max_rows=2 is less than one for each of 3 clusters"),
        ({"labels": [0, 1]}, "labels has 2 labels, but X has 12 rows"),
        ({"labels": [-1] * 12}, "labels has no cluster"),
        ({"X": np.full((12, 2), np.nan)}, "X contains NaN"),
        ({"kind": "counts", "y_true": [0, 1]}, r"y_true has shape \(2,\): .* 12 rows"),
        ({"kind": "counts", "y_true": [-1] * 12}, "y_true has no labelled row"),
    ],
)
def test_bad_arguments_are_named(rows, arguments, message):
    with pytest.raises(ValueError, match=message):
        ClusterMatrixDisplay.from_predictions(**{"X": rows, "labels": [0, 1, 2] * 4, **arguments})


def test_a_part_of_a_row_is_refused(rows):
    with pytest.raises(TypeError, match="max_rows"):
        ClusterMatrixDisplay.from_predictions(rows, [0, 1, 2] * 4, max_rows=2.5)


def test_predictions_of_a_pipeline_are_drawn():
    X, y = load_iris(return_X_y=True)
    pipeline = make_pipeline(StandardScaler(), KMeans(3, n_init=1, random_state=0)).fit(X)
    display = ClusterMatrixDisplay.from_estimator(pipeline, X, y, kind="counts")
    assert display.matrix.sum() == 150
    assert display.matrix[tuple(display.matching.T)].sum() == round(
        150 * clustering_accuracy(y, pipeline.predict(X))
    )
