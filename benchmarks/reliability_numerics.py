"""Numerical adversaries: loss, gradient and training where float32 is likely to fail.

Each case draws rows (see `numeric_inputs`: condition numbers to 1e12, missing rank, duplicated and
constant features, classes of one row, one row among ten thousand, rows that are all but equal, more
columns than rows; on scales from 1e-20 to 1e20) and asks one of these:

- the spectral and the leave-one-out loss of float32 rows and their gradients, for ridges from 0 to
  1, also with the rows spread over processes;
- their sums, the linear map in closed form, whitening and spectral normalisation;
- a whole fit of a `DeepMetricClusterer` with a linear, an MLP or a convolutional encoder.

The former are compared with float64 references (see `numeric_references`) that take a singular
value decomposition of the rows, or solve a system of equations for each row. Errors are

- of the spectral loss in units of k, its largest value; of the leave-one-out loss in units of one
  over the temperature, which a row costs that is predicted entirely wrong;
- of a gradient the Frobenius norm, in units of the norm that the gradient would have if each row
  were predicted entirely wrong: 2‖(FᵀF + λI)⁺FᵀJ‖, and ‖(FᵀF + λI)⁻¹FᵀY‖ / (temperature √n);
- of a map or rows the Frobenius norm relative to the whole.

They must lie within the bounds below, whatever the condition is. Without a ridge, a singular value
below 64 eps of the largest is no part of the rank; a figure is left out where one is within 1 % of
that. Where rounding of the rows themselves decides, the bound grows with it: of float64 rows with
eps times the condition number; of whitened rows with eps times the length of the mean over the
spread.

Of a fit, weights, embeddings, centres and history must be finite, and `predict` valid and equal to
`labels_`. A ValueError is accepted only where all rows are equal, or there is one class only.

Run, from the root of the repository::

    python benchmarks/reliability_numerics.py --markdown docs/benchmarks/reliability_numerics.md \
        --json docs/benchmarks/reliability_numerics.json

About 0.05 s a case; ``--quick`` takes seconds, one case of each kind. ``--case K`` runs one again.
"""

from __future__ import annotations

import argparse
import json
import time
import warnings
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any

import numpy as np
import torch
from bench_unsupervised import markdown_table
from numeric_checks import (
    GRADIENT_BOUND,
    LOSS_BOUND,
    Errors,
    check_leave_one_out_loss,
    check_linear_map,
    check_normalization,
    check_sharded_losses,
    check_spectral_loss,
    check_sums,
    check_whitening,
    check_wide_rows,
)
from numeric_fits import check_fit, is_learnable, make_fit
from numeric_inputs import PATTERNS, Rng
from reliability_cases import FAILED, Record, argument_parser, publish, run_cases

WITHIN, REFUSED = "within", "refused"
_N_ROUNDS = 80
_FIGURES = ("loss", "gradient", "map or rows")
_COUNTED = (REFUSED, FAILED)

Act = Callable[[Rng, list[str]], Errors]


def main() -> int:
    """Run the cases, print the table, and write it where wanted."""
    options = parse_options()
    records = run_cases(partial(numeric_cases, options.seed), options)
    note = (
        f"Seed {options.seed}. Bounds: loss {LOSS_BOUND:.0e}, gradient {GRADIENT_BOUND:.0e}; see "
        "the program for units and the other bounds."
    )
    status = publish("Numerical adversaries", figure_table(records), records, note, options)
    if options.json:
        add_figures(options, records)
    return status


def parse_options() -> argparse.Namespace:
    """Options of the command line."""
    options = argument_parser(__doc__, _N_ROUNDS * len(SCHEDULE)).parse_args()
    if options.quick:
        options.cases = min(options.cases, len(KINDS))
    return options


def numeric_cases(seed: int) -> Callable[[int], Record]:
    """The function of a case's number that runs it."""
    torch.set_num_threads(1)

    def run(case: int) -> Record:
        kind = SCHEDULE[case % len(SCHEDULE)]
        rng = np.random.default_rng([seed, case])
        return {"case": case, "kind": kind, **judge(lambda story: KINDS[kind](rng, story))}

    return run


def judge(act: Callable[[list[str]], Errors]) -> dict[str, Any]:
    """Outcome of what a case does; `act` adds to its story while it goes on."""
    story: list[str] = []
    found, outcome, started = Errors(), WITHIN, time.process_time()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            found = act(story)
        except RefusedError as refusal:
            outcome, story = REFUSED, [*story, str(refusal)]
        except BaseException as error:  # noqa: BLE001 - whatever it is, it is a result
            found.faults.append(f"{type(error).__name__}: {error}")
    found.faults += [str(w.message) for w in caught if issubclass(w.category, RuntimeWarning)]
    if found.n_not_finite:
        found.faults.append(f"{found.n_not_finite} numbers are not finite")
    if found.faults:
        outcome, story = FAILED, [*story, *found.faults]
    return {
        "outcome": outcome,
        "detail": "; ".join(story),
        "not finite": found.n_not_finite,
        **found.figures,
        "seconds": time.process_time() - started,
    }


def figure_table(records: Iterable[Record]) -> str:
    """A row for each kind of case and one for all: outcomes and the largest errors."""
    groups: dict[str, list[Record]] = {}
    for record in records:
        groups.setdefault(record["kind"], []).append(record)
    rows = [_row(kind, groups[kind]) for kind in KINDS if kind in groups]
    rows += [_row("?", groups["?"])] if "?" in groups else []
    rows.append(_row("all", [record for group in groups.values() for record in group]))
    largest = [f"largest error: {name}" for name in _FIGURES]
    return markdown_table(["kind", "cases", REFUSED, FAILED, "not finite", *largest], rows)


def _row(kind: str, records: Sequence[Record]) -> list[str]:
    counts = [sum(record["outcome"] == outcome for record in records) for outcome in _COUNTED]
    lost = sum(record.get("not finite", 0) for record in records)
    errors = [[record[name] for record in records if name in record] for name in _FIGURES]
    peaks = [f"{max(values):.1e}" if values and kind != "all" else "" for values in errors]
    return [kind, str(len(records)), *map(str, counts), str(lost), *peaks]


def add_figures(options: argparse.Namespace, records: Iterable[Record]) -> None:
    """Write the largest errors of each kind into the JSON file as well."""
    content = json.loads(options.json.read_text(encoding="utf-8"))
    largest: dict[str, dict[str, float]] = {}
    for record in records:
        peaks = largest.setdefault(record["kind"], {})
        for name in ("not finite", *_FIGURES):
            if name in record:
                peaks[name] = max(peaks.get(name, 0.0), record[name])
    content["largest"] = largest
    options.json.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


class RefusedError(Exception):
    """The data hold nothing to learn, and the estimator said so."""


def _fit(rng: Rng, story: list[str], encoder: str) -> Errors:
    model, X, y = make_fit(rng, story, encoder)
    errors = Errors()
    try:
        model.fit(X, y)
    except ValueError as error:
        if is_learnable(X, y):
            raise
        raise RefusedError(str(error)) from error
    check_fit(model, X, errors.see, errors.faults)
    return errors


KINDS: dict[str, Act] = {
    **{f"spectral loss: {name}": partial(check_spectral_loss, pattern=name) for name in PATTERNS},
    **{
        f"leave-one-out loss: {name}": partial(check_leave_one_out_loss, pattern=name)
        for name in PATTERNS
    },
    "spectral loss of float64 rows": check_wide_rows,
    "losses in several processes": check_sharded_losses,
    "sums": check_sums,
    "linear map": check_linear_map,
    "whitening": check_whitening,
    "spectral normalisation": check_normalization,
    **{f"fit: {name}": partial(_fit, encoder=name) for name in ("linear", "MLP", "convolutions")},
}
"""By name; each takes a generator and a story to add to."""

# Of fits there are four to one of the others.
SCHEDULE = [*KINDS, *(3 * [kind for kind in KINDS if kind.startswith("fit")])]


if __name__ == "__main__":
    raise SystemExit(main())
