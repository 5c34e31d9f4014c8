"""Two passes over chunks give the gradient of one pass over the batch."""

import copy

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from skdeepclust.networks import ConvEncoder, MLPEncoder
from skdeepclust.spectral import leave_one_out_loss, spectral_clustering_loss
from skdeepclust.training import InputScaling, Rows, TrainingPlan
from skdeepclust.training import _loop as loop
from skdeepclust.training._batches import BatchShape
from skdeepclust.training._loop import train
from skdeepclust.training._two_passes import backward_in_chunks

ENCODERS = {
    "mlp": (MLPEncoder(hidden=(20,)), (6,)),
    "dropout": (MLPEncoder(hidden=(20, 20), dropout=0.4), (6,)),
    "conv": (ConvEncoder(channels=(4, 4)), (1, 6, 6)),
}
LOSSES = {
    "spectral": lambda F, y: spectral_clustering_loss(F, y, ridge=0.5),
    "leave-one-out": lambda F, y: leave_one_out_loss(F, y, ridge=0.5, temperature=0.2),
}


def make(name, n=90):
    encoder, shape = ENCODERS[name]
    torch.manual_seed(0)
    network = encoder.build(shape, 5).train()
    return network, torch.randn(n, *shape), torch.arange(n) % 4


def in_chunks(network, inputs, n_at_once):
    """The embedding with its graph, from chunks of the inputs one after the other."""
    parts = [network(chunk) for chunk in inputs.split(n_at_once)]
    return functional.normalize(torch.cat(parts), dim=1, eps=1e-12)


@pytest.mark.parametrize("n_at_once", [30, 40, 90, 200])
@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("name", ENCODERS)
def test_gradient_is_that_of_one_graph(name, loss, n_at_once):
    network, inputs, y = make(name)
    other = copy.deepcopy(network)
    torch.manual_seed(1)
    expected = LOSSES[loss](in_chunks(other, inputs, n_at_once), y)
    expected.backward()
    torch.manual_seed(1)
    found, objective = backward_in_chunks(
        network, inputs, lambda F: (LOSSES[loss](F, y), F.detach().sum()), n_at_once
    )
    assert not found.requires_grad
    torch.testing.assert_close(found, expected.detach(), rtol=1e-5, atol=1e-6)
    for mine, theirs in zip(network.parameters(), other.parameters(), strict=True):
        scale = float(theirs.grad.abs().max())
        torch.testing.assert_close(mine.grad, theirs.grad, rtol=1e-4, atol=1e-5 * scale)
    for mine, theirs in zip(network.buffers(), other.buffers(), strict=True):
        torch.testing.assert_close(mine, theirs)


def test_generator_goes_on_as_after_one_pass():
    network, inputs, y = make("dropout")
    torch.manual_seed(1)
    in_chunks(network, inputs, 30)
    expected = torch.rand(3)
    torch.manual_seed(1)
    backward_in_chunks(network, inputs, lambda F: (F.square().sum(), F.sum()), 30)
    assert torch.equal(torch.rand(3), expected)


def test_no_graph_is_larger_than_a_chunk():
    rows = []

    class Spy(nn.Linear):
        def forward(self, x):
            rows.append((len(x), torch.is_grad_enabled()))
            return super().forward(x)

    network = Spy(6, 3)
    backward_in_chunks(network, torch.randn(61, 6), lambda F: (F[:, 0].sum(), F.sum()), 20)
    # A chunk of one row would have no statistics: it joins the one before.
    assert rows == [(n, graph) for graph in (False, True) for n in (20, 20, 21)]


def test_training_with_large_batches_learns_the_same(monkeypatch):
    rng = np.random.RandomState(0)
    codes = np.arange(240) % 4
    X = 2 * rng.standard_normal((4, 6))[codes] + rng.standard_normal((240, 6))
    rows = Rows(X, InputScaling.fit(X, (6,)), (6,), torch.device("cpu"))
    plan = TrainingPlan(5, 0.01, 0.0, 0.1, 1000)
    histories = []
    for chunk in (1000, 50):
        monkeypatch.setattr(loop, "CHUNK_ROWS", chunk)
        network = make("mlp")[0]
        result = train(network, rows, codes, BatchShape(5, 120, 4), plan, np.random.RandomState(0))
        histories.append(result.history["objective"])
    np.testing.assert_allclose(*histories, rtol=1e-4)
