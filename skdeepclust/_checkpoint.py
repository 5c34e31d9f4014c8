"""How far a fit has come, in a file from which it goes on."""

from __future__ import annotations

import copy
import os
from collections.abc import Mapping
from errno import EIO
from pathlib import Path
from reprlib import Repr
from typing import Any, NamedTuple
from uuid import uuid4

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator

from ._documents import DocumentReader, DocumentWriter
from ._fingerprint import fingerprint
from ._tensor_files import MISREAD, TensorFile, reason

__all__ = ["Checkpoint"]

_FILE = TensorFile(key="skdeepclust-checkpoint", format=1, wanted="a checkpoint of a fit")
_KINDS = (dict, dict, np.random.RandomState | None)
_BRIEF = Repr()


class _Saved(NamedTuple):
    """What a file holds."""

    arrays: dict[str, NDArray[Any]]
    document: dict[str, Any]
    random_state: np.random.RandomState | None


class Checkpoint:
    """One file in a directory that holds how far a fit has come.

    The file is called after the class of the estimator. It says, too, of which fit it is: see
    `fingerprint`. A file of another fit, or a damaged one, is refused by whatever reads it.

    Parameters
    ----------
    directory : str, path-like or None
        Made where only its parent is there. None: nothing is saved or loaded.
    estimator : estimator
        With the parameters of the fit.
    X, y : array-like
        What it is fitted to.

    Attributes
    ----------
    enabled : bool
        Whether there is a directory.

    Raises
    ------
    ValueError, FileNotFoundError
        If `directory` is a file, or lies in a directory that is not there.
    OSError
        If nothing can be written there.
    """

    def __init__(
        self,
        directory: str | os.PathLike[str] | None,
        estimator: BaseEstimator,
        X: Any,
        y: Any = None,
    ) -> None:
        self.enabled = directory is not None
        if directory is None:
            return
        self._directory = directory
        self._path = _prepared(directory) / f"{type(estimator).__name__}.checkpoint.safetensors"
        # A process that is killed while it writes leaves no more than this one.
        self._part = self._path.with_name(f".{self._path.name}.part")
        self._fit = fingerprint(estimator, X, y)
        self._random_state: np.random.RandomState | None = None

    def restore_rng(self, rng: np.random.RandomState) -> None:
        """Put `rng` in the state in which the interrupted fit began; it is stored from now on.

        With None as `random_state` a fit goes on as well, and NumPy's global generator is then
        where the interrupted fit would have left it.

        Raises
        ------
        ValueError
            If the file is damaged or of another fit.
        TypeError
            If `rng` is of a kind that no file can hold.
        """
        if not self.enabled:
            return
        state: Any = rng.get_state(legacy=False)
        if state["bit_generator"] != "MT19937":
            raise TypeError(
                f"random_state draws from {state['bit_generator']}, which no checkpoint can keep: "
                "numpy.random.RandomState(seed) is wanted."
            )
        saved = self._read()
        if saved is not None and saved.random_state is not None:
            rng.set_state(saved.random_state.get_state())
        self._random_state = copy.deepcopy(rng)

    def load(self) -> tuple[dict[str, NDArray[Any]], dict[str, Any]] | None:
        """Arrays and document that were saved last; None where nothing was.

        Raises
        ------
        ValueError
            If the file is damaged or of another fit.
        """
        saved = self._read()
        return None if saved is None else (saved.arrays, saved.document)

    def save(self, arrays: Mapping[str, Any], document: Mapping[str, Any]) -> None:
        """Replace what was saved last, all at once.

        Parameters
        ----------
        arrays : mapping of str to ndarray
        document : mapping of str to object
            Numbers, strings, None, lists, dicts and tuples of them, arrays.

        Raises
        ------
        OSError
            If the file cannot be written; the one before stays.
        """
        if not self.enabled:
            return
        writer = DocumentWriter("A checkpoint")
        saved = _Saved(
            {name: np.asarray(array) for name, array in arrays.items()},
            dict(document),
            self._random_state,
        )
        whole = {"fit": self._fit, "state": writer.write(saved._asdict())}
        try:
            _FILE.write(self._path, whole, writer.tensors, self._part)
        except OSError as error:
            what = "cannot be saved, the one before stays"
            raise _named(error, f"checkpoint={self._directory!r} {what}", self._path) from error

    def remove(self) -> None:
        """Delete the file, after a fit that is complete."""
        if not self.enabled:
            return
        try:
            for path in (self._path, self._part):
                path.unlink(missing_ok=True)
        except OSError as error:
            what = f"checkpoint={self._directory!r}: the file of a complete fit cannot be deleted"
            raise _named(error, what, self._path) from error

    def _read(self) -> _Saved | None:
        if not self.enabled or not os.path.lexists(self._path):
            return None
        try:
            whole, tensors = _FILE.read(self._path)
            fit = dict(whole["fit"])
            saved = _Saved(**DocumentReader(tensors, None).read(whole["state"]))
            if not all(map(isinstance, saved, _KINDS)):
                raise ValueError("it holds no state of a fit.")
        except (OSError, *MISREAD) as error:
            raise ValueError(
                f"checkpoint={self._directory!r}: the fit cannot go on from {self._path}: "
                f"{reason(error)} {self._advice}"
            ) from error
        self._check_fit(fit)
        return saved

    def _check_fit(self, fit: dict[str, Any]) -> None:
        """Refuse the file of another fit."""
        names = [name for name in {**self._fit, **fit} if self._fit.get(name) != fit.get(name)]
        if names:
            differences = ", ".join(_difference(n, fit.get(n), self._fit.get(n)) for n in names)
            raise ValueError(
                f"checkpoint={self._directory!r}: {self._path} belongs to another fit, the "
                f"difference is in {differences}. {self._advice}"
            )

    @property
    def _advice(self) -> str:
        return "Delete the file to begin anew, or name another directory as checkpoint."


def _prepared(directory: str | os.PathLike[str]) -> Path:
    """The directory, in which files can be written."""
    folder, name = Path(directory), f"checkpoint={directory!r}"
    if folder.exists() and not folder.is_dir():
        raise ValueError(f"{name} is a file: a directory is wanted.")
    if not folder.exists() and not folder.parent.is_dir():
        raise FileNotFoundError(f"{name}: {folder.parent} is no directory, and has to be there.")
    probe = folder / f".{uuid4().hex}.part"
    try:
        folder.mkdir(exist_ok=True)
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise _named(error, f"{name}: nothing can be written there", folder) from error
    return folder


def _named(error: OSError, what: str, path: Path) -> OSError:
    """The same kind of error, which says what of `checkpoint` went wrong."""
    return OSError(error.errno or EIO, f"{what}: {error.strerror or error}", str(path))


def _difference(name: str, there: Any, here: Any) -> str:
    if not isinstance(there, list | dict) and not isinstance(here, list | dict):
        return f"{name} ({_BRIEF.repr(there)} there, {_BRIEF.repr(here)} here)"
    return name
