"""Tests of the parameters that the loaders share, and of what they return."""

from pathlib import Path

import numpy as np
import pytest

from skdeepclust.datasets._request import Request, as_bunch, check_subset, load

PARAMETERS = {
    "data_home": None,
    "data_dir": None,
    "subset": "all",
    "download_if_missing": True,
    "n_retries": 3,
    "delay": 1.0,
    "verbose": 0,
}


@pytest.fixture
def columns():
    rng = np.random.default_rng(0)
    return {
        "images": rng.integers(0, 256, (5, 3, 4, 2), dtype=np.uint8),
        "target": np.array([0, 1, 2, 0, 1]),
        "split": np.array([0, 1, 0, 0, 1], dtype=np.uint8),
    }


@pytest.mark.parametrize(
    ("subset", "rows"), [("all", [0, 1, 2, 3, 4]), ("train", [0, 2, 3]), ("test", [1, 4])]
)
def test_bunch(columns, subset, rows):
    images = columns["images"]
    names = {"target_names": np.array(["a", "b", "c"])}
    found = as_bunch(dict(columns), names, subset, Path("folder") / "a.npz", "What it is.")
    assert np.array_equal(found.images, images[rows])
    assert found.data.shape == (len(rows), 24)
    assert np.shares_memory(found.data, found.images)
    assert np.array_equal(found.data[0], images[rows[0]].ravel())
    for name in ("target", "split"):
        assert np.array_equal(found[name], columns[name][rows])
    assert found.target_names == ["a", "b", "c"]
    assert all(type(name) is str for name in found.target_names)
    assert found.filename == str(Path("folder") / "a.npz")
    assert found.DESCR == "What it is."


def test_no_images(columns):
    none = {name: column[:0] for name, column in columns.items()}
    found = as_bunch(none, {}, "test", Path("a"), "")
    assert found.images.shape == (0, 3, 4, 2) and found.data.shape == (0, 24)


@pytest.mark.parametrize("subset", ["both", "", None, 0, ["train"]])
def test_subsets(subset):
    with pytest.raises(ValueError, match="subset == .*must be 'all', 'train' or 'test'"):
        check_subset(subset)


def test_good_parameters():
    Request(**PARAMETERS)
    Request(**PARAMETERS | {"data_home": "home", "data_dir": Path("data"), "delay": 0})


@pytest.mark.parametrize(
    ("changed", "error", "message"),
    [
        ({"data_home": 3}, TypeError, "data_home == 3, must be None, a str or path-like"),
        ({"data_dir": ["x"]}, TypeError, "data_dir == .'x'., must be None, a str or path-like"),
        ({"subset": "valid"}, ValueError, "subset == 'valid'"),
        ({"download_if_missing": 1}, TypeError, "download_if_missing == 1, must be True or False"),
        ({"n_retries": -1}, ValueError, "n_retries == -1, must be >= 0"),
        ({"n_retries": 1.5}, TypeError, "n_retries must be an instance of"),
        ({"delay": -0.1}, ValueError, "delay == -0.1, must be >= 0"),
        ({"delay": "1"}, TypeError, "delay must be an instance of"),
        ({"verbose": None}, TypeError, "verbose must be an instance of"),
    ],
)
def test_bad_parameters(changed, error, message):
    with pytest.raises(error, match=message):
        Request(**PARAMETERS | changed)


def test_parameters_reach_the_download(small_catalogue, server, tmp_path, capsys):
    server.errors = [503]
    how = {"data_home": tmp_path, "n_retries": 1, "delay": 0, "verbose": 1}
    assert len(load("svhn", Request(**PARAMETERS | how)).images) == 13
    assert server.asked[:2] == ["train_32x32.mat"] * 2
    assert "train_32x32.mat, MiB" in capsys.readouterr().err


def test_download_can_be_forbidden(small_catalogue, server, tmp_path):
    how = {"data_home": tmp_path, "download_if_missing": False}
    with pytest.raises(OSError, match="download_if_missing is False"):
        load("svhn", Request(**PARAMETERS | how))
    assert server.asked == []
