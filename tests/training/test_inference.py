"""A row's result is the same, bit for bit, whatever else is in the call."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from skdeepclust.networks import ConvEncoder, LinearEncoder, MLPEncoder
from skdeepclust.training import InputScaling, Rows, embed_rows, map_batches
from skdeepclust.training._inference import BATCH_ROWS


def make_rows(n, *shape):
    X = np.random.RandomState(0).standard_normal((n, *shape))
    return Rows(X, InputScaling.fit(X, shape), shape, torch.device("cpu"))


ENCODERS = {
    "mlp": (MLPEncoder(hidden=(256, 256)), (37,), 10),
    "wide mlp": (MLPEncoder(hidden=(300,), dropout=0.5), (64,), 33),
    "linear": (LinearEncoder(), (300,), 7),
    "conv": (ConvEncoder(channels=(8, 16)), (1, 10, 10), 5),
}


@pytest.fixture(params=ENCODERS)
def network_and_rows(request):
    encoder, shape, dim = ENCODERS[request.param]
    torch.manual_seed(0)
    return encoder.build(shape, dim), make_rows(1000, *shape)


@pytest.mark.parametrize("n", [1, 2, 17, 255, 256, 257, 600])
def test_embedding_of_a_row_does_not_depend_on_the_number_of_rows(network_and_rows, n):
    network, rows = network_and_rows
    assert torch.equal(embed_rows(network, rows, np.arange(n)), embed_rows(network, rows)[:n])


def test_embedding_of_a_row_does_not_depend_on_its_place(network_and_rows):
    network, rows = network_and_rows
    whole = embed_rows(network, rows)
    order = np.random.RandomState(1).permutation(1000)
    assert torch.equal(embed_rows(network, rows, order), whole[order])
    for row in (0, 255, 256, 999):
        assert torch.equal(embed_rows(network, rows, np.array([row]))[0], whole[row])


def test_embedding_is_the_normalised_output_in_evaluation_mode(network_and_rows):
    network, rows = network_and_rows
    with torch.no_grad():
        expected = functional.normalize(network.eval()(rows.take(slice(None))).double(), dim=1)
    embedding = embed_rows(network.train(), rows)
    torch.testing.assert_close(embedding.double(), expected, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(embedding.norm(dim=1), torch.ones(1000))


@pytest.mark.parametrize("training", [True, False])
def test_training_mode_and_statistics_are_left_as_they_were(training):
    network = ConvEncoder(channels=(4,)).build((1, 4, 4), 3).train(training)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    embed_rows(network, make_rows(20, 1, 4, 4))
    assert network.training is training
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())


def test_every_batch_has_the_same_shape():
    seen = []

    class Spy(nn.Module):
        def forward(self, x):
            seen.append(tuple(x.shape))
            return x

    embed_rows(Spy(), make_rows(600, 3))
    assert seen == [(BATCH_ROWS, 3)] * 3


def test_a_zero_embedding_stays_finite():
    network = nn.Linear(3, 2)
    nn.init.zeros_(network.weight), nn.init.zeros_(network.bias)
    assert torch.equal(embed_rows(network, make_rows(5, 3)), torch.zeros(5, 2))


@pytest.mark.parametrize("n", [1, 255, 256, 257, 1000])
def test_map_batches_equals_the_function_on_all_rows(n):
    rows = torch.randn(n, 5, generator=torch.Generator().manual_seed(0))
    assert torch.equal(map_batches(lambda b: 2 * b.square() + 1, rows), 2 * rows.square() + 1)


def test_map_batches_is_the_same_for_any_company():
    generator = torch.Generator().manual_seed(0)
    rows = torch.randn(1000, 40, generator=generator)
    weights = torch.randn(40, 12, generator=generator)
    whole = map_batches(lambda b: b @ weights, rows)
    for n in (1, 3, 255, 257):
        assert torch.equal(map_batches(lambda b: b @ weights, rows[:n]), whole[:n])
    assert torch.equal(map_batches(lambda b: b @ weights, rows.flip(0)), whole.flip(0))
