"""How near loss and training come to what a device can do.

Measured on one device, a GPU where there is one, in one run:

- ceilings: rate of products of large square matrices (float32, on CUDA also with TF32, bfloat16),
  and of a copy of a large tensor, which reads and writes each of its bytes;
- ``spectral_clustering_loss``, forward and backward, float32 rows of a normal distribution, integer
  labels on the device, ``ridge=1``. Its floor is the larger of two times. The products that no
  exact method avoids are FᵀF, one half of it, and F B with B of d x d: n d (d + 1) + 2 n d²
  operations, at the rate of products in float32, which is what the loss takes for them, without
  TF32. What has to move is F and the labels, read once, and the gradient, written once: 8 n d + 8 n
  bytes, at the rate of the copy. The share is the floor over the time. Beside it the two products
  alone, in full, as the library multiplies matrices of this shape;
- epochs: rows of random clusters with ``MLPEncoder()``, and images with ``ConvEncoder()``, which
  multiplies in bfloat16 where the device has instructions for it. The training of
  ``DeepMetricClusterer`` with each of its losses, and the same network, batches and optimizer with
  MultiSimilarityLoss of pytorch-metric-learning, in its default setting and without a miner. A step
  is all that an epoch has: rows, forward, backward, optimizer. The ratio is that of rows a second,
  round by round.

Medians of rounds in which all that is compared takes turns, after two calls each to warm up. Times
are those of a clock that starts and stops when the device has nothing to do; calls of less than 30
milliseconds are timed several at once, as they are queued in training.

Run, from the root of the repository, with nothing else running::

    python benchmarks/bench_gpu.py --markdown docs/benchmarks/gpu.md --json docs/benchmarks/gpu.json

Some minutes; ``--quick`` takes seconds. ``--device cpu`` measures the processor.
"""

from __future__ import annotations

import argparse
import sys
from functools import partial

import numpy as np
import torch
from bench_unsupervised import Values, argument_parser, markdown_table, publish
from device_epochs import OURS, RIVAL, Workload, contenders, draw_workload
from device_rates import COPY, device_name, floor_seconds, in_turns, measure_ceilings
from torch import Tensor

from skdeepclust import spectral_clustering_loss
from skdeepclust._validation import check_device

Size = tuple[int, int, int]

SIZES = [
    (1_024, 64, 64),
    (4_096, 128, 128),
    (4_096, 512, 500),
    (16_384, 128, 128),
    (16_384, 512, 500),
    (65_536, 64, 64),
    (65_536, 256, 1_000),
    (262_144, 128, 128),
]
QUICK_SIZES = [(64, 8, 8), (256, 16, 8)]
RIDGE = 1.0
LOSS, PRODUCTS = "loss", "products"
# Kind, rows on CUDA, rows elsewhere, classes, rows of a batch.
EPOCHS = [
    ("rows", 131_072, 8_192, 128, 512),
    ("rows", 131_072, 8_192, 128, 4_096),
    ("images", 32_768, 2_048, 64, 512),
]
QUICK_EPOCHS = [("rows", 64, 64, 8, 32), ("images", 32, 32, 4, 16)]
PRODUCT_ROWS = {"cuda": 8_192}
COPIED_BYTES = {"cuda": 2**30}


def main() -> None:
    """Measure, print the tables, and write them where wanted."""
    options = parse_options()
    device = check_device(options.device)
    log(device_name(device))
    size, n_bytes = ceiling_sizes(device, options.quick)
    ceilings = measure_ceilings(device, size, n_bytes, options.seeds)
    losses = {s: measure_loss(s, device, options.seeds) for s in sizes(options.quick)}
    works = workloads(device, options.quick)
    epochs = [(work, measure_epochs(work, device, options.seeds)) for work in works]
    results = {"ceilings, a second": ceilings}
    results |= {f"{name_of(size)}: seconds": values for size, values in losses.items()}
    results |= {f"{title_of(work)}: rows a second": values for work, values in epochs}
    notes = notes_on(device, size, n_bytes, options.seeds, epochs)
    tables = [ceiling_table(ceilings), loss_table(losses, ceilings), epoch_table(epochs)]
    publish("\n\n".join([*tables, *notes]), results, notes, options, "Rates on a device")


def parse_options() -> argparse.Namespace:
    """Options of the command line."""
    parser = argument_parser(__doc__)
    found = "cuda" if torch.cuda.is_available() else "cpu"
    parser.add_argument("--device", default=found, help="where to measure, cuda if there is one")
    parser.set_defaults(seeds=9)
    options = parser.parse_args()
    if options.quick:
        options.seeds = 2
    return options


def ceiling_sizes(device: torch.device, quick: bool) -> tuple[int, int]:
    """Rows of the square matrices, and bytes to be copied."""
    if quick:
        return 64, 2**16
    return PRODUCT_ROWS.get(device.type, 2_048), COPIED_BYTES.get(device.type, 2**28)


def sizes(quick: bool) -> list[Size]:
    """Rows, dimensions and classes of the loss."""
    return QUICK_SIZES if quick else SIZES


def workloads(device: torch.device, quick: bool) -> list[Workload]:
    """What is learned in epochs, made when it is asked for."""
    found = []
    for kind, on_cuda, elsewhere, n_classes, batch_size in QUICK_EPOCHS if quick else EPOCHS:
        n = on_cuda if device.type == "cuda" else elsewhere
        found.append(draw_workload(kind, n, n_classes, batch_size))
    return found


# Measurements.


def measure_loss(size: Size, device: torch.device, n_rounds: int) -> Values:
    """Seconds of the loss with its gradient, and of the two products, in each round."""
    log(f"loss, {name_of(size)}")
    n, d, k = size
    generator = torch.Generator().manual_seed(0)
    embedding = torch.randn(n, d, generator=generator).to(device).requires_grad_()
    y = (torch.arange(n) % k)[torch.randperm(n, generator=generator)].to(device)
    runs = {LOSS: partial(loss_step, embedding, y), PRODUCTS: partial(two_products, embedding)}
    return in_turns(runs, device, n_rounds)


def loss_step(embedding: Tensor, y: Tensor) -> None:
    """Forward and backward."""
    embedding.grad = None
    spectral_clustering_loss(embedding, y, ridge=RIDGE).backward()


def two_products(embedding: Tensor) -> Tensor:
    """FᵀF, and F times a matrix of its size."""
    rows = embedding.detach()
    return rows @ (rows.T @ rows)


def measure_epochs(work: Workload, device: torch.device, n_rounds: int) -> Values:
    """Rows a second of each contender in each round."""
    log(title_of(work))
    times = in_turns(contenders(work, device), device, n_rounds)
    return {name: [len(work.X) / t for t in taken] for name, taken in times.items()}


# The report.


def ceiling_table(ceilings: Values) -> str:
    """What the device can do."""
    rows = []
    for name, rates in ceilings.items():
        unit = "GB/s" if name == COPY else "Gflop/s"
        rows.append([name, f"{np.median(rates) / 1e9:,.0f}", unit])
    return markdown_table(["ceiling", "median", "unit"], rows)


def loss_table(losses: dict[Size, Values], ceilings: Values) -> str:
    """Time of the loss, floor and share."""
    head = ["n", "d", "k", "loss, ms", "floor, ms", "floor is", "share", "two products, ms"]
    return markdown_table(head, [loss_row(*item, ceilings) for item in losses.items()])


def loss_row(size: Size, values: Values, ceilings: Values) -> list[str]:
    """Medians of one size."""
    taken = float(np.median(values[LOSS]))
    floor, bound = floor_seconds(size[0], size[1], ceilings)
    cells = [f"{number:,}" for number in size]
    cells += [f"{1e3 * taken:.3g}", f"{1e3 * floor:.3g}", bound, f"{floor / taken:.2f}"]
    return [*cells, f"{1e3 * np.median(values[PRODUCTS]):.3g}"]


def epoch_table(epochs: list[tuple[Workload, Values]]) -> str:
    """Rows a second, and ratios to the rival's."""
    names = [*OURS, RIVAL]
    head = ["encoder", "rows", "batch", *(f"{name}, rows/s" for name in names)]
    head += [f"{name} / {RIVAL}" for name in OURS]
    return markdown_table(head, [epoch_row(*item) for item in epochs])


def epoch_row(work: Workload, values: Values) -> list[str]:
    """Medians of one workload; "-" where a package is missing."""
    measured = [name in values for name in [*OURS, RIVAL]]
    rates = [np.array(values.get(name, np.nan)) for name in [*OURS, RIVAL]]
    cells = [work.name, f"{len(work.X):,}", f"{work.batch_size:,}"]
    cells += [f"{np.median(r):,.0f}" if m else "-" for r, m in zip(rates, measured, strict=True)]
    ratios = [np.median(own / rates[-1]) for own in rates[:-1]]
    return [*cells, *("-" if np.isnan(ratio) else f"{ratio:.2f}" for ratio in ratios)]


def notes_on(
    device: torch.device,
    size: int,
    n_bytes: int,
    n_rounds: int,
    epochs: list[tuple[Workload, Values]],
) -> list[str]:
    """What stands below the tables."""
    notes = [
        f"Device: {device_name(device)}. Medians of {n_rounds} rounds.",
        f"Ceilings: products of {size:,} x {size:,} matrices, a copy of {n_bytes:,} bytes.",
        "Floor: the larger of n d (d + 1) + 2 n d² operations at the rate of products in float32 "
        "and 8 n d + 8 n bytes at that of the copy; share: floor over time of the loss.",
    ]
    if not all(RIVAL in values for _, values in epochs):
        notes.append(f"{RIVAL} is left out: it needs `pip install pytorch-metric-learning`.")
    return notes


def name_of(size: Size) -> str:
    """Rows, dimensions and classes."""
    return "n = {:,}, d = {:,}, k = {:,}".format(*size)


def title_of(work: Workload) -> str:
    """Encoder and batch."""
    return f"{work.name}, batches of {work.batch_size:,}"


def log(text: str) -> None:
    """Progress, on standard error."""
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
