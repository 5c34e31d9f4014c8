"""Files of the original archives: fetched, checked against published sums, put in place."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from http.client import HTTPException
from pathlib import Path
from typing import Any, BinaryIO
from urllib.error import HTTPError
from urllib.request import Request, urlopen
from uuid import uuid4

from ..training import epoch_progress

__all__ = [
    "ChecksumError",
    "DatasetUnavailableError",
    "Download",
    "RemoteFile",
    "obtain",
    "replacing",
    "sha256_of",
]

_BLOCK = 1 << 20  # bytes read at once: one step of the progress bar
_TIMEOUT = 30.0  # seconds without an answer
# Servers that turn away the name under which urllib calls take this one.
_HEADERS = {"User-Agent": "Mozilla/5.0 (compatible; skdeepclust)"}


class DatasetUnavailableError(OSError):
    """A data set is not on this machine and cannot be, or must not be, downloaded."""


class ChecksumError(OSError):
    """A file is not the one that was published: it is damaged, or another one."""


class _NetworkError(Exception):
    """The file did not arrive; another attempt may succeed where `passing` is True."""

    def __init__(self, reason: object, passing: bool = True) -> None:
        super().__init__(str(reason) or type(reason).__name__)
        self.passing = passing


@dataclass(frozen=True)
class RemoteFile:
    """One file of an original archive.

    Parameters
    ----------
    name : str
    urls : tuple of str
        Where it is published; tried in this order.
    size : int
        In bytes.
    sha256 : str
        Its published SHA-256 sum, in hexadecimal digits.
    """

    name: str
    urls: tuple[str, ...]
    size: int
    sha256: str


@dataclass(frozen=True)
class Download:
    """How to download: attempts after the first one, seconds between two, and how loudly."""

    n_retries: int = 3
    delay: float = 1.0
    verbose: int = 0


def obtain(file: RemoteFile, folder: Path, download: Download | None) -> Path:
    """The path of a file in a folder, downloaded unless it is there.

    Raises
    ------
    ChecksumError
        If it is not the one that was published. A file that was there stays as it is.
    DatasetUnavailableError
        If it cannot be downloaded.
    FileNotFoundError
        If it is not there and `download` is None.
    """
    path = folder / file.name
    if not path.exists():
        if download is None:
            raise FileNotFoundError(f"{path} is not there.")
        _download(file, path, download)
        return path
    found = sha256_of(path)
    if found != file.sha256:
        raise ChecksumError(
            f"{path} has the SHA-256 sum {found}, {file.sha256} is wanted: it is damaged or "
            "another file. Remove it, or put the right one in its place."
        )
    return path


def sha256_of(path: Path) -> str:
    """SHA-256 sum of a file, in hexadecimal digits."""
    total = sha256()
    with open(path, "rb") as stream:
        while block := stream.read(_BLOCK):
            total.update(block)
    return total.hexdigest()


@contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """A new file that takes the place of `path` when it is complete, and leaves no trace else."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{uuid4().hex}.part")
    try:
        with open(part, "xb") as stream:
            yield stream
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)


def _download(file: RemoteFile, path: Path, download: Download) -> None:
    """Put a file in place from the first address that has it."""
    reasons: list[str] = []
    error: type[OSError] = DatasetUnavailableError
    for url in file.urls:
        try:
            _download_patiently(url, file, path, download)
            return
        except _NetworkError as failure:
            reasons.append(f"{url}: {failure}")
        except ChecksumError as failure:
            reasons.append(str(failure))
            error = ChecksumError
    raise error(f"Cannot download {file.name}. {'. '.join(reasons)}.")


def _download_patiently(url: str, file: RemoteFile, path: Path, download: Download) -> None:
    for remaining in reversed(range(download.n_retries + 1)):
        try:
            _download_from(url, file, path, download)
            return
        except _NetworkError as failure:
            if not (failure.passing and remaining):
                raise
        time.sleep(download.delay)


def _download_from(url: str, file: RemoteFile, path: Path, download: Download) -> None:
    """Write what an address sends to a file, which is kept only if it has the published sum."""
    total, size = sha256(), 0
    n_steps = max(1, -(-file.size // _BLOCK))
    with (
        replacing(path) as stream,
        epoch_progress(n_steps, download.verbose, f"{file.name}, MiB") as report,
    ):
        for block in _blocks(url, file.size):
            stream.write(block)
            total.update(block)
            size += len(block)
            if report is not None:
                report({})
        if size > file.size:
            raise ChecksumError(f"{url} sent more than the {file.size} bytes of {file.name}")
        if total.hexdigest() != file.sha256:
            raise ChecksumError(
                f"{url} sent another {file.name}: it has the SHA-256 sum {total.hexdigest()}, "
                f"{file.sha256} is wanted. It was not kept"
            )


def _blocks(url: str, size: int) -> Iterator[bytes]:
    """What an address sends, in blocks, up to one byte more than `size`."""
    try:
        with urlopen(Request(url, headers=_HEADERS), timeout=_TIMEOUT) as answer:
            left = size + 1
            while left and (block := _read_block(answer, min(_BLOCK, left))):
                left -= len(block)
                yield block
            if left and getattr(answer, "length", None):  # announced, and not sent
                raise HTTPException(f"the connection ended {answer.length} bytes early")
    except HTTPError as error:
        error.close()
        raise _NetworkError(error, passing=error.code >= 500) from error
    except (OSError, HTTPException) as error:
        raise _NetworkError(error) from error


def _read_block(stream: Any, size: int) -> bytes:
    """`size` bytes, fewer only at the end: servers send pieces of any length."""
    pieces: list[bytes] = []
    while size and (piece := stream.read(size)):
        pieces.append(piece)
        size -= len(piece)
    return b"".join(pieces)
