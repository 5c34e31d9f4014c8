"""Picture of what a critic says about clusterings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from numbers import Integral
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import rankdata
from sklearn.utils import check_array, check_consistent_length, check_scalar, column_or_1d

from ._pyplot import OKABE_ITO, import_pyplot
from ._validation import check_labelings, check_targets
from .critic import quality

__all__ = ["CriticDisplay"]

_CHOSEN, _OTHERS, _NEAREST = (OKABE_ITO[name] for name in ("vermillion", "sky blue", "black"))


class CriticDisplay:
    """Scores of clusterings, as a ranking or against their agreement with known classes.

    Parameters
    ----------
    scores : ndarray of shape (m,)
        Higher is better.
    names : sequence of str, default=None
        What the clusterings are called. None: their numbers.
    n_clusters : ndarray of shape (m,), default=None
        Their numbers of clusters.
    agreement : ndarray of shape (m,), default=None
        Adjusted Rand index of each with the classes.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Axes with the picture.
    figure_ : matplotlib Figure
        Figure that holds the axes.
    points_ : matplotlib PathCollection
        One point for each clustering shown, in a ranking the best first.

    Examples
    --------
    >>> from skdeepclust.plotting import CriticDisplay
    >>> display = CriticDisplay.from_scores([0.2, 0.9, 0.5], names=["a", "b", "c"])
    >>> [label.get_text() for label in display.ax_.get_yticklabels()]
    ['b', 'c', 'a']
    """

    def __init__(
        self, scores: NDArray[Any], *, names: Sequence[str] | None = None,
        n_clusters: NDArray[Any] | None = None, agreement: NDArray[Any] | None = None,
    ) -> None:  # fmt: skip
        self.scores = scores
        self.names = names
        self.n_clusters = n_clusters
        self.agreement = agreement

    @classmethod
    def from_estimator(
        cls, critic: Any, X: ArrayLike, labelings: Any, names: Sequence[str] | None = None,
        y: ArrayLike | None = None, ax: Any = None, *, max_shown: int = 30, **scatter_kw: Any,
    ) -> CriticDisplay:  # fmt: skip
        """Plot ``critic.score_clusterings(X, labelings)`` of a fitted critic.

        Parameters
        ----------
        critic : fitted ClusteringCritic
        X : array-like of shape (n, p)
        labelings : array-like of shape (m, n), sequence of array-likes, or dict of them
            Clusterings; the keys of a dict are their names.
        names : sequence of str, default=None
            What the clusterings are called.
        y : array-like of shape (n,), default=None
            Classes, with -1 or None for unlabelled rows, which are left out. With them the
            scores are shown against the adjusted Rand index with the classes.
        ax, max_shown, **scatter_kw
            See `from_scores`.

        Returns
        -------
        CriticDisplay
            The display, already drawn.
        """
        if not hasattr(critic, "score_clusterings"):
            raise TypeError(f"{type(critic).__name__} cannot score clusterings: use from_scores.")
        if isinstance(labelings, Mapping):
            names = list(map(str, labelings)) if names is None else names
            labelings = list(labelings.values())
        codes = check_labelings(labelings, np.shape(X)[0])
        agreement = None
        if y is not None:
            agreement = quality(_check_classes(y, codes), codes)
        return cls.from_scores(
            critic.score_clusterings(X, labelings), names=names, n_clusters=codes.max(axis=1) + 1,
            agreement=agreement, ax=ax, max_shown=max_shown, **scatter_kw,
        )  # fmt: skip

    @classmethod
    def from_scores(
        cls, scores: ArrayLike, *, names: Sequence[str] | None = None,
        n_clusters: ArrayLike | None = None, agreement: ArrayLike | None = None,
        ax: Any = None, max_shown: int = 30, **scatter_kw: Any,
    ) -> CriticDisplay:  # fmt: skip
        """Plot scores that are known.

        Parameters
        ----------
        scores : array-like of shape (m,)
            Higher is better.
        names : sequence of str, default=None
            What the clusterings are called. None: their numbers.
        n_clusters : array-like of shape (m,), default=None
            Their numbers of clusters, to be shown with the names.
        agreement : array-like of shape (m,), default=None
            Adjusted Rand index of each with the classes, to show the scores against.
        ax : matplotlib Axes, default=None
            Where to draw. None: a new figure.
        max_shown : int, default=30
            A ranking shows so many of the best.
        **scatter_kw : dict
            Keywords of :meth:`matplotlib.axes.Axes.scatter`.

        Returns
        -------
        CriticDisplay
            The display, already drawn.
        """
        given = {"scores": scores, "n_clusters": n_clusters, "agreement": agreement}
        arrays = {
            name: column_or_1d(check_array(values, ensure_2d=False, input_name=name))
            for name, values in given.items()
            if values is not None
        }
        check_consistent_length(*arrays.values(), names)
        return cls(names=names, **arrays).plot(ax, max_shown=max_shown, **scatter_kw)

    @property
    def rank_correlation(self) -> float:
        """Spearman's correlation of scores and agreement; NaN if one of them is constant."""
        if self.agreement is None:
            raise AttributeError("rank_correlation needs the agreement with classes.")
        if not np.ptp(self.scores) or not np.ptp(self.agreement):
            return float("nan")
        return float(np.corrcoef(rankdata(self.scores), rankdata(self.agreement))[0, 1])

    def plot(self, ax: Any = None, *, max_shown: int = 30, **scatter_kw: Any) -> CriticDisplay:
        """Draw the scores.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw. None: a new figure.
        max_shown : int, default=30
            A ranking shows so many of the best.
        **scatter_kw : dict
            Keywords of :meth:`matplotlib.axes.Axes.scatter`.

        Returns
        -------
        CriticDisplay
            The display itself.
        """
        check_scalar(max_shown, "max_shown", Integral, min_val=1)
        plt = import_pyplot()
        order = np.argsort(-self.scores, kind="stable")
        if ax is None:
            height = 4.8 if self.agreement is not None else 1 + 0.26 * min(max_shown, len(order))
            ax = plt.subplots(figsize=(6.4, height), layout="constrained")[1]
        self.ax_, self.figure_ = ax, ax.figure
        ax.spines[["top", "right"]].set_visible(False)
        if self.agreement is None:
            self._draw_ranking(order[:max_shown], scatter_kw)
        else:
            self._draw_agreement(order[0], int(self.agreement.argmax()), scatter_kw)
        return self

    def _draw_ranking(self, order: NDArray[np.intp], scatter_kw: dict[str, Any]) -> None:
        """Dots, not bars: scores have no zero to start from."""
        places = np.arange(len(order))
        if not {"c", "color"} & scatter_kw.keys():
            scatter_kw = {"c": np.where(places == 0, _CHOSEN, _OTHERS).tolist(), **scatter_kw}
        self.points_ = self.ax_.scatter(
            self.scores[order], places, **{"s": 40, "zorder": 2, **scatter_kw}
        )
        self.ax_.set(ylim=(len(order) - 0.5, -0.5), xlabel="score (higher is better)")
        self.ax_.set_yticks(places, [self._name(i) for i in order])
        self.ax_.tick_params(axis="y", length=0)
        self.ax_.spines["left"].set_visible(False)
        self.ax_.grid(axis="y", color="0.9")
        if len(order) < len(self.scores):
            self.ax_.set_title(f"the best {len(order)} of {len(self.scores)}", loc="left")

    def _draw_agreement(self, chosen: int, nearest: int, scatter_kw: dict[str, Any]) -> None:
        """Scores against agreement, with a mark for the best by either."""
        assert self.agreement is not None
        place = np.column_stack([self.agreement, self.scores])
        default = {} if {"c", "color"} & scatter_kw.keys() else {"c": _OTHERS}
        self.points_ = self.ax_.scatter(*place.T, **{"s": 24, **default, **scatter_kw})
        self.ax_.scatter(
            *place[chosen], s=70, c=_CHOSEN, marker="D", label=f"best score: {self._name(chosen)}"
        )
        self.ax_.scatter(
            *place[nearest], s=160, facecolors="none", edgecolors=_NEAREST,
            label=f"nearest to the classes: {self._name(nearest)}",
        )  # fmt: skip
        self.ax_.set(xlabel="adjusted Rand index with the classes", ylabel="score")
        self.ax_.set_title(f"rank correlation {self.rank_correlation:.2f}", loc="left")
        self.ax_.legend(frameon=False, loc="upper left", bbox_to_anchor=(0.0, -0.15))

    def _name(self, i: int) -> str:
        name = f"clustering {i}" if self.names is None else str(self.names[i])
        return name if self.n_clusters is None else f"{name}, K = {self.n_clusters[i]}"


def _check_classes(y: ArrayLike, codes: NDArray[np.int64]) -> NDArray[Any]:
    """Class codes (n,) with -1 for unlabelled rows."""
    targets = check_targets(column_or_1d(y), codes[0], min_classes=1)
    if not targets.labelled.any():
        raise ValueError("y has no labelled row: y=None shows the scores alone.")
    return targets.values
