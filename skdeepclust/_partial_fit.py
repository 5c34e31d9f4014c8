"""Learning from chunks of rows, one call each."""

from __future__ import annotations

from functools import reduce
from operator import add
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils import check_random_state

from ._base import TrainedEncoderMixin, keep_fitted_on_error
from ._validation import (
    Targets,
    check_n_clusters,
    check_rows,
    check_targets,
    fit_context,
    naming,
    plain,
)
from .training import (
    Moments,
    Rows,
    choose_batch_shape,
    class_sums,
    complete_targets,
    refuse_in_group,
)

__all__ = ["PartialFitMixin"]

# Weight of all earlier chunks together when a new one arrives, against their weight before.
_MEMORY = 0.8
# Dimensions of an embedding that has to leave room for classes of later chunks.
_OPEN_DIM = 16


class PartialFitMixin(TrainedEncoderMixin):
    """`partial_fit`: centres and whitening that follow an encoder while it learns."""

    classes_: NDArray[Any]
    _center_weights: NDArray[np.float64]

    @fit_context(prefer_skip_nested_validation=True)
    def partial_fit(
        self, X: ArrayLike, y: ArrayLike | None = None, classes: ArrayLike | None = None
    ) -> Any:
        """Go on learning from one more chunk of rows, with one pass over it.

        The first chunk decides on the scaling of the inputs and on the network. Centres and
        whitening follow the latest chunks; older ones are gradually forgotten. A linear
        encoder is solved on the first chunk and takes gradient steps on later ones.

        Parameters
        ----------
        X : array-like of shape (n, p) or (n, c, h, w)
            A chunk of rows.
        y : array-like of shape (n,) or (n, k), default=None
            As in `fit`. Later chunks may bring new classes, and need not have all. Chunks
            without labels take those of the clusters found so far.
        classes : array-like of shape (k,), default=None
            All classes, as far as they are known at the first call, so that the embedding
            gets dimensions for them. Not for later calls or assignment matrices.

        Returns
        -------
        DeepMetricClusterer
            The estimator itself; ``labels_`` are those of this chunk.

        Raises
        ------
        ValueError
            If a parameter, X or y is not as described; the estimator stays as it was.
        """
        refuse_in_group("partial_fit")
        with keep_fitted_on_error(self):
            first = not hasattr(self, "network_")
            X = check_rows(self, X, reset=first)
            targets = check_targets(y, X, min_classes=1)
            if first:
                check_n_clusters(self.n_clusters, len(X))
                self._start_clusters(targets, classes)
            rows = self._standardize(X) if first else self._rows(X)
            indices, wanted = self._complete_chunk(rows, targets, first)
            n_expected = len(self.classes_) if classes is not None else _OPEN_DIM
            self._train_chunk(rows, wanted, indices, n_expected, self._loss(targets, indices))
            self._move_clusters(rows, wanted, indices)
        return self

    def _start_clusters(self, targets: Targets, classes: ArrayLike | None) -> None:
        """Names of the clusters, as far as they are known, and a source of random numbers."""
        if classes is not None and targets.values.ndim == 2:
            raise ValueError("classes must be None where y is an assignment matrix.")
        with naming("classes"):
            named = targets.classes if classes is None else np.unique(plain(classes, "classes"))
        if len(named) == 1:
            raise ValueError(
                f"y of the first chunk has one class only, {named[0]!r}: at least two in y or "
                "in classes are wanted."
            )
        self.classes_ = named
        self._center_weights = np.zeros(len(named))
        self._rng = check_random_state(self.random_state)
        self.history_, self.n_iter_ = {}, 0

    def _complete_chunk(
        self, rows: Rows, targets: Targets, first: bool
    ) -> tuple[NDArray[np.int64], NDArray[Any]]:
        """Rows of the chunk to learn from, and their codes among all classes so far."""
        labelled = np.flatnonzero(targets.labelled)
        if targets.values.ndim == 2:
            if targets.values.shape[1] != len(self.classes_):
                raise ValueError(
                    f"y has {targets.values.shape[1]} columns, earlier chunks had "
                    f"{len(self.classes_)}."
                )
            return labelled, targets.values[labelled]
        if not len(labelled) and not first:
            return np.arange(len(rows)), self._assign(self._whiten(self._embed(rows)))[0]
        codes = self._codes_among_all(targets)
        if not first:
            return labelled, codes[labelled]
        n_clusters = len(self.classes_) or self._n_clusters_to_find(len(rows))
        soft = self._takes_soft(len(rows), n_clusters)
        indices, wanted = complete_targets(rows, codes, n_clusters, self._rng, soft)
        if not len(self.classes_):
            self.classes_ = np.arange(wanted.max() + 1)
            self._center_weights = np.zeros(len(self.classes_))
        return indices, wanted

    def _codes_among_all(self, targets: Targets) -> NDArray[np.int64]:
        """Codes of the chunk's labels in the sorted union of old and new classes."""
        if not len(targets.classes):
            return targets.values
        if _kind(self.classes_) != _kind(targets.classes):
            raise ValueError(
                f"y has labels such as {targets.classes[0]!r}, earlier chunks had labels such as "
                f"{self.classes_[0]!r}: labels of one kind are wanted in all chunks."
            )
        union = np.union1d(self.classes_, targets.classes)
        if len(union) > len(self.classes_):
            old = np.searchsorted(union, self.classes_)
            self._center_weights = _inserted(self._center_weights, old, len(union), 0.0)
            if hasattr(self, "cluster_centers_"):
                self.cluster_centers_ = _inserted(self.cluster_centers_, old, len(union), np.nan)
            self.classes_ = union
        positions = np.searchsorted(union, targets.classes)
        return np.where(targets.values >= 0, positions[targets.values], -1)

    def _train_chunk(
        self,
        rows: Rows,
        wanted: NDArray[Any],
        indices: NDArray[np.int64],
        n_expected: int,
        loss: str,
    ) -> None:
        """One epoch, from the weights so far; a new network has room for `n_expected` classes."""
        history, n_iter, network = self.history_, self.n_iter_, getattr(self, "network_", None)
        n_classes = max(len(self.classes_), n_expected) * self._n_turns
        n_shown = len(rows) * self._n_turns
        dim = choose_batch_shape(n_shown, n_classes, None, None).embedding_dim
        changes: dict[str, Any] = {"max_epochs": 1, "early_stopping": False}
        if self.embedding_dim == "auto" and not self._encoder_spec().has_own_width:
            changes["embedding_dim"] = dim
        recipe = self._recipe(loss, closed_form=network is None, **changes)
        self._train(rows, wanted, indices, recipe, self._rng, network)
        self.history_ = {k: history.get(k, []) + v for k, v in self.history_.items()} or history
        self.n_iter_ += n_iter

    def _move_clusters(self, rows: Rows, wanted: NDArray[Any], indices: NDArray[np.int64]) -> None:
        """Moments and centres as weighted means of this chunk and the ones before."""
        embedded = self._embedded(rows)
        moments = reduce(add, map(Moments.of, embedded.parts()))
        if hasattr(self, "_moments"):
            moments = self._moments.scaled(_MEMORY) + moments
        self._set_moments(moments)
        whitened = embedded.map(self._whiten)
        sums, weights = class_sums(whitened[indices].numpy(), wanted, len(self.classes_))
        if hasattr(self, "cluster_centers_"):
            kept = _MEMORY * self._center_weights
            sums += kept[:, None] * np.nan_to_num(self.cluster_centers_)
            weights += kept
        with np.errstate(invalid="ignore"):  # classes without rows so far have no centre
            self.cluster_centers_ = (sums / weights[:, None]).astype(np.float32)
        self._center_weights = weights
        self.n_clusters_ = len(self.cluster_centers_)
        self._describe(whitened)


def _kind(labels: NDArray[Any]) -> str:
    """Labels of different kinds cannot be sorted."""
    kinds = {"biuf": "numbers", "USOT": "names"}
    return next((name for some, name in kinds.items() if labels.dtype.kind in some), "others")


def _inserted(values: NDArray[Any], positions: NDArray[Any], n: int, fill: float) -> NDArray[Any]:
    """`values` at `positions` among n entries, the others filled."""
    result = np.full((n, *values.shape[1:]), fill, dtype=values.dtype)
    result[positions] = values
    return result
