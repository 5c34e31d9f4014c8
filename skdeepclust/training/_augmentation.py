"""Distorted copies of training inputs, made anew for every batch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from ..spectral import to_device

__all__ = ["AUGMENTATIONS", "Augmentation", "add_turned_classes", "augmentation", "distort_affine"]

Distort = Callable[[Tensor, torch.Generator], Tensor]

AUGMENTATIONS = ("affine", "affine+turns")

# Standard deviations of the distortions.
_ROTATION = 0.17  # radians, about 10 degrees
_LOG_SCALE = 0.1
_LOG_ASPECT = 0.08
_SHEAR = 0.12
_SHIFT = 0.07  # of half the image


@dataclass(frozen=True)
class Augmentation:
    """A distortion of batches, and in how many turns each image is shown.

    Attributes
    ----------
    distort : callable
        Maps inputs (b, ...) and a generator to distorted inputs of the same shape.
    n_turns : int, default=1
        With 4, images turned by 90, 180 and 270 degrees count as further classes: the
        class code c + t * n_classes is class c turned t times.
    """

    distort: Distort
    n_turns: int = 1

    def __call__(
        self, inputs: Tensor, codes: Tensor, n_classes: int, generator: torch.Generator
    ) -> Tensor:
        """Turn inputs as their codes (b,) in ``[0, n_turns * n_classes)`` say, and distort.

        Codes are on the CPU, whatever the device of the inputs.
        """
        if self.n_turns > 1:
            inputs = _turned(inputs, codes // n_classes)
        distorted = self.distort(inputs, generator)
        if _kind(distorted) != _kind(inputs):
            raise ValueError(
                f"augment must return a tensor like the one it is given, {_kind(inputs)}, got "
                f"{_kind(distorted)}."
            )
        return distorted


def augmentation(augment: str | Distort | None) -> Augmentation | None:
    """The augmentation that a name or a function stands for.

    Parameters
    ----------
    augment : {"affine", "affine+turns"}, callable or None
        A function takes inputs (b, ...), float32, and a ``torch.Generator``, and returns
        distorted inputs.

    Raises
    ------
    ValueError
        For an unknown name.
    """
    if augment is None:
        return None
    if callable(augment):
        return Augmentation(augment)
    if augment not in AUGMENTATIONS:
        raise ValueError(
            f"augment={augment!r} is unknown: one of {AUGMENTATIONS}, a function or None is wanted."
        )
    return Augmentation(distort_affine, 4 if augment == "affine+turns" else 1)


def add_turned_classes(
    targets: np.ndarray, indices: np.ndarray, n_turns: int
) -> tuple[np.ndarray, np.ndarray]:
    """Class codes (n,) and rows (n,) repeated for each turn, with codes of their own."""
    if n_turns == 1:
        return targets, indices
    if targets.ndim != 1:
        raise ValueError(
            'augment="affine+turns" makes classes of turned images and needs a class label for '
            'each row, got assignments: use augment="affine".'
        )
    offsets = np.arange(n_turns)[:, None] * (int(targets.max()) + 1)
    return (targets + offsets).ravel(), np.tile(indices, n_turns)


def distort_affine(images: Tensor, generator: torch.Generator) -> Tensor:
    """Rotate, scale, stretch, shear and shift each image at random, by a little.

    Parameters
    ----------
    images : Tensor of shape (b, c, h, w)
    generator : torch.Generator
        On the CPU, whatever the device of the images.

    Returns
    -------
    Tensor of shape (b, c, h, w)
        What comes in from outside repeats the border.
    """
    if images.ndim != 4:
        raise ValueError(
            f"augment of images needs inputs of shape (b, c, h, w), got {tuple(images.shape)}: "
            "pass images, or an encoder with image_shape, or a function of your own."
        )
    maps = to_device(_affine_maps(images.shape[0], generator), images.device).to(images.dtype)
    grid = functional.affine_grid(maps, list(images.shape), align_corners=False)  # (b, h, w, 2)
    return functional.grid_sample(images, grid, padding_mode="border", align_corners=False)


def _affine_maps(n: int, generator: torch.Generator) -> Tensor:
    """Random maps from output to input coordinates, (n, 2, 3)."""
    spreads = (_ROTATION, _LOG_SCALE, _LOG_ASPECT, _SHEAR, _SHIFT, _SHIFT)
    spread = torch.tensor(spreads, dtype=torch.float32)
    drawn = torch.randn(n, 6, generator=generator, dtype=torch.float32) * spread
    angle, log_scale, log_aspect, shear, *shift = drawn.unbind(1)
    cos, sin = angle.cos(), angle.sin()
    wide, high = (log_scale + log_aspect).exp(), (log_scale - log_aspect).exp()
    rows = [wide * cos, wide * (shear * cos - sin), shift[0]]
    rows += [high * sin, high * (cos + shear * sin), shift[1]]
    return torch.stack(rows, dim=1).reshape(n, 2, 3)


def _kind(value: object) -> str:
    if not isinstance(value, Tensor):
        return repr(value)
    return f"{value.dtype} of shape {tuple(value.shape)} on {value.device}"


def _turned(images: Tensor, turns: Tensor) -> Tensor:
    """Images (b, c, h, h) turned counter-clockwise by multiples of 90 degrees, given (b,)."""
    if images.ndim != 4 or images.shape[2] != images.shape[3]:
        raise ValueError(
            'augment="affine+turns" needs square images (b, c, h, h), got inputs of shape '
            f"{tuple(images.shape)}."
        )
    result = images.clone()
    for turn in (1, 2, 3):
        chosen = to_device(torch.nonzero(turns == turn)[:, 0], images.device)
        result[chosen] = torch.rot90(images[chosen], turn, (2, 3))
    return result
