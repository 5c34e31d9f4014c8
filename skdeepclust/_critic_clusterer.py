"""CriticClusterer: the clustering that a learned critic likes best."""

from __future__ import annotations

import os
import warnings
from functools import partial
from numbers import Integral, Real
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from sklearn.base import (
    BaseEstimator,
    ClassNamePrefixFeaturesOutMixin,
    ClusterMixin,
    TransformerMixin,
)
from sklearn.exceptions import ConvergenceWarning
from sklearn.frozen import FrozenEstimator
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from ._base import keep_fitted_on_error
from ._checkpoint import Checkpoint
from ._critic import ClusteringCritic
from ._critic_choice import is_untrained, resolve_critic
from ._dask import by_blocks
from ._html import FittedFactsMixin
from ._known_scores import KnownScores
from ._penalized_score import PenalizedScore, without_penalty
from ._validation import Interval, StrOptions, as_table, check_device, check_n_clusters, fit_context
from .critic._geometry import measure_points, nearest_distances, nearest_rows
from .search import Deadline, Found, ScoredClustering, canonical, search_clusterings, search_rows
from .training import epoch_progress

__all__ = ["CriticClusterer"]

# Of more rows a sample of this size is clustered, and the others follow the nearest of these.
_MAX_ROWS = 2_000
# What a search must reach to be believed, see the notes of the class.
_MARGIN, _LEVEL = 0.02, 0.8

Codes = NDArray[np.int64]
Floats = NDArray[np.float64]


class CriticClusterer(
    FittedFactsMixin, ClassNamePrefixFeaturesOutMixin, TransformerMixin, ClusterMixin, BaseEstimator
):
    """Clustering without a number of clusters: a search for what a trained critic likes best.

    A critic that has learned from many data sets what good clusterings look like scores whole
    clusterings; an evolutionary search starts from the outputs of a dozen classical algorithms
    at many numbers of clusters, and changes them as long as the critic likes the result better.

    Parameters
    ----------
    n_clusters : int, default=None
        Number of clusters. None: the critic decides.
    critic : {"pretrained", "images"}, str, path-like or ClusteringCritic, default="pretrained"
        Who judges: weights that come with the package, a file written by `save`, a fitted
        critic (in a ``FrozenEstimator``, so that `clone` keeps it), or one that is not fitted
        and learns from the labels given to `fit` first.
    search : {"genetic", "cem"}, default="genetic"
        "genetic" changes partitions of micro-clusters; "cem" is the cross-entropy method over
        the weights of a small clustering network.
    min_clusters : int, default=1
        Fewest clusters; with 1 the answer for data without structure is one cluster.
    max_clusters : int, default=30
        Most clusters.
    population_size : int, default=32
        Clusterings of a generation.
    n_generations : int, default=30
        Generations at most.
    patience : int, default=6
        Generations without a better score after which the search ends.
    n_islands : int, default=1
        Searches that begin alike and then go their own ways; every five generations the best
        clusterings of each move to the next. The result is the best of all.
    max_time : float, default=None
        Seconds after which the fit ends with the best clustering so far, the training of a critic
        apart. Where they do not suffice for the reading of the rows and one start, it takes these.
    checkpoint : str, path-like or None, default=None
        Directory, one for each fit, of a file with the scores so far. A fit that was killed goes
        on from it when it is called again with the same parameters and data, and ends with the
        bits of one that was not. The file of a complete fit is deleted.
    n_jobs : int, default=None
        Islands searched at once, and threads that look for nearest neighbours; the result does
        not depend on it. Islands are in processes, with less than 30 seconds of `max_time` in
        threads, which start sooner; `joblib.parallel_config` can say otherwise.
    device : str or torch.device, default="auto"
        Where the critic computes. "auto": CUDA where there is such a device, else the CPU.
    random_state : int, RandomState instance or None, default=None
        Determines starts and search; an int gives the same labels on one machine.
    verbose : int, default=0
        Above 0 progress is shown on standard error.

    Attributes
    ----------
    labels_ : ndarray of shape (n,)
        Cluster of each training row, in ``[0, n_clusters_)``.
    n_clusters_ : int
        Number of clusters.
    score_ : float
        The critic's score of the clustering: an estimate of the adjusted Rand index with the
        unknown truth.
    alternatives_ : list of ScoredClustering
        Other good clusterings, different from the chosen one and from each other, the best
        first, each with `labels` and `score`. Scores above `score_` are those of clusterings
        that the search found and that were not believed, see the notes.
    history_ : dict of str to list
        Of each generation: "best" and "mean" score, "n_clusters" of the best, "n_evaluations".
    critic_ : ClusteringCritic
        The critic that judged.
    n_features_in_ : int
        Number of features.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the columns, where X has them.

    See Also
    --------
    ClusteringCritic : The critic by itself, for clusterings of your own.
    sklearn.cluster.HDBSCAN : Density-based clusters, whose number need not be known either.

    Notes
    -----
    Lengths are compared across features: put a StandardScaler in front where their units
    differ, as for KMeans. A single row, two of 50, or four of 500 are a cluster only where the
    bounds on their number leave no other way.

    Of more than 2,000 rows a sample of that size is clustered, and the others follow the nearest
    of it. Of 20,000 rows or more, up to 2,000 prototypes, means of mini-batch k-means, are
    clustered as well, and what scores higher is taken; the sample where prototypes show but one
    cluster. The time of the search does not depend on the number of rows.

    A search finds what the critic overrates. Its best clustering is taken only if its score is
    above 0.8 and exceeds that of the best classical clustering it started from by more than 0.02;
    else the latter is taken. Both figures were chosen on synthetic data.

    KeyboardInterrupt ends the search with a warning and the best clustering so far. Before the
    starts are scored it is raised, and an earlier fit stays usable.

    References
    ----------
    Alami, Kaddah, Read, "Transferable Deep Metric Learning for Clustering", IDA 2023.

    Examples
    --------
    >>> from sklearn.datasets import make_blobs
    >>> from skdeepclust import CriticClusterer
    >>> X, y = make_blobs(150, centers=5, cluster_std=0.4, random_state=1)
    >>> clusterer = CriticClusterer(random_state=0).fit(X)
    >>> clusterer.n_clusters_
    5
    >>> clusterer.predict(X[:3]).shape
    (3,)
    """

    _parameter_constraints: dict[str, list[Any]] = {
        "n_clusters": [Interval(Integral, 1, None, closed="left"), None],
        "critic": [str, os.PathLike, ClusteringCritic, FrozenEstimator],
        "search": [StrOptions({"genetic", "cem"})],
        "min_clusters": [Interval(Integral, 1, None, closed="left")],
        "max_clusters": [Interval(Integral, 1, None, closed="left")],
        "population_size": [Interval(Integral, 2, None, closed="left")],
        "n_generations": [Interval(Integral, 0, None, closed="left")],
        "patience": [Interval(Integral, 1, None, closed="left")],
        "n_islands": [Interval(Integral, 1, None, closed="left")],
        "max_time": [Interval(Real, 0, None, closed="neither"), None],
        "checkpoint": [str, os.PathLike, None],
        "n_jobs": [Integral, None],
        "device": [str, torch.device],
        "random_state": ["random_state"],
        "verbose": ["verbose"],
    }

    def __init__(
        self,
        n_clusters: int | None = None,
        *,
        critic: Any = "pretrained",
        search: str = "genetic",
        min_clusters: int = 1,
        max_clusters: int = 30,
        population_size: int = 32,
        n_generations: int = 30,
        patience: int = 6,
        n_islands: int = 1,
        max_time: float | None = None,
        checkpoint: str | os.PathLike[str] | None = None,
        n_jobs: int | None = None,
        device: str | torch.device = "auto",
        random_state: Any = None,
        verbose: int = 0,
    ) -> None:
        self.n_clusters = n_clusters
        self.critic = critic
        self.search = search
        self.min_clusters = min_clusters
        self.max_clusters = max_clusters
        self.population_size = population_size
        self.n_generations = n_generations
        self.patience = patience
        self.n_islands = n_islands
        self.max_time = max_time
        self.checkpoint = checkpoint
        self.n_jobs = n_jobs
        self.device = device
        self.random_state = random_state
        self.verbose = verbose

    @fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: ArrayLike, y: ArrayLike | None = None) -> CriticClusterer:
        """Search for the best clustering.

        Parameters
        ----------
        X : array-like of shape (n, p)
        y : array-like of shape (n,), default=None
            Labels from which a critic that is not fitted learns; ignored otherwise.

        Returns
        -------
        CriticClusterer
            The estimator itself.

        Raises
        ------
        ValueError
            If a parameter or X is not as described, or a critic that is not fitted finds no
            labels, or the checkpoint is of another fit; an earlier fit stays usable.
        OSError
            If the checkpoint cannot be written; the one before stays.
        """
        with keep_fitted_on_error(self):
            deadline = Deadline.after(self.max_time)
            check_device(self.device)
            # Blocks of rows are converted when they are used.
            rows = as_table(self, X, reset=True)
            check_n_clusters(self.n_clusters, len(rows))
            checkpoint = Checkpoint(self.checkpoint, self, rows, y)
            rng = check_random_state(self.random_state)
            checkpoint.restore_rng(rng)
            self.critic_ = resolve_critic(self.critic, rows, y, rng)
            if is_untrained(self.critic):
                deadline = Deadline.after(self.max_time)
            scores = KnownScores(checkpoint, self.critic_.network_)
            search = partial(self._search_points, rng, scores)
            order = rng.permutation(len(rows))
            found, places, own = search_rows(rows, order, _MAX_ROWS, search, deadline, self.n_jobs)
            self._keep(found, places, own)
        if found.is_interrupted:
            scores.save()
            self._warn_of_interrupt()
        else:
            checkpoint.remove()
        return self

    @by_blocks
    def predict(self, X: ArrayLike) -> Codes:
        """Cluster of each row: that of the nearest row, or prototype, that was clustered.

        Parameters
        ----------
        X : array-like of shape (n, p)
            A memory map is read in blocks, and so is a Dask array, which gives another.

        Returns
        -------
        ndarray of shape (n,)
            In ``[0, n_clusters_)``; of the training rows, `labels_`.
        """
        X = self._checked(X)
        return np.asarray(self._prototype_labels[nearest_rows(self._prototypes, X, self.n_jobs)])

    @by_blocks
    def transform(self, X: ArrayLike) -> Floats:
        """Distance of each row to each cluster: to the nearest of its rows, or prototypes.

        Parameters
        ----------
        X : array-like of shape (n, p)
            As in `predict`.

        Returns
        -------
        ndarray of shape (n, `n_clusters_`)
        """
        X = self._checked(X)
        groups = [self._prototypes[self._prototype_labels == c] for c in range(self.n_clusters_)]
        return nearest_distances(groups, X, self.n_jobs)

    def score(self, X: ArrayLike, y: ArrayLike | None = None) -> float:
        """The critic's score of the clusters that `predict` finds; needs no labels.

        Parameters
        ----------
        X : array-like of shape (n, p)
        y : Ignored
            There for the sake of scikit-learn's interface.

        Returns
        -------
        float
            Higher is better.
        """
        return float(self.critic_.score_clustering(X, self.predict(X)))

    @property
    def _n_features_out(self) -> int:
        return self.n_clusters_

    @property
    def alternatives_(self) -> list[ScoredClustering]:
        """Other good clusterings of the rows, the best first."""
        others = ((c.labels[self._places][None], c.score) for c in self._alternatives)
        return [ScoredClustering(canonical(labels)[0], score) for labels, score in others]

    def _checked(self, X: ArrayLike) -> NDArray[Any]:
        check_is_fitted(self)
        return as_table(self, X, reset=False)

    def _search_points(
        self,
        rng: np.random.RandomState,
        scores: KnownScores,
        points: Floats,
        name: str,
        deadline: Deadline,
    ) -> Found:
        """Clusterings of some points that the critic likes."""
        fewest, most = self._bounds(len(points))
        device = check_device(self.device)
        score = PenalizedScore(self.critic_.network_, measure_points(points), device)
        if deadline.is_set:  # what the critic needs of the points is computed in its first call
            score(np.zeros((1, len(points)), dtype=np.int64))
        with epoch_progress(self.n_generations + 1, self.verbose, "CriticClusterer") as report:
            result = search_clusterings(
                points,
                score,
                rng=rng,
                strategy=self.search,
                min_clusters=fewest,
                max_clusters=most,
                population_size=self.population_size,
                n_generations=self.n_generations,
                patience=self.patience,
                max_time=deadline.left,
                callback=report,
                n_islands=self.n_islands,
                n_jobs=self.n_jobs,
                store=scores.store(name),
                keep_if_interrupted=True,
            )
        # Only scores that are estimates of the ARI say whom to believe.
        chosen = result.trusted(_MARGIN, _LEVEL) if self.critic_.regression else result
        return Found(points, ScoredClustering(chosen.labels, chosen.score), result)

    def _bounds(self, n_rows: int) -> tuple[int, int]:
        """Fewest and most clusters to search."""
        if self.n_clusters is not None:
            return int(self.n_clusters), int(self.n_clusters)
        if self.min_clusters > self.max_clusters:
            raise ValueError(
                f"min_clusters={self.min_clusters} is larger than max_clusters={self.max_clusters}."
            )
        # Each row by itself is no clustering.
        fewest = int(self.min_clusters)
        return fewest, max(fewest, min(self.max_clusters, n_rows - 1))

    def _keep(self, found: Found, places: NDArray[Any], own: NDArray[Any]) -> None:
        """Store what the search found for some points, extended to all rows."""
        labels = canonical(found.chosen.labels[own][None])[0]
        self._prototypes, self._prototype_labels = found.points, labels
        self.n_clusters_ = int(labels.max()) + 1
        self.score_ = without_penalty(found.chosen).score
        self.history_ = found.result.history
        self._places, self.labels_ = places, labels[places]
        others = (o for o in found.result.alternatives if (o.labels != found.chosen.labels).any())
        self._alternatives = list(map(without_penalty, others))

    def _warn_of_interrupt(self) -> None:
        message = (
            f"The search was interrupted after {len(self.history_['best']) - 1} generations: the "
            "best clustering so far is kept."
        )
        warnings.warn(message, ConvergenceWarning, stacklevel=4)
