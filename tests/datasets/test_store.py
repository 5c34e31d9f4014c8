"""Tests of npz files: what is read, and what is refused."""

import os

import numpy as np
import pytest

from skdeepclust.datasets._store import (
    read_letters,
    read_npz,
    read_omniglot,
    read_train_and_test,
    write_npz,
)


@pytest.fixture
def digits():
    """Arrays of a file in the manner of MNIST."""
    rng = np.random.default_rng(0)
    return {
        "x_train": rng.integers(0, 256, (5, 4, 4), dtype=np.uint8),
        "y_train": np.array([3, 0, 1, 2, 2], dtype=np.uint8),
        "x_test": rng.integers(0, 256, (2, 4, 4), dtype=np.uint8),
        "y_test": np.array([1, 3]),
    }


@pytest.fixture
def letters():
    rng = np.random.default_rng(0)
    return {
        "images": rng.integers(0, 256, (4, 28, 28), dtype=np.uint8),
        "labels": np.array([25, 0, 3, 3], dtype=np.uint8),
        "split": np.array([0, 1, 0, 0]),
    }


@pytest.fixture
def characters():
    rng = np.random.default_rng(0)
    return {
        "images": rng.integers(0, 256, (4, 32, 32), dtype=np.uint8),
        "character": np.array([0, 0, 2, 1], dtype=np.int16),
        "alphabet": np.array([0, 0, 1, 0], dtype=np.int16),
        "drawer": np.array([1, 2, 1, 1]),
        "split": np.array([0, 0, 1, 0]),
        "alphabet_names": np.array(["Greek", "Latin"]),
        "character_alphabet": np.array([0, 0, 1]),
        "character_folder": np.array(["character01", "character02", "character01"]),
    }


@pytest.fixture
def saved(tmp_path):
    """A function that writes arrays to a file with numpy itself."""

    def save(arrays, **changed):
        path = tmp_path / "a.npz"
        np.savez(path, **(arrays | changed))
        return path

    return save


def read_digits(path):
    return read_train_and_test(path, (4, 4), 4)


# ---------------------------------------------------------------- contents


def test_train_and_test(saved, digits):
    columns, names = read_digits(saved(digits))
    assert np.array_equal(columns["images"][:5], digits["x_train"])
    assert np.array_equal(columns["images"][5:], digits["x_test"])
    assert columns["target"].tolist() == [3, 0, 1, 2, 2, 1, 3]
    assert columns["target"].dtype == np.int64
    assert columns["split"].tolist() == [0] * 5 + [1] * 2
    assert columns["split"].dtype == np.uint8
    assert names == {}


def test_colours_last_become_colours_first(saved):
    images = np.arange(2 * 4 * 4 * 3, dtype=np.uint8).reshape(2, 4, 4, 3)
    digits = np.array([0, 1])
    last = saved({"x_train": images, "y_train": digits, "x_test": images, "y_test": digits})
    columns, _ = read_train_and_test(last, (3, 4, 4), 2)
    assert columns["images"].shape == (4, 3, 4, 4)
    assert np.array_equal(columns["images"][1, 2], images[1, :, :, 2])
    first = images.transpose(0, 3, 1, 2)
    again = saved({"x_train": first, "y_train": digits, "x_test": first, "y_test": digits})
    assert np.array_equal(read_train_and_test(again, (3, 4, 4), 2)[0]["images"], columns["images"])


def test_letters(saved, letters):
    columns, names = read_letters(saved(letters))
    assert np.array_equal(columns["images"], letters["images"])
    assert columns["target"].tolist() == [25, 0, 3, 3] and columns["target"].dtype == np.int64
    assert columns["split"].tolist() == [0, 1, 0, 0] and columns["split"].dtype == np.uint8
    assert names == {}


def test_omniglot(saved, characters):
    columns, names = read_omniglot(saved(characters))
    assert list(columns) == ["images", "target", "split", "alphabet", "drawer"]
    assert columns["target"].tolist() == [0, 0, 2, 1] and columns["target"].dtype == np.int64
    for name in ("images", "split", "alphabet", "drawer"):
        assert np.array_equal(columns[name], characters[name])
    assert names["target_names"] == ["Greek/character01", "Greek/character02", "Latin/character01"]
    assert names["alphabet_names"] == ["Greek", "Latin"]


def test_written_and_read(tmp_path, digits):
    path = tmp_path / "new" / "a.npz"
    write_npz(path, digits)
    found = read_npz(path, list(digits))
    assert all(np.array_equal(found[name], digits[name]) for name in digits)
    assert os.listdir(path.parent) == ["a.npz"]


# ---------------------------------------------------------------- what is refused


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"y_train": np.zeros(6, int)}, r"x_train has 5 images.*shape \(6,\), \(5,\) is wanted"),
        ({"y_test": np.zeros((2, 1), int)}, r"x_test has 2 images.*\(2, 1\), \(2,\) is wanted"),
        ({"y_test": np.array([0, 4])}, "integers from 0 to 3"),
        ({"y_test": np.array([0, -1])}, "integers from 0 to 3"),
        ({"y_test": np.array([0, np.nan])}, "integers from 0 to 3"),
        ({"y_test": np.array(["0", "1"])}, "integers from 0 to 3"),
        ({"x_test": np.zeros((2, 4, 4))}, r"x_test is float64.*uint8 of shape \(n, 4, 4\)"),
        ({"x_test": np.zeros((2, 4, 5), np.uint8)}, r"x_test is uint8 \(2, 4, 5\)"),
        ({"x_test": np.zeros((2, 16), np.uint8)}, r"x_test is uint8 \(2, 16\)"),
        ({"x_test": np.uint8(0)}, r"x_test is uint8 \(\)"),
    ],
)
def test_digits_refused(saved, digits, changed, message):
    with pytest.raises(ValueError, match=f"a.npz.*{message}"):
        read_digits(saved(digits, **changed))


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"labels": np.full(4, 26)}, "integers from 0 to 25"),
        ({"split": np.full(4, 2)}, "integers from 0 to 1"),
        ({"split": np.zeros(3, int)}, "images has 4 images"),
        ({"images": np.zeros((4, 32, 32), np.uint8)}, r"\(n, 28, 28\) is wanted"),
    ],
)
def test_letters_refused(saved, letters, changed, message):
    with pytest.raises(ValueError, match=f"a.npz.*{message}"):
        read_letters(saved(letters, **changed))


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"character": np.array([0, 0, 3, 1])}, "integers from 0 to 2"),
        ({"alphabet": np.array([0, 0, 2, 1])}, "integers from 0 to 1"),
        ({"character_alphabet": np.array([0, 0, 2])}, "integers from 0 to 1"),
        ({"character_alphabet": np.array([0, 0])}, "do not fit each other"),
        ({"split": np.full(4, 2)}, "integers from 0 to 1"),
        ({"drawer": np.zeros(3, int)}, "images has 4 images"),
        ({"images": np.zeros((4, 28, 28), np.uint8)}, r"\(n, 32, 32\) is wanted"),
    ],
)
def test_characters_refused(saved, characters, changed, message):
    with pytest.raises(ValueError, match=f"a.npz.*{message}"):
        read_omniglot(saved(characters, **changed))


def test_missing_array(saved, digits):
    del digits["y_test"]
    with pytest.raises(ValueError, match="a.npz has no array 'y_test': x_train, y_train"):
        read_digits(saved(digits))


class Trap:
    """Unpickling it fails the test."""

    def __reduce__(self):
        return pytest.fail, ("a file was unpickled",)


def test_python_objects_are_not_loaded(saved, digits):
    path = saved(digits, y_test=np.array([Trap(), Trap()], dtype=object))
    with pytest.raises(ValueError, match="a.npz is damaged or no npz file of arrays"):
        read_digits(path)


def test_pickles_are_not_loaded(tmp_path):
    path = tmp_path / "a.npz"
    np.array([Trap()], dtype=object).dump(path)
    with pytest.raises(ValueError, match="a.npz is damaged or no npz file of arrays"):
        read_digits(path)


def test_array_in_the_place_of_an_npz_file(tmp_path):
    path = tmp_path / "a.npz"
    with open(path, "wb") as stream:
        np.save(stream, np.zeros(3))
    with pytest.raises(ValueError, match="a.npz is damaged or no npz file of arrays"):
        read_digits(path)


@pytest.mark.parametrize("part", [0.0, 0.1, 0.5, 0.99])
def test_file_cut_short(saved, digits, part):
    path = saved(digits)
    content = path.read_bytes()
    path.write_bytes(content[: int(part * len(content))])
    with pytest.raises(ValueError, match="a.npz is damaged or no npz file of arrays"):
        read_digits(path)


def test_flipped_bit(tmp_path, digits):
    path = tmp_path / "a.npz"
    write_npz(path, digits)
    content = bytearray(path.read_bytes())
    content[200] ^= 1
    path.write_bytes(bytes(content))
    with pytest.raises(ValueError, match="a.npz is damaged or no npz file of arrays"):
        read_digits(path)


def test_file_that_is_not_there(tmp_path):
    with pytest.raises(FileNotFoundError, match="a.npz"):
        read_digits(tmp_path / "a.npz")
