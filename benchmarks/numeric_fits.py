"""Fits of the metric clusterer on data on which numbers are likely to fail."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numeric_inputs import PATTERNS, SCALES, Rng
from numpy.typing import NDArray

from skdeepclust import ConvEncoder, DeepMetricClusterer, MLPEncoder

__all__ = ["check_fit", "is_learnable", "make_fit"]

_RIDGES = (0.0, 1e-6, 1e-3, 1.0)
_SIDE = 6
# Of larger ones a sample: convolutions, and clusters that are guessed, take longer.
_MOST_ROWS = 600

Array = NDArray[Any]


def make_fit(
    rng: Rng, story: list[str], encoder: str
) -> tuple[DeepMetricClusterer, Array, Array | None]:
    """A clusterer with parameters of all kinds, X and y."""
    name = str(rng.choice(list(PATTERNS)))
    X, y = PATTERNS[name](rng)
    guessed = rng.uniform() < 0.15
    if guessed or encoder == "convolutions":
        X, y = _some_rows(rng, X, y)
    if encoder == "convolutions":
        X = (X @ rng.normal(size=(X.shape[1], _SIDE**2))).reshape(-1, 1, _SIDE, _SIDE)
    X = X * float(rng.choice(SCALES))
    X = X.astype(np.float32) if rng.uniform() < 0.5 else X
    model = _model(rng, encoder, len(y), None if not guessed else min(3, len(np.unique(X, axis=0))))
    story += [f"X {name} {X.shape} {X.dtype}", repr(model), "no y" if guessed else "y"]
    return model, X, None if guessed else y


def _some_rows(rng: Rng, X: Array, y: Array) -> tuple[Array, Array]:
    """At most so many rows, of each class at least one."""
    first = np.unique(y, return_index=True)[1]
    chosen = np.unique(np.concatenate([first, rng.permutation(len(y))[:_MOST_ROWS]]))
    return X[chosen], y[chosen]


def _model(rng: Rng, encoder: str, n: int, n_clusters: int | None) -> DeepMetricClusterer:
    dropout = float(rng.choice((0.0, 0.0, 0.3)))
    built: Any = {
        "linear": "linear",
        "MLP": MLPEncoder((16,), dropout=dropout),
        "convolutions": ConvEncoder((3,), dropout=dropout),
    }[encoder]
    return DeepMetricClusterer(
        n_clusters,
        encoder=built,
        embedding_dim="auto" if rng.uniform() < 0.7 else int(rng.integers(1, 12)),
        max_epochs=2 if n > 2_000 else 6,
        batch_size="auto" if rng.uniform() < 0.7 else int(rng.integers(16, 64)),
        learning_rate=float(rng.choice((3e-3, 3e-3, 0.1))),
        loss=str(rng.choice(("auto", "leave-one-out", "spectral"))),
        ridge=float(rng.choice(_RIDGES)),
        whiten=float(rng.choice((0.0, 0.5, 1.0))),
        early_stopping="auto",
        random_state=int(rng.integers(1_000)),
    )


def is_learnable(X: Array, y: Array | None) -> bool:
    """Whether rows differ, and there are two classes."""
    differs = any((row != X[0]).any() for row in X)
    return differs and (y is None or len(np.unique(y)) > 1)


def check_fit(
    model: DeepMetricClusterer, X: Array, see: Callable[[Any], None], faults: list[str]
) -> None:
    """Show all numbers of a fit to `see`, and add what else is wrong to `faults`."""
    for values in model.history_.values():
        see(values)
    for value in model.network_.state_dict().values():
        see(value)
    see(model.cluster_centers_)
    see(model.inertia_)
    see(model.transform(X))
    labels = model.predict(X)
    if labels.shape != (len(X),) or labels.dtype.kind != "i":
        faults.append(f"predict gives {labels.dtype} of shape {labels.shape}")
    elif labels.min() < 0 or labels.max() >= model.n_clusters_:
        faults.append(f"predict gives labels beyond 0 ... {model.n_clusters_ - 1}")
    if not np.array_equal(labels, model.labels_):
        faults.append("predict(X) is not labels_")
