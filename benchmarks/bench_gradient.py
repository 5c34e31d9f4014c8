"""Growth of the time of loss and gradient with the mini-batch and with the dimension.

The paper's promise is: linear in the number of rows n, quadratic in the dimension d. Measured are
loss and gradient in float32 for integer labels and random embeddings, over n at a fixed d and over
d at a fixed n. The slope in a log-log plot is the exponent of growth. It is fitted where the two
matrix products that no exact method avoids, FᵀF and F B with B of d x d, make up most of the time:
below, fixed costs and passes over F flatten the curve. These products alone, and the authors' form
with a singular value decomposition, run beside.

In every round all sizes and methods run in turn, so a machine that slows down for a while slows
them all. Times are medians over the rounds; an exponent is fitted in each round, and its median and
range are given. Independent of the machine are the exponents of the counted operations of all
matrix products in the closed form. Its factorisation of a d x d matrix, d³ operations whatever n
is, is in the times only.

Run, from the root of the repository, with nothing else running::

    python benchmarks/bench_gradient.py --markdown docs/benchmarks/gradient.md \
        --json docs/benchmarks/gradient.json --plot docs/images/gradient_scaling.png

Some minutes on two cores. On a busy machine take ``--threads 1``: processor time is counted then.
"""

from __future__ import annotations

import argparse
import math
import statistics
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from bench_loss import (
    Step,
    calls_per_round,
    floor_step,
    machine,
    make_batch,
    seconds,
    spectral_step,
    svd_step,
    verdict,
)
from bench_unsupervised import markdown_table, publish
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

CLOSED_FORM, SVD_FORM, PRODUCTS = "closed form", "SVD form", "two products"
STEPS: dict[str, Step] = {
    CLOSED_FORM: partial(spectral_step, ridge=0.0),
    SVD_FORM: svd_step,
    PRODUCTS: floor_step,
}
Times = dict[str, list[list[float]]]


@dataclass(frozen=True)
class Axis:
    """One quantity grows, the others stay.

    Attributes
    ----------
    name : {"n", "d"}
        What grows.
    values : tuple of int
        Its values, ascending.
    fixed : int
        The other one of n and d.
    n_classes : int
    fit_from : int
        The exponent is fitted over the values from this one on.
    target : tuple of float
        Least and largest exponent wanted.
    """

    name: str
    values: tuple[int, ...]
    fixed: int
    n_classes: int
    fit_from: int
    target: tuple[float, float]

    def size(self, value: int) -> tuple[int, int, int]:
        """The whole size (n, d, k)."""
        n, d = (value, self.fixed) if self.name == "n" else (self.fixed, value)
        return n, d, self.n_classes

    @property
    def fitted(self) -> slice:
        """Positions of the values over which the exponent is fitted."""
        return slice(self.values.index(self.fit_from), None)


ROW_TARGET, DIMENSION_TARGET = (0.9, 1.1), (-math.inf, 2.1)
AXES = [
    Axis("n", tuple(2**i for i in range(9, 18)), 128, 64, 2**13, ROW_TARGET),
    Axis("d", tuple(2**i for i in range(4, 11)), 2**14, 64, 2**7, DIMENSION_TARGET),
]
QUICK_AXES = [
    Axis("n", (64, 128, 256), 8, 8, 64, ROW_TARGET),
    Axis("d", (4, 8, 16), 256, 8, 4, DIMENSION_TARGET),
]


def measure(axes: Sequence[Axis], repeats: int) -> list[Times]:
    """Seconds of every method by round and value, for each axis."""
    batches = [[make_batch(*axis.size(value)) for value in axis.values] for axis in axes]
    calls = [[calls_of(batch) for batch in of_axis] for of_axis in batches]
    results: list[Times] = [{name: [] for name in STEPS} for _ in axes]
    for i in range(repeats):
        print(f"round {i + 1} of {repeats} ...", file=sys.stderr, flush=True)
        for times, of_axis, n_calls in zip(results, batches, calls, strict=True):
            for name, step in STEPS.items():
                pairs = zip(of_axis, n_calls, strict=True)
                times[name].append([timed(step, *batch, n[name]) for batch, n in pairs])
    return results


def timed(step: Step, embedding: Tensor, y: Tensor, n_calls: int) -> float:
    """Seconds of one call; short ones as in a training loop: threads awake, caches full."""
    if n_calls > 1:
        seconds(step, embedding, y)
    return seconds(step, embedding, y, n_calls)


def calls_of(batch: tuple[Tensor, Tensor]) -> dict[str, int]:
    """Calls to be timed together, found on the second of two calls of every method."""
    calls = {}
    for name, step in STEPS.items():
        seconds(step, *batch)
        calls[name] = calls_per_round(seconds(step, *batch))
    return calls


def counted_operations(size: tuple[int, int, int]) -> int:
    """Multiplications and additions of the matrix products of the closed form."""
    batch = make_batch(*size)
    in_place = {torch.ops.aten.addmm_: operations_in_place}  # F B, unknown to the counter
    with FlopCounterMode(display=False, custom_mapping=in_place) as counter:
        STEPS[CLOSED_FORM](*batch)
    return int(counter.get_total_flops())


def operations_in_place(_: torch.Size, left: torch.Size, right: torch.Size, **unused: Any) -> int:
    """Operations of a product of two matrices of these shapes that is added to a third."""
    return 2 * left[0] * left[1] * right[1]


def exponent(values: Sequence[float], costs: Sequence[float]) -> float:
    """The power p for which c · valueᵖ is nearest to the costs: least squares of logarithms."""
    return float(np.polyfit(np.log(values), np.log(costs), 1)[0])


def fitted_exponents(axis: Axis, rounds: Sequence[Sequence[float]]) -> list[float]:
    """The exponent of every round."""
    return [exponent(axis.values[axis.fitted], times[axis.fitted]) for times in rounds]


def medians(rounds: Sequence[Sequence[float]]) -> list[float]:
    """Median over the rounds for every value."""
    return [statistics.median(times) for times in zip(*rounds, strict=True)]


# The report.


def time_table(axis: Axis, times: Times) -> str:
    """Times, their ratios within a round, and counted operations."""
    head = ["n", "d", "k", *(f"{name}, ms" for name in STEPS), "SVD form / closed form"]
    head += ["closed form / two products", "10⁶ operations of products"]
    columns = [[1e3 * value for value in medians(times[name])] for name in STEPS]
    columns += [medians(ratios(times, SVD_FORM, CLOSED_FORM))]
    columns += [medians(ratios(times, CLOSED_FORM, PRODUCTS))]
    columns += [[counted_operations(axis.size(value)) / 1e6 for value in axis.values]]
    sizes = [[f"{v:,}" for v in axis.size(value)] for value in axis.values]
    cells = [[*size, *map(digits, row)] for size, *row in zip(sizes, *columns, strict=True)]
    return markdown_table(head, cells)


def ratios(times: Times, above: str, below: str) -> list[list[float]]:
    """Ratio of two methods by round and value."""
    return (np.array(times[above]) / np.array(times[below])).tolist()


def digits(value: float) -> str:
    """Three significant digits, without an exponent."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def exponent_table(axes: Sequence[Axis], results: Sequence[Times]) -> str:
    """Fitted exponents of times and of counted operations, with their targets."""
    rows = []
    for axis, times in zip(axes, results, strict=True):
        for name in STEPS:
            found = fitted_exponents(axis, times[name])
            middle = statistics.median(found)
            spread = f"{middle:.2f} ({min(found):.2f} to {max(found):.2f})"
            rows.append([*fit_range(axis), name, spread, *judged(axis, name, middle)])
        costs = [counted_operations(axis.size(value)) for value in axis.values]
        counted = exponent(axis.values[axis.fitted], costs[axis.fitted])
        rows.append([*fit_range(axis), "counted products", f"{counted:.2f}", "", ""])
    return markdown_table(["over", "from", "to", "of", "exponent", "target", ""], rows)


def fit_range(axis: Axis) -> list[str]:
    """What grows, and between which values the exponent is fitted."""
    return [axis.name, f"{axis.fit_from:,}", f"{axis.values[-1]:,}"]


def judged(axis: Axis, name: str, value: float) -> list[str]:
    """Target and verdict; both empty for what is only there to be compared with."""
    if name != CLOSED_FORM:
        return ["", ""]
    low, high = axis.target
    wanted = f"{low:g} to {high:g}" if math.isfinite(low) else f"at most {high:g}"
    return [wanted, verdict(low <= value <= high, value)]


def draw(axes: Sequence[Axis], results: Sequence[Times], path: Path) -> None:
    """Times over n and over d with the fitted power laws, as a picture."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 4.4), layout="constrained")
    for ax, axis, times in zip(figure.subplots(1, 2), axes, results, strict=True):
        for name, color in zip(STEPS, ("tab:blue", "tab:red", "0.6"), strict=True):
            found = statistics.median(fitted_exponents(axis, times[name]))
            middle = 1e3 * np.array(medians(times[name]))
            label = f"{name}: {axis.name}$^{{{found:.2f}}}$"
            ax.loglog(axis.values, middle, "o", ms=4, color=color, label=label)
            values = np.array(axis.values[axis.fitted], dtype=float)
            scale = np.exp(np.mean(np.log(middle[axis.fitted]) - found * np.log(values)))
            ax.loglog(values, scale * values**found, color=color, lw=1)
        ax.axvspan(axis.fit_from, axis.values[-1], color="0.95", zorder=0)
        other = f"{'d' if axis.name == 'n' else 'n'} = {axis.fixed:,}"
        ax.set(title=f"{other}, {axis.n_classes} classes", xlabel=axis.name, ylabel="ms")
        ax.set_xticks(axis.values, [f"{v:,}" for v in axis.values], rotation=40, fontsize=8)
        ax.minorticks_off()
        ax.legend(loc="upper left")
    figure.suptitle("Time of loss and gradient; exponents are fitted in the grey range")
    figure.savefig(path, dpi=120)


def parse_options(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Options of the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--repeats", type=int, default=9, help="rounds")
    parser.add_argument("--quick", action="store_true", help="smoke run: small sizes, three rounds")
    parser.add_argument("--markdown", type=Path, help="file for the tables")
    parser.add_argument("--json", type=Path, help="file for all single times")
    parser.add_argument("--plot", type=Path, help="file for the picture")
    parser.add_argument("--threads", type=int, help="threads of torch; 1 counts processor time")
    options = parser.parse_args(arguments)
    if options.quick:
        options.repeats = min(3, options.repeats)
    return options


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, print the tables, and write tables, times and picture where wanted."""
    options = parse_options(arguments)
    if options.threads:
        torch.set_num_threads(options.threads)
    axes = QUICK_AXES if options.quick else AXES
    results = measure(axes, options.repeats)
    note = f"Medians of {options.repeats} rounds; " + ", ".join(
        f"{key} {value}" for key, value in machine().items()
    )
    tables = [time_table(axis, times) for axis, times in zip(axes, results, strict=True)]
    report = "\n\n".join([exponent_table(axes, results), *tables, f"{note}."])
    publish(report, single_times(axes, results), [note], options, "Growth of time with n and d")
    if options.plot:
        draw(axes, results, options.plot)


def single_times(axes: Sequence[Axis], results: Sequence[Times]) -> dict[str, Times]:
    """Seconds of each round by size and method."""
    return {
        "n = {:,}, d = {:,}, k = {:,}, over ".format(*axis.size(value)) + axis.name: {
            name: [of_round[i] for of_round in rounds] for name, rounds in times.items()
        }
        for axis, times in zip(axes, results, strict=True)
        for i, value in enumerate(axis.values)
    }


if __name__ == "__main__":
    main()
