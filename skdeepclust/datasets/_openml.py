"""Copies of data sets on OpenML, taken only if they are what was published."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from hashlib import sha256
from importlib.util import find_spec
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.datasets import fetch_openml

from ._archives import Arrays
from ._download import ChecksumError

__all__ = ["OpenMLCopy", "idx_sha256", "openml_arrays"]

_NAMES = ("x_train", "y_train", "x_test", "y_test")


@dataclass(frozen=True)
class OpenMLCopy:
    """Images of a data set as rows of pixels, those of the training set first.

    Parameters
    ----------
    data_id : int
        Its number on OpenML.
    n_train : int
        Number of training images.
    image_shape : tuple of int
    sha256 : tuple of str
        SHA-256 sums of the idx files, unpacked, of training images, training labels, test images
        and test labels.
    """

    data_id: int
    n_train: int
    image_shape: tuple[int, int]
    sha256: tuple[str, str, str, str]


def openml_arrays(copy: OpenMLCopy) -> Arrays:
    """Training and test images and labels of a copy, as x_train, y_train, x_test and y_test.

    Raises
    ------
    ChecksumError
        If they are other images or labels than those that were published, or in another order.
    """
    found = fetch_openml(
        data_id=copy.data_id,
        as_frame=False,
        parser="pandas" if find_spec("pandas") else "liac-arff",
        cache=False,  # the arrays are stored as they leave this function
        n_retries=1,  # the fewest that it takes: the original archives are another attempt
    )
    n, images = copy.n_train, _as_bytes(found.data).reshape(-1, *copy.image_shape)
    labels = _as_bytes(found.target)
    arrays = dict(zip(_NAMES, (images[:n], labels[:n], images[n:], labels[n:]), strict=True))
    for (name, array), wanted in zip(arrays.items(), copy.sha256, strict=True):
        if (total := idx_sha256(array)) != wanted:
            raise ChecksumError(
                f"data set {copy.data_id} of OpenML has another {name}: as idx file it has the "
                f"SHA-256 sum {total}, {wanted} is wanted"
            )
    return arrays


def idx_sha256(array: NDArray[np.uint8]) -> str:
    """SHA-256 sum of an array of bytes as an unpacked idx file."""
    total = sha256(bytes([0, 0, 8, array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape))
    total.update(np.ascontiguousarray(array).data)
    return total.hexdigest()


def _as_bytes(values: Any) -> NDArray[np.uint8]:
    """Numbers, or texts of numbers, as bytes."""
    numbers = np.asarray(values)
    if not np.issubdtype(numbers.dtype, np.number):
        numbers = numbers.astype(np.float64)
    with np.errstate(invalid="ignore"):  # NaN is found below
        found = numbers.astype(np.uint8)
    if not np.array_equal(found, numbers):
        raise ValueError("OpenML sent pixels or labels that are no integers from 0 to 255.")
    return found
