"""Damaged files: `load` refuses them, quickly and without much memory.

For each case one file of an estimator is damaged, see `file_damages`: bits flipped, bytes lost,
tensors swapped, headers that declare huge sizes; and, with a check sum that was made right again,
other versions, hostile JSON, classes from outside the package, layers and strings of any size,
names that point outside the directory. `load` must

- refuse the file with a ValueError that names it, or, where the damage changes nothing, load an
  estimator that predicts the same, bit for bit;
- within a second, while the process grows by less than 100 MB;
- without opening another file, running a command or unpickling (seen by an audit hook).

The files are those of a `DeepMetricClusterer`, a `ClusteringCritic` and a `CriticClusterer`.

Run, from the root of the repository::

    python benchmarks/reliability_files.py --markdown docs/benchmarks/reliability_files.md \
        --json docs/benchmarks/reliability_files.json

About 20 ms a case; ``--quick`` takes seconds. ``--case K`` runs one case again.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from file_damages import DAMAGES, read_parts
from numpy.typing import NDArray
from reliability_cases import FAILED, Record, argument_parser, publish, run_cases, summary_table
from sklearn.datasets import make_blobs
from suite_memory import peak_memory, reset_peak

from skdeepclust import (
    ClusteringCritic,
    CriticClusterer,
    DeepMetricClusterer,
    MLPEncoder,
    load,
    save,
)

REFUSED, SAME = "refused", "loaded, same"
_N_CASES, _N_QUICK = 5_000, 69
_MAX_SECONDS, _MAX_MIB = 1.0, 100e6 / 2**20
_FORBIDDEN = ("os.system", "os.exec", "subprocess.Popen", "pickle.find_class", "socket.connect")

Answer = Callable[[Any], list[NDArray[Any]]]


def main() -> int:
    """Run the cases, print the table, and write it where wanted."""
    parser = argument_parser(__doc__, _N_CASES)
    options = parser.parse_args()
    if options.quick:
        options.cases = min(options.cases, _N_QUICK)
    with tempfile.TemporaryDirectory() as folder:
        write_originals(Path(folder))
        records = run_cases(partial(file_cases, Path(folder), options.seed), options)
    table = summary_table(records, (REFUSED, SAME, FAILED), ("seconds", "MiB"))
    note = (
        f"Seed {options.seed}. Limits: {_MAX_SECONDS:.0f} s and {_MAX_MIB:.0f} MiB (100 MB) for "
        "each file."
    )
    return publish("Damaged files", table, records, note, options)


def write_originals(folder: Path) -> None:
    """The files to be damaged, one of each estimator."""
    X, y = make_blobs(60, centers=3, n_features=4, random_state=0)
    names = np.array(["ash", "beech", "cedar"], dtype=object)[y]
    encoder = MLPEncoder(hidden=(6,), dropout=0.1)
    metric = DeepMetricClusterer(
        encoder=encoder, max_epochs=2, random_state=np.random.RandomState(0)
    )
    critic = ClusteringCritic(
        hidden_dim=4, n_tasks=2, n_proposals=4, max_epochs=1, adversarial_rounds=0, random_state=0
    )
    clusterer = CriticClusterer(
        critic=critic, population_size=4, n_generations=1, max_clusters=4, random_state=0
    )
    for estimator in (metric.fit(X, names), critic.fit(X, y), clusterer.fit(X, y)):
        save(estimator, folder / f"{type(estimator).__name__}.safetensors")


def file_cases(folder: Path, seed: int) -> Callable[[int], Record]:
    """The function of a case's number that damages a file and tries to load it."""
    originals = sorted(folder.glob("*.safetensors"))
    parts = {path: read_parts(path) for path in originals}
    wanted = {path: answers(load(path)) for path in originals}
    opened = _watch()

    def run(case: int) -> Record:
        rng = np.random.default_rng([seed, case])
        kind = list(DAMAGES)[case % len(DAMAGES)]
        path = originals[case // len(DAMAGES) % len(originals)]
        record = {"case": case, "kind": kind, "estimator": path.stem}
        damaged = folder / f"damaged-{os.getpid()}"
        try:
            damaged.write_bytes(DAMAGES[kind](parts[path], rng))
            return {**record, **judge_file(damaged, wanted[path], opened)}
        finally:
            damaged.unlink(missing_ok=True)

    return run


def judge_file(path: Path, wanted: list[NDArray[Any]], opened: list[str]) -> dict[str, Any]:
    """What `load` makes of a file: outcome, detail, time and memory."""
    reset_peak()
    before, found = peak_memory() or 0, None
    opened.clear()
    started = time.perf_counter()
    try:
        found = load(path)
        outcome, detail = SAME, ""
    except ValueError as error:
        outcome, detail = REFUSED, str(error)
    except BaseException as error:  # noqa: BLE001 - whatever it is, it is a result
        outcome, detail = FAILED, f"{type(error).__name__}: {error}"
    seconds, others = time.perf_counter() - started, [p for p in opened if p != str(path)]
    mib = ((peak_memory() or 0) - before) / 2**20
    faults = _faults(path, outcome, detail, seconds, mib, others)
    if outcome == SAME and not faults:
        faults = _compare(found, wanted)
    if faults:
        outcome, detail = FAILED, f"{faults} {detail}"
    return {"outcome": outcome, "detail": detail, "seconds": seconds, "MiB": mib}


def _faults(
    path: Path, outcome: str, detail: str, seconds: float, mib: float, others: list[str]
) -> str:
    """What is wrong even with a refusal; empty if nothing is."""
    faults = {
        f"{seconds:.2f} s.": seconds > _MAX_SECONDS,
        f"{mib:.0f} MiB.": mib > _MAX_MIB,
        "The message does not name the file.": outcome == REFUSED and str(path) not in detail,
        f"Opened or called: {others[:3]}.": bool(others),
    }
    return " ".join(text for text, is_fault in faults.items() if is_fault)


def _compare(found: Any, wanted: list[NDArray[Any]]) -> str:
    """Whether a loaded estimator answers as the original does; empty if so."""
    try:
        same = all(map(np.array_equal, answers(found), wanted))
    except Exception as error:  # noqa: BLE001 - whatever it is, it is a result
        return f"It was loaded, but: {type(error).__name__}: {error}."
    return "" if same else "It was loaded, and answers otherwise."


def answers(estimator: Any) -> list[NDArray[Any]]:
    """All that can be asked of an estimator, about a few rows."""
    X = np.random.RandomState(1).normal(size=(20, 4)) * 5
    if isinstance(estimator, ClusteringCritic):
        labelings = np.arange(20) % np.array([[2], [3], [5]])
        return [estimator.score_clusterings(X, labelings)]
    names = getattr(estimator, "classes_", np.empty(0))
    return [estimator.predict(X), estimator.transform(X), estimator.labels_, np.asarray(names)]


def _watch() -> list[str]:
    """A list to which the files are added that this process opens, and what it must not call."""
    seen: list[str] = []

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        if event == "open" and isinstance(arguments[0], str):
            seen.append(arguments[0])
        elif event in _FORBIDDEN:
            seen.append(event)

    sys.addaudithook(hook)
    return seen


if __name__ == "__main__":
    raise SystemExit(main())
