"""Batch normalisation of a batch that is spread over ranks; here threads, which meet."""

import copy
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
import torch
from torch import nn

from skdeepclust.training._shared_normalization import batch_normalizations, normalized_together


class Meeting:
    """Sums over threads."""

    def __init__(self, n):
        self.barrier, self.sent = Barrier(n, timeout=20), [None] * n


class Thread:
    """One rank."""

    def __init__(self, meeting, number, n_counted):
        self.meeting, self.number, self.n_counted = meeting, number, n_counted

    def sums(self, *values):
        self.meeting.sent[self.number] = values
        self.meeting.barrier.wait()
        totals = tuple(sum(parts) for parts in zip(*self.meeting.sent, strict=True))
        self.meeting.barrier.wait()
        return totals


def make_layer(kind, **options):
    layer = kind(3, **options)
    if layer.affine:
        nn.init.uniform_(layer.weight)
        nn.init.uniform_(layer.bias)
    return layer


def make_inputs(shape, n=12):
    generator = torch.Generator().manual_seed(0)
    return 5 + 2 * torch.randn(n, *shape, generator=generator)


def run_together(layer, x, slopes, sizes):
    """Outputs, gradients of the inputs and layer of each rank; one without rows has a stand-in."""
    meeting = Meeting(len(sizes))

    def work(number):
        own, part = copy.deepcopy(layer), x.split(sizes)[number].clone()
        slope = slopes.split(sizes)[number]
        if not len(part):
            part, slope = x[:1].clone(), torch.zeros_like(x[:1])
        part.requires_grad_()
        with normalized_together(own, Thread(meeting, number, sizes[number])):
            out = own(part)
            out.backward(slope)
        return out.detach()[: sizes[number]], part.grad, own

    with ThreadPoolExecutor(len(sizes)) as pool:
        return list(pool.map(work, range(len(sizes))))


def parameters_gradient(layer):
    return torch.cat([value.grad for value in layer.parameters()])


@pytest.mark.parametrize("sizes", [[12], [8, 4], [6, 0, 6]])
@pytest.mark.parametrize(
    ("kind", "shape", "options"),
    [
        (nn.BatchNorm1d, (3,), {}),
        (nn.BatchNorm1d, (3, 4), {"affine": False}),
        (nn.BatchNorm2d, (3, 2, 5), {"momentum": 0.3}),
        (nn.BatchNorm2d, (3, 2, 5), {"momentum": None}),
        (nn.BatchNorm2d, (3, 2, 5), {"track_running_stats": False}),
    ],
)
def test_equals_one_layer_on_the_whole_batch(kind, shape, options, sizes):
    layer, x = make_layer(kind, **options), make_inputs(shape)
    slopes = torch.randn(x.shape, generator=torch.Generator().manual_seed(1))
    results = run_together(layer, x, slopes, sizes)
    whole = x.clone().requires_grad_()
    out = layer(whole)
    out.backward(slopes)
    torch.testing.assert_close(torch.cat([found for found, _, _ in results]), out.detach())
    own = [grad if n else grad[:0] for n, (_, grad, _) in zip(sizes, results, strict=True)]
    torch.testing.assert_close(torch.cat(own), whole.grad, rtol=1e-4, atol=1e-5)
    if layer.affine:
        gradient = sum(parameters_gradient(part) for _, _, part in results)
        torch.testing.assert_close(gradient, parameters_gradient(layer), rtol=1e-4, atol=1e-5)
    for _, _, part in results:
        for name, value in layer.named_buffers():
            torch.testing.assert_close(part.get_buffer(name), value)


def test_a_stand_in_has_no_gradient():
    layer, x = make_layer(nn.BatchNorm1d), make_inputs((3,))
    (_, _, _), (_, gradient, _) = run_together(layer, x, torch.ones_like(x), [12, 0])
    assert torch.equal(gradient, torch.zeros(1, 3))


def test_layers_are_those_of_torch_again():
    network = nn.Sequential(nn.Linear(3, 3), nn.BatchNorm1d(3))
    (layer,) = batch_normalizations(network)
    with normalized_together(network, None):
        assert "forward" in vars(layer)
        x = make_inputs((3,))
        torch.testing.assert_close(layer.eval()(x), x, rtol=1e-4, atol=1e-4)
    assert "forward" not in vars(layer)


def test_half_precision_stays():
    layer, x = make_layer(nn.BatchNorm2d), make_inputs((3, 2, 2)).bfloat16()
    ((out, gradient, _),) = run_together(layer, x, torch.ones_like(x), [12])
    assert out.dtype == gradient.dtype == torch.bfloat16
    wanted = copy.deepcopy(layer)(x.float())
    torch.testing.assert_close(out.float(), wanted.detach(), rtol=2e-2, atol=2e-2)
