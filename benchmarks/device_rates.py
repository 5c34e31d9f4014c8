"""What a device can do: rates of matrix products and of copies, and the floor they set.

`in_turns` measures seconds on a device of any kind; `measure_ceilings` the rates; `floor_seconds`
is the least time of the loss by these rates, counted by `product_operations` and `moved_bytes`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial

import numpy as np
import torch
from torch import Tensor

__all__ = [
    "BFLOAT16",
    "COPY",
    "FLOAT32",
    "TF32",
    "device_name",
    "floor_seconds",
    "in_turns",
    "measure_ceilings",
    "moved_bytes",
    "product_operations",
    "seconds",
]

Call = Callable[[], object]
Seconds = dict[str, list[float]]

FLOAT32, TF32, BFLOAT16 = "product in float32", "product in TF32", "product in bfloat16"
COPY = "copy"

# A round of calls that take less time would be at the mercy of the clock and the scheduler.
_ROUND_SECONDS = 30e-3
_MOST_CALLS = 200


def device_name(device: torch.device) -> str:
    """What a table says of a device."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return f"{device.type}, {torch.get_num_threads()} threads"


def seconds(run: Call, device: torch.device, n_calls: int = 1) -> float:
    """Time of a call, until all that it queued is done; of several, the mean."""
    _wait_for(device)
    started = time.perf_counter()
    for _ in range(n_calls):
        run()
    _wait_for(device)
    return (time.perf_counter() - started) / n_calls


def in_turns(runs: Mapping[str, Call], device: torch.device, n_rounds: int) -> Seconds:
    """Seconds of each run in each round, in which all of them take turns."""
    n_calls = {}
    for name, run in runs.items():
        seconds(run, device)  # the first call allocates
        n_calls[name] = calls_at_once(seconds(run, device))
    times: Seconds = {name: [] for name in runs}
    for _ in range(n_rounds):
        for name, run in runs.items():
            times[name].append(seconds(run, device, n_calls[name]))
    return times


def calls_at_once(first: float) -> int:
    """Calls of a round, of which one took so many seconds."""
    return max(1, min(_MOST_CALLS, int(_ROUND_SECONDS / max(first, 1e-9))))


def measure_ceilings(device: torch.device, size: int, n_bytes: int, n_rounds: int) -> Seconds:
    """Operations, and for `COPY` bytes, a second.

    Parameters
    ----------
    device : torch.device
    size : int
        Rows of the square matrices.
    n_bytes : int
        Size of what is copied: it has to be far larger than the caches.
    n_rounds : int

    Returns
    -------
    dict of str to list
        The rates of each round; `TF32` on CUDA only.
    """
    runs, work = _ceiling_runs(device, size, n_bytes), _ceiling_work(size, n_bytes)
    times = in_turns(runs, device, n_rounds)
    return {name: [work[name] / t for t in taken] for name, taken in times.items()}


def _ceiling_runs(device: torch.device, size: int, n_bytes: int) -> dict[str, Call]:
    generator = torch.Generator().manual_seed(0)
    left, right = (torch.randn(size, size, generator=generator).to(device) for _ in range(2))
    source = torch.ones(n_bytes // 4, device=device)
    runs: dict[str, Call] = {FLOAT32: partial(_product, left, right, "highest")}
    if device.type == "cuda":
        runs[TF32] = partial(_product, left, right, "high")
    runs[BFLOAT16] = partial(torch.matmul, left.bfloat16(), right.bfloat16())
    runs[COPY] = partial(torch.empty_like(source).copy_, source)
    return runs


def _ceiling_work(size: int, n_bytes: int) -> dict[str, float]:
    """Operations of a product; what a copy reads and what it writes."""
    operations = 2.0 * size**3
    return {
        FLOAT32: operations,
        TF32: operations,
        BFLOAT16: operations,
        COPY: 2.0 * 4 * (n_bytes // 4),
    }


def product_operations(n: int, d: int) -> float:
    """Multiplications and additions of FᵀF, one half of which is enough, and of F B.

    F is (n, d); B, which the first product has to be known for, is (d, d).
    """
    return n * d * (d + 1.0) + 2.0 * n * d * d


def moved_bytes(n: int, d: int) -> float:
    """F and the labels are read, and the gradient is written; float32 and int64.

    Once each. Where F does not fit into the caches it is read a second time, for F B.
    """
    return 2 * 4.0 * n * d + 8.0 * n


def floor_seconds(n: int, d: int, ceilings: Mapping[str, list[float]]) -> tuple[float, str]:
    """No less time than this, and what takes it: "products" or "memory"."""
    products = product_operations(n, d) / float(np.median(ceilings[FLOAT32]))
    memory = moved_bytes(n, d) / float(np.median(ceilings[COPY]))
    return max((products, "products"), (memory, "memory"))


def _product(left: Tensor, right: Tensor, precision: str) -> Tensor:
    with _matmul_precision(precision):
        return left @ right


@contextmanager
def _matmul_precision(precision: str) -> Iterator[None]:
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision(precision)
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(before)


def _wait_for(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
