"""Clustering with few labels: DeepMetricClusterer against semi-supervised classifiers.

Measured: the accuracy on all rows (`clustering_accuracy`: clusters and classes matched one to
one) and the accuracy on the unlabelled rows alone (each cluster has the name of its class), of

- DeepMetricClusterer with all rows, -1 for the unlabelled ones ("MLP, all rows"),
- DeepMetricClusterer fitted on the labelled rows alone ("MLP, labelled rows"),
- the same two with a ConvEncoder ("Conv, ..."),
- scikit-learn's LabelSpreading(kernel="knn"): 7 neighbours, alpha 0.2, its defaults,
- scikit-learn's SelfTrainingClassifier around MLPClassifier, with default parameters, which
  were better here than those around LogisticRegression.

The differences are taken seed by seed: "gain from -1 rows" is "MLP, all rows" less "MLP,
labelled rows"; "lead" is "MLP, all rows" less the better of the two classifiers.

Data: scikit-learn's digits (1,797 rows, pixels/16, 5 seeds); random training images of MNIST
(10,000 for each seed, pixels/255, 3 seeds, ``mnist.npz`` in the data directory: arrays x_train
and y_train). Labels are kept for 1 %, 5 % and 20 % of the rows, drawn at random for each seed,
at least one for each class.

Run, from the root of the repository::

    python benchmarks/bench_semi_supervised.py --markdown docs/benchmarks/semi_supervised.md \
        --json docs/benchmarks/semi_supervised.json

Most of the time goes to ConvEncoder on MNIST: on two cores about 20 minutes with
``--mnist-rows 2000``, hours with the default; ``--mnist-without-conv`` leaves it out, ``--quick``
takes seconds.
"""

from __future__ import annotations

import argparse
import time
import warnings
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from bench_unsupervised import (
    Data,
    Values,
    argument_parser,
    cell,
    draw_digits,
    draw_few,
    draw_images,
    log,
    markdown_table,
    publish,
    subtract,
    time_ratio,
)
from numpy.typing import NDArray
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier
from sklearn.semi_supervised import LabelSpreading, SelfTrainingClassifier

from skdeepclust import ConvEncoder, DeepMetricClusterer, MLPEncoder
from skdeepclust.metrics import clustering_accuracy
from skdeepclust.networks import BaseEncoder

Draw = Callable[[int], Data]
Method = Callable[[NDArray[Any], NDArray[Any], int], NDArray[Any]]

_SHARES = (0.01, 0.05, 0.2)
_DIGITS_SEEDS = 5
_MNIST_SEEDS = 3
_METHODS = (
    "MLP, all rows",
    "MLP, labelled rows",
    "Conv, all rows",
    "Conv, labelled rows",
    "LabelSpreading",
    "SelfTraining",
)
_OURS, _LABELLED_ALONE, *_, _SPREADING, _SELF_TRAINING = _METHODS


def main() -> None:
    """Measure, print the tables, and write them where wanted."""
    options = parse_options()
    results: dict[str, Values] = {}
    for name, image_side, draw, n_seeds in choose_data_sets(options):
        compared = methods(image_side, options.quick)
        if name == "MNIST" and options.mnist_without_conv:
            compared = without_conv(compared)
        for share in _SHARES:
            label = f"{name}, {share:.0%}"
            results[label] = measure(label, draw, share, compared, range(n_seeds))
    notes = remarks(options)
    report = "\n\n".join([*tables(results), *notes])
    publish(report, results, notes, options, "Clustering with few labels: accuracy")


def parse_options() -> argparse.Namespace:
    """Options of the command line."""
    parser = argument_parser(__doc__)
    parser.add_argument("--mnist-rows", type=int, default=10_000, help="rows drawn for a seed")
    parser.add_argument(
        "--mnist-without-conv", action="store_true", help="leave ConvEncoder out on MNIST"
    )
    return parser.parse_args()


def choose_data_sets(options: argparse.Namespace) -> list[tuple[str, int, Draw, int]]:
    """Name, side of the images, way to draw, and number of seeds of each data set."""
    if options.quick:
        return [("digits", 8, partial(draw_few, draw_digits), options.seeds or 1)]
    found: list[tuple[str, int, Draw, int]] = [
        ("digits", 8, draw_digits, options.seeds or _DIGITS_SEEDS)
    ]
    if mnist(options).exists():
        draw = partial(draw_images, mnist(options), options.mnist_rows)
        found.append(("MNIST", 28, draw, options.seeds or _MNIST_SEEDS))
    return found


def mnist(options: argparse.Namespace) -> Path:
    """File of MNIST."""
    return Path(options.data_dir) / "mnist.npz"


def remarks(options: argparse.Namespace) -> list[str]:
    """A note for what was left out, and how many rows of MNIST were drawn."""
    if options.quick:
        return ["Quick run: few rows, MNIST left out."]
    if not mnist(options).exists():
        return ["MNIST left out: no file mnist.npz."]
    notes = [f"MNIST: {options.mnist_rows:,} random training images for each seed."]
    without = "ConvEncoder left out on MNIST: it takes hours on a CPU."
    return [*notes, without] if options.mnist_without_conv else notes


def methods(image_side: int, quick: bool) -> dict[str, Method]:
    """What is compared, by name."""
    max_epochs, channels = (5, (8, 8)) if quick else (100, (64, 64, 64, 64))
    encoders = [MLPEncoder(), ConvEncoder(channels, image_shape=(image_side, image_side))]
    clusterings: list[Method] = []
    for encoder in encoders:
        clusterings.append(partial(deep, encoder=encoder, max_epochs=max_epochs))
        clusterings.append(partial(deep_labelled_alone, encoder=encoder, max_epochs=max_epochs))
    epochs = 20 if quick else 200
    classifiers: list[Method] = [label_spreading, partial(self_training, max_iter=epochs)]
    return dict(zip(_METHODS, [*clusterings, *classifiers], strict=True))


def without_conv(compared: dict[str, Method]) -> dict[str, Method]:
    """Only the methods that have no ConvEncoder."""
    return {name: method for name, method in compared.items() if not name.startswith("Conv")}


def deep(
    X: NDArray[Any], y: NDArray[Any], seed: int, encoder: BaseEncoder, max_epochs: int
) -> NDArray[Any]:
    """Classes by DeepMetricClusterer from all rows."""
    clusterer = DeepMetricClusterer(encoder=encoder, max_epochs=max_epochs, random_state=seed)
    codes = clusterer.fit_predict(X, y)
    return clusterer.classes_[codes]


def deep_labelled_alone(
    X: NDArray[Any], y: NDArray[Any], seed: int, encoder: BaseEncoder, max_epochs: int
) -> NDArray[Any]:
    """Classes by DeepMetricClusterer from the labelled rows."""
    clusterer = DeepMetricClusterer(encoder=encoder, max_epochs=max_epochs, random_state=seed)
    clusterer.fit(X[y >= 0], y[y >= 0])
    return clusterer.classes_[clusterer.predict(X)]


def label_spreading(X: NDArray[Any], y: NDArray[Any], seed: int) -> NDArray[Any]:
    """Classes by LabelSpreading, which has nothing random."""
    return LabelSpreading(kernel="knn").fit(X, y).transduction_


def self_training(X: NDArray[Any], y: NDArray[Any], seed: int, max_iter: int) -> NDArray[Any]:
    """Classes by a self-training multilayer perceptron."""
    base = MLPClassifier(max_iter=max_iter, random_state=seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return SelfTrainingClassifier(base).fit(X, y).predict(X)


def measure(
    label: str, draw: Draw, share: float, compared: dict[str, Method], seeds: Iterable[int]
) -> Values:
    """Accuracies and seconds of each method, for each seed."""
    values: Values = {}
    for seed in seeds:
        X, y = draw(seed)
        partial_y = hide_labels(y, share, seed)
        for name, method in compared.items():
            for figure, value in figures(method, X, y, partial_y, seed).items():
                values.setdefault(f"{name}: {figure}", []).append(value)
        log(label, seed, {name: values[f"{name}: all"] for name in compared})
    return values


def hide_labels(y: NDArray[Any], share: float, seed: int) -> NDArray[Any]:
    """Replace labels by -1 but for a share of the rows and one row of each class."""
    order = np.random.default_rng(seed).permutation(len(y))
    _, first = np.unique(y[order], return_index=True)
    others = np.delete(order, first)
    kept = np.concatenate([order[first], others[: max(0, round(share * len(y)) - len(first))]])
    hidden = np.full(len(y), -1)
    hidden[kept] = y[kept]
    return hidden


def figures(
    method: Method, X: NDArray[Any], y: NDArray[Any], partial_y: NDArray[Any], seed: int
) -> dict[str, float]:
    """Accuracies and seconds of a method."""
    started = time.perf_counter()
    found = method(X, partial_y, seed)
    elapsed = time.perf_counter() - started
    unlabelled = partial_y < 0
    return {
        "all": clustering_accuracy(y, found),
        "unlabelled": float(np.mean(y[unlabelled] == found[unlabelled])),
        "seconds": elapsed,
    }


def tables(results: dict[str, Values]) -> list[str]:
    """A table for all rows, one for the unlabelled rows and one of the times."""
    n_seeds = {label.split(",")[0]: len(v[f"{_OURS}: all"]) for label, v in results.items()}
    counts = ", ".join(f"{name} {n}" for name, n in n_seeds.items())
    return [
        "Accuracy on all rows, unlabelled and labelled:",
        accuracy_table(results, "all"),
        "Accuracy on the unlabelled rows alone:",
        accuracy_table(results, "unlabelled"),
        "Time for fitting and predicting, as a multiple of SelfTraining's (medians):",
        time_table(results),
        f"Mean ± standard deviation over the seeds ({counts}); differences seed by seed.",
    ]


def accuracy_table(results: dict[str, Values], figure: str) -> str:
    """Mean ± standard deviation of the accuracies and of their differences."""
    head = ["data, labelled", *_METHODS, "gain from -1 rows", "lead"]
    return markdown_table(head, [accuracy_row(*item, figure) for item in results.items()])


def accuracy_row(label: str, values: Values, figure: str) -> list[str]:
    """The accuracies and differences of one data set and share of labels."""
    found = {name: values.get(f"{name}: {figure}", []) for name in _METHODS}
    best = max((found[_SPREADING], found[_SELF_TRAINING]), key=mean)
    gain, lead = subtract(found[_OURS], found[_LABELLED_ALONE]), subtract(found[_OURS], best)
    return [
        label,
        *(cell(v) if v else "–" for v in found.values()),
        cell(gain, sign="+"),
        cell(lead, sign="+"),
    ]


def time_table(results: dict[str, Values]) -> str:
    """Median times as multiples of the self-training classifier's."""
    rows = [[label, *time_row(values)] for label, values in results.items()]
    return markdown_table(["data, labelled", *_METHODS], rows)


def time_row(values: Values) -> list[str]:
    """The multiples of one data set and share of labels, a dash for what was left out."""
    return [
        f"{time_ratio(values, name, _SELF_TRAINING):.3f}" if f"{name}: seconds" in values else "–"
        for name in _METHODS
    ]


def mean(values: Sequence[float]) -> float:
    """Mean as a float."""
    return float(np.mean(values))


if __name__ == "__main__":
    main()
