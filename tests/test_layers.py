"""Tests of plans of layers: no more is built than weights account for."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from skdeepclust._layers import build_layer, check_sizes, describe, fill


def weights(network, prefix="n."):
    return {prefix + key: value.numpy() for key, value in network.state_dict().items()}


@pytest.mark.parametrize(
    "layer",
    [
        nn.Linear(3, 2),
        nn.Linear(3, 2, bias=False),
        nn.Sequential(nn.Conv2d(1, 4, 3, padding=1, bias=False), nn.BatchNorm2d(4), nn.ReLU()),
        nn.Sequential(nn.Sequential(nn.Tanh()), nn.Dropout(0.2)),
    ],
    ids=repr,
)
def test_plan_gives_the_same_layer(layer):
    with torch.device("meta"):
        again = build_layer(describe(layer))
    fill(again, weights(layer), "n.")
    assert repr(again) == repr(layer)
    for key, value in layer.state_dict().items():
        assert torch.equal(again.state_dict()[key], value)
    assert not any(p.is_meta for p in (*again.parameters(), *again.buffers()))


@pytest.mark.parametrize("layer", [nn.LeakyReLU(), nn.Conv2d(1, 1, 3, 2), nn.LSTM(2, 2)], ids=repr)
def test_layers_without_a_plan(layer):
    assert describe(layer) is None


@pytest.mark.parametrize(
    "plan, message",
    [
        ({"layer": "LSTM", "arguments": {}}, "the layer 'LSTM': one of"),
        ({"layer": "__init__", "arguments": {}}, "the layer '__init__': one of"),
        ({"layer": "Linear", "arguments": {"device": "cuda"}}, r"Linear has \['device'\]"),
        ({"layer": "Linear", "arguments": {"in_features": 0}}, "in_features=0: a positive"),
        ({"layer": "Dropout", "arguments": {"inplace": True}}, r"Dropout has \['inplace'\]"),
    ],
)
def test_refuses_other_plans(plan, message):
    with pytest.raises(ValueError, match=message):
        build_layer(plan)


def test_sizes_that_may_be_zero():
    check_sizes({"padding": 0, "n_rounds": 0, "bias": False, "p": 0.0, "hidden": ()})
    with pytest.raises(ValueError, match="padding=-1: a positive number is wanted"):
        check_sizes({"padding": -1})


def test_nothing_is_built_before_the_weights_fit():
    with torch.device("meta"):
        network = nn.Linear(10**6, 10**6)  # 4 TB
    small = {"n.weight": np.zeros((2, 3), np.float32), "n.bias": np.zeros(2, np.float32)}
    with pytest.raises(ValueError, match=r"the weight n\.weight is .* of shape \(2, 3\)"):
        fill(network, small, "n.")
    assert network.weight.is_meta


def test_weights_that_are_missing_or_left_over():
    network = nn.Linear(3, 2)
    found = weights(network)
    for changed in ({"n.weight": found["n.weight"]}, {**found, "n.more": np.zeros(1)}):
        with pytest.raises(ValueError, match=r"the weights \['n\.(bias|more)'\] are in the file"):
            fill(network, changed, "n.")
