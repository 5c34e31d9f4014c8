"""Fits killed at random moments: with `checkpoint` they go on, and end with the same bits.

Each trial fits an estimator in a process of its own, with a directory as `checkpoint`, and kills it
with SIGKILL after a random share of the time that the whole fit takes. Another process begins the
same fit anew in the same directory; up to three are killed one after the other, and the last one
may end. Then

- check sums of all that the fit has left, and of all answers about some rows (see
  `fitted_digest`), are those of a fit that nobody disturbed, and of one without `checkpoint`;
- the directory is empty.

All else is a failure. Estimators are of all three classes, see `KINDS`: with dropout and rows held
out, images that are distorted, rows without labels, a module that draws from torch's global
generator, no seed at all (the first process seeds NumPy's global generator, the later ones
otherwise), both searches, and a critic in adversarial rounds.

Run, from the root of the repository::

    python benchmarks/reliability_killed.py --trials 100 \
        --markdown docs/benchmarks/reliability_killed.md \
        --json docs/benchmarks/reliability_killed.json

A few minutes. ``--estimators`` chooses by parts of their names; ``--case K`` runs one trial again,
as far as moments can be repeated; ``--quick`` takes seconds.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import signal
import tempfile
import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from bench_unsupervised import markdown_table
from fitted_configurations import CONFIGURATIONS
from fitted_digest import Digests, differences, fitted_digests
from reliability_cases import FAILED, Record, argument_parser, publish
from threadpoolctl import threadpool_limits
from unseen_classes import choose_names

from skdeepclust import _known_scores as known_scores
from skdeepclust.training import _checkpoint as training_checkpoint

SAME = "same"
_N_TRIALS, _N_QUICK = 100, 3
_MAX_KILLS = 3
# Of the time that a whole fit takes, when a process is killed at the latest.
_LATEST = 0.95
# A process that has not answered by then hangs.
_PATIENCE = 300.0
# Seconds between two saves: as the fits are short, fewer than a user's.
_SECONDS_BETWEEN = 0.05


@dataclass(frozen=True)
class Kind:
    """What is fitted, and killed.

    Attributes
    ----------
    configuration : str
        One of `CONFIGURATIONS`.
    parameters : dict
        Others than there, so that fits last longer.
    """

    configuration: str
    parameters: dict[str, Any]

    def fitted(self, checkpoint: str | None) -> Any:
        """The estimator, fitted."""
        configuration = CONFIGURATIONS[self.configuration]
        estimator = configuration.make().set_params(**self.parameters, checkpoint=checkpoint)
        return configuration.fitted(estimator)


_LONG = {"max_epochs": 60, "n_iter_no_change": 60}
_SEARCH = {"population_size": 24, "n_generations": 15, "patience": 15}

KINDS: dict[str, Kind] = {
    "DeepMetricClusterer: dropout, rows held out": Kind("metric: rows held out", _LONG),
    "DeepMetricClusterer: conv, augment": Kind(
        "metric: conv, augment", {"max_epochs": 20, "n_iter_no_change": 20}
    ),
    "DeepMetricClusterer: few labels": Kind(
        "metric: few labels, more clusters", {**_LONG, "n_clusters": None}
    ),
    "DeepMetricClusterer: no labels": Kind("metric: no labels", _LONG),
    "DeepMetricClusterer: module of one's own": Kind("metric: module of one's own", _LONG),
    "DeepMetricClusterer: no seed": Kind("metric: mlp, dropout", {**_LONG, "random_state": None}),
    "CriticClusterer: genetic": Kind("searcher: genetic", _SEARCH),
    "CriticClusterer: cem": Kind("searcher: cem", _SEARCH),
    "ClusteringCritic: rounds": Kind(
        "critic: few tasks", {"max_epochs": 4, "adversarial_rounds": 2}
    ),
}
"""By name; the part before the colon is the class."""


def main() -> int:
    """Run the trials, print the table, and write it where wanted."""
    options = parse_options()
    import_all()
    with tempfile.TemporaryDirectory() as folder:
        run = killed_trials(options.estimators, options.seed, Path(folder))
        if options.case is not None:
            records = [run(options.case)]
        else:
            records = [run(case) for case in range(options.first, options.first + options.cases)]
    note = (
        f"Seed {options.seed}. Killed after a random share of the time of an undisturbed fit, up "
        f"to {_MAX_KILLS} times a trial."
    )
    return publish("Fits that were killed", table(records), records, note, options)


def parse_options() -> argparse.Namespace:
    """Options of the command line."""
    parser = argument_parser(__doc__, _N_TRIALS)
    parser.add_argument("--trials", type=int, dest="cases", help="the same as --cases")
    parser.add_argument(
        "--estimators",
        type=partial(choose_names, names=list(KINDS)),
        default=list(KINDS),
        help=f"comma-separated, or parts of their names, of: {'; '.join(KINDS)}",
    )
    options = parser.parse_args()
    if options.quick:
        options.cases = min(options.cases, _N_QUICK)
        options.estimators = options.estimators[:1]
    return options


def import_all() -> None:
    """Import what a first fit would: forked processes begin with it."""
    weight = torch.nn.Parameter(torch.ones(1))
    weight.grad = torch.ones(1)
    torch.optim.AdamW([weight]).step()


def killed_trials(names: Sequence[str], seed: int, folder: Path) -> Callable[[int], Record]:
    """The function of a trial's number that runs it; kinds take turns."""
    undisturbed: dict[str, tuple[Digests, float]] = {}

    def run(case: int) -> Record:
        rng, name = np.random.default_rng([seed, case]), names[case % len(names)]
        started = time.monotonic()
        record = {"case": case, "kind": name, "whole": 0.0, "kills": 0, "resumed": 0}
        try:
            if name not in undisturbed:
                undisturbed[name] = measure(name, folder)
            expected, record["whole"] = undisturbed[name]
            moments = draw_moments(rng, record["whole"])
            with tempfile.TemporaryDirectory(dir=folder) as directory:
                record |= run_trial(name, Path(directory), expected, moments)
        except RuntimeError as error:
            record |= {"outcome": FAILED, "detail": str(error)}
        return {**record, "seconds": time.monotonic() - started}

    return run


def measure(name: str, folder: Path) -> tuple[Digests, float]:
    """Outcome of a fit that nobody disturbs, the same with a checkpoint, and its seconds.

    Raises
    ------
    RuntimeError
        If a fit fails, or the checkpoint makes a difference by itself.
    """
    expected = attempt(name, None)
    started = time.monotonic()
    with tempfile.TemporaryDirectory(dir=folder) as directory:
        found = attempt(name, Path(directory))
    if expected is None or found is None:
        raise RuntimeError(f"{name}: no answer after {_PATIENCE:.0f} s")
    if differences(found, expected):
        raise RuntimeError(f"{name}: a checkpoint changes {differences(found, expected)}")
    return expected, time.monotonic() - started


def draw_moments(rng: np.random.Generator, seconds: float) -> list[float]:
    """When to kill one process after the other, in seconds from its start."""
    return list(rng.uniform(0.0, _LATEST, rng.integers(1, _MAX_KILLS + 1)) * seconds)


def run_trial(
    name: str, directory: Path, expected: Digests, moments: Sequence[float]
) -> dict[str, Any]:
    """Outcome of a fit whose processes are killed at some moments; the last one may end.

    Raises
    ------
    RuntimeError
        If the fit failed, or a process ended by itself.
    """
    kills, resumed, found = 0, 0, None
    for moment in [*moments, None]:
        resumed += bool(saved_files(directory))
        found = attempt(name, directory, moment)
        if found is not None:
            break
        kills += 1
    detail = judge(found, expected, directory)
    outcome = FAILED if detail else SAME
    return {"outcome": outcome, "detail": detail, "kills": kills, "resumed": resumed}


def judge(found: Digests | None, expected: Digests, directory: Path) -> str:
    """What is wrong with a fit that was complete in the end; empty if nothing is."""
    if found is None:
        return f"no answer after {_PATIENCE:.0f} s"
    others, left = differences(found, expected), os.listdir(directory)
    faults = [f"not the same: {', '.join(others)}"] if others else []
    return "; ".join(faults + ([f"left behind: {left}"] if left else []))


def saved_files(directory: Path) -> list[Path]:
    """Files from which a fit goes on."""
    return sorted(directory.glob("*.checkpoint.safetensors"))


def attempt(name: str, directory: Path | None, seconds: float | None = None) -> Digests | None:
    """Outcome of a fit in a process of its own; None if it was killed before it had one.

    Parameters
    ----------
    name : str
        One of `KINDS`.
    directory : Path or None
        The checkpoint.
    seconds : float, optional
        After which the process is killed.

    Raises
    ------
    RuntimeError
        If the fit failed, or the process ended by itself.
    """
    context = multiprocessing.get_context("fork")  # all is imported, and nothing has run
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=_fit, args=(name, directory, sender), daemon=True)
    process.start()
    sender.close()
    try:
        if not receiver.poll(_PATIENCE if seconds is None else seconds):
            os.kill(process.pid or 0, signal.SIGKILL)
            return None
        answer: Digests | str = receiver.recv()
    except EOFError:
        process.join(1.0)
        raise RuntimeError(f"{name}: the process ended with {process.exitcode}") from None
    finally:
        process.kill()
        process.join()
        receiver.close()
    if isinstance(answer, str):
        raise RuntimeError(f"{name}: {answer}")
    return answer


def _fit(name: str, directory: Path | None, sender: Any) -> None:
    """Fit, and send the outcome or an error."""
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    training_checkpoint._SECONDS_BETWEEN = known_scores._SECONDS = _SECONDS_BETWEEN
    goes_on = directory is not None and bool(saved_files(directory))
    np.random.seed(os.getpid() if goes_on else 0)  # for fits without a seed
    kind = KINDS[name]
    try:
        with threadpool_limits(1):
            estimator = kind.fitted(None if directory is None else str(directory))
            asked = CONFIGURATIONS[kind.configuration].asked()
            answer: Digests | str = fitted_digests(estimator, asked)
    except Exception as error:  # noqa: BLE001 - whatever it is, it is a result
        answer = f"{type(error).__name__}: {error}"
    sender.send(answer)


def table(records: Sequence[Record]) -> str:
    """A row for each kind and one for all."""
    groups: dict[str, list[Record]] = {}
    for record in records:
        groups.setdefault(record["kind"], []).append(record)
    groups["all"] = list(records)
    head = ["estimator", "trials", "kills", "went on from a file", SAME, FAILED, "seconds of a fit"]
    return markdown_table(head, [_row(kind, group) for kind, group in groups.items()])


def _row(kind: str, records: Sequence[Record]) -> list[str]:
    outcomes = [record["outcome"] for record in records]
    counts = [len(records), *(sum(r[figure] for r in records) for figure in ("kills", "resumed"))]
    counts += [outcomes.count(SAME), outcomes.count(FAILED)]
    seconds = "" if kind == "all" else f"{records[0]['whole']:.1f}"
    return [kind, *map(str, counts), seconds]


if __name__ == "__main__":
    raise SystemExit(main())
