"""The npz file of a data set: found, or made from what can be downloaded."""

from __future__ import annotations

import os
from collections.abc import Sequence
from http.client import HTTPException
from pathlib import Path

from sklearn.datasets import get_data_home

from ._archives import Arrays
from ._catalogue import CATALOGUE, Source
from ._download import ChecksumError, DatasetUnavailableError, Download, RemoteFile, obtain
from ._openml import openml_arrays
from ._store import write_npz

__all__ = ["locate"]

PathLike = str | os.PathLike[str]

# What scikit-learn raises where OpenML does not answer, or answers with something else.
_OPENML_ERRORS = (HTTPException, LookupError, OSError, ValueError)


def locate(
    name: str, data_home: PathLike | None, data_dir: PathLike | None, download: Download | None
) -> Path:
    """The npz file of a data set.

    It is looked for in `data_dir`, then in the cache. If it is in neither, it is made in the cache
    from the original archives that lie there; from OpenML; or from archives to be downloaded.

    Parameters
    ----------
    name : str
        Key of the catalogue.
    data_home : str, path-like or None
        scikit-learn's folder of data sets, in which the cache is.
    data_dir : str, path-like or None
        A folder with npz files.
    download : Download or None
        How to download; None forbids it.

    Raises
    ------
    DatasetUnavailableError
        If it is not there and cannot be, or must not be, downloaded.
    ChecksumError
        If an archive is not the one that was published.
    """
    npz = CATALOGUE[name].npz
    folders = [] if data_dir is None else [Path(data_dir).expanduser()]
    if folders and (folders[0] / npz).is_file():
        return folders[0] / npz
    folders.append(Path(get_data_home(data_home)) / "skdeepclust")
    path = folders[-1] / npz
    if not path.is_file():
        try:
            _make(CATALOGUE[name], path, folders[-1] / name, download)
        except (ChecksumError, DatasetUnavailableError) as error:
            looked = " or ".join(map(str, folders))
            advice = _advice(CATALOGUE[name], folders[-1] / name)
            raise type(error)(f"{name}: no {npz} in {looked}. {error} {advice}") from error
    return path


def _make(source: Source, path: Path, folder: Path, download: Download | None) -> None:
    """Write the npz file of a data set, and remove what was downloaded to that end."""
    missing = [file for file in source.files if not (folder / file.name).exists()]
    if missing and download is None:
        raise DatasetUnavailableError("It may not be downloaded: download_if_missing is False.")
    try:
        arrays = _arrays(source, folder, missing, download)
    except FileNotFoundError:
        if path.is_file():  # another process fetched the same data set, and has tidied up
            return
        raise
    write_npz(path, arrays)
    for file in missing:
        (folder / file.name).unlink(missing_ok=True)


def _arrays(
    source: Source, folder: Path, missing: Sequence[RemoteFile], download: Download | None
) -> Arrays:
    """The arrays of a data set: of the archives if they lie there, of OpenML, of the archives."""
    reasons = []
    if missing and source.openml is not None:
        try:
            return openml_arrays(source.openml)
        except _OPENML_ERRORS as error:
            reasons.append(f"OpenML: {str(error).rstrip('.')}.")
    try:
        paths = [obtain(file, folder, download) for file in source.files]
    except (ChecksumError, DatasetUnavailableError) as error:
        raise type(error)(" ".join([*reasons, str(error)])) from error
    return source.build(paths, download.verbose if download else 0)


def _advice(source: Source, folder: Path) -> str:
    """What to do where there is no network."""
    files = ", ".join(file.urls[0] for file in source.files)
    return (
        f"Without network, put {source.npz} into a folder that is given as data_dir, or the "
        f"original files into {folder}: {files}."
    )
