"""Arrays from the files in which data sets were published: idx, MATLAB, zip files of pictures.

Each ``*_arrays`` function takes the paths of the original files, in the order of the catalogue,
and returns the arrays of the npz file that stands for the data set from then on. Sizes that a
file declares are compared with what it holds before they are believed.
"""

from __future__ import annotations

import gzip
import re
import struct
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from math import prod
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray
from scipy.io import loadmat
from scipy.io.matlab import MatReadError

from ..training import epoch_progress

__all__ = [
    "Arrays",
    "emnist_letters_arrays",
    "import_pillow",
    "mnist_arrays",
    "omniglot_arrays",
    "read_idx",
    "read_mat",
    "require_labels",
    "split_column",
    "svhn_arrays",
]

Arrays = dict[str, NDArray[Any]]

_BLOCK = 1 << 20  # bytes read at once
_BYTES = 8  # code of unsigned bytes in idx files
_DRAWING = re.compile(r"images_\w+/([^/]+)/(character\d+)/\d+_(\d+)\.png")
_DRAWING_SIZE = (105, 105)
# Edges of the 32 x 32 cells that are averaged: 3 or 4 pixels wide.
_EDGES = np.floor(np.linspace(0, 105, 33) + 0.5).astype(np.intp)
# What the readers raise where a file is cut short, of another kind, or damaged.
_COMPRESSION_ERRORS = (
    EOFError, NotImplementedError, OSError, RuntimeError, zipfile.BadZipFile, zlib.error,
)  # fmt: skip
_MAT_ERRORS = (
    ArithmeticError, AttributeError, LookupError, MatReadError, TypeError, ValueError, struct.error,
    *_COMPRESSION_ERRORS,
)  # fmt: skip


def mnist_arrays(paths: Sequence[Path], verbose: int = 0) -> Arrays:
    """Images and labels of MNIST's four files: training before test, images before labels."""
    arrays = {}
    names = ("x_train", "y_train", "x_test", "y_test")
    for name, path in zip(names, paths, strict=True):
        with open(path, "rb") as stream:
            arrays[name] = read_idx(stream, (28, 28) if name.startswith("x") else (), path)
    return arrays


def emnist_letters_arrays(paths: Sequence[Path], verbose: int = 0) -> Arrays:
    """The official letters, upright, from the zip file of all of EMNIST."""
    parts: dict[str, list[NDArray[Any]]] = {"images-idx3": [], "labels-idx1": []}
    with _naming(paths[0]), zipfile.ZipFile(paths[0]) as archive:
        for subset in ("train", "test"):
            for kind, shape in (("images-idx3", (28, 28)), ("labels-idx1", ())):
                name = f"gzip/emnist-letters-{subset}-{kind}-ubyte.gz"
                if name not in archive.namelist():
                    raise ValueError(f"{paths[0]} has no file {name}.")
                with archive.open(name) as stream:
                    parts[kind].append(read_idx(stream, shape, f"{paths[0]}, {name}"))
    images, labels = (np.concatenate(part) for part in parts.values())
    require_labels(labels, 1, 26, paths[0])
    return {
        "images": np.ascontiguousarray(images.transpose(0, 2, 1)),  # they were stored sideways
        "labels": labels - np.uint8(1),
        "split": split_column(*map(len, parts["labels-idx1"])),
    }


def svhn_arrays(paths: Sequence[Path], verbose: int = 0) -> Arrays:
    """Images (n, 3, 32, 32) and digits of SVHN's files of cropped digits: training, test."""
    arrays = {}
    for subset, path in zip(("train", "test"), paths, strict=True):
        found = read_mat(path, ("X", "y"))
        images, labels = found["X"], found["y"]
        n = labels.size
        if images.dtype != np.uint8 or images.shape != (32, 32, 3, n) or labels.shape != (n, 1):
            raise ValueError(
                f"{path} has X of shape {images.shape}, {images.dtype}, and y of shape "
                f"{labels.shape}: (32, 32, 3, n), uint8, and (n, 1) are wanted."
            )
        require_labels(labels, 1, 10, path)
        arrays[f"x_{subset}"] = np.ascontiguousarray(images.transpose(3, 2, 0, 1))
        arrays[f"y_{subset}"] = (labels[:, 0] % 10).astype(np.uint8)  # 10 stands for the digit 0
    return arrays


def omniglot_arrays(paths: Sequence[Path], verbose: int = 0) -> Arrays:
    """All drawings, 32 x 32, ink 255: of the background alphabets, then of the others."""
    Image = import_pillow("Omniglot comes as PNG files.")
    images, rows = [], []
    for split, path in enumerate(paths):
        with _naming(path), zipfile.ZipFile(path) as archive:
            matches = list(filter(None, map(_DRAWING.fullmatch, sorted(archive.namelist()))))
            with epoch_progress(len(matches), verbose, path.name) as report:
                for match in matches:
                    rows.append((split, *match.groups()))
                    with archive.open(match.string) as stream:
                        images.append(_read_drawing(Image, stream, f"{path}, {match.string}"))
                    if report is not None:
                        report({})
        if not matches:
            raise ValueError(f"{path} has no file images_.../ALPHABET/characterNN/NNNN_NN.png.")
    return {"images": np.stack(images), **_omniglot_columns(rows)}


def _read_drawing(Image: Any, stream: IO[bytes], source: str) -> NDArray[np.uint8]:
    with Image.open(stream) as picture:
        if picture.size != _DRAWING_SIZE:
            raise ValueError(f"{source} has size {picture.size}, {_DRAWING_SIZE} is wanted.")
        ink = np.asarray(picture.convert("L")) < 128
    for axis in (0, 1):
        ink = np.add.reduceat(ink, _EDGES[:-1], axis=axis, dtype=np.intp)
    sides = np.diff(_EDGES)
    return np.rint(255 * ink / np.outer(sides, sides)).astype(np.uint8)  # (32, 32)


def _omniglot_columns(rows: Sequence[tuple[Any, ...]]) -> Arrays:
    """What is known of drawings, from their split, alphabet, character and drawer."""
    splits, _, _, drawers = zip(*rows, strict=True)
    alphabets = list(dict.fromkeys(row[:2] for row in rows))
    characters = list(dict.fromkeys(row[:3] for row in rows))
    alphabet_ids = {alphabet: i for i, alphabet in enumerate(alphabets)}
    character_ids = {character: i for i, character in enumerate(characters)}
    return {
        "character": np.array([character_ids[row[:3]] for row in rows], dtype=np.int16),
        "alphabet": np.array([alphabet_ids[row[:2]] for row in rows], dtype=np.int16),
        "drawer": np.array(drawers, dtype=np.uint8),
        "split": np.array(splits, dtype=np.uint8),
        "alphabet_names": np.array([name for _, name in alphabets]),
        "character_alphabet": np.array([alphabet_ids[c[:2]] for c in characters], dtype=np.int16),
        "character_folder": np.array([folder for _, _, folder in characters]),
    }


def read_idx(
    stream: IO[bytes], item_shape: tuple[int, ...], source: str | Path
) -> NDArray[np.uint8]:
    """Items of bytes of a compressed idx file.

    Parameters
    ----------
    stream : binary file
        The file, compressed with gzip.
    item_shape : tuple of int
        Shape that each of its items must have.
    source : str or Path
        The name of the file in messages.

    Returns
    -------
    items : ndarray of shape (n, *item_shape), uint8

    Raises
    ------
    ValueError
        If it is damaged, or holds anything else, or more or less than it declares.
    """
    n_axes = 1 + len(item_shape)
    with _naming(source), gzip.GzipFile(fileobj=stream) as content:
        header = content.read(4 + 4 * n_axes)
        if header[:4] != bytes([0, 0, _BYTES, n_axes]) or len(header) != 4 + 4 * n_axes:
            raise ValueError(f"{source} is no idx file of bytes with {n_axes} axes.")
        shape = struct.unpack(f">{n_axes}I", header[4:])
        if shape[1:] != item_shape:
            wish = f"({', '.join(map(str, ('n', *item_shape)))})"
            raise ValueError(f"{source} declares shape {shape}, {wish} is wanted.")
        items = _read_at_most(content, prod(shape) + 1)
    if len(items) != prod(shape):
        raise ValueError(
            f"{source} declares shape {shape}, which takes {prod(shape)} bytes, but has "
            f"{'more' if len(items) > prod(shape) else len(items)}."
        )
    return np.frombuffer(items, dtype=np.uint8).reshape(shape)


def _read_at_most(stream: IO[bytes] | gzip.GzipFile, size: int) -> bytearray:
    """Up to `size` bytes; memory is taken for those that are there, not for `size`."""
    content = bytearray()
    while len(content) < size and (block := stream.read(min(_BLOCK, size - len(content)))):
        content += block
    return content


def read_mat(path: Path, names: Sequence[str], squeeze: bool = False) -> Arrays:
    """Variables of a MATLAB file.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If it is damaged or lacks a variable.
    """
    try:
        with open(path, "rb") as stream:
            found = loadmat(stream, variable_names=names, squeeze_me=squeeze)
    except FileNotFoundError:
        raise
    except _MAT_ERRORS as error:
        raise ValueError(f"{path} is damaged or no MATLAB file ({error}).") from error
    for name in names:
        if name not in found:
            raise ValueError(f"{path} has no variable {name!r}.")
    return {name: np.asarray(found[name]) for name in names}


def split_column(n_train: int, n_test: int) -> NDArray[np.uint8]:
    """0 for the rows of the training set, then 1 for those of the test set."""
    return np.repeat(np.array([0, 1], dtype=np.uint8), [n_train, n_test])


def import_pillow(reason: str) -> Any:
    """The module PIL.Image."""
    try:
        from PIL import Image
    except ImportError as error:
        raise ImportError(
            f"{reason} They are read with Pillow, which is not installed. "
            'Install it with: pip install "skdeepclust[plot]"'
        ) from error
    return Image


def require_labels(labels: NDArray[Any], low: int, high: int, source: str | Path) -> None:
    """Raise ValueError unless all labels are integers from `low` to `high`."""
    if not np.isin(labels, np.arange(low, high + 1)).all():
        raise ValueError(f"{source} has labels other than the integers from {low} to {high}.")


@contextmanager
def _naming(source: str | Path) -> Iterator[None]:
    """Turn the errors of damaged compressed files into one that names the file."""
    try:
        yield
    except FileNotFoundError:
        raise
    except _COMPRESSION_ERRORS as error:
        raise ValueError(f"{source} is damaged ({error}).") from error
