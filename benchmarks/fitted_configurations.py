"""Estimators as they are fitted to see whether a fit repeats itself: small, and of every kind."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.datasets import load_digits, make_blobs
from torch import nn

from skdeepclust import (
    ClusteringCritic,
    ConvEncoder,
    CriticClusterer,
    DeepMetricClusterer,
    MLPEncoder,
)

__all__ = ["CONFIGURATIONS", "Configuration", "Data"]

Data = tuple[NDArray[Any], Any]

_EPOCHS = 6
_DROPOUT = MLPEncoder(hidden=(32, 16), dropout=0.3)
_SEARCH: dict[str, Any] = {"population_size": 8, "n_generations": 3, "max_clusters": 8}
_CRITIC: dict[str, Any] = {
    "hidden_dim": 8,
    "n_tasks": 6,
    "n_proposals": 6,
    "max_epochs": 2,
    "n_jobs": 1,
}
# Above these a batch is learned in two passes, and a critic sees prototypes, too.
_TWO_PASSES, _PROTOTYPES = 8_500, 25_000


@dataclass(frozen=True)
class Configuration:
    """An estimator, its data, and how it is fitted.

    Attributes
    ----------
    make : callable
        Gives the estimator, which is not fitted.
    data : callable
        Gives X and y, always the same.
    fit : callable
        Takes the estimator, X and y, and fits.
    n_asked : int
        Of so many rows the answers are compared.
    is_cheap : bool
        Whether it is fitted beside others, and again and again.
    is_private : bool
        Whether the fit draws nothing from a generator that other code may draw from.
    searches : bool
        Whether `fit` alone is what a GridSearchCV does.
    """

    make: Callable[[], Any]
    data: Callable[[], Data]
    fit: Callable[[Any, Any, Any], Any]
    n_asked: int = 200
    is_cheap: bool = True
    is_private: bool = True
    searches: bool = True

    def fitted(self, estimator: Any | None = None) -> Any:
        """The estimator, or a new one, fitted."""
        return self.fit(self.make() if estimator is None else estimator, *self.data())

    def asked(self) -> NDArray[Any]:
        """Rows about which estimators are asked."""
        return self.data()[0][: self.n_asked]


def _fit(estimator: Any, X: Any, y: Any) -> Any:
    return estimator.fit(X, y)


def _fit_chunks(estimator: Any, X: Any, y: Any) -> Any:
    """Chunks of rows, of which the last has no labels."""
    chunks = np.array_split(np.arange(len(X)), 4)
    for chunk in chunks[:-1]:
        estimator.partial_fit(X[chunk], y[chunk], classes=None)
    return estimator.partial_fit(X[chunks[-1]])


def _fit_twice(estimator: Any, X: Any, y: Any) -> Any:
    """The second fit goes on from the weights of the first."""
    return estimator.fit(X, y).fit(X[::2], y[::2])


def _blobs(n_rows: int, labelled: float = 1.0, n_features: int = 8) -> Data:
    X, y = make_blobs(n_rows, centers=5, n_features=n_features, cluster_std=3.0, random_state=0)
    X = X.astype(np.float32)
    if not labelled:
        return X, None
    is_known = np.random.RandomState(0).uniform(size=n_rows) <= labelled
    return X, np.where(is_known, y, -1)


def _images(n_rows: int = 160) -> Data:
    X, y = load_digits(return_X_y=True)
    return X[:n_rows].reshape(-1, 1, 8, 8).astype(np.float32), y[:n_rows]


def _metric(**parameters: Any) -> DeepMetricClusterer:
    return DeepMetricClusterer(**{"max_epochs": _EPOCHS, "random_state": 0} | parameters)


def _own_module() -> nn.Module:
    """A module with a layer that draws as none of the package's encoders does."""
    module = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.AlphaDropout(0.2), nn.Linear(16, 5))
    for number, value in enumerate(module.parameters()):  # the same in every process
        values = np.random.RandomState(number).normal(size=tuple(value.shape)) / 4
        value.data.copy_(value.data.new_tensor(values))
    return module


def _searcher(**parameters: Any) -> CriticClusterer:
    return CriticClusterer(**{"random_state": 0} | _SEARCH | parameters)


def _critic(**parameters: Any) -> ClusteringCritic:
    return ClusteringCritic(**{"random_state": 0} | _CRITIC | parameters)


def _adapted_critic() -> ClusteringCritic:
    few = {"n_tasks": 3, "n_proposals": 6, "max_epochs": 1, "adversarial_rounds": 0}
    critic = ClusteringCritic.from_pretrained()
    return critic.set_params(warm_start=True, random_state=0, n_jobs=1, **few)


def _searcher_with_own_critic() -> CriticClusterer:
    return _searcher(critic=_critic(n_tasks=4, adversarial_rounds=0, random_state=None))


_ROWS, _FEW_LABELS = partial(_blobs, 300), partial(_blobs, 300, 0.2)
_NO_LABELS = partial(_blobs, 300, 0.0)
_CONV = ConvEncoder(channels=(4, 8), dropout=0.2)
# Made once: making it draws from torch's global generator.
_MODULE = _own_module()

CONFIGURATIONS: dict[str, Configuration] = {
    "metric: mlp": Configuration(_metric, _ROWS, _fit),
    "metric: mlp, dropout": Configuration(partial(_metric, encoder=_DROPOUT), _ROWS, _fit),
    "metric: linear": Configuration(partial(_metric, encoder="linear"), _ROWS, _fit),
    "metric: conv, augment": Configuration(
        partial(_metric, encoder=_CONV, augment="affine", max_epochs=2), _images, _fit
    ),
    "metric: conv, turns": Configuration(
        partial(_metric, encoder=_CONV, augment="affine+turns", max_epochs=1), _images, _fit
    ),
    "metric: no labels": Configuration(_metric, _NO_LABELS, _fit),
    "metric: few labels, more clusters": Configuration(
        partial(_metric, n_clusters=7, encoder=_DROPOUT), _FEW_LABELS, _fit
    ),
    "metric: rows held out": Configuration(
        partial(_metric, encoder=_DROPOUT, early_stopping=True), _ROWS, _fit
    ),
    "metric: two passes": Configuration(
        partial(_metric, encoder=_DROPOUT, batch_size=_TWO_PASSES, max_epochs=2),
        partial(_blobs, _TWO_PASSES),
        _fit,
        is_cheap=False,
    ),
    "metric: module of one's own": Configuration(
        partial(_metric, encoder=_MODULE), _ROWS, _fit, is_private=False
    ),
    "metric: partial_fit": Configuration(
        partial(_metric, encoder=_DROPOUT), _ROWS, _fit_chunks, searches=False
    ),
    "metric: warm_start": Configuration(
        partial(_metric, encoder=_DROPOUT, warm_start=True), _ROWS, _fit_twice, searches=False
    ),
    "searcher: genetic": Configuration(_searcher, _NO_LABELS, _fit),
    "searcher: cem": Configuration(partial(_searcher, search="cem"), _NO_LABELS, _fit),
    "searcher: 25,000 rows": Configuration(
        _searcher, partial(_blobs, _PROTOTYPES, 0.0), _fit, is_cheap=False
    ),
    "searcher: critic of one's own": Configuration(_searcher_with_own_critic, _ROWS, _fit),
    "critic: few tasks": Configuration(_critic, _ROWS, _fit),
    "critic: complete, wasserstein": Configuration(
        partial(_critic, graph="complete", wasserstein=1.0, adversarial_rounds=0),
        _ROWS,
        _fit,
    ),
    "critic: adapted": Configuration(_adapted_critic, _ROWS, _fit, searches=False),
}
"""By name; other processes import them from here."""
