"""Clustering without any labels: DeepMetricClusterer against scikit-learn's KMeans.

Measured: the adjusted Rand index (ARI) of the clusters with the true classes, for

- KMeans(n_clusters=k, n_init=10, random_state=seed),
- DeepMetricClusterer(n_clusters=k, random_state=seed),
- the same with encoder="linear",
- the pseudo-labels that DeepMetricClusterer learns from, without any network.

The differences are taken seed by seed. "network adds" is DeepMetricClusterer less its own
pseudo-labels: it says how much of the gain is due to the network. The target is a mean
difference to KMeans that is never below -0.01.

Data: four sets of three blobs as in scikit-learn's example "Demonstration of k-means
assumptions" (plain, unequal variance, anisotropic: 1,500 rows; unequal sizes: 500, 100 and 10
rows), drawn anew for each seed; scikit-learn's digits (1,797 rows, pixels/16); 10,000 random
training images of Fashion-MNIST for each seed (pixels/255, ``fashion_mnist.npz`` in the data
directory: arrays x_train and y_train).

Run, from the root of the repository::

    python benchmarks/bench_unsupervised.py --markdown docs/benchmarks/unsupervised.md \
        --json docs/benchmarks/unsupervised.json

About 12 minutes on one CPU core, 10 of them for Fashion-MNIST; ``--quick`` takes seconds.
"""

from __future__ import annotations

import argparse
import json
import platform
import shlex
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import scipy
import sklearn
import torch
from numpy.typing import NDArray
from sklearn.cluster import KMeans
from sklearn.datasets import load_digits, make_blobs
from sklearn.metrics import adjusted_rand_score

from skdeepclust import DeepMetricClusterer
from skdeepclust.training import InputScaling, cluster_codes

Data = tuple[NDArray[Any], NDArray[Any]]
Cluster = Callable[[NDArray[Any], int, int], NDArray[Any]]
Values = dict[str, list[float]]

_BLOB_ROWS = 1500
_FASHION_ROWS = 10_000
_QUICK_ROWS = 300
_N_SEEDS = 10
_SHEAR = np.array([[0.60834549, -0.63667341], [-0.40887718, 0.85253229]])
_TARGET = -0.01


@dataclass(frozen=True)
class DataSet:
    """A way to draw data: `draw(seed)` gives rows and their classes."""

    name: str
    n_clusters: int
    draw: Callable[[int], Data]


def main() -> None:
    """Measure, print the table, and write it where wanted."""
    options = argument_parser(__doc__).parse_args()
    data_sets, notes = choose_data_sets(options.data_dir, options.quick)
    seeds = range(options.seeds or (1 if options.quick else _N_SEEDS))
    results = {data.name: measure(data, seeds, options.quick) for data in data_sets}
    report = "\n".join([markdown_table(*result_table(results)), *notes, "", spread_note(seeds)])
    publish(report, results, notes, options, "Clustering without labels: adjusted Rand index")


def argument_parser(description: str | None) -> argparse.ArgumentParser:
    """Options that the benchmarks have in common."""
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data-dir", type=Path, default=Path("../shared/data"))
    parser.add_argument("--seeds", type=int, help="number of seeds, from 0 on")
    parser.add_argument("--markdown", type=Path, help="file for the table")
    parser.add_argument("--json", type=Path, help="file for all single values")
    parser.add_argument(
        "--quick", action="store_true", help="smoke run: few rows, no data directory"
    )
    return parser


def choose_data_sets(data_dir: Path, quick: bool) -> tuple[list[DataSet], list[str]]:
    """The data sets that can be had, and a note for each that cannot."""
    data_sets = [
        DataSet("blobs, plain", 3, partial(draw_blobs, cluster_std=1.0)),
        DataSet("blobs, unequal variance", 3, partial(draw_blobs, cluster_std=(1.0, 2.5, 0.5))),
        DataSet("blobs, anisotropic", 3, draw_anisotropic),
        DataSet("blobs, unequal sizes", 3, draw_unequal_sizes),
        DataSet("digits", 10, draw_digits),
    ]
    if quick:
        small = [DataSet(d.name, d.n_clusters, partial(draw_few, d.draw)) for d in data_sets]
        return small, ["", "Quick run: few rows, Fashion-MNIST left out."]
    path = data_dir / "fashion_mnist.npz"
    if not path.exists():
        return data_sets, ["", f"Fashion-MNIST left out: no file {path.name}."]
    return [*data_sets, DataSet("Fashion-MNIST", 10, partial(draw_images, path, _FASHION_ROWS))], []


def draw_blobs(seed: int, cluster_std: float | Sequence[float] = 1.0) -> Data:
    """Three Gaussian blobs in the plane."""
    return make_blobs(_BLOB_ROWS, cluster_std=cluster_std, random_state=seed)


def draw_anisotropic(seed: int) -> Data:
    """Three blobs, sheared."""
    X, y = draw_blobs(seed)
    return X @ _SHEAR, y


def draw_unequal_sizes(seed: int) -> Data:
    """Three blobs of 500, 100 and 10 rows."""
    X, y = draw_blobs(seed)
    kept = np.concatenate([np.flatnonzero(y == j)[:n] for j, n in enumerate((500, 100, 10))])
    return X[kept], y[kept]


def draw_digits(seed: int) -> Data:
    """All handwritten digits of scikit-learn, whatever the seed."""
    X, y = load_digits(return_X_y=True)
    return X / 16.0, y


def draw_few(draw: Callable[[int], Data], seed: int) -> Data:
    """A few random rows of a data set."""
    X, y = draw(seed)
    kept = np.random.default_rng(seed).permutation(len(X))[:_QUICK_ROWS]
    return X[kept], y[kept]


def draw_images(path: Path, n_rows: int, seed: int) -> Data:
    """Random training images of a file as rows of pixels in [0, 1]."""
    images, classes = load_images(path)
    kept = np.random.default_rng(seed).permutation(len(images))[:n_rows]
    pixels = images[kept].reshape(len(kept), -1).astype(np.float32) / 255
    return pixels, classes[kept].astype(np.int64)


@cache
def load_images(path: Path) -> Data:
    """Training images and their classes."""
    with np.load(path) as archive:
        return archive["x_train"], archive["y_train"]


def measure(data: DataSet, seeds: Iterable[int], quick: bool) -> Values:
    """The ARI of each method and its seconds, for each seed."""
    values: Values = {}
    for seed in seeds:
        X, y = data.draw(seed)
        for name, cluster in methods(quick).items():
            started = time.perf_counter()
            found = cluster(X, data.n_clusters, seed)
            values.setdefault(f"{name}: seconds", []).append(time.perf_counter() - started)
            values.setdefault(name, []).append(float(adjusted_rand_score(y, found)))
        log(data.name, seed, values)
    return values


def methods(quick: bool) -> dict[str, Cluster]:
    """What is compared, by name."""
    max_epochs = 5 if quick else 100
    return {
        "KMeans": kmeans,
        "DeepMetricClusterer": partial(deep, max_epochs=max_epochs),
        'encoder="linear"': partial(deep, encoder="linear"),
        "pseudo-labels": pseudo_labels,
    }


def kmeans(X: NDArray[Any], n_clusters: int, seed: int) -> NDArray[Any]:
    """Clusters of k-means."""
    return KMeans(n_clusters, n_init=10, random_state=seed).fit_predict(X)


def deep(X: NDArray[Any], n_clusters: int, seed: int, **parameters: Any) -> NDArray[Any]:
    """Clusters of DeepMetricClusterer."""
    clusterer = DeepMetricClusterer(n_clusters, random_state=seed, **parameters)
    return clusterer.fit_predict(X)


def pseudo_labels(X: NDArray[Any], n_clusters: int, seed: int) -> NDArray[Any]:
    """The pseudo-labels that DeepMetricClusterer learns from with this seed."""
    rng = np.random.RandomState(seed)
    rng.permutation(len(X))  # the clusterer's choice of rows, here all of them
    scaled = InputScaling.fit(X, X.shape[1:]).apply(X).astype(np.float64)
    return cluster_codes(scaled, n_clusters, rng)


def result_table(results: dict[str, Values]) -> tuple[list[str], list[list[str]]]:
    """Head and rows of the table."""
    head = ["data", *methods(quick=False)]
    head[3:3] = ["difference to KMeans", "target met"]
    return [*head, "network adds", "time / KMeans"], [table_row(*item) for item in results.items()]


def table_row(name: str, values: Values) -> list[str]:
    """Mean ± standard deviation of the values and of their differences for one data set."""
    gain = subtract(values["DeepMetricClusterer"], values["KMeans"])
    return [
        name,
        cell(values["KMeans"]),
        cell(values["DeepMetricClusterer"]),
        cell(gain, sign="+"),
        "yes" if np.mean(gain) >= _TARGET else "no",
        cell(values['encoder="linear"']),
        cell(values["pseudo-labels"]),
        cell(subtract(values["DeepMetricClusterer"], values["pseudo-labels"]), sign="+"),
        f"{time_ratio(values, 'DeepMetricClusterer', 'KMeans'):.0f}",
    ]


def time_ratio(values: Values, name: str, unit: str) -> float:
    """Median over the seeds of the time of a method as a multiple of another's."""
    pairs = zip(values[f"{name}: seconds"], values[f"{unit}: seconds"], strict=True)
    return float(np.median([time / other for time, other in pairs]))


def subtract(first: Sequence[float], second: Sequence[float]) -> list[float]:
    """Differences seed by seed."""
    return [a - b for a, b in zip(first, second, strict=True)]


def spread(values: Sequence[float]) -> float:
    """Standard deviation over the seeds; 0 for a single one."""
    return float(np.std(values, ddof=1)) if len(values) > 1 else 0.0


def cell(values: Sequence[float], sign: str = "") -> str:
    """Mean ± standard deviation."""
    return f"{np.mean(values):{sign}.3f} ± {spread(values):.3f}"


def markdown_table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table in markdown."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def spread_note(seeds: Sequence[int]) -> str:
    """What stands behind the ±."""
    return f"Mean ± standard deviation over {len(seeds)} seeds; differences seed by seed."


def log(name: str, seed: int, values: Values) -> None:
    """Progress, on standard error."""
    latest = ", ".join(f"{method} {v[-1]:.3f}" for method, v in values.items() if v)
    print(f"{name}, seed {seed}: {latest}", file=sys.stderr, flush=True)


def publish(
    report: str,
    results: dict[str, Values],
    notes: Sequence[str],
    options: argparse.Namespace,
    title: str,
) -> None:
    """Print the report; write it and the single values into the files asked for."""
    print(report)
    command = shlex.join(["python", f"benchmarks/{Path(sys.argv[0]).name}", *sys.argv[1:]])
    used = ", ".join(f"{name} {version}" for name, version in versions().items())
    if options.markdown:
        text = f"# {title}\n\nMade by `{command}` with {used}.\n\n{report}\n"
        options.markdown.write_text(text, encoding="utf-8")
    if options.json:
        record = {
            "title": title,
            "command": command,
            "versions": versions(),
            "notes": [note for note in notes if note],
            "results": summaries(results),
        }
        options.json.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")


def summaries(results: dict[str, Values]) -> dict[str, dict[str, dict[str, Any]]]:
    """Single values with their seeds, mean and standard deviation."""
    return {
        data: {
            name: {
                "seeds": list(range(len(v))),
                "values": v,
                "mean": float(np.mean(v)),
                "standard_deviation": spread(v),
            }
            for name, v in values.items()
        }
        for data, values in results.items()
    }


def versions() -> dict[str, str]:
    """Versions of what the numbers depend on."""
    modules = {"numpy": np, "scipy": scipy, "scikit-learn": sklearn, "torch": torch}
    found = {name: str(module.__version__) for name, module in modules.items()}
    return {"python": platform.python_version(), **found}


if __name__ == "__main__":
    main()
