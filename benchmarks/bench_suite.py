"""Clustering without a number of clusters: CriticClusterer against the usual clusterers.

``--part suite``: the sets of the clustering suite in full size. Ours, with both searches, against
clusterers that find the number of clusters K (see `suite_methods`) and some that are told it.
Measured: adjusted Rand index (ARI), the largest over the reference partitions of a set, rows of
noise in the reference left out; share of sets with an ARI of at least 0.95; error of K; time as a
multiple of that of KMeans with K = 2 ... 20 by Silhouette on the same set in the same run; memory
by which a process of its own grows on the largest set. Features are taken as they are, or with
``--standardize`` at mean 0 and variance 1. Nothing is trained, chosen or tuned on this suite.

``--part toys``: the six sets of scikit-learn's page "Comparing different clustering algorithms on
toy datasets", 500 rows, K unknown; the sixth has no structure, and one cluster is right.

``--part time``: seconds at 1,000, 20,000 and 100,000 rows of ten features.

``--part search``: on held-out synthetic sets, the critic's score that both searches reach at equal
numbers of evaluations, against random search and a hill climber; and the gain in ARI over the
start that the critic likes best.

Data: ``clustering_suite.npz`` in the data directory, for part suite alone.

Run, from the root of the repository::

    python benchmarks/bench_suite.py --json docs/benchmarks/suite.json \
        --markdown docs/benchmarks/suite.md

The JSON file is added to: what it holds is not computed again, and the tables show all of it.
Other weights of the critic replace the records of ours and leave those of the others.
``--quick`` takes seconds.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from typing import Any

from bench_unsupervised import argument_parser
from suite_measurements import Bench, measure_sets, measure_time
from suite_methods import GENIE, MAX_PROPAGATION_ROWS, has_genie
from suite_search import measure_searches
from suite_tables import search_report, set_report, summarize, time_report
from unseen_classes import Store, limit_threads, publish

PARTS = ("suite", "toys", "time", "search")


def main() -> None:
    """Measure what is not in the file yet, print the tables, and write them where wanted."""
    options = parse_options()
    settings = {"quick": options.quick, "standardize": options.standardize}
    store = Store(options.json, {"benchmark": "suite", **settings})
    measure = {
        "suite": measure_sets,
        "toys": measure_sets,
        "time": measure_time,
        "search": measure_searches,
    }
    bench = Bench(options, store)
    with limit_threads(options.threads):
        for part in options.part:
            measure[part](bench, part)
    store.keep_summary(summarize(store.records))
    parts = [*report(store.records), *remarks(options)]
    publish(parts, "Clustering without a number of clusters", options.markdown)


def parse_options(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Options of the command line; a quick run has defaults of its own."""
    parser = argument_parser(__doc__)
    add = parser.add_argument
    add("--part", nargs="+", choices=PARTS, default=list(PARTS))
    add("--critic", help="pretrained (the default), images, tiny, or the file of a saved critic")
    add("--methods", default="", help="comma-separated parts of the names of those to measure")
    add("--standardize", action="store_true", help="features of the suite at variance 1")
    add("--max-clusters", type=int, help="largest K that is tried where K is chosen")
    add("--sets", type=int, help="synthetic sets of part search")
    add("--evaluations", type=int, help="clusterings that a search of part search may score")
    add("--jobs", type=int, help="processes of part search")
    add("--threads", type=int, help="threads of torch, BLAS and OpenMP")
    options = parser.parse_args(arguments)
    return with_defaults(options, options.quick)


def with_defaults(options: argparse.Namespace, quick: bool) -> argparse.Namespace:
    """What was not given, as suits the kind of run."""
    defaults = {
        "critic": "tiny" if quick else "pretrained",
        "seeds": 1 if quick else 3,
        "max_clusters": 4 if quick else 20,
        "sets": 2 if quick else 200,
        "evaluations": 100 if quick else 1_000,
        "jobs": 1 if quick else 2,
        "threads": 1 if quick else None,
    }
    for name, value in defaults.items():
        if getattr(options, name) is None:
            setattr(options, name, value)
    return options


def report(records: Mapping[str, Any]) -> list[str]:
    """Tables of all that is recorded."""
    return [
        *set_report(records, "suite"),
        *set_report(records, "toys"),
        *time_report(records),
        *search_report(records),
    ]


def remarks(options: argparse.Namespace) -> list[str]:
    """How the data were taken, and what was left out."""
    quick = ["Quick run: two small sets instead of the suite, a critic trained in a second."]
    features = "standardised" if options.standardize else "as they are"
    without = f"{GENIE} left out: its package genieclust is not installed."
    return [
        *quick * options.quick,
        f"Features of the suite: {features}.",
        f"AffinityPropagation sees a sample of {MAX_PROPAGATION_ROWS:,} rows where there are "
        "more, as it keeps matrices of all pairs; the others join the nearest row of it.",
        *[without] * (not has_genie()),
    ]


if __name__ == "__main__":
    main()
