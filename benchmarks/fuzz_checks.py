"""What a fitted estimator must fulfil, whatever it was fitted on."""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from fuzz_inputs import Rng, draw_labels, draw_rows
from sklearn.base import clone
from sklearn.datasets import make_blobs

from skdeepclust import ClusteringCritic, CriticClusterer, DeepMetricClusterer

__all__ = [
    "BrokenError", "RefusedError", "Untouchable", "check_critic", "check_metric", "check_scores",
    "check_searcher", "check_other_rows", "global_state", "may_refuse",
]  # fmt: skip

# What messages may call that which is wrong.
_ARGUMENTS = {
    "X", "y", "labels", "labelings", "groups", "datasets", "classes", "n_clusters", "hidden",
    "activation", "dropout", "channels", "image_shape", "precision", "module",
    *DeepMetricClusterer._parameter_constraints, *ClusteringCritic._parameter_constraints,
    *CriticClusterer._parameter_constraints,
}  # fmt: skip
_NAMED = re.compile(rf"\b({'|'.join(sorted(_ARGUMENTS))})\b")


class BrokenError(AssertionError):
    """A result that is not as it should be."""


class RefusedError(Exception):
    """The estimator refused what it was given, and said why."""


class Untouchable:
    """Rows that nobody may look at."""

    def __getattr__(self, name: str) -> Any:
        raise BrokenError(f"X.{name} was read before the parameters were checked")

    def __len__(self) -> int:
        raise BrokenError("the length of X was read before the parameters were checked")

    def __array__(self, *args: Any, **kwargs: Any) -> Any:
        raise BrokenError("X was read before the parameters were checked")


def may_refuse(function: Callable[..., Any], *arguments: Any) -> Any:
    """The result; a ValueError or TypeError that names an argument becomes a `RefusedError`."""
    try:
        return function(*arguments)
    except (ValueError, TypeError) as error:
        if not _NAMED.search(str(error)):
            raise BrokenError(f"no argument is named: {type(error).__name__}: {error}") from error
        raise RefusedError(f"{type(error).__name__}: {error}") from error


def demand(holds: Any, what: str) -> None:
    """Raise `BrokenError` unless it holds."""
    if not bool(holds):
        raise BrokenError(what)


def global_state() -> tuple[Any, ...]:
    """All that a fit must leave as it was."""
    numpy_state = np.random.get_state(legacy=False)
    return (
        random.getstate(),
        numpy_state["state"]["pos"],
        numpy_state["state"]["key"].tobytes(),
        torch.get_rng_state().numpy().tobytes(),
        torch.get_num_threads(),
        torch.get_default_dtype(),
        torch.is_grad_enabled(),
        tuple(sorted(np.geterr().items())),
    )


def _check_labels(labels: Any, n: int | None, n_clusters: int, all_used: bool) -> None:
    demand(labels.dtype.kind == "i" and labels.ndim == 1, f"labels of type {labels.dtype}")
    demand(n in (None, len(labels)), f"{len(labels)} labels for {n} rows")
    demand(labels.min() >= 0 and labels.max() < n_clusters, f"labels beyond 0 ... {n_clusters - 1}")
    used = len(np.unique(labels))
    demand(used == n_clusters or not all_used, f"{n_clusters} clusters, but {used} are used")


def _repeats(model: Any) -> bool:
    """Whether another fit must have the same result."""
    is_seeded = isinstance(model.random_state, int | np.integer)
    return is_seeded and getattr(model, "max_time", None) is None


def _check_history(history: dict[str, Any]) -> None:
    for name, values in history.items():
        demand(np.isfinite(np.asarray(values, dtype=float)).all(), f"history_[{name!r}] = {values}")


def check_metric(model: DeepMetricClusterer, X: Any, y: Any, has_all: bool = True) -> None:
    """A clusterer that was fitted on X and y.

    Parameters
    ----------
    model : DeepMetricClusterer
    X, y : as given to `fit`
    has_all : bool, default=True
        Whether all clusters have centres, and fit is to be tried again.
    """
    n, k = len(model.labels_), model.n_clusters_
    _check_labels(model.labels_, n, k, all_used=y is None and has_all)
    demand(np.isfinite(model.cluster_centers_).all() or not has_all, "centres that are not finite")
    demand(np.isfinite(model.inertia_), f"inertia_ = {model.inertia_}")
    _check_history(model.history_)
    embedding, found = model.transform(X), model.predict(X)
    demand(embedding.ndim == 2 and len(embedding) == n, f"an embedding of shape {embedding.shape}")
    demand(np.isfinite(embedding).all(), "an embedding that is not finite")
    demand((found == model.labels_).all(), "predict(X) is not labels_")
    demand((model.predict(X) == found).all(), "predict(X) changes when it is repeated")
    demand(model.score(X, found) == 1.0, "score of the prediction itself is not 1")
    n_new = min(2, n)
    _check_labels(model.cluster(X, n_new), n, n_new, all_used=False)
    if has_all and _repeats(model) and not model.warm_start:
        again = clone(model).fit(X, y)
        demand(np.array_equal(again.labels_, found), "another fit finds other labels")
        demand(np.array_equal(again.transform(X), embedding), "another fit embeds otherwise")


def check_other_rows(model: Any, rng: Rng, X: Any) -> None:
    """Predictions for any other rows, and that a refused fit leaves an estimator as it was."""
    before = model.predict(X)
    n_columns = model.n_features_in_ if rng.uniform() < 0.8 else None
    other, _ = draw_rows(rng, n_columns)
    try:
        labels = may_refuse(model.predict, other)
        _check_labels(labels, None, model.n_clusters_, all_used=False)
        demand(np.array_equal(model.predict(other), labels), "predict changes when it is repeated")
        demand(np.isfinite(model.transform(other)).all(), "transform of other rows is not finite")
    except RefusedError:
        pass
    y, _ = draw_labels(rng, int(rng.integers(1, 9)))
    try:
        may_refuse(model.fit, other, y)
    except RefusedError:
        demand(np.array_equal(model.predict(X), before), "a refused fit changed the predictions")


def check_searcher(model: CriticClusterer, X: Any, y: Any) -> None:
    """A clusterer that was fitted on X."""
    n, k = len(model.labels_), model.n_clusters_
    _check_labels(model.labels_, n, k, all_used=True)
    demand(np.isfinite(model.score_), f"score_ = {model.score_}")
    _check_history(model.history_)
    for other in model.alternatives_:
        demand(len(other.labels) == n and np.isfinite(other.score), "an alternative is broken")
    demand(np.array_equal(model.predict(X), model.labels_), "predict(X) is not labels_")
    distances = model.transform(X)
    demand(distances.shape == (n, k) and np.isfinite(distances).all(), "transform is not finite")
    demand((distances >= 0).all(), "a distance is negative")
    if _repeats(model):
        again = clone(model).fit(X, y)
        demand(np.array_equal(again.labels_, model.labels_), "another fit finds other labels")
        demand(again.score_ == model.score_, "another fit has another score")


def check_critic(model: ClusteringCritic, X: Any, y: Any) -> None:
    """A critic that was fitted on X and y, which may be more than it can judge."""
    _check_history(model.history_)
    rows, truth = make_blobs(20, random_state=0)
    check_scores(model, rows, truth)
    if _repeats(model) and not model.warm_start:
        again = clone(model).fit(X, y)
        same = again.score_clustering(rows, truth) == model.score_clustering(rows, truth)
        demand(same, "another fit scores otherwise")


def check_scores(critic: ClusteringCritic, X: Any, labels: Any) -> None:
    """All that can be asked of a critic about one clustering."""
    score = may_refuse(critic.score_clustering, X, labels)
    demand(isinstance(score, float) and np.isfinite(score), f"a score of {score}")
    demand(critic.score_clustering(X, labels) == score, "the score changes when it is repeated")
    several = critic.score_clusterings(X, [labels, labels])
    demand(several.shape == (2,) and several[0] == several[1], f"equal ones score {several}")
    demand(np.isfinite(several).all(), f"scores of {several}")
    demand(np.isfinite(critic.embed(X, labels)).all(), "an embedding that is not finite")
    demand(np.isfinite(critic.score_clusters(X, labels)).all(), "a cluster's score is not finite")
    demand(sorted(critic.rank(X, [labels, labels])) == [0, 1], "rank is no order")
