"""Critics that learned from images of one kind, choosing among clusterings of another.

The protocol of the poster of "Transferable Deep Metric Learning for Clustering" (IDA 2023): a
critic learns from digits (Numbers, MNIST) or clothes (Fashion-MNIST), from all labels of the
training half (standard) or from ten of each class (few shots), and is tested on digits, letters
(EMNIST) and clothes of the test halves. A task has 2 to 10 classes, 200 to 500 rows, and a pool
of 20 clusterings with the truth among them; 200 tasks of each kind and seed. Measured:

- Best and Top 3: how often the truth has the highest score, and one of the three highest;
- the adjusted Rand index (ARI) of the clustering with the highest score, and regret.

Three ways of learning: from scratch; trained on from the critic of synthetic data that comes with
the package; and the paper configuration, that is complete graphs and its objectives alone. Beside
them: chance, internal indices, the critic of synthetic data as it is, and the published figures.
The poster does not give its pools, so the comparison is one of protocol and not of identical tasks.

The pools hold outputs of nine kinds of algorithm, damaged truths, and what `CriticClusterer` finds
with the critic of ``--critic``, by default the shipped one (see `transfer_pools`); they are drawn
from seeds, and kept in the folder ``--pools``. Features are principal components of the pixels,
those of a test task fitted on its own rows without labels; each of the few shots is learned from
with nine distorted copies (see `transfer_tasks`).

Data: ``mnist.npz``, ``fashion_mnist.npz`` and ``emnist_letters.npz`` in the data directory.

Run, from the root of the repository::

    python benchmarks/bench_critic_transfer.py --pools ../transfer --critics ../transfer \
        --json docs/benchmarks/critic_transfer.json \
        --markdown docs/benchmarks/critic_transfer.md

The JSON file is added to: what it holds is not computed again, and the tables show all of it; with
``--part``, ``--lessons`` and ``--variants`` the work can be cut into pieces. ``--quick``: seconds.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from bench_unsupervised import argument_parser
from critic_rivals import index_names
from transfer_critics import VARIANTS
from transfer_measurements import (
    RIVALS,
    Bench,
    lesson_names,
    measure_critics,
    measure_untrained,
)
from transfer_tables import pool_report, summarize, transfer_report
from transfer_tasks import N_COPIES
from unseen_classes import Store, choose_names, limit_threads, publish

PARTS = ("untrained", "critics")


def main() -> None:
    """Measure what is not in the file yet, print the tables, and write them where wanted."""
    options = parse_options()
    store = Store(options.json, {"benchmark": "critic transfer", "quick": options.quick})
    measure = {"untrained": measure_untrained, "critics": measure_critics}
    bench = Bench(options, store)
    with limit_threads(options.threads):
        for part in options.part:
            measure[part](bench)
    store.keep_summary(summarize(store.records))
    parts = [*report(store.records), *remarks(options)]
    publish(parts, "A critic learned on one kind of image, used on another", options.markdown)


def parse_options(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Options of the command line; a quick run has defaults of its own."""
    parser = argument_parser(__doc__)
    add = parser.add_argument
    add("--part", nargs="+", choices=PARTS, default=list(PARTS))
    add("--critic", help="of synthetic data: pretrained (the default), tiny, or a saved one")
    add("--lessons", type=_lessons, help=f"parts of the names of: {'; '.join(lesson_names())}")
    add("--variants", type=_variants, help=f"parts of the names of: {'; '.join(VARIANTS)}")
    add("--pools", type=Path, help="folder where the pools are kept for another run")
    add("--critics", type=Path, help="folder where critics trained here are kept")
    add("--test-tasks", type=int, help="test tasks of each data set and seed")
    add("--copies", type=int, default=N_COPIES, help="distorted copies of each of the few shots")
    add("--tasks", type=int, help="training tasks")
    add("--proposals", type=int, help="clusterings of a training task")
    add("--epochs", type=int, help="passes over the training tasks")
    add("--attacks", type=int, help="adversarial rounds")
    add("--jobs", type=int, help="processes")
    add("--threads", type=int, help="threads of torch, BLAS and OpenMP")
    options = parser.parse_args(arguments)
    return with_defaults(options, options.quick)


def _lessons(text: str) -> list[str]:
    return choose_names(text, lesson_names())


def _variants(text: str) -> list[str]:
    return choose_names(text, list(VARIANTS))


def with_defaults(options: argparse.Namespace, quick: bool) -> argparse.Namespace:
    """What was not given, as suits the kind of run."""
    defaults = {
        "critic": "tiny" if quick else "pretrained",
        "lessons": lesson_names(),
        "variants": list(VARIANTS),
        "seeds": 1 if quick else 3,
        "test_tasks": 2 if quick else 200,
        "tasks": 2 if quick else 500,
        "proposals": 6 if quick else 24,
        "epochs": 1 if quick else 4,
        "attacks": 0 if quick else 1,
        "jobs": 1 if quick else 2,
        "threads": 1,  # many small operations, which a second thread slows down
    }
    for name, value in defaults.items():
        if getattr(options, name) is None:
            setattr(options, name, value)
    return options


def report(records: Mapping[str, Any]) -> list[str]:
    """Tables of all that is recorded."""
    return [*transfer_report(records), *pool_report(records)]


def remarks(options: argparse.Namespace) -> list[str]:
    """How it was measured, and what was left out."""
    quick = ["Quick run: scikit-learn's digits and printed characters instead of the files."]
    missing = [name for name in RIVALS if name not in index_names()]
    return [
        *quick * options.quick,
        *(f"{name} left out: its package hdbscan is not installed." for name in missing),
    ]


if __name__ == "__main__":
    main()
