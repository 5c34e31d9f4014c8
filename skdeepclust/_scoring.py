"""Scores of clusterings by a trained critic network."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils import check_array
from sklearn.utils.validation import check_is_fitted

from ._validation import check_device, check_labelings, check_labels, naming, plain
from .critic._geometry import measure_points
from .critic._judging import Judgement, judge
from .critic._network import CriticNetwork

__all__ = ["ScoringMixin"]

# Nearest neighbours are found exactly up to here; of more rows a sample is judged.
_MAX_ROWS = 50_000


class ScoringMixin:
    """Judge clusterings of any data set."""

    device: Any
    network_: CriticNetwork

    def score_clustering(self, X: ArrayLike, labels: ArrayLike) -> float:
        """Quality of a clustering; higher is better.

        Parameters
        ----------
        X : array-like of shape (n, p)
            Any number of rows and features.
        labels : array-like of shape (n,)
            Cluster of each row; negative numbers are noise, whose rows no cluster has.

        Returns
        -------
        float
            An estimate of the adjusted Rand index with the unknown truth.

        Raises
        ------
        ValueError
            If X is no finite array of at least two different rows, if the labels do not fit it,
            are all noise, or put every row in a cluster of its own.
        """
        return float(self._judge_one(X, labels)[0].scores[0])

    def score_clusterings(
        self, X: ArrayLike, labelings: Iterable[ArrayLike]
    ) -> NDArray[np.float64]:
        """Qualities of several clusterings of one data set; see `score_clustering`.

        Parameters
        ----------
        X : array-like of shape (n, p)
        labelings : array-like of shape (m, n), or sequence of m array-likes of shape (n,)

        Returns
        -------
        ndarray of shape (m,)
        """
        rows = self._checked_rows(X)
        if not hasattr(labelings, "__len__"):
            labelings = list(labelings)
        codes = check_labelings(labelings, len(rows))
        judgement = self._judge(rows, codes)
        # Sums in a batch round by position: equal clusterings shall have equal scores.
        _, first, place = np.unique(codes, axis=0, return_index=True, return_inverse=True)
        return judgement.scores[first[place.reshape(-1)]]

    def rank(self, X: ArrayLike, labelings: Iterable[ArrayLike]) -> NDArray[np.int64]:
        """Order of clusterings, the best first.

        Parameters
        ----------
        X : array-like of shape (n, p)
        labelings : array-like of shape (m, n), or sequence of m array-likes of shape (n,)

        Returns
        -------
        ndarray of shape (m,)
            Indices; equal ones in the order given.
        """
        return np.argsort(-self.score_clusterings(X, labelings), kind="stable")

    def score_clusters(self, X: ArrayLike, labels: ArrayLike) -> NDArray[np.float64]:
        """Quality of each cluster of a clustering.

        Parameters
        ----------
        X : array-like of shape (n, p)
        labels : array-like of shape (n,)

        Returns
        -------
        ndarray of shape (k,)
            In the order of the sorted labels, noise left out: an estimate of the largest
            Jaccard index with a true cluster. NaN for a cluster without a row in the sample of
            more than 50,000 rows.
        """
        judgement, codes = self._judge_one(X, labels)
        scores = np.full(codes[0].max() + 1, np.nan)
        judged = np.unique(codes[0, _sample(codes.shape[1])])
        scores[judged[judged >= 0]] = judgement.cluster_scores
        return scores

    def embed(self, X: ArrayLike, labels: ArrayLike) -> NDArray[np.float32]:
        """Embedding ẑ of a clustering, from which the score is computed.

        Parameters
        ----------
        X : array-like of shape (n, p)
        labels : array-like of shape (n,)

        Returns
        -------
        ndarray of shape (e,)
        """
        return self._judge_one(X, labels)[0].embedding[0]

    def _judge_one(self, X: ArrayLike, labels: ArrayLike) -> tuple[Judgement, NDArray[np.int64]]:
        """What the network says of one clustering, and its codes (1, n)."""
        rows = self._checked_rows(X)
        codes = check_labels(labels, len(rows))[None]
        return self._judge(rows, codes), codes

    def _checked_rows(self, X: ArrayLike) -> NDArray[np.float64]:
        check_is_fitted(self)
        with naming("X"):
            X = plain(X, "X")
            rows = check_array(X, dtype=np.float64, ensure_min_samples=2, estimator=self)
        return np.asarray(rows)

    def _judge(self, rows: NDArray[np.float64], codes: NDArray[np.int64]) -> Judgement:
        """What the network says of clusterings (m, n) of the rows, or of a sample of them."""
        kept = _sample(len(rows))
        graph, device = measure_points(rows[kept]), check_device(self.device)
        return judge(self.network_, graph, codes[:, kept], device)


def _sample(n: int) -> NDArray[np.intp]:
    """Rows to judge: all of them, or a fixed random sample."""
    if n <= _MAX_ROWS:
        return np.arange(n)
    return np.sort(np.random.RandomState(0).permutation(n)[:_MAX_ROWS])
