"""Encoder specifications: what they build, how they clone, what they refuse."""

import numpy as np
import pytest
import torch
from sklearn.base import clone
from torch import nn

from skdeepclust.networks import (
    BaseEncoder,
    ConvEncoder,
    EncoderNetwork,
    LinearEncoder,
    MLPEncoder,
    ModuleEncoder,
    output_width,
    resolve_encoder,
)
from skdeepclust.networks import _encoders as source

SPECIFICATIONS = [
    LinearEncoder(),
    MLPEncoder(),
    MLPEncoder(hidden=(7, 5), activation="gelu", dropout=0.25),
    MLPEncoder(hidden=()),
    ConvEncoder(),
    ConvEncoder(channels=(4, 8), image_shape=(2, 3, 3), dropout=0.5),
    ConvEncoder(channels=(4,), precision="bfloat16"),
]


def columns(encoder, input_shape, embedding_dim, n=3):
    network = encoder.build(input_shape, embedding_dim)
    return tuple(network(torch.randn(n, *input_shape)).shape)


@pytest.mark.parametrize("encoder", SPECIFICATIONS, ids=repr)
def test_repr_clone_and_parameters_round_trip(encoder):
    again = eval(repr(encoder))
    assert type(again) is type(encoder)
    assert again.get_params() == encoder.get_params() == clone(encoder).get_params()
    fresh = type(encoder)().set_params(**encoder.get_params())
    assert fresh.get_params() == encoder.get_params()


@pytest.mark.parametrize("encoder", SPECIFICATIONS, ids=repr)
def test_specification_holds_no_state_of_what_it_built(encoder):
    before = dict(vars(encoder))
    encoder.build((2, 3, 3), 2)
    assert vars(encoder) == before


@pytest.mark.parametrize("encoder", SPECIFICATIONS, ids=repr)
@pytest.mark.parametrize("embedding_dim", [1, 6])
def test_images_become_rows_of_the_wanted_width(encoder, embedding_dim):
    assert columns(encoder, (2, 3, 3), embedding_dim) == (3, embedding_dim)


@pytest.mark.parametrize("encoder", [LinearEncoder(), MLPEncoder(hidden=(5,))], ids=repr)
def test_rows_become_rows_of_the_wanted_width(encoder):
    assert columns(encoder, (4,), 3) == (3, 3)


def test_network_is_head_after_body():
    network = EncoderNetwork(nn.Linear(4, 3), nn.Linear(3, 2))
    x = torch.randn(5, 4)
    expected = (x @ network.body.weight.T + network.body.bias) @ network.head.weight.T
    torch.testing.assert_close(network(x), expected + network.head.bias)


def test_linear_encoder_is_one_linear_map_of_the_pixels():
    network = LinearEncoder().build((2, 3, 3), 4)
    x = torch.randn(5, 2, 3, 3)
    expected = x.reshape(5, 18) @ network.head.weight.T + network.head.bias
    torch.testing.assert_close(network(x), expected)


def test_mlp_layers_follow_its_parameters():
    body = MLPEncoder(hidden=(7, 5), activation="tanh", dropout=0.25).build((4,), 2).body
    kinds = [type(layer) for layer in body]
    block = [nn.Linear, nn.Tanh, nn.Dropout]
    assert kinds == [nn.Flatten, *block, *block]
    assert [layer.out_features for layer in body if isinstance(layer, nn.Linear)] == [7, 5]
    assert {layer.p for layer in body if isinstance(layer, nn.Dropout)} == {0.25}


@pytest.mark.parametrize("hidden", [6, np.int64(6), [6], np.array([6])], ids=repr)
def test_widths_may_be_a_number_a_list_or_an_array(hidden):
    assert MLPEncoder(hidden=hidden).build((4,), 2).head.in_features == 6


def test_mlp_without_hidden_layers_is_linear():
    network = MLPEncoder(hidden=()).build((4,), 2)
    a, b, zero = torch.randn(5, 4), torch.randn(5, 4), torch.zeros(5, 4)
    torch.testing.assert_close(network(a + b) + network(zero), network(a) + network(b))


@pytest.mark.parametrize("size", [(1, 1), (3, 3), (2, 9), (8, 8), (9, 13), (28, 28)])
@pytest.mark.parametrize("channels", [(3,), (4, 4, 4, 4, 4)])
def test_conv_encoder_takes_images_of_any_size(size, channels):
    assert columns(ConvEncoder(channels=channels), (2, *size), 5) == (3, 5)


@pytest.mark.parametrize(
    ("size", "features"), [((3, 3), 9), ((4, 4), 4), ((8, 8), 4), ((1, 20), 20), ((16, 16), 16)]
)
def test_conv_encoder_halves_images_of_more_than_3_pixels(size, features):
    network = ConvEncoder(channels=(1, 1)).build((1, *size), 2)
    assert network.head.in_features == features


def test_conv_stages_are_convolution_maximum_normalisation_relu():
    body = ConvEncoder(channels=(4, 5, 6), dropout=0.5).build((2, 8, 8), 2).body
    last = [nn.BatchNorm2d, nn.ReLU]
    stage = [nn.Conv2d, nn.MaxPool2d, *last]
    kinds = [type(layer) for layer in body]
    assert kinds == [*stage, *stage, nn.Conv2d, *last, nn.Flatten, nn.Dropout]
    assert [layer.num_features for layer in body if isinstance(layer, nn.BatchNorm2d)] == [4, 5, 6]


def test_conv_encoder_has_four_stages_that_double_their_channels():
    body = ConvEncoder().build((1, 28, 28), 2).body
    convolutions = [layer for layer in body if isinstance(layer, nn.Conv2d)]
    assert [layer.out_channels for layer in convolutions] == [32, 64, 128, 256]


def conv_network(precision, seed=0, **parameters):
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return ConvEncoder((8, 16), precision=precision, **parameters).build((1, 12, 12), 5)


def conv_inputs(n=32):
    return torch.randn(n, 1, 12, 12, generator=torch.Generator().manual_seed(1))


def test_bfloat16_in_training_is_close_to_float32():
    x = conv_inputs()
    exact, reduced = (conv_network(name).train()(x) for name in ("float32", "bfloat16"))
    assert exact.dtype == reduced.dtype == torch.float32
    assert not torch.equal(exact, reduced)
    assert (exact - reduced).norm() < 0.05 * exact.norm()


def test_bfloat16_gives_gradients_close_to_those_of_float32():
    x, gradients = conv_inputs(), []
    for name in ("float32", "bfloat16"):
        network = conv_network(name).train()
        network(x).square().sum().backward()
        assert all(p.grad.dtype == torch.float32 for p in network.parameters())
        gradients.append(torch.cat([p.grad.ravel() for p in network.parameters()]))
    assert torch.isfinite(gradients[1]).all()
    assert (gradients[0] - gradients[1]).norm() < 0.2 * gradients[0].norm()


@pytest.mark.parametrize("precision", ["bfloat16", "auto"])
def test_embeddings_after_training_do_not_depend_on_the_precision(precision):
    x, network = conv_inputs(), conv_network(precision, seed=1)
    exact = conv_network("float32")
    network.load_state_dict(exact.state_dict())
    assert torch.equal(network.eval()(x), exact.eval()(x))


@pytest.mark.parametrize(("fast", "twin"), [(True, "bfloat16"), (False, "float32")])
def test_precision_auto_follows_the_processor(monkeypatch, fast, twin):
    asked = []
    monkeypatch.setattr(source, "_has_fast_bfloat16", lambda kind: asked.append(kind) or fast)
    x = conv_inputs()
    assert torch.equal(conv_network("auto").train()(x), conv_network(twin).train()(x))
    assert asked == ["cpu"]


@pytest.mark.parametrize(
    ("found", "fast"),
    [
        ({"avx512_bf16": True, "amx_bf16": False}, True),
        ({"amx_bf16": True}, True),
        ({"avx512_f": True, "avx512_bf16": False}, False),
        ({}, False),
    ],
)
def test_fast_bfloat16_is_told_by_the_instructions(monkeypatch, found, fast):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: found, raising=False)
    assert source._has_fast_bfloat16.__wrapped__("cpu") is fast
    assert source._has_fast_bfloat16.__wrapped__("abacus") is False


@pytest.mark.parametrize(("found", "fast"), [((7, 5), False), ((8, 0), True), ((9, 0), True)])
def test_fast_bfloat16_of_a_gpu_is_told_by_its_generation(monkeypatch, found, fast):
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda: found)
    assert source._has_fast_bfloat16.__wrapped__("cuda") is fast


def test_only_conv_encoders_reduce_the_precision(monkeypatch):
    monkeypatch.setattr(source, "_has_fast_bfloat16", lambda kind: True)
    network = MLPEncoder((8,)).build((4,), 3)
    x = torch.randn(5, 4)
    assert torch.equal(network.train()(x), network.eval()(x))


@pytest.mark.parametrize(
    ("image_shape", "shape", "expected"),
    [
        (None, (3, 8, 6), (3, 8, 6)),
        ((8, 8), (64,), (1, 8, 8)),
        ([8, 8], (64,), (1, 8, 8)),
        ((3, 4, 2), (24,), (3, 4, 2)),
        ((3, 4, 2), (3, 4, 2), (3, 4, 2)),
    ],
)
def test_conv_encoder_image_shape(image_shape, shape, expected):
    assert ConvEncoder(image_shape=image_shape).input_shape(shape) == expected


@pytest.mark.parametrize(
    ("image_shape", "shape"),
    [
        (None, (64,)),
        ((8, 7), (64,)),
        ((8,), (8,)),
        (8, (8,)),
        ((1, 1, 8, 8), (64,)),
        ((4, 2, 3), (3, 4, 2)),
        ((0, 64), (64,)),
        ((-8, -8), (64,)),
        ((8.0, 8.0), (64,)),
        (8.5, (64,)),
    ],
)
def test_conv_encoder_refuses_an_image_shape_that_does_not_fit(image_shape, shape):
    with pytest.raises(ValueError, match="image_shape=") as caught:
        ConvEncoder(image_shape=image_shape).input_shape(shape)
    assert str(image_shape) in str(caught.value) or str(tuple(image_shape)) in str(caught.value)


@pytest.mark.parametrize(
    ("encoder", "name"),
    [
        (MLPEncoder(hidden=(8, 0)), "hidden"),
        (MLPEncoder(hidden=(8, 2.0)), "hidden"),
        (MLPEncoder(hidden=-1), "hidden"),
        (MLPEncoder(hidden=2.5), "hidden"),
        (MLPEncoder(hidden=None), "hidden"),
        (MLPEncoder(hidden="8"), "hidden"),
        (MLPEncoder(activation="sigmoidal"), "activation"),
        (MLPEncoder(activation=None), "activation"),
        (MLPEncoder(dropout=1.0), "dropout"),
        (MLPEncoder(dropout=-0.1), "dropout"),
        (MLPEncoder(dropout=float("nan")), "dropout"),
        (MLPEncoder(dropout=None), "dropout"),
        (MLPEncoder(dropout="0.5"), "dropout"),
        (ConvEncoder(channels=(0,)), "channels"),
        (ConvEncoder(channels=None), "channels"),
        (ConvEncoder(dropout=1.5), "dropout"),
        (ConvEncoder(precision="float16"), "precision"),
        (ConvEncoder(precision=None), "precision"),
    ],
    ids=repr,
)
def test_errors_name_parameter_and_value(encoder, name):
    with pytest.raises(ValueError, match=f"{name}=") as caught:
        encoder.build((1, 2, 2), 2)
    assert repr(getattr(encoder, name)) in str(caught.value)


@pytest.mark.parametrize("encoder", [LinearEncoder(), MLPEncoder(), ConvEncoder()], ids=repr)
def test_encoders_without_a_width_of_their_own_need_one(encoder):
    assert not encoder.has_own_width
    with pytest.raises(ValueError, match="embedding_dim=None"):
        encoder.build((1, 2, 2), None)


@pytest.mark.parametrize("embedding_dim", [None, 6])
def test_module_encoder_keeps_the_width_of_the_module(embedding_dim):
    module = nn.Sequential(nn.Linear(4, 6), nn.ReLU())
    network = ModuleEncoder(module).build((4,), embedding_dim)
    x = torch.randn(5, 4)
    assert isinstance(network.head, nn.Identity)
    torch.testing.assert_close(network(x), module(x))


def test_module_encoder_adds_a_layer_for_another_width():
    network = ModuleEncoder(nn.Linear(4, 6)).build((4,), 3)
    assert (network.head.in_features, network.head.out_features) == (6, 3)


def test_module_encoder_trains_a_copy():
    module = nn.Sequential(nn.Linear(4, 6), nn.BatchNorm1d(6))
    before = {name: value.clone() for name, value in module.state_dict().items()}
    network = ModuleEncoder(module).build((4,), None)
    network.train()(torch.randn(9, 4)).sum().backward()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(1.0)
    assert all(torch.equal(value, before[name]) for name, value in module.state_dict().items())
    assert all(parameter.grad is None for parameter in module.parameters())


def test_module_encoder_clone_does_not_share_the_module():
    encoder = ModuleEncoder(nn.Linear(4, 6))
    copied = clone(encoder)
    assert copied.module is not encoder.module
    assert torch.equal(copied.module.weight, encoder.module.weight)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float16])
def test_module_encoder_computes_in_float32(dtype):
    module = nn.Linear(4, 6).to(dtype)
    network = ModuleEncoder(module).build((4,), None)
    assert network(torch.randn(2, 4)).dtype == torch.float32
    assert module.weight.dtype == dtype


@pytest.mark.parametrize("module", [None, "net", nn.Linear, lambda x: x])
def test_module_encoder_refuses_what_is_no_module(module):
    with pytest.raises(TypeError, match="module must be"):
        ModuleEncoder(module).build((4,), None)


class Odd(nn.Module):
    """Returns whatever it is told to."""

    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, x):
        return self.function(x)


@pytest.mark.parametrize(
    "function",
    [lambda x: x[:, 0], lambda x: x[:, :, None], lambda x: x[:1], lambda x: (x, x), lambda x: None],
)
def test_output_of_odd_shape_is_refused(function):
    with pytest.raises(ValueError, match=r"must return a tensor of shape \(n, h\)"):
        ModuleEncoder(Odd(function)).build((4,), None)


def test_module_for_other_inputs_is_refused():
    with pytest.raises(ValueError, match=r"does not take inputs of shape \(n, \*\(5,\)\)"):
        ModuleEncoder(nn.Linear(4, 6)).build((5,), None)


@pytest.mark.parametrize("training", [True, False])
def test_output_width_leaves_no_trace(training):
    module = nn.Sequential(nn.Flatten(), nn.Linear(8, 6), nn.BatchNorm1d(6)).train(training)
    assert output_width(module, (2, 4)) == 6
    assert module.training is training
    assert int(module[2].num_batches_tracked) == 0


def test_output_width_restores_the_mode_after_an_error():
    module = nn.Linear(4, 6)
    with pytest.raises(ValueError, match="module"):
        output_width(module, (5,))
    assert module.training


def test_the_trial_run_takes_place_where_the_weights_are():
    module = Odd(lambda x: x.new_empty(2, 6) if x.device.type == "meta" else None)
    module.weight = nn.Parameter(torch.empty(1, device="meta"))
    assert output_width(module, (4,)) == 6


@pytest.mark.parametrize(
    ("name", "kind"), [("linear", LinearEncoder), ("mlp", MLPEncoder), ("conv", ConvEncoder)]
)
def test_names_stand_for_default_specifications(name, kind):
    found = resolve_encoder(name)
    assert type(found) is kind
    assert found.get_params() == kind().get_params()


def test_specifications_and_modules_pass_through():
    encoder, module = MLPEncoder(hidden=(3,)), nn.Linear(4, 2)
    assert resolve_encoder(encoder) is encoder
    assert resolve_encoder(module).module is module


@pytest.mark.parametrize(
    ("encoder", "error"),
    [("transformer", ValueError), (3, TypeError), (None, TypeError), (MLPEncoder, TypeError)],
)
def test_unknown_encoders_are_named(encoder, error):
    with pytest.raises(error, match="encoder=") as caught:
        resolve_encoder(encoder)
    assert repr(encoder) in str(caught.value)


def test_base_class_is_abstract():
    with pytest.raises(TypeError, match="abstract"):
        BaseEncoder()
