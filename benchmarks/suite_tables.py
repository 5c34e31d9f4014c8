"""Tables of the benchmark of clusterers, from the records of its JSON file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from bench_unsupervised import markdown_table, spread
from critic_tables import show, verdict
from suite_methods import OURS, UNIT

from skdeepclust._critic_clusterer import _LEVEL, _MARGIN

__all__ = ["confidence", "search_report", "set_report", "summarize", "time_report"]

FOUND = 0.95
"""ARI from which on a data set counts as found."""
_MEAN_TARGET, _LEAD_TARGET = 0.88, 0.15
_SECONDS = {1_000: 3.0, 20_000: 15.0}
_RESAMPLES = 10_000
_GIVEN = "K given"
_SEARCHES, _BASELINES = ("genetic", "cem"), ("random", "hill_climbing")
_NAMES = {"cem": "cross-entropy", "hill_climbing": "hill climber"}

Records = Mapping[str, Any]
# Values by seed.
Values = dict[int, float]


def knows_k(name: str) -> bool:
    """Whether a clusterer is told the number of clusters."""
    return name.endswith(_GIVEN)


def ordered(found: Records) -> list[str]:
    """Clusterers that were measured: ours, those that find K, those told it."""
    return sorted(found, key=lambda name: (knows_k(name), name not in OURS.values()))


def set_names(found: Records) -> list[str]:
    """Data sets that any clusterer was measured on."""
    return list(dict.fromkeys(name for sets in found.values() for name in sets))


def by_seed(sets: Records, figure: str) -> Values:
    """Mean of a figure over the data sets, for the seeds that all of them have."""
    seeds = set.intersection(*(set(map(int, records)) for records in sets.values()))
    return {
        seed: float(np.mean([_figure(records[str(seed)], figure) for records in sets.values()]))
        for seed in sorted(seeds)
    }


def _figure(record: Records, figure: str) -> float:
    return float(record["ARI"] >= FOUND) if figure == "found" else float(record[figure])


def time_ratios(sets: Records) -> tuple[float, float]:
    """Time as a multiple of the unit's: median over data sets and seeds, and of the sums."""
    pairs = [(r["seconds"], r["unit_seconds"]) for seeds in sets.values() for r in seeds.values()]
    mine, units = np.array(pairs).T
    return float(np.median(mine / units)), float(mine.sum() / units.sum())


def set_report(records: Records, part: str) -> list[str]:
    """Tables of the suite or of the toy sets, then targets."""
    found = records.get(part, {})
    if not found:
        return []
    if part == "toys":
        return [
            "## The toy sets of scikit-learn's comparison page, K unknown",
            *_toy_parts(found),
        ]
    return [
        f"## The clustering suite ({len(set_names(found))} sets)",
        method_table(found, records.get("memory", {})),
        _column_note(),
        *_memory_note(records.get("memory", {})),
        "### Targets",
        markdown_table(["search", "target", "found"], suite_targets(found)),
        "### ARI by data set",
        ari_table(found),
    ]


def method_table(found: Records, memory: Records) -> str:
    """Mean figures of every clusterer; the best ARI among those of a kind is bold."""
    n_sets = len(set_names(found))
    best = {kind: best_of(found, kind)[1] for kind in (False, True)}
    rows = []
    for name in ordered(found):
        ari = by_seed(found[name], "ARI")
        is_best = bool(ari) and np.mean(list(ari.values())) == best[knows_k(name)]
        shown = [f"**{show(ari)}**" if is_best else show(ari)]
        shown += [show(by_seed(found[name], figure)) for figure in ("found", "error")]
        shown += [f"{ratio:.2f}" for ratio in time_ratios(found[name])]
        mib = memory.get(name, {}).get("MiB")
        given = "given" if knows_k(name) else "found"
        shown.append("–" if mib is None else f"{mib:.0f}")
        rows.append([_label(name, found[name], n_sets), given, *shown])
    head = ["clusterer", "K", "mean ARI", f"ARI ≥ {FOUND}", "error of K"]
    return markdown_table([*head, "time, median", "time, all sets", "memory, MiB"], rows)


def _label(name: str, sets: Records, n_sets: int) -> str:
    """A name with the numbers of seeds and, where some are missing, of data sets."""
    n_seeds = len(by_seed(sets, "ARI"))
    notes = [f"{n_seeds} seeds"] * (n_seeds != 1)
    notes += [f"{len(sets)} of {n_sets} sets"] * (len(sets) < n_sets)
    name = name.removesuffix(f", {_GIVEN}")
    return f"{name} ({', '.join(notes)})" if notes else name


def _column_note() -> str:
    return (
        "Means over the sets; ± is the standard deviation over the seeds, where the result "
        "depends on them. ARI: the largest over the reference partitions of a set, rows of noise "
        "in the reference left out; noise that a clusterer leaves joins the nearest row of a "
        "cluster. Where K is given, that of each reference partition is tried, and the largest "
        "ARI counts. Error of K: distance to the nearest number of clusters of a reference. "
        f"Time: as a multiple of that of {UNIT} (ten starts, K = 2 … 20; the widths of all K "
        "from one pass over the distances, faster than scikit-learn's) on the same set in the "
        "same run, median over sets and seeds, and sum over all sets by sum. The best mean ARI "
        "of those that find K and of those told it is bold."
    )


def _memory_note(memory: Records) -> list[str]:
    sets = {(r["parameters"]["set"], r["parameters"]["rows"]) for r in memory.values()}
    return [
        f"Memory: growth of the largest resident set of a process of its own on {name} ({n} rows)."
        for name, n in sorted(sets)
    ]


def mean_ari(found: Records, name: str) -> float:
    """Mean over sets and seeds; not a number unless all sets are there that any other has."""
    sets = found.get(name, {})
    if len(sets) < len(set_names(found)):
        return float("nan")
    return float(np.mean(list(by_seed(sets, "ARI").values())))


def best_of(found: Records, is_told: bool, without: Sequence[str] = ()) -> tuple[str, float]:
    """The clusterer with the best mean ARI, of those told K or of the others."""
    names = [name for name in found if knows_k(name) == is_told and name not in without]
    means = {name: mean_ari(found, name) for name in names}
    known = {name: mean for name, mean in means.items() if not np.isnan(mean)}
    best = max(known, key=lambda name: known[name], default="")
    return best, known.get(best, float("nan"))


def suite_targets(found: Records) -> list[list[str]]:
    """What is wanted of each search, and by how much it is met or missed."""
    unknown, without_k = best_of(found, False, tuple(OURS.values()))
    given, with_k = best_of(found, True)
    rows = []
    for search, name in OURS.items():
        mine = mean_ari(found, name)
        lead = verdict(mine - without_k - _LEAD_TARGET)
        above = verdict(mine - with_k, strict=True)
        rows += [
            [search, f"mean ARI at least {_MEAN_TARGET}", verdict(mine - _MEAN_TARGET)],
            [search, f"first without K, by at least {_LEAD_TARGET}", _against(lead, unknown)],
            [search, "above the best with K given", _against(above, given)],
        ]
    return rows


def _against(text: str, name: str) -> str:
    return f"{text} ({name})" if name else text


def ari_table(found: Records) -> str:
    """Mean ARI over the seeds by data set and clusterer; those that found the set are bold."""
    names = ordered(found)
    rows = []
    for one in set_names(found):
        cells = [_set_cell(found[name].get(one, {})) for name in names]
        rows.append([one, *cells])
    return markdown_table(["data set", *names], rows)


def _set_cell(seeds: Records) -> str:
    values = [record["ARI"] for record in seeds.values()]
    if not values:
        return "–"
    text = f"{np.mean(values):.2f}"
    return f"**{text}**" if min(values) >= FOUND else text


def _toy_parts(found: Records) -> list[str]:
    names = set_names(found)
    rows, targets = [], []
    for name in ordered(found):
        cells = [_toy_cell(found[name].get(one, {})) for one in names]
        right = [one for one in names if _set_cell(found[name].get(one, {})).startswith("*")]
        rows.append([_label(name, found[name], len(names)), *cells, f"{len(right)}"])
        if name in OURS.values():
            missed = ", ".join(one for one in names if one not in right)
            wanted = f"all {len(names)} found with every seed"
            targets.append([name, wanted, f"missed: {missed}" if missed else "met"])
    note = (
        "Mean ARI over the seeds, and the number of clusters of each seed in brackets; features "
        f"are standardised. Bold: ARI of at least {FOUND} with every seed. Without structure the "
        "right answer is one cluster (ARI 1), which those that try K = 2 … 20 cannot give."
    )
    head = ["clusterer", *names, "sets found"]
    targets_table = markdown_table(["clusterer", "target", "found"], targets)
    return [markdown_table(head, rows), note, "### Targets", targets_table]


def _toy_cell(seeds: Records) -> str:
    numbers = sorted({int(record["n_clusters"]) for record in seeds.values()})
    return f"{_set_cell(seeds)} ({', '.join(map(str, numbers))})" if seeds else "–"


def time_report(records: Records) -> list[str]:
    """Seconds of ours by number of rows, beside k-means with Silhouette; targets."""
    found = records.get("time", {})
    if not found:
        return []
    rows, targets = [], []
    for search, name in OURS.items():
        seconds = {int(n): _medians(seeds) for n, seeds in found.get(name, {}).items()}
        for n, (mine, unit, ratio) in seconds.items():
            rows.append([name, f"{n:,}", f"{mine:.2f}", f"{unit:.2f}", f"{ratio:.2f}"])
        targets += [[search, *row] for row in _time_targets({n: s[0] for n, s in seconds.items()})]
    head = ["clusterer", "rows", "seconds", "seconds, KMeans + Silhouette", "ratio"]
    note = (
        f"Medians over the seeds, on {_cores(found)} CPU cores. Eight overlapping blobs with ten "
        "features. The critic is loaded before. KMeans with scikit-learn's defaults at "
        "K = 2 … 20, each time right after ours; Silhouette sees a sample of 2,000 rows where "
        "there are more."
    )
    table = markdown_table(["search", "target", "found"], targets)
    return ["## Time", markdown_table(head, rows), note, "### Targets", table]


def _cores(found: Records) -> str:
    """Numbers of cores of the machines that were measured on."""
    records = [r for sizes in found.values() for seeds in sizes.values() for r in seeds.values()]
    return ", ".join(map(str, sorted({record["cores"] for record in records})))


def _medians(seeds: Records) -> tuple[float, float, float]:
    """Median seconds of ours and of the unit, and median of their ratios."""
    mine, unit = np.array([(r["seconds"], r["unit_seconds"]) for r in seeds.values()]).T
    return float(np.median(mine)), float(np.median(unit)), float(np.median(mine / unit))


def _time_targets(seconds: Mapping[int, float]) -> list[list[str]]:
    rows = [
        [f"at most {most:g} s for {n:,} rows", verdict(most - seconds.get(n, float("nan")))]
        for n, most in _SECONDS.items()
    ]
    small, large = max(_SECONDS), max(seconds, default=0)
    growth = float("nan")
    if small in seconds and large > small:
        growth = large / small - seconds[large] / seconds[small]
    return [*rows, [f"beyond {small:,} rows time grows at most as rows do", verdict(growth)]]


def search_report(records: Records) -> list[str]:
    """What each search reached, gains over the start, and targets."""
    found = list(records.get("search", {}).values())
    if not found:
        return []
    counts = list(found[0][_SEARCHES[0]]["scores"])
    score, ari = (np.mean([record["start"][f] for record in found]) for f in ("score", "ARI"))
    rows = [["best start", *[f"{score:.4f}"] * len(counts), *[f"{ari:.4f}"] * 2, "–"]]
    for name in (*_SEARCHES, *_BASELINES):
        means = [np.mean([record[name]["scores"][n] for record in found]) for n in counts]
        ari, unbelieved = (
            np.mean([record[name][f] for record in found]) for f in ("ARI", "ARI of the best")
        )
        gain = show_interval(gains(found, name, "start", "ARI"))
        cells = [*(f"{mean:.4f}" for mean in means), f"{unbelieved:.4f}", f"{ari:.4f}", gain]
        rows.append([_NAMES.get(name, name), *cells])
    head = ["search", *(f"score after {n}" for n in counts), "ARI of the best", "ARI"]
    head.append("gain in ARI over the start")
    note = (
        f"Means over {len(found)} held-out synthetic sets of at most 600 rows; in brackets the "
        f"95 % confidence interval of the mean ({_RESAMPLES:,} bootstrap samples of the sets). "
        "All searches of a set have the same starts, which count among the evaluations. ARI of the "
        "best: of the clustering with the best score. ARI: of the one that CriticClusterer takes, "
        f"the best only where its score is above {_LEVEL} and by more than {_MARGIN} above that of "
        "the best start, which is the start with the best score."
    )
    targets = markdown_table(["search", "target", "found"], _search_targets(found))
    title = "## The searches at equal numbers of evaluations"
    return [title, markdown_table(head, rows), note, "### Targets", targets]


def gains(found: Sequence[Records], name: str, other: str, figure: str) -> list[float]:
    """Differences of a figure, set by set, of one search to another or to the best start."""
    return [record[name][figure] - record[other][figure] for record in found]


def confidence(values: Sequence[float]) -> tuple[float, float, float]:
    """Mean, and the ends of its 95 % confidence interval by the bootstrap."""
    sample, rng = np.asarray(values), np.random.RandomState(0)
    means = sample[rng.randint(len(sample), size=(_RESAMPLES, len(sample)))].mean(axis=1)
    low, high = np.percentile(means, [2.5, 97.5])
    return float(sample.mean()), float(low), float(high)


def show_interval(values: Sequence[float]) -> str:
    """Mean difference with its confidence interval."""
    mean, low, high = confidence(values)
    return f"{mean:+.4f} ({low:+.4f} … {high:+.4f})"


def _search_targets(found: Sequence[Records]) -> list[list[str]]:
    rows = []
    for name in _SEARCHES:
        wanted = {f"score above {_NAMES.get(o, o)}": (o, "score") for o in _BASELINES}
        for target, (other, figure) in {**wanted, "gain in ARI": ("start", "ARI")}.items():
            differences = gains(found, name, other, figure)
            word = "met" if confidence(differences)[1] > 0 else "missed"
            rows.append([_NAMES.get(name, name), target, f"{word}: {show_interval(differences)}"])
    return rows


def summarize(records: Records) -> dict[str, Any]:
    """Seeds, single values, mean and standard deviation of figures; intervals of gains."""
    summary: dict[str, Any] = {
        part: {
            name: {figure: _summary(by_seed(sets, figure)) for figure in ("ARI", "found", "error")}
            for name, sets in records.get(part, {}).items()
        }
        for part in ("suite", "toys")
    }
    found = list(records.get("search", {}).values())
    names = (*_SEARCHES, *_BASELINES) if found else ()
    intervals = {name: confidence(gains(found, name, "start", "ARI")) for name in names}
    keys = ("mean", "low", "high")
    summary["gain in ARI"] = {n: dict(zip(keys, v, strict=True)) for n, v in intervals.items()}
    return summary


def _summary(values: Values) -> dict[str, Any]:
    found = list(values.values())
    mean = float(np.mean(found)) if found else None
    return {
        "seeds": list(values),
        "values": found,
        "mean": mean,
        "standard_deviation": spread(found),
    }
