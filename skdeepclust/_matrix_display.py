"""Picture of a clustering as a matrix: rows against rows, or classes against clusters."""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Integral
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import linear_sum_assignment
from scipy.spatial.distance import pdist, squareform
from sklearn.metrics.pairwise import cosine_similarity
from sklearn.pipeline import Pipeline
from sklearn.utils import check_array, check_scalar

from ._metric_clusterer import DeepMetricClusterer
from ._pyplot import import_pyplot
from ._validation import check_labels, check_targets

__all__ = ["ClusterMatrixDisplay"]

# Up to so many classes and clusters the counts are written into their cells.
_MAX_NUMBERS = 25

Codes = NDArray[np.int64]


class ClusterMatrixDisplay:
    """Similarity of rows in the order of their clusters, or counts of classes in clusters.

    Parameters
    ----------
    matrix : ndarray of shape (n, n) or (n_classes, k)
        Similarities, or counts.
    clusters : sequence of str, length k
        What the clusters are called, in the order of the matrix; noise is the last.
    sizes : ndarray of shape (k,), default=None
        How many rows of each cluster a matrix of similarities has.
    classes : sequence of str, default=None
        What the classes are called: the matrix has counts.
    matching : ndarray of shape (m, 2), default=None
        Row and column of each pair of a class and a cluster that belong together.
    measure : str, default=""
        What the numbers of the matrix are.
    title : str, default=""
        What is written above the matrix.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Axes with the picture.
    figure_ : matplotlib Figure
        Figure that holds the axes.
    image_ : matplotlib AxesImage
        The matrix.
    lines_ : list of matplotlib Line2D
        The lines between the clusters of a matrix of similarities.
    texts_ : ndarray of matplotlib Text, shape (n_classes, k), or None
        The counts; those of the matching are bold. None where there are more than 25 classes
        or clusters.
    colorbar_ : matplotlib Colorbar or None
        None where the numbers are written.

    Examples
    --------
    >>> from skdeepclust.plotting import ClusterMatrixDisplay
    >>> display = ClusterMatrixDisplay.from_predictions(
    ...     None, [7, 7, 3, 3, 3], ["a", "a", "a", "b", "b"], kind="counts"
    ... )
    >>> display.matrix
    array([[2, 1],
           [0, 2]])
    >>> display.clusters
    ['7', '3']
    """

    def __init__(
        self, matrix: NDArray[Any], clusters: Sequence[str], *, sizes: Codes | None = None,
        classes: Sequence[str] | None = None, matching: NDArray[Any] | None = None,
        measure: str = "", title: str = "",
    ) -> None:  # fmt: skip
        self.matrix = matrix
        self.clusters = clusters
        self.sizes = sizes
        self.classes = classes
        self.matching = matching
        self.measure = measure
        self.title = title

    @classmethod
    def from_estimator(
        cls, estimator: Any, X: ArrayLike, y: ArrayLike | None = None, *, ax: Any = None,
        kind: str = "similarity", similarity: str = "gaussian", max_rows: int = 500,
        **imshow_kw: Any,
    ) -> ClusterMatrixDisplay:  # fmt: skip
        """Plot the clustering of X by a fitted estimator.

        The clusters are ``estimator.predict(X)``; those of an estimator that cannot predict are
        its ``labels_``, and X the data it was fitted to. Similar are, of a
        `DeepMetricClusterer`, rows of its embedding, and of any other clusterer those of its
        input: after the other steps of a pipeline.

        Parameters
        ----------
        estimator : fitted clusterer
            Or a pipeline that ends in one, or a grid search over either.
        X : array-like of shape (n, ...)
        y : array-like of shape (n,), default=None
            Classes, for ``kind="counts"``; -1 or None is unlabelled, and not counted.
        ax, kind, similarity, max_rows, **imshow_kw
            See `from_predictions`.

        Returns
        -------
        ClusterMatrixDisplay
            The display, already drawn.
        """
        _check_kind(kind, "y", y)
        found = getattr(estimator, "best_estimator_", estimator)
        labels = _predict(found, X)
        return cls.from_predictions(
            _embed(found, X) if kind == "similarity" else X, labels, y, ax=ax, kind=kind,
            similarity=similarity, max_rows=max_rows, **imshow_kw,
        )  # fmt: skip

    @classmethod
    def from_predictions(
        cls, X: ArrayLike | None, labels: ArrayLike, y_true: ArrayLike | None = None, *,
        ax: Any = None, kind: str = "similarity", similarity: str = "gaussian",
        max_rows: int = 500, **imshow_kw: Any,
    ) -> ClusterMatrixDisplay:  # fmt: skip
        """Plot a clustering of any origin.

        Parameters
        ----------
        X : array-like of shape (n, d)
            Rows or their embedding; may be None for ``kind="counts"``.
        labels : array-like of shape (n,)
            Clusters; negative numbers and None are noise, which comes last.
        y_true : array-like of shape (n,), default=None
            Classes, for ``kind="counts"``; -1 or None is unlabelled, and not counted.
        ax : matplotlib Axes, default=None
            Where to draw. None: a new figure.
        kind : {"similarity", "counts"}, default="similarity"
            How similar each row is to each other one, in the order of the clusters; or how many
            rows of each class are in each cluster. The clusters are then in the order of their
            classes by the best one-to-one matching, with those left over behind.
        similarity : {"gaussian", "cosine"}, default="gaussian"
            ``exp(-2 d² / m²)`` for rows at the distance d, where m is the median distance of
            the different rows shown; or the cosine of the angle between them.
        max_rows : int, default=500
            Of more rows than this, equally many of each cluster are shown, evenly spaced; of
            smaller clusters all.
        **imshow_kw : dict
            Keywords for :meth:`matplotlib.axes.Axes.imshow`.

        Returns
        -------
        ClusterMatrixDisplay
            The display, already drawn.
        """
        import_pyplot()  # a missing matplotlib is reported before the work is done
        _check_kind(kind, "y_true", y_true)
        if kind == "counts":
            display = cls(**_count(X, labels, y_true))
        else:
            display = cls(**_compare(X, labels, similarity, max_rows))
        return display.plot(ax, **imshow_kw)

    def plot(self, ax: Any = None, **imshow_kw: Any) -> ClusterMatrixDisplay:
        """Draw the matrix.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw. None: a new figure.
        **imshow_kw : dict
            Keywords of :meth:`matplotlib.axes.Axes.imshow`.

        Returns
        -------
        ClusterMatrixDisplay
            The display itself.
        """
        plt = import_pyplot()
        if ax is None:
            ax = plt.subplots(figsize=self._figure_size(), layout="constrained")[1]
        self.ax_, self.figure_ = ax, ax.figure
        self.lines_: list[Any] = []
        self.texts_: NDArray[Any] | None = None
        self.colorbar_ = None
        # A map for any kind of sight, whose lightness rises evenly; counts have a zero.
        options = {"cmap": "cividis", "interpolation": "nearest", **imshow_kw}
        if self.classes is not None and "norm" not in imshow_kw:
            options = {"vmin": 0, **options}
        if self.classes is not None and max(self.matrix.shape) > _MAX_NUMBERS:
            options = {"aspect": "auto", **options}
        self.image_ = ax.imshow(self.matrix, **options)
        if self.classes is None:
            self._draw_blocks()
        else:
            self._draw_counts(self.classes)
        if self.texts_ is None:
            self.colorbar_ = self.figure_.colorbar(self.image_, ax=ax, label=self.measure)
        ax.set_title(self.title, loc="left", fontsize="medium")
        return self

    def _figure_size(self) -> tuple[float, float]:
        """Inches; a cell with a number in it has half of one."""
        if self.classes is None or max(self.matrix.shape) > _MAX_NUMBERS:
            return 6.4, 5.2
        height, width = self.matrix.shape
        return 1.6 + max(width / 2, 3), 1.2 + max(height / 2, 1.5)

    def _draw_blocks(self) -> None:
        """Lines between the clusters, and their names where there is room."""
        sizes = np.array([len(self.matrix)]) if self.sizes is None else self.sizes
        ends = np.cumsum(sizes)
        thin = 0.8 if len(sizes) <= 20 else 0.3
        for draw in (self.ax_.axhline, self.ax_.axvline):
            self.lines_ += [draw(end - 0.5, color="white", linewidth=thin) for end in ends[:-1]]
        places = ends - sizes / 2 - 0.5
        self._name_ticks("x", places, self.clusters, len(self.matrix))
        self._name_ticks("y", places, self.clusters, len(self.matrix))
        self.ax_.set(xlabel="cluster", ylabel="cluster")

    def _draw_counts(self, classes: Sequence[str]) -> None:
        rows, columns = np.arange(len(classes)), np.arange(len(self.clusters))
        self._name_ticks("x", columns, self.clusters, max(self.matrix.shape))
        self._name_ticks("y", rows, classes, max(self.matrix.shape))
        self.ax_.set(xlabel="cluster", ylabel="class")
        if max(self.matrix.shape) <= _MAX_NUMBERS:
            self.texts_ = self._write_numbers()

    def _write_numbers(self) -> NDArray[Any]:
        inks = _readable_on(self.image_.to_rgba(self.matrix))
        size = "medium" if self.matrix.max() < 1_000 else "x-small"
        texts = np.empty(self.matrix.shape, dtype=object)
        for (i, j), count in np.ndenumerate(self.matrix):
            texts[i, j] = self.ax_.text(
                j, i, f"{count}", color=inks[i, j], fontsize=size, ha="center", va="center"
            )
        for i, j in () if self.matching is None else self.matching:
            texts[i, j].set_fontweight("bold")
        return texts

    def _name_ticks(
        self, axis: str, places: NDArray[Any], names: Sequence[str], length: int
    ) -> None:
        """Names at their places, without those that would lie upon another."""
        kept: list[int] = []
        for i, place in enumerate(places):
            if not kept or place - places[kept[-1]] >= length / 32:
                kept.append(i)
        shown = [str(names[i]) for i in kept]
        upright = axis == "x" and max(map(len, shown)) * len(shown) > 32
        getattr(self.ax_, f"set_{axis}ticks")(places[kept], shown)
        self.ax_.tick_params(axis=axis, length=0, labelrotation=90 if upright else 0)


def _check_kind(kind: str, name: str, classes: Any) -> None:
    if kind not in ("similarity", "counts"):
        raise ValueError(f"kind={kind!r}: 'similarity' or 'counts' is wanted.")
    if kind == "counts" and classes is None:
        raise ValueError(f"{name}=None: classes of the rows are wanted for kind='counts'.")


def _predict(estimator: Any, X: Any) -> Any:
    """Cluster of each row."""
    if hasattr(estimator, "predict"):
        return estimator.predict(X)
    last = estimator[-1] if isinstance(estimator, Pipeline) else estimator
    if not hasattr(last, "labels_"):
        raise TypeError(
            f"{type(last).__name__} has neither predict nor labels_: a fitted clusterer is "
            "wanted; from_predictions takes labels of any origin."
        )
    return last.labels_


def _embed(estimator: Any, X: Any) -> Any:
    """The embedding of a metric clusterer, or X as any other clusterer gets it."""
    # Distances to clusters, which others call transform, would show blocks where none are.
    last = estimator
    if isinstance(estimator, Pipeline):
        last, X = estimator[-1], estimator[:-1].transform(X) if len(estimator) > 1 else X
    return last.transform(X) if isinstance(last, DeepMetricClusterer) else X


def _compare(X: Any, labels: Any, similarity: str, max_rows: int) -> dict[str, Any]:
    """Similarities of rows in the order of their clusters, and what is to be said of them."""
    if similarity not in ("gaussian", "cosine"):
        raise ValueError(f"similarity={similarity!r}: 'gaussian' or 'cosine' is wanted.")
    check_scalar(max_rows, "max_rows", Integral, min_val=1)
    rows = check_array(X, dtype=np.float64, input_name="X")
    columns, names, _ = _check_clusters(labels, len(rows))
    shown, sizes = _sample(columns, max_rows)
    matrix, measure = _similarity(rows[shown], similarity)
    part = "" if len(shown) == len(rows) else f"{len(shown)} of {len(rows)} rows"
    return {"matrix": matrix, "clusters": names, "sizes": sizes, "measure": measure, "title": part}


def _count(X: Any, labels: Any, y_true: Any) -> dict[str, Any]:
    """Counts of classes in clusters, matched, and what is to be said of them."""
    if X is not None:  # only its length matters
        X = check_array(
            X,
            accept_sparse=True,
            dtype=None,
            ensure_all_finite=False,
            allow_nd=True,
            input_name="X",
        )
    n_rows = len(np.asarray(labels)) if X is None else X.shape[0]
    columns, names, n_clusters = _check_clusters(labels, n_rows)
    codes, classes = _check_classes(y_true, n_rows)
    labelled = codes >= 0
    counts = np.zeros((len(classes), len(names)), dtype=np.int64)
    np.add.at(counts, (codes[labelled], columns[labelled]), 1)
    order, matching = _match(counts, n_clusters)
    counts = counts[:, order]
    share = counts[tuple(matching.T)].sum() / counts.sum()
    return {
        "matrix": counts,
        "clusters": [names[j] for j in order],
        "classes": classes,
        "matching": matching,
        "measure": "number of rows",
        "title": f"{share:.0%} of the rows matched",
    }


def _check_clusters(labels: Any, n_rows: int) -> tuple[Codes, list[str], int]:
    """Column of each row with noise in the last one, names of the columns, number of clusters."""
    codes = check_labels(labels, n_rows)
    n_clusters = int(codes.max()) + 1
    columns = np.where(codes < 0, n_clusters, codes)
    firsts = np.unique(columns, return_index=True)[1]
    names = [str(np.asarray(labels)[i]) for i in firsts[:n_clusters]]
    return columns, names + ["noise"] * (len(firsts) - n_clusters), n_clusters


def _check_classes(y_true: Any, n_rows: int) -> tuple[Codes, list[str]]:
    """Class of each row, -1 for none, and names of the classes."""
    if np.shape(y_true) != (n_rows,):
        raise ValueError(
            f"y_true has shape {np.shape(y_true)}: a class for each of {n_rows} rows is wanted."
        )
    targets = check_targets(y_true, np.empty(n_rows), min_classes=1)
    if not targets.labelled.any():
        raise ValueError("y_true has no labelled row: kind='similarity' needs none.")
    return targets.values, list(map(str, targets.classes))


def _sample(columns: Codes, max_rows: int) -> tuple[NDArray[np.intp], Codes]:
    """Rows to be shown in the order of their clusters, and how many of each."""
    sizes = np.bincount(columns)
    if len(sizes) > max_rows:
        raise ValueError(f"max_rows={max_rows} is less than one for each of {len(sizes)} clusters.")
    # shown[q - 1] rows there are with at most q of each cluster
    shown = np.minimum(sizes[:, None], np.arange(1, max_rows + 1)).sum(axis=0)
    quotas = np.minimum(sizes, np.searchsorted(shown, max_rows, side="right"))
    groups = np.split(np.argsort(columns, kind="stable"), np.cumsum(sizes)[:-1])
    parts = [
        group[np.linspace(0, len(group) - 1, quota).round().astype(int)]
        for group, quota in zip(groups, quotas, strict=True)
    ]
    return np.concatenate(parts), quotas


def _similarity(rows: NDArray[Any], name: str) -> tuple[NDArray[Any], str]:
    """Similarity of each row to each, (n, n), and what it is called."""
    if name == "cosine":
        return np.asarray(cosine_similarity(rows)), "cosine similarity"
    distances = pdist(rows)
    scale = np.median(distances[distances > 0]) if distances.any() else 1.0
    matrix = np.exp(-2 * (squareform(distances) / scale) ** 2)
    return matrix, f"similarity exp(-2 d² / {scale:.3g}²)"


def _match(counts: Codes, n_clusters: int) -> tuple[list[int], NDArray[np.intp]]:
    """Order of the columns by their classes; class and place of each matched cluster, (m, 2)."""
    clusters = counts[:, :n_clusters]
    rows, matched = linear_sum_assignment(clusters, maximize=True)
    others = np.setdiff1d(np.arange(n_clusters), matched)
    others = others[np.argsort(-clusters[:, others].sum(axis=0), kind="stable")]
    order = [*matched, *others, *range(n_clusters, counts.shape[1])]
    return list(map(int, order)), np.column_stack([rows, np.arange(len(rows))])


def _readable_on(colors: NDArray[Any]) -> NDArray[Any]:
    """Black or white, whichever has the higher contrast by the formula of the WCAG, (...,)."""
    rgb = np.asarray(colors)[..., :3]
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    luminance = linear @ np.array([0.2126, 0.7152, 0.0722])
    return np.where(luminance > 0.179, "black", "white")
