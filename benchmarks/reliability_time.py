"""Whether `max_time` holds: seconds that `CriticClusterer.fit` takes, in those it was given.

For each number of rows, search and `max_time` the fit runs several times, each time on other rows:
with the default parameters, and without any other limit (no number of generations, no patience),
so that time alone ends it. The table has the largest ratio of the two. A ratio above 1.1 is marked,
unless `max_time` is less than what a fit takes at least: that with hardly any time, which reads the
rows, scores one start and has all rows follow it.

Run, from the root of the repository::

    python benchmarks/reliability_time.py --markdown docs/benchmarks/reliability_time.md \
        --json docs/benchmarks/reliability_time.json

About ten minutes; ``--quick`` takes seconds.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from bench_unsupervised import markdown_table
from numpy.typing import NDArray
from sklearn.datasets import make_blobs

from skdeepclust import CriticClusterer

_SECONDS, _ROWS, _SEARCHES = (0.5, 1.0, 2.0, 5.0), (500, 2_000, 50_000), ("genetic", "cem")
_QUICK = {"seconds": [0.2], "rows": [200], "repetitions": 1}
_N_FEATURES, _N_CENTERS = 10, 12
_LARGEST, _HARDLY = 1.1, 1e-6
# More than any search has.
_ENDLESS = {"n_generations": 10**6, "patience": 10**6}
_SETTINGS: dict[str, dict[str, Any]] = {"default": {}, "endless": _ENDLESS}


def main() -> int:
    """Measure, print the table, and write it where wanted; 1 where a ratio is too large."""
    options = parse_options()
    fit_seconds(rows_of(100, 0), options.searches[0], _HARDLY, {})  # loads what is loaded once
    records = [
        measure(n_rows, search, seconds, options.repetitions)
        for n_rows in options.rows
        for search in options.searches
        for seconds in options.seconds
    ]
    return publish(records, options)


def parse_options() -> argparse.Namespace:
    """Options of the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", type=int, nargs="+", default=_ROWS)
    parser.add_argument("--searches", nargs="+", default=_SEARCHES, choices=_SEARCHES)
    parser.add_argument("--seconds", type=float, nargs="+", default=_SECONDS, help="max_time")
    parser.add_argument("--repetitions", type=int, default=5)
    parser.add_argument("--markdown", type=Path, help="file for the table")
    parser.add_argument("--json", type=Path, help="file for all figures")
    parser.add_argument("--quick", action="store_true", help="one small case of each search")
    options = parser.parse_args()
    if options.quick:
        vars(options).update(_QUICK)
    return options


def measure(n_rows: int, search: str, seconds: float, repetitions: int) -> dict[str, Any]:
    """Seconds of all fits with one `max_time`, and the least that a fit takes."""
    record: dict[str, Any] = {"rows": n_rows, "search": search, "max_time": seconds}
    X = [rows_of(n_rows, seed) for seed in range(repetitions)]
    record["least"] = [fit_seconds(rows, search, _HARDLY, {}) for rows in X]
    for name, settings in _SETTINGS.items():
        record[name] = [fit_seconds(rows, search, seconds, settings) for rows in X]
    return record


def rows_of(n_rows: int, seed: int) -> NDArray[np.float64]:
    """Clusters that overlap, so that a search does not find them at once."""
    X: NDArray[np.float64] = make_blobs(
        n_rows, centers=_N_CENTERS, n_features=_N_FEATURES, center_box=(-4, 4), random_state=seed
    )[0]
    return X


def fit_seconds(X: NDArray[np.float64], search: str, seconds: float, settings: Any) -> float:
    """How long a fit takes that was given some seconds."""
    clusterer = CriticClusterer(search=search, max_time=seconds, random_state=0, **settings)
    began = time.perf_counter()
    clusterer.fit(X)
    return time.perf_counter() - began


def publish(records: Sequence[dict[str, Any]], options: argparse.Namespace) -> int:
    """Print the table; write it where wanted; the exit status."""
    head = ["rows", "search", "max_time", "least seconds", *(f"ratio, {s}" for s in _SETTINGS)]
    late = [record for record in records if _is_late(record)]
    note = (
        f"Largest of {options.repetitions} fits, each of other rows, in seconds and as a ratio to "
        "`max_time`; *default*: default parameters, *endless*: no other limit than time. *Least "
        "seconds*: a fit with hardly any time. "
        f"Above {_LARGEST} where `max_time` is longer than that: {len(late)} of {len(records)}."
    )
    report = "\n\n".join([markdown_table(head, [_row(record) for record in records]), note])
    print(report)
    if options.markdown:
        text = f"# Limits of time\n\nMade by `benchmarks/{Path(sys.argv[0]).name}`.\n\n{report}\n"
        options.markdown.write_text(text, encoding="utf-8")
    if options.json:
        options.json.write_text(json.dumps(records, indent=1) + "\n", encoding="utf-8")
    return 1 if late and not options.quick else 0


def _is_late(record: dict[str, Any]) -> bool:
    possible = max(record["least"]) <= record["max_time"]
    return possible and any(_ratio(record, name) > _LARGEST for name in _SETTINGS)


def _ratio(record: dict[str, Any], name: str) -> float:
    return max(record[name]) / float(record["max_time"])


def _row(record: dict[str, Any]) -> list[str]:
    ratios = [f"{_ratio(record, name):.2f}" for name in _SETTINGS]
    if _is_late(record):
        ratios = [f"**{ratio}**" if float(ratio) > _LARGEST else ratio for ratio in ratios]
    first = [f"{record['rows']:,}", record["search"], f"{record['max_time']:g}"]
    return [*first, f"{max(record['least']):.2f}", *ratios]


if __name__ == "__main__":
    raise SystemExit(main())
