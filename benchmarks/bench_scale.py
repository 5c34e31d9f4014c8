"""Time and memory of clustering without a number of clusters, over 1,000 to 10,000,000 rows.

Mixtures of ten normal distributions in 16 dimensions (see `scale_methods`), drawn into files that
all clusterers get memory-mapped, in float32. CriticClusterer beside MiniBatchKMeans with K = 2 ...
20 by the silhouette width, HDBSCAN of two packages, and Genie, which is told the number of
clusters. Each measurement runs in a process of its own, after a few rows as warm-up. What takes
longer than the limit is ended, and is not tried with more rows.

Memory is the growth of the largest resident set; it counts the pages of the file that were read,
64 bytes for each row. ARI: agreement with the components from which the rows were drawn.

Then `fit`, `transform` and `predict` of DeepMetricClusterer on rows of 64 features that are
memory-mapped: seconds, and memory above that of the map.

Run, from the root of the repository, with nothing else running::

    python benchmarks/bench_scale.py --json docs/benchmarks/scale.json \
        --markdown docs/benchmarks/scale.md --picture docs/images/scale.png

The JSON file is added to: what it holds is not measured again. ``--quick`` takes seconds.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from bench_unsupervised import argument_parser, markdown_table
from critic_tables import verdict
from scale_methods import (
    KINDS,
    METRIC,
    N_CLUSTERS,
    N_FEATURES,
    OURS,
    STEPS,
    available,
    draw_mixture,
)
from unseen_classes import Store, choose_names, publish

SIZES = (1_000, 10_000, 100_000, 1_000_000, 10_000_000)
_QUICK_SIZES, _QUICK_METHODS = (100,), (OURS, "MiniBatchKMeans, Silhouette")
# Seconds for the start of a process, the warm-up and the ARI, which are not measured.
_ALLOWANCE = 120.0
_GIB = 2**30
# Most seconds and, where one is wanted, GiB by number of rows.
_TARGETS: dict[int, tuple[float, float | None]] = {
    1_000_000: (90.0, 2.0),
    10_000_000: (900.0, None),
}
_METRIC_FEATURES, _METRIC_SIZES, _METRIC_GIB = 64, SIZES[2:], 1.0
_REASONS = {"time": "out of time", "memory": "out of memory", "failed": "failed"}

_FURTHER = (
    "## Further tables\n\n[distributed](distributed.md): bytes and time of a step over two "
    "processes, and on paper over 8 to 512. [batch_memory](batch_memory.md): memory against the "
    "size of the batch. [islands](islands.md): several searches at once."
)

Records = Mapping[str, Any]


def main() -> None:
    """Measure what is not in the file yet, print the tables, and write them where wanted."""
    options = parse_options()
    common = {"benchmark": "scale", "quick": options.quick, "threads": options.threads}
    store = Store(options.json, {**common, "seconds": options.limit, "GiB": options.memory})
    if "clusterers" in options.part and not options.tables_only:
        measure_sizes(store, options)
    if "metric" in options.part and not options.tables_only:
        measure_metric(store, options)
    store.keep_summary(summarize(store.records.get("clusterers", {})))
    notes = ["Quick run: few rows, two clusterers, a critic trained in a second."] * options.quick
    parts = scale_report(store.records.get("clusterers", {}), options)
    parts += metric_report(store.records.get("metric", {}), options)
    publish([*parts, _FURTHER, *notes], "Many rows", options.markdown)
    if options.picture and store.records.get("clusterers"):
        draw_picture(store.records["clusterers"], options.picture)


def parse_options(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Options of the command line; a quick run has defaults of its own."""
    parser = argument_parser(__doc__)
    add = parser.add_argument
    add("--methods", help="clusterers, separated by commas; parts of their names will do")
    add("--part", nargs="+", choices=("clusterers", "metric"), default=("clusterers", "metric"))
    add("--kinds", nargs="+", choices=KINDS, help="kinds of mixtures")
    add("--rows", nargs="+", type=int, help="numbers of rows")
    add("--limit", type=float, default=600.0, help="seconds of a measurement")
    add("--memory", type=float, default=16.0, help="GiB that a measurement may allocate")
    add("--threads", type=int, default=2, help="threads of torch, BLAS and OpenMP")
    add("--folder", type=Path, help="where the rows are drawn into files; they are removed")
    add("--picture", type=Path, help="file for the picture")
    add("--tables-only", action="store_true", help="measure nothing, show what the file holds")
    options = parser.parse_args(arguments)
    quick = options.quick
    defaults = {
        "rows": list(_QUICK_SIZES if quick else SIZES),
        "kinds": list(KINDS[:1] if quick else KINDS),
    }
    for name, value in defaults.items():
        if getattr(options, name) is None:
            setattr(options, name, value)
    names = [name for name in available() if not quick or name in _QUICK_METHODS]
    options.methods = choose_names(options.methods, names) if options.methods else names
    return options


def measure_sizes(store: Store, options: argparse.Namespace) -> None:
    """Every clusterer on every set, from few rows to many, until it fails."""
    records = store.records.setdefault("clusterers", {})
    for kind in options.kinds:
        for n_rows in sorted(options.rows):
            missing = [name for name in options.methods if is_missing(records, kind, name, n_rows)]
            if missing:
                with tempfile.TemporaryDirectory(dir=options.folder) as folder:
                    _measure_set(store, options, kind, n_rows, missing, Path(folder))


def is_missing(records: Records, kind: str, name: str, n_rows: int) -> bool:
    """Whether a measurement is not in the file, and has not failed with fewer rows."""
    found = records.get(kind, {}).get(name, {})
    failed = any(r["status"] != "done" and int(n) < n_rows for n, r in found.items())
    return str(n_rows) not in found and not failed


def _measure_set(
    store: Store,
    options: argparse.Namespace,
    kind: str,
    n_rows: int,
    names: Sequence[str],
    folder: Path,
) -> None:
    rows, truth = draw_mixture(kind, n_rows, folder)
    for name in names:
        job: dict[str, Any] = {"method": name, "rows": str(rows), "truth": str(truth), "seed": 0}
        job["memory"] = options.memory * _GIB
        if options.quick and name == OURS:
            job["parameters"] = {"critic": "tiny"}
        found = run_job(job, options.limit, options.threads)
        store.recall(("clusterers", kind, name, str(n_rows)), {}, lambda found=found: found)


def measure_metric(store: Store, options: argparse.Namespace) -> None:
    """DeepMetricClusterer on maps of wider rows."""
    records = store.records.setdefault("metric", {})
    for n_rows in sorted(set(options.rows) & {*_METRIC_SIZES, *_QUICK_SIZES}):
        if str(n_rows) in records:
            continue
        with tempfile.TemporaryDirectory(dir=options.folder) as folder:
            files = draw_mixture("blobs", n_rows, Path(folder), n_features=_METRIC_FEATURES)
            job = {"method": METRIC, "rows": str(files[0]), "truth": str(files[1])}
            job |= {"memory": options.memory * _GIB}
            found = run_job(job, options.limit, options.threads)
        store.recall(("metric", str(n_rows)), {}, lambda found=found: found)


def run_job(
    job: Mapping[str, Any], limit: float, threads: int, program: str = "scale_methods.py"
) -> dict[str, Any]:
    """What one measurement finds in a process of its own, or why it finds nothing."""
    names = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")
    process = subprocess.Popen(
        [sys.executable, Path(__file__).with_name(program), json.dumps(job)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | dict.fromkeys(names, str(threads)),
        start_new_session=True,
    )
    try:
        output, errors = process.communicate(timeout=limit + _ALLOWANCE)
    except subprocess.TimeoutExpired:
        end_group(process)
        return {"status": "time"}
    if process.returncode == -signal.SIGKILL:  # the system's answer to want of memory
        return {"status": "memory"}
    if process.returncode:
        return {"status": "failed", "error": errors.strip().splitlines()[-1:]}
    found: dict[str, Any] = json.loads(output.strip().splitlines()[-1])
    return {"status": "time"} if found.get("seconds", 0.0) > limit else found


def end_group(process: subprocess.Popen[str]) -> None:
    """End a process with those that it started."""
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()


def lines(records: Records) -> Iterator[tuple[str, str, int, Mapping[str, Any]]]:
    """Kind, clusterer, number of rows and record of all measurements, the fewest rows first."""
    for kind, by_name in records.items():
        sizes = sorted({int(n) for found in by_name.values() for n in found})
        for n_rows in sizes:
            for name, found in by_name.items():
                if str(n_rows) in found:
                    yield kind, name, n_rows, found[str(n_rows)]


def summarize(records: Records) -> dict[str, Any]:
    """The largest number of rows that each clusterer got through, by kind."""
    reached: dict[str, dict[str, int]] = {}
    for kind, name, n_rows, record in lines(records):
        reached.setdefault(kind, {}).setdefault(name, 0)
        if record["status"] == "done":
            reached[kind][name] = n_rows
    return reached


def scale_report(records: Records, options: argparse.Namespace) -> list[str]:
    """A table of each kind, targets, and what was done."""
    heads = ["rows", "clusterer", "seconds", "MiB", "ARI", "K"]
    parts = []
    for kind in records:
        rows = [
            [f"{n_rows:,}", name, *_cells(record, options.limit)]
            for of, name, n_rows, record in lines(records)
            if of == kind
        ]
        parts += [f"## {kind.capitalize()}", markdown_table(heads, rows)]
    notes = (
        f"Mixtures of {N_CLUSTERS} normal distributions in {N_FEATURES} dimensions, in float32, "
        f"memory-mapped; {options.threads} threads, at most {options.limit:g} s and "
        f"{options.memory:g} GiB. Memory is the growth of the largest resident set, with the "
        "pages of the file that were read. MiniBatchKMeans runs at K = 2 … 20 on all rows, the "
        "silhouette width is that of 5,000 of them. HDBSCAN: clusters of at least 15 rows and 1 % "
        "of all, 15 neighbours; its noise joins the cluster with the nearest mean, which is not "
        "timed. Genie is told K."
    )
    targets = markdown_table(["kind", "target", "found"], target_rows(records))
    return [*parts, "## Targets", targets, notes]


def metric_report(records: Records, options: argparse.Namespace) -> list[str]:
    """Seconds and memory of DeepMetricClusterer, and the target."""
    if not records:
        return []
    heads = [f"{step}, {unit}" for step in STEPS for unit in ("seconds", "MiB above the map")]
    rows, peaks = [], [float("nan")]
    for n_rows, record in sorted((int(n), record) for n, record in records.items()):
        found = [record.get(step, {}) for step in STEPS]
        cells = [cell for of_step in found for cell in _step_cells(of_step, record, options)]
        rows.append([f"{n_rows:,}", _mib(n_rows * _METRIC_FEATURES * 4 / 2**20), *cells])
        if n_rows == SIZES[-1]:
            peaks = [of_step.get("MiB") or float("nan") for of_step in found]
    return [
        "## DeepMetricClusterer on a memory map",
        markdown_table(["rows", "map, MiB", *heads], rows),
        f"{_METRIC_FEATURES} features in float32, ten classes; the default encoder, one epoch in "
        f"batches of 1,024 rows. Target: at most {_METRIC_GIB:g} GiB above the map with "
        f"{SIZES[-1]:,} rows, {verdict(_METRIC_GIB - max(peaks) / 1024)}.",
    ]


def _step_cells(
    found: Mapping[str, Any], record: Mapping[str, Any], options: argparse.Namespace
) -> list[str]:
    if record["status"] != "done":
        return _cells(record, options.limit)[:2]
    return [f"{found['seconds']:.3g}", _mib(found["MiB"])]


def _mib(value: float | None) -> str:
    return "–" if value is None else f"{value:,.0f}"


def _cells(record: Mapping[str, Any], limit: float) -> list[str]:
    if record["status"] == "time":
        return [f"> {limit:g}", "–", "–", "–"]
    if record["status"] != "done":
        return [_REASONS[record["status"]], "–", "–", "–"]
    return [
        f"{record['seconds']:.3g}",
        _mib(record["MiB"]),
        f"{record['ARI']:.4f}",
        str(record["n_clusters"]),
    ]


def target_rows(records: Records) -> list[list[str]]:
    """Seconds and memory of ours against what is wanted."""
    rows = []
    for kind, by_name in records.items():
        for n_rows, (seconds, memory) in _TARGETS.items():
            found = by_name.get(OURS, {}).get(str(n_rows), {})
            left = seconds - found.get("seconds", float("nan"))
            rows.append([kind, f"{n_rows:,} rows in {seconds:g} s", verdict(left)])
            if memory is not None:
                used = found.get("MiB") or float("nan")
                rows.append(
                    [kind, f"{n_rows:,} rows in {memory:g} GiB", verdict(memory - used / 1024)]
                )
    return rows


def draw_picture(records: Records, path: Path) -> None:
    """Seconds, memory and ARI over the number of rows; a row of panels for each kind."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(12, 3.6 * len(records)), layout="constrained")
    panels = figure.subplots(len(records), 3, squeeze=False)
    for axes, (kind, by_name) in zip(panels, records.items(), strict=True):
        for ax, value in zip(axes, ("seconds", "MiB", "ARI"), strict=True):
            for i, (name, found) in enumerate(by_name.items()):
                done = sorted(
                    (int(n), r[value])
                    for n, r in found.items()
                    if r["status"] == "done" and r[value]
                )
                width = 2.5 if name == OURS else 1.2
                if done:
                    ax.plot(
                        *zip(*done, strict=True), "o-", color=f"C{i}", lw=width, ms=4, label=name
                    )
            ax.set(xscale="log", xlabel="rows", ylabel=value, title=kind)
            ax.set_yscale("linear" if value == "ARI" else "log")
            ax.grid(alpha=0.3)
    panels[0, 0].legend(fontsize=8)
    figure.savefig(path, dpi=120)


if __name__ == "__main__":
    main()
