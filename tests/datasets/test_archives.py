"""Tests of the readers of the original archives: what they read, and what they refuse."""

import gzip
import io
import struct
import sys

import numpy as np
import pytest

from skdeepclust.datasets._archives import (
    emnist_letters_arrays,
    mnist_arrays,
    omniglot_arrays,
    read_idx,
    read_mat,
    svhn_arrays,
)


@pytest.fixture
def originals(small, tmp_path):
    """A function of a name: the arrays and the paths of the original files of a data set."""

    def write(name, **changed):
        arrays, files = small(name)
        for file, content in (files | changed).items():
            (tmp_path / file).write_bytes(content)
        return arrays, [tmp_path / file for file in files]

    return write


def compressed(*header, body=b""):
    return io.BytesIO(gzip.compress(bytes(header[:4]) + struct.pack(">3I", *header[4:]) + body))


# ---------------------------------------------------------------- what is there is read


def test_mnist(originals):
    arrays, paths = originals("mnist")
    found = mnist_arrays(paths)
    assert list(found) == ["x_train", "y_train", "x_test", "y_test"]
    for name, array in found.items():
        assert array.dtype == np.uint8 and array.flags.writeable
        assert np.array_equal(array, arrays[name])


def test_letters_are_upright_and_counted_from_zero(originals):
    arrays, paths = originals("emnist_letters")
    found = emnist_letters_arrays(paths)
    assert set(found) == set(arrays)
    for name, array in found.items():
        assert array.dtype == np.uint8
        assert np.array_equal(array, arrays[name])


def test_svhn_has_channels_first_and_a_digit_zero(originals):
    arrays, paths = originals("svhn")
    found = svhn_arrays(paths)
    assert set(found) == set(arrays)
    for name, array in found.items():
        assert array.dtype == np.uint8 and array.flags.c_contiguous
        assert np.array_equal(array, arrays[name])
    assert 0 in found["y_train"] and 10 not in found["y_train"]


def cell_means(ink):
    """Ink of 32 x 32 cells: the mean over the pixels whose middles are in the cell."""
    middle = (np.arange(105) + 0.5) * 32 / 105  # of each row, and of each column, in cells
    cell = np.ceil(middle).astype(int) - 1  # the middle of row 52 is on an edge: the lower cell
    small = np.empty((32, 32))
    for i in range(32):
        for j in range(32):
            small[i, j] = ink[np.ix_(cell == i, cell == j)].mean()
    return small


def test_omniglot(originals):
    arrays, paths = originals("omniglot")
    found = omniglot_arrays(paths)
    assert set(found) == (set(arrays) - {"ink"}) | {"images"}
    for name in set(found) - {"images"}:
        assert np.array_equal(found[name], arrays[name]), name
    assert found["images"].dtype == np.uint8 and found["images"].shape == (8, 32, 32)
    for image, ink in zip(found["images"], arrays["ink"], strict=True):
        assert np.abs(image - 255 * cell_means(ink)).max() <= 0.5


def test_omniglot_reports_progress(originals, capsys):
    omniglot_arrays(originals("omniglot")[1], verbose=1)
    assert "images_evaluation.zip" in capsys.readouterr().err


# ---------------------------------------------------------------- idx


@pytest.mark.parametrize(
    ("header", "body", "message"),
    [
        ((0, 0, 8, 3, 2, 2, 2), b"x" * 7, "declares shape .2, 2, 2., .* 8 bytes, but has 7"),
        ((0, 0, 8, 3, 2, 2, 2), b"x" * 9, "8 bytes, but has more"),
        ((0, 0, 8, 3, 2**32 - 1, 2, 2), b"x" * 9, "17179869180 bytes, but has 9"),
        ((0, 0, 8, 3, 2, 3, 2), b"x" * 12, r"declares shape .2, 3, 2., \(n, 2, 2\) is wanted"),
        ((0, 0, 9, 3, 2, 2, 2), b"x" * 8, "no idx file of bytes with 3 axes"),
        ((0, 0, 8, 1, 2, 2, 2), b"x" * 8, "no idx file of bytes with 3 axes"),
        ((1, 0, 8, 3, 2, 2, 2), b"x" * 8, "no idx file of bytes with 3 axes"),
    ],
)
def test_idx_with_wrong_sizes(header, body, message):
    with pytest.raises(ValueError, match=f"^a file .*{message}"):
        read_idx(compressed(*header, body=body), (2, 2), "a file")


def test_idx_with_a_short_header():
    with pytest.raises(ValueError, match="a file is no idx file"):
        read_idx(io.BytesIO(gzip.compress(bytes([0, 0, 8, 3, 0]))), (2, 2), "a file")


@pytest.mark.parametrize("damage", [lambda b: b[:-9], lambda b: b"x" + b, lambda b: b[:20] + b"x"])
def test_idx_damaged(formats, damage):
    content = damage(formats["idx"](np.arange(100, dtype=np.uint8)))
    with pytest.raises(ValueError, match="a file is damaged"):
        read_idx(io.BytesIO(content), (), "a file")


# ---------------------------------------------------------------- MATLAB


def test_mat_without_a_variable(formats, tmp_path):
    (tmp_path / "a.mat").write_bytes(formats["mat"](X=np.zeros(3)))
    with pytest.raises(ValueError, match="a.mat has no variable 'y'"):
        read_mat(tmp_path / "a.mat", ("X", "y"))


@pytest.mark.parametrize("size", [0, 10, 100, 200, 300])
def test_mat_cut_short(formats, tmp_path, size):
    content = formats["mat"](X=np.random.default_rng(0).uniform(size=100))
    (tmp_path / "a.mat").write_bytes(content[:size])
    with pytest.raises(ValueError, match="a.mat (is damaged or no MATLAB file|has no variable)"):
        read_mat(tmp_path / "a.mat", ("X",))


def test_mat_is_not_there(tmp_path):
    with pytest.raises(FileNotFoundError, match="a.mat"):
        read_mat(tmp_path / "a.mat", ("X",))


@pytest.mark.parametrize(
    ("X", "y", "message"),
    [
        (np.zeros((32, 32, 3, 4), np.uint8), np.ones((5, 1)), "32, 3, 4.*5, 1.*are wanted"),
        (np.zeros((3, 32, 32, 4), np.uint8), np.ones((4, 1)), "are wanted"),
        (np.zeros((32, 32, 3, 4)), np.ones((4, 1)), "float64.*uint8"),
        (np.zeros((32, 32, 3, 4), np.uint8), np.ones((2, 2)), "2, 2.*are wanted"),
        (np.zeros((32, 32, 3, 4), np.uint8), np.zeros((4, 1)), "integers from 1 to 10"),
        (np.zeros((32, 32, 3, 4), np.uint8), np.full((4, 1), 1.5), "integers from 1 to 10"),
    ],
)
def test_svhn_of_other_shapes(originals, formats, X, y, message):
    _, paths = originals("svhn", **{"test_32x32.mat": formats["mat"](X=X, y=y)})
    with pytest.raises(ValueError, match=f"test_32x32.mat.*{message}"):
        svhn_arrays(paths)


# ---------------------------------------------------------------- zip


@pytest.mark.parametrize("content", [b"", b"no zip file"])
def test_zip_damaged(tmp_path, content):
    path = tmp_path / "a.zip"
    path.write_bytes(content)
    for read in (emnist_letters_arrays, omniglot_arrays):
        with pytest.raises(ValueError, match="a.zip is damaged"):
            read([path])


def test_zip_that_is_not_there(tmp_path):
    for read in (emnist_letters_arrays, omniglot_arrays):
        with pytest.raises(FileNotFoundError, match="a.zip"):
            read([tmp_path / "a.zip"])


def test_zip_with_a_damaged_member(originals, small):
    content = bytearray(small("emnist_letters")[1]["gzip.zip"])
    content[len(content) // 2] ^= 255
    _, paths = originals("emnist_letters", **{"gzip.zip": bytes(content)})
    with pytest.raises(ValueError, match="gzip.zip.* is damaged"):
        emnist_letters_arrays(paths)


def test_zip_without_letters(tmp_path, formats):
    (tmp_path / "a.zip").write_bytes(formats["zip"]({"gzip/other.gz": b""}))
    with pytest.raises(ValueError, match="a.zip has no file gzip/emnist-letters-train-images"):
        emnist_letters_arrays([tmp_path / "a.zip"])


def test_zip_without_drawings(tmp_path, formats):
    (tmp_path / "a.zip").write_bytes(formats["zip"]({"images_background/a.txt": b""}))
    with pytest.raises(ValueError, match="a.zip has no file images_"):
        omniglot_arrays([tmp_path / "a.zip"])


def test_drawing_of_another_size(tmp_path, formats):
    name = "images_background/Greek/character01/0001_01.png"
    drawing = formats["png"](np.zeros((105, 104), dtype=bool))
    (tmp_path / "a.zip").write_bytes(formats["zip"]({name: drawing}))
    with pytest.raises(ValueError, match=r"a.zip, .*0001_01.png has size \(104, 105\)"):
        omniglot_arrays([tmp_path / "a.zip"])


def test_drawing_damaged(tmp_path, formats):
    name = "images_background/Greek/character01/0001_01.png"
    (tmp_path / "a.zip").write_bytes(formats["zip"]({name: b"no picture"}))
    with pytest.raises(ValueError, match="a.zip is damaged .cannot identify"):
        omniglot_arrays([tmp_path / "a.zip"])


def test_missing_pillow_names_the_extra(originals, monkeypatch):
    _, paths = originals("omniglot")
    monkeypatch.setitem(sys.modules, "PIL", None)
    with pytest.raises(ImportError, match=r'Omniglot.*pip install "skdeepclust\[plot\]"'):
        omniglot_arrays(paths)
