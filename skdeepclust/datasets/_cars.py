"""Cars196: the images from a folder, with the annotations that came with them."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from numbers import Integral
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import Bunch, check_scalar

from ..training import epoch_progress
from ._archives import Arrays, import_pillow, read_mat, require_labels, split_column
from ._download import DatasetUnavailableError
from ._request import as_bunch, check_subset

__all__ = ["load_cars196_images"]

_IN_ONE = "cars_annos.mat"
_NAMES = "devkit/cars_meta.mat"
_IN_TWO = {
    "devkit/cars_train_annos.mat": "cars_train",
    "cars_test_annos_withlabels.mat": "cars_test",
}
_BOX = ("bbox_x1", "bbox_y1", "bbox_x2", "bbox_y2")

_DESCR = """\
Cars196: photographs of cars by model
-------------------------------------

    images   3 x {side} x {side}, red, green and blue, {crop}
    classes  196 models of cars; 16,185 images in all
    split    the first half of the classes is for training, the second for test

Licence: for non-commercial research; the photographs belong to their owners.
J. Krause, M. Stark, J. Deng, L. Fei-Fei, "3D object representations for fine-grained
categorization", 3dRR workshop, ICCV 2013.
"""


@dataclass(frozen=True)
class _Annotations:
    """What is known of the images before they are opened."""

    paths: list[Path]
    boxes: NDArray[np.int64]  # (n, 4)
    target: NDArray[np.int64]  # (n,)
    original_split: NDArray[np.uint8]  # (n,)
    class_names: list[str]

    @property
    def split(self) -> NDArray[np.uint8]:
        """0 for the first half of the classes, 1 for the second."""
        return (self.target >= len(self.class_names) // 2).astype(np.uint8)

    def of(self, subset: str) -> _Annotations:
        """Annotations of the images of a subset."""
        if subset == "all":
            return self
        rows = np.flatnonzero(self.split == ("train", "test").index(subset))
        return _Annotations(
            [self.paths[row] for row in rows],
            self.boxes[rows],
            self.target[rows],
            self.original_split[rows],
            self.class_names,
        )


def load_cars196_images(
    folder: str | os.PathLike[str],
    *,
    image_size: int = 64,
    crop: bool = False,
    subset: str = "all",
    verbose: int = 0,
) -> Bunch:
    """Load the images of Cars196 (Stanford Cars) from a folder.

    The addresses at which the data set was published no longer answer; you need a copy.

    Parameters
    ----------
    folder : str or path-like
        With the files as they were published, in one of two forms:

        - ``cars_annos.mat`` and the folder ``car_ims``;
        - the folders ``cars_train``, ``cars_test`` and ``devkit`` (with ``cars_meta.mat`` and
          ``cars_train_annos.mat``), and ``cars_test_annos_withlabels.mat``, which may also lie in
          ``devkit``.
    image_size : int, default=64
        Height and width of the images that are returned, in pixels; proportions are not kept. All
        images take 199 MB of memory with 64, and 2.4 GB with the 224 of many networks.
    crop : bool, default=False
        True: only what is within the bounding box of the car.
    subset : {"all", "train", "test"}, default="all"
        Which images: "train" are those of the first 98 classes, "test" those of the last 98, as
        is the custom in metric learning.
    verbose : int, default=0
        Above 0, show the progress on standard error.

    Returns
    -------
    dataset : :class:`~sklearn.utils.Bunch`
        In the order of the annotations:

        images : ndarray of shape (n, 3, image_size, image_size), uint8
            Red, green and blue.
        data : ndarray of shape (n, 3 * image_size ** 2), uint8
            The same images as rows (a view).
        target : ndarray of shape (n,), int64
            Model of each car, from 0 to 195.
        split : ndarray of shape (n,), uint8
            0 for the first 98 classes, 1 for the others.
        original_split : ndarray of shape (n,), uint8
            The published one, in which all classes are in both: 0 for training, 1 for test.
        target_names : list of str
            Names of the models.
        filename : str
            The folder.
        DESCR : str
            Description of the data set.

    Raises
    ------
    DatasetUnavailableError
        If the folder has none of the annotations; an OSError.
    FileNotFoundError
        If an annotated image is missing.
    ImportError
        If Pillow is not installed; it comes with ``pip install "skdeepclust[plot]"``.
    ValueError
        If a file is damaged.

    Examples
    --------
    >>> from skdeepclust.datasets import load_cars196_images
    >>> cars = load_cars196_images("cars196", image_size=128, crop=True)  # doctest: +SKIP
    >>> cars.images.shape  # doctest: +SKIP
    (16185, 3, 128, 128)
    """
    if not isinstance(folder, str | os.PathLike):
        raise TypeError(f"folder == {folder!r}, must be a str or path-like.")
    folder = Path(folder).expanduser()
    check_scalar(image_size, "image_size", Integral, min_val=1)
    check_subset(subset)
    Image = import_pillow("Cars196 comes as JPEG files.")
    found = _read_annotations(folder).of(subset)
    images = np.empty((len(found.paths), 3, image_size, image_size), dtype=np.uint8)
    with epoch_progress(len(images), verbose, "Cars196") as report:
        for row, path in enumerate(found.paths):
            box = tuple(found.boxes[row].tolist()) if crop else None
            images[row] = _read_photograph(Image, path, box, int(image_size))
            if report is not None:
                report({})
    columns: Arrays = {
        "images": images,
        "target": found.target,
        "split": found.split,
        "original_split": found.original_split,
    }
    cut = "cropped to the car" if crop else "not cropped"
    names = {"target_names": found.class_names}
    return as_bunch(columns, names, "all", folder, _DESCR.format(side=image_size, crop=cut))


def _read_annotations(folder: Path) -> _Annotations:
    """Annotations in either of the two forms in which they were published."""
    if (folder / _IN_ONE).is_file():
        found = read_mat(folder / _IN_ONE, ("annotations", "class_names"), squeeze=True)
        records = _Records(found["annotations"], folder / _IN_ONE)
        paths, original_split = records.paths("relative_im_path", folder), records.integers("test")
        return _gather([records], paths, original_split, found["class_names"])
    files = [_find(folder, name) for name in _IN_TWO]
    names = read_mat(_find(folder, _NAMES), ("class_names",), squeeze=True)["class_names"]
    parts = [_Records(read_mat(f, ("annotations",), squeeze=True)["annotations"], f) for f in files]
    homes = [folder / name for name in _IN_TWO.values()]
    paths = [p for part, home in zip(parts, homes, strict=True) for p in part.paths("fname", home)]
    return _gather(parts, paths, split_column(*map(len, parts)), names)


def _gather(
    parts: Sequence[_Records],
    paths: list[Path],
    original_split: NDArray[Any],
    names: NDArray[Any],
) -> _Annotations:
    class_names = list(map(str, np.atleast_1d(names)))
    for part in parts:
        require_labels(part.integers("class"), 1, len(class_names), part.source)
    target = np.concatenate([part.integers("class") for part in parts]) - 1
    boxes = [np.stack([part.integers(side) for side in _BOX], axis=1) for part in parts]
    original_split = original_split.astype(np.uint8)
    return _Annotations(paths, np.concatenate(boxes), target, original_split, class_names)


class _Records:
    """The annotations of one file: a structure for each image."""

    def __init__(self, records: NDArray[Any], source: Path) -> None:
        self.records = np.atleast_1d(records)
        self.source = source

    def __len__(self) -> int:
        return len(self.records)

    def integers(self, name: str) -> NDArray[np.int64]:
        """A field of numbers."""
        try:
            return np.array([int(value) for value in self._values(name)], dtype=np.int64)
        except (TypeError, ValueError) as error:
            raise ValueError(f"{self.source}: {name} has other values than integers.") from error

    def paths(self, name: str, home: Path) -> list[Path]:
        """A field of file names, which must be in a folder."""
        names = [PurePosixPath(str(value)) for value in self._values(name)]
        for path in names:
            if path.is_absolute() or ".." in path.parts:
                raise ValueError(f"{self.source}: the image {path} lies outside of its folder.")
        return [home / path for path in names]

    def _values(self, name: str) -> list[Any]:
        if name not in (self.records.dtype.names or ()):
            raise ValueError(f"{self.source}: its annotations have no field {name!r}.")
        return list(self.records[name])


def _find(folder: Path, name: str) -> Path:
    """A file of the second form; some copies have all annotations in one folder."""
    for path in (folder / name, folder / "devkit" / Path(name).name):
        if path.is_file():
            return path
    raise DatasetUnavailableError(
        f"{folder} has no {_IN_ONE}, and no {name} either. Cars196 cannot be downloaded: a folder "
        f"with {_IN_ONE} and car_ims, or with {', '.join((_NAMES, *_IN_TWO))}, "
        f"{' and '.join(_IN_TWO.values())} is wanted."
    )


def _read_photograph(
    Image: Any, path: Path, box: tuple[int, ...] | None, side: int
) -> NDArray[np.uint8]:
    """An image of three channels, side x side: as a whole, or what is in a box."""
    try:
        with Image.open(path) as picture:
            photograph = picture.convert("RGB")
    except FileNotFoundError:
        raise
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise ValueError(f"{path} is damaged or no image ({error}).") from error
    if box is not None:
        (left, top, right, bottom), (width, height) = box, photograph.size
        # Counted from 1 in the files, both ends included.
        cut = max(left - 1, 0), max(top - 1, 0), min(right, width), min(bottom, height)
        if cut[0] >= cut[2] or cut[1] >= cut[3]:
            raise ValueError(f"{path}: the box {box} has nothing of its {width} x {height} pixels.")
        photograph = photograph.crop(cut)
    small = photograph.resize((side, side), Image.Resampling.BILINEAR)
    return np.asarray(small).transpose(2, 0, 1)
