"""Deep spectral clustering learning as a scikit-learn estimator."""

from __future__ import annotations

import os
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
from sklearn.metrics import adjusted_rand_score
from sklearn.utils import check_random_state

from ._base import DevicePickleMixin, NewClassesMixin, keep_fitted_on_error
from ._dask import by_blocks
from ._partial_fit import PartialFitMixin
from ._shards import check_fit_data
from ._validation import MOST, Interval, StrOptions, check_targets, fit_context
from .networks import BaseEncoder
from .training import AUGMENTATIONS, joined_ranks

__all__ = ["DeepMetricClusterer"]


class DeepMetricClusterer(
    ClassNamePrefixFeaturesOutMixin,
    PartialFitMixin,
    NewClassesMixin,
    DevicePickleMixin,
    ClusterMixin,
    TransformerMixin,
    BaseEstimator,
):
    """Clustering in a learned embedding: deep spectral clustering learning.

    An encoder is trained so that the clusters you want become linearly separated subspaces
    of its embedding F: k - tr(C F F⁺) becomes small, C being the projector on the wanted
    clustering. The wanted clustering comes from labels of all rows, of some rows, from soft
    assignments, or, without any of these, from the data themselves.

    Parameters
    ----------
    n_clusters : int, default=None
        Number of clusters that `predict` distinguishes. None: as many as there are classes
        in `y`; 8 without labels. More than classes: the rows far from all classes form the
        others. Fewer: classes are merged by k-means in the embedding.
    encoder : {"linear", "mlp", "conv"}, encoder object or torch.nn.Module, default="mlp"
        What computes the embedding. "linear" is solved in closed form: what concerns training
        steps is ignored. Objects as ``MLPEncoder(hidden=(512,))`` can be searched as
        ``encoder__hidden``.
    embedding_dim : int or "auto", default="auto"
        Columns d of the embedding. "auto": as many as classes, 2 to 128, or the module's
        width. For clusters of new classes larger values than "auto" can help.
    max_epochs : int, default=100
        Passes over the training rows at most.
    batch_size : int or "auto", default="auto"
        Rows of a training batch. "auto": 3 d, at least 128. Batches hold equally many rows
        of each of at most d classes.
    learning_rate : float, default=0.003
        Largest step of AdamW; it falls along a cosine.
    weight_decay : float, default=0.0001
        Weight decay of AdamW.
    loss : {"auto", "leave-one-out", "spectral"}, default="auto"
        What is minimised: the cross-entropy of the clusters that the best linear map for the
        other rows of a batch predicts for each row, or k - tr(C F F⁺) itself, which judges
        the map by its own rows. "auto": the first where classes are known, the second where
        they are guessed or shared.
    temperature : float or "auto", default="auto"
        By which those predictions, 0 to 1, are divided before the softmax. "auto": 0.25 over
        the root of the number of classes in a batch.
    ridge : float, default=1.0
        λ I is added to the Gram FᵀF of a batch, λ being `ridge` times its mean eigenvalue.
        Keeps batches from overfitting; 0 is the exact pseudo-inverse.
    whiten : float in [0, 1], default=0.5
        How far the embedding is whitened after training: 1 makes its covariance the
        identity, 0 leaves its shape as it is.
    early_stopping : bool or "auto", default="auto"
        Hold rows out, stop when the objective on them no longer falls, and take the best
        weights. "auto": with 1,000 training rows or more and no `max_time`. Otherwise training
        stops when its own objective no longer falls, or at `max_time`.
    validation_fraction : float, default=0.1
        Share of the rows of each class to hold out.
    n_iter_no_change : int, default=10
        Epochs without progress after which training stops.
    augment : {"affine", "affine+turns"}, callable or None, default=None
        How training inputs are distorted, anew each time. "affine": images are rotated,
        scaled, stretched, sheared and shifted a little. "affine+turns": moreover, turned by
        90, 180 or 270 degrees they are of further classes. A function takes a batch (b, ...)
        as the encoder sees it and a ``torch.Generator``, and returns it distorted.
    max_time : float, default=None
        Seconds of training at most. The learning rate then falls with the time as well, and
        the result depends on the speed of the machine.
    warm_start : bool, default=False
        Whether `fit` goes on from the weights of the fit before.
    checkpoint : str or path-like, default=None
        Directory, made if need be, for a file that says how far gradient training has come.
        After an interruption the same `fit` goes on from there, and ends with the same bits.
        Each fit wants a directory of its own; after a complete one the file is gone.
    device : str or torch.device, default="auto"
        Where the network computes. "auto": CUDA where there is such a device, else the CPU.
    random_state : int, RandomState instance or None, default=None
        Determines weights, batches and k-means; an int gives the same bits on one machine.
    verbose : int, default=0
        Above 0 progress is shown on standard error.

    Attributes
    ----------
    labels_ : ndarray of shape (n,)
        Cluster of each training row, as `predict` gives it.
    cluster_centers_ : ndarray of shape (`n_clusters_`, d)
        Centres in the embedding.
    classes_ : ndarray
        Sorted class labels; cluster j is class ``classes_[j]``. Without labels, and for the
        columns of an assignment matrix, the numbers from 0.
    n_clusters_ : int
        Number of clusters.
    network_ : torch.nn.Module
        The trained encoder; its inputs are centred and scaled.
    history_ : dict of str to list
        For each epoch: the mean "objective" k - tr(C F F⁺) of the batches, the "monitor"
        -tr(C F F⁺) in [-k, 0], the leave-one-out "loss", the "validation_objective" where
        rows are held out, and the "learning_rate". With a ridge F⁺ is shrunk: for k <= d the
        monitor ends at -k d / (d + ridge k) at best, that is -k / 2 for ridge=1 and k = d.
    n_iter_ : int
        Number of epochs; 0 where the solution is in closed form.
    inertia_ : float
        Sum of squared distances of the training embeddings to their centres.
    n_features_in_ : int
        Number of features, or of channels of images.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the columns, where X has them.

    See Also
    --------
    sklearn.cluster.KMeans : Clusters in the space of the features as they are.
    sklearn.neighbors.NeighborhoodComponentsAnalysis : Learns a linear map for neighbours.

    Notes
    -----
    Features are centred and divided by one common number. Where their units differ, put a
    StandardScaler in front, as for KMeans. A metric for *new* classes needs many training
    classes: one learned on six handwritten digits is worse than raw pixels on the other four.

    Rows with label -1 (or None) take part: in up to 20,000 rows labels are carried to them
    along the graph of nearest neighbours. With many labels and an encoder that sees more than
    distances do, such as "conv" on images, fitting the labelled rows alone can be better.

    In a process group of torch, rows need labels. `batch_size` counts rows of all ranks and
    `random_state` is that of rank 0; dropout and `augment` draw on each rank for itself. What
    precedes the clusterer in a Pipeline sees the rows of its rank only.

    A KeyboardInterrupt (Ctrl-C) in gradient training ends it with a warning: the best weights so
    far become those of the fit, which can be used, and the checkpoint remains. One before the
    first step, or while clusters are placed, is raised, and an earlier fit stays. A checkpoint
    of other parameters or data, or a damaged one, is refused. `verbose` and `device` may differ,
    with another device the bits as well; what `warm_start` begins with is not compared.

    References
    ----------
    Law, Urtasun, Zemel, "Deep Spectral Clustering Learning", ICML 2017. Of the leave-one-out
    loss: `skdeepclust.spectral.leave_one_out_loss`.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from skdeepclust import DeepMetricClusterer
    >>> X, y = load_iris(return_X_y=True)
    >>> y_few = y.copy()
    >>> y_few[15:50] = y_few[65:100] = y_few[115:] = -1
    >>> clusterer = DeepMetricClusterer(random_state=0).fit(X, y_few)
    >>> bool(clusterer.score(X, y) > 0.8)
    True
    >>> clusterer.transform(X).shape
    (150, 3)
    """

    _parameter_constraints: dict[str, list[Any]] = {
        "n_clusters": [Interval(Integral, 1, None, closed="left"), None],
        "encoder": [StrOptions({"linear", "mlp", "conv"}), BaseEncoder, torch.nn.Module],
        "embedding_dim": [Interval(Integral, 1, None, closed="left"), StrOptions({"auto"})],
        "max_epochs": [Interval(Integral, 1, None, closed="left")],
        "batch_size": [Interval(Integral, 2, None, closed="left"), StrOptions({"auto"})],
        "learning_rate": [Interval(Real, 0, MOST, closed="right")],
        "weight_decay": [Interval(Real, 0, MOST, closed="both")],
        "loss": [StrOptions({"auto", "leave-one-out", "spectral"})],
        "temperature": [Interval(Real, 1 / MOST, MOST, closed="both"), StrOptions({"auto"})],
        "ridge": [Interval(Real, 0, MOST, closed="both")],
        "whiten": [Interval(Real, 0, 1, closed="both")],
        "early_stopping": ["boolean", StrOptions({"auto"})],
        "validation_fraction": [Interval(Real, 0, 1, closed="neither")],
        "n_iter_no_change": [Interval(Integral, 1, None, closed="left")],
        "augment": [StrOptions(set(AUGMENTATIONS)), callable, None],
        "max_time": [Interval(Real, 0, None, closed="neither"), None],
        "warm_start": ["boolean"],
        "checkpoint": [str, os.PathLike, None],
        "device": [str, torch.device],
        "random_state": ["random_state"],
        "verbose": ["verbose"],
    }

    def __init__(
        self,
        n_clusters: int | None = None,
        *,
        encoder: Any = "mlp",
        embedding_dim: int | str = "auto",
        max_epochs: int = 100,
        batch_size: int | str = "auto",
        learning_rate: float = 3e-3,
        weight_decay: float = 1e-4,
        loss: str = "auto",
        temperature: float | str = "auto",
        ridge: float = 1.0,
        whiten: float = 0.5,
        early_stopping: bool | str = "auto",
        validation_fraction: float = 0.1,
        n_iter_no_change: int = 10,
        augment: Any = None,
        max_time: float | None = None,
        warm_start: bool = False,
        checkpoint: str | os.PathLike[str] | None = None,
        device: str | torch.device = "auto",
        random_state: Any = None,
        verbose: int = 0,
    ) -> None:
        self.n_clusters = n_clusters
        self.encoder = encoder
        self.embedding_dim = embedding_dim
        self.max_epochs = max_epochs
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.weight_decay = weight_decay
        self.loss = loss
        self.temperature = temperature
        self.ridge = ridge
        self.whiten = whiten
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.augment = augment
        self.max_time = max_time
        self.warm_start = warm_start
        self.checkpoint = checkpoint
        self.device = device
        self.random_state = random_state
        self.verbose = verbose

    @fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: ArrayLike, y: ArrayLike | None = None) -> DeepMetricClusterer:
        """Learn the embedding and the clusters.

        In a process group of torch all ranks call it, each with rows of its own, and get what one
        process would get from all these rows. See Notes of the class.

        Parameters
        ----------
        X : array-like of shape (n, p) or (n, c, h, w)
            Rows, or images. A memory map is read in batches.
        y : array-like of shape (n,) or (n, k), default=None
            Class labels of any sortable type, -1 or None for unlabelled rows; or a
            non-negative matrix of assignments: one-hot, several classes a row, or soft. A
            row of zeros is unlabelled. None: no labels at all.

        Returns
        -------
        DeepMetricClusterer
            The estimator itself.

        Raises
        ------
        ValueError
            If a parameter, X or y is not as described, or the file in `checkpoint` is damaged
            or of another fit; an earlier fit stays usable.
        OSError
            If `checkpoint` cannot be written to; what was saved before stays.
        NotImplementedError
            In a process group, unless each row has a label, each class is a cluster and
            `checkpoint` is None.
        RuntimeError
            If another rank of a process group failed.
        """
        with keep_fitted_on_error(self), joined_ranks() as ranks:
            X, targets = check_fit_data(self, X, y, ranks)
            checkpoint = self._open_checkpoint(X, targets, ranks)
            self._rng = rng = ranks.first(check_random_state(self.random_state))
            checkpoint.restore_rng(rng)
            previous = self._previous_network(X) if self.warm_start else None
            rows = self._standardize(X, ranks)
            indices, wanted = self._complete(rows, targets, rng)
            recipe = self._recipe(self._loss(targets, indices))
            result = self._train(rows, wanted, indices, recipe, rng, previous, checkpoint)
            self._place_clusters(rows, targets, wanted, indices, rng)
        self._close_checkpoint(checkpoint, result)
        return self

    def fit_predict(self, X: ArrayLike, y: ArrayLike | None = None) -> NDArray[np.int64]:
        """Fit and return the cluster of each row; see `fit`.

        Parameters
        ----------
        X : array-like of shape (n, p) or (n, c, h, w)
        y : array-like of shape (n,) or (n, k), default=None

        Returns
        -------
        ndarray of shape (n,)
            ``labels_``.
        """
        return self.fit(X, y).labels_

    @by_blocks
    def transform(self, X: ArrayLike) -> NDArray[np.float32]:
        """Embed rows: centred, whitened with the training statistics, scaled to length 1.

        Parameters
        ----------
        X : array-like of shape (n, p) or (n, c, h, w)
            A memory map is read in batches; of a Dask array, which gives another, in blocks.

        Returns
        -------
        ndarray of shape (n, d)
            A row's embedding does not depend on the other rows.
        """
        return self._whitened(X).collect()

    @by_blocks
    def predict(self, X: ArrayLike) -> NDArray[np.int64]:
        """Cluster of each row: that of the nearest centre in the embedding.

        Parameters
        ----------
        X : array-like of shape (n, p) or (n, c, h, w)
            As in `transform`.

        Returns
        -------
        ndarray of shape (n,)
            In ``[0, n_clusters_)``; ``classes_[predict(X)]`` names the classes.
        """
        return self._assign_all(self._whitened(X))[0]

    def score(self, X: ArrayLike, y: ArrayLike) -> float:
        """Adjusted Rand index of the predicted clusters and the classes.

        Parameters
        ----------
        X : array-like of shape (n, p) or (n, c, h, w)
        y : array-like of shape (n,) or (n, k)
            True classes; unlabelled rows are left out. Of a matrix the largest entry counts.

        Returns
        -------
        float
            1 for identical partitions, about 0 for unrelated ones.

        Raises
        ------
        ValueError
            If `y` has no labels.
        """
        labels = self.predict(X)
        targets = check_targets(y, labels, min_classes=1)
        if not targets.labelled.any():
            raise ValueError("y has no labelled row: score compares the clusters with labels.")
        codes = targets.values if targets.values.ndim == 1 else targets.values.argmax(axis=1)
        return float(adjusted_rand_score(codes[targets.labelled], labels[targets.labelled]))
