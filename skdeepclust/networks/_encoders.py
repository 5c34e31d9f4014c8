"""Encoder specifications: small scikit-learn objects that build torch modules.

A specification holds parameters only, so that it clones, compares and takes part in grid
searches as ``encoder__hidden``; the module it builds holds the weights.
"""

from __future__ import annotations

import copy
from abc import ABCMeta, abstractmethod
from collections.abc import Sequence
from functools import cache
from math import prod
from numbers import Integral, Real
from typing import Any

import numpy as np
import torch
from sklearn.base import BaseEstimator
from torch import Tensor, nn

__all__ = [
    "BaseEncoder",
    "ConvEncoder",
    "EncoderNetwork",
    "LinearEncoder",
    "MLPEncoder",
    "ModuleEncoder",
    "output_width",
    "resolve_encoder",
]

# Of weights and inputs, whatever a user has made the default of torch.
_DTYPE = torch.float32
_PRECISIONS = ("auto", "float32", "bfloat16")
_ACTIVATIONS: dict[str, type[nn.Module]] = {
    "relu": nn.ReLU,
    "gelu": nn.GELU,
    "tanh": nn.Tanh,
    "silu": nn.SiLU,
}


class EncoderNetwork(nn.Module):
    """A feature extractor and a last linear layer, which has a closed-form optimum.

    Parameters
    ----------
    body : nn.Module
        Maps ``(n, *input_shape)`` to features (n, h).
    head : nn.Linear or nn.Identity
        Maps the features to embeddings (n, d).
    precision : {"float32", "bfloat16", "auto"}, default="float32"
        Of products in training: see `ConvEncoder`.

    Attributes
    ----------
    generator : torch.Generator or None
        What its layers draw from while it is trained. None: torch's global generator.
    """

    generator: torch.Generator | None = None

    def __init__(self, body: nn.Module, head: nn.Module, precision: str = "float32") -> None:
        super().__init__()
        self.body = body
        self.head = head
        self.precision = precision

    def forward(self, x: Tensor) -> Tensor:
        """Embeddings (n, d) of inputs ``(n, *input_shape)``."""
        out: Tensor
        if not self.training or not self._is_reduced(x.device.type):
            out = self.head(self.body(x))
            return out
        with torch.autocast(x.device.type, dtype=torch.bfloat16):
            out = self.head(self.body(x))
        return out.float()

    def _is_reduced(self, device_type: str) -> bool:
        if self.precision == "auto":
            return _has_fast_bfloat16(device_type)
        return self.precision == "bfloat16"


class BaseEncoder(BaseEstimator, metaclass=ABCMeta):
    """Base class of encoder specifications."""

    # Whether the module decides on the width of the embedding unless the user does.
    has_own_width = False

    @abstractmethod
    def build(self, input_shape: tuple[int, ...], embedding_dim: int | None) -> EncoderNetwork:
        """Make a freshly initialised network.

        Parameters
        ----------
        input_shape : tuple of int
            Shape of one input: ``(p,)`` for rows, ``(c, h, w)`` for images.
        embedding_dim : int or None
            Columns of the embedding; None leaves the choice to encoders that have one.

        Returns
        -------
        EncoderNetwork
            Maps ``(n, *input_shape)`` float32 to (n, embedding_dim).
        """

    def input_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """Shape in which the encoder wants an input that has this shape in X."""
        return shape

    def check_parameters(self) -> None:
        """Refuse parameters that are not as they should be, before any data are seen."""
        return


class LinearEncoder(BaseEncoder):
    """A linear map; with labels for all rows its optimum is found in closed form.

    Examples
    --------
    >>> from skdeepclust import LinearEncoder
    >>> LinearEncoder().build((4,), 2).head
    Linear(in_features=4, out_features=2, bias=True)
    """

    def build(self, input_shape: tuple[int, ...], embedding_dim: int | None) -> EncoderNetwork:
        """Make a freshly initialised network; see `BaseEncoder.build`."""
        return EncoderNetwork(nn.Flatten(), _head(prod(input_shape), embedding_dim))


class MLPEncoder(BaseEncoder):
    """A multilayer perceptron on the (flattened) features.

    Parameters
    ----------
    hidden : tuple of int, default=(256, 256)
        Widths of the hidden layers.
    activation : {"relu", "gelu", "tanh", "silu"}, default="relu"
        Nonlinearity after each hidden layer.
    dropout : float, default=0.0
        Share of hidden units silenced in each training step.

    Examples
    --------
    >>> from skdeepclust import MLPEncoder
    >>> MLPEncoder(hidden=(32,)).build((4,), 2).head
    Linear(in_features=32, out_features=2, bias=True)
    """

    def __init__(
        self, hidden: Sequence[int] = (256, 256), activation: str = "relu", dropout: float = 0.0
    ) -> None:
        self.hidden = hidden
        self.activation = activation
        self.dropout = dropout

    def check_parameters(self) -> None:
        """Refuse widths, activations and shares that are none."""
        _widths("hidden", self.hidden)
        _activation(self.activation)
        _check_dropout(self.dropout)

    def build(self, input_shape: tuple[int, ...], embedding_dim: int | None) -> EncoderNetwork:
        """Make a freshly initialised network; see `BaseEncoder.build`."""
        self.check_parameters()
        widths = [prod(input_shape), *_widths("hidden", self.hidden)]
        layers: list[nn.Module] = [nn.Flatten()]
        for n_in, n_out in zip(widths[:-1], widths[1:], strict=True):
            layers += [nn.Linear(n_in, n_out, dtype=_DTYPE), _activation(self.activation)]
            layers += [nn.Dropout(self.dropout)] if self.dropout else []
        return EncoderNetwork(nn.Sequential(*layers), _head(widths[-1], embedding_dim))


class ConvEncoder(BaseEncoder):
    """A convolutional network for images.

    Each stage is a 3 x 3 convolution, while the image is larger than 3 pixels a 2 x 2
    maximum, batch normalisation and a ReLU; the last stage is flattened.

    Parameters
    ----------
    channels : tuple of int, default=(32, 64, 128, 256)
        Channels of the stages.
    image_shape : tuple of int, default=None
        ``(h, w)`` or ``(c, h, w)`` of the images whose pixels are the columns of a 2-D X, as
        in pipelines. None: X is of shape (n, c, h, w).
    dropout : float, default=0.0
        Share of the features silenced in each training step before the last layer.
    precision : {"auto", "float32", "bfloat16"}, default="auto"
        Of the products in training. "auto": bfloat16 where the processor has instructions
        for it, which halves the time; else float32. Embeddings after training are always
        computed in float32.

    Examples
    --------
    >>> from skdeepclust import ConvEncoder
    >>> ConvEncoder(channels=(8, 16), image_shape=(8, 8)).input_shape((64,))
    (1, 8, 8)
    """

    def __init__(
        self,
        channels: Sequence[int] = (32, 64, 128, 256),
        image_shape: Sequence[int] | None = None,
        dropout: float = 0.0,
        precision: str = "auto",
    ) -> None:
        self.channels = channels
        self.image_shape = image_shape
        self.dropout = dropout
        self.precision = precision

    def check_parameters(self) -> None:
        """Refuse channels, shapes, shares and precisions that are none."""
        _widths("channels", self.channels)
        if self.image_shape is not None:
            _widths("image_shape", self.image_shape)
        _check_dropout(self.dropout)
        _check_precision(self.precision)

    def input_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """(c, h, w) of the images in X."""
        if len(shape) == 3 and self.image_shape is None:
            return shape
        if self.image_shape is None:
            raise ValueError(
                "ConvEncoder got image_shape=None and a 2-D X: pass X of shape (n, c, h, w), or "
                "image_shape=(h, w) or (c, h, w) for the pixels in the columns of X."
            )
        image = _widths("image_shape", self.image_shape)
        image = (1, *image) if len(image) == 2 else image
        if len(image) != 3 or prod(image) != prod(shape) or (len(shape) == 3 and image != shape):
            raise ValueError(
                f"image_shape={self.image_shape!r} does not fit X, whose rows have shape "
                f"{shape}: (h, w) or (c, h, w) with a product of {prod(shape)} is wanted."
            )
        return image

    def build(self, input_shape: tuple[int, ...], embedding_dim: int | None) -> EncoderNetwork:
        """Make a freshly initialised network; see `BaseEncoder.build`."""
        self.check_parameters()
        n_in, height, width = input_shape
        layers: list[nn.Module] = []
        for n_out in _widths("channels", self.channels):
            layers += [nn.Conv2d(n_in, n_out, 3, padding=1, bias=False, dtype=_DTYPE)]
            if min(height, width) > 3:
                layers += [nn.MaxPool2d(2)]
                height, width = height // 2, width // 2
            # After the maximum: a quarter of the work, which is bound by memory.
            layers += [nn.BatchNorm2d(n_out, dtype=_DTYPE), nn.ReLU(inplace=True)]
            n_in = n_out
        layers += [nn.Flatten()]
        layers += [nn.Dropout(self.dropout)] if self.dropout else []
        # The layout in which convolutions and maxima run fastest, by a factor of up to two.
        body = nn.Sequential(*layers).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        head = _head(n_in * height * width, embedding_dim)
        return EncoderNetwork(body, head, self.precision)


class ModuleEncoder(BaseEncoder):
    """Any torch module, fine-tuned from the weights it comes with.

    Parameters
    ----------
    module : nn.Module
        Maps (n, p) or (n, c, h, w) float32 to (n, h). A copy is trained; the module itself
        stays as it is.

    Notes
    -----
    With ``embedding_dim="auto"`` the output of the module is the embedding. Where an
    `embedding_dim` other than the module's is asked for, a linear layer is added.

    Examples
    --------
    >>> from torch import nn
    >>> from skdeepclust import ModuleEncoder
    >>> encoder = ModuleEncoder(nn.Sequential(nn.Linear(4, 16), nn.ReLU()))
    >>> encoder.build((4,), 2).head
    Linear(in_features=16, out_features=2, bias=True)
    """

    has_own_width = True

    def __init__(self, module: nn.Module) -> None:
        self.module = module

    def check_parameters(self) -> None:
        """Refuse what is no module."""
        if not isinstance(self.module, nn.Module):
            raise TypeError(f"module must be a torch.nn.Module, got {self.module!r}.")

    def build(self, input_shape: tuple[int, ...], embedding_dim: int | None) -> EncoderNetwork:
        """Copy the module and add a last layer where one is wanted."""
        self.check_parameters()
        body = copy.deepcopy(self.module).float().cpu()
        width = output_width(body, input_shape)
        if embedding_dim in (None, width):
            return EncoderNetwork(body, nn.Identity())
        return EncoderNetwork(body, _head(width, embedding_dim))


def resolve_encoder(encoder: Any) -> BaseEncoder:
    """The specification behind a name, a module or a specification.

    Raises
    ------
    ValueError
        For an unknown name.
    TypeError
        For anything else that is no encoder.
    """
    names = {"linear": LinearEncoder, "mlp": MLPEncoder, "conv": ConvEncoder}
    if isinstance(encoder, BaseEncoder):
        return encoder
    if isinstance(encoder, nn.Module):
        return ModuleEncoder(encoder)
    if isinstance(encoder, str) and encoder in names:
        return names[encoder]()
    kind = ValueError if isinstance(encoder, str) else TypeError
    raise kind(
        f"encoder={encoder!r} is unknown: one of {sorted(names)}, an encoder object such as "
        "MLPEncoder(hidden=(256,)), or a torch.nn.Module is wanted."
    )


def _head(n_in: int, embedding_dim: int | None) -> nn.Linear:
    if embedding_dim is None:
        raise ValueError("embedding_dim=None: this encoder needs a number of columns.")
    return nn.Linear(n_in, embedding_dim, dtype=_DTYPE)


def output_width(module: nn.Module, input_shape: tuple[int, ...]) -> int:
    """Columns of a module's output, by a trial run on zeros."""
    training = module.training
    weight = next(module.parameters(), None)
    device = None if weight is None else weight.device
    zeros = torch.zeros(2, *input_shape, dtype=_DTYPE, device=device)
    try:
        with torch.no_grad():
            out = module.eval()(zeros)
    except RuntimeError as error:
        raise ValueError(f"module does not take inputs of shape (n, *{input_shape}).") from error
    finally:
        module.train(training)
    if not isinstance(out, Tensor) or out.ndim != 2 or out.shape[0] != 2:
        shape = tuple(out.shape) if isinstance(out, Tensor) else type(out).__name__
        raise ValueError(f"module must return a tensor of shape (n, h), got {shape} for n=2.")
    return int(out.shape[1])


def _widths(name: str, values: Sequence[int]) -> tuple[int, ...]:
    result = tuple(values) if isinstance(values, Sequence | np.ndarray) else (values,)
    if not all(isinstance(v, Integral) and int(v) >= 1 for v in result):
        raise ValueError(f"{name}={values!r}: a tuple of integers >= 1 is wanted.")
    return tuple(int(v) for v in result)


def _activation(name: str) -> nn.Module:
    if not isinstance(name, str) or name not in _ACTIVATIONS:
        raise ValueError(f"activation={name!r} is unknown: one of {sorted(_ACTIVATIONS)}.")
    return _ACTIVATIONS[name]()


def _check_precision(precision: str) -> None:
    if precision not in _PRECISIONS:
        raise ValueError(f"precision={precision!r} is unknown: one of {_PRECISIONS} is wanted.")


@cache
def _has_fast_bfloat16(device_type: str) -> bool:
    """Whether the device has instructions for products of bfloat16 numbers."""
    if device_type == "cuda":
        return torch.cuda.get_device_capability() >= (8, 0)
    if device_type != "cpu" or not hasattr(torch.cpu, "get_capabilities"):
        return False
    found = torch.cpu.get_capabilities()
    return any(found.get(name, False) for name in ("avx512_bf16", "amx_bf16"))


def _check_dropout(dropout: float) -> None:
    if not isinstance(dropout, Real) or not 0 <= dropout < 1:
        raise ValueError(f"dropout={dropout!r}: a share in [0, 1) is wanted.")
