"""Files of named arrays and one JSON document: safetensors with a check sum, and no code."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from reprlib import Repr
from typing import Any
from uuid import uuid4

from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save as serialize

__all__ = ["MISREAD", "TensorFile", "Tensors", "digest", "origin", "reason"]

# Of a safetensors file, which is not read if it has a longer one.
_MAX_HEADER_BYTES = 100_000_000
# What damaged files hold may be of any length.
_BRIEF = Repr()
_BRIEF.maxstring = _BRIEF.maxother = 80
_MAX_REASON = 300

MISREAD = (
    ArithmeticError, AttributeError, LookupError, MemoryError, RuntimeError, TypeError, ValueError,
)  # fmt: skip
"""What reading a document raises where it is none of ours."""

Tensors = dict[str, NDArray[Any]]


@dataclass(frozen=True)
class TensorFile:
    """A kind of file.

    Attributes
    ----------
    key : str
        Under which the document stands in the metadata, all by itself: the order in which
        safetensors writes several entries is not fixed.
    format : int
        To be raised when files change so that older versions of the package misread them.
    wanted : str
        What messages call such a file.
    """

    key: str
    format: int
    wanted: str

    def write(
        self,
        path: Path,
        document: Mapping[str, Any],
        tensors: Tensors,
        part: Path | None = None,
    ) -> None:
        """Replace the file that is there when the new one is complete.

        Parameters
        ----------
        path : Path
        document : mapping of str to JSON values
        tensors : dict of str to ndarray
        part : Path, optional
            What the file is called until it is complete. Default: a name of its own, which a
            process that is killed meanwhile leaves behind.

        Raises
        ------
        ValueError
            If nobody could read the file.
        OSError
            If it cannot be written; the one that is there stays as it is.
        """
        from . import __version__  # the package imports this module

        whole = {"format": self.format, "skdeepclust": __version__, **document}
        whole["tensors"] = _outlines(tensors)
        whole["sha256"] = digest(whole, tensors)
        content = serialize(tensors, {self.key: json.dumps(whole, allow_nan=False)})
        _check_header(content, path)
        _replace(path, content, part or path.with_name(f".{uuid4().hex}.part"))

    def read(self, path: Path) -> tuple[dict[str, Any], Tensors]:
        """Document and tensors of a file that is as `write` left it.

        Raises
        ------
        FileNotFoundError
            If there is none.
        ValueError
            If it is damaged, from another program or from a newer version.
        """
        if not path.exists():
            raise FileNotFoundError(f"{path} is not there: {self.wanted} is wanted.")
        if not path.is_file():
            raise ValueError(f"{path} is no regular file: {self.wanted} is wanted.")
        with self._readable(path), safe_open(path, framework="numpy") as file:
            text = (file.metadata() or {}).get(self.key)
            names = [] if text is None else file.keys()
            tensors = {name: file.get_tensor(name) for name in names}
        document = self._parse(text, path)
        _check_outlines(document.get("tensors"), tensors, path)
        if document.pop("sha256", None) != digest(document, tensors):
            raise ValueError(f"{path} is damaged: its contents do not have the check sum they had.")
        return document, tensors

    @contextmanager
    def _readable(self, path: Path) -> Iterator[None]:
        """Whatever goes wrong within means that it is no safetensors file of numpy arrays."""
        try:
            yield
        except (SafetensorError, *MISREAD) as error:
            raise ValueError(
                f"{path} is no complete safetensors file ({reason(error)}): {self.wanted} is "
                "wanted."
            ) from error

    def _parse(self, text: str | None, path: Path) -> dict[str, Any]:
        """The JSON document, of a format that this version reads."""
        if text is None:
            raise ValueError(f"{path} comes from another program: {self.wanted} is wanted.")
        try:
            document: dict[str, Any] = json.loads(
                text, object_pairs_hook=_without_repetition, parse_constant=_refuse_constant
            )
            json.dumps(document)  # a check sum is taken of it: it must not be too deep for that
            version = document["format"]
            if type(version) is not int or version < 1:
                raise ValueError(f"the format is {_BRIEF.repr(version)}")
        except MISREAD as error:
            raise ValueError(
                f"{path} is damaged: its description cannot be read ({reason(error)})."
            ) from error
        if version > self.format:
            raise ValueError(
                f"{path} has format {_BRIEF.repr(version)}, written by {origin(document)}: this "
                f"version reads formats up to {self.format}, a newer skdeepclust is wanted."
            )
        return document


def digest(document: Mapping[str, Any], tensors: Tensors) -> str:
    """Check sum of all that a file says."""
    total = sha256(json.dumps(document).encode())
    for name in sorted(tensors):
        total.update(tensors[name].tobytes())
    return total.hexdigest()


def origin(document: Mapping[str, Any]) -> str:
    """Who wrote the file."""
    version = document.get("skdeepclust")
    is_short = isinstance(version, str) and len(version) < _MAX_REASON
    return f"skdeepclust {version}" if is_short else "an unknown version of skdeepclust"


def reason(error: BaseException) -> str:
    """The beginning of a message, which may quote the file."""
    return str(error)[:_MAX_REASON]


def _check_header(content: bytes, path: Path) -> None:
    """Refuse to write what no one could read."""
    length = int.from_bytes(content[:8], "little")
    if length > _MAX_HEADER_BYTES:
        raise ValueError(
            f"{path} is not written: its description takes {length} bytes, {_MAX_HEADER_BYTES} at "
            "most are wanted."
        )


def _replace(path: Path, content: bytes, part: Path) -> None:
    """Put a complete file in the place of the one that is there."""
    try:
        with open(part, "wb") as file:
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


def _without_repetition(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a name appears twice in one object")
    return found


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is no number of JSON")


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
