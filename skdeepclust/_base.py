"""What the estimators share: safe refits, pickling across devices, embedding of rows."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial, reduce
from operator import add
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted
from torch import Tensor, from_numpy, nn, stack

from ._checkpoint import Checkpoint
from ._html import FittedFactsMixin
from ._validation import Targets, check_device, check_n_clusters, check_rows
from .networks import BaseEncoder, resolve_encoder
from .spectral import whiten_rows
from .training import (
    ALONE,
    EmbeddedRows,
    InputScaling,
    Moments,
    OneProcess,
    Recipe,
    Rows,
    TrainingPlan,
    TrainingResult,
    assign,
    augmentation,
    choose_batch_shape,
    cluster_embedding,
    complete_targets,
    embed_rows,
    epoch_progress,
    joined_ranks,
    learn_encoder,
    map_batches,
    place_centers,
)

__all__ = [
    "DevicePickleMixin",
    "EmbeddingMixin",
    "NewClassesMixin",
    "TrainedEncoderMixin",
    "keep_fitted_on_error",
]

# As many as KMeans finds where nobody names a number.
_DEFAULT_CLUSTERS = 8


@contextmanager
def keep_fitted_on_error(estimator: BaseEstimator) -> Iterator[None]:
    """Undo what a failed fit changed: the estimator predicts as before it."""
    before = dict(vars(estimator))
    try:
        yield
    except BaseException:
        vars(estimator).clear()
        vars(estimator).update(before)
        raise


class DevicePickleMixin(FittedFactsMixin):
    """Networks are pickled from the CPU, so that they load where there is no accelerator."""

    def __getstate__(self) -> dict[str, Any]:
        """State with every network on the CPU."""
        state: dict[str, Any] = super().__getstate__()  # type: ignore[misc]
        return {name: _on_cpu(value) for name, value in state.items()}


class EmbeddingMixin:
    """Rows to whitened embeddings to nearest centres, in batches of one size."""

    encoder: Any
    device: Any
    whiten: float
    n_clusters: int | None
    embedding_dim: int | str
    max_epochs: int
    batch_size: int | str
    learning_rate: float
    weight_decay: float
    loss: str
    temperature: float | str
    ridge: float
    early_stopping: bool | str
    validation_fraction: float
    n_iter_no_change: int
    augment: Any
    max_time: float | None
    checkpoint: Any
    random_state: Any
    verbose: int
    network_: nn.Module
    cluster_centers_: NDArray[np.float32]

    def _standardize(self, X: NDArray[Any], ranks: OneProcess = ALONE) -> Rows:
        """Learn the scaling of the inputs; the rows in the shape that the encoder wants."""
        self._row_shape = X.shape[1:]
        self._input_shape = resolve_encoder(self.encoder).input_shape(X.shape[1:])
        self._scaling = InputScaling.fit(X, self._input_shape, ranks)
        return self._rows(X, ranks)

    def _rows(self, X: NDArray[Any], ranks: OneProcess = ALONE) -> Rows:
        return Rows(X, self._scaling, self._input_shape, check_device(self.device), ranks)

    def _embed(self, rows: Rows) -> Tensor:
        """Embeddings scaled to length 1, before whitening; (n, d)."""
        return embed_rows(self.network_.to(rows.device), rows)

    def _embedded(self, rows: Rows) -> EmbeddedRows:
        """The same, computed in parts where it would be large."""
        compute = partial(embed_rows, self.network_.to(rows.device), rows)
        return EmbeddedRows(compute, len(rows), compute(np.zeros(1, dtype=np.int64)).shape[1])

    def _set_moments(self, moments: Moments) -> None:
        """Learn the whitening."""
        self._moments = moments
        self._mean, self._whitener = moments.whitening(float(self.whiten))

    def _whitened(self, X: ArrayLike) -> EmbeddedRows:
        """Whitened embeddings of rows that a user passes."""
        check_is_fitted(self)
        return self._embedded(self._rows(check_rows(self, X, reset=False))).map(self._whiten)

    def _whiten(self, embedding: Tensor) -> Tensor:
        return map_batches(lambda batch: whiten_rows(batch, self._mean, self._whitener), embedding)

    def _assign(self, embedding: Tensor) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Nearest centre of each whitened row and the squared distance to it, both (n,)."""
        centers = from_numpy(self.cluster_centers_)
        nearest = map_batches(
            lambda batch: stack([v.double() for v in assign(batch, centers)], dim=1), embedding
        )
        return nearest[:, 0].long().numpy(), nearest[:, 1].numpy()

    def _assign_all(self, whitened: EmbeddedRows) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """The same of rows that are computed in parts."""
        labels, squared = np.empty(len(whitened), dtype=np.int64), np.empty(len(whitened))
        start = 0
        for part in whitened.parts():
            end = start + len(part)
            labels[start:end], squared[start:end] = self._assign(part)
            start = end
        return labels, squared

    def _drop_unused_centers(self, whitened: EmbeddedRows) -> None:
        """Keep clusters that have rows; without the others a tie may fall otherwise."""
        n_before = 0
        while n_before != len(self.cluster_centers_):
            n_before, used = len(self.cluster_centers_), np.unique(self._assign_all(whitened)[0])
            self.cluster_centers_ = self.cluster_centers_[used]

    @property
    def _n_features_out(self) -> int:
        return int(self._mean.shape[0])


class NewClassesMixin(EmbeddingMixin):
    """Clusters of classes that were not there in training."""

    def cluster(self, X: ArrayLike, n_clusters: int) -> NDArray[np.int64]:
        """Cluster rows of classes that were not there in training.

        The embeddings of this very set are centred, replaced by their first 2 `n_clusters` left
        singular vectors (the weaker ones shrunk) and scaled to length 1, then k-means finds the
        clusters, starting from those of Ward's method: Algorithm 2 of the paper, which shrinks
        nothing and starts at random. A row's result depends on the whole set.

        Parameters
        ----------
        X : array-like of shape (n, p) or (n, c, h, w)
            Rows to be clustered.
        n_clusters : int
            Number of clusters in X.

        Returns
        -------
        ndarray of shape (n,)
            In ``[0, n_clusters)``.

        Raises
        ------
        ValueError
            If there are fewer rows than clusters.
        """
        check_is_fitted(self)
        X = check_rows(self, X, reset=False)
        if n_clusters is None:
            raise ValueError("n_clusters=None: an integer >= 1 is wanted.")
        check_n_clusters(n_clusters, len(X))
        rng = check_random_state(self.random_state)
        embedding = self._embed(self._rows(X))
        return cluster_embedding(embedding, int(n_clusters), rng)


class TrainedEncoderMixin(EmbeddingMixin):
    """Training of the encoder with the parameters of the estimator."""

    classes_: NDArray[Any]
    _center_weights: NDArray[np.float64]
    _rng: np.random.RandomState

    def _validate_params(self) -> None:
        """Of all ranks: none waits for one of which the parameters are wrong."""
        with joined_ranks():
            super()._validate_params()  # type: ignore[misc]
            check_device(self.device)
            self._encoder_spec().check_parameters()

    def _encoder_spec(self) -> BaseEncoder:
        return resolve_encoder(self.encoder)

    def _previous_network(self, X: NDArray[Any]) -> Any:
        """The network to go on from, if there is one and it fits."""
        if not hasattr(self, "network_"):
            return None
        if X.shape[1:] != self._row_shape:
            raise ValueError(
                f"warm_start=True, but X has rows of shape {X.shape[1:]} and the fit before had "
                f"{self._row_shape}: equal shapes, or warm_start=False, are wanted."
            )
        wanted = _unless_auto(self.embedding_dim)
        if wanted not in (None, self._n_features_out):
            raise ValueError(
                f"embedding_dim={wanted}, but warm_start=True goes on from an embedding of "
                f'{self._n_features_out} dimensions: equal numbers, or "auto", are wanted.'
            )
        return self.network_

    def _n_clusters_to_find(self, n_rows: int) -> int:
        """Number of clusters where there are no labels."""
        return self.n_clusters or min(_DEFAULT_CLUSTERS, n_rows)

    @property
    def _n_turns(self) -> int:
        """In how many turns, each a class of its own, an image is shown."""
        policy = augmentation(self.augment)
        return 1 if policy is None else policy.n_turns

    def _takes_soft(self, n_rows: int, n_classes: int) -> bool:
        """Whether soft assignments can be learned: they need all classes in one batch."""
        if self._n_turns > 1:
            return False
        if self.embedding_dim == "auto" and self._encoder_spec().has_own_width:
            return False
        dim = _unless_auto(self.embedding_dim)
        return n_classes <= choose_batch_shape(n_rows, n_classes, dim, None).embedding_dim

    def _loss(self, targets: Targets, indices: NDArray[np.int64]) -> str:
        """What to minimise over the rows at `indices`."""
        if self.loss != "auto":
            return self.loss
        known = targets.values.ndim == 1 and targets.labelled[indices].all()
        return "leave-one-out" if known else "spectral"

    def _recipe(self, loss: str, **changes: Any) -> Recipe:
        plan = TrainingPlan(
            max_epochs=changes.pop("max_epochs", self.max_epochs),
            learning_rate=self.learning_rate,
            weight_decay=self.weight_decay,
            ridge=float(self.ridge),
            patience=self.n_iter_no_change,
            loss=loss,
            temperature=None if self.temperature == "auto" else float(self.temperature),
            augment=augmentation(self.augment),
            max_time=self.max_time,
        )
        options = {
            "embedding_dim": _unless_auto(self.embedding_dim),
            "batch_size": _unless_auto(self.batch_size),
            "early_stopping": self.early_stopping,
            "validation_fraction": self.validation_fraction,
        }
        return Recipe(encoder=self._encoder_spec(), plan=plan, **(options | changes))

    def _train(
        self,
        rows: Rows,
        wanted: NDArray[Any],
        indices: NDArray[np.int64],
        recipe: Recipe,
        rng: np.random.RandomState,
        network: Any,
        checkpoint: Checkpoint | None = None,
    ) -> TrainingResult:
        """Train the encoder and keep its history; without a checkpoint, interrupts are raised."""
        verbose = 0 if rows.ranks.rank else self.verbose
        with epoch_progress(recipe.plan.max_epochs, verbose, type(self).__name__) as report:
            self.network_, result = learn_encoder(
                rows, wanted, indices, recipe, rng, network, report, checkpoint
            )
        self.history_ = result.history
        self.n_iter_ = result.n_epochs
        return result

    def _open_checkpoint(self, X: NDArray[Any], targets: Targets, ranks: OneProcess) -> Checkpoint:
        """Where a fit to these data goes on from, if that is wanted."""
        if self.checkpoint is not None and ranks.n_ranks > 1:
            raise NotImplementedError(
                f"checkpoint={self.checkpoint!r} inside a process group: None is wanted there."
            )
        return Checkpoint(self.checkpoint, self, X, [targets.values, targets.classes])

    def _close_checkpoint(self, checkpoint: Checkpoint, result: TrainingResult) -> None:
        """After all else of a fit, so that it stays whatever becomes of the warning."""
        if not result.interrupted:
            checkpoint.remove()
            return
        goes_on = checkpoint.enabled and result.n_epochs
        warnings.warn(
            f"Training was interrupted after {result.n_epochs} of at most {self.max_epochs} "
            "epochs: the best weights so far are kept."
            + (" The same fit goes on from its checkpoint." if goes_on else ""),
            ConvergenceWarning,
            stacklevel=4,  # the caller of `fit`
        )

    def _complete(
        self, rows: Rows, targets: Targets, rng: np.random.RandomState
    ) -> tuple[NDArray[np.int64], NDArray[Any]]:
        """Rows to learn from and what is wanted of them, guessed where labels are missing."""
        labelled = np.flatnonzero(targets.labelled)
        n_classes = len(targets.classes)
        if targets.values.ndim == 2 or (n_classes and self.n_clusters not in (None, n_classes)):
            return labelled, targets.values[labelled]
        n_clusters = n_classes or self._n_clusters_to_find(len(rows))
        return complete_targets(
            rows, targets.values, n_clusters, rng, self._takes_soft(len(rows), n_clusters)
        )

    def _place_clusters(
        self,
        rows: Rows,
        targets: Targets,
        wanted: NDArray[Any],
        indices: NDArray[np.int64],
        rng: np.random.RandomState,
    ) -> None:
        """Learn whitening and centres from the embeddings of the training rows."""
        guessed, embedded, ranks = not len(targets.classes), self._embedded(rows), rows.ranks
        self._set_moments(reduce(add, map(Moments.of, embedded.parts())).over(ranks))
        whitened = embedded.map(self._whiten)
        self.cluster_centers_ = place_centers(
            whitened, wanted, indices, self.n_clusters, rng, guessed, ranks
        )
        if guessed:
            self._drop_unused_centers(whitened)
        self.n_clusters_ = len(self.cluster_centers_)
        self.classes_ = np.arange(self.n_clusters_) if guessed else targets.classes
        self._describe(whitened, ranks)
        own = np.bincount(self.labels_, minlength=self.n_clusters_).astype(float)
        self._center_weights = np.asarray(ranks.sums(own)[0])

    def _describe(self, whitened: EmbeddedRows, ranks: OneProcess = ALONE) -> None:
        """Labels of embedded rows (n, d), and the inertia of those of all ranks."""
        self.labels_, squared = self._assign_all(whitened)
        self.inertia_ = float(ranks.sums(squared.sum())[0])


def _on_cpu(value: Any) -> Any:
    if isinstance(value, nn.Module) and any(p.device.type != "cpu" for p in value.parameters()):
        return copy.deepcopy(value).cpu()
    return value


def _unless_auto(value: int | str) -> int | None:
    return None if isinstance(value, str) else int(value)
