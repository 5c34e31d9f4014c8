"""Tests of the loaders of public data sets, on small files of the same formats and real ones."""

import inspect
import re
import subprocess
import sys

import numpy as np
import pytest

from skdeepclust import datasets
from skdeepclust.datasets import (
    DatasetUnavailableError,
    _archives,
    fetch_dataset,
    fetch_emnist_letters,
    fetch_fashion_mnist,
    fetch_mnist,
    fetch_omniglot,
    fetch_svhn,
)

FETCHERS = {
    "mnist": fetch_mnist,
    "fashion_mnist": fetch_fashion_mnist,
    "emnist_letters": fetch_emnist_letters,
    "svhn": fetch_svhn,
    "omniglot": fetch_omniglot,
}
SHAPES = {"svhn": (3, 32, 32), "omniglot": (32, 32)}
N_CLASSES = {"emnist_letters": 26, "omniglot": 4}


def check(dataset, n, shape, n_classes):
    """What all data sets have in common."""
    assert dataset.images.shape == (n, *shape) and dataset.images.dtype == np.uint8
    assert dataset.images.flags.c_contiguous and dataset.images.flags.writeable
    assert dataset.data.shape == (n, int(np.prod(shape)))
    assert np.shares_memory(dataset.data, dataset.images)
    assert dataset.target.shape == (n,) and dataset.target.dtype == np.int64
    assert dataset.split.shape == (n,) and dataset.split.dtype == np.uint8
    assert len(set(dataset.target_names)) == len(dataset.target_names) == n_classes
    assert dataset.target.min() >= 0 and dataset.target.max() < n_classes
    assert "Licence" in dataset.DESCR


def same(one, two):
    return one.keys() == two.keys() and all(np.array_equal(one[key], two[key]) for key in one)


# ---------------------------------------------------------------- small files, from a server


@pytest.mark.parametrize("name", FETCHERS)
def test_downloaded(small_catalogue, server, tmp_path, name):
    fetch = FETCHERS[name]
    whole = fetch(tmp_path)
    check(whole, len(whole.target), SHAPES.get(name, (28, 28)), N_CLASSES.get(name, 10))
    assert whole.filename.startswith(str(tmp_path))
    n_asked = len(server.asked)
    parts = [fetch(data_home=tmp_path, subset=subset) for subset in ("train", "test")]
    assert [set(part.split) for part in parts] == [{0}, {1}]
    for key in ("images", "target"):
        assert np.array_equal(np.concatenate([part[key] for part in parts]), whole[key])
    assert same(fetch_dataset(name, tmp_path), whole)
    assert len(server.asked) == n_asked


def test_downloaded_digits(small_catalogue, small, tmp_path):
    found, arrays = fetch_mnist(tmp_path), small("mnist")[0]
    assert np.array_equal(found.images[:12], arrays["x_train"])
    assert np.array_equal(found.target[12:], arrays["y_test"])
    assert found.target_names == list("0123456789")


def test_downloaded_house_numbers(small_catalogue, small, tmp_path):
    found, arrays = fetch_svhn(tmp_path, subset="test"), small("svhn")[0]
    assert np.array_equal(found.images, arrays["x_test"])
    assert np.array_equal(found.target, arrays["y_test"])


def test_downloaded_letters(small_catalogue, small, tmp_path):
    found, arrays = fetch_emnist_letters(tmp_path), small("emnist_letters")[0]
    assert np.array_equal(found.images, arrays["images"])
    assert found.target_names[found.target[0]] == "T"  # the twentieth letter


def test_downloaded_characters(small_catalogue, small, tmp_path):
    found, arrays = fetch_omniglot(tmp_path), small("omniglot")[0]
    assert np.array_equal(found.target, arrays["character"])
    assert np.array_equal(found.drawer, arrays["drawer"])
    assert found.target_names[2] == "Latin/character01"
    assert found.alphabet_names[found.alphabet[-1]] == "Angelic"
    new = fetch_omniglot(tmp_path, subset="test")
    assert set(new.target) == {3} and len(new.alphabet) == len(new.drawer) == len(new.images) == 2


@pytest.mark.parametrize("name", FETCHERS)
def test_damaged_cache(small_catalogue, tmp_path, name):
    path = tmp_path / "skdeepclust" / small_catalogue[name].npz
    path.parent.mkdir()
    path.write_bytes(b"damaged")
    with pytest.raises(ValueError, match=f"{path.name} is damaged"):
        FETCHERS[name](tmp_path)
    assert path.read_bytes() == b"damaged"


# ---------------------------------------------------------------- small files, in data_dir


def test_npz_of_digits_goes_first(small_catalogue, small, server, tmp_path):
    np.savez(tmp_path / "mnist.npz", **small("mnist")[0])
    found = fetch_mnist(tmp_path / "home", data_dir=tmp_path)
    check(found, 17, (28, 28), 10)
    assert found.filename == str(tmp_path / "mnist.npz")
    assert server.asked == [] and not (tmp_path / "home").exists()


def test_npz_of_clothes(small, tmp_path):
    np.savez(tmp_path / "fashion_mnist.npz", **small("fashion_mnist")[0], class_names=["x"])
    found = fetch_fashion_mnist(data_dir=tmp_path, subset="train", download_if_missing=False)
    check(found, 12, (28, 28), 10)
    assert found.target_names[9] == "Ankle boot"


@pytest.mark.parametrize("last", [False, True])
def test_npz_of_house_numbers(small, tmp_path, last):
    arrays = small("svhn")[0]
    stored = {
        name: np.moveaxis(array, 1, -1) if last and array.ndim > 1 else array
        for name, array in arrays.items()
    }
    np.savez(tmp_path / "svhn.npz", **stored)
    found = fetch_svhn(data_dir=tmp_path, download_if_missing=False)
    check(found, 13, (3, 32, 32), 10)
    assert np.array_equal(found.images[:9], arrays["x_train"])


def test_npz_of_letters(small, tmp_path):
    np.savez(tmp_path / "emnist_letters.npz", **small("emnist_letters")[0], ascii=np.zeros(11))
    found = fetch_emnist_letters(data_dir=tmp_path, subset="test", download_if_missing=False)
    check(found, 4, (28, 28), 26)
    assert found.target.tolist() == [0, 1, 2, 3]


# ---------------------------------------------------------------- by name


@pytest.mark.parametrize("name", ["MNIST", "cifar", "", None, 3, ["mnist"]])
def test_unknown_name(name):
    with pytest.raises(ValueError, match="name == .*must be one of 'mnist', .*, 'cars196'"):
        fetch_dataset(name)


@pytest.mark.parametrize("name", FETCHERS)
def test_loaders_take_the_same_parameters(name):
    by_name = list(inspect.signature(fetch_dataset).parameters.values())
    assert list(inspect.signature(FETCHERS[name]).parameters.values()) == by_name[1:]


@pytest.mark.parametrize("name", [*FETCHERS, "dataset"])
def test_parameters_are_checked(name):
    fetch, first = getattr(datasets, f"fetch_{name}"), ["mnist"] if name == "dataset" else []
    with pytest.raises(ValueError, match="subset == 'valid'"):
        fetch(*first, subset="valid")
    with pytest.raises(TypeError, match="data_dir == 3"):
        fetch(*first, data_dir=3)


def test_every_loader_has_a_name():
    public = {name for name in datasets.__all__ if name.startswith("fetch_")}
    assert public == {f"fetch_{name}" for name in (*FETCHERS, "dataset")}


def test_cars_have_no_address(tmp_path):
    with pytest.raises(DatasetUnavailableError, match="cars196 cannot be downloaded: data_dir is"):
        fetch_dataset("cars196")
    with pytest.raises(DatasetUnavailableError, match=re.escape(f"{tmp_path / 'cars196'} has no")):
        fetch_dataset("cars196", data_dir=tmp_path)


def test_import_needs_no_pillow_and_asks_no_server():
    code = (
        "import sys; sys.modules['PIL'] = None; import socket; socket.socket.connect = None; "
        "import skdeepclust.datasets"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


# ---------------------------------------------------------------- the real files, where they are


def test_real_digits(real_data):
    found = fetch_mnist(data_dir=real_data("mnist.npz"), download_if_missing=False)
    check(found, 70000, (28, 28), 10)
    counts = np.bincount(found.target[found.split == 0]).tolist()
    assert counts == [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]
    assert np.bincount(found.split).tolist() == [60000, 10000]


def test_real_clothes(real_data):
    found = fetch_fashion_mnist(data_dir=real_data("fashion_mnist.npz"), subset="test")
    check(found, 10000, (28, 28), 10)
    assert np.bincount(found.target).tolist() == [1000] * 10


def test_real_letters(real_data):
    found = fetch_emnist_letters(data_dir=real_data("emnist_letters.npz"))
    check(found, 42333, (28, 28), 26)
    assert np.bincount(found.split).tolist() == [33872, 8461]
    # An upright L has its ink on the left and at the bottom, an upright T at the top.
    mean = {letter: found.images[found.target == ord(letter) - 65].mean(axis=0) for letter in "LT"}
    assert mean["T"][:14].sum() > mean["T"][14:].sum()
    assert mean["L"][14:].sum() > mean["L"][:14].sum()


def test_real_characters(real_data):
    found = fetch_omniglot(data_dir=real_data("omniglot32.npz"))
    check(found, 32460, (32, 32), 1623)
    assert np.array_equal(np.bincount(found.target), np.full(1623, 20))
    assert not set(found.target[found.split == 0]) & set(found.target[found.split == 1])
    assert len(found.alphabet_names) == 50
    assert found.target_names[0] == "Alphabet_of_the_Magi/character01"
    # They were averaged over the cells that our own reader has, and rounded in the same way.
    sides = np.diff(_archives._EDGES)
    for i, j in ((1, 1), (10, 12), (15, 15), (16, 16), (29, 30), (20, 2)):
        n = sides[i] * sides[j]
        levels = np.rint(255 * np.arange(n + 1) / n)
        assert set(np.unique(found.images[:, i, j])) <= set(levels)
