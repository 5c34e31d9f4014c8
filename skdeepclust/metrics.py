"""Metrics of clusterings and embeddings of any origin, and scikit-learn scorers made of them."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import linear_sum_assignment
from sklearn.base import BaseEstimator
from sklearn.metrics import adjusted_rand_score, normalized_mutual_info_score
from sklearn.metrics.cluster import contingency_matrix
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_is_fitted

from ._retrieval import check_k, check_option, map_at_r, recall_at_k
from .model_selection import _check_same_length, _class_codes, _labelled_part, _n_rows

__all__ = [
    "clustering_accuracy",
    "critic_scorer",
    "map_at_r",
    "recall_at_k",
    "recall_at_k_scorer",
    "zero_shot_clustering_scorer",
]

# Score of what is no clustering: below every other, yet finite, so that means and deviations over
# splits are, too, and a grid search ends without a warning.
_REFUSED = -float(np.finfo(np.float32).max)


def clustering_accuracy(labels_true: ArrayLike, labels_pred: ArrayLike) -> float:
    """Share of rows in the right cluster under the best matching of clusters to classes.

    The matching is one-to-one (Hungarian method); rows of unmatched clusters count as wrong.

    Parameters
    ----------
    labels_true : array-like of shape (n,)
        Classes, of any sortable type.
    labels_pred : array-like of shape (n,)
        Clusters, of any sortable type; their number may differ from that of the classes.

    Returns
    -------
    float
        Above 0 and up to 1: the clusters are the classes, up to their names.

    Raises
    ------
    ValueError
        If the labels are empty, not 1-D, not sortable, or of different lengths.

    References
    ----------
    H. W. Kuhn, "The Hungarian method for the assignment problem", 1955.

    Examples
    --------
    >>> from skdeepclust.metrics import clustering_accuracy
    >>> clustering_accuracy(["a", "a", "b", "b"], [7, 7, 3, 3])
    1.0
    >>> clustering_accuracy([0, 0, 0, 1], [0, 0, 1, 2])
    0.75

    """
    true = _class_codes(labels_true, "labels_true")
    pred = _class_codes(labels_pred, "labels_pred")
    _check_same_length(labels_true=true, labels_pred=pred)
    counts = contingency_matrix(true, pred)
    matched = linear_sum_assignment(counts, maximize=True)
    return float(counts[matched].sum() / len(true))


def recall_at_k_scorer(
    estimator: Any = None, X: Any = None, y: Any = None, *, k: int = 1, metric: str = "cosine"
) -> Any:
    """Score a transformer by the recall at k of its embedding; a scikit-learn scorer.

    Give it to ``scoring`` as it is, or with options: ``scoring=recall_at_k_scorer(k=4)``.

    Parameters
    ----------
    estimator : fitted estimator with ``transform``, or None
        Without it, a scorer with the options given is returned.
    X : array-like of shape (n, ...)
        Input of ``estimator.transform``.
    y : array-like of shape (n,)
        Classes. If they are integers, rows with -1 are unlabelled and left out.
    k : int, default=1
        Number of neighbours.
    metric : {"cosine", "euclidean"}, default="cosine"
        How near is measured, see :func:`recall_at_k`.

    Returns
    -------
    float or callable
        Recall at k of the embedding of X; or, without `estimator`, a scorer, which pickles.

    Raises
    ------
    TypeError
        If `estimator` cannot transform.
    ValueError
        If y is missing or all unlabelled, or an option is not as described.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn.decomposition import PCA
    >>> from sklearn.model_selection import GridSearchCV
    >>> from skdeepclust.metrics import recall_at_k_scorer
    >>> from skdeepclust.model_selection import ClassDisjointKFold
    >>> X, y = load_digits(return_X_y=True)
    >>> scorer, cv = recall_at_k_scorer(metric="euclidean"), ClassDisjointKFold(2)
    >>> search = GridSearchCV(PCA(), {"n_components": [2, 16]}, scoring=scorer, cv=cv)
    >>> search.fit(X, y).best_params_
    {'n_components': 16}

    """
    if not isinstance(k, (int, np.integer)):
        raise ValueError(f"k must be an integer in a scorer, got {k!r}.")
    check_k(k)
    check_option("metric", metric, ("cosine", "euclidean"))
    if estimator is None:
        return partial(recall_at_k_scorer, k=k, metric=metric)
    X, y = _labelled_part(X, y)
    return recall_at_k(_require(estimator, "transform")(X), y, k, metric=metric)


def zero_shot_clustering_scorer(
    estimator: Any = None, X: Any = None, y: Any = None, *, metric: str = "nmi"
) -> Any:
    """Score how well an estimator clusters X into as many clusters as y has classes.

    Give it to ``scoring`` as it is or with options, ``zero_shot_clustering_scorer(metric="ari")``;
    use it with :class:`~skdeepclust.model_selection.ClassDisjointKFold` to score new classes.

    Parameters
    ----------
    estimator : fitted estimator with ``cluster(X, n_clusters)``, or None
        Of a :class:`~sklearn.pipeline.Pipeline` the last step clusters what the steps before
        it transform. Without an estimator, a scorer with the options given is returned.
    X : array-like of shape (n, ...)
        Rows to cluster, images (n, c, h, w) for instance; handed on as they are.
    y : array-like of shape (n,)
        Classes. If they are integers, rows with -1 are unlabelled and left out.
    metric : {"nmi", "ari", "accuracy"}, default="nmi"
        Normalised mutual information, adjusted Rand index, or :func:`clustering_accuracy`.

    Returns
    -------
    float or callable
        Agreement of clusters and classes; or, without `estimator`, a scorer, which pickles.

    Raises
    ------
    TypeError
        If `estimator` cannot cluster, or a step before it cannot transform.
    ValueError
        If y is missing or all unlabelled, or `metric` is not as described.

    References
    ----------
    M. T. Law, R. Urtasun, R. S. Zemel, "Deep Spectral Clustering Learning", ICML 2017.

    Examples
    --------
    >>> from sklearn.base import BaseEstimator
    >>> from sklearn.cluster import KMeans
    >>> from skdeepclust.metrics import zero_shot_clustering_scorer
    >>> class Clusterer(BaseEstimator):
    ...     def cluster(self, X, n_clusters):
    ...         return KMeans(n_clusters, n_init=3, random_state=0).fit_predict(X)
    >>> X = [[0.0], [0.1], [5.0], [5.1]]
    >>> accuracy_scorer = zero_shot_clustering_scorer(metric="accuracy")
    >>> accuracy_scorer(Clusterer(), X, ["a", "b", "b", "b"])
    0.75

    """
    check_option("metric", metric, tuple(_AGREEMENT))
    if estimator is None:
        return partial(zero_shot_clustering_scorer, metric=metric)
    X, y = _labelled_part(X, y)
    while isinstance(estimator, Pipeline):
        for _, step in estimator.steps[:-1]:
            if step is not None and step != "passthrough":
                X = _require(step, "transform")(X)
        estimator = estimator.steps[-1][1]
    return float(_AGREEMENT[metric](y, _require(estimator, "cluster")(X, len(np.unique(y)))))


def critic_scorer(critic: Any = "pretrained") -> Callable[..., float]:
    """Make a scorer of a critic: how good an estimator's clustering of X is, without labels.

    For choosing among clusterers, or their parameters, where there are no classes to compare
    with: ``GridSearchCV(clusterer, grid, scoring=critic_scorer(), cv=NoSplit())``.

    Parameters
    ----------
    critic : str, path-like or fitted ClusteringCritic, default="pretrained"
        "pretrained", or another name that ``ClusteringCritic.from_pretrained`` knows; the path
        of a critic saved by :func:`skdeepclust.save`; or a critic itself.

    Returns
    -------
    callable
        ``scorer(estimator, X, y=None) -> float``; y is ignored. It pickles and clones; a critic
        given by its name or path is loaded once, and not part of the pickle.

    Raises
    ------
    ValueError, FileNotFoundError
        If there is no such critic.
    TypeError
        If `critic` cannot score clusterings.

    See Also
    --------
    skdeepclust.model_selection.NoSplit : All rows in the only split.

    Notes
    -----
    What is scored is ``estimator.predict(X)`` or, of clusterers that cannot predict, the
    attribute ``labels_``, of a pipeline that of its last step. These labels belong to the rows
    of the fit, so that only ``cv=NoSplit()`` is right for such clusterers: other numbers of
    rows are refused, but equal numbers of other rows cannot be noticed.

    The clustering is judged in the space of the X that the scorer is given, not in the one that
    the first steps of a pipeline make of it: candidates are then comparable even where these
    steps differ. Put steps that the judgement needs, such as a common scaling, in front of the
    search. Images (n, c, h, w) are judged as rows of pixels.

    A clustering that is none, because all rows are noise or each row is alone, gets the finite
    score -3.4e38, the smallest of float32, so that a search goes on and never chooses it while
    there is another.

    Examples
    --------
    >>> from sklearn.cluster import KMeans
    >>> from sklearn.datasets import make_blobs
    >>> from sklearn.model_selection import GridSearchCV
    >>> from skdeepclust.metrics import critic_scorer
    >>> from skdeepclust.model_selection import NoSplit
    >>> X, _ = make_blobs(150, centers=[[0, 0], [9, 0], [0, 9]], random_state=0)
    >>> search = GridSearchCV(
    ...     KMeans(random_state=0), {"n_clusters": [2, 3, 5]}, scoring=critic_scorer(), cv=NoSplit()
    ... )
    >>> search.fit(X).best_params_
    {'n_clusters': 3}

    """
    return _CriticScorer(critic)


class _CriticScorer:
    """What `critic_scorer` returns."""

    def __init__(self, critic: Any) -> None:
        self.critic = critic
        self._loaded = _load_critic(critic)

    def __call__(self, estimator: Any, X: Any, y: Any = None) -> float:
        labels = _clustering(estimator, X)
        clusters = labels[labels >= 0] if labels.dtype.kind in "if" else labels
        if not len(clusters) or len(np.unique(clusters)) == len(labels) > 1:
            return _REFUSED
        if self._loaded is None:
            self._loaded = _load_critic(self.critic)
        rows = np.reshape(X, (len(X), -1)) if getattr(X, "ndim", 2) > 2 else X
        return float(self._loaded.score_clustering(rows, labels))

    def __getstate__(self) -> dict[str, Any]:
        return {"critic": self.critic, "_loaded": None}

    def __repr__(self) -> str:
        return f"critic_scorer({self.critic!r})"


def _load_critic(critic: Any) -> Any:
    """A fitted critic, given itself, its name or its path."""
    found = critic
    if isinstance(critic, str | os.PathLike):
        found = _read_critic(critic)
    if not hasattr(found, "score_clustering"):
        raise TypeError(
            f"critic={critic!r}: a name, the path of a saved critic, or a fitted ClusteringCritic "
            f"is wanted, {type(found).__name__} cannot score clusterings."
        )
    if isinstance(found, BaseEstimator):
        check_is_fitted(found)
    return found


def _read_critic(name: str | os.PathLike[str]) -> Any:
    from ._critic import ClusteringCritic
    from .persistence import load

    path = Path(name)
    if not isinstance(name, str) or path.suffix or len(path.parts) != 1 or path.is_file():
        return load(path)
    return ClusteringCritic.from_pretrained("default" if name == "pretrained" else name)


def _clustering(estimator: Any, X: Any) -> NDArray[Any]:
    """Labels (n,) that a fitted estimator gives to the rows of X."""
    if hasattr(estimator, "predict"):
        return np.asarray(estimator.predict(X))
    last = estimator
    while isinstance(last, Pipeline):
        last = last.steps[-1][1]
    if not hasattr(last, "labels_"):
        raise TypeError(
            f"estimator must have the method predict or the attribute labels_, got {last!r}."
        )
    labels = np.asarray(last.labels_)
    if len(labels) != _n_rows(X):
        raise ValueError(
            f"labels_ of {type(last).__name__} has {len(labels)} rows, X has {_n_rows(X)}: without "
            "predict only the rows of the fit have labels, use cv=NoSplit()."
        )
    return labels


_AGREEMENT: dict[str, Callable[..., float]] = {
    "accuracy": clustering_accuracy,
    "ari": adjusted_rand_score,
    "nmi": normalized_mutual_info_score,
}


def _require(estimator: Any, method: str) -> Callable[..., Any]:
    if not hasattr(estimator, method):
        raise TypeError(f"estimator must have the method {method}, got {estimator!r}.")
    return getattr(estimator, method)
