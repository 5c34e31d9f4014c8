"""How near the training of ConvEncoder is to the machine's rate of matrix products.

One forward and backward pass of ``ConvEncoder()`` over a batch of images of 32 x 32 pixels, in
float32 and in bfloat16, counted as three times the multiplications and additions of its
convolutions and its last layer. Beside it the rate of a product of two square matrices in the same
precision: what the processor can do. Medians of several passes that take turns.

Run, from the root of the repository, with nothing else running::

    python benchmarks/bench_encoder.py --markdown docs/benchmarks/encoder.md \
        --json docs/benchmarks/encoder.json

Less than a minute on two cores.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from math import prod

import numpy as np
import torch
from bench_unsupervised import argument_parser, markdown_table, publish
from torch import nn

from skdeepclust import ConvEncoder

_DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16}
_IMAGE = (1, 32, 32)
_DIM = 128


def main() -> None:
    """Measure, print the table, and write it where wanted."""
    options = parse_options()
    values = measure(options.rows, options.size, options.seeds)
    rows = [table_row(precision, values[precision]) for precision in _DTYPES]
    head = ["precision", "images / s", "Gflop/s", "matrix product, Gflop/s", "share"]
    note = (
        f"Batches of {options.rows} images, {operations(1) / 1e6:.0f} million operations each; "
        f"median of {options.seeds} passes; {torch.get_num_threads()} threads."
    )
    report = f"{markdown_table(head, rows)}\n\n{note}"
    publish(report, values, [note], options, "Training rate of ConvEncoder")


def parse_options() -> argparse.Namespace:
    """Options of the command line."""
    parser = argument_parser(__doc__)
    parser.add_argument("--rows", type=int, default=512, help="images in a batch")
    parser.add_argument("--size", type=int, default=2048, help="rows of the square matrices")
    parser.set_defaults(seeds=15)
    options = parser.parse_args()
    if options.quick:
        options.rows, options.size, options.seeds = 32, 128, 2
    return options


def measure(n_rows: int, size: int, repeats: int) -> dict[str, dict[str, list[float]]]:
    """Rates in Gflop/s by precision; the passes to be compared take turns."""
    runs: dict[str, dict[str, tuple[Callable[[], object], float]]] = {
        precision: {
            "encoder": (training_pass(precision, n_rows), operations(n_rows)),
            "product": (product(precision, size), 2.0 * size**3),
        }
        for precision in _DTYPES
    }
    values: dict[str, dict[str, list[float]]] = {name: {} for name in runs}
    for repeat in range(repeats + 1):
        for precision, pair in runs.items():
            for name, (run, n_operations) in pair.items():
                rate = n_operations / seconds(run) / 1e9
                if repeat:  # the first pass allocates
                    values[precision].setdefault(name, []).append(rate)
    return values


def training_pass(precision: str, n_rows: int) -> Callable[[], object]:
    """A forward and backward pass over one batch."""
    torch.manual_seed(0)
    network = ConvEncoder(precision=precision).build(_IMAGE, _DIM).train()
    images = torch.randn(n_rows, *_IMAGE)
    return lambda: network(images).square().sum().backward()


def product(precision: str, size: int) -> Callable[[], object]:
    """A product of two square matrices."""
    torch.manual_seed(0)
    left, right = (torch.randn(size, size).to(_DTYPES[precision]) for _ in range(2))
    return lambda: left @ right


def operations(n_rows: int) -> float:
    """Multiplications and additions of a forward and backward pass over a batch."""
    network = ConvEncoder().build(_IMAGE, _DIM).eval()
    counted: list[float] = []

    def count(layer: nn.Module, inputs: object, output: torch.Tensor) -> None:
        weight = layer.weight
        positions = prod(output.shape[2:])
        counted.append(2.0 * weight.numel() * positions)

    for layer in network.modules():
        if isinstance(layer, nn.Conv2d | nn.Linear):
            layer.register_forward_hook(count)
    with torch.no_grad():
        network(torch.zeros(1, *_IMAGE))
    # The backward pass has two products for each one of the forward pass.
    return 3.0 * n_rows * sum(counted)


def seconds(run: Callable[[], object]) -> float:
    """Time of one call."""
    started = time.perf_counter()
    run()
    return time.perf_counter() - started


def table_row(precision: str, rates: dict[str, list[float]]) -> list[str]:
    """Medians; the share is that of the rates of the same turn."""
    encoder, bare = np.array(rates["encoder"]), np.array(rates["product"])
    images = np.median(encoder) * 1e9 / operations(1)
    share = np.median(encoder / bare)
    return [
        precision,
        f"{images:,.0f}",
        f"{np.median(encoder):.0f}",
        f"{np.median(bare):.0f}",
        f"{share:.2f}",
    ]


if __name__ == "__main__":
    main()
