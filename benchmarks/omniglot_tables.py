"""Tables of the benchmark on new characters of Omniglot, from the records of its JSON file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from bench_unsupervised import cell, markdown_table, spread
from metric_losses import LOSSES
from unseen_classes import RECALLS

__all__ = [
    "OURS",
    "SAME_FIT",
    "ablation_report",
    "collect",
    "method_report",
    "summarize",
    "tuning_report",
]

# Figures by method, then by figure, then by seed.
Results = dict[str, dict[str, dict[int, float]]]

OURS = "DeepMetricClusterer"
# Key of a record with the figures of variants that needed no training of their own.
SAME_FIT = "variants of the same fit"

_RETRIEVAL = (*RECALLS, "MAP@R")
_PROTOCOLS = ("k-means", "k-means from Ward", "Algorithm 2")
_CLUSTERING = tuple(f"{figure}, {p}" for p in _PROTOCOLS for figure in ("accuracy", "NMI"))
_EFFORT = ("steps", "epochs", "seconds")

_TARGET_MINUTES = "45"
_TARGETS = {"accuracy": 0.93, "NMI": 0.95}
_PUBLISHED = {"KCL": 0.824, "MCL": 0.857}


def summarize(results: Results) -> dict[str, dict[str, dict[str, Any]]]:
    """Single values of each figure with their seeds, mean and standard deviation."""
    return {
        method: {
            figure: {
                "seeds": list(values),
                "values": list(values.values()),
                "mean": float(np.mean(list(values.values()))),
                "standard_deviation": spread(list(values.values())),
            }
            for figure, values in found.items()
        }
        for method, found in results.items()
    }


def collect(records: Mapping[str, Mapping[str, Mapping[str, Any]]]) -> Results:
    """Figures of one budget by method, figure and seed; ours and those of the same fit first."""
    results: Results = {}
    for method in sorted(records, key=lambda name: name not in (OURS, "default")):
        for seed in sorted(records[method], key=int):
            record = records[method][seed]
            for name, found in {method: record, **record.get(SAME_FIT, {})}.items():
                for figure in (*_RETRIEVAL, *_CLUSTERING, *_EFFORT):
                    if figure in found:
                        values = results.setdefault(name, {}).setdefault(figure, {})
                        values[int(seed)] = found[figure]
    return results


def method_report(records: Mapping[str, Any]) -> list[str]:
    """For each budget a table of retrieval and one of clustering, then the targets."""
    budgets = {m: collect(found) for m, found in sorted_budgets(records.get("methods", {}))}
    if not budgets:
        return []
    parts = [text for item in budgets.items() for text in budget_tables(*item)]
    published = ", ".join(f"{name} {value:.3f}" for name, value in _PUBLISHED.items())
    return [
        *parts,
        "Mean ± standard deviation over the seeds, whose number is in brackets. Leads of "
        f"{OURS}: seed by seed; that in accuracy is the lead of its `cluster` over the best "
        "clustering of the other embedding.",
        "Published accuracies of the same task, number of characters known, with another network "
        f"and all background labels (Hsu et al., ICLR 2018 and 2019): {published}.",
        "## Targets",
        markdown_table(["minutes", "target", "found"], target_rows(budgets)),
    ]


def sorted_budgets(budgets: Mapping[str, Any]) -> list[tuple[str, Any]]:
    """Records by minutes, the shortest training first."""
    return sorted(budgets.items(), key=lambda item: float(item[0]))


def budget_tables(minutes: str, results: Results) -> list[str]:
    """Retrieval and clustering after so many minutes of training."""
    retrieval = [
        [*row(name, values, (*_RETRIEVAL, *_EFFORT)), show(leads(results, name, "R@1"), "+")]
        for name, values in results.items()
    ]
    clustering = [
        [*row(name, values, _CLUSTERING), show(leads(results, name, "accuracy"), "+")]
        for name, values in results.items()
    ]
    return [
        f"## {minutes} minutes of training",
        markdown_table(["method", *_RETRIEVAL, *_EFFORT, "lead in R@1"], retrieval),
        markdown_table(["method", *_CLUSTERING, "lead in accuracy"], clustering),
    ]


def row(name: str, values: Mapping[str, Mapping[int, float]], names: Sequence[str]) -> list[str]:
    """Name with the number of seeds, then mean ± standard deviation of each figure."""
    shown = [
        f"{np.mean(found):,.0f}" if figure in _EFFORT and found else show(found)
        for figure in names
        for found in [list(values.get(figure, {}).values())]
    ]
    return [f"{name} ({len(values['R@1'])})", *shown]


def show(values: Sequence[float], sign: str = "") -> str:
    """Mean ± standard deviation; a dash for nothing."""
    return cell(values, sign) if values else "–"


def leads(results: Results, other: str, figure: str) -> list[float]:
    """How far ours is ahead of another method, for each seed that both have."""
    if OURS not in results or other == OURS:
        return []
    ours, theirs = headline(results[OURS], figure, True), headline(results[other], figure, False)
    return [ours[seed] - theirs[seed] for seed in ours if seed in theirs]


def headline(
    values: Mapping[str, dict[int, float]], figure: str, by_algorithm_2: bool
) -> dict[int, float]:
    """A figure by seed; of clusterings that of Algorithm 2, or of the best one on average."""
    if figure in values:
        return values[figure]
    if by_algorithm_2:
        return values[f"{figure}, Algorithm 2"]
    found = [values[f"{figure}, {protocol}"] for protocol in _PROTOCOLS]
    return max(found, key=lambda by_seed: float(np.mean(list(by_seed.values()))))


def target_rows(budgets: Mapping[str, Results]) -> list[list[str]]:
    """Whether each target is met, and by how much."""
    rows = [
        [minutes, f"ahead of every loss in {figure}", closest(results, figure)]
        for minutes, results in budgets.items()
        for figure in ("R@1", "accuracy")
    ]
    longest = budgets.get(_TARGET_MINUTES, {}).get(OURS)
    for figure, wanted in _TARGETS.items():
        found = "not measured"
        if longest:
            found = verdict(float(np.mean(list(headline(longest, figure, True).values()))) - wanted)
        rows.append([_TARGET_MINUTES, f"{figure} of at least {wanted}", found])
    return rows


def closest(results: Results, figure: str) -> str:
    """The least lead of ours over the losses, and what was not measured."""
    margins = {name: leads(results, name, figure) for name in LOSSES if name in results}
    means = {name: float(np.mean(found)) for name, found in margins.items() if found}
    if not means:
        return "not measured"
    nearest = min(means, key=lambda name: means[name])
    missing = [name for name in LOSSES if name not in means]
    without = f"; not measured: {', '.join(missing)}" if missing else ""
    return f"{verdict(means[nearest], strict=True)} ({nearest}){without}"


def verdict(margin: float, strict: bool = False) -> str:
    """Met or missed, and by how much; a strict target is missed by nothing."""
    met = margin > 0 if strict else margin >= 0
    return f"{'met' if met else 'missed'} by {abs(margin):.3f}"


def ablation_report(records: Mapping[str, Any]) -> list[str]:
    """A table of the variants of our method for each budget."""
    parts: list[str] = []
    for kind, where in (("choice", " on held-out background alphabets"), ("ablation", "")):
        for minutes, found in sorted_budgets(records.get(kind, {})):
            title = f"## Variants of {OURS}{where}, {minutes} minutes of training"
            parts += [title, ablation_table(collect(found))]
    note = (
        "Each variant differs in one thing from the default, here with batches of 512 rows; gains "
        "over it seed by seed"
    )
    return [*parts, f"{note}, in accuracy by `cluster`."] if parts else []


def tuning_report(records: Mapping[str, Any]) -> list[str]:
    """A table of the settings tried for each method on held-out alphabets."""
    parts: list[str] = []
    for minutes, found in sorted_budgets(records.get("tuning", {})):
        labels = list(dict.fromkeys(label for tried in found.values() for label in tried))
        rows = [
            [name, *(f"{tried[label]['R@1']:.3f}" if label in tried else "–" for label in labels)]
            for name, tried in found.items()
        ]
        parts += [
            f"## R@1 on held-out background alphabets after {minutes} minutes of training",
            markdown_table(["method", *labels], rows),
        ]
    note = "One seed; a fifth of the background alphabets held out. The best setting is used above."
    return [*parts, note] if parts else []


def ablation_table(results: Results) -> str:
    """Figures of the variants and what they gain over the default."""
    columns = ("R@1", "MAP@R", *_CLUSTERING, "steps")
    gained = ("R@1", "accuracy, Algorithm 2")
    rows = []
    for name, values in results.items():
        default = results.get("default", {}) if name != "default" else {}
        gains = [
            [v - default[f][seed] for seed, v in values[f].items() if seed in default.get(f, {})]
            for f in gained
        ]
        rows.append([*row(name, values, columns), *(show(gain, "+") for gain in gains)])
    return markdown_table(["variant", *columns, "gain in R@1", "gain in accuracy"], rows)
