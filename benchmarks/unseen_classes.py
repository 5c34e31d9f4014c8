"""What the benchmarks on classes unseen in training share: figures, a store, tables.

An embedding of rows of unseen classes is judged by Recall@1, 2, 4 and 8 (cosine, every row a
query against all the others) and by two clusterings into the true number of classes: k-means on
the rows scaled to unit length, ten random starts, and Algorithm 2 of deep spectral clustering
learning as `DeepMetricClusterer.cluster` has it, with ridge and a start from Ward's method. Each
clustering is compared with the classes by normalised mutual information (NMI) and by
`clustering_accuracy`. Both clusterings are applied to every embedding, so that a difference
between methods is one between embeddings and not one between clusterings.
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import torch
from bench_unsupervised import argument_parser, cell, markdown_table, subtract, versions
from numpy.typing import NDArray
from sklearn.cluster import KMeans
from sklearn.metrics import normalized_mutual_info_score
from sklearn.preprocessing import normalize
from threadpoolctl import threadpool_limits

from skdeepclust import DeepMetricClusterer
from skdeepclust.metrics import clustering_accuracy, recall_at_k
from skdeepclust.training import cluster_embedding

RANKS = (1, 2, 4, 8)
RECALLS = tuple(f"R@{k}" for k in RANKS)
PROTOCOLS = ("k-means", "Algorithm 2")
FIGURES = (
    *RECALLS,
    *(f"{figure}, {protocol}" for figure in ("NMI", "accuracy") for protocol in PROTOCOLS),
)
RAW = "raw"
CLOSED_FORM = "ours, closed form"
GRADIENT = "ours, gradient"
OURS = (CLOSED_FORM, GRADIENT)
LOSSES_FROM = "pytorch_metric_learning"


# Figures of one method: for each figure its values, one for each seed.
Figures = dict[str, list[float]]
Cluster = Callable[[int], NDArray[Any]]


@dataclass(frozen=True)
class Split:
    """Rows and classes to learn from, and rows of unseen classes to judge by."""

    X: NDArray[Any]
    y: NDArray[Any]
    X_new: NDArray[Any]
    y_new: NDArray[Any]


class Store:
    """Records in a JSON file, written one by one, so that a program can be cut short.

    Parameters
    ----------
    path : Path or None
        The file, which is added to where it exists. None: records are kept in memory alone.
    settings : dict
        What all records have in common. A file made with other settings is refused: its records
        would not compare.
    """

    def __init__(self, path: Path | None, settings: Mapping[str, Any]) -> None:
        self.path = path
        self.content: dict[str, Any] = {"settings": _as_json(settings), "records": {}}
        if path is not None and path.exists() and path.stat().st_size:
            found = json.loads(path.read_text(encoding="utf-8"))
            if found.get("settings") != self.content["settings"]:
                raise SystemExit(
                    f"{path} was made with {found.get('settings')}, this run has "
                    f"{self.content['settings']}: give it a file of its own."
                )
            self.content = found

    @property
    def records(self) -> dict[str, Any]:
        """All records, in nested dictionaries."""
        records: dict[str, Any] = self.content["records"]
        return records

    def recall(
        self,
        keys: Sequence[str],
        parameters: Mapping[str, Any],
        compute: Callable[[], dict[str, Any]],
    ) -> dict[str, Any]:
        """Return the record at `keys`, computed unless it is there with these parameters."""
        *parents, last = keys
        place = self.records
        for key in parents:
            place = place.setdefault(key, {})
        wanted = _as_json(parameters)
        if last not in place or place[last]["parameters"] != wanted:
            place[last] = {"parameters": wanted, **_as_json(compute())}
            self.write()
            _log(keys, place[last])
        record: dict[str, Any] = place[last]
        return record

    def forget(self, keys: Sequence[str], parameters: Mapping[str, Any]) -> None:
        """Drop the records below `keys` that were made with other parameters."""
        place = self.records
        for key in keys:
            place = place.get(key, {})
        for name in [n for n, r in place.items() if r["parameters"] != _as_json(parameters)]:
            del place[name]

    def keep_summary(self, summary: dict[str, Any]) -> None:
        """Write means and intervals of all records into the file, if they are new."""
        if self.content.get("summary") != summary:
            self.content["summary"] = summary
            self.write()

    def write(self) -> None:
        """Replace the file in one step: a run that is killed while writing loses nothing."""
        if self.path is None:
            return
        self.content["versions"] = versions()
        draft = self.path.with_name(self.path.name + ".part")
        draft.write_text(json.dumps(self.content, indent=1) + "\n", encoding="utf-8")
        os.replace(draft, self.path)


def _as_json(value: Any) -> Any:
    """The value as it comes back from a file, so that it compares with what is read."""
    return json.loads(json.dumps(value))


def _log(keys: Sequence[str], record: Mapping[str, Any]) -> None:
    """Progress, on standard error."""
    numbers = {k: v for k, v in record.items() if isinstance(v, float)}
    shown = ", ".join(f"{name} {value:.3f}" for name, value in numbers.items())
    print(f"{', '.join(keys)}: {shown}", file=sys.stderr, flush=True)


def unseen_class_parser(
    description: str | None, seeds: int, names: Sequence[str]
) -> argparse.ArgumentParser:
    """Options of both programs: those of all benchmarks, methods and threads."""
    parser = argument_parser(description)
    parser.set_defaults(seeds=seeds)
    parser.add_argument(
        "--methods",
        type=lambda text: choose_names(text, names),
        default=list(names),
        help=f"comma-separated, or parts of their names, of: {'; '.join(names)}",
    )
    parser.add_argument("--threads", type=int, help="threads of torch and of k-means")
    return parser


def at_most(options: argparse.Namespace, bounds: Mapping[str, Any]) -> argparse.Namespace:
    """Lower options to their bounds, for quick runs."""
    for name, bound in bounds.items():
        setattr(options, name, min(getattr(options, name), bound))
    return options


def choose_names(text: str, names: Sequence[str]) -> list[str]:
    """The names that are or contain one of the comma-separated parts, whatever their case."""
    chosen: set[str] = set()
    for part in (part.strip().lower() for part in text.split(",") if part.strip()):
        equal = {name for name in names if name.lower() == part}
        found = equal or {name for name in names if part in name.lower()}
        if not found:
            raise argparse.ArgumentTypeError(f"{part!r} is in none of the names {list(names)}")
        chosen |= found
    return [name for name in names if name in chosen]


def limit_threads(n_threads: int | None) -> AbstractContextManager[Any]:
    """Limit the threads of torch, BLAS and OpenMP; None leaves them as they are."""
    if n_threads:
        torch.set_num_threads(n_threads)
    return threadpool_limits(n_threads)


def loss_names() -> tuple[str, ...]:
    """Names of the losses to compare with, none where their package is not installed."""
    if find_spec(LOSSES_FROM) is None:
        return ()
    from metric_losses import LOSSES

    return tuple(LOSSES)


def judge(estimator: Any, split: Split, seed: int) -> dict[str, Any]:
    """Fit an estimator and judge it on the unseen classes; with the seconds of the fit.

    Algorithm 2 is that of `DeepMetricClusterer.cluster` where it is one.
    """
    started = time.perf_counter()
    estimator.fit(split.X, split.y)
    elapsed = time.perf_counter() - started
    own = partial(estimator.cluster, split.X_new)
    cluster = own if isinstance(estimator, DeepMetricClusterer) else None
    figures = evaluate(estimator.transform(split.X_new), split.y_new, seed, cluster)
    return {**figures, "seconds": elapsed}


def judge_raw(split: Split, seed: int) -> dict[str, Any]:
    """Judge the rows as they are."""
    return dict(evaluate(split.X_new.reshape(len(split.X_new), -1), split.y_new, seed))


def evaluate(
    embedding: NDArray[Any], classes: NDArray[Any], seed: int, cluster: Cluster | None = None
) -> dict[str, float]:
    """All figures of the embedding (n, d) of rows of unseen classes.

    Parameters
    ----------
    embedding : ndarray of shape (n, d)
    classes : ndarray of shape (n,)
    seed : int
        Of both clusterings.
    cluster : callable, optional
        Algorithm 2 as a function of the number of clusters. Default: on the unit rows.
    """
    rows = normalize(np.asarray(embedding, dtype=np.float32))
    n_classes = len(np.unique(classes))
    recalls = np.asarray(recall_at_k(rows, classes, RANKS)).tolist()
    figures = dict(zip(RECALLS, recalls, strict=True))
    found = {
        "k-means": KMeans(n_classes, n_init=10, random_state=seed).fit_predict(rows),
        "Algorithm 2": cluster(n_classes) if cluster else algorithm_2(rows, n_classes, seed),
    }
    for protocol, clusters in found.items():
        figures[f"NMI, {protocol}"] = float(normalized_mutual_info_score(classes, clusters))
        figures[f"accuracy, {protocol}"] = clustering_accuracy(classes, clusters)
    return figures


def algorithm_2(rows: NDArray[Any], n_clusters: int, seed: int) -> NDArray[Any]:
    """Clusters by Algorithm 2, as `DeepMetricClusterer.cluster` finds them."""
    rng = np.random.RandomState(seed)
    return np.asarray(cluster_embedding(torch.from_numpy(rows), n_clusters, rng))


def gather(records: Mapping[str, Mapping[str, Any]]) -> dict[str, Figures]:
    """Values of each figure by method from records by method and seed, raw rows and ours first."""
    order = [*(name for name in (RAW, *OURS) if name in records), *records]
    return {
        method: {
            figure: [records[method][seed][figure] for seed in sorted(records[method], key=int)]
            for figure in (*FIGURES, "seconds")
            if all(figure in record for record in records[method].values())
        }
        for method in dict.fromkeys(order)
        if records[method]
    }


def figure_table(results: Mapping[str, Figures], unit: str, unit_seconds: float) -> str:
    """Mean ± standard deviation of each figure; the best mean of each column is bold.

    The last column has the median time of a fit as a multiple of `unit_seconds`.
    """
    best = {
        name: max((float(np.mean(v[name])) for v in results.values()), default=0.0)
        for name in FIGURES
    }
    rows = []
    for method, values in results.items():
        cells = [_marked(values[name], best[name]) for name in FIGURES]
        label = f"{method} ({len(values[FIGURES[0]])})"
        rows.append([label, *cells, _time_ratio(values, unit_seconds)])
    return markdown_table(["method", *FIGURES, f"time / {unit}"], rows)


def _marked(values: Sequence[float], best: float) -> str:
    text = cell(values)
    return f"**{text}**" if round(float(np.mean(values)), 3) >= round(best, 3) else text


def _time_ratio(values: Figures, unit_seconds: float) -> str:
    if "seconds" not in values or not np.isfinite(unit_seconds):
        return "–"
    return f"{np.median(values['seconds']) / unit_seconds:.2f}"


def target_table(results: Mapping[str, Figures]) -> str:
    """How far each of our methods is above the raw rows and above the best other method."""
    columns = ("R@1", "NMI")
    head = ["target", *(f"{name} above {other}" for name in columns for other in ("raw", "losses"))]
    rows = []
    for ours in (name for name in OURS if name in results):
        cells = []
        for figure in columns:
            others = {name: headline(v, figure) for name, v in results.items() if name not in OURS}
            raw = others.pop(RAW, None)
            first = max(others, key=lambda name: float(np.mean(others[name])), default=None)
            mine = headline(results[ours], figure, "Algorithm 2")
            cells += [verdict(mine, raw), verdict(mine, others[first] if first else None, first)]
        rows.append([ours, *cells])
    return markdown_table(head, rows)


def headline(values: Figures, figure: str, protocol: str | None = None) -> list[float]:
    """Values of a figure; of a clustering figure by the better clustering, or by the one named."""
    if figure in values:
        return values[figure]
    names = [f"{figure}, {p}" for p in PROTOCOLS if protocol in (None, p)]
    return max((values[name] for name in names), key=lambda v: float(np.mean(v)))


def verdict(mine: Sequence[float], other: Sequence[float] | None, name: str | None = None) -> str:
    """Whether our mean is above another's and by how much, seed by seed where both have them."""
    if other is None:
        return "–"
    n_seeds = min(len(mine), len(other))
    gain = subtract(mine[:n_seeds], other[:n_seeds])
    word = "met" if np.mean(gain) > 0 else "missed"
    return f"{word}: {cell(gain, sign='+')}" + (f" ({name})" if name else "")


def table_notes(n_losses: int) -> list[str]:
    """What the tables mean."""
    notes = [
        "Mean ± standard deviation over the seeds, whose number is in brackets; the best mean of "
        "each column is bold. Targets: differences seed by seed; our NMI is that of Algorithm 2, "
        "the others' that of their better clustering; in brackets, the best loss.",
    ]
    without = f"Other losses left out: package {LOSSES_FROM.replace('_', '-')} is not installed."
    return notes if n_losses else [*notes, without]


def publish(parts: Iterable[str], title: str, markdown: Path | None) -> None:
    """Print a report; write it where wanted."""
    report = "\n\n".join(parts)
    print(report)
    if markdown:
        command = shlex.join(["python", f"benchmarks/{Path(sys.argv[0]).name}", *sys.argv[1:]])
        used = ", ".join(f"{name} {version}" for name, version in versions().items())
        text = f"# {title}\n\nMade by `{command}` with {used}.\n\n{report}\n"
        markdown.write_text(text, encoding="utf-8")
