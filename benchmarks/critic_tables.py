"""Tables of the benchmark of the critic, from the records of its JSON file."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from bench_unsupervised import cell, markdown_table, spread
from critic_figures import ALL, FIGURES, WITH_TRUTH, WITHOUT_TRUTH

__all__ = [
    "CRITIC",
    "INSIDE",
    "NOTHING_LEFT_OUT",
    "ORACLE",
    "OUTSIDE",
    "RANDOM",
    "REGRESSOR",
    "SUITE_POOL",
    "ablation_report",
    "chooser_report",
    "family_report",
    "summarize",
]

CRITIC = "critic"
REGRESSOR = "trees on 28 features"
RANDOM, ORACLE = "random (expected)", "best in the pool"
SUITE_POOL = "pool"
NOTHING_LEFT_OUT = "nothing left out"
INSIDE, OUTSIDE = "families learned from", "families left out"

_SUITE_TARGETS = {"ARI": 0.88, "regret": 0.06}
_SYNTHETIC_TARGET, _FAMILY_TARGET = 0.97, 0.90
_HEADS = {
    "ARI": "ARI of the chosen",
    "success": "success",
    "regret": "regret",
    "correlation": "rank correlation",
}

Records = Mapping[str, Any]
# Values by seed.
Values = dict[int, float]


def values_of(records: Records, kind: str, group: str, figure: str) -> Values:
    """A figure of one chooser or variant by seed, of those that have it."""
    found = {
        int(seed): record.get(kind, {}).get("groups", {}).get(group, {}).get(figure)
        for seed, record in sorted(records.items(), key=lambda item: int(item[0]))
    }
    return {seed: value for seed, value in found.items() if value is not None}


def mean(values: Values) -> float:
    """Mean over the seeds; not a number where there is none."""
    return float(np.mean(list(values.values()))) if values else float("nan")


def show(values: Values | Sequence[float], sign: str = "") -> str:
    """Mean, with the standard deviation where there are several; a dash for nothing."""
    found = list(values.values()) if isinstance(values, dict) else list(values)
    if len(found) > 1:
        return cell(found, sign)
    return f"{found[0]:{sign}.3f}" if found else "–"


def label(name: str, records: Records) -> str:
    """A name with the number of seeds where there are several."""
    return f"{name} ({len(records)} seeds)" if len(records) > 1 else name


def verdict(margin: float, strict: bool = False) -> str:
    """Met or missed, and by how much; a strict target is missed by nothing."""
    if np.isnan(margin):
        return "not measured"
    met = margin > 0 if strict else margin >= 0
    return f"{'met' if met else 'missed'} by {abs(margin):.3f}"


def better(figure: str) -> Callable[[float], float]:
    """A sign: regret is better where it is less."""
    return (lambda value: -value) if figure == "regret" else (lambda value: value)


def groups_of(records: Records, kind: str) -> dict[str, int]:
    """Groups of data sets with their numbers of sets, all of them first."""
    sizes: dict[str, int] = {}
    for seeds in records.values():
        for record in seeds.values():
            for name, figures in record.get(kind, {}).get("groups", {}).items():
                sizes.setdefault(name, figures["n"])
    return sizes


def chooser_report(records: Records, part: str) -> list[str]:
    """Tables of the suite or of held-out synthetic sets, then targets."""
    found = records.get(part, {})
    if not found:
        return []
    if part == "suite":
        return ["## The clustering suite, no number of clusters given", *_suite_parts(found)]
    parts = ["## Held-out synthetic sets"]
    for kind in (WITH_TRUTH, WITHOUT_TRUTH):
        sizes = groups_of(found, kind)
        if ALL in sizes:
            parts += [f"### {sizes[ALL]} sets, {kind}", figure_table(found, kind, ALL)]
    chosen = mean(values_of(found.get(CRITIC, {}), WITH_TRUTH, ALL, "ARI"))
    target = [
        f"ARI of the chosen at least {_SYNTHETIC_TARGET}",
        verdict(chosen - _SYNTHETIC_TARGET),
    ]
    single = "No index can choose a single cluster, the truth of families such as no_structure."
    return [*parts, _column_note(), single, *_target_table([target])]


def _suite_parts(found: Records) -> list[str]:
    parts = []
    for group, size in groups_of(found, SUITE_POOL).items():
        parts += [f"### {group} ({size} sets)", figure_table(found, SUITE_POOL, group)]
    targets = []
    for figure, target in _SUITE_TARGETS.items():
        value = mean(values_of(found.get(CRITIC, {}), SUITE_POOL, ALL, figure))
        sign, bound = better(figure), "at most" if figure == "regret" else "at least"
        margin = sign(value) - sign(target)
        targets.append([f"{_HEADS[figure]} {bound} {target}", verdict(margin)])
    targets.append(["first in every column", leads(found, SUITE_POOL)])
    sets = ["### ARI of the chosen, by set", set_table(found)]
    return [*parts, _column_note(), *_target_table(targets), *sets]


def _column_note() -> str:
    return (
        "Mean over the sets; ± is the standard deviation over the seeds. Time: scoring one pool, "
        "as a multiple of the time of Silhouette in the same run. The best of each column but for "
        f"“{ORACLE}” is bold."
    )


def _target_table(rows: Iterable[Sequence[str]]) -> list[str]:
    return ["### Targets", markdown_table(["target", "found"], rows)]


def figure_table(found: Records, kind: str, group: str) -> str:
    """Figures of all choosers on a group of sets."""
    best = {figure: best_mean(found, kind, group, figure) for figure in FIGURES}
    rows = []
    for name, records in ordered(found):
        cells = []
        for figure in FIGURES:
            values = values_of(records, kind, group, figure)
            is_best = name != ORACLE and values and mean(values) == best[figure]
            cells.append(f"**{show(values)}**" if is_best else show(values))
        times = [record["time"] for record in records.values() if "time" in record]
        time = f"{np.median(times):.2g}" if times else "–"
        rows.append([label(name, records), *cells, time])
    return markdown_table(["chooser", *_HEADS.values(), "time / Silhouette"], rows)


def ordered(found: Records) -> list[tuple[str, Records]]:
    """Choosers with their records, the limits first, then the critic."""
    order = (ORACLE, RANDOM, CRITIC, REGRESSOR)
    return sorted(
        ((name, records) for name, records in found.items() if records),
        key=lambda item: order.index(item[0]) if item[0] in order else len(order),
    )


def best_mean(found: Records, kind: str, group: str, figure: str) -> float:
    """The best mean of a figure, that of the best in the pool apart."""
    names = [name for name in found if name != ORACLE]
    means = [mean(values_of(found[name], kind, group, figure)) for name in names]
    known = [value for value in means if not np.isnan(value)]
    return max(known, key=better(figure)) if known else float("nan")


def leads(found: Records, kind: str) -> str:
    """In how many columns of all tables the critic is first, and where it is not."""
    behind, n_columns = [], 0
    for group in groups_of(found, kind):
        for figure in FIGURES:
            mine = mean(values_of(found.get(CRITIC, {}), kind, group, figure))
            best = best_mean(found, kind, group, figure)
            if np.isnan(best):
                continue
            n_columns += 1
            if mine != best:
                behind.append(f"{figure} on {group} ({first_name(found, kind, group, figure)})")
    if not found.get(CRITIC):
        return "not measured"
    if not behind:
        return f"met: in all {n_columns}"
    first = n_columns - len(behind)
    return f"missed: in {first} of {n_columns}; behind in {'; '.join(behind)}"


def first_name(found: Records, kind: str, group: str, figure: str) -> str:
    """The chooser with the best mean."""
    best = best_mean(found, kind, group, figure)
    names = [name for name in found if name != ORACLE]
    return next(n for n in names if mean(values_of(found[n], kind, group, figure)) == best)


def set_table(found: Records) -> str:
    """ARI of what each chooser takes, set by set, mean over the seeds."""
    names = [name for name, _ in ordered(found)]
    sets = {name: single_values(found[name]) for name in names}
    every = list(dict.fromkeys(one for values in sets.values() for one in values))
    rows = [[one, *(show(_mean_of(sets[name].get(one, []))) for name in names)] for one in every]
    return markdown_table(["set", *names], rows)


def single_values(records: Records) -> dict[str, list[float]]:
    """ARI by set, a value for each seed."""
    values: dict[str, list[float]] = {}
    for record in records.values():
        for name, value in record.get(SUITE_POOL, {}).get("sets", {}).items():
            values.setdefault(name, []).append(value)
    return values


def _mean_of(values: Sequence[float]) -> list[float]:
    return [float(np.mean(values))] if values else []


def family_report(records: Records) -> list[str]:
    """ARI on families left out, beside that of a critic that saw them; then the target."""
    found = records.get("families", {})
    if not found:
        return []
    seen = found.get(NOTHING_LEFT_OUT, {})
    rows, chosen = [], []
    for group, seeds in found.items():
        for family in group.split("+") if group != NOTHING_LEFT_OUT else []:
            values = values_of(seeds, WITH_TRUTH, family, "ARI")
            chosen += [mean(values)] if values else []
            rows.append([family, group, *_family_cells(seeds, seen, family)])
    total = float(np.mean(chosen)) if chosen else float("nan")
    columns = [
        f"{head}, {who}" for head in ("ARI", "regret without truth") for who in ("left out", "seen")
    ]
    target = f"mean ARI of the chosen over {len(chosen)} families at least {_FAMILY_TARGET}"
    return [
        "## Families of synthetic sets left out of the training",
        markdown_table(["family", "left out together", *columns], rows),
        "ARI of the chosen with the truth in the pool, of a critic that was not trained on the "
        "family and of one that was; regret with the truth taken out of the pool.",
        *_target_table([[target, f"{show([total])}: {verdict(total - _FAMILY_TARGET)}"]]),
    ]


def _family_cells(left_out: Records, seen: Records, family: str) -> list[str]:
    return [
        show(values_of(records, kind, family, figure))
        for kind, figure in ((WITH_TRUTH, "ARI"), (WITHOUT_TRUTH, "regret"))
        for records in (left_out, seen)
    ]


def ablation_report(records: Records, names: Iterable[str], left_out: Sequence[str]) -> list[str]:
    """Figures of the variants, in families learned from and in others.

    Parameters
    ----------
    records : dict
    names : iterable of str
        Of the variants, in their order; those without a record are shown as not measured.
    left_out : sequence of str
        Families that none learned from.
    """
    found = records.get("ablation", {})
    if not found:
        return []
    columns = [
        (where, kind, figure)
        for where in (INSIDE, OUTSIDE)
        for kind, figure in ((WITH_TRUTH, "ARI"), (WITHOUT_TRUTH, "regret"))
    ]
    rows = []
    for name in dict.fromkeys([*names, *found]):
        seeds = found.get(name, {})
        rows.append([label(name, seeds), *_variant_cells(seeds, found.get("default", {}), columns)])
    heads = [f"{figure}, {where}" for where, _, figure in columns]
    return [
        "## Variants of the critic",
        markdown_table(["variant", "training sets", *heads, "gain in ARI", "less regret"], rows),
        "ARI of the chosen with the truth in the pool, regret without it, on held-out sets. Each "
        "variant differs in one thing from the default (ranking and regression, neighbour graph, "
        "reconstruction, one round of message passing, no adversarial rounds). Gains over the "
        f"default: seed by seed, on the families left out ({', '.join(left_out)}).",
    ]


def _variant_cells(
    seeds: Records, default: Records, columns: Sequence[tuple[str, str, str]]
) -> list[str]:
    """Number of training sets, figures, and what they gain on families left out."""
    if not seeds:
        return ["–", *["not measured"] * len(columns), "–", "–"]
    sizes = {record["parameters"]["tasks"] for record in seeds.values()}
    cells = [show(values_of(seeds, f"{where}, {kind}", ALL, f)) for where, kind, f in columns]
    gains = []
    for where, kind, figure in columns[2:]:
        mine = values_of(seeds, f"{where}, {kind}", ALL, figure)
        usual = values_of(default, f"{where}, {kind}", ALL, figure)
        sign = better(figure)
        both = [] if seeds is default else [s for s in mine if s in usual]
        gains.append(show([sign(mine[s]) - sign(usual[s]) for s in both], "+"))
    return [", ".join(map(str, sorted(sizes))), *cells, *gains]


def summarize(records: Records) -> dict[str, Any]:
    """Seeds, single values, mean and standard deviation of each figure of everything."""
    return {
        part: {name: _summary(seeds) for name, seeds in found.items()}
        for part, found in records.items()
    }


def _summary(seeds: Records) -> dict[str, Any]:
    kinds = dict.fromkeys(
        kind for r in seeds.values() for kind, v in r.items() if "groups" in _dict(v)
    )
    summary: dict[str, Any] = {}
    for kind in kinds:
        for group in groups_of({"": seeds}, kind):
            for figure in FIGURES:
                values = values_of(seeds, kind, group, figure)
                if values:
                    place = summary.setdefault(kind, {}).setdefault(group, {})
                    place[figure] = {
                        "seeds": list(values),
                        "values": list(values.values()),
                        "mean": mean(values),
                        "standard_deviation": spread(list(values.values())),
                    }
    return summary


def _dict(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}
