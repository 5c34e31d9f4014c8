"""Layers of networks as plans of plain values, and networks filled with stored weights."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from numpy.typing import NDArray
from torch import nn

__all__ = ["build_layer", "check_sizes", "describe", "fill"]

# Layers of our encoders, and the arguments from which torch builds them again.
_LAYERS: dict[str, tuple[str, ...]] = {
    "BatchNorm2d": ("num_features",),
    "Conv2d": ("in_channels", "out_channels", "kernel_size", "padding", "bias"),
    "Dropout": ("p",),
    "Flatten": (),
    "GELU": (),
    "Identity": (),
    "Linear": ("in_features", "out_features", "bias"),
    "MaxPool2d": ("kernel_size",),
    "ReLU": ("inplace",),
    "SiLU": (),
    "Tanh": (),
}
_MAY_BE_ZERO = ("padding", "n_rounds")
_MAX_NAMES_SHOWN = 6


def describe(layer: nn.Module) -> dict[str, Any] | None:
    """Plan of a layer of torch; None if the plan would not give this very layer."""
    plan = _describe_layer(layer)
    if plan is None:
        return None
    with torch.device("meta"):  # builds no weights
        return plan if repr(build_layer(plan)) == repr(layer) else None


def _describe_layer(layer: nn.Module) -> dict[str, Any] | None:
    if type(layer) is nn.Sequential:
        parts = [_describe_layer(part) for part in layer]
        return None if None in parts else {"layer": "Sequential", "layers": parts}
    title = type(layer).__name__
    if title not in _LAYERS or type(layer) is not getattr(nn, title):
        return None
    arguments = {name: getattr(layer, name) for name in _LAYERS[title]}
    if "bias" in arguments:
        arguments["bias"] = arguments["bias"] is not None
    return {"layer": title, "arguments": arguments}


def build_layer(plan: dict[str, Any]) -> nn.Module:
    """The layer that a plan describes, its weights untrained.

    Raises
    ------
    ValueError
        If there is no such layer or argument.
    """
    title = plan["layer"]
    if title == "Sequential":
        return nn.Sequential(*map(build_layer, plan["layers"]))
    if title not in _LAYERS:
        raise ValueError(f"it holds the layer {title!r}: one of {[*_LAYERS]} is wanted.")
    unknown = plan["arguments"].keys() - set(_LAYERS[title])
    if unknown:
        raise ValueError(f"its layer {title} has {sorted(unknown)}, of which nothing is known.")
    check_sizes(plan["arguments"])
    layer: nn.Module = getattr(nn, title)(**plan["arguments"])
    return layer.float()  # whatever torch's default is


def check_sizes(arguments: Mapping[str, Any]) -> None:
    """Refuse layers of no or of less than no units."""
    for name, value in arguments.items():
        if type(value) is int and value < (0 if name in _MAY_BE_ZERO else 1):
            raise ValueError(f"its network has {name}={value}: a positive number is wanted.")


def fill(network: nn.Module, weights: Mapping[str, NDArray[Any]], prefix: str) -> None:
    """Give a network its weights, after all of them were found to fit.

    Parameters
    ----------
    network : nn.Module
        What is on the "meta" device goes to the CPU.
    weights : mapping of str to ndarray
        By name, which begins with `prefix`.
    prefix : str

    Raises
    ------
    ValueError
        If weights are missing, left over, or of another shape or type.
    """
    state = network.state_dict()
    wanted = {prefix + key: value for key, value in state.items()}
    if weights.keys() != wanted.keys():
        names = sorted(weights.keys() ^ wanted.keys())[:_MAX_NAMES_SHOWN]
        raise ValueError(
            f"the weights {names} are in the file or in the module, but not in both: a module of "
            "the same make is wanted."
        )
    tensors = {key: torch.from_numpy(weights[key]) for key in wanted}
    for key, value in wanted.items():
        _check_weight(key, tensors[key], value)
    for layer in network.modules():
        own = [*layer.parameters(recurse=False), *layer.buffers(recurse=False)]
        if any(tensor.is_meta for tensor in own):
            layer.to_empty(device="cpu", recurse=False)
    network.load_state_dict({key: tensors[prefix + key] for key in state})


def _check_weight(key: str, weight: torch.Tensor, wanted: torch.Tensor) -> None:
    if weight.shape != wanted.shape or weight.dtype != wanted.dtype:
        raise ValueError(
            f"the weight {key} is {weight.dtype} of shape {tuple(weight.shape)}, "
            f"{wanted.dtype} of shape {tuple(wanted.shape)} is wanted."
        )
