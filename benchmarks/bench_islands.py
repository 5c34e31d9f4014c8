"""Islands of the search: what several find, and what several processes save.

Held-out synthetic sets of at most 1,000 rows (see `suite_search`), each clustered by
CriticClusterer with 1, 2, 4 and 8 islands: the best score of all islands, the ARI of that
clustering and of the one that is taken (a search is believed only where it found much more than
its best start). Differences to one island are means over the sets with intervals of 95 %.

Then the time of a fit of one set of 2,000 rows with four islands, in one process and in several,
taking turns, after a first fit has started the processes.

Run, from the root of the repository, with nothing else running::

    python benchmarks/bench_islands.py --json docs/benchmarks/islands.json \
        --markdown docs/benchmarks/islands.md

Some fifteen minutes on two cores. The JSON file is added to: what it holds is not measured again.
``--quick`` takes seconds.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import joblib
import numpy as np
from bench_unsupervised import argument_parser, markdown_table
from numpy.typing import NDArray
from sklearn.datasets import make_blobs
from sklearn.utils.parallel import Parallel, delayed
from suite_search import draw_set
from unseen_classes import Store, publish

from skdeepclust import CriticClusterer
from skdeepclust.critic import quality

ISLANDS = (1, 2, 4, 8)
_QUICK_ISLANDS = (1, 2)
# Sets of other benchmarks have smaller numbers.
_FIRST_NUMBER = 5_000
_MAX_ROWS, _TIMED_ROWS, _TIMED_ISLANDS = 1_000, 2_000, 4
_FIGURES = ("score", "ARI of the best", "ARI of the chosen")
_QUICK = {"population_size": 4, "n_generations": 6}

Records = Mapping[str, Any]


def main() -> None:
    """Measure what is not in the file yet, print the tables, and write them where wanted."""
    options = parse_options()
    store = Store(options.json, {"benchmark": "islands", "quick": options.quick})
    with joblib.parallel_config(options.backend):
        measure_sets(store, options)
        measure_times(store, options)
    parts = [set_report(store.records["sets"], options), time_report(store.records["times"])]
    publish(parts, "Islands of the search", options.markdown)


def parse_options(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Options of the command line; a quick run has few sets."""
    parser = argument_parser(__doc__)
    parser.add_argument("--sets", type=int, default=60)
    parser.add_argument("--jobs", type=int, default=2, help="processes, of the timed fits as well")
    parser.add_argument("--rounds", type=int, default=7, help="timed fits of each kind")
    options = parser.parse_args(arguments)
    options.islands, options.parameters = ISLANDS, {}
    options.timed_rows, options.backend = _TIMED_ROWS, "loky"
    if options.quick:
        options.backend = "threading"  # soon begun
        options.sets, options.rounds, options.timed_rows = 2, 2, 100
        options.islands, options.parameters = _QUICK_ISLANDS, _QUICK
    return options


def measure_sets(store: Store, options: argparse.Namespace) -> None:
    """Figures of every set by number of islands; several sets at a time."""
    found = store.records.setdefault("sets", {})
    missing = [i for i in range(options.sets) if str(i) not in found]
    results = Parallel(options.jobs, return_as="generator")(
        delayed(cluster_set)(i, options.islands, options.parameters) for i in missing
    )
    for i, result in zip(missing, results, strict=True):
        store.recall(("sets", str(i)), {}, partial(dict, result))


def cluster_set(
    number: int, islands: Sequence[int], parameters: Mapping[str, Any]
) -> dict[str, dict[str, float]]:
    """What searches with each number of islands find in one set."""
    data = draw_set(_FIRST_NUMBER + number, _MAX_ROWS)
    found = {}
    for n_islands in islands:
        clusterer = CriticClusterer(n_islands=n_islands, random_state=number, **parameters)
        clusterer.fit(data.X)
        tried = [clusterer.labels_, *(other.labels for other in clusterer.alternatives_)]
        scores = [clusterer.score_, *(other.score for other in clusterer.alternatives_)]
        best = tried[int(np.argmax(scores))]
        agreement = quality(data.y, [best, clusterer.labels_]).tolist()
        values = (clusterer.history_["best"][-1], *agreement)
        found[str(n_islands)] = dict(zip(_FIGURES, values, strict=True))
    return found


def measure_times(store: Store, options: argparse.Namespace) -> None:
    """Seconds of fits in one process and in several."""
    X = make_blobs(options.timed_rows, centers=8, n_features=6, random_state=0)[0]
    settings = {"rows": len(X), "islands": _TIMED_ISLANDS, "jobs": options.jobs}

    def measure() -> dict[str, Any]:
        seconds: dict[str, list[float]] = {"1": [], str(options.jobs): []}
        for turn in range(options.rounds + 1):
            for jobs, values in seconds.items():
                taken = seconds_of_fit(X, int(jobs), options.parameters)
                if turn:  # the first one starts the processes
                    values.append(taken)
        return seconds

    store.recall(("times",), settings, measure)


def seconds_of_fit(X: NDArray[Any], n_jobs: int, parameters: Mapping[str, Any]) -> float:
    """Time of a fit whose generations are not ended by patience."""
    limits = {"patience": 1_000, "random_state": 0, "n_islands": _TIMED_ISLANDS}
    clusterer = CriticClusterer(n_jobs=n_jobs, **limits, **parameters)
    started = time.perf_counter()
    clusterer.fit(X)
    return time.perf_counter() - started


def set_report(records: Records, options: argparse.Namespace) -> str:
    """Means by number of islands, and differences to one island."""
    heads = ["islands", *_FIGURES, "score, more than one island", "ARI of the chosen, more"]
    first = str(options.islands[0])
    rows = []
    for n_islands in map(str, options.islands):
        values = {name: _values(records, n_islands, name) for name in _FIGURES}
        gains = {name: values[name] - _values(records, first, name) for name in _FIGURES}
        means = [f"{values[name].mean():.4f}" for name in _FIGURES]
        compared = [_interval(gains[name]) for name in (_FIGURES[0], _FIGURES[-1])]
        rows.append([n_islands, *means, *(["–", "–"] if n_islands == first else compared)])
    note = (
        f"{len(records)} held-out synthetic sets of at most {_MAX_ROWS:,} rows, one seed each; "
        "differences with 95 % intervals of their means."
    )
    return f"{markdown_table(heads, rows)}\n\n{note}"


def _values(records: Records, n_islands: str, name: str) -> NDArray[np.float64]:
    return np.array([record[n_islands][name] for record in records.values()])


def _interval(differences: NDArray[np.float64]) -> str:
    """Mean and the interval in which it is with a probability of about 95 %."""
    mean = differences.mean()
    half = 1.96 * differences.std(ddof=1) / np.sqrt(len(differences))
    return f"{mean:+.4f} ({mean - half:+.4f} … {mean + half:+.4f})"


def time_report(record: Mapping[str, Any]) -> str:
    """Seconds in one process and in several, and how they compare within a turn."""
    settings = record["parameters"]
    jobs = str(settings["jobs"])
    ratios = [many / one for one, many in zip(record["1"], record[jobs], strict=True)]
    rows = [
        [name, f"{statistics.median(record[name]):.3g}", f"{ratio:.2f}"]
        for name, ratio in (("1", 1.0), (jobs, statistics.median(ratios)))
    ]
    note = (
        f"A fit of {settings['rows']:,} rows x 6 features with {settings['islands']} islands and "
        f"all generations; medians of {len(ratios)} turns, the ratio is that within a turn "
        f"(from {min(ratios):.2f} to {max(ratios):.2f})."
    )
    return f"{markdown_table(['n_jobs', 'seconds', 'of one process'], rows)}\n\n{note}"


if __name__ == "__main__":
    main()
