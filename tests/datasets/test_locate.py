"""Tests of where a data set is looked for: the first place that has it, and nothing after it."""

import urllib.error
from hashlib import sha256

import numpy as np
import pytest

from skdeepclust.datasets import ChecksumError, DatasetUnavailableError, _locate
from skdeepclust.datasets._download import Download
from skdeepclust.datasets._locate import locate

QUIET = Download(n_retries=0, delay=0)


@pytest.fixture
def home(tmp_path):
    return tmp_path / "home"


@pytest.fixture
def put_by_hand(home, small):
    """A function that puts original files into the folder of a data set."""

    def put(name, *names):
        folder = home / "skdeepclust" / name
        folder.mkdir(parents=True)
        files = small(name)[1]
        for file in names or files:
            (folder / file).write_bytes(files[file])
        return folder

    return put


@pytest.fixture
def openml(monkeypatch, small, small_openml):
    """A list of what OpenML does when it is asked: arrays to return or an error to raise."""
    answers = []

    def answer(copy):
        assert copy == small_openml
        if isinstance(what := answers.pop(0), Exception):
            raise what
        return what

    monkeypatch.setattr(_locate, "openml_arrays", answer)
    return answers


def contents(path):
    with np.load(path) as archive:
        return dict(archive)


# ---------------------------------------------------------------- in which order


def test_file_in_data_dir_goes_first(small_catalogue, server, tmp_path, home):
    for folder in (tmp_path / "data", home / "skdeepclust"):
        folder.mkdir(parents=True)
        (folder / "mnist.npz").write_bytes(b"any")
    assert locate("mnist", home, tmp_path / "data", QUIET) == tmp_path / "data" / "mnist.npz"
    assert locate("mnist", home, str(tmp_path / "data"), None) == tmp_path / "data" / "mnist.npz"
    assert locate("mnist", home, tmp_path / "elsewhere", None).parent == home / "skdeepclust"
    assert server.asked == []


def test_data_dir_alone_makes_no_cache(small_catalogue, tmp_path, home):
    (tmp_path / "svhn.npz").write_bytes(b"any")
    locate("svhn", home, tmp_path, QUIET)
    assert not home.exists()


@pytest.mark.parametrize("name", ["mnist", "fashion_mnist", "emnist_letters", "svhn"])
def test_download_makes_the_file_of_the_cache(small_catalogue, small, server, home, name):
    path = locate(name, home, None, QUIET)
    assert path == home / "skdeepclust" / small_catalogue[name].npz
    arrays, files = small(name)
    assert server.asked == list(files)
    found = contents(path)
    assert set(found) == set(arrays)
    assert all(np.array_equal(found[key], arrays[key]) for key in arrays)
    assert list((home / "skdeepclust" / name).iterdir()) == []  # tidied up
    server.asked.clear()
    assert locate(name, home, None, None) == path
    assert server.asked == []


def test_downloaded_omniglot(small_catalogue, server, home):
    path = locate("omniglot", home, None, QUIET)
    assert path.name == "omniglot32.npz"
    assert contents(path)["images"].shape == (8, 32, 32)


def test_cache_of_scikit_learn(small_catalogue, home, monkeypatch):
    monkeypatch.setenv("SCIKIT_LEARN_DATA", str(home))
    assert locate("mnist", None, None, QUIET) == home / "skdeepclust" / "mnist.npz"


def test_files_put_by_hand_need_no_network_and_stay(small_openml, server, home, put_by_hand):
    folder = put_by_hand("mnist")
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    assert contents(locate("mnist", home, None, None))["x_test"].shape == (5, 28, 28)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    assert server.asked == []


def test_only_missing_files_are_downloaded(small_catalogue, server, home, put_by_hand):
    folder = put_by_hand("svhn", "test_32x32.mat")
    locate("svhn", home, None, QUIET)
    assert server.asked == ["train_32x32.mat"]
    assert [path.name for path in folder.iterdir()] == ["test_32x32.mat"]


def test_openml_goes_before_the_archives(openml, small, server, home):
    openml.append(small("mnist")[0])
    path = locate("mnist", home, None, QUIET)
    assert np.array_equal(contents(path)["x_train"], small("mnist")[0]["x_train"])
    assert server.asked == [] and openml == []


@pytest.mark.parametrize(
    "error",
    [
        urllib.error.URLError("none"),
        TimeoutError("slow"),
        ValueError("Dataset 554 not found"),
        ChecksumError("another x_train"),
    ],
)
def test_archives_where_openml_fails(openml, small, server, home, error):
    openml.append(error)
    path = locate("mnist", home, None, QUIET)
    assert np.array_equal(contents(path)["x_train"], small("mnist")[0]["x_train"])
    assert len(server.asked) == 4


def test_openml_is_not_asked_without_leave(openml, home):
    with pytest.raises(DatasetUnavailableError):
        locate("mnist", home, None, None)
    assert openml == []


# ---------------------------------------------------------------- errors


def test_no_network(openml, server, home, tmp_path):
    openml.append(urllib.error.URLError("no route"))
    server.shutdown()
    server.server_close()
    with pytest.raises(DatasetUnavailableError) as caught:
        locate("mnist", home, tmp_path / "data", QUIET)
    url = server.url + "train-images-idx3-ubyte.gz"
    for part in (
        f"mnist: no mnist.npz in {tmp_path / 'data'} or {home / 'skdeepclust'}. ",
        "OpenML: <urlopen error no route>. ",
        "Cannot download train-images-idx3-ubyte.gz. ",
        f"{url}: ",
        "put mnist.npz into a folder that is given as data_dir",
        f"original files into {home / 'skdeepclust' / 'mnist'}: {url}, ",
    ):
        assert part in str(caught.value)
    assert not list(home.rglob("*.npz"))


def test_download_forbidden(small_catalogue, server, home):
    with pytest.raises(DatasetUnavailableError, match="download_if_missing is False"):
        locate("svhn", home, None, None)
    assert server.asked == []


def test_what_arrived_is_kept_for_another_attempt(small_catalogue, server, small, home):
    missing = server.content.pop("test_32x32.mat")
    with pytest.raises(DatasetUnavailableError, match="404"):
        locate("svhn", home, None, QUIET)
    assert server.asked == ["train_32x32.mat", "test_32x32.mat"]
    server.content["test_32x32.mat"] = missing
    locate("svhn", home, None, QUIET)
    assert server.asked[2:] == ["test_32x32.mat"]


def test_wrong_file_from_the_network(small_catalogue, server, home):
    server.content["train_32x32.mat"] = b"<html>"
    with pytest.raises(ChecksumError) as caught:
        locate("svhn", home, None, QUIET)
    wanted = small_catalogue["svhn"].files[0].sha256
    for part in ("svhn: ", "train_32x32.mat", sha256(b"<html>").hexdigest(), wanted):
        assert part in str(caught.value)
    assert list((home / "skdeepclust" / "svhn").iterdir()) == []


def test_wrong_file_put_by_hand(small_catalogue, server, home, put_by_hand):
    folder = put_by_hand("svhn")
    (folder / "train_32x32.mat").write_bytes(b"mine")
    with pytest.raises(ChecksumError, match=f"{folder / 'train_32x32.mat'} has the SHA-256 sum"):
        locate("svhn", home, None, QUIET)
    assert sorted(path.name for path in folder.iterdir()) == ["test_32x32.mat", "train_32x32.mat"]
    assert (folder / "train_32x32.mat").read_bytes() == b"mine"
    assert server.asked == []


# ---------------------------------------------------------------- two processes at once


def test_another_process_was_faster(small_catalogue, monkeypatch, home, put_by_hand, small):
    folder = put_by_hand("svhn")

    def tidy_up_first(file, folder_, download):
        path = home / "skdeepclust" / "svhn.npz"
        np.savez(path, **small("svhn")[0])
        raise FileNotFoundError(folder / file.name)

    monkeypatch.setattr(_locate, "obtain", tidy_up_first)
    path = locate("svhn", home, None, QUIET)
    assert np.array_equal(contents(path)["y_test"], small("svhn")[0]["y_test"])


def test_file_that_vanished(small_catalogue, monkeypatch, home, put_by_hand):
    put_by_hand("svhn")

    def vanished(file, folder, download):
        raise FileNotFoundError(folder / file.name)

    monkeypatch.setattr(_locate, "obtain", vanished)
    with pytest.raises(FileNotFoundError, match="train_32x32.mat"):
        locate("svhn", home, None, QUIET)
