"""The same bits wherever a fit runs, and nothing changed that all of a process share.

Estimators of every kind (see `fitted_configurations`) are fitted alone, and then

- again;
- with one worker and with two, where there is `n_jobs`;
- pickled and read again before the fit; and after it;
- in a thread; in eight threads at once;
- beside other fits in three threads, and a thread that draws from the global generators of
  Python, NumPy and torch, unless the fit is one of those that need torch's;
- in a forked process; in one that is forked while another thread fits; in a spawned process;
- by a GridSearchCV with one worker and with two: `best_estimator_`;
- while torch's default dtype is float64; while gradients are off.

Each time check sums of all fitted attributes and of all answers about some rows are compared, see
`fitted_digest`; and, before and after, the global random states, the number of threads of torch
and BLAS, default dtype, grad mode, warnings filters and the like. What is not the same is a
failure. Left out are, where several threads fit, warnings filters and threads of BLAS: they are one
for all threads, and scikit-learn sets them and puts them back, the former in every check of an
input, the latter in k-means.

Forked processes are left out where OpenMP has several threads (``OMP_NUM_THREADS``): the child of a
process that has used them waits for ever in GNU's OpenMP, whatever library asks for it.

Run, from the root of the repository::

    python benchmarks/reliability_determinism.py \
        --markdown docs/benchmarks/reliability_determinism.md \
        --json docs/benchmarks/reliability_determinism.json

About ten minutes. The JSON file is added to: what it holds is not run again. ``--configurations``
and ``--situations`` choose, by parts of their names; ``--quick`` takes seconds.
"""

from __future__ import annotations

import argparse
import copy
import multiprocessing
import pickle
import random
import threading
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import cache, partial
from typing import Any

import numpy as np
import torch
from bench_unsupervised import argument_parser, markdown_table
from fitted_configurations import CONFIGURATIONS, Configuration
from fitted_digest import Digests, changes, differences, fitted_digests, process_state
from sklearn.model_selection import GridSearchCV
from threadpoolctl import threadpool_info
from unseen_classes import Store, choose_names, publish

from skdeepclust.model_selection import NoSplit

SAME, DIFFERS, NOT_THERE = "same", "**differs**", "–"
_N_THREADS, _N_BESIDE = 8, 3
# What runs beside others: one that needs torch's global generator, one that does not, a search.
_BESIDE = ("metric: module of one's own", "metric: mlp, dropout", "searcher: genetic")
# A process that has not answered by then hangs.
_PATIENCE = 90.0
_QUICK = (("metric: mlp, dropout", "critic: few tasks"), ("again", "in eight threads", "forked"))
_RANDOM = "random state"


def main() -> int:
    """Fit in every situation, print the table, and write it where wanted."""
    options = parse_options()
    store = Store(options.json, {"threads": torch.get_num_threads()})
    for name in options.configurations:
        run_configuration(name, options.situations, store)
    return report_all(store, options)


def parse_options() -> argparse.Namespace:
    """Options of the command line."""
    parser = argument_parser(__doc__)
    for what, names in (("configurations", CONFIGURATIONS), ("situations", SITUATIONS)):
        parser.add_argument(
            f"--{what}",
            type=partial(choose_names, names=list(names)),
            help=f"comma-separated, or parts of their names, of: {'; '.join(names)}",
        )
    options = parser.parse_args()
    all_of = _QUICK if options.quick else (CONFIGURATIONS, SITUATIONS)
    options.configurations = options.configurations or list(all_of[0])
    options.situations = options.situations or list(all_of[1])
    return options


def run_configuration(name: str, situations: Sequence[str], store: Store) -> None:
    """Records of a configuration in some situations, as far as they are not there yet."""
    known = store.records.get(name, {})
    todo = [situation for situation in situations if situation not in known]
    if not todo:
        return
    warm_up()
    configuration = CONFIGURATIONS[name]
    expected = outcome(configuration, configuration.fitted())
    for situation in todo:
        store.recall(
            (name, situation), {}, lambda situation=situation: judge(name, situation, expected)
        )


@cache
def warm_up() -> None:
    """Let the first fits of this process import what they need: it may set variables."""
    for name in _BESIDE:
        CONFIGURATIONS[name].fitted()


def outcome(configuration: Configuration, estimator: Any) -> Digests:
    """Check sums of a fitted estimator and of its answers."""
    return fitted_digests(estimator, configuration.asked())


def judge(name: str, situation: str, expected: Digests) -> dict[str, Any]:
    """Whether a fit has the expected outcome in a situation, and leaves all else as it was."""
    started, before = time.perf_counter(), process_state()
    faults: list[str] = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        inside = process_state()
        try:
            found = SITUATIONS[situation](CONFIGURATIONS[name])
        except Exception as error:  # noqa: BLE001 - whatever it is, it is a result
            found, faults = [], [f"{type(error).__name__}: {error}"]
        left = changes(inside, process_state())
    left += [part for part in changes(before, process_state()) if part not in left]
    if situation in _THREADED:
        left = [part for part in left if part not in _SET_BY_OTHERS]
    if situation in _DRAWING and CONFIGURATIONS[name].is_private:
        left = [part for part in left if _RANDOM not in part]
    if found is None:
        return {"outcome": NOT_THERE, "faults": [], "seconds": 0.0}
    faults += sorted({part for digests in found for part in differences(digests, expected)})
    faults += [f"changed: {part}" for part in left]
    seconds = time.perf_counter() - started
    return {"outcome": DIFFERS if faults else SAME, "faults": faults, "seconds": seconds}


Outcomes = list[Digests] | None


def _again(configuration: Configuration) -> Outcomes:
    return [outcome(configuration, configuration.fitted())]


def _with_workers(configuration: Configuration) -> Outcomes:
    names = [name for name in configuration.make().get_params() if name.endswith("n_jobs")]
    if not names:
        return None
    made = (configuration.make().set_params(**dict.fromkeys(names, n)) for n in (1, 2))
    return [outcome(configuration, configuration.fitted(estimator)) for estimator in made]


def _pickled_before(configuration: Configuration) -> Outcomes:
    estimator = pickle.loads(pickle.dumps(configuration.make()))
    return [outcome(configuration, configuration.fitted(estimator))]


def _pickled_after(configuration: Configuration) -> Outcomes:
    fitted = configuration.fitted()
    again = pickle.loads(pickle.dumps(fitted))
    copied = copy.deepcopy(fitted)
    return [outcome(configuration, estimator) for estimator in (again, copied, fitted)]


def _in_threads(configuration: Configuration, n: int) -> list[Digests]:
    """Outcomes of fits in several threads that begin together."""
    barrier = threading.Barrier(n)

    def run(number: int) -> Digests:
        barrier.wait()
        return outcome(configuration, configuration.fitted())

    with ThreadPoolExecutor(n) as pool:
        return list(pool.map(run, range(n)))


def _in_a_thread(configuration: Configuration) -> Outcomes:
    return _in_threads(configuration, 1)


def _in_eight_threads(configuration: Configuration) -> Outcomes:
    return _in_threads(configuration, _N_THREADS)


def _beside_others(configuration: Configuration) -> Outcomes:
    with others(_BESIDE, draws=configuration.is_private):
        return [outcome(configuration, configuration.fitted()) for _ in range(2)]


@contextmanager
def others(names: Sequence[str], draws: bool = False) -> Iterator[None]:
    """Threads that fit other configurations, and one that draws, until the end of the block."""
    done = threading.Event()
    works: list[Callable[[], Any]] = [CONFIGURATIONS[name].fitted for name in names]
    works += [_draw] if draws else []

    def repeat(work: Callable[[], Any]) -> int:
        n_done = 0
        while not done.is_set():
            work()
            n_done += 1
        return n_done

    with ThreadPoolExecutor(len(works)) as pool:
        running = [pool.submit(repeat, work) for work in works]
        try:
            yield
        finally:
            done.set()
        for work in running:
            work.result()


def _draw() -> None:
    """What any code of a user may do."""
    torch.rand(3), np.random.uniform(size=3), random.random()
    time.sleep(1e-4)


def _fit_by_name(name: str, sender: Any) -> None:
    configuration = CONFIGURATIONS[name]
    warnings.simplefilter("ignore")
    sender.send(outcome(configuration, configuration.fitted()))


def _in_process(configuration: Configuration, method: str) -> Outcomes:
    """Outcome of a fit in a process of its own."""
    if method not in multiprocessing.get_all_start_methods():
        return None
    if method == "fork" and _n_threads_of_openmp() > 1:
        return None
    context = multiprocessing.get_context(method)
    (name,) = [key for key, value in CONFIGURATIONS.items() if value is configuration]
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=_fit_by_name, args=(name, sender), daemon=True)
    process.start()
    sender.close()
    try:
        if not receiver.poll(_PATIENCE):
            raise TimeoutError(f"no answer after {_PATIENCE:.0f} s")
        return [receiver.recv()]
    except EOFError:
        process.join(1.0)
        raise RuntimeError(f"the process ended with {process.exitcode}") from None
    finally:
        process.kill()
        process.join()


def _n_threads_of_openmp() -> int:
    pools = [pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "openmp"]
    return max([torch.get_num_threads(), *pools])


def _forked(configuration: Configuration) -> Outcomes:
    return _in_process(configuration, "fork")


def _forked_beside_others(configuration: Configuration) -> Outcomes:
    with others(_BESIDE):
        first, second = _in_process(configuration, "fork"), _in_process(configuration, "fork")
    return first and [*first, *(second or [])]


def _spawned(configuration: Configuration) -> Outcomes:
    return _in_process(configuration, "spawn")


def _unit_score(estimator: Any, X: Any, y: Any = None) -> float:
    return 1.0


def _searched(configuration: Configuration, n_jobs: int) -> Outcomes:
    if not configuration.searches:
        return None
    estimator = configuration.make()
    X, y = configuration.data()
    grid = {"random_state": [estimator.random_state, estimator.random_state + 1]}
    search = GridSearchCV(estimator, grid, scoring=_unit_score, cv=NoSplit(), n_jobs=n_jobs)
    return [outcome(configuration, search.fit(X, y).best_estimator_)]


def _searched_by_one(configuration: Configuration) -> Outcomes:
    return _searched(configuration, 1)


def _searched_by_two(configuration: Configuration) -> Outcomes:
    return _searched(configuration, 2)


def _with_float64(configuration: Configuration) -> Outcomes:
    dtype = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    try:
        found = [outcome(configuration, configuration.fitted())]
        if torch.get_default_dtype() != torch.float64:
            raise RuntimeError("the default dtype of the user is another one")
    finally:
        torch.set_default_dtype(dtype)
    return found


def _without_gradients(configuration: Configuration) -> Outcomes:
    with torch.no_grad():
        found = [outcome(configuration, configuration.fitted())]
        if torch.is_grad_enabled():
            raise RuntimeError("gradients are on again")
    return found


SITUATIONS: dict[str, Callable[[Configuration], Outcomes]] = {
    "again": _again,
    "n_jobs 1, 2": _with_workers,
    "pickled, then fitted": _pickled_before,
    "fitted, then pickled": _pickled_after,
    "in a thread": _in_a_thread,
    "in eight threads": _in_eight_threads,
    "beside others": _beside_others,
    "forked": _forked,
    "forked beside others": _forked_beside_others,
    "spawned": _spawned,
    "GridSearchCV, n_jobs 1": _searched_by_one,
    "GridSearchCV, n_jobs 2": _searched_by_two,
    "float64 by default": _with_float64,
    "gradients off": _without_gradients,
}
"""By name; each takes a configuration and gives outcomes of fits, None where it does not apply."""

# There the global generators are drawn from meanwhile.
_DRAWING = ("beside others",)
# There scikit-learn sets and puts back in several threads what is one for all of them.
_THREADED = ("in eight threads", "beside others", "forked beside others")
_SET_BY_OTHERS = ("warnings filters", "threads of BLAS and OpenMP")


def report_all(store: Store, options: argparse.Namespace) -> int:
    """Print the table and all failures, write the table where wanted; the exit status."""
    records = {name: store.records.get(name, {}) for name in options.configurations}
    head = ["configuration", *options.situations]
    rows = [
        [name, *(found.get(s, {}).get("outcome", NOT_THERE) for s in options.situations)]
        for name, found in records.items()
    ]
    faults = [
        f"- {name}, {situation}: {'; '.join(record['faults'])}"
        for name, found in records.items()
        for situation, record in found.items()
        if situation in options.situations and record["faults"]
    ]
    n_all = sum(cell != NOT_THERE for row in rows for cell in row[1:])
    note = (
        f"{torch.get_num_threads()} threads of torch. Of {n_all} comparisons {len(faults)} failed."
    )
    parts = [markdown_table(head, rows), note, *(["\n".join(faults)] if faults else [])]
    publish(parts, "The same bits everywhere", options.markdown)
    return 1 if faults else 0


if __name__ == "__main__":
    raise SystemExit(main())
