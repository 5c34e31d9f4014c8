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
from ._pyplot import OKABE_ITO, import_pyplot
from ._search_display import SearchDisplay
from ._thumbnails import check_images, draw_thumbnails

__all__ = ["ClusterMatrixDisplay", "CriticDisplay", "EmbeddingDisplay", "SearchDisplay"]

# With eight colours these make 48 kinds of points.
_MARKERS = ("o", "^", "s", "D", "v", "P")
_UNLABELLED = "#CCCCCC"
# A legend with more names is higher than the picture.
_MAX_NAMES = 20


class EmbeddingDisplay:
    """Scatter plot of an embedding in the plane, coloured by classes or clusters.

    The first eight classes have the colours of Okabe and Ito, which people with any kind of sight
    tell apart. From the ninth on the same colours come again with other markers, 48 kinds of
    points in all; then these are repeated. Unlabelled rows are grey.

    Parameters
    ----------
    points : ndarray of shape (n, 2)
        Where the rows lie in the plane.
    labels : ndarray of shape (n,), default=None
        Class or cluster of each row; -1 or None is unlabelled.
    images : ndarray of shape (n, h, w) or (n, h, w, 3), default=None
        Picture of each row, with values from 0 to 1: as many as have room are drawn.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Axes with the picture.
    figure_ : matplotlib Figure
        Figure that holds the axes.
    scatter_ : matplotlib PathCollection
        All the points, the unlabelled ones first. With more than eight classes it has a path for
        each point, its marker.
    thumbnails_ : list of matplotlib AnnotationBbox
        Pictures of rows, in frames of the colours of their classes.

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

    def __init__(
        self,
        points: NDArray[Any],
        labels: NDArray[Any] | None = None,
        images: NDArray[Any] | None = None,
    ) -> None:
        self.points = points
        self.labels = labels
        self.images = images

    @classmethod
    def from_estimator(
        cls, estimator: Any, X: ArrayLike, y: ArrayLike | None = None, *, ax: Any = None,
        images: ArrayLike | None = None, projection: str = "pca", max_points: int | None = 5000,
        legend: bool = True, random_state: int | np.random.RandomState | None = None,
        **scatter_kw: Any,
    ) -> EmbeddingDisplay:  # fmt: skip
        """Plot ``estimator.transform(X)`` of a fitted estimator.

        Parameters
        ----------
        estimator : fitted estimator or pipeline
        X : array-like of shape (n, ...)
        y : array-like of shape (n,), default=None
            Classes for the colours. None: ``estimator.predict(X)`` where there is one.
        images : array-like of shape (n, h, w) or (n, c, h, w), default=None
            Picture of each row. None: X itself, where it is of shape (n, c, h, w).
        ax, projection, max_points, legend, random_state, **scatter_kw
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
        if images is None and np.ndim(X) == 4:
            images = X
        return cls.from_embedding(
            estimator.transform(X), y, ax=ax, images=images, projection=projection,
            max_points=max_points, legend=legend, random_state=random_state, **scatter_kw,
        )  # fmt: skip

    @classmethod
    def from_embedding(
        cls, embedding: ArrayLike, labels: ArrayLike | None = None, *, ax: Any = None,
        images: ArrayLike | None = None, projection: str = "pca", max_points: int | None = 5000,
        legend: bool = True, random_state: int | np.random.RandomState | None = None,
        **scatter_kw: Any,
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
        images : array-like of shape (n, h, w) or (n, c, h, w), default=None
            Picture of each row; those of points that are far enough apart are drawn.
        projection : {"pca", "tsne"}, default="pca"
            Principal components, or t-SNE: slower, for neighbourhoods instead of distances.
        max_points : int or None, default=5000
            Of more rows than this a random part is shown; None shows all.
        legend : bool, default=True
            Whether up to 20 classes are named beside the axes.
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
        pictures = None if images is None else check_images(images, len(rows), shown)
        points = _project(rows[shown], projection, rng)
        display = cls(points, None if labels is None else labels[shown], pictures)
        return display.plot(ax, legend=legend, **scatter_kw)

    def plot(self, ax: Any = None, *, legend: bool = True, **scatter_kw: Any) -> EmbeddingDisplay:
        """Draw the points.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw. None: a new figure.
        legend : bool, default=True
            Whether up to 20 classes are named beside the axes.
        **scatter_kw : dict
            Keywords of :meth:`matplotlib.axes.Axes.scatter`; ``c`` and ``color`` take the place
            of labels, ``marker`` that of the markers of classes.

        Returns
        -------
        EmbeddingDisplay
            The display itself.
        """
        plt = import_pyplot()
        self.ax_ = plt.subplots(layout="constrained")[1] if ax is None else ax
        self.figure_ = self.ax_.figure
        if self.labels is None or {"c", "color"} & scatter_kw.keys():
            self._draw(self.points, scatter_kw)
        else:
            self._draw_classes(self.labels, scatter_kw, legend)
        self.ax_.set(xticks=[], yticks=[])
        self.thumbnails_ = []
        if self.images is not None:
            frames = self._frames(bool({"c", "color"} & scatter_kw.keys()))
            self.thumbnails_ = draw_thumbnails(self.ax_, self.points, self.images, frames)
        return self

    def _frames(self, is_colored: bool) -> list[str]:
        """Colour of the frame of each row's picture: that of its class."""
        if self.labels is None or is_colored:
            return [_UNLABELLED] * len(self.points)
        codes, classes = _label_codes(self.labels)
        colors = _styles(len(classes))[0]
        return [colors[i] for i in codes]

    def _draw(self, points: NDArray[Any], options: dict[str, Any]) -> None:
        self.scatter_ = self.ax_.scatter(*points.T, **{"s": 12, "linewidths": 0, **options})

    def _draw_classes(self, labels: NDArray[Any], options: dict[str, Any], legend: bool) -> None:
        """Points in the colours and markers of their classes, unlabelled ones below."""
        codes, classes = _label_codes(labels)
        order = np.argsort(codes >= 0, kind="stable")
        colors, markers = _styles(len(classes))
        self._draw(self.points[order], {"c": [colors[i] for i in codes[order]], **options})
        if "marker" in options:
            markers = [options["marker"]] * len(markers)
        elif len(classes) > len(OKABE_ITO):
            paths = [_marker_path(marker) for marker in markers]
            self.scatter_.set_paths([paths[i] for i in codes[order]])
        if legend and len(classes) <= _MAX_NAMES:
            names = [*map(str, classes), *["unlabelled"] * int(codes.min() < 0)]
            _add_legend(self.ax_, names, colors, markers)


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


def _styles(k: int) -> tuple[list[str], list[str]]:
    """Colours and markers of k classes and, last, of unlabelled rows."""
    palette, codes = list(OKABE_ITO.values()), range(k)
    colors = [palette[i % len(palette)] for i in codes]
    markers = [_MARKERS[i // len(palette) % len(_MARKERS)] for i in codes]
    return [*colors, _UNLABELLED], [*markers, _MARKERS[0]]


def _marker_path(marker: str) -> Any:
    """Outline of a marker as `scatter` draws it."""
    from matplotlib.markers import MarkerStyle

    style = MarkerStyle(marker)
    return style.get_path().transformed(style.get_transform())


def _add_legend(ax: Any, names: list[str], colors: list[str], markers: list[str]) -> None:
    from matplotlib.lines import Line2D

    handles = [
        Line2D([], [], color=color, marker=marker, linestyle="", label=name)
        for name, color, marker in zip(names, colors, markers, strict=False)
    ]
    ax.legend(handles=handles, loc="center left", bbox_to_anchor=(1.0, 0.5), frameon=False)
