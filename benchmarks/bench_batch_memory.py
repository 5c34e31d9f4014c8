"""Memory and time of a training step over the size of its batch, in one pass and in two.

A step is the loss of a batch and its gradient with respect to the weights of an encoder. In one
pass all activations are held until the gradient has passed them; in two, which
`DeepMetricClusterer` takes for batches above 8,192 rows, those of 8,192 rows at most, and the
network is evaluated twice. Batches of 64 classes, an embedding of 64 dimensions; the MLP for rows
of 256 features, the ConvEncoder for images of 28 x 28.

Each step runs in a process of its own, after one with a small batch. Memory is the growth of its
largest resident set, without the batch itself. Time is the median of several steps, and noisy
where the machine does other work.

Run, from the root of the repository::

    python benchmarks/bench_batch_memory.py --json docs/benchmarks/batch_memory.json \
        --markdown docs/benchmarks/batch_memory.md

About ten minutes. The JSON file is added to: what it holds is not measured again. ``--quick``
takes seconds.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from bench_scale import run_job
from bench_unsupervised import argument_parser, markdown_table
from resident_memory import peak_memory, reset_peak
from scale_methods import limit_memory
from torch import Tensor, nn
from torch.nn import functional
from unseen_classes import Store, publish

from skdeepclust import ConvEncoder, MLPEncoder
from skdeepclust.training import TrainingPlan
from skdeepclust.training._two_passes import CHUNK_ROWS, backward_in_chunks

SIZES = {
    "MLP": (4_096, 16_384, 65_536, 262_144, 1_048_576),
    "conv": (1_024, 4_096, 16_384, 65_536),
}
_QUICK_SIZES = {"MLP": (512,)}
_SHAPES = {"MLP": (256,), "conv": (1, 28, 28)}
SCHEMES = ("one pass", "two passes")
_DIM, _N_CLASSES, _WARM_UP_ROWS = 64, 64, 256
_N_STEPS = 3
_GIB, _MIB = 2**30, 2**20
_REASONS = {"time": "out of time", "memory": "out of memory", "failed": "failed"}

Records = Mapping[str, Any]


# One measurement.


def measure(job: Mapping[str, Any]) -> dict[str, Any]:
    """MiB that the first step adds to the largest resident set, and seconds of a step."""
    torch.manual_seed(0)
    shape = _SHAPES[job["encoder"]]
    encoder = MLPEncoder() if job["encoder"] == "MLP" else ConvEncoder()
    network = encoder.build(shape, _DIM).train()
    inputs = torch.randn(job["rows"], *shape)
    y = torch.arange(job["rows"]) % _N_CLASSES
    step(network, inputs[:_WARM_UP_ROWS], y[:_WARM_UP_ROWS], _WARM_UP_ROWS)
    n_at_once = job["rows"] if job["scheme"] == SCHEMES[0] else job["chunk"]
    reset_peak()
    before = peak_memory()
    seconds = [_timed(network, inputs, y, n_at_once)]
    after = peak_memory()
    seconds += [_timed(network, inputs, y, n_at_once) for _ in range(job["steps"] - 1)]
    found = None if before is None or after is None else (after - before) / _MIB
    return {"status": "done", "MiB": found, "seconds": statistics.median(seconds)}


def _timed(network: nn.Module, inputs: Tensor, y: Tensor, n_at_once: int) -> float:
    started = time.perf_counter()
    step(network, inputs, y, n_at_once)
    return time.perf_counter() - started


def step(network: nn.Module, inputs: Tensor, y: Tensor, n_at_once: int) -> None:
    """Leave the gradient of a batch in the weights."""
    plan = TrainingPlan(1, 1e-3, 0.0, ridge=1.0, patience=1, loss="leave-one-out")
    network.zero_grad(set_to_none=True)
    if len(inputs) > n_at_once:
        backward_in_chunks(network, inputs, lambda f: plan.loss_and_objective(f, y), n_at_once)
        return
    embedding = functional.normalize(network(inputs), dim=1, eps=1e-12)
    plan.loss_and_objective(embedding, y)[0].backward()


# All of them.


def main() -> None:
    """Measure what is not in the file yet, print the tables, and write them where wanted."""
    options = parse_options()
    common = {"benchmark": "batch_memory", "quick": options.quick, "threads": options.threads}
    store = Store(options.json, {**common, "GiB": options.memory, "chunk": options.chunk})
    sizes = _QUICK_SIZES if options.quick else SIZES
    for encoder, numbers in sizes.items():
        for n_rows in numbers:
            for scheme in SCHEMES:
                _keep(store, options, encoder, n_rows, scheme)
    publish(report(store.records, options), "Batches larger than memory", options.markdown)


def parse_options(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Options of the command line; a quick run has defaults of its own."""
    parser = argument_parser(__doc__)
    parser.add_argument("--limit", type=float, default=300.0, help="seconds of a measurement")
    parser.add_argument("--memory", type=float, default=16.0, help="GiB that it may allocate")
    parser.add_argument("--threads", type=int, default=2, help="threads of torch and BLAS")
    options = parser.parse_args(arguments)
    options.chunk = 64 if options.quick else CHUNK_ROWS
    return options


def _keep(
    store: Store, options: argparse.Namespace, encoder: str, n_rows: int, scheme: str
) -> None:
    job: dict[str, Any] = {"encoder": encoder, "rows": n_rows, "scheme": scheme}
    job |= {"chunk": options.chunk, "steps": 1 if options.quick else _N_STEPS}
    job["memory"] = options.memory * _GIB
    program = Path(__file__).name
    store.recall(
        (encoder, str(n_rows), scheme),
        {},
        lambda: run_job(job, options.limit, options.threads, program),
    )


def report(records: Records, options: argparse.Namespace) -> list[str]:
    """A table of each encoder, and what was done."""
    parts = []
    heads = ["rows", "batch, MiB", *(f"{s}, MiB" for s in SCHEMES), "time of two / of one"]
    for encoder, by_size in records.items():
        sizes = sorted((int(n), found) for n, found in by_size.items())
        rows = [[f"{n:,}", *_cells(n, encoder, found)] for n, found in sizes]
        parts += [f"## {encoder}", markdown_table(heads, rows)]
    return [
        *parts,
        f"Two passes in chunks of {options.chunk:,} rows; smaller batches are one pass in either "
        f"column. The leave-one-out loss, {_DIM} dimensions and {_N_CLASSES} classes; "
        f"{options.threads} threads, at most {options.memory:g} GiB. Memory is what a step adds "
        "to the batch and the network; time is the median of several steps.",
    ]


def _cells(n_rows: int, encoder: str, found: Mapping[str, Any]) -> list[str]:
    cells = torch.Size(_SHAPES[encoder]).numel() * n_rows * 4 / _MIB
    one, two = (found.get(scheme, {"status": "failed"}) for scheme in SCHEMES)
    both = one["status"] == two["status"] == "done"
    ratio = f"{two['seconds'] / one['seconds']:.2f}" if both else "–"
    return [f"{cells:,.1f}", _memory(one), _memory(two), ratio]


def _memory(record: Mapping[str, Any]) -> str:
    if record["status"] != "done":
        return _REASONS[record["status"]]
    return "–" if record["MiB"] is None else f"{record['MiB']:,.0f}"


def _main_of_job() -> None:
    """Print what one measurement found, or that memory did not suffice."""
    job = json.loads(sys.argv[1])
    limit_memory(job["memory"])
    try:
        found = measure(job)
    except (MemoryError, RuntimeError) as error:
        if isinstance(error, RuntimeError) and "allocate" not in str(error):
            raise
        found = {"status": "memory"}
    print(json.dumps(found))


if __name__ == "__main__":
    _main_of_job() if sys.argv[1:2] and sys.argv[1].startswith("{") else main()
