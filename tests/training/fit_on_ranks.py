"""What every rank of a process group does for `test_distributed_fit`, as a program of its own.

    python fit_on_ranks.py RANK N_RANKS FOLDER

leaves the results by name in ``FOLDER/RANK.pickle``; the ranks meet in ``FOLDER/store``.
"""

import os
import pickle
import sys
from datetime import timedelta
from pathlib import Path

import numpy as np
import torch
import torch.distributed as dist
from torch import nn

from skdeepclust import ConvEncoder, DeepMetricClusterer, MLPEncoder

N_FEATURES = 6
# Rows of each of five classes on each rank: uneven, and most ranks lack a class.
SIZES = {
    2: [[60, 0, 40, 30, 20], [10, 50, 0, 15, 15]],
    3: [[60, 0, 40, 25, 20], [10, 50, 0, 10, 0], [0, 0, 0, 10, 15]],
}
GRADIENT = {"max_epochs": 13, "batch_size": 60, "n_iter_no_change": 100, "early_stopping": False}
# All fits that one process repeats, each of at least 50 steps where it takes steps.
FITS = {
    "closed form": {"encoder": "linear"},
    "spectral": {"encoder": MLPEncoder(hidden=(16,)), "loss": "spectral", **GRADIENT},
    "leave-one-out": {"encoder": MLPEncoder(hidden=(16,)), **GRADIENT},
    "small ridge": {"encoder": MLPEncoder(hidden=(16,)), "ridge": 1e-3, **GRADIENT},
    "one layer": {"encoder": "a layer", "loss": "spectral", **GRADIENT},
    "small batches": {"encoder": "a layer", **GRADIENT, "batch_size": 6, "max_epochs": 2},
    "small batches, normalised": {
        "encoder": ConvEncoder(channels=(4, 4), image_shape=(2, 3), precision="float32"),
        **GRADIENT,
        "batch_size": 6,
        "max_epochs": 1,
    },
    "normalised": {
        "encoder": ConvEncoder(channels=(4, 4), image_shape=(2, 3), precision="float32"),
        **GRADIENT,
    },
    "warm start": {"encoder": MLPEncoder(hidden=(8,)), **GRADIENT, "warm_start": True},
    "early stopping": {
        "encoder": MLPEncoder(hidden=(16,)),
        **GRADIENT,
        "early_stopping": True,
        "validation_fraction": 0.2,
        "n_iter_no_change": 3,
        "max_epochs": 30,
        "learning_rate": 0.03,
    },
}


def make_shards(n_ranks):
    """X and y of each rank; classes are names."""
    rng = np.random.RandomState(0)
    means = 1.5 * rng.standard_normal((5, N_FEATURES))
    shards = []
    for sizes in SIZES[n_ranks]:
        codes = rng.permutation(np.repeat(np.arange(5), sizes))
        X = means[codes] + rng.standard_normal((len(codes), N_FEATURES))
        shards.append((X + 3, np.array(["ape", "bee", "cat", "dog", "elk"])[codes]))
    return shards


def make_clusterer(encoder, layer, **parameters):
    """A clusterer with `layer` as its encoder where one is asked for."""
    encoder = layer if encoder == "a layer" else encoder
    return DeepMetricClusterer(encoder=encoder, random_state=0, **parameters)


def fit(name, layer, X, y):
    """The figures of a fit; a second time where it starts from the first."""
    clusterer = make_clusterer(layer=layer, **FITS[name]).fit(X, y)
    if clusterer.warm_start:
        clusterer.fit(X, y)
    return figures(clusterer, X)


def figures(clusterer, X):
    """What a fit leaves behind."""
    return {
        "weights": torch.cat([v.detach().ravel() for v in clusterer.network_.parameters()]).numpy(),
        "mean": clusterer._mean.numpy(),
        "whitener": clusterer._whitener.numpy(),
        "centers": clusterer.cluster_centers_,
        "sizes": clusterer._center_weights,
        "labels": clusterer.labels_,
        "predicted": clusterer.predict(X),
        "classes": clusterer.classes_,
        "history": clusterer.history_,
        "n_iter": clusterer.n_iter_,
        "inertia": clusterer.inertia_,
        "draw": clusterer._rng.randint(2**31),
    }


def add_noise(inputs, generator):
    """Distorted inputs."""
    return inputs + 0.1 * torch.randn(inputs.shape, generator=generator)


class FailingAugment:
    """Distorts nothing, and does something else in the fifth batch on one rank."""

    def __init__(self, rank, fail):
        self.rank, self.fail, self.n_calls = rank, fail, 0

    def __call__(self, inputs, generator):
        self.n_calls += 1
        if dist.get_rank() == self.rank and self.n_calls == 5:
            self.fail()
        return inputs


class FailingGradient(torch.autograd.Function):
    """The identity, of which rank 1 finds no gradient."""

    @staticmethod
    def forward(ctx, x):
        return x.view_as(x)

    @staticmethod
    def backward(ctx, gradient):
        if dist.get_rank() == 1:
            raise OverflowError("no gradient today")
        return gradient


class FailingModule(nn.Module):
    """Can be evaluated, but not trained, on rank 1."""

    def __init__(self, last):
        super().__init__()
        self.layer, self.last = nn.Linear(N_FEATURES, 5), last

    def forward(self, x):
        return self.last(FailingGradient.apply(self.layer(x)))


def lose_memory():
    raise MemoryError("no memory for a batch")


def failures(rank, X, y):
    """Name, function and arguments of what fails on one or on all ranks."""
    plain = DeepMetricClusterer(random_state=0, max_epochs=2)
    broken = X.copy()
    broken[3, 2] = np.nan
    is_bad = rank == 1

    def fit(X=X, y=y, **changes):
        DeepMetricClusterer(**({"random_state": 0, "max_epochs": 2} | changes)).fit(X, y)

    return {
        "bad parameter": lambda: fit(ridge=-1.0 if is_bad else 1.0),
        "bad value": lambda: fit(X=broken if is_bad else X),
        "no rows": lambda: fit(X=X[:0] if is_bad else X, y=y[:0] if is_bad else y),
        "other features": lambda: fit(X=X[:, :4] if is_bad else X),
        "numbers for classes": lambda: fit(y=np.arange(len(y)) % 3 if is_bad else y),
        "one class": lambda: fit(y=np.full(len(y), "ape")),
        "no labels": lambda: fit(y=None),
        "some labels": lambda: fit(y=np.where(np.arange(len(y)) < 5, -1, np.arange(len(y)) % 3)),
        "assignments": lambda: fit(y=np.eye(2)[np.arange(len(y)) % 2]),
        "more clusters": lambda: fit(n_clusters=7),
        "other parameters": lambda: fit(max_epochs=3 + rank),
        "in a normalised gradient": lambda: fit(encoder=FailingModule(nn.BatchNorm1d(5))),
        "partial_fit": lambda: plain.partial_fit(X, y),
        "in a step": lambda: fit(augment=FailingAugment(1, lose_memory), batch_size=40),
        "in a gradient": lambda: fit(encoder=FailingModule(nn.Identity())),
    }


def outcome(action):
    """Kind and text of the error."""
    try:
        action()
    except Exception as error:
        return type(error).__name__, str(error)
    return None


def run(rank, n_ranks, save):
    """All results of a rank, by name."""
    X, y = make_shards(n_ranks)[rank]
    torch.manual_seed(rank)
    layer = nn.Linear(N_FEATURES, 5)  # other weights on each rank
    results = {"layer": layer.state_dict()}
    for name in FITS:
        results[name] = fit(name, layer, X, y)
    timed = DeepMetricClusterer(max_time=0.5, max_epochs=10**6, random_state=rank)
    results["timed"] = figures(timed.fit(X, y), X)
    results["drawn"] = figures(DeepMetricClusterer(max_epochs=2).fit(X, y), X)
    dropped = MLPEncoder(hidden=(16,), dropout=0.5)
    results["dropout"] = figures(DeepMetricClusterer(encoder=dropped, max_epochs=2).fit(X, y), X)
    distorted = DeepMetricClusterer(augment=add_noise, max_epochs=2, batch_size=60, random_state=0)
    results["distorted"] = figures(distorted.fit(X, y), X)
    for name, action in failures(rank, X, y).items():
        results[name] = outcome(action)
    again = DeepMetricClusterer(encoder="linear", random_state=0)
    results["after failures"] = figures(again.fit(X, y), X)
    save(results)
    last = n_ranks - 1
    dying = FailingAugment(last, lambda: os._exit(3))
    results["a rank ends"] = outcome(
        lambda: DeepMetricClusterer(augment=dying, batch_size=40, random_state=0).fit(X, y)
    )
    save(results)


def main(rank, n_ranks, folder):
    torch.set_num_threads(1)
    store = f"file://{folder / 'store'}"
    dist.init_process_group("gloo", store, timedelta(seconds=20), world_size=n_ranks, rank=rank)
    path = folder / f"{rank}.pickle"
    run(rank, n_ranks, lambda results: path.write_bytes(pickle.dumps(results)))
    os._exit(0)  # the group cannot be left in order after one of it has ended


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3]))
