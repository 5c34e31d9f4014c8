"""Errors of the functions of `skdeepclust.spectral`, each in a unit of its own.

See `reliability_numerics` for the units and the bounds.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from threading import Barrier
from typing import Any

import numeric_references as references
import numpy as np
import torch
from numeric_inputs import CONDITIONS, PATTERNS, Rng, draw_embedding
from torch import Tensor

from skdeepclust.spectral import (
    dual_linear_solution,
    leave_one_out_loss,
    linear_solution,
    sharded_losses,
    shrinkage_whitening,
    spectral_clustering_loss,
    spectral_normalization,
    spectral_statistics,
    whiten_rows,
)

__all__ = [
    "GRADIENT_BOUND", "LOSS_BOUND", "Errors", "check_leave_one_out_loss", "check_linear_map",
    "check_normalization", "check_sharded_losses", "check_spectral_loss", "check_sums",
    "check_whitening", "check_wide_rows", "compare",
]  # fmt: skip

_RIDGES = (0.0, 1e-6, 1e-3, 1.0)
_TEMPERATURES = (0.02, 0.04, 0.25)
# Errors that are promised.
LOSS_BOUND, GRADIENT_BOUND = 5e-5, 1e-4
_SUMS_BOUND, _MAP_BOUND, _ROWS_BOUND = 1e-4, 1e-6, 1e-4
_WIDE_BOUND = 1e-8
# A bound above this says nothing: no figure is compared.
_LARGEST_BOUND = 0.1
_EPS32, _EPS64 = torch.finfo(torch.float32).eps, torch.finfo(torch.float64).eps


@dataclass
class Errors:
    """What a case found.

    Attributes
    ----------
    figures : dict of str to float
        Errors by the name of the column.
    n_not_finite : int
        Numbers that are NaN or infinite.
    faults : list of str
    """

    figures: dict[str, float] = field(default_factory=dict)
    n_not_finite: int = 0
    faults: list[str] = field(default_factory=list)

    def see(self, values: Any) -> None:
        """Count what is not finite."""
        self.n_not_finite += int((~torch.isfinite(torch.as_tensor(values))).sum())

    def add(self, name: str, error: float, bound: float) -> None:
        """Take note of an error and of its bound."""
        self.figures[name] = error
        if not error <= bound:
            self.faults.append(f"{name} is wrong by {error:.2e}, the bound is {bound:.0e}")


def _draw(rng: Rng, story: list[str], pattern: str | None = None) -> tuple[Tensor, Tensor]:
    """Float32 rows and codes."""
    rows, codes, what = draw_embedding(rng, pattern or str(rng.choice(list(PATTERNS))))
    story.append(what)
    return torch.from_numpy(rows), torch.from_numpy(codes)


def _choose(rng: Rng, story: list[str], name: str, values: Sequence[float]) -> float:
    value = float(rng.choice(values))
    story.append(f"{name}={value:g}")
    return value


def compare(loss: Tensor, gradient: Tensor, wanted: references.Reference, unit: float) -> Errors:
    """Errors of a loss () in this unit and of its gradient (n, d)."""
    errors = Errors()
    errors.see(loss)
    errors.see(gradient)
    if not (errors.n_not_finite or wanted.doubtful):
        errors.add("loss", abs(float(loss) - wanted.loss) / unit, LOSS_BOUND)
        distance = (gradient.double() - wanted.gradient).norm()
        errors.add("gradient", float(distance) / (wanted.scale or 1.0), GRADIENT_BOUND)
    return errors


def check_spectral_loss(rng: Rng, story: list[str], pattern: str) -> Errors:
    rows, y = _draw(rng, story, pattern)
    ridge = _choose(rng, story, "ridge", _RIDGES)
    leaf = rows.clone().requires_grad_()
    loss = spectral_clustering_loss(leaf, y, ridge=ridge)
    loss.backward()
    wanted = references.spectral(rows, y, ridge)
    return compare(loss.detach(), leaf.grad, wanted, len(torch.unique(y)))


def check_leave_one_out_loss(rng: Rng, story: list[str], pattern: str) -> Errors:
    rows, y = _draw(rng, story, pattern)
    ridge = _choose(rng, story, "ridge", (*_RIDGES, 0.01))
    temperature = _choose(rng, story, "temperature", _TEMPERATURES)
    leaf = rows.clone().requires_grad_()
    loss = leave_one_out_loss(leaf, y, ridge=ridge, temperature=temperature)
    loss.backward()
    wanted = references.leave_one_out(rows, y, ridge, temperature)
    return compare(loss.detach(), leaf.grad, wanted, 1 / temperature)


def check_wide_rows(rng: Rng, story: list[str]) -> Errors:
    """Float64 rows, orthonormal but for the lengths of the columns."""
    n, d, k = int(rng.integers(60, 300)), int(rng.integers(2, 20)), int(rng.integers(2, 8))
    condition = _choose(rng, story, "condition", CONDITIONS)
    lengths = torch.from_numpy(rng.permutation(condition ** -np.linspace(0, 1, d)))
    lengths *= _choose(rng, story, "scale", (1e-150, 1e-20, 1.0, 1e20, 1e150))
    rows = torch.linalg.qr(torch.from_numpy(rng.normal(size=(n, d))))[0] * lengths
    y = torch.from_numpy(rng.permutation(np.arange(n) % k))
    leaf = rows.clone().requires_grad_()
    loss = spectral_clustering_loss(leaf, y)
    loss.backward()
    wanted = references.targets(y)
    basis, *_ = torch.linalg.svd(rows / lengths, full_matrices=False)
    residual = basis @ (basis.T @ wanted) - wanted
    loadings = torch.linalg.pinv(rows / lengths) @ wanted / lengths[:, None]
    errors = Errors()
    errors.see(loss)
    errors.see(leaf.grad)
    bound = _WIDE_BOUND + 8 * _EPS64 * condition
    error = abs(float(loss.detach()) - float(k - (basis.T @ wanted).square().sum())) / k
    errors.add("loss", error, bound)
    distance = ((leaf.grad - 2 * residual @ loadings.T) / loadings.norm() / 2).norm()
    errors.add("gradient", float(distance), bound)
    return errors


def check_sharded_losses(rng: Rng, story: list[str]) -> Errors:
    """Both losses of rows of length 1 that are spread over two or three processes (threads).

    The gradient of the leave-one-out loss would need the products of rows with the rows of others
    where there are no more rows than columns, and hardly a ridge: that is not asked for.
    """
    rows, y = _draw(rng, story, str(rng.choice([name for name in PATTERNS if name != "d > n"])))
    wide = rows.double()
    lengths = wide.norm(dim=1, keepdim=True)
    rows = (wide / lengths.where(lengths > 0, 1.0)).float()
    ridge = _choose(rng, story, "ridge", _RIDGES)
    temperature = _choose(rng, story, "temperature", _TEMPERATURES) if rng.uniform() < 0.5 else None
    cuts = np.sort(rng.integers(0, len(rows) + 1, size=int(rng.integers(1, 3))))
    sizes = np.diff([0, *cuts, len(rows)]).tolist()
    losses, gradient = run_sharded(rows, y, sizes, ridge, temperature)
    if temperature is None:
        wanted = references.spectral(rows, y, ridge)
        return compare(losses[0], gradient, wanted, len(torch.unique(y)))
    wanted = references.leave_one_out(rows, y, ridge, temperature)
    return compare(losses.double().sum(), gradient, wanted, 1 / temperature)


def run_sharded(
    rows: Tensor, y: Tensor, sizes: list[int], ridge: float, temperature: float | None
) -> tuple[Tensor, Tensor]:
    """Loss of each part (p,) and gradient of all rows (n, d)."""
    barrier = Barrier(len(sizes), timeout=30)
    sent: list[tuple[Tensor, ...]] = [()] * len(sizes)
    parts = [part.clone().requires_grad_() for part in rows.split(sizes)]
    codes, n_classes = y.split(sizes), int(y.max()) + 1

    def work(number: int) -> Tensor:
        def reduce(*tensors: Tensor) -> tuple[Tensor, ...]:
            sent[number] = tensors
            barrier.wait()
            totals = tuple(torch.stack(same).sum(dim=0) for same in zip(*sent, strict=True))
            barrier.wait()
            return totals

        options = {"ridge": ridge, "temperature": temperature}
        loss, _ = sharded_losses(parts[number], codes[number], n_classes, reduce, **options)
        loss.backward()
        return loss.detach()

    with ThreadPoolExecutor(len(sizes)) as pool:
        losses = list(pool.map(work, range(len(sizes))))
    return torch.stack(losses), torch.cat([part.grad for part in parts])


def check_sums(rng: Rng, story: list[str]) -> Errors:
    """Sums in float32, of rows whose squares float32 can hold."""
    rows, y = _draw(rng, story)
    rows = rows / references.unit_of(rows)
    found = spectral_statistics(rows, y)
    wide = rows.double()
    one_hot = torch.nn.functional.one_hot(y).double()
    second, lengths = wide.T @ wide, wide.norm(dim=0)
    size = (one_hot.T @ wide.abs()).clamp(min=1e-300)
    errors = Errors()
    errors.see(found.gram)
    gram_error = (found.gram - second).abs() / torch.outer(lengths, lengths).clamp(min=1e-37)
    sums_error = (found.sums - one_hot.T @ wide).abs() / size
    worst = max(float(gram_error.max()), float(sums_error.max()))
    errors.add("map or rows", worst, _SUMS_BOUND)
    return errors


def check_linear_map(rng: Rng, story: list[str]) -> Errors:
    rows, y = _draw(rng, story)
    features = rows.double()
    ridge, k = _choose(rng, story, "ridge", _RIDGES), int(y.max()) + 1
    if features.shape[1] >= len(features):
        found = dual_linear_solution(features, y, k, ridge)
    else:
        found = linear_solution(spectral_statistics(features, y, k), ridge)
    errors, unit = Errors(), references.unit_of(features)
    errors.see(found)
    if ridge > 0:
        wanted = references.linear_map(features / unit, y, ridge, 0.0)
        distance = (found * unit - wanted).norm() / (wanted.norm() or 1.0)
        errors.add("map or rows", float(distance), _MAP_BOUND)
        return errors
    # Which of the weakest directions count is open; no good one may be lost.
    coarse = references.linear_map(features / unit, y, 0.0, 1e-6)
    losses = [references.objective(features @ mapping, y) for mapping in (found, coarse)]
    errors.add("loss", max(0.0, losses[0] - losses[1]) / k, LOSS_BOUND)
    return errors


def check_whitening(rng: Rng, story: list[str]) -> Errors:
    rows, _ = _draw(rng, story)
    strength = _choose(rng, story, "strength", (0.0, 0.5, 1.0))
    wide = rows.double()
    mean, whitener = shrinkage_whitening(wide.T @ wide, wide.sum(dim=0), len(rows), strength)
    found = whiten_rows(rows, mean.float(), whitener.float()).double()
    errors = Errors()
    errors.see(found)
    wanted, inflation, doubtful = references.whitened_rows(rows, strength)
    bound = _ROWS_BOUND + float(8 * _EPS32 * inflation + 64 * _EPS64 * inflation.square())
    if not doubtful and bound < _LARGEST_BOUND:
        distance = found * wanted.norm(dim=1, keepdim=True) - wanted
        errors.add("map or rows", float(distance.norm() / (wanted.norm() or 1.0)), bound)
    return errors


def check_normalization(rng: Rng, story: list[str]) -> Errors:
    rows, _ = _draw(rng, story)
    found = spectral_normalization(rows).double()
    errors = Errors()
    errors.see(found)
    wanted, doubtful = references.normalized_rows(rows)
    if not doubtful:
        some = slice(0, 300)  # rows are determined up to a rotation: their products are compared
        found = found[some] * wanted[some].norm(dim=1, keepdim=True)
        products = wanted[some] @ wanted[some].T
        distance = (found @ found.T - products).norm() / (products.norm() or 1.0)
        errors.add("map or rows", float(distance), _ROWS_BOUND)
    return errors
