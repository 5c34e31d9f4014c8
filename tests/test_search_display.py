"""Tests of the picture of a search: what it draws, without looking at it."""

import numpy as np
import pytest
from sklearn.base import BaseEstimator
from sklearn.datasets import make_blobs
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skdeepclust import CriticClusterer
from skdeepclust.plotting import SearchDisplay

matplotlib = pytest.importorskip("matplotlib", reason="matplotlib is not installed")
matplotlib.use("Agg")
plt = pytest.importorskip("matplotlib.pyplot")

HISTORY = {
    "best": [0.5, 0.5, 0.7, 0.9],
    "mean": [0.1, 0.2, 0.4, 0.3],
    "n_clusters": [3, 3, 6, 5],
    "n_evaluations": [9, 18, 27, 36],
}


@pytest.fixture(autouse=True)
def close_figures():
    """Leave no figure open."""
    yield
    plt.close("all")


class Searched(BaseEstimator):
    """What a search leaves behind."""

    def fit(self, X=None, y=None):
        self.history_, self.score_, self.n_clusters_ = HISTORY, 0.5, 3
        return self

    def transform(self, X):
        return X


def legend_texts(display):
    return [text.get_text() for text in display.ax_.get_legend().get_texts()]


@pytest.mark.parametrize("wrap", [lambda e: e, lambda e: make_pipeline(StandardScaler(), e)])
def test_figures_of_every_generation_are_drawn(wrap):
    display = SearchDisplay.from_estimator(wrap(Searched()).fit(np.eye(3)))
    assert isinstance(display, SearchDisplay)
    for name in ("best", "mean", "n_clusters"):
        np.testing.assert_array_equal(
            display.lines_[name].get_xydata(), np.column_stack([range(4), HISTORY[name]])
        )
    assert display.figure_ is display.ax_.figure
    assert display.lines_["best"].axes is display.lines_["mean"].axes is display.ax_
    assert display.lines_["n_clusters"].axes is display.clusters_ax_


def test_the_chosen_score_is_a_level_below_the_best():
    display = SearchDisplay.from_estimator(Searched().fit())
    assert display.lines_["score"].get_ydata() == [0.5, 0.5]
    assert legend_texts(display)[-1] == "chosen: score 0.50, K = 3"


def test_a_real_search_is_drawn():
    X, _ = make_blobs(60, centers=3, cluster_std=0.3, random_state=0)
    found = CriticClusterer(n_generations=2, population_size=4, random_state=0).fit(X)
    display = SearchDisplay.from_estimator(found)
    np.testing.assert_array_equal(display.lines_["best"].get_ydata(), found.history_["best"])
    assert display.lines_["score"].get_ydata()[0] == found.score_


def test_only_what_is_known_is_drawn():
    display = SearchDisplay.from_history({"best": HISTORY["best"]})
    assert list(display.lines_) == ["best"]
    assert display.clusters_ax_ is None
    assert legend_texts(display) == ["best score"]
    chosen = SearchDisplay.from_history({"best": [0.5]}, score=0.25)
    assert legend_texts(chosen) == ["best score", "chosen: score 0.25"]


def test_a_single_generation_is_seen():
    display = SearchDisplay.from_history({name: HISTORY[name][:1] for name in HISTORY})
    display.figure_.canvas.draw()
    assert all(line.get_marker() == "." for line in display.lines_.values())


def test_generations_and_numbers_of_clusters_have_whole_ticks():
    display = SearchDisplay.from_history(HISTORY)
    for ticks in (display.ax_.get_xticks(), display.clusters_ax_.get_yticks()):
        np.testing.assert_array_equal(ticks, np.round(ticks))


def test_axes_and_keywords_are_passed_on():
    ax = plt.subplots()[1]
    display = SearchDisplay.from_history(HISTORY, ax=ax, color="red", linewidth=3)
    assert display.ax_ is ax
    assert display.lines_["best"].get_linewidth() == 3
    assert display.lines_["best"].get_color() == display.lines_["mean"].get_color() == "red"
    assert display.plot().ax_ is not ax


def luminance(color):
    rgb = np.array(matplotlib.colors.to_rgb(color))
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    return linear @ [0.2126, 0.7152, 0.0722]


def test_lines_are_told_apart_on_white_and_on_black():
    lines = SearchDisplay.from_history(HISTORY, score=0.5).lines_
    for line in lines.values():
        light = luminance(line.get_color())
        assert 1.05 / (light + 0.05) > 3  # the least contrast that the WCAG asks of graphics
        assert (light + 0.05) / 0.05 > 3
    looks = {(line.get_color(), line.get_linestyle()) for line in lines.values()}
    assert len(looks) == 4


@pytest.mark.parametrize(
    ("history", "message"),
    [
        ({}, r"history has the keys \[\]: 'best' is wanted"),
        ({"mean": [1.0]}, r"\['mean'\]: 'best' is wanted"),
        ({"best": []}, r"history\['best'\] has 0 values.*at least 1"),
        ({"best": [1.0, np.nan]}, r"history\['best'\]=.*finite number for each of 2"),
        ({"best": ["a"]}, r"history\['best'\]=\['a'\]"),
        ({"best": [1.0, 2.0], "mean": [1.0]}, r"history\['mean'\] has 1 values: .* 2 generations"),
        ({"best": [1.0], "n_clusters": [[2]]}, r"history\['n_clusters'\]=\[\[2\]\]"),
    ],
)
def test_bad_histories_are_named(history, message):
    with pytest.raises(ValueError, match=message):
        SearchDisplay.from_history(history)


def test_bad_arguments_are_named():
    with pytest.raises(TypeError, match=r"history=\[1\]: a dict"):
        SearchDisplay.from_history([1])
    with pytest.raises(TypeError, match="score"):
        SearchDisplay.from_history(HISTORY, score="high")
    with pytest.raises(ValueError, match="n_clusters == 0"):
        SearchDisplay.from_history(HISTORY, n_clusters=0)
    with pytest.raises(TypeError, match="StandardScaler has no history of a search"):
        SearchDisplay.from_estimator(StandardScaler().fit([[0.0], [1.0]]))
    with pytest.raises(NotFittedError):
        SearchDisplay.from_estimator(CriticClusterer())
