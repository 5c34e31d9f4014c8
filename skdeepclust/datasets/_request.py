"""From what a user asks for to a Bunch of arrays."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from numbers import Integral, Real
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.utils import Bunch, check_scalar

from ._archives import Arrays
from ._catalogue import CATALOGUE
from ._download import Download
from ._locate import PathLike, locate

__all__ = ["Request", "as_bunch", "check_subset", "load"]

_SUBSETS = ("train", "test", "all")  # the first two by their number in the column of splits


@dataclass(frozen=True)
class Request:
    """The parameters that all loaders share, checked."""

    data_home: PathLike | None
    data_dir: PathLike | None
    subset: str
    download_if_missing: bool
    n_retries: int
    delay: float
    verbose: int

    def __post_init__(self) -> None:
        for name in ("data_home", "data_dir"):
            value = getattr(self, name)
            if not (value is None or isinstance(value, str | os.PathLike)):
                raise TypeError(f"{name} == {value!r}, must be None, a str or path-like.")
        check_subset(self.subset)
        if not isinstance(self.download_if_missing, bool | np.bool_):
            raise TypeError(
                f"download_if_missing == {self.download_if_missing!r}, must be True or False."
            )
        check_scalar(self.n_retries, "n_retries", Integral, min_val=0)
        check_scalar(self.delay, "delay", Real, min_val=0)
        check_scalar(self.verbose, "verbose", Integral)


def load(name: str, request: Request) -> Bunch:
    """A data set of the catalogue."""
    how = Download(request.n_retries, request.delay, request.verbose)
    path = locate(
        name, request.data_home, request.data_dir, how if request.download_if_missing else None
    )
    source = CATALOGUE[name]
    columns, names = source.read(path)
    named = {"target_names": source.class_names, **names}
    return as_bunch(columns, named, request.subset, path, source.description)


def as_bunch(
    columns: Arrays,
    names: Mapping[str, Sequence[str]],
    subset: str,
    path: Path,
    description: str,
) -> Bunch:
    """The images of a subset with what belongs to them.

    Parameters
    ----------
    columns : dict of ndarray
        images, target, split and others; one entry for each image.
    names : mapping of sequences of str
        Names of classes and the like.
    subset : {"all", "train", "test"}
    path : Path
        The file they come from.
    description : str
    """
    if subset != "all":
        rows = columns["split"] == _SUBSETS.index(subset)
        columns = {name: column[rows] for name, column in columns.items()}
    images = columns.pop("images")
    return Bunch(
        images=images,
        data=images.reshape(len(images), int(np.prod(images.shape[1:]))),
        **columns,
        **{name: list(map(str, values)) for name, values in names.items()},
        filename=str(path),
        DESCR=description,
    )


def check_subset(subset: Any) -> None:
    """Raise ValueError unless it is the name of a subset."""
    if not (isinstance(subset, str) and subset in _SUBSETS):
        raise ValueError(f"subset == {subset!r}, must be 'all', 'train' or 'test'.")
