"""How well critics choose among clusterings: against indices, on new families, taken apart.

``--part suite``: the sets of the clustering suite, no number of clusters given. For each a pool of
clusterings by k-means, four linkages, Gaussian mixtures, spectral clustering and HDBSCAN (see
`critic_pool`); a score chooses the one that it puts first. Measured, as means over the sets:

- the adjusted Rand index (ARI) of the chosen one, the largest over the reference partitions of
  the set, rows of noise in the reference left out;
- success: whether it is within 0.01 of the best in the pool; regret: by how much it is below;
- Spearman's rank correlation of score and ARI within the pool.

Critics are compared with internal indices and with gradient-boosted trees on 28 features of
partitions, trained on the same synthetic sets as the critic of the same seed. Nothing is trained,
chosen or tuned on this suite.

``--part synthetic``: the same on held-out synthetic sets, whose pools are those that training
has, with the truth and without it. ``--part families``: critics that never saw some families of
synthetic sets, on those. ``--part ablation``: critics that differ in one thing, on held-out
synthetic sets of the families learned from and of others.

Data: ``clustering_suite.npz`` in the data directory, for part suite alone.

Run, from the root of the repository::

    python benchmarks/bench_critic.py --part suite --pool ../critic_pool.npz \
        --json docs/benchmarks/critic.json --markdown docs/benchmarks/critic.md

and the same with each of the other parts, or with several. Saved critics take the place of those
trained here with ``--weights A B C``.

The JSON file is added to: what it holds is not computed again, and the tables show all of it.
With its defaults each part takes about half an hour on two cores; ``--quick`` takes seconds.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from bench_unsupervised import argument_parser
from critic_choosers import Bench, measure_choosers
from critic_rivals import INDICES, index_names
from critic_tables import ablation_report, chooser_report, family_report, summarize
from critic_variants import LEFT_OUT, VARIANTS, family_groups, measure_families, measure_variants
from unseen_classes import Store, limit_threads, publish

PARTS = ("suite", "synthetic", "families", "ablation")


def main() -> None:
    """Measure what is not in the file yet, print the tables, and write them where wanted."""
    options = parse_options()
    store = Store(options.json, {"benchmark": "critic", "quick": options.quick})
    measure = {
        "suite": measure_choosers,
        "synthetic": measure_choosers,
        "families": measure_families,
        "ablation": measure_variants,
    }
    with limit_threads(options.threads):
        for part in options.part:
            measure[part](Bench(options, store, part))
    store.keep_summary(summarize(store.records))
    publish([*report(store.records), *remarks(options)], "The critic", options.markdown)


def parse_options(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Options of the command line; a quick run has defaults of its own."""
    parser = argument_parser(__doc__)
    add = parser.add_argument
    add("--part", nargs="+", choices=PARTS, default=list(PARTS))
    add("--pool", type=Path, help="npz file of the suite's pools, made where it is missing")
    add("--critics", type=Path, help="folder where critics trained here are kept for another run")
    add("--weights", type=Path, nargs="+", help="saved critics, one of each seed")
    add("--tasks", type=int, help="synthetic sets to train on")
    add("--held-out", type=int, help="held-out synthetic sets, of each family in part families")
    add("--proposals", type=int, help="clusterings of a synthetic set")
    add("--epochs", type=int, help="passes over the training sets")
    add("--attacks", type=int, default=0, help="adversarial rounds of the critics trained here")
    add("--families", help="a number of groups, 'each', or names such as moons,rings+shells")
    add("--sizes", help="numbers of training sets compared in part ablation")
    add("--jobs", type=int, help="processes")
    add("--threads", type=int, help="threads of torch, BLAS and OpenMP")
    options = parser.parse_args(arguments)
    return with_defaults(options, options.quick)


def with_defaults(options: argparse.Namespace, quick: bool) -> argparse.Namespace:
    """What was not given, as suits the kind of run."""
    defaults = {
        "proposals": 6 if quick else 24,
        "epochs": 1 if quick else 4,
        "families": "moons,rings+shells" if quick else "8",
        "sizes": "2" if quick else "100,300,1000",
        "jobs": 1 if quick else 2,
        "threads": 1 if quick else None,
    }
    for name, value in defaults.items():
        if getattr(options, name) is None:
            setattr(options, name, value)
    options.families = family_groups(options.families)
    options.sizes = [int(size) for size in options.sizes.split(",")]
    return options


def remarks(options: argparse.Namespace) -> list[str]:
    """What was left out."""
    quick = ["Quick run: two small sets instead of the suite, few tasks."] * options.quick
    missing = [name for name in INDICES if name not in index_names()]
    without = [f"{name} left out: its package hdbscan is not installed." for name in missing]
    names = [", ".join(path.name for path in options.weights or [])]
    saved = [f"Saved critics of parts suite and synthetic: {found}." for found in names if found]
    return [*quick, *saved, *without]


def report(records: Mapping[str, Any]) -> list[str]:
    """Tables of all that is recorded."""
    return [
        *chooser_report(records, "suite"),
        *chooser_report(records, "synthetic"),
        *family_report(records),
        *ablation_report(records, VARIANTS, LEFT_OUT),
    ]


if __name__ == "__main__":
    main()
