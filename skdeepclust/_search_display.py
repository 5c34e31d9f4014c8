"""Picture of a search: scores and number of clusters over the generations."""

from __future__ import annotations

from collections.abc import Mapping
from numbers import Integral, Real
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.pipeline import Pipeline
from sklearn.utils import check_scalar
from sklearn.utils.validation import check_is_fitted

from ._pyplot import OKABE_ITO, import_pyplot

__all__ = ["SearchDisplay"]

_SCORES, _CLUSTERS, _CHOSEN = (OKABE_ITO[name] for name in ("blue", "green", "vermillion"))


class SearchDisplay:
    """Best and mean score, and the number of clusters of the best, over the generations.

    Parameters
    ----------
    best : ndarray of shape (g,)
        Best score up to each generation; generation 0 are the starts.
    mean : ndarray of shape (g,), default=None
        Mean score within each generation.
    n_clusters : ndarray of shape (g,), default=None
        Number of clusters of the best.
    score : float, default=None
        Score of the clustering that was chosen in the end. It is below the best where the
        search was not believed, see the notes of `CriticClusterer`.
    chosen_n_clusters : int, default=None
        Its number of clusters.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Axes with the scores.
    clusters_ax_ : matplotlib Axes or None
        Axes with the number of clusters, whose scale is on the right.
    figure_ : matplotlib Figure
        Figure that holds the axes.
    lines_ : dict of str to matplotlib Line2D
        What was drawn: "best", and "mean", "n_clusters" and "score" where they are known.

    Examples
    --------
    >>> from skdeepclust.plotting import SearchDisplay
    >>> history = {"best": [0.5, 0.6, 0.9], "mean": [0.1, 0.3, 0.4], "n_clusters": [3, 4, 4]}
    >>> display = SearchDisplay.from_history(history, score=0.9)
    >>> list(display.lines_)
    ['best', 'mean', 'n_clusters', 'score']
    """

    def __init__(
        self, best: NDArray[Any], mean: NDArray[Any] | None = None,
        n_clusters: NDArray[Any] | None = None, *, score: float | None = None,
        chosen_n_clusters: int | None = None,
    ) -> None:  # fmt: skip
        self.best = best
        self.mean = mean
        self.n_clusters = n_clusters
        self.score = score
        self.chosen_n_clusters = chosen_n_clusters

    @classmethod
    def from_estimator(cls, estimator: Any, *, ax: Any = None, **line_kw: Any) -> SearchDisplay:
        """Plot the search of a fitted `CriticClusterer`.

        Parameters
        ----------
        estimator : fitted CriticClusterer
            Or a pipeline that ends in one, or a grid search over either.
        ax, **line_kw
            See `from_history`.

        Returns
        -------
        SearchDisplay
            The display, already drawn.
        """
        found = getattr(estimator, "best_estimator_", estimator)
        found = found[-1] if isinstance(found, Pipeline) else found
        check_is_fitted(found)
        history = getattr(found, "history_", None)
        if not isinstance(history, Mapping) or "best" not in history:
            raise TypeError(
                f"{type(found).__name__} has no history of a search: a CriticClusterer is wanted."
            )
        return cls.from_history(
            history, score=found.score_, n_clusters=found.n_clusters_, ax=ax, **line_kw
        )

    @classmethod
    def from_history(
        cls, history: Mapping[str, ArrayLike], *, score: float | None = None,
        n_clusters: int | None = None, ax: Any = None, **line_kw: Any,
    ) -> SearchDisplay:  # fmt: skip
        """Plot a history, such as the attribute ``history_``.

        Parameters
        ----------
        history : dict of str to array-like of shape (g,)
            Of every generation: "best" score up to then, and, if known, "mean" score and
            "n_clusters" of the best. Other entries are not shown.
        score : float, default=None
            Score of the clustering that was chosen, drawn as a level.
        n_clusters : int, default=None
            Its number of clusters, named with the score.
        ax : matplotlib Axes, default=None
            Where to draw. None: a new figure.
        **line_kw : dict
            Keywords of :meth:`matplotlib.axes.Axes.plot` for the best and the mean score.

        Returns
        -------
        SearchDisplay
            The display, already drawn.
        """
        if score is not None:
            check_scalar(score, "score", Real)
        if n_clusters is not None:
            check_scalar(n_clusters, "n_clusters", Integral, min_val=1)
        figures = _check_history(history)
        display = cls(**figures, score=score, chosen_n_clusters=n_clusters)
        return display.plot(ax, **line_kw)

    def plot(self, ax: Any = None, **line_kw: Any) -> SearchDisplay:
        """Draw the search.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw. None: a new figure.
        **line_kw : dict
            Keywords of :meth:`matplotlib.axes.Axes.plot` for the best and the mean score.

        Returns
        -------
        SearchDisplay
            The display itself.
        """
        plt = import_pyplot()
        self.ax_ = plt.subplots(layout="constrained")[1] if ax is None else ax
        self.figure_, self.clusters_ax_ = self.ax_.figure, None
        self.lines_: dict[str, Any] = {}
        self._draw_scores(line_kw)
        if self.n_clusters is not None:
            self._draw_n_clusters(self.n_clusters)
        if self.score is not None:
            self.lines_["score"] = self.ax_.axhline(
                self.score, color=_CHOSEN, linestyle=":", linewidth=2, label=self._chosen_name()
            )
        self.ax_.legend(
            handles=list(self.lines_.values()), frameon=False, ncols=2,
            loc="upper left", bbox_to_anchor=(0.0, -0.15),
        )  # fmt: skip
        return self

    def _draw_scores(self, line_kw: dict[str, Any]) -> None:
        generations = np.arange(len(self.best))
        options = {"marker": ".", **line_kw}
        if not {"c", "color"} & line_kw.keys():
            options["color"] = _SCORES
        (self.lines_["best"],) = self.ax_.plot(
            generations, self.best, **{"label": "best score", **options}
        )
        if self.mean is not None:  # told from the best by more than its colour
            thin = {"linestyle": "--", "linewidth": 1, "label": "mean score of the generation"}
            (self.lines_["mean"],) = self.ax_.plot(generations, self.mean, **{**options, **thin})
        self.ax_.set(xlabel="generation", ylabel="score (higher is better)")
        self.ax_.xaxis.get_major_locator().set_params(integer=True)
        self.ax_.spines[["top", "right"]].set_visible(False)

    def _draw_n_clusters(self, n_clusters: NDArray[Any]) -> None:
        """Steps on an axis of their own, in the colour of its labels."""
        self.clusters_ax_ = ax = self.ax_.twinx()
        (self.lines_["n_clusters"],) = ax.plot(
            np.arange(len(n_clusters)), n_clusters, color=_CLUSTERS, drawstyle="steps-mid",
            linewidth=1, marker=".", label="clusters of the best",
        )  # fmt: skip
        ax.set_ylabel("number of clusters", color=_CLUSTERS)
        ax.tick_params(axis="y", colors=_CLUSTERS)
        ax.set_ylim(0, 1.25 * n_clusters.max())
        ax.yaxis.get_major_locator().set_params(integer=True)
        ax.spines["top"].set_visible(False)

    def _chosen_name(self) -> str:
        name = f"chosen: score {self.score:.2f}"
        return name if self.chosen_n_clusters is None else f"{name}, K = {self.chosen_n_clusters}"


def _check_history(history: Any) -> dict[str, NDArray[Any]]:
    """The figures to be shown, each of the same length."""
    if not isinstance(history, Mapping):
        raise TypeError(f"history={history!r}: a dict with the scores 'best' is wanted.")
    if "best" not in history:
        raise ValueError(f"history has the keys {sorted(history)}: 'best' is wanted.")
    names = [name for name in ("best", "mean", "n_clusters") if name in history]
    figures = {name: np.asarray(history[name]) for name in names}
    for name, values in figures.items():
        wanted = f"a finite number for each of {len(history['best'])} generations is wanted"
        if values.dtype.kind not in "iuf" or not np.isfinite(values).all() or values.ndim != 1:
            raise ValueError(f"history[{name!r}]={history[name]!r}: {wanted}.")
        if len(values) != len(figures["best"]) or not len(values):
            raise ValueError(f"history[{name!r}] has {len(values)} values: {wanted}, at least 1.")
    return figures
