"""Tests of downloads: complete files with the published sum, or none at all."""

import os
import time
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import pytest

from skdeepclust.datasets import ChecksumError, DatasetUnavailableError, _download
from skdeepclust.datasets._download import Download, RemoteFile, obtain, replacing, sha256_of

CONTENT = bytes(range(256)) * 5000
QUIET = Download(n_retries=0, delay=0)


@pytest.fixture
def file(server):
    """A file that the server has."""
    server.content["a.bin"] = CONTENT
    return RemoteFile("a.bin", (server.url + "a.bin",), len(CONTENT), sha256(CONTENT).hexdigest())


@pytest.fixture(autouse=True)
def nothing_is_left_behind(tmp_path):
    yield
    assert not [path for path in tmp_path.rglob("*") if path.suffix == ".part"]


# ---------------------------------------------------------------- downloads


@pytest.mark.parametrize("block", [1, 1000, 1 << 20])
def test_file_is_downloaded_once(file, server, tmp_path, monkeypatch, block):
    if block == 1:
        content = CONTENT[:50]
        server.content["a.bin"] = content
        file = replace(file, size=50, sha256=sha256(content).hexdigest())
    monkeypatch.setattr(_download, "_BLOCK", block)
    for _ in range(2):
        path = obtain(file, tmp_path / "new" / "folder", QUIET)
        assert path == tmp_path / "new" / "folder" / "a.bin"
        assert path.read_bytes() == server.content["a.bin"]
    assert server.asked == ["a.bin"]
    assert os.listdir(path.parent) == ["a.bin"]


def test_addresses_of_files(file, tmp_path):
    (tmp_path / "there").write_bytes(CONTENT)
    local = replace(file, urls=((tmp_path / "there").as_uri(),))
    assert obtain(local, tmp_path / "new", QUIET).read_bytes() == CONTENT


def test_second_address(file, server, tmp_path):
    two = replace(file, urls=(server.url + "missing.bin", *file.urls))
    assert obtain(two, tmp_path, QUIET).read_bytes() == CONTENT
    assert server.asked == ["missing.bin", "a.bin"]


def test_second_address_after_another_file(file, server, tmp_path):
    server.content["wrong.bin"] = CONTENT[::-1]
    two = replace(file, urls=(server.url + "wrong.bin", *file.urls))
    assert obtain(two, tmp_path, QUIET).read_bytes() == CONTENT


def test_passing_errors_are_tried_again(file, server, tmp_path):
    server.errors = [503, 500]
    assert obtain(file, tmp_path, Download(n_retries=2, delay=0)).read_bytes() == CONTENT
    assert server.asked == ["a.bin"] * 3


def test_seconds_between_attempts(file, server, tmp_path, monkeypatch):
    slept = []
    monkeypatch.setattr(time, "sleep", slept.append)
    server.errors = [503, 500]
    obtain(file, tmp_path, Download(n_retries=5, delay=7.5))
    assert slept == [7.5, 7.5]


def test_lasting_errors_are_not_tried_again(file, server, tmp_path):
    server.errors = [404] * 9
    with pytest.raises(DatasetUnavailableError, match="404"):
        obtain(file, tmp_path, Download(n_retries=5, delay=0))
    assert server.asked == ["a.bin"]


def test_no_network(file, server, tmp_path):
    server.shutdown()
    server.server_close()
    with pytest.raises(DatasetUnavailableError) as caught:
        obtain(file, tmp_path, QUIET)
    for part in ("Cannot download a.bin", file.urls[0], "refused"):
        assert part in str(caught.value)
    assert isinstance(caught.value, OSError)
    assert os.listdir(tmp_path) == []


def test_connection_that_ends_early(file, server, tmp_path):
    server.cut = True
    with pytest.raises(DatasetUnavailableError, match="ended 640000 bytes early"):
        obtain(file, tmp_path, QUIET)
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("content", [CONTENT[::-1], CONTENT[:-1], b""])
def test_another_file_is_not_kept(file, server, tmp_path, content):
    server.content["a.bin"] = content
    with pytest.raises(ChecksumError) as caught:
        obtain(file, tmp_path, QUIET)
    for part in (file.urls[0], "a.bin", sha256(content).hexdigest(), file.sha256):
        assert part in str(caught.value)
    assert os.listdir(tmp_path) == []


def test_endless_file_is_not_read_to_its_end(file, server, tmp_path):
    server.content["a.bin"] = CONTENT * 3
    with pytest.raises(ChecksumError, match="more than the 1280000 bytes of a.bin"):
        obtain(file, tmp_path, QUIET)


def test_disk_errors_are_not_called_errors_of_the_network(file, tmp_path):
    (tmp_path / "folder").write_bytes(b"a file in the place of the folder")
    with pytest.raises(FileExistsError):
        obtain(file, tmp_path / "folder", QUIET)


# ---------------------------------------------------------------- files that are there


def test_file_put_by_hand(file, server, tmp_path):
    (tmp_path / "a.bin").write_bytes(CONTENT)
    assert obtain(file, tmp_path, None) == tmp_path / "a.bin"
    assert server.asked == []


def test_wrong_file_put_by_hand_stays(file, server, tmp_path):
    for name in ("a.bin", "b.bin"):
        (tmp_path / name).write_bytes(b"mine")
    with pytest.raises(ChecksumError) as caught:
        obtain(file, tmp_path, QUIET)
    for part in (str(tmp_path / "a.bin"), sha256(b"mine").hexdigest(), file.sha256):
        assert part in str(caught.value)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {
        "a.bin": b"mine",
        "b.bin": b"mine",
    }
    assert server.asked == []


def test_download_forbidden(file, server, tmp_path):
    with pytest.raises(FileNotFoundError, match="a.bin is not there"):
        obtain(file, tmp_path, None)
    assert server.asked == []


def test_sum_of_a_file(tmp_path):
    path = tmp_path / "a"
    path.write_bytes(b"abc")
    wanted = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert sha256_of(path) == wanted  # the example of FIPS 180


# ---------------------------------------------------------------- progress, replacement


@pytest.mark.parametrize("verbose", [0, 1])
def test_progress_only_on_demand(file, tmp_path, capsys, verbose):
    obtain(file, tmp_path, replace(QUIET, verbose=verbose))
    printed = capsys.readouterr()
    assert printed.out == ""
    assert ("a.bin, MiB" in printed.err) == bool(verbose)


def test_file_is_replaced_only_when_complete(tmp_path):
    path = tmp_path / "a"
    path.write_bytes(b"old")
    with pytest.raises(KeyError), replacing(path) as stream:
        stream.write(b"new")
        raise KeyError
    assert path.read_bytes() == b"old"
    with replacing(path) as stream:
        stream.write(b"new")
        stream.flush()
        assert path.read_bytes() == b"old"
    assert path.read_bytes() == b"new"
    assert os.listdir(tmp_path) == ["a"]


def test_two_at_once(tmp_path):
    path = Path(tmp_path) / "a"
    with replacing(path) as one, replacing(path) as two:
        one.write(b"one")
        two.write(b"two")
    assert path.read_bytes() == b"one"  # the last to be complete
