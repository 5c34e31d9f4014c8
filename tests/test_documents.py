"""Tests of documents: every kind of value that may be in an estimator."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from skdeepclust._documents import DocumentReader, DocumentWriter
from skdeepclust.critic._network import CriticNetwork
from skdeepclust.networks import ConvEncoder, EncoderNetwork, LinearEncoder, MLPEncoder
from skdeepclust.training import InputScaling, Moments


def through_json(value, module=None):
    writer = DocumentWriter("It")
    text = json.dumps(writer.write(value, "value"), allow_nan=False)
    return DocumentReader(writer.tensors, module).read(json.loads(text))


@pytest.mark.parametrize(
    "value",
    [
        None, True, 0, -(2**80), 0.1, 5e-324, float("inf"), "", "ü\n\ud800\0", [], (), {},
        [1, [2.5, (3, "x", [None])]], {"kind": "array", "name": "x"}, {1: "a", (2, 3): {}},
        np.float32(0.1), np.float64(-np.inf), np.int8(-3), np.bool_(True), np.str_("ab"),
        torch.device("cuda", 1), torch.device("cpu"), Path("a") / "b",
    ],
    ids=ascii,
)  # fmt: skip
def test_plain_values(value):
    again = through_json(value)
    assert again == value
    assert type(again) is type(value)


def test_nan():
    assert np.isnan(through_json(float("nan")))
    assert np.isnan(through_json(np.float32("nan")))


@pytest.mark.parametrize(
    "array",
    [
        np.arange(6).reshape(2, 3),
        np.asfortranarray(np.random.RandomState(0).normal(size=(3, 4))),
        np.random.RandomState(0).normal(size=(4, 6))[::2, ::3],
        np.array(3.5, dtype=np.float16),
        np.zeros((0, 3), dtype=np.uint8),
        np.array([np.nan, -0.0, np.inf]),
        np.array([True, False]),
        np.array([["a", "bcd"], ["", "ü"]]),
        np.array(["a", 3, None, 2.5], dtype=object),
        np.array([], dtype="<U1"),
    ],
    ids=lambda array: f"{array.dtype}-{array.shape}",
)
def test_arrays(array):
    again = through_json(array)
    np.testing.assert_array_equal(again, array, strict=True)
    assert array.dtype.kind in "OU" or again.tobytes() == array.tobytes()
    assert again.flags.writeable
    assert again.flags.f_contiguous == array.flags.f_contiguous or not array.flags.forc


def test_foreign_byte_order_becomes_native():
    again = through_json(np.array([1, 256], dtype=">i4"))
    assert again.dtype == np.dtype("int32")
    assert again.tolist() == [1, 256]


def test_tensors_keep_type_and_layout():
    for tensor in (torch.arange(3), torch.rand(3, 4).T, torch.rand(2, 3, requires_grad=True)):
        again = through_json(tensor)
        assert torch.equal(again, tensor)
        assert again.stride() == tensor.stride()
        assert again.dtype == tensor.dtype


def test_records():
    rows = torch.rand(5, 3)
    moments = through_json(Moments.of(rows))
    assert isinstance(moments, Moments)
    assert torch.equal(moments.gram, Moments.of(rows).gram)
    scaling = through_json({"a": InputScaling(np.ones(3), 2.0)})["a"]
    assert isinstance(scaling, InputScaling)
    assert (scaling.center.tolist(), scaling.scale) == ([1, 1, 1], 2.0)


def test_one_random_state_stays_one():
    state = np.random.RandomState(2)
    state.normal()
    first, second, other = through_json([state, state, np.random.RandomState(2)])
    assert first is second
    assert first is not other
    assert first.normal() == state.normal()
    assert through_json(np.random.mtrand._rand) is np.random.mtrand._rand


def test_strings_have_a_limit(monkeypatch):
    value = [np.array(["a", "bcd"]), np.array(["e"])]
    monkeypatch.setattr("skdeepclust._documents._MAX_STRING_BYTES", 28)
    assert through_json(value)[0].tolist() == ["a", "bcd"]
    writer = DocumentWriter("It")
    document = writer.write(value, "value")
    monkeypatch.setattr("skdeepclust._documents._MAX_STRING_BYTES", 27)
    with pytest.raises(ValueError, match=r"It cannot be saved: with its value\.1 .* 28 bytes"):
        through_json(value)
    with pytest.raises(ValueError, match="its strings take 28 bytes: 27 at most"):
        DocumentReader(writer.tensors, None).read(document)


def test_critic_with_more_layers_than_weights():
    writer = DocumentWriter("It")
    document = writer.write(CriticNetwork(hidden=(7,), n_rounds=1), "value")
    arguments = dict(document["plan"]["items"])["arguments"]["items"]
    next(item for item in arguments if item[0] == "n_rounds")[1] = 10**12
    with pytest.raises(ValueError, match="its critic has more layers than there are weights"):
        DocumentReader(writer.tensors, None).read(document)


@pytest.mark.parametrize("value", [set(), object(), len, np.dtype(int), range(3), b"x", 1j])
def test_refuses_other_objects(value):
    with pytest.raises(TypeError, match=r"It cannot be saved: its value\.0\.deep is "):
        through_json([{"deep": value}])


@pytest.mark.parametrize("array", [np.array([1j]), np.array(["2020"], "M8[D]"), np.array([b"x"])])
def test_refuses_other_arrays(array):
    with pytest.raises(TypeError, match="It cannot be saved: its value has dtype"):
        through_json(array)


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize(
    "encoder, shape",
    [
        (LinearEncoder(), (4,)),
        (MLPEncoder(hidden=(5, 6), activation="gelu", dropout=0.25), (4,)),
        (ConvEncoder(channels=(3, 4, 5), precision="bfloat16"), (2, 9, 7)),
    ],
)
def test_encoder_networks(encoder, shape, training):
    network = encoder.build(shape, 3).train(training)
    again = through_json(network)
    assert repr(again) == repr(network)
    assert again.precision == network.precision
    assert all(layer.training == training for layer in again.modules())
    for (name, one), (other_name, other) in zip(
        network.state_dict().items(), again.state_dict().items(), strict=True
    ):
        assert name == other_name
        assert torch.equal(one, other)
        assert one.stride() == other.stride()


def test_critic_networks():
    network = CriticNetwork(hidden=(7,), node_dim=3, n_rounds=0).eval()
    again = through_json(network)
    assert again.config == network.config
    assert again.state_dict().keys() == network.state_dict().keys()
    assert all(torch.equal(v, again.state_dict()[k]) for k, v in network.state_dict().items())


class Doubled(nn.Linear):
    def forward(self, x):
        return 2 * super().forward(x)


@pytest.mark.parametrize(
    "body",
    [
        Doubled(3, 2),
        nn.Sequential(nn.Flatten(), Doubled(3, 2)),
        nn.Sequential(nn.Linear(3, 2), nn.LeakyReLU()),
        nn.Sequential(nn.Conv2d(1, 1, 3, stride=2), nn.Flatten()),
        nn.BatchNorm2d(3, momentum=0.5),
    ],
    ids=repr,
)
def test_layers_that_arguments_do_not_describe_are_code(body):
    network = EncoderNetwork(body, nn.Identity())
    with pytest.raises(ValueError, match="its encoder is a module of the class"):
        through_json(network)
    again = through_json(network, module=body)
    assert again.body is not body
    assert repr(again) == repr(network)


def test_leaves_the_global_random_state_alone():
    networks = [MLPEncoder().build((4,), 2), CriticNetwork(), ConvEncoder().build((1, 8, 8), 2)]
    before = torch.get_rng_state()
    through_json(networks)
    assert torch.equal(torch.get_rng_state(), before)
