"""Clusters that do not overlap, found without their number: how often CriticClusterer does it.

Sets of six kinds (blobs, unequal variance, anisotropic, pairs of moons, pairs of circles, spirals)
with 2 to 10 clusters (2 to 5 spirals), all numbers equally likely, are drawn until nearest
neighbours recognise the cluster of every row (see `found_draws`). ``CriticClusterer()``, all
parameters at their defaults, clusters them as they are. Counted: how often the adjusted Rand index
(ARI) is at least 0.95, and how often the number of clusters is exactly found, each with Wilson's
95 % interval.
Beside it on the same draws: KMeans with K = 2 ... 20 by the silhouette width, and HDBSCAN. The
target: found in at least 95 % of the draws.

Run, from the root of the repository::

    python benchmarks/bench_found_without_k.py --json docs/benchmarks/found_without_k.json \
        --markdown docs/benchmarks/found_without_k.md

The JSON file is added to: what it holds is not computed again. ``--quick`` takes seconds.
"""

from __future__ import annotations

import argparse
import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property, partial
from typing import Any

import numpy as np
from bench_unsupervised import argument_parser, markdown_table
from critic_tables import verdict
from found_draws import KINDS, draw_apart
from scipy.stats import binomtest
from sklearn.metrics import adjusted_rand_score
from sklearn.utils.parallel import Parallel, delayed
from suite_methods import OURS, UNIT, cluster_quietly, find_critic, fingerprint, make_methods
from suite_tables import FOUND
from unseen_classes import Store, limit_threads, publish

from skdeepclust import ClusteringCritic

MINE = OURS["genetic"]
METHODS = (MINE, UNIT, "HDBSCAN, 15")
EVERYTHING = "all kinds"
_TARGET = 0.95
_QUICK_PARAMETERS = {"population_size": 4, "n_generations": 1, "max_clusters": 4}
_QUICK_FACTOR = 0.4
_RANGES = ((2, 3), (4, 6), (7, 10))

Records = Mapping[str, Any]


class Bench:
    """Options, records and critic.

    Parameters
    ----------
    options : Namespace
    store : Store
    """

    def __init__(self, options: argparse.Namespace, store: Store) -> None:
        self.options, self.store = options, store

    @cached_property
    def critic(self) -> ClusteringCritic:
        """The fitted critic."""
        return find_critic(self.options.critic)

    @property
    def parameters(self) -> dict[str, Any]:
        """Of `CriticClusterer`, where they are not the defaults."""
        return dict(_QUICK_PARAMETERS) if self.options.quick else {}

    @cached_property
    def settings(self) -> dict[str, Any]:
        """What the records depend on."""
        most = self.options.max_clusters
        return {"critic": fingerprint(self.critic), "max_clusters": most, **self.parameters}


def main() -> None:
    """Measure what is not in the file yet, print the tables, and write them where wanted."""
    options = parse_options()
    store = Store(options.json, {"benchmark": "found without K", "quick": options.quick})
    with limit_threads(options.threads):
        measure_draws(Bench(options, store))
    store.keep_summary(summarize(store.records))
    quick = ["Quick run: small sets, a critic trained in a second."] * options.quick
    parts = [*found_report(store.records), *quick]
    publish(parts, "Clusters found without their number", options.markdown)


def summarize(records: Mapping[str, Any]) -> dict[str, Any]:
    """Shares of the draws of each kind that each clusterer found, with intervals."""
    return {
        kind: {
            name: {
                count: dict(
                    zip(
                        ("share", "low", "high"),
                        wilson(sum(is_(r, name) for r in found), len(found)),
                        strict=True,
                    )
                )
                for count, is_ in COUNTS.items()
            }
            for name in METHODS
        }
        for kind, found in by_kind(records.get("draws", {})).items()
        if found
    }


def parse_options(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Options of the command line; a quick run has defaults of its own."""
    parser = argument_parser(__doc__)
    add = parser.add_argument
    add("--critic", help="pretrained (the default), images, tiny, or the file of a saved critic")
    add("--draws", type=int, help="data sets of each kind")
    add("--max-clusters", type=int, help="largest K that KMeans tries")
    add("--jobs", type=int, help="processes")
    add("--threads", type=int, help="threads of torch, BLAS and OpenMP")
    options = parser.parse_args(arguments)
    quick = options.quick
    defaults = {
        "critic": "tiny" if quick else "pretrained",
        "draws": 1 if quick else 200,
        "max_clusters": 4 if quick else 20,
        "jobs": 1 if quick else 2,
        "threads": 1,  # many small operations, which a second thread slows down
    }
    for name, value in defaults.items():
        if getattr(options, name) is None:
            setattr(options, name, value)
    return options


def measure_draws(bench: Bench) -> None:
    """Every clusterer on every draw that is not in the file yet, several draws at a time."""
    records = bench.store.records.setdefault("draws", {})
    for kind in KINDS:
        bench.store.forget(("draws", kind), bench.settings)
    missing = [
        (kind, i)
        for i in range(bench.options.draws)
        for kind in KINDS
        if str(i) not in records.get(kind, {})
    ]
    judge = delayed(judge_draw)
    results = Parallel(bench.options.jobs, return_as="generator")(
        judge(bench.critic, bench.parameters, bench.options, *place) for place in missing
    )
    for (kind, i), result in zip(missing, results, strict=True):
        bench.store.recall(("draws", kind, str(i)), bench.settings, partial(dict, result))


def judge_draw(
    critic: ClusteringCritic,
    parameters: Mapping[str, Any],
    options: argparse.Namespace,
    kind: str,
    number: int,
) -> dict[str, Any]:
    """What every clusterer makes of a draw."""
    draw = draw_apart(kind, number, _QUICK_FACTOR if options.quick else 1.0)
    found: dict[str, Any] = {
        "rows": len(draw.X),
        "features": draw.X.shape[1],
        "K": len(np.unique(draw.y)),
        "overlapping draws": draw.n_overlapping,
    }
    methods = make_methods(critic, parameters)
    for name in METHODS:
        started = time.perf_counter()
        labels = cluster_quietly(methods[name].cluster, draw.X, number, options.max_clusters)
        found[name] = {
            "ARI": float(adjusted_rand_score(draw.y, labels)),
            "n_clusters": len(np.unique(labels)),
            "seconds": time.perf_counter() - started,
        }
    return found


def wilson(n_found: int, n: int) -> tuple[float, float, float]:
    """A share, and the ends of Wilson's 95 % interval."""
    interval = binomtest(n_found, n).proportion_ci(0.95, method="wilson")
    return n_found / n, float(interval.low), float(interval.high)


def is_found(record: Mapping[str, Any], name: str) -> bool:
    """Whether a clusterer found the clusters of a draw."""
    return bool(record[name]["ARI"] >= FOUND)


def has_right_number(record: Mapping[str, Any], name: str) -> bool:
    """Whether it found as many clusters as there are."""
    return bool(record[name]["n_clusters"] == record["K"])


COUNTS = {f"ARI ≥ {FOUND}": is_found, "K exact": has_right_number}


def by_kind(records: Records) -> dict[str, list[Mapping[str, Any]]]:
    """Records of the draws by kind, all of them last."""
    groups = {kind: list(found.values()) for kind, found in records.items() if found}
    return {**groups, EVERYTHING: [r for found in groups.values() for r in found]}


def found_report(records: Records) -> list[str]:
    """Shares by kind and by number of clusters, then the targets."""
    draws = records.get("draws", {})
    if not any(draws.values()):
        return []
    groups = by_kind(draws)
    return [
        "## Found, by kind",
        share_table("kind", groups),
        "Shares of the draws, with Wilson's 95 % interval in brackets. Overlapping: share of all "
        "draws that were drawn again because nearest neighbours mistook the cluster of a row.",
        "## Found, by number of clusters",
        share_table("K", by_number(groups[EVERYTHING])),
        "## Targets",
        markdown_table(["kind", f"found in at least {_TARGET:.0%}"], target_rows(groups)),
        "## Numbers of clusters that CriticClusterer missed",
        markdown_table(["kind", "K, and found instead (how often)"], missed_rows(groups)),
    ]


def by_number(records: Iterable[Mapping[str, Any]]) -> dict[str, list[Mapping[str, Any]]]:
    """Records of draws with few, some and many clusters."""
    records = list(records)
    groups = {f"{a} to {b}": [r for r in records if a <= r["K"] <= b] for a, b in _RANGES}
    return {name: found for name, found in groups.items() if found}


def share_table(head: str, groups: Mapping[str, Sequence[Mapping[str, Any]]]) -> str:
    """Shares of the draws that each clusterer found."""
    rows = []
    for group, found in groups.items():
        n_failed = sum(record["overlapping draws"] for record in found)
        cells = [group, str(len(found)), f"{n_failed / (n_failed + len(found)):.0%}"]
        for name in METHODS:
            cells += [
                show_share(sum(is_(r, name) for r in found), len(found)) for is_ in COUNTS.values()
            ]
        rows.append(cells)
    heads = [f"{name}: {count}" for name in METHODS for count in COUNTS]
    return markdown_table([head, "draws", "overlapping", *heads], rows)


def show_share(n_found: int, n: int) -> str:
    """A share with its interval."""
    share, low, high = wilson(n_found, n)
    return f"{share:.3f} ({low:.3f} … {high:.3f})"


def target_rows(groups: Mapping[str, Sequence[Mapping[str, Any]]]) -> list[list[str]]:
    """By how much the share found is above what is wanted."""
    shares = {
        kind: float(np.mean([is_found(r, MINE) for r in found])) for kind, found in groups.items()
    }
    return [[kind, verdict(share - _TARGET)] for kind, share in shares.items()]


def missed_rows(groups: Mapping[str, Sequence[Mapping[str, Any]]]) -> list[list[str]]:
    """Wrong numbers of clusters, the most frequent first."""
    rows = []
    for kind, found in groups.items():
        wrong = [r for r in found if not has_right_number(r, MINE)]
        counts = Counter((r["K"], r[MINE]["n_clusters"]) for r in wrong)
        shown = [f"{k} → {other} ({n})" for (k, other), n in counts.most_common()]
        if kind != EVERYTHING:
            rows.append([kind, ", ".join(shown) or "none"])
    return rows


if __name__ == "__main__":
    main()
