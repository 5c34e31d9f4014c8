"""Tables of the benchmark of alphabets with an unknown number of characters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from alphabet_critics import CRITICS
from alphabet_methods import CHOICE, FIGURES, KNOWN, SEARCH
from bench_unsupervised import markdown_table, spread
from critic_tables import show, verdict

__all__ = ["OURS", "PUBLISHED", "alphabet_report", "summarize"]

OURS = tuple(f"{way}, {critic}" for critic in CRITICS for way in (SEARCH, CHOICE))

# Accuracy, NMI and error of K, where they are given.
PUBLISHED: dict[str, tuple[float | None, float | None, float | None]] = {
    "poster (IDA 2023)": (0.834, 0.891, None),
    "CCN, as in the poster": (0.7818, 0.874, None),
    "KCL, at most 100 clusters (ICLR 2018)": (0.750, None, None),
    "MCL, at most 100 clusters (ICLR 2019)": (0.825, None, None),
    "DTC, number of characters estimated": (None, None, 4.6),
}
_TARGETS = {"accuracy": 0.90, "NMI": 0.94, "error of K": 2.0}

Records = Mapping[str, Any]


def alphabet_report(records: Records) -> list[str]:
    """For each training time means, targets, and figures of every alphabet."""
    parts: list[str] = []
    budgets = records.get("alphabets", {})
    for minutes in sorted(budgets, key=float):
        found = {name: budgets[minutes][name] for name in ordered(budgets[minutes])}
        parts += [
            f"## {minutes} minutes of learning the metric",
            mean_table(found),
            "### Targets",
            markdown_table(["way to cluster", *map(_target, _TARGETS)], target_rows(found)),
            "### Accuracy / NMI / number of clusters by alphabet",
            single_table(found),
        ]
    note = (
        "Means over the alphabets; ± is the standard deviation over the seeds, whose number is in "
        "brackets. Error of K: absolute. Noise that HDBSCAN leaves joins the nearest row of a "
        "cluster. Published figures: other networks, the same task."
    )
    return [*parts, note] if parts else []


def ordered(found: Records) -> list[str]:
    """Ways to cluster that were measured: ours, others, then the one that is told K."""
    names = [name for name in found if found[name]]
    return sorted(names, key=lambda name: (name == KNOWN, name not in OURS))


def values_of(seeds: Records, figure: str) -> list[float]:
    """Means over the alphabets by seed."""
    return [seeds[seed][figure] for seed in sorted(seeds, key=int)]


def mean_table(found: Records) -> str:
    """Means over the alphabets, ours and others, beside what is published."""
    rows = [
        [f"{name} ({len(seeds)})", *(show(values_of(seeds, figure)) for figure in FIGURES)]
        for name, seeds in found.items()
    ]
    for name, published in PUBLISHED.items():
        rows.append([name, *(show([] if value is None else [value]) for value in published)])
    return markdown_table(["way to cluster (seeds)", *FIGURES], rows)


def _target(figure: str) -> str:
    bound = "at most" if figure == "error of K" else "at least"
    return f"{figure} {bound} {_TARGETS[figure]:g}"


def target_rows(found: Records) -> list[list[str]]:
    """By how much each of ours meets or misses what is wanted."""
    return [
        [name, *(_verdict(found[name], figure) for figure in _TARGETS)]
        for name in OURS
        if name in found
    ]


def _verdict(seeds: Records, figure: str) -> str:
    margin = float(np.mean(values_of(seeds, figure))) - _TARGETS[figure]
    return verdict(-margin if figure == "error of K" else margin)


def single_table(found: Records) -> str:
    """Figures of every alphabet, mean over the seeds."""
    names = list(
        dict.fromkeys(a for s in found.values() for r in s.values() for a in r["alphabets"])
    )
    rows = []
    for alphabet in names:
        records = [[r["alphabets"][alphabet] for r in s.values()] for s in found.values()]
        rows.append([alphabet, f"{records[0][0]['K']:.0f}", *map(_single_cell, records)])
    return markdown_table(["alphabet", "K", *found], rows)


def _single_cell(records: Sequence[Mapping[str, float]]) -> str:
    accuracy, nmi, k = (np.mean([r[f] for r in records]) for f in ("accuracy", "NMI", "found K"))
    return f"{accuracy:.3f} / {nmi:.3f} / {k:g}"


def summarize(records: Records) -> dict[str, Any]:
    """Seeds, single values, mean and standard deviation of all means over alphabets."""
    return {
        minutes: {
            name: {figure: _summary(seeds, figure) for figure in FIGURES}
            for name, seeds in found.items()
        }
        for minutes, found in records.get("alphabets", {}).items()
    }


def _summary(seeds: Records, figure: str) -> dict[str, Any]:
    values = values_of(seeds, figure)
    return {
        "seeds": sorted(map(int, seeds)),
        "values": values,
        "mean": float(np.mean(values)) if values else None,
        "standard_deviation": spread(values),
    }
