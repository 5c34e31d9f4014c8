"""Display objects: pictures of what was learned."""

from __future__ import annotations

from numbers import Integral
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.decomposition import PCA
from sklearn.manifold import TSNE
from sklearn.utils import (
    check_array,
    check_consistent_length,
    check_random_state,
    check_scalar,
    column_or_1d,
)  # fmt: skip

from ._critic_display import CriticDisplay
from ._matrix_display import ClusterMatrixDisplay
from ._pyplot import import_pyplot
from ._search_display import SearchDisplay

__all__ = ["ClusterMatrixDisplay", "CriticDisplay", "EmbeddingDisplay", "SearchDisplay"]


class EmbeddingDisplay:
    """Scatter plot of an embedding in the plane, coloured by classes or clusters.

    Parameters
    ----------
    points : ndarray of shape (n, 2)
        Where the rows lie in the plane.
    labels : ndarray of shape (n,), default=None
        Class or cluster of each row; -1 or None is unlabelled.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Axes with the picture.
    figure_ : matplotlib Figure
        Figure that holds the axes.
    scatter_ : matplotlib PathCollection
        All the points, the unlabelled ones first.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from skdeepclust import DeepMetricClusterer
    >>> from skdeepclust.plotting import EmbeddingDisplay
    >>> X, y = load_iris(return_X_y=True)
    >>> clusterer = DeepMetricClusterer(encoder="linear").fit(X, y)
    >>> EmbeddingDisplay.from_estimator(clusterer, X, y).points.shape
    (150, 2)
    """

    def __init__(self, points: NDArray[Any], labels: NDArray[Any] | None = None) -> None:
        self.points = points
        self.labels = labels

    @classmethod
    def from_estimator(
        cls, estimator: Any, X: ArrayLike, y: ArrayLike | None = None, *, ax: Any = None,
        projection: str = "pca", max_points: int | None = 5000,
        random_state: int | np.random.RandomState | None = None, **scatter_kw: Any,
    ) -> EmbeddingDisplay:  # fmt: skip
        """Plot ``estimator.transform(X)`` of a fitted estimator.

        Parameters
        ----------
        estimator : fitted estimator or pipeline
        X : array-like of shape (n, ...)
        y : array-like of shape (n,), default=None
            Classes for the colours. None: ``estimator.predict(X)`` where there is one.
        ax, projection, max_points, random_state, **scatter_kw
            See `from_embedding`.

        Returns
        -------
        EmbeddingDisplay
            The display, already drawn.
        """
        if not hasattr(estimator, "transform"):
            raise TypeError(f"{type(estimator).__name__} cannot transform X: use from_embedding.")
        if y is None and hasattr(estimator, "predict"):
            y = estimator.predict(X)
        return cls.from_embedding(
            estimator.transform(X), y, ax=ax, projection=projection, max_points=max_points,
            random_state=random_state, **scatter_kw,
        )  # fmt: skip

    @classmethod
    def from_embedding(
        cls, embedding: ArrayLike, labels: ArrayLike | None = None, *, ax: Any = None,
        projection: str = "pca", max_points: int | None = 5000,
        random_state: int | np.random.RandomState | None = None, **scatter_kw: Any,
    ) -> EmbeddingDisplay:  # fmt: skip
        """Plot an embedding of any origin.

        Parameters
        ----------
        embedding : array-like of shape (n, d)
            One row each; with d <= 2 it is shown as it is.
        labels : array-like of shape (n,), default=None
            Classes or clusters for the colours; -1 or None is unlabelled, and grey.
        ax : matplotlib Axes, default=None
            Where to draw. None: a new figure.
        projection : {"pca", "tsne"}, default="pca"
            Principal components, or t-SNE: slower, for neighbourhoods instead of distances.
        max_points : int or None, default=5000
            Of more rows than this a random part is shown; None shows all.
        random_state : int, RandomState instance or None, default=None
            Determines which part is shown, and t-SNE.
        **scatter_kw : dict
            Keywords for :meth:`matplotlib.axes.Axes.scatter`.

        Returns
        -------
        EmbeddingDisplay
            The display, already drawn.
        """
        import_pyplot()  # a missing matplotlib is reported before the work is done
        if max_points is not None:
            check_scalar(max_points, "max_points", Integral, min_val=1)
        rows = check_array(embedding, input_name="embedding")
        labels = None if labels is None else column_or_1d(labels)
        check_consistent_length(rows, labels)
        rng = check_random_state(random_state)
        shown = np.sort(rng.permutation(len(rows))[:max_points])
        points = _project(rows[shown], projection, rng)
        return cls(points, None if labels is None else labels[shown]).plot(ax, **scatter_kw)

    def plot(self, ax: Any = None, **scatter_kw: Any) -> EmbeddingDisplay:
        """Draw the points.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw. None: a new figure.
        **scatter_kw : dict
            Keywords of :meth:`matplotlib.axes.Axes.scatter`; ``c`` and ``color`` replace labels.

        Returns
        -------
        EmbeddingDisplay
            The display itself.
        """
        plt = import_pyplot()
        self.ax_ = plt.subplots(layout="constrained")[1] if ax is None else ax
        self.figure_ = self.ax_.figure
        points, options = self.points, {"s": 12, "linewidths": 0, **scatter_kw}
        if self.labels is not None and not {"c", "color"} & scatter_kw.keys():
            codes, classes = _label_codes(self.labels)
            order = np.argsort(codes >= 0, kind="stable")
            points, palette = points[order], _palette(plt, len(classes))
            options["c"] = palette[codes[order]]
            if len(classes) <= 20:
                names = [*map(str, classes), *["unlabelled"] * int(codes.min() < 0)]
                _add_legend(plt, self.ax_, names, palette)
        self.scatter_ = self.ax_.scatter(*points.T, **options)
        self.ax_.set(xticks=[], yticks=[])
        return self


def _project(embedding: Any, projection: str, rng: np.random.RandomState) -> NDArray[Any]:
    """Points in the plane, (n, 2)."""
    if projection not in ("pca", "tsne"):
        raise ValueError(f"projection={projection!r}: 'pca' or 'tsne' is wanted.")
    n, d = embedding.shape
    if d <= 2 or n < 3:
        return np.pad(embedding[:, :2], ((0, 0), (0, 2 - min(d, 2))))
    tsne = TSNE(perplexity=min(30.0, (n - 1) / 3), random_state=rng)
    method = tsne if projection == "tsne" else PCA(2, random_state=rng)
    return np.asarray(method.fit_transform(embedding))


def _label_codes(labels: NDArray[Any]) -> tuple[NDArray[np.intp], NDArray[Any]]:
    """Code of each label, -1 for unlabelled rows, and the sorted labels behind the codes."""
    labelled = np.array([label is not None and label != -1 for label in labels.tolist()])
    codes = np.full(len(labels), -1, dtype=np.intp)
    classes, codes[labelled] = np.unique(labels[labelled], return_inverse=True)
    return codes, classes


def _palette(plt: Any, k: int) -> NDArray[np.float64]:
    """Colours of k classes and, last, of unlabelled rows, (k + 1, 4)."""
    cmap = plt.get_cmap("tab10" if k <= 10 else "tab20" if k <= 20 else "turbo")
    return np.array([*cmap(np.arange(k) if k <= 20 else np.linspace(0, 1, k)), (0.8, 0.8, 0.8, 1)])


def _add_legend(plt: Any, ax: Any, names: list[str], colors: NDArray[np.float64]) -> None:
    handles = [plt.Line2D([], [], color=colors[i], label=n) for i, n in enumerate(names)]
    plt.setp(handles, linestyle="", marker="o")
    ax.legend(handles=handles, loc="center left", bbox_to_anchor=(1.0, 0.5), frameon=False)
