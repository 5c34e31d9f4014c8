"""Tests of the picture of a critic's scores: what it draws, without looking at it."""

import builtins

import numpy as np
import pytest
from scipy.stats import spearmanr
from sklearn.metrics import adjusted_rand_score

from skdeepclust.plotting import CriticDisplay

matplotlib = pytest.importorskip("matplotlib", reason="matplotlib is not installed")
matplotlib.use("Agg")
plt = pytest.importorskip("matplotlib.pyplot")


@pytest.fixture(autouse=True)
def close_figures():
    """Leave no figure open."""
    yield
    plt.close("all")


class Critic:
    """Scores a clustering by its number of rows in cluster 0."""

    def score_clusterings(self, X, labelings):
        return np.array([np.sum(np.asarray(labels) == 0) / len(X) for labels in labelings])


X = np.random.RandomState(0).normal(size=(8, 2))
LABELINGS = {
    "halves": [0, 0, 0, 0, 1, 1, 1, 1],
    "most": [0, 0, 0, 0, 0, 0, 3, 7],
    "few": [2, 2, -1, 0, 1, 1, 1, 1],
}


def row_names(display):
    return [text.get_text() for text in display.ax_.get_yticklabels()]


def legend_texts(display):
    return [text.get_text() for text in display.ax_.get_legend().get_texts()]


def test_ranking_has_the_best_first():
    display = CriticDisplay.from_estimator(Critic(), X, LABELINGS)
    assert isinstance(display, CriticDisplay)
    assert row_names(display) == ["most, K = 3", "halves, K = 2", "few, K = 3"]
    np.testing.assert_array_equal(
        display.points_.get_offsets(), [[6 / 8, 0], [4 / 8, 1], [1 / 8, 2]]
    )
    bottom, top = display.ax_.get_ylim()
    assert bottom > top
    assert display.points_.axes is display.ax_
    assert display.figure_ is display.ax_.figure


def test_the_best_has_a_colour_of_its_own():
    colors = CriticDisplay.from_scores([1, 3, 2, 3]).points_.get_facecolors()
    assert len(np.unique(colors, axis=0)) == 2
    assert (colors[1:] == colors[1]).all()


def test_equal_scores_keep_their_order_and_numbers_are_names():
    display = CriticDisplay.from_scores([1.0, 2.0, 2.0, 1.0], n_clusters=[4, 3, 2, 1])
    names = ["clustering 1, K = 3", "clustering 2, K = 2", "clustering 0, K = 4"]
    assert row_names(display) == [*names, "clustering 3, K = 1"]


@pytest.mark.parametrize("labelings", [np.array([*LABELINGS.values()]), [*LABELINGS.values()]])
def test_names_can_be_given(labelings):
    display = CriticDisplay.from_estimator(Critic(), X.tolist(), labelings, ["a", "b", "c"])
    assert row_names(display) == ["b, K = 3", "a, K = 2", "c, K = 3"]
    assert CriticDisplay.from_estimator(Critic(), X, LABELINGS, "abc").names == "abc"


def test_long_rankings_are_cut():
    scores = np.random.RandomState(0).normal(size=50)
    display = CriticDisplay.from_scores(scores, max_shown=4)
    np.testing.assert_array_equal(display.points_.get_offsets()[:, 0], np.sort(scores)[:-5:-1])
    assert display.ax_.get_title(loc="left") == "the best 4 of 50"
    whole = CriticDisplay.from_scores(scores, max_shown=50)
    assert len(row_names(whole)) == 50
    assert whole.ax_.get_title(loc="left") == ""
    assert whole.figure_.get_figheight() > 2 * display.figure_.get_figheight()


def test_classes_are_drawn_against():
    y = np.array(list("aaaabbbb"))
    display = CriticDisplay.from_estimator(Critic(), X, LABELINGS, y=y)
    ari = [adjusted_rand_score(y, LABELINGS[name]) for name in ("halves", "most")]
    points = display.points_.get_offsets()
    np.testing.assert_allclose(points[:2], [[ari[0], 4 / 8], [ari[1], 6 / 8]])
    assert legend_texts(display) == [
        "best score: most, K = 3",
        "nearest to the classes: halves, K = 2",
    ]
    expected = spearmanr(display.scores, display.agreement).statistic
    assert display.rank_correlation == pytest.approx(expected)
    assert display.ax_.get_title(loc="left") == f"rank correlation {expected:.2f}"


def test_unlabelled_rows_are_left_out():
    y, part = [0, 0, -1, 0, -1, 1, 1, 1], [0, 1, 3, 5, 6, 7]
    display = CriticDisplay.from_estimator(Critic(), X, LABELINGS, y=y)
    expected = [
        adjusted_rand_score(np.array(y)[part], np.array(LABELINGS[name])[part])
        for name in ("halves", "most")
    ]
    np.testing.assert_allclose(display.agreement[:2], expected)


def test_rank_correlation_equals_that_of_scipy_with_ties():
    rng = np.random.RandomState(0)
    scores, agreement = rng.randint(5, size=(2, 30))
    display = CriticDisplay(scores, agreement=agreement)
    assert display.rank_correlation == pytest.approx(spearmanr(scores, agreement).statistic)
    assert np.isnan(CriticDisplay(np.ones(3), agreement=np.arange(3)).rank_correlation)
    with pytest.raises(AttributeError, match="agreement"):
        CriticDisplay(scores).rank_correlation  # noqa: B018


@pytest.mark.parametrize("agreement", [None, [0.5, 0.1, 0.2]])
def test_axes_and_keywords_are_passed_on(agreement):
    ax = plt.subplots()[1]
    display = CriticDisplay.from_scores([1, 2, 3], agreement=agreement, ax=ax, s=50, color="red")
    assert display.ax_ is ax
    assert display.points_.get_sizes() == [50]
    np.testing.assert_array_equal(display.points_.get_facecolors()[-1], [1, 0, 0, 1])
    assert display.plot().ax_ is not ax


@pytest.mark.parametrize("agreement", [None, [0.5]])
def test_a_single_clustering_is_drawn(agreement):
    display = CriticDisplay.from_scores([0.3], agreement=agreement)
    display.figure_.canvas.draw()
    assert len(display.points_.get_offsets()) == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"scores": []}, "minimum of 1"),
        ({"scores": [1.0, np.nan]}, "scores contains NaN"),
        ({"scores": [[1.0, 2.0]]}, "1d array"),
        ({"scores": [1.0], "names": ["a", "b"]}, "inconsistent"),
        ({"scores": [1.0], "n_clusters": [2, 3]}, "inconsistent"),
        ({"scores": [1.0], "agreement": [np.inf]}, "agreement contains inf"),
        ({"scores": [1.0], "max_shown": 0}, "max_shown"),
    ],
)
def test_bad_scores_are_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        CriticDisplay.from_scores(**arguments)


def test_bad_arguments_are_named():
    with pytest.raises(TypeError, match="dict cannot score clusterings: use from_scores"):
        CriticDisplay.from_estimator({}, X, LABELINGS)
    with pytest.raises(ValueError, match=r"labelings\[0\] has 8 labels, but X has 7 rows"):
        CriticDisplay.from_estimator(Critic(), X[:7], LABELINGS)
    with pytest.raises(ValueError, match="y has no labelled row"):
        CriticDisplay.from_estimator(Critic(), X, LABELINGS, y=[-1] * 8)
    with pytest.raises(ValueError, match="inconsistent"):
        CriticDisplay.from_estimator(Critic(), X, LABELINGS, y=[0, 1])


def test_missing_matplotlib_names_the_extra(monkeypatch):
    real_import = builtins.__import__

    def without_matplotlib(name, *args, **kwargs):
        if name.startswith("matplotlib"):
            raise ImportError(name)
        return real_import(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without_matplotlib)
    with pytest.raises(ImportError, match=r'pip install "skdeepclust\[plot\]"'):
        CriticDisplay.from_scores([1.0])
