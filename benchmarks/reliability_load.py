"""Under load: eight threads at once, a thousand fits in one process, and the wheel by itself.

- Threads: eight of them fit estimators of all kinds and ask shared fitted ones, in random order,
  for some time. Every outcome, as check sums of all attributes and answers, is compared with that
  of a single thread.
- Fits: of each estimator many fits and predictions follow one another in a process of its own, on
  small data, each with another seed. After a warm-up the largest resident set must not grow by
  more than 20 MB.
- Wheel: one is built and installed in a new environment; then the tests of the package, and the
  examples in its docstrings, run in a folder from which the repository cannot be imported. All
  modules that are tested must be those of the wheel, and all files of the package be in it.

Run, from the root of the repository::

    python benchmarks/reliability_load.py --markdown docs/benchmarks/reliability_load.md \
        --json docs/benchmarks/reliability_load.json

That takes a minute for the threads, ten for the fits and ten for the wheel. Parts of it:
``--seconds 60``, ``--fits 1000``, ``--wheel``; ``--estimators`` chooses whose fits, ``--select``
tests. The JSON file is added to: what it holds is not run again. ``--quick`` takes seconds.
"""

from __future__ import annotations

import argparse
import gc
import multiprocessing
import tempfile
import threading
import time
import warnings
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from bench_unsupervised import argument_parser, markdown_table
from fitted_configurations import CONFIGURATIONS, Configuration
from fitted_digest import Digests, answers, differences, digest, fitted_digests
from resident_memory import peak_memory, reset_peak
from sklearn.datasets import make_blobs
from unseen_classes import Store, choose_names, publish
from wheel_tests import check_wheel

from skdeepclust import ClusteringCritic, CriticClusterer, DeepMetricClusterer, MLPEncoder

_SECONDS, _FITS, _THREADS = 60.0, 1_000, 8
_QUICK: dict[str, Any] = {"seconds": 2.0, "fits": 12}
_QUICK_TESTS = ["tests/search/test_result.py"]
_QUICK_CONFIGURATIONS = ("metric: mlp, dropout", "metric: module of one's own", "metric: linear")
# Of ten answers one comes from a new fit.
_FIT_SHARE = 0.1
# 20 MB are allowed; the first tenth of the fits is the warm-up.
_MAX_MIB, _WARM_UP_SHARE, _N_BLOCKS = 20e6 / 2**20, 0.1, 9
_N_ROWS = 40


def main() -> int:
    """Run the parts asked for, print their tables, and write them where wanted."""
    options = parse_options()
    store = Store(options.json, {"threads of torch": torch.get_num_threads()})
    if options.seconds:
        names = _QUICK_CONFIGURATIONS if options.quick else _cheap()
        run = partial(load_threads, list(names), options.seconds)
        store.recall(("threads",), {"seconds": options.seconds, "kinds": len(names)}, run)
    for name in options.estimators if options.fits else ():
        run = partial(_in_process, name, options.fits)
        store.recall(("fits", name), {"fits": options.fits}, run)
    if options.wheel:
        with tempfile.TemporaryDirectory() as folder:
            run = partial(check_wheel, Path(folder), options.select, options.workers)
            store.recall(("wheel",), {"select": options.select}, run)
    return report_all(store, options)


def parse_options() -> argparse.Namespace:
    """Options of the command line."""
    parser = argument_parser(__doc__)
    parser.add_argument("--seconds", type=float, help="time for eight threads")
    parser.add_argument("--fits", type=int, help="fits of each estimator in one process")
    parser.add_argument("--wheel", action="store_true", help="test a wheel")
    parser.add_argument(
        "--estimators", type=partial(choose_names, names=list(SMALL)), default=list(SMALL),
        help=f"comma-separated, or parts of their names, of: {'; '.join(SMALL)}",
    )  # fmt: skip
    parser.add_argument("--select", nargs="+", default=[], help="tests to run; default: all")
    parser.add_argument("--workers", type=int, default=2, help="processes of pytest")
    options = parser.parse_args()
    if options.quick:
        options.select, options.workers = options.select or _QUICK_TESTS, 0
        options.estimators = options.estimators[:1]
    if not (options.seconds or options.fits or options.wheel):
        chosen = _QUICK if options.quick else {"seconds": _SECONDS, "fits": _FITS}
        vars(options).update(chosen, wheel=True)
    return options


def _cheap() -> list[str]:
    return [name for name, configuration in CONFIGURATIONS.items() if configuration.is_cheap]


def load_threads(names: list[str], seconds: float) -> dict[str, Any]:
    """How often eight threads fitted and asked, and what was not as in a single thread."""
    shared = {name: Shared(CONFIGURATIONS[name]) for name in names}
    until, barrier = time.monotonic() + seconds, threading.Barrier(_THREADS)

    def run(number: int) -> tuple[int, int, list[str]]:
        rng = np.random.RandomState(number)
        n_fits, n_asked, faults = 0, 0, []
        barrier.wait()
        while time.monotonic() < until:
            name = names[rng.randint(len(names))]
            fits = rng.uniform() < _FIT_SHARE
            n_fits, n_asked = n_fits + fits, n_asked + (not fits)
            try:
                wrong = shared[name].fit_again() if fits else shared[name].ask()
            except Exception as error:  # noqa: BLE001 - whatever it is, it is a result
                wrong = [f"{type(error).__name__}: {error}"]
            faults += [f"{name}, {'fit' if fits else 'answers'}: {part}" for part in wrong]
        return n_fits, n_asked, faults

    with warnings.catch_warnings(), ThreadPoolExecutor(_THREADS) as pool:
        warnings.simplefilter("ignore")
        fits, asked, faults = zip(*pool.map(run, range(_THREADS)), strict=True)
    all_faults = sorted({fault for some in faults for fault in some})
    n_wrong = sum(map(len, faults))
    totals = {"fits": sum(fits), "questions": sum(asked), "kinds": len(names), "wrong": n_wrong}
    return {"threads": _THREADS, **totals, "faults": all_faults}


class Shared:
    """A fitted estimator that many threads ask, and what it says to one of them alone."""

    def __init__(self, configuration: Configuration) -> None:
        self.configuration = configuration
        self.estimator = configuration.fitted()
        self.asked = configuration.asked()
        self.expected = self._outcome(self.estimator)
        self.answers = digest(answers(self.estimator, self.asked))

    def _outcome(self, estimator: Any) -> Digests:
        return fitted_digests(estimator, self.asked)

    def ask(self) -> list[str]:
        """What is not as expected of the answers."""
        return [] if digest(answers(self.estimator, self.asked)) == self.answers else ["differ"]

    def fit_again(self) -> list[str]:
        """What is not as expected of a new fit."""
        return differences(self._outcome(self.configuration.fitted()), self.expected)


def _fit_metric(seed: int) -> None:
    X, y = _rows(seed)
    encoders = ("linear", MLPEncoder(hidden=(16,), dropout=0.2), MLPEncoder(hidden=(8,)))
    model = DeepMetricClusterer(3, encoder=encoders[seed % 3], max_epochs=2, random_state=seed)
    model.fit(X, y if seed % 2 else None)
    model.predict(X), model.transform(X), model.cluster(X, 3)


def _fit_searcher(seed: int) -> None:
    X, _ = _rows(seed)
    search = ("genetic", "cem")[seed % 2]
    small = {"population_size": 4, "n_generations": 1, "max_clusters": 4}
    model = CriticClusterer(search=search, random_state=seed, **small).fit(X)
    model.predict(X), model.transform(X), model.score(X)


def _fit_critic(seed: int) -> None:
    X, y = _rows(seed)
    small = {"hidden_dim": 4, "n_tasks": 2, "n_proposals": 4, "max_epochs": 1}
    model = ClusteringCritic(adversarial_rounds=0, random_state=seed, **small).fit(X, y)
    model.score_clustering(X, y), model.embed(X, y)


def _rows(seed: int) -> tuple[Any, Any]:
    X, y = make_blobs(_N_ROWS, centers=3, n_features=4, random_state=seed)
    return X, y


SMALL: dict[str, Callable[[int], None]] = {
    "DeepMetricClusterer": _fit_metric,
    "CriticClusterer": _fit_searcher,
    "ClusteringCritic": _fit_critic,
}
"""Fits of estimators and questions to them, by a seed."""


def _in_process(name: str, n_fits: int) -> dict[str, Any]:
    """`memory_of_fits` in a process of its own, which begins with nothing of this one."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as process:
        return process.submit(_fits_alone, name, n_fits).result()


def _fits_alone(name: str, n_fits: int) -> dict[str, Any]:
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    return memory_of_fits(SMALL[name], n_fits)


def memory_of_fits(fit: Callable[[int], Any], n_fits: int) -> dict[str, Any]:
    """Growth of the largest resident set over many fits, after a tenth of them as warm-up.

    The peak is compared with that of the second half of the warm-up.

    Parameters
    ----------
    fit : callable
        Takes a seed.
    n_fits : int

    Returns
    -------
    dict of str to object
        "MiB", the growth; "seconds" of all fits; "resident", MiB after the warm-up and at the end
        of nine equal parts of the rest.
    """
    started, n_warm = time.perf_counter(), max(2, round(_WARM_UP_SHARE * n_fits))
    for seed in range(n_warm):
        if seed == n_warm // 2:
            _resident()  # what was imported for the first fits is no need of one
        fit(seed)
    first = largest = peak_memory() or 0
    resident = [_resident()]
    for part in np.array_split(np.arange(n_warm, n_fits), _N_BLOCKS):
        for seed in part.tolist():
            fit(seed)
        largest = max(largest, peak_memory() or 0)
        resident.append(_resident())
    growth = (largest - first) / 2**20
    return {"MiB": growth, "resident": resident, "seconds": time.perf_counter() - started}


def _resident() -> float:
    """MiB that are resident now: the peak, after it began anew."""
    gc.collect()
    reset_peak()
    return (peak_memory() or 0) / 2**20


def report_all(store: Store, options: argparse.Namespace) -> int:
    """Print all tables and failures, write the tables where wanted; the exit status."""
    parts = [_threads_report, _fits_report, _wheel_report]
    reports, faults = zip(*(part(store.records) for part in parts), strict=True)
    found = [fault for some in faults for fault in some]
    failures = [f"- {fault}" for fault in found]
    texts = [text for text in reports if text] + ["\n".join(failures)] * bool(found)
    publish(texts, "Under load", options.markdown)
    return 1 if found else 0


Report = tuple[str, list[str]]


def _threads_report(records: dict[str, Any]) -> Report:
    found = records.get("threads")
    if not found:
        return "", []
    head = ["threads", "seconds", "kinds of estimators", "fits", "questions", "wrong"]
    counts = [found[name] for name in ("kinds", "fits", "questions", "wrong")]
    seconds = f"{found['parameters']['seconds']:.0f}"
    table = markdown_table(head, [[str(found["threads"]), seconds, *map(str, counts)]])
    return f"## Threads\n\n{table}", found["faults"]


def _fits_report(records: dict[str, Any]) -> Report:
    rows, faults = [], []
    for name, found in records.get("fits", {}).items():
        shown = ", ".join(f"{mib:.0f}" for mib in found["resident"])
        numbers = [f"{found['MiB']:.1f}", shown, f"{found['seconds']:.0f}"]
        rows.append([name, str(found["parameters"]["fits"]), *numbers])
        if found["MiB"] > _MAX_MIB:
            faults.append(f"{name}: {found['MiB']:.1f} MiB, {_MAX_MIB:.1f} (20 MB) are allowed")
    head = ["estimator", "fits", "growth of the peak, MiB", "resident after tenths, MiB", "seconds"]
    return (f"## Fits in one process\n\n{markdown_table(head, rows)}" if rows else ""), faults


def _wheel_report(records: dict[str, Any]) -> Report:
    found = records.get("wheel")
    if not found:
        return "", []
    names = ("wheel", "files", "modules", "passed", "failed", "skipped")
    row = [*(str(found[name]) for name in names), f"{found['seconds']:.0f}"]
    head = ["wheel", "files", "modules tested", "passed", "failed", "skipped", "seconds"]
    selected = " ".join(found["parameters"]["select"]) or "all tests of the package"
    faults = [f"wheel, failed: {name}" for name in found["failures"]]
    faults += [f"wheel, not in it: {name}" for name in found["missing"]]
    faults += [f"not of the wheel: {name}" for name in found["elsewhere"]]
    faults += [] if found["modules"] else ["wheel: nothing of the package was imported"]
    faults += [] if found["passed"] else ["wheel: no test has passed"]
    return f"## Wheel\n\n{markdown_table(head, [row])}\n\nSelection: {selected}.", faults


if __name__ == "__main__":
    raise SystemExit(main())
