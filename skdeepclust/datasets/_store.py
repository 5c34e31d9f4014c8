"""Data sets as npz files: written whole or not at all, read without pickle, checked."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ._archives import Arrays, require_labels, split_column
from ._download import replacing

__all__ = [
    "Contents",
    "read_letters",
    "read_npz",
    "read_omniglot",
    "read_train_and_test",
    "write_npz",
]

# One entry for each image under images, target, split and others; names of classes and others.
Contents = tuple[Arrays, dict[str, Sequence[str]]]

# What numpy raises where a file is cut short, of another kind, or damaged.
_MISREAD = (
    AttributeError, EOFError, LookupError, OSError, TypeError, ValueError,
    zipfile.BadZipFile, zlib.error,
)  # fmt: skip


def write_npz(path: Path, arrays: Arrays) -> None:
    """Write arrays to a file, which replaces one that is there when it is complete."""
    with replacing(path) as stream:
        np.savez_compressed(stream, **arrays)  # type: ignore[arg-type]


def read_npz(path: Path, names: Sequence[str]) -> Arrays:
    """Arrays of a file, by name.

    Raises
    ------
    ValueError
        If it is damaged, lacks an array, or holds Python objects.
    """
    try:
        with open(path, "rb") as stream, np.load(stream, allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in names if name in archive}
    except FileNotFoundError:
        raise
    except _MISREAD as error:
        raise ValueError(f"{path} is damaged or no npz file of arrays ({error}).") from error
    for name in names:
        if name not in arrays:
            raise ValueError(f"{path} has no array {name!r}: {', '.join(names)} are wanted.")
    return arrays


def read_train_and_test(path: Path, item_shape: tuple[int, ...], n_classes: int) -> Contents:
    """Contents of a file with x_train, y_train, x_test and y_test.

    Colour images may have their channels first or last in the file.
    """
    found = read_npz(path, ("x_train", "y_train", "x_test", "y_test"))
    for subset in ("train", "test"):
        images = _channels_first(found[f"x_{subset}"], item_shape)
        _check_rows(path, f"x_{subset}", images, item_shape, found[f"y_{subset}"])
        require_labels(found[f"y_{subset}"], 0, n_classes - 1, path)
        found[f"x_{subset}"] = images
    columns = {
        "images": np.concatenate([found["x_train"], found["x_test"]]),
        "target": np.concatenate([found["y_train"], found["y_test"]]).astype(np.int64),
        "split": split_column(len(found["y_train"]), len(found["y_test"])),
    }
    return columns, {}


def read_letters(path: Path) -> Contents:
    """Contents of a file with images, labels and split."""
    found = read_npz(path, ("images", "labels", "split"))
    images, labels, split = found["images"], found["labels"], found["split"]
    _check_rows(path, "images", images, (28, 28), labels, split)
    require_labels(labels, 0, 25, path)
    require_labels(split, 0, 1, path)
    return {"images": images, "target": labels.astype(np.int64), "split": _bytes(split)}, {}


def read_omniglot(path: Path) -> Contents:
    """Contents of a file with images, who drew which character, and names of these."""
    keys = ("images", "character", "alphabet", "drawer", "split")
    named = ("alphabet_names", "character_alphabet", "character_folder")
    found = read_npz(path, (*keys, *named))
    images, character, alphabet, drawer, split = (found[key] for key in keys)
    alphabets, home, folders = (found[key] for key in named)
    _check_rows(path, "images", images, (32, 32), character, alphabet, drawer, split)
    if alphabets.ndim != 1 or folders.ndim != 1 or home.shape != folders.shape:
        raise ValueError(f"{path}: the shapes of {', '.join(named)} do not fit each other.")
    require_labels(character, 0, len(folders) - 1, path)
    require_labels(np.concatenate([alphabet, home]), 0, len(alphabets) - 1, path)
    require_labels(split, 0, 1, path)
    columns = {
        "images": images,
        "target": character.astype(np.int64),
        "split": _bytes(split),
        "alphabet": alphabet.astype(np.int64),
        "drawer": _bytes(drawer),
    }
    characters = [f"{alphabets[i]}/{folder}" for i, folder in zip(home, folders, strict=True)]
    return columns, {"target_names": characters, "alphabet_names": list(alphabets)}


def _bytes(column: NDArray[Any]) -> NDArray[np.uint8]:
    return column.astype(np.uint8)


def _channels_first(images: NDArray[Any], item_shape: tuple[int, ...]) -> NDArray[Any]:
    if len(item_shape) == 3 and images.shape[1:] == (*item_shape[1:], item_shape[0]):
        return np.ascontiguousarray(np.moveaxis(images, -1, 1))
    return images


def _check_rows(
    path: Path,
    name: str,
    images: NDArray[Any],
    item_shape: tuple[int, ...],
    *columns: NDArray[Any],
) -> None:
    """Raise ValueError unless there are images of bytes, and in each column a value for each."""
    if images.dtype != np.uint8 or images.shape[1:] != item_shape:
        wish = f"uint8 of shape ({', '.join(map(str, ('n', *item_shape)))})"
        raise ValueError(f"{path}: {name} is {images.dtype} {images.shape}, {wish} is wanted.")
    for column in columns:
        if column.shape != (len(images),):
            raise ValueError(
                f"{path}: {name} has {len(images)} images, but what belongs to them has shape "
                f"{column.shape}, ({len(images)},) is wanted."
            )
