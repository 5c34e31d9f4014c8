"""Losses of a batch that is spread over processes; here threads, which meet at a barrier."""

import math
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
import torch
from torch.nn import functional

from skdeepclust.spectral import (
    leave_one_out_loss,
    sharded_losses,
    sharded_sums_size,
    spectral_clustering_loss,
)


class Meeting:
    """Sums over threads, and how many numbers each has sent."""

    def __init__(self, n):
        self.barrier, self.sent, self.sizes = Barrier(n, timeout=20), [None] * n, []

    def reducer(self, number):
        def reduce(*tensors):
            self.sent[number] = tensors
            self.barrier.wait()
            totals = tuple(sum(parts) for parts in zip(*self.sent, strict=True))
            self.barrier.wait()
            if number == 0:
                self.sizes.append(sum(t.numel() for t in tensors))
            return totals

        return reduce


def make_batch(n=40, d=5, k=4, dtype=torch.float64, seed=0):
    generator = torch.Generator().manual_seed(seed)
    F = torch.randn(n, d, generator=generator, dtype=dtype)
    y = torch.randint(k, (n,), generator=generator)
    return functional.normalize(F, dim=1), y


def run_sharded(F, y, n_classes, sizes, **options):
    """Loss of each part, objective, gradient of all rows, and the sizes of the sums."""
    meeting = Meeting(len(sizes))
    parts = [part.clone().requires_grad_() for part in F.split(sizes)]

    def work(number):
        loss, objective = sharded_losses(
            parts[number], y.split(sizes)[number], n_classes, meeting.reducer(number), **options
        )
        (3 * loss).backward()
        return loss.detach(), objective

    with ThreadPoolExecutor(len(sizes)) as pool:
        results = list(pool.map(work, range(len(sizes))))
    losses, objectives = zip(*results, strict=True)
    assert all(torch.equal(objectives[0], other) for other in objectives)
    gradient = torch.cat([part.grad for part in parts]) / 3
    return torch.stack(losses), objectives[0], gradient, meeting.sizes


def run_whole(F, loss):
    F = F.clone().requires_grad_()
    value = loss(F)
    value.backward()
    return value.detach(), F.grad


@pytest.mark.parametrize("sizes", [[40], [25, 15], [30, 0, 10]])
@pytest.mark.parametrize("ridge", [0.0, 0.1, 1.0])
def test_spectral_loss_is_that_of_the_batch(sizes, ridge):
    F, y = make_batch()
    wanted, gradient = run_whole(F, lambda F: spectral_clustering_loss(F, y, ridge=ridge))
    losses, objective, found, sent = run_sharded(F, y, 4, sizes, ridge=ridge)
    torch.testing.assert_close(losses, wanted.expand(len(sizes)))
    torch.testing.assert_close(objective, wanted)
    torch.testing.assert_close(found, gradient, rtol=1e-10, atol=1e-12)
    assert sent == [sharded_sums_size(5, 4)] == [25 + 20 + 4]


@pytest.mark.parametrize("sizes", [[40], [25, 15], [30, 0, 10]])
@pytest.mark.parametrize("ridge", [0.0, 1e-3, 1.0])
def test_leave_one_out_loss_is_that_of_the_batch(sizes, ridge):
    F, y = make_batch()
    options = {"ridge": ridge, "temperature": 0.1}
    wanted, gradient = run_whole(F, lambda F: leave_one_out_loss(F, y, **options))
    losses, objective, found, sent = run_sharded(F, y, 4, sizes, **options)
    torch.testing.assert_close(losses.sum(), wanted)
    torch.testing.assert_close(objective, spectral_clustering_loss(F, y, ridge=ridge))
    torch.testing.assert_close(found, gradient, rtol=1e-9, atol=1e-11)
    assert sent == [25 + 20 + 4, 25 + 20]


@pytest.mark.parametrize("temperature", [None, 0.1])
def test_parts_may_lack_classes(temperature):
    F, y = make_batch()
    order = torch.argsort(y)
    F, y = F[order], y[order]
    options = {"ridge": 0.5} | ({} if temperature is None else {"temperature": temperature})
    loss = spectral_clustering_loss if temperature is None else leave_one_out_loss
    _, gradient = run_whole(F, lambda F: loss(F, y, **options))
    *_, found, _ = run_sharded(F, y, 4, [8, 20, 12], **options)
    torch.testing.assert_close(found, gradient, rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("scale", [1.0, 1e12])
@pytest.mark.parametrize("rank", [2, 5])
def test_sums_are_repeated_in_double_precision_where_the_first_do_not_do(rank, scale):
    F, y = make_batch(dtype=torch.float32)
    F = F[:, :rank] @ torch.randn(rank, 5, generator=torch.Generator().manual_seed(1))
    F = F * torch.logspace(0, -5, 5)
    wanted, gradient = run_whole(F, lambda F: spectral_clustering_loss(F, y))
    _, objective, found, sent = run_sharded(F * scale, y, 4, [25, 15], ridge=0.0)
    assert len(sent) == 2
    torch.testing.assert_close(objective, wanted, rtol=1e-4, atol=1e-5)
    assert (found.double() * scale - gradient).norm() < 1e-3 * gradient.norm()


@pytest.mark.parametrize("temperature", [None, 0.1])
def test_not_a_number_in_one_part_is_an_error_in_all(temperature):
    F, y = make_batch(dtype=torch.float32)
    F[30, 2] = torch.nan
    meeting, errors = Meeting(2), []

    def work(number):
        part = F.split([25, 15])[number].requires_grad_()
        options = {"ridge": 1.0, "temperature": temperature}
        with pytest.raises(ValueError, match="embedding contains NaN") as caught:
            sharded_losses(part, y.split([25, 15])[number], 4, meeting.reducer(number), **options)
        errors.append(caught.value)

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(work, range(2)))
    assert len(errors) == 2


@pytest.mark.parametrize("temperature", [None, 0.1])
@pytest.mark.parametrize("scale", [1e-25, 1e-19, 1e19, 1e25])
@pytest.mark.parametrize("ridge", [0.0, 1.0])
def test_float32_scales(ridge, scale, temperature):
    """Squares that float32 cannot hold are summed in double precision, in all processes."""
    F, y = make_batch(dtype=torch.float32)
    options = {"ridge": ridge} | ({} if temperature is None else {"temperature": temperature})
    loss = spectral_clustering_loss if temperature is None else leave_one_out_loss
    wanted, gradient = run_whole(F, lambda F: loss(F, y, **options))
    losses, _, found, _ = run_sharded(F * scale, y, 4, [25, 15], **options)
    total = losses[0] if temperature is None else losses.sum()
    torch.testing.assert_close(total, wanted, rtol=1e-4, atol=1e-5)
    assert (found.double() * scale - gradient).norm() < 1e-4 * gradient.norm()


@pytest.mark.parametrize("temperature", [None, 0.1])
@pytest.mark.parametrize("spread", [1e-3, 1e-6, 0.0])
def test_collapsed_rows(spread, temperature):
    F, y = make_batch(dtype=torch.float32)
    F = functional.normalize(torch.arange(1.0, 6.0) + spread * F, dim=1)
    options = {"ridge": 0.1} | ({} if temperature is None else {"temperature": temperature})
    loss = spectral_clustering_loss if temperature is None else leave_one_out_loss
    wanted, gradient = run_whole(F, lambda F: loss(F, y, **options))
    losses, _, found, _ = run_sharded(F, y, 4, [25, 0, 15], **options)
    total = losses[0] if temperature is None else losses.sum()
    torch.testing.assert_close(total, wanted, rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(found, gradient, rtol=0, atol=1e-4 * float(gradient.norm()) + 1e-6)


@pytest.mark.parametrize("ridge", [0.0, 1e-3])
def test_leave_one_out_sums_are_float64_where_float32_would_not_do(ridge):
    """One rounding of the loss is all that float32 rows lose."""
    F, y = make_batch(dtype=torch.float32)
    F = functional.normalize(torch.arange(1.0, 6.0) + 3 * F, dim=1)
    wanted = leave_one_out_loss(F.double(), y, ridge=ridge, temperature=0.02)
    losses, *_ = run_sharded(F, y, 4, [25, 15], ridge=ridge, temperature=0.02)
    torch.testing.assert_close(losses.double().sum(), wanted, rtol=5e-7, atol=0)


@pytest.mark.parametrize("ridge", [0.0, 1e-4])
def test_a_row_that_is_all_there_is_of_a_direction(ridge):
    """1 - h is next to 0: the inverse alone would lose it."""
    F, y = make_batch(n=12, d=4)
    F[:, 3] = 0
    F[0, 3] = 100.0
    options = {"ridge": ridge, "temperature": 0.3}
    wanted, gradient = run_whole(F, lambda F: leave_one_out_loss(F, y, **options))
    losses, _, found, _ = run_sharded(F, y, 4, [5, 7], **options)
    torch.testing.assert_close(losses.sum(), wanted)
    assert (found - gradient).norm() <= 1e-6 * gradient.norm()


def test_a_single_row_is_predicted_by_nothing():
    F, y = torch.tensor([[1.0, 2.0]]), torch.tensor([1])
    losses, *_ = run_sharded(F, y, 2, [1], ridge=1.0, temperature=0.1)
    torch.testing.assert_close(float(losses.sum()), math.log(2))
