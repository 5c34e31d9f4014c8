"""Images of digits, letters and clothes, and tasks of a few classes and rows drawn from them.

Critics learn from the training halves of digits and clothes, and are tested on tasks from the test
halves, and on letters, which nobody learns from. The rows are the 30 leading principal components
of the pixels, fitted without labels: those of a test task on its own few hundred images, as
somebody who has these to cluster would do, so that neither the other images nor what the critic
learned from has any part in it; those to learn from on the images to learn from, in the case of
few shots on these alone. Each of the few shots is learned from with randomly turned, stretched and
shifted copies of it, without which a class would have ten rows, and tasks a hundred at most.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from critic_pool import Codes
from numpy.typing import NDArray
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA

from skdeepclust.training._augmentation import distort_affine

__all__ = [
    "AMOUNTS",
    "FASHION",
    "FEW",
    "LETTERS",
    "NUMBERS",
    "N_COMPONENTS",
    "N_COPIES",
    "SOURCES",
    "STANDARD",
    "TARGETS",
    "Images",
    "draw_rows",
    "few_shots",
    "load_images",
    "principal_components",
    "training_set",
    "with_copies",
]

NUMBERS, LETTERS, FASHION = "Numbers", "Letters", "Fashion"
SOURCES = (NUMBERS, FASHION)
TARGETS = (NUMBERS, LETTERS, FASHION)
STANDARD, FEW = "standard", "few shots"
AMOUNTS = (STANDARD, FEW)
N_COMPONENTS = 30
N_COPIES = 9

_SHOTS = 10
_FILES = {NUMBERS: "mnist.npz", LETTERS: "emnist_letters.npz", FASHION: "fashion_mnist.npz"}
# Printed characters take the place of the files in quick runs.
_SCRIPTS = {LETTERS: "armenian", FASHION: "greek"}


@dataclass(frozen=True)
class Images:
    """Images as rows of pixels.

    Attributes
    ----------
    pixels : ndarray of shape (n, p)
        From 0 to 255.
    y : ndarray of shape (n,)
        Class of each.
    """

    pixels: NDArray[np.uint8]
    y: Codes


@lru_cache(maxsize=3)
def load_images(name: str, half: str, folder: Path | None) -> Images:
    """Images of a data set.

    Parameters
    ----------
    name : {"Numbers", "Letters", "Fashion"}
    half : {"train", "test"}
        Letters are all for tests.
    folder : Path or None
        Where the files are. None: few and small images that come with scikit-learn and the
        package.
    """
    if folder is None:
        return _small_images(name, half)
    check_files(folder)
    path = folder / _FILES[name]
    keys = ("images", "labels") if name == LETTERS else (f"x_{half}", f"y_{half}")
    with np.load(path) as archive:
        images, y = (archive[key] for key in keys)
    return Images(images.reshape(len(images), -1), y.astype(np.int64))


def check_files(folder: Path) -> None:
    """Say which file is missing, before hours of work on the others."""
    for path in (folder / name for name in _FILES.values()):
        if not path.exists():
            raise SystemExit(f"No file {path}: give its folder as --data-dir, or try --quick.")


def _small_images(name: str, half: str) -> Images:
    """Digits of scikit-learn or printed characters, every other one in each half."""
    if name == NUMBERS:
        digits, y = load_digits(return_X_y=True)
        pixels = (digits * (255 / 16)).astype(np.uint8)
    else:
        from skdeepclust.datasets import make_glyphs

        drawn = make_glyphs(40, scripts=_SCRIPTS[name], n_classes=6, image_size=16, random_state=0)
        pixels, y = drawn.images.reshape(len(drawn.images), -1), drawn.target
        if pixels.dtype != np.uint8:
            pixels = (pixels * 255).astype(np.uint8)
    kept = slice(half == "test", None, 2)
    return Images(pixels[kept], np.asarray(y[kept], dtype=np.int64))


def principal_components(pixels: NDArray[Any]) -> NDArray[np.float32]:
    """Leading principal components of the images among themselves, (n, 30) or fewer."""
    rows = pixels.astype(np.float32) / 255
    n_components = min(N_COMPONENTS, rows.shape[1], len(rows) - 1)
    # Both are exact, unlike what scikit-learn would choose for few rows.
    solver = "full" if len(rows) < rows.shape[1] else "covariance_eigh"
    scores = PCA(n_components, svd_solver=solver).fit_transform(rows)
    return np.asarray(scores, dtype=np.float32)


def draw_rows(
    y: Codes, rng: np.random.RandomState, classes: tuple[int, int], rows: tuple[int, int]
) -> NDArray[np.intp]:
    """Random rows of random classes.

    Parameters
    ----------
    y : ndarray of shape (n,)
        Class of each row.
    rng : RandomState
    classes, rows : tuple of two int
        Fewest and most; all numbers between are equally likely.
    """
    names = np.unique(y)
    n_classes = rng.randint(classes[0], min(classes[1], len(names)) + 1)
    n_rows = rng.randint(rows[0], rows[1] + 1)
    members = np.flatnonzero(np.isin(y, rng.permutation(names)[:n_classes]))
    return rng.permutation(members)[:n_rows]


def few_shots(images: Images, seed: int, n_shots: int = _SHOTS) -> Images:
    """So many random images of each class."""
    order = np.random.RandomState(seed).permutation(len(images.y))
    names = np.unique(images.y)
    kept = np.concatenate([order[images.y[order] == name][:n_shots] for name in names])
    return Images(images.pixels[kept], images.y[kept])


def with_copies(images: Images, n_copies: int, seed: int) -> Images:
    """The images and so many randomly turned, stretched and shifted copies of each."""
    side = round(images.pixels.shape[1] ** 0.5)
    generator = torch.Generator().manual_seed(seed)
    squares = torch.from_numpy(images.pixels).float().reshape(-1, 1, side, side)
    copies = [distort_affine(squares, generator).round().byte() for _ in range(n_copies)]
    pixels = [images.pixels, *(copy.reshape(len(squares), -1).numpy() for copy in copies)]
    return Images(np.concatenate(pixels), np.tile(images.y, n_copies + 1))


def training_set(
    source: str, amount: str, seed: int, folder: Path | None, n_copies: int = N_COPIES
) -> tuple[NDArray[np.float32], Codes]:
    """Rows and classes to learn from: all of the training half, or few shots of each class.

    Parameters
    ----------
    source : {"Numbers", "Fashion"}
    amount : {"standard", "few shots"}
    seed : int
        Chooses and distorts the few shots.
    folder : Path or None
        See `load_images`.
    n_copies : int, default=9
        Distorted copies of each of the few shots: with them a class has as many rows as in test
        tasks.
    """
    images = load_images(source, "train", folder)
    if amount == FEW:
        images = with_copies(few_shots(images, seed), n_copies, seed)
    return principal_components(images.pixels), images.y
