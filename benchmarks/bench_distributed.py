"""Bytes and time of a training step whose batch is spread over processes.

    python benchmarks/bench_distributed.py                # every size, some minutes
    python benchmarks/bench_distributed.py --quick        # two small sizes, some seconds
    python benchmarks/bench_distributed.py --markdown distributed.md --json distributed.json

Two processes on the loopback interface (gloo), each with half of the rows of a batch. A step is
the loss and its gradient for the own rows; the network, and the sums of its gradient that any
method adds up, are left out. Contenders:

- sums: `sharded_losses`, which adds up Gram, class sums and counts, as `DeepMetricClusterer` does;
  and the same of the leave-one-out loss, which adds up as many again for its gradient;
- gathered: every process gets the embeddings of all, as the wrapper of pytorch-metric-learning
  for distributed training has it, and computes the whole spectral loss;
- pml: that wrapper itself around a loss of its own, MultiSimilarityLoss, up to 2,048 rows on each
  process and where the package is installed.

Bytes are those that a process sends in a step: computed for ring algorithms, and as the loopback
interface counts them, with headers (other traffic there would count, too). The last table is
computed only: what each process sends on a ring of 8, 64 and 512 processes.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from datetime import timedelta
from functools import partial
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor
from torch.nn import functional

from skdeepclust import spectral_clustering_loss
from skdeepclust.spectral import sharded_losses, sharded_sums_size
from skdeepclust.training import Ranks

Step = Callable[[Tensor, Tensor], object]

N_RANKS = 2
# Rows of a batch on each rank, columns; as many classes as columns, at most 64.
SIZES = [(rows, dim) for dim in (64, 128, 256) for rows in (256, 1024, 4096)]
QUICK_SIZES = [(32, 8), (64, 8)]
MAX_CLASSES = 64
MAX_PAIR_ROWS = 2048
RIDGE, TEMPERATURE = 1.0, 0.04
PAPER_RANKS = (8, 64, 512)
PAPER_SIZES = [(256, 64), (256, 128), (1024, 128), (1024, 256)]
OURS, LEAVE_ONE_OUT, GATHERED, PAIRS = "sums", "sums, leave-one-out", "gathered", "pml"


@dataclass
class Result:
    """Measurements of one size, by contender."""

    rows: int
    dim: int
    n_classes: int
    ms: dict[str, float] = field(default_factory=dict)
    computed_bytes: dict[str, float] = field(default_factory=dict)
    counted_bytes: dict[str, float] = field(default_factory=dict)
    difference: float = 0.0


# What a ring sends.


def reduced_bytes(n_bytes: float, n_ranks: int) -> float:
    """Sent by each rank so that all have the sums of n_bytes of each."""
    return 2 * (n_ranks - 1) / n_ranks * n_bytes


def gathered_bytes(n_bytes: float, n_ranks: int) -> float:
    """Sent by each rank so that all have the n_bytes of each."""
    return (n_ranks - 1) * n_bytes


def step_bytes(name: str, rows: int, dim: int, n_classes: int, n_ranks: int) -> float:
    """Sent by each rank in a step; float32 numbers, labels of 8 bytes."""
    sums = 4.0 * (sharded_sums_size(dim, n_classes) + 1)  # and whether a rank failed
    if name == OURS:
        return reduced_bytes(sums, n_ranks)
    if name == LEAVE_ONE_OUT:
        again = 4.0 * (dim * dim + n_classes * dim + 2)  # and the same before it
        return reduced_bytes(sums + again, n_ranks)
    return gathered_bytes(4.0 * rows * dim + 8.0 * rows, n_ranks)


# The contenders, each on one rank: loss of the batch, gradient of the own rows.


def sums_step(embedding: Tensor, y: Tensor, ranks: Ranks, temperature: float | None) -> object:
    n_classes = int(min(MAX_CLASSES, embedding.shape[1]))
    ranks.promise(sharded_sums_size(embedding.shape[1], n_classes), torch.float32)
    loss, _ = sharded_losses(
        embedding, y, n_classes, ranks.sums, ridge=RIDGE, temperature=temperature
    )
    return loss.backward()


def all_rows(own: Tensor) -> Tensor:
    """Rows of all ranks; the own ones carry the gradient."""
    parts = [torch.empty_like(own) for _ in range(dist.get_world_size())]
    dist.all_gather(parts, own.detach())
    parts[dist.get_rank()] = own
    return torch.cat(parts)


def gathered_step(embedding: Tensor, y: Tensor) -> object:
    return spectral_clustering_loss(all_rows(embedding), all_rows(y), ridge=RIDGE).backward()


def pair_step(embedding: Tensor, y: Tensor, loss: Any) -> object:
    return loss(embedding, y).backward()


def contenders(rows: int, ranks: Ranks) -> dict[str, Step]:
    steps: dict[str, Step] = {
        OURS: partial(sums_step, ranks=ranks, temperature=None),
        LEAVE_ONE_OUT: partial(sums_step, ranks=ranks, temperature=TEMPERATURE),
        GATHERED: gathered_step,
    }
    if find_spec("pytorch_metric_learning") and rows <= MAX_PAIR_ROWS:
        inner = import_module("pytorch_metric_learning.losses").MultiSimilarityLoss()
        tools = import_module("pytorch_metric_learning.utils.distributed")
        steps[PAIRS] = partial(pair_step, loss=tools.DistributedLossWrapper(inner))
    return steps


# Measurements, by every rank alike.


def make_batch(rows: int, dim: int, rank: int) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(rank)
    embedding = functional.normalize(torch.randn(rows, dim, generator=generator), dim=1)
    y = torch.randint(min(MAX_CLASSES, dim), (rows,), generator=generator)
    return embedding.requires_grad_(), y


def gradient(step: Step, embedding: Tensor, y: Tensor) -> Tensor:
    embedding.grad = None
    step(embedding, y)
    assert embedding.grad is not None
    return embedding.grad


def loopback_bytes() -> int:
    """Sent over the loopback interface so far, by all processes; 0 where nothing counts them."""
    path = Path("/sys/class/net/lo/statistics/tx_bytes")
    return int(path.read_text()) if path.exists() else 0


def seconds(step: Step, embedding: Tensor, y: Tensor, n_steps: int) -> float:
    """Per step, all ranks having started together."""
    dist.barrier()
    start = time.perf_counter()
    for _ in range(n_steps):
        gradient(step, embedding, y)
    return (time.perf_counter() - start) / n_steps


def count_bytes(step: Step, embedding: Tensor, y: Tensor, n_steps: int) -> float:
    """Sent by each rank in a step, as the interface counts them."""
    dist.barrier()
    before = loopback_bytes()
    dist.barrier()
    for _ in range(n_steps):
        gradient(step, embedding, y)
    dist.barrier()
    return (loopback_bytes() - before) / (n_steps * dist.get_world_size())


def measure(rows: int, dim: int, ranks: Ranks, n_rounds: int) -> Result:
    result = Result(rows, dim, min(MAX_CLASSES, dim))
    embedding, y = make_batch(rows, dim, ranks.rank)
    steps = contenders(rows, ranks)
    found, wanted = (gradient(steps[name], embedding, y) for name in (OURS, GATHERED))
    result.difference = ranks.largest(float((found - wanted).norm() / wanted.norm()))
    times: dict[str, list[float]] = {name: [] for name in steps}
    for _ in range(n_rounds):
        for name, step in steps.items():
            gradient(step, embedding, y)
            times[name].append(seconds(step, embedding, y, n_steps=10))
    for name, step in steps.items():
        result.ms[name] = 1e3 * statistics.median(times[name])
        result.counted_bytes[name] = count_bytes(step, embedding, y, n_steps=20)
        result.computed_bytes[name] = step_bytes(name, rows, dim, result.n_classes, ranks.n_ranks)
    return result


def work(rank: int, folder: str, sizes: list[tuple[int, int]], n_rounds: int) -> None:
    """What one process does; the first one leaves the results in a file."""
    os.environ.setdefault("GLOO_SOCKET_IFNAME", "lo")
    torch.set_num_threads(1)
    dist.init_process_group(
        "gloo", f"file://{folder}/store", timedelta(minutes=2), world_size=N_RANKS, rank=rank
    )
    results = [measure(*size, Ranks(), n_rounds) for size in sizes]
    if rank == 0:
        content = json.dumps([asdict(result) for result in results])
        Path(folder, "results.json").write_text(content, encoding="utf-8")
    dist.barrier()
    dist.destroy_process_group()


def run(sizes: list[tuple[int, int]], n_rounds: int) -> list[Result]:
    with tempfile.TemporaryDirectory() as folder:
        torch.multiprocessing.spawn(work, (folder, sizes, n_rounds), nprocs=N_RANKS)
        content = Path(folder, "results.json").read_text(encoding="utf-8")
    return [Result(**values) for values in json.loads(content)]


# The report.


def table(rows: list[list[str]]) -> str:
    head, *body = rows
    lines = [head, ["---:"] * len(head), *body]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)


def size_cells(result: Result) -> list[str]:
    return [f"{v:,}" for v in (result.rows, result.dim, result.n_classes)]


def cell(values: dict[str, float], name: str, form: str) -> str:
    return format(values[name], form) if name in values else "-"


def names_of(results: list[Result]) -> list[str]:
    names = [OURS, LEAVE_ONE_OUT, GATHERED, PAIRS]
    return [name for name in names if any(name in result.ms for result in results)]


def bytes_table(results: list[Result]) -> str:
    names = names_of(results)
    rows = [["rows a rank", "d", "k", *names, *(f"{name}, counted" for name in names)]]
    for r in results:
        computed = [cell(r.computed_bytes, name, ",.0f") for name in names]
        counted = [cell(r.counted_bytes, name, ",.0f") for name in names]
        rows.append([*size_cells(r), *computed, *counted])
    return table(rows)


def time_table(results: list[Result]) -> str:
    names = names_of(results)
    rows = [["rows a rank", "d", "k", *names, "gradients differ by"]]
    for r in results:
        cells = [cell(r.ms, name, ".3g") for name in names]
        rows.append([*size_cells(r), *cells, f"{r.difference:.0e}"])
    return table(rows)


def paper_table() -> str:
    """What a rank sends in a step, and the embeddings it then holds where they are gathered."""
    head = ["ranks", "rows a rank", "d", "k", OURS, LEAVE_ONE_OUT, GATHERED, "gathered / sums"]
    rows = [[*head, "embeddings held, gathered"]]
    for n_ranks in PAPER_RANKS:
        for n_rows, dim in PAPER_SIZES:
            values = [
                step_bytes(name, n_rows, dim, dim, n_ranks)
                for name in (OURS, LEAVE_ONE_OUT, GATHERED)
            ]
            cells = [f"{n_ranks:,}", f"{n_rows:,}", f"{dim:,}", f"{dim:,}"]
            cells += [f"{value / 1e6:,.2f} MB" for value in values]
            held = 4.0 * n_ranks * n_rows * dim
            rows.append([*cells, f"{values[2] / values[0]:,.1f}", f"{held / 1e6:,.1f} MB"])
    return table(rows)


def machine() -> dict[str, Any]:
    return {
        "processor": platform.machine(),
        "cores": os.cpu_count(),
        "threads a rank": 1,
        "torch": torch.__version__,
        "python": platform.python_version(),
    }


def report(results: list[Result]) -> str:
    facts = ", ".join(f"{key} {value}" for key, value in machine().items())
    parts = [
        f"Machine: {facts}. {N_RANKS} processes, gloo, loopback interface.",
        "Bytes that a process sends in a step, on a ring by computation and as counted by the "
        "interface.\n\n" + bytes_table(results),
        "Milliseconds of a step: loss and gradient of the own rows.\n\n" + time_table(results),
        "On paper: megabytes that each process sends in a step on a ring, k = d. The sums of "
        "the network's gradient come on top of each.\n\n" + paper_table(),
    ]
    return "\n\n".join(parts) + "\n"


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--repeats", type=int, default=15, help="rounds for each size")
    parser.add_argument("--quick", action="store_true", help="two small sizes, three rounds")
    parser.add_argument("--json", type=Path, help="write the numbers to this file")
    parser.add_argument("--markdown", type=Path, help="write the report to this file")
    options = parser.parse_args(arguments)

    sizes = QUICK_SIZES if options.quick else SIZES
    results = run(sizes, min(3, options.repeats) if options.quick else options.repeats)
    text = report(results)
    print(text)
    if options.markdown:
        heading = (
            "# Training spread over processes\n\nMade by `python benchmarks/bench_distributed.py`."
        )
        options.markdown.write_text(f"{heading}\n\n{text}", encoding="utf-8")
    if options.json:
        content = {"machine": machine(), "results": [asdict(result) for result in results]}
        options.json.write_text(json.dumps(content, indent=2), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
