"""Time and memory of the spectral clustering loss beside its alternatives.

    python benchmarks/bench_loss.py                       # every size, some minutes
    python benchmarks/bench_loss.py --quick               # two small sizes, some seconds
    python benchmarks/bench_loss.py --markdown loss.md --json loss.json

Forward plus backward, float32, integer labels, random embeddings. The floor is the two matrix
products that no exact method avoids, FᵀF and F B with B of d x d. All contenders run in turn in
every round, and a ratio is the median over the rounds of ratios within one round, so a machine
that slows down for a while slows them all. On a busy machine take ``--threads 1``: processor time
is counted then, which other programs disturb little. Peak memory is measured in a fresh process
for each contender: the high-water mark of its resident memory above the level reached once the
inputs exist and the contender has run on a tiny batch.

The pair losses come from pytorch-metric-learning and are left out where it is not installed.
"""

from __future__ import annotations

import argparse
import json
import math
import multiprocessing
import os
import platform
import statistics
import sys
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass, field
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import one_hot

from skdeepclust import spectral_clustering_loss

Step = Callable[[Tensor, Tensor], object]

SIZES = [
    (256, 64, 32),
    (1024, 64, 64),
    (1024, 256, 200),
    (4096, 64, 64),
    (4096, 256, 200),
    (4096, 512, 500),
    (4096, 1024, 1000),
    (16384, 128, 128),
    (16384, 512, 500),
    (65536, 64, 64),
    (65536, 256, 5000),
]
QUICK_SIZES = [(64, 8, 8), (256, 16, 8)]
# Each measurement of memory starts a process.
_QUICK_MEASURED = 2
MAX_BYTES = 4e9
MAX_SECONDS = 10.0
FLOOR_TARGET, FLOOR_TARGET_ROWS = 1.25, 4096
SVD_TARGET, SVD_TARGET_ROWS = 6.0, 1024
OURS = ("ridge 0", "ridge 1")
PAIR_LOSSES = {
    "MultiSimilarity": "MultiSimilarityLoss",
    "triplet": "TripletMarginLoss",
    "NTXent": "NTXentLoss",
}


@dataclass
class Result:
    """Measurements of one size; a contender missing from `ratios` has a reason in `skipped`."""

    size: tuple[int, int, int]
    floor_ms: float = math.nan
    ratios: dict[str, float] = field(default_factory=dict)
    svd_over: dict[str, float] = field(default_factory=dict)
    memory_mb: dict[str, float] = field(default_factory=dict)
    skipped: dict[str, str] = field(default_factory=dict)


# The contenders: each does one forward and backward pass.


def floor_step(embedding: Tensor, y: Tensor) -> object:
    rows = embedding.detach()
    return rows @ (rows.T @ rows)


def spectral_step(embedding: Tensor, y: Tensor, ridge: float) -> object:
    return spectral_clustering_loss(embedding, y, ridge=ridge).backward()


def normalized_one_hot(y: Tensor, dtype: torch.dtype) -> Tensor:
    counts = torch.bincount(y)
    scales = torch.where(counts > 0, counts, 1).to(dtype).rsqrt()
    return one_hot(y).to(dtype) * scales  # J (n, k)


def svd_step(embedding: Tensor, y: Tensor) -> object:
    """The authors' form: the pseudo-inverse by SVD, then the gradient in closed form."""
    rows = embedding.detach()
    left, values, right = torch.linalg.svd(rows, full_matrices=False)
    cutoff = values.max() * max(rows.shape) * torch.finfo(rows.dtype).eps
    inverses = torch.where(values > cutoff, 1 / values, 0)
    pseudo_inverse = (right.T * inverses) @ left.T  # F⁺ (d, n)
    targets = normalized_one_hot(y, rows.dtype)
    mapped = pseudo_inverse @ targets  # F⁺ J (d, k)
    residual = rows @ mapped - targets  # (n, k)
    return -(targets * residual).sum(), 2 * residual @ mapped.T


def autograd_step(embedding: Tensor, y: Tensor) -> object:
    """The objective k - tr(C F F⁺), differentiated through torch.linalg.pinv."""
    targets = normalized_one_hot(y, embedding.dtype)
    mapped = torch.linalg.pinv(embedding) @ targets
    return (-(targets * (embedding @ mapped)).sum()).backward()


def pair_step(embedding: Tensor, y: Tensor, loss: Any) -> object:
    return loss(embedding, y).backward()


def contenders() -> dict[str, Step]:
    steps: dict[str, Step] = {
        "floor": floor_step,
        OURS[0]: partial(spectral_step, ridge=0.0),
        OURS[1]: partial(spectral_step, ridge=1.0),
        "SVD form": svd_step,
        "autograd pinv": autograd_step,
    }
    losses = pair_losses()
    if losses:
        for name, class_name in PAIR_LOSSES.items():
            steps[name] = partial(pair_step, loss=getattr(losses, class_name)())
    return steps


def pair_losses() -> Any:
    """The module of losses of pytorch-metric-learning, or None without it."""
    try:
        return import_module("pytorch_metric_learning.losses")
    except ImportError:
        return None


# What is left out, and why.


def expected_bytes(name: str, n: int, d: int, k: int) -> float:
    """Leading terms of the memory of a contender."""
    positives, negatives = n * (n / k - 1), n * (n - n / k)
    return {
        "SVD form": 4.0 * (3 * n * k + 3 * n * d),
        # Its derivative is written with the n x n projectors.
        "autograd pinv": 8.0 * n * n + 4.0 * (4 * n * k + 6 * n * d),
        # Similarities, exponentials and masks of all pairs, and their gradients.
        "MultiSimilarity": 40.0 * n * n,
        # An n x n x n mask, then indices and distances of every triplet.
        "triplet": float(n) ** 3 + 60 * positives * (n - n / k),
        # A matrix of all positive pairs x all negative pairs, four times.
        "NTXent": 16.0 * positives * negatives,
    }.get(name, 0.0)


def reason_to_skip(name: str, n: int, d: int, k: int) -> str | None:
    needed = expected_bytes(name, n, d, k)
    return f"would need about {needed / 1e9:,.0f} GB" if needed > MAX_BYTES else None


# Measurements.


def make_batch(n: int, d: int, k: int) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    embedding = torch.randn(n, d, generator=generator)
    y = (torch.arange(n) % k)[torch.randperm(n, generator=generator)]
    return embedding.requires_grad_(), y


def seconds(step: Step, embedding: Tensor, y: Tensor, n_calls: int = 1) -> float:
    clock = time.process_time if torch.get_num_threads() == 1 else time.perf_counter
    start = clock()
    for _ in range(n_calls):
        embedding.grad = None
        step(embedding, y)
    return (clock() - start) / n_calls


def calls_per_round(first: float) -> int:
    """Calls below the resolution of the clock and the scheduler are timed together."""
    return max(1, min(200, int(30e-3 / first)))


def run_rounds(
    steps: dict[str, Step], embedding: Tensor, y: Tensor, repeats: int, skipped: dict[str, str]
) -> dict[str, list[float]]:
    """Times of every contender in every round, after one call to warm up."""
    calls = {}
    for name, step in steps.items():
        seconds(step, embedding, y)
        first = seconds(step, embedding, y)
        if first > MAX_SECONDS:
            skipped[name] = f"takes {first:.0f} s"
        else:
            calls[name] = calls_per_round(first)
    times: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(repeats):
        for name, n_calls in calls.items():
            if n_calls > 1:  # as in a training loop: threads awake, caches full
                seconds(steps[name], embedding, y)
            times[name].append(seconds(steps[name], embedding, y, n_calls))
    return times


def median_ratio(above: list[float], below: list[float]) -> float:
    return statistics.median(a / b for a, b in zip(above, below, strict=True))


def measure(size: tuple[int, int, int], repeats: int, n_measured: int | None = None) -> Result:
    """Times of all contenders at one size, and memory of the first so many."""
    result = Result(size)
    steps = contenders()
    for name in list(steps):
        reason = reason_to_skip(name, *size)
        if reason:
            result.skipped[name] = reason
            del steps[name]
    times = run_rounds(steps, *make_batch(*size), repeats, result.skipped)
    result.floor_ms = 1e3 * statistics.median(times["floor"])
    result.ratios = {name: median_ratio(times[name], times["floor"]) for name in times}
    if "SVD form" in times:
        result.svd_over = {name: median_ratio(times["SVD form"], times[name]) for name in OURS}
    measured = list(times)[:n_measured]
    result.memory_mb = {name: peak_memory_mb(name, size) for name in measured}
    return result


def peak_memory_mb(name: str, size: tuple[int, int, int]) -> float:
    """Memory of one pass above that of its inputs, measured in a fresh process."""
    if not Path("/proc/self/clear_refs").exists():
        return math.nan
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["__main__", "pytorch_metric_learning.losses"])
    with ProcessPoolExecutor(1, mp_context=context) as pool:
        return pool.submit(own_peak_memory_mb, name, size).result()


def own_peak_memory_mb(name: str, size: tuple[int, int, int]) -> float:
    step = contenders()[name]
    step(*make_batch(32, 4, 4))
    embedding, y = make_batch(*size)
    Path("/proc/self/clear_refs").write_text("5")  # resets the high-water mark
    before = high_water_mark_mb()
    step(embedding, y)
    return high_water_mark_mb() - before


def high_water_mark_mb() -> float:
    lines = Path("/proc/self/status").read_text().splitlines()
    return float(next(line.split()[1] for line in lines if line.startswith("VmHWM"))) / 1024


# The report.


def machine() -> dict[str, Any]:
    return {
        "processor": platform.machine(),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
        "python": platform.python_version(),
    }


def table(rows: list[list[str]]) -> str:
    head, *body = rows
    lines = [head, ["---:"] * len(head), *body]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)


class Footnotes:
    """Numbers the reasons for which something was left out."""

    def __init__(self) -> None:
        self.reasons: list[str] = []

    def mark(self, reason: str) -> str:
        """The cell of a table that points to the reason."""
        if reason not in self.reasons:
            self.reasons.append(reason)
        return f"- [{self.reasons.index(reason) + 1}]"

    def __str__(self) -> str:
        return "\n".join(f"[{i}] {reason}  " for i, reason in enumerate(self.reasons, 1))


def time_row(result: Result, names: list[str], notes: Footnotes) -> list[str]:
    cells = [f"{v:,}" for v in result.size] + [f"{result.floor_ms:.3g}"]
    for name in names:
        if name in result.ratios:
            cells.append(f"{result.ratios[name]:.3g}")
        else:
            cells.append(notes.mark(f"{name} {result.skipped[name]}"))
    return [*cells, *(f"{v:.3g}" for v in result.svd_over.values())] + ["-"] * (
        len(OURS) - len(result.svd_over)
    )


def memory_row(result: Result, names: list[str]) -> list[str]:
    n, d, _ = result.size
    values = [result.memory_mb.get(name, math.nan) for name in names]
    cells = ["-" if math.isnan(v) else f"{v:,.0f}" for v in values]
    return [*(f"{v:,}" for v in result.size), f"{4e-6 * n * d:,.0f}", *cells]


def targets(results: list[Result]) -> list[str]:
    """The promises of the loss, each with the worst case that was seen."""
    large = [r for r in results if r.size[0] >= FLOOR_TARGET_ROWS]
    rivals = [r for r in results if r.size[0] >= SVD_TARGET_ROWS and r.svd_over]
    lines = []
    for name in OURS:
        worst = max((r.ratios[name] for r in large), default=math.nan)
        least = min((r.svd_over[name] for r in rivals), default=math.nan)
        lines += [
            f"- {name}: at most {FLOOR_TARGET} x the floor for n >= {FLOOR_TARGET_ROWS:,}: "
            f"worst {worst:.2f}: {verdict(worst <= FLOOR_TARGET, worst)}",
            f"- {name}: at least {SVD_TARGET:.0f} x faster than the SVD form for n >= "
            f"{SVD_TARGET_ROWS:,}: least {least:.1f}: {verdict(least >= SVD_TARGET, least)}",
        ]
    largest = max(results, key=lambda r: r.size[0])
    n = largest.size[0]
    used = largest.memory_mb[OURS[0]] if large else math.nan
    lines.append(
        f"- no n x n memory: {used:,.0f} MB used at n = {n:,}, where n x n numbers take "
        f"{4 * n * n / 2**20:,.0f} MB: {verdict(used < 4 * n * n / 2**20, used)}"
    )
    return lines


def verdict(met: bool, value: float) -> str:
    return "not measured" if math.isnan(value) else "met" if met else "MISSED"


def report(results: list[Result]) -> str:
    names = [name for name in contenders() if name != "floor"]
    notes = Footnotes()
    head = ["n", "d", "k"]
    speedups = [f"SVD form / {name}" for name in OURS]
    times = table(
        [[*head, "floor, ms", *names, *speedups]] + [time_row(r, names, notes) for r in results]
    )
    memory = table([[*head, "F itself", *names]] + [memory_row(r, names) for r in results])
    facts = ", ".join(f"{key} {value}" for key, value in machine().items())
    parts = [
        f"Machine: {facts}.",
        "Time of forward + backward, as multiples of the floor (FᵀF and F B).\n\n" + times,
        str(notes),
        "Peak memory of one pass above its inputs, MB.\n\n" + memory,
        "Targets:\n\n" + "\n".join(targets(results)),
    ]
    if not pair_losses():
        parts.append("The pair losses need `pip install pytorch-metric-learning`.")
    return "\n\n".join(part for part in parts if part) + "\n"


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--repeats", type=int, default=15, help="rounds for each size")
    parser.add_argument("--quick", action="store_true", help="two small sizes, three rounds")
    parser.add_argument("--json", type=Path, help="write the numbers to this file")
    parser.add_argument("--markdown", type=Path, help="write the report to this file")
    parser.add_argument("--threads", type=int, help="threads of torch; 1 counts processor time")
    options = parser.parse_args(arguments)
    if options.threads:
        torch.set_num_threads(options.threads)

    results = []
    for size in QUICK_SIZES if options.quick else SIZES:
        print("n = {:,}, d = {:,}, k = {:,} ...".format(*size), file=sys.stderr, flush=True)
        effort = (min(3, options.repeats), _QUICK_MEASURED) if options.quick else (options.repeats,)
        results.append(measure(size, *effort))
    text = report(results)
    print(text)
    if options.markdown:
        options.markdown.write_text(text, encoding="utf-8")
    if options.json:
        content = {"machine": machine(), "results": [asdict(result) for result in results]}
        options.json.write_text(json.dumps(content, indent=2), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
