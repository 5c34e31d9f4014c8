"""ClusteringCritic: a learned score of clusterings that needs no labels."""

from __future__ import annotations

import copy
import os
import warnings
from collections.abc import Iterable
from numbers import Integral, Real
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import check_array, check_random_state
from sklearn.utils.validation import check_consistent_length, column_or_1d, validate_data

from ._base import DevicePickleMixin, keep_fitted_on_error
from ._checkpoint import Checkpoint
from ._scoring import ScoringMixin
from ._validation import (
    MOST,
    Interval,
    StrOptions,
    as_numbers,
    check_device,
    check_targets,
    fit_context,
    naming,
    plain,
)
from .critic._adversary import n_epochs_in_all, train_in_rounds
from .critic._labelled import LabelledSet, sample_tasks
from .critic._network import CriticNetwork
from .critic._training import CriticPlan
from .training import epoch_progress, module_draws

__all__ = ["ClusteringCritic", "named_critic"]

_WEIGHTS = Path(__file__).parent / "critic" / "weights"
_FEWEST_ROWS = 4


class ClusteringCritic(ScoringMixin, DevicePickleMixin, BaseEstimator):
    """Learned quality of clusterings: how near each is to the one a person would draw.

    The clustering is seen as a graph whose edges join neighbours in one cluster. A graph
    encoder makes a vector ẑ of fixed size of it, whatever the numbers of rows, features and
    clusters, and a network scores ẑ. It is trained on data sets with known clusters, and
    carries over to others: ``ClusteringCritic.from_pretrained()`` needs no labels at all.

    Scores are comparable across clusterings of one data set and across numbers of clusters;
    only their differences mean the same across data sets. They change neither with rotation,
    shift and scale of X nor with the order of rows and the names of labels.

    Parameters
    ----------
    graph : {"knn", "complete"}, default="knn"
        Edges of the clustering: between neighbours in one cluster, or between all rows of a
        cluster.
    n_rounds : int, default=1
        Rounds of message passing along the edges.
    hidden_dim : int, default=64
        Hidden units of the graph encoder.
    ranking : float, default=1.0
        Weight of the cross-entropy between softmax(ARI / 0.05) and softmax(10 score) over the
        clusterings of a data set; ARI is the adjusted Rand index with the truth.
    regression : float, default=10.0
        Weight of the squared difference of score and ARI.
    wasserstein : float, default=0.0
        Weight of the Wasserstein objective with gradient penalty: the truth against proposals.
    reconstruction : float, default=0.1
        Weight of the autoencoder's task, to tell by inner products which rows are joined.
    n_tasks : int, default=200
        Training tasks drawn from the labelled data: subsets of classes and rows, with
        clusterings of every quality.
    n_proposals : int, default=24
        Clusterings of a task, from many algorithms and from damaged truths.
    adversarial_rounds : int, default=1
        How often a search attacks the critic, and what it found is learned with its true ARI.
    max_epochs : int, default=4
        Passes over the tasks, and half as many after each round.
    batch_size : int, default=1
        Tasks of a step.
    learning_rate : float, default=0.002
        Largest step of AdamW; it falls along a cosine.
    weight_decay : float, default=0.0001
        Weight decay of AdamW.
    warm_start : bool, default=False
        Whether `fit` goes on from the present weights, for example pre-trained ones.
    checkpoint : str or path-like, default=None
        Directory, made if need be, for a file that says how far training has come. After an
        interruption the same fit goes on from there, and ends with the same bits. Each fit wants
        a directory of its own; after a complete one the file is gone.
    n_jobs : int, default=None
        Processes that make tasks; the result does not depend on it.
    device : str or torch.device, default="auto"
        Where the network computes. "auto": CUDA where there is such a device, else the CPU.
    random_state : int, RandomState instance or None, default=None
        Determines weights, tasks and batches; an int gives the same bits on one machine.
    verbose : int, default=0
        Above 0 progress is shown on standard error.

    Attributes
    ----------
    network_ : torch.nn.Module
        Graph encoder and critic.
    history_ : dict of str to list
        Mean "loss" of each epoch.
    n_features_in_ : int
        Number of features of the training data, where it was a single set; data to be judged
        may have any other.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of its columns, where it had them.

    See Also
    --------
    skdeepclust.metrics.critic_scorer : The critic as the scorer of a grid search.
    sklearn.metrics.silhouette_score : A score of compact clusters.

    Notes
    -----
    Lengths are compared across features, so put features of different units on one scale
    first, as for KMeans. Up to 50,000 rows are judged, of more a sample of that size.

    A KeyboardInterrupt (Ctrl-C) ends `fit` with a warning and the weights of the last complete
    epoch. One before that, or a second one, is raised, and an earlier fit stays.

    References
    ----------
    Alami, Kaddah, Read, "Transferable Deep Metric Learning for Clustering", IDA 2023, for the
    graph autoencoder and the Wasserstein critic. Sizes, objectives of ranking and regression,
    tasks and the descriptors of rows are our choices.

    Examples
    --------
    >>> from sklearn.cluster import KMeans
    >>> from sklearn.datasets import make_blobs
    >>> from skdeepclust import ClusteringCritic
    >>> X, y = make_blobs(200, centers=4, cluster_std=0.5, random_state=3)
    >>> critic = ClusteringCritic.from_pretrained()
    >>> labelings = [KMeans(k, random_state=0).fit_predict(X) for k in (2, 3, 4, 5, 8)]
    >>> int(critic.rank(X, labelings)[0])
    2
    """

    _parameter_constraints: dict[str, list[Any]] = {
        "graph": [StrOptions({"knn", "complete"})],
        "n_rounds": [Interval(Integral, 0, None, closed="left")],
        "hidden_dim": [Interval(Integral, 1, None, closed="left")],
        "ranking": [Interval(Real, 0, MOST, closed="both")],
        "regression": [Interval(Real, 0, MOST, closed="both")],
        "wasserstein": [Interval(Real, 0, MOST, closed="both")],
        "reconstruction": [Interval(Real, 0, MOST, closed="both")],
        "n_tasks": [Interval(Integral, 1, None, closed="left")],
        "n_proposals": [Interval(Integral, 2, None, closed="left")],
        "adversarial_rounds": [Interval(Integral, 0, None, closed="left")],
        "max_epochs": [Interval(Integral, 1, None, closed="left")],
        "batch_size": [Interval(Integral, 1, None, closed="left")],
        "learning_rate": [Interval(Real, 0, MOST, closed="right")],
        "weight_decay": [Interval(Real, 0, MOST, closed="both")],
        "warm_start": ["boolean"],
        "checkpoint": [str, os.PathLike, None],
        "n_jobs": [Integral, None],
        "device": [str, torch.device],
        "random_state": ["random_state"],
        "verbose": ["verbose"],
    }

    def __init__(
        self,
        *,
        graph: str = "knn",
        n_rounds: int = 1,
        hidden_dim: int = 64,
        ranking: float = 1.0,
        regression: float = 10.0,
        wasserstein: float = 0.0,
        reconstruction: float = 0.1,
        n_tasks: int = 200,
        n_proposals: int = 24,
        adversarial_rounds: int = 1,
        max_epochs: int = 4,
        batch_size: int = 1,
        learning_rate: float = 2e-3,
        weight_decay: float = 1e-4,
        warm_start: bool = False,
        checkpoint: str | os.PathLike[str] | None = None,
        n_jobs: int | None = None,
        device: str | torch.device = "auto",
        random_state: Any = None,
        verbose: int = 0,
    ) -> None:
        self.graph = graph
        self.n_rounds = n_rounds
        self.hidden_dim = hidden_dim
        self.ranking = ranking
        self.regression = regression
        self.wasserstein = wasserstein
        self.reconstruction = reconstruction
        self.n_tasks = n_tasks
        self.n_proposals = n_proposals
        self.adversarial_rounds = adversarial_rounds
        self.max_epochs = max_epochs
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.weight_decay = weight_decay
        self.warm_start = warm_start
        self.checkpoint = checkpoint
        self.n_jobs = n_jobs
        self.device = device
        self.random_state = random_state
        self.verbose = verbose

    @classmethod
    def from_pretrained(cls, name: str = "default") -> ClusteringCritic:
        """The critic whose weights come with the package.

        Parameters
        ----------
        name : {"default", "images"}, default="default"
            "default" has learned from synthetic data alone; "images" moreover from
            handwritten digits.

        Returns
        -------
        ClusteringCritic
            Fitted. To adapt it: ``.set_params(warm_start=True).fit(X, y)``.

        Raises
        ------
        ValueError
            If there are no weights of that name.
        """
        from .persistence import load

        known = sorted(path.stem for path in _WEIGHTS.glob("*.safetensors"))
        if name not in known:
            raise ValueError(f"name={name!r}: the critics that come with the package are {known}.")
        critic: ClusteringCritic = load(_WEIGHTS / f"{name}.safetensors")
        return critic

    @fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: ArrayLike, y: ArrayLike, groups: ArrayLike | None = None) -> ClusteringCritic:
        """Learn from one labelled data set.

        Parameters
        ----------
        X : array-like of shape (n, p)
        y : array-like of shape (n,)
            Class of each row; rows with -1 or None are left out.
        groups : array-like of shape (n,), default=None
            A training task takes its rows from one group: say, one alphabet of many.

        Returns
        -------
        ClusteringCritic
            The estimator itself.

        Raises
        ------
        ValueError, OSError
            If a parameter, X, y or groups is not as described, or the checkpoint is of another
            fit or cannot be written. An earlier fit stays usable, and so does the checkpoint.
        """
        with keep_fitted_on_error(self):
            with naming("X", "y"):
                X, y = plain(X, "X"), plain(y, "y")
                X, y = validate_data(self, X, y, dtype="numeric", ensure_min_samples=_FEWEST_ROWS)
                X = as_numbers(X)
            checkpoint = self._train([_labelled_set(X, y, groups)])
        self._close_checkpoint(checkpoint)
        return self

    @fit_context(prefer_skip_nested_validation=True)
    def fit_datasets(self, datasets: Iterable[tuple[ArrayLike, ArrayLike]]) -> ClusteringCritic:
        """Learn from several labelled data sets, of any dimensions.

        Parameters
        ----------
        datasets : iterable of (X, y)
            As in `fit`. Tasks are drawn from each in turn.

        Returns
        -------
        ClusteringCritic
            The estimator itself.

        Raises
        ------
        ValueError, OSError
            As in `fit`, and if there is no data set.
        """
        with keep_fitted_on_error(self):
            pairs = [_pair(item, i) for i, item in enumerate(datasets)]
            if not pairs:
                raise ValueError("datasets is empty: at least one pair (X, y) is wanted.")
            with naming("datasets"):
                rows = [as_numbers(check_array(plain(X, "X"))) for X, _ in pairs]
                sets = [_labelled_set(X, y, None) for X, (_, y) in zip(rows, pairs, strict=True)]
            checkpoint = self._train(sets)
        self._close_checkpoint(checkpoint)
        return self

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.required = True
        return tags

    def _validate_params(self) -> None:
        super()._validate_params()
        check_device(self.device)

    def _train(self, datasets: list[LabelledSet]) -> Checkpoint:
        """Draw tasks, train the network on them and on what attacks find."""
        rng = check_random_state(self.random_state)
        targets = [[data.y, data.groups] for data in datasets]
        checkpoint = Checkpoint(self.checkpoint, self, [data.X for data in datasets], targets)
        checkpoint.restore_rng(rng)
        network = self._network(rng)
        n_tasks = max(self.n_tasks, len(datasets))
        tasks = sample_tasks(datasets, n_tasks, rng, self.n_proposals, self.n_jobs)
        plan = self._plan()
        total = n_epochs_in_all(plan, self.adversarial_rounds)
        with epoch_progress(total, self.verbose, type(self).__name__) as report:
            given = (network, tasks, plan, rng, self.adversarial_rounds, report, self.n_jobs)
            self.history_ = train_in_rounds(*given, store=checkpoint, keep_if_interrupted=True)
        self.network_ = network.cpu()
        return checkpoint

    def _close_checkpoint(self, checkpoint: Checkpoint) -> None:
        """After all else of a fit, so that it stays whatever becomes of the warning."""
        complete = len(self.history_["loss"])
        total = n_epochs_in_all(self._plan(), self.adversarial_rounds)
        if complete == total:
            checkpoint.remove()
            return
        warnings.warn(
            f"Training was interrupted after {complete} of {total} epochs: these are kept."
            + (" The same fit goes on from its checkpoint." if checkpoint.enabled else ""),
            ConvergenceWarning,
            stacklevel=4,  # the caller of `fit`
        )

    def _network(self, rng: np.random.RandomState) -> CriticNetwork:
        """The network to start from; the present one is not changed."""
        if self.warm_start and hasattr(self, "network_"):
            return copy.deepcopy(self.network_)
        with module_draws(rng, torch.device("cpu"), True) as draws, draws.initialization():
            return CriticNetwork(
                hidden_dim=int(self.hidden_dim), n_rounds=int(self.n_rounds), kind=self.graph
            )

    def _plan(self) -> CriticPlan:
        objectives = ("ranking", "regression", "wasserstein", "reconstruction")
        names = (*objectives, "batch_size", "learning_rate", "weight_decay")
        shared = {name: getattr(self, name) for name in names}
        return CriticPlan(n_epochs=self.max_epochs, device=check_device(self.device), **shared)


def named_critic(name: str | os.PathLike[str]) -> ClusteringCritic:
    """A critic that comes with the package, or one in a file."""
    from .persistence import load

    if name in ("pretrained", "images"):
        return ClusteringCritic.from_pretrained("images" if name == "images" else "default")
    critic = load(name)
    if not isinstance(critic, ClusteringCritic) or not hasattr(critic, "network_"):
        raise ValueError(f"critic={name!r}: the file holds no fitted ClusteringCritic.")
    return critic


def _labelled_set(X: Any, y: ArrayLike, groups: ArrayLike | None) -> LabelledSet:
    """The labelled rows."""
    targets = check_targets(y, X, min_classes=1)
    kept = targets.labelled
    if targets.values.ndim != 1:
        raise ValueError(f"y has shape {np.shape(y)}: one class for each row is wanted, (n,).")
    if kept.sum() < _FEWEST_ROWS:
        raise ValueError(f"y has {kept.sum()} labelled rows: at least {_FEWEST_ROWS} are wanted.")
    codes = np.zeros(len(X), dtype=np.int64)
    if groups is not None:
        with naming("groups"):
            groups = column_or_1d(plain(groups, "groups"))
            check_consistent_length(X, groups)
            codes = np.unique(groups, return_inverse=True)[1]
    return LabelledSet(np.asarray(X)[kept], targets.values[kept], codes[kept])


def _pair(item: Any, i: int) -> tuple[Any, Any]:
    try:
        X, y = item
    except (TypeError, ValueError) as error:
        raise ValueError(f"datasets[{i}] is no pair (X, y).") from error
    return X, y
