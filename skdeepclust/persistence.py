"""Estimators as files: weights as safetensors, all else as JSON, and no code.

A file is a safetensors file with one text in its metadata: a JSON document that names the class
of the estimator, its parameters, its fitted attributes and the layers of its networks. Arrays and
weights are the tensors of the file; the document calls them by their names.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from reprlib import Repr
from typing import Any
from uuid import uuid4

from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save as serialize
from sklearn.base import BaseEstimator
from torch import nn

from ._documents import DocumentReader, DocumentWriter, is_known

__all__ = ["load", "save"]

# To be raised when files change so that older versions of the package misread them.
_FORMAT = 1
# The order in which safetensors writes several entries is not fixed: there is but one.
_KEY = "skdeepclust"
# Of a safetensors file, which is not read if it has a longer one.
_MAX_HEADER_BYTES = 100_000_000
# What reading a document raises where it is none of ours.
_MISREAD = (
    ArithmeticError, AttributeError, LookupError, MemoryError, RuntimeError, TypeError, ValueError,
)  # fmt: skip
# What damaged files hold may be of any length.
_BRIEF = Repr()
_BRIEF.maxstring = _BRIEF.maxother = 80
_MAX_REASON = 300

Tensors = dict[str, NDArray[Any]]


def save(estimator: BaseEstimator, path: str | os.PathLike[str]) -> None:
    """Write an estimator, fitted or not, to a file that holds no code.

    What `load` makes of the file predicts, transforms and goes on learning bit for bit as the
    estimator does. The same estimator gives the same bytes each time. A file that is there is
    replaced only when the new one is complete.

    Parameters
    ----------
    estimator : DeepMetricClusterer, CriticClusterer, ClusteringCritic or encoder object
    path : str or path-like
        By custom the name ends with ``.safetensors``.

    Raises
    ------
    TypeError
        If it is another estimator, or a parameter or attribute is nothing that a file can
        hold, such as a function as `augment`.
    ValueError, FileNotFoundError
        If `path` is a folder, or lies in a folder that is not there, or the description of the
        estimator is longer than `load` would read: 100 MB, with 64 MiB of strings in arrays.
    OSError
        If the file cannot be written; the one that is there stays as it is.

    See Also
    --------
    load : The way back.

    Notes
    -----
    Of an encoder that is a ``torch.nn.Module`` of your own the file holds the weights; `load`
    wants a module of the same make. A RandomState is stored as it is at the moment; None as
    `random_state`, which stands for NumPy's global one, remains None.

    Examples
    --------
    >>> import os, tempfile
    >>> from sklearn.datasets import load_iris
    >>> from skdeepclust import DeepMetricClusterer
    >>> from skdeepclust.persistence import load, save
    >>> X, y = load_iris(return_X_y=True)
    >>> clusterer = DeepMetricClusterer(encoder="linear", random_state=0).fit(X, y)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = os.path.join(folder, "iris.safetensors")
    ...     save(clusterer, path)
    ...     again = load(path)
    >>> bool((again.predict(X) == clusterer.predict(X)).all())
    True
    """
    from . import __version__  # the package imports this module

    target = Path(os.path.realpath(_check_path(path)))
    if not (isinstance(estimator, BaseEstimator) and is_known(estimator)):
        raise TypeError(
            f"estimator is of the class {type(estimator).__name__}: an estimator of skdeepclust "
            "itself, not of a subclass, is wanted."
        )
    if not target.parent.is_dir():
        raise FileNotFoundError(f"{path}: the folder {target.parent} is not there.")
    writer = DocumentWriter(type(estimator).__name__)
    document = {
        "format": _FORMAT,
        "skdeepclust": __version__,
        "class": type(estimator).__name__,
        "estimator": writer.write(estimator),
        "tensors": _outlines(writer.tensors),
    }
    document["sha256"] = _digest(document, writer.tensors)
    content = serialize(writer.tensors, {_KEY: json.dumps(document, allow_nan=False)})
    _check_header(content, path)
    _replace(target, content)


def load(path: str | os.PathLike[str], *, module: nn.Module | None = None) -> Any:
    """Read an estimator that `save` wrote; nothing in the file is executed.

    Parameters
    ----------
    path : str or path-like
    module : torch.nn.Module, default=None
        For estimators whose encoder is a module of your own, and only for these: a module of
        the same make, whatever its weights. It stays as it is; copies get the stored weights.

    Returns
    -------
    estimator
        Of the class, and in the state, that was saved; its network is on the CPU.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If it is damaged, from another program or a newer version, or if `module` is missing or
        does not fit.

    See Also
    --------
    save : Writes the file.

    Notes
    -----
    A check sum finds accidents. It is no signature: who writes a file on purpose can give it a
    right one, and any numbers. Such a file still runs no code, reads no other file and takes no
    more memory than its size accounts for.
    """
    from . import __version__

    source = _check_path(path)
    if module is not None and not isinstance(module, nn.Module):
        raise TypeError(f"module must be a torch.nn.Module, got {module!r}.")
    document, tensors = _read(source)
    reader = DocumentReader(tensors, module)
    try:
        estimator = reader.read(document["estimator"])
    except ValueError as error:
        raise ValueError(f"{source}: {_reason(error)}") from error
    except _MISREAD as error:
        raise ValueError(
            f"{source}: skdeepclust {__version__} cannot rebuild what {_origin(document)} saved "
            f"({_reason(error)})."
        ) from error
    if not (isinstance(estimator, BaseEstimator) and is_known(estimator)):
        kind = type(estimator).__name__
        raise ValueError(f"{source}: it describes no estimator, but an object of class {kind}.")
    if module is not None and not reader.used_module:
        raise ValueError(f"{source}: nothing in it needs a module, module=None is wanted.")
    return estimator


def _check_path(path: Any) -> Path:
    if not isinstance(path, str | os.PathLike):
        raise TypeError(f"path must be a str or path-like, got {path!r}.")
    if Path(path).is_dir():
        raise ValueError(f"{path} is a folder: the path of a file is wanted.")
    return Path(path)


def _check_header(content: bytes, path: Any) -> None:
    """Refuse to write what no one could read."""
    length = int.from_bytes(content[:8], "little")
    if length > _MAX_HEADER_BYTES:
        raise ValueError(
            f"{path} is not written: the description of the estimator takes {length} bytes, "
            f"{_MAX_HEADER_BYTES} at most are wanted."
        )


def _replace(path: Path, content: bytes) -> None:
    """Put a complete file in the place of the one that is there."""
    part = path.with_name(f".{uuid4().hex}.part")
    try:
        with open(part, "xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, path)
    except OSError as error:
        if error.errno is None:
            raise
        # Nobody knows the part.
        raise type(error)(error.errno, error.strerror, str(path)) from error
    finally:
        part.unlink(missing_ok=True)


def _read(path: Path) -> tuple[dict[str, Any], Tensors]:
    """Document and tensors of a file that is as `save` left it."""
    if not path.exists():
        raise FileNotFoundError(f"{path} is not there: a file written by save is wanted.")
    if not path.is_file():
        raise ValueError(f"{path} is no regular file: one written by save is wanted.")
    with _readable(path), safe_open(path, framework="numpy") as file:
        text = (file.metadata() or {}).get(_KEY)
        names = [] if text is None else file.keys()
        tensors = {name: file.get_tensor(name) for name in names}
    document = _parse(text, path)
    _check_outlines(document.get("tensors"), tensors, path)
    if document.pop("sha256", None) != _digest(document, tensors):
        raise ValueError(f"{path} is damaged: its contents do not have the check sum they had.")
    return document, tensors


@contextmanager
def _readable(path: Path) -> Iterator[None]:
    """Whatever goes wrong within means that it is no safetensors file of numpy arrays."""
    try:
        yield
    except (SafetensorError, *_MISREAD) as error:
        raise ValueError(
            f"{path} is no complete safetensors file ({_reason(error)}): one written by save is "
            "wanted."
        ) from error


def _parse(text: str | None, path: Path) -> dict[str, Any]:
    """The JSON document, of a format that this version reads."""
    if text is None:
        raise ValueError(f"{path} comes from another program: a file written by save is wanted.")
    try:
        document: dict[str, Any] = json.loads(
            text, object_pairs_hook=_without_repetition, parse_constant=_refuse_constant
        )
        json.dumps(document)  # a check sum is taken of it: it must not be too deep for that
        version = document["format"]
        if type(version) is not int or version < 1:
            raise ValueError(f"the format is {_BRIEF.repr(version)}")
    except _MISREAD as error:
        raise ValueError(
            f"{path} is damaged: its description cannot be read ({_reason(error)})."
        ) from error
    if version > _FORMAT:
        raise ValueError(
            f"{path} has format {_BRIEF.repr(version)}, written by {_origin(document)}: this "
            f"version reads formats up to {_FORMAT}, a newer skdeepclust is wanted."
        )
    return document


def _without_repetition(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a name appears twice in one object")
    return found


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is no number of JSON")


def _origin(document: dict[str, Any]) -> str:
    """Who wrote the file."""
    version = document.get("skdeepclust")
    is_short = isinstance(version, str) and len(version) < _MAX_REASON
    return f"skdeepclust {version}" if is_short else "an unknown version of skdeepclust"


def _reason(error: BaseException) -> str:
    return str(error)[:_MAX_REASON]


def _outlines(tensors: Tensors) -> dict[str, list[Any]]:
    """Type and shape of each tensor."""
    return {name: [tensors[name].dtype.name, *tensors[name].shape] for name in sorted(tensors)}


def _check_outlines(wanted: Any, tensors: Tensors, path: Path) -> None:
    """Refuse tensors that are not those that the document speaks of."""
    found, wanted = _outlines(tensors), wanted if isinstance(wanted, dict) else {}
    for name in sorted(found.keys() | wanted.keys()):
        if found.get(name) != wanted.get(name):
            there = _BRIEF.repr(found[name]) if name in found else "missing"
            asked = _BRIEF.repr(wanted[name]) if name in wanted else "nothing"
            raise ValueError(
                f"{path} is damaged: the tensor {_BRIEF.repr(name)} is {there}, {asked} is wanted."
            )


def _digest(document: dict[str, Any], tensors: Tensors) -> str:
    """Check sum of all that a file says."""
    total = sha256(json.dumps(document).encode())
    for name in sorted(tensors):
        total.update(tensors[name].tobytes())
    return total.hexdigest()
