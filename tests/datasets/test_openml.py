"""Tests of copies on OpenML: what scikit-learn returns is compared with what was published."""

import struct
import urllib.error
from hashlib import md5, sha256

import numpy as np
import pytest
from sklearn.utils import Bunch

from skdeepclust.datasets import ChecksumError, _openml
from skdeepclust.datasets._catalogue import CATALOGUE
from skdeepclust.datasets._openml import idx_sha256, openml_arrays

# As in the documentation of both data sets.
PUBLISHED_MD5 = {
    "mnist": [
        "6bbc9ace898e44ae57da46a324031adb",
        "a25bea736e30d166cdddb491f175f624",
        "2646ac647ad5339dbf082846283269ea",
        "27ae3e4e09519cfbb04c329615203637",
    ],
    "fashion_mnist": [
        "f4a8712d7a061bf5bd6d2ca38dc4d50a",
        "9018921c3c673c538a1fc5bad174d6f9",
        "8181f5470baa50b63fa0f6fddb340f0a",
        "15d484375f8d13e6eb1aabb0c3f46965",
    ],
}


@pytest.fixture
def answer(monkeypatch, small):
    """What OpenML has, which tests may change; and the questions it was asked."""
    arrays = small("mnist")[0]
    images = np.concatenate([arrays["x_train"], arrays["x_test"]])
    digits = np.concatenate([arrays["y_train"], arrays["y_test"]])
    copy = Bunch(
        data=images.reshape(len(images), -1).astype(np.float64),
        target=np.array([str(digit) for digit in digits], dtype=object),
        asked=[],
    )

    def fetch(**parameters):
        copy.asked.append(parameters)
        return copy

    monkeypatch.setattr(_openml, "fetch_openml", fetch)
    return copy


def idx_bytes(array):
    return struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape) + array.tobytes()


def test_copy_is_that_of_the_original_files(answer, small, small_openml):
    found = openml_arrays(small_openml)
    for name, array in small("mnist")[0].items():
        assert found[name].dtype == np.uint8 and np.array_equal(found[name], array)
    assert answer.asked[0]["data_id"] == 554


@pytest.mark.parametrize("dtype", [np.uint8, np.int64, np.float32])
def test_numbers_of_any_type(answer, small, small_openml, dtype):
    answer.data, answer.target = answer.data.astype(dtype), answer.target.astype(dtype)
    assert np.array_equal(openml_arrays(small_openml)["x_test"], small("mnist")[0]["x_test"])


def test_other_pixels(answer, small_openml):
    answer.data[3, 5] = 255 - answer.data[3, 5]
    with pytest.raises(ChecksumError, match=f"554.*x_train.*{small_openml.sha256[0]}"):
        openml_arrays(small_openml)


def test_other_order(answer, small_openml):
    answer.data, answer.target = answer.data[::-1], answer.target[::-1]
    with pytest.raises(ChecksumError, match="554 of OpenML has another x_train"):
        openml_arrays(small_openml)


def test_other_labels(answer, small_openml):
    answer.target[-1] = str((int(answer.target[-1]) + 1) % 10)
    with pytest.raises(ChecksumError, match=f"y_test.*{small_openml.sha256[3]}"):
        openml_arrays(small_openml)


@pytest.mark.parametrize("value", [256, -1, 0.5, np.nan])
def test_values_that_are_no_bytes(answer, small_openml, value):
    answer.data[0, 0] = value
    with pytest.raises(ValueError, match="no integers from 0 to 255"):
        openml_arrays(small_openml)


@pytest.mark.parametrize("shape", [(), (3,), (2, 3, 4), (0, 5)])
def test_sum_of_an_idx_file(shape):
    array = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    assert idx_sha256(array) == sha256(idx_bytes(array)).hexdigest()
    assert idx_sha256(array.T) == sha256(idx_bytes(array.T.copy())).hexdigest()


def test_scikit_learn_takes_the_question(monkeypatch, small_openml):
    """The parameters pass its checks: what fails is the network."""

    def no_network(*arguments, **parameters):
        raise urllib.error.URLError("no network here")

    monkeypatch.setattr("sklearn.datasets._openml.urlopen", no_network)
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    with (
        pytest.warns(UserWarning, match="[Rr]etry"),
        pytest.raises(urllib.error.URLError, match="no network here"),
    ):
        openml_arrays(small_openml)


@pytest.mark.parametrize("name", PUBLISHED_MD5)
def test_sums_in_the_catalogue_are_those_of_the_published_files(real_data, name):
    with np.load(real_data(f"{name}.npz") / f"{name}.npz") as archive:
        arrays = [archive[key] for key in ("x_train", "y_train", "x_test", "y_test")]
    assert [md5(idx_bytes(array)).hexdigest() for array in arrays] == PUBLISHED_MD5[name]
    assert tuple(map(idx_sha256, arrays)) == CATALOGUE[name].openml.sha256
