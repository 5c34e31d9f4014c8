"""Estimators as files: weights as safetensors, all else as JSON, and no code.

A file is a safetensors file with one text in its metadata: a JSON document that names the class
of the estimator, its parameters, its fitted attributes and the layers of its networks. Arrays and
weights are the tensors of the file; the document calls them by their names.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from sklearn.base import BaseEstimator
from torch import nn

from ._documents import DocumentReader, DocumentWriter, is_known
from ._tensor_files import MISREAD, TensorFile, origin, reason

__all__ = ["load", "save"]

_FILE = TensorFile(key="skdeepclust", format=1, wanted="a file written by save")


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
    target = Path(os.path.realpath(_check_path(path)))
    if not (isinstance(estimator, BaseEstimator) and is_known(estimator)):
        raise TypeError(
            f"estimator is of the class {type(estimator).__name__}: an estimator of skdeepclust "
            "itself, not of a subclass, is wanted."
        )
    if not target.parent.is_dir():
        raise FileNotFoundError(f"{path}: the folder {target.parent} is not there.")
    writer = DocumentWriter(type(estimator).__name__)
    document = {"class": type(estimator).__name__, "estimator": writer.write(estimator)}
    _FILE.write(target, document, writer.tensors)


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
    from . import __version__  # the package imports this module

    source = _check_path(path)
    if module is not None and not isinstance(module, nn.Module):
        raise TypeError(f"module must be a torch.nn.Module, got {module!r}.")
    document, tensors = _FILE.read(source)
    reader = DocumentReader(tensors, module)
    try:
        estimator = reader.read(document["estimator"])
    except ValueError as error:
        raise ValueError(f"{source}: {reason(error)}") from error
    except MISREAD as error:
        raise ValueError(
            f"{source}: skdeepclust {__version__} cannot rebuild what {origin(document)} saved "
            f"({reason(error)})."
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
