"""A row's result is the same, bit for bit, whatever else is in the call."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from skdeepclust.networks import ConvEncoder, LinearEncoder, MLPEncoder
from skdeepclust.training import EmbeddedRows, InputScaling, Rows, embed_rows, map_batches
from skdeepclust.training import _inference as module
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


def test_slices_are_the_rows_in_between(network_and_rows):
    network, rows = network_and_rows
    whole = embed_rows(network, rows)
    for part in (slice(None), slice(256, 700), slice(990, 2000)):
        assert torch.equal(embed_rows(network, rows, part), whole[part])
    assert embed_rows(network, rows, slice(5, 5)).shape == (0, whole.shape[1])


def test_an_embedding_can_be_changed_and_learned_from():
    embedding = embed_rows(nn.Linear(3, 2), make_rows(300, 3))
    assert not embedding.is_inference()
    embedding.mul_(2)
    weights = torch.ones(2, requires_grad=True)
    (embedding @ weights).sum().backward()
    torch.testing.assert_close(weights.grad, embedding.sum(dim=0))


class Counted:
    """Embeds rows, and counts how many."""

    def __init__(self, whole):
        self.whole, self.n_computed = whole, 0

    def __call__(self, indices):
        found = self.whole[indices]
        self.n_computed += len(found)
        return found.clone()


@pytest.fixture
def embedded(monkeypatch, request):
    """Embedded rows of which all are kept, or none; and what computes them."""
    monkeypatch.setattr(module, "_MAX_KEPT_BYTES", 1000 * 4 * 5 if request.param else 999 * 4 * 5)
    monkeypatch.setattr(module, "_PART_BYTES", 300 * 4 * 5)
    compute = Counted(torch.randn(1000, 5, generator=torch.Generator().manual_seed(0)))
    return EmbeddedRows(compute, 1000, 5), compute


@pytest.mark.parametrize("embedded", [True, False], indirect=True)
def test_parts_and_places_of_embedded_rows(embedded):
    rows, compute = embedded
    assert len(rows) == 1000
    assert rows.shape == (1000, 5)
    assert torch.equal(torch.cat(list(rows.parts())), compute.whole)
    np.testing.assert_array_equal(rows.collect(), compute.whole)
    assert rows.collect().dtype == np.float32
    order = np.random.RandomState(0).permutation(1000)[:30]
    assert torch.equal(rows[order], compute.whole[order])
    assert torch.equal(rows[slice(3, 9)], compute.whole[3:9])


@pytest.mark.parametrize("embedded", [True, False], indirect=True)
def test_functions_of_embedded_rows(embedded):
    rows, compute = embedded
    squares = rows.map(torch.square).map(torch.neg)
    np.testing.assert_array_equal(squares.collect(), -compute.whole.square())
    assert torch.equal(squares[np.array([7, 1])], -compute.whole[[7, 1]].square())


@pytest.mark.parametrize(
    ("embedded", "n_computed"), [(True, 1000), (False, 3000)], indirect=["embedded"]
)
def test_few_rows_are_embedded_once_and_many_in_parts(embedded, n_computed):
    rows, compute = embedded
    squares = rows.map(torch.square)
    sizes = [len(part) for source in (rows, squares, squares) for part in source.parts()]
    assert compute.n_computed == n_computed
    assert max(sizes) == (1000 if n_computed == 1000 else BATCH_ROWS)
