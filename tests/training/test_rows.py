"""Standardised rows against plain float64 arithmetic, for every kind of input."""

import tracemalloc

import numpy as np
import pytest
import torch

from skdeepclust.training import InputScaling, Rows
from skdeepclust.training import _rows as module

CPU = torch.device("cpu")


def naive(X, input_shape):
    """(X - mean) / rms in float64; one mean a channel for images; (n, p)."""
    wide = np.asarray(X, dtype=np.float64).reshape(len(X), *input_shape)
    axes = (0, 2, 3) if wide.ndim == 4 else (0,)
    centered = wide - wide.mean(axis=axes, keepdims=True)
    return (centered / np.sqrt(np.square(centered).mean())).reshape(len(X), -1)


def make_rows(X, input_shape=None):
    input_shape = X.shape[1:] if input_shape is None else input_shape
    return Rows(X, InputScaling.fit(X, input_shape), input_shape, CPU)


def make_data(dtype, shape, seed=0):
    rng = np.random.RandomState(seed)
    if dtype is bool:
        return rng.random_sample(shape) < 0.3
    if np.issubdtype(dtype, np.integer):
        return rng.randint(0, 200, size=shape).astype(dtype)
    return (rng.standard_normal(shape) * np.arange(1, shape[-1] + 1) + 5).astype(dtype)


@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.float16, np.uint8, np.int64, bool])
@pytest.mark.parametrize("shape", [(50, 7), (20, 2, 3, 4), (2, 1)])
def test_rows_are_centred_and_scaled_by_one_number(dtype, shape):
    X = make_data(dtype, shape)
    X[0] = 1 - X[0] if dtype is not bool else ~X[1]
    rows = make_rows(X)
    batch = rows.take(np.arange(len(X)))
    assert batch.dtype == torch.float32
    assert tuple(batch.shape) == shape
    expected = naive(X, shape[1:])
    np.testing.assert_allclose(batch.reshape(len(X), -1), expected, rtol=2e-6, atol=2e-6)


def test_result_has_mean_0_and_mean_square_1():
    batch = make_rows(make_data(np.float64, (300, 5))).take(slice(None)).double()
    torch.testing.assert_close(batch.mean(0), torch.zeros(5).double(), atol=1e-6, rtol=0)
    torch.testing.assert_close(batch.square().mean(), torch.tensor(1.0).double())


def test_geometry_is_kept():
    X = make_data(np.float64, (30, 5))
    batch = make_rows(X).take(slice(None)).double()
    ratio = torch.pdist(batch) / torch.pdist(torch.from_numpy(X))
    torch.testing.assert_close(ratio, ratio[:1].expand_as(ratio), rtol=1e-5, atol=0)


@pytest.mark.parametrize("factor", [1e300, 1e-300, 1e-310, 1e150])
def test_huge_and_tiny_values_do_not_overflow(factor):
    X = make_data(np.float64, (40, 3))
    with np.errstate(all="raise", under="ignore"):
        scaled = make_rows(X * factor).take(slice(None))
    torch.testing.assert_close(scaled, make_rows(X).take(slice(None)), rtol=1e-3, atol=1e-3)


def test_huge_values_far_from_zero():
    X = make_data(np.float64, (40, 3))
    scaled = make_rows(1e300 * (1 + X / 1000)).take(slice(None))
    torch.testing.assert_close(scaled, make_rows(X).take(slice(None)), rtol=1e-4, atol=1e-5)


def test_images_in_columns_have_one_centre_a_channel():
    images = make_data(np.float64, (20, 2, 3, 4))
    images[:, 1] += 100
    scaling = InputScaling.fit(images.reshape(20, 24), (2, 3, 4))
    expected = np.repeat(images.mean(axis=(0, 2, 3)), 12)
    np.testing.assert_allclose(scaling.center, expected)
    flat = make_rows(images.reshape(20, 24), (2, 3, 4)).take(slice(None))
    assert torch.equal(flat, make_rows(images).take(slice(None)))


@pytest.mark.parametrize("chunk", [1, 3, 7, 1000])
def test_chunks_do_not_matter(monkeypatch, chunk):
    X = make_data(np.float64, (21, 4))
    whole = InputScaling.fit(X, (4,))
    monkeypatch.setattr(module, "_CHUNK_ROWS", chunk)
    parts = InputScaling.fit(X, (4,))
    np.testing.assert_allclose(parts.center, whole.center, rtol=1e-13)
    assert parts.scale == pytest.approx(whole.scale, rel=1e-13)


@pytest.mark.parametrize(
    "X",
    [
        np.zeros((5, 3)),
        np.full((5, 3), 0.1),
        np.full((5, 3), 7, dtype=np.uint8),
        np.full((5, 1), 1e300),
        np.tile([0.1, 0.3, 0.7], (1000, 1)),
        np.tile(np.linspace(-3, 1 / 3, 11), (777, 1)),
        np.tile(np.random.RandomState(0).random_sample((1, 2, 3, 3)), (9, 1, 1, 1)),
    ],
    ids=["zeros", "tenths", "uint8", "huge", "columns", "more columns", "images"],
)
def test_constant_data_are_refused(X):
    with pytest.raises(ValueError, match=r"^X has the same value in every row"):
        InputScaling.fit(X, X.shape[1:])


@pytest.mark.parametrize("column", [0, 1])
def test_one_varying_column_is_enough(column):
    X = np.full((6, 2), 0.3)
    X[0, column] = 0.7
    batch = make_rows(X).take(slice(None))
    assert torch.isfinite(batch).all()
    np.testing.assert_allclose(batch, naive(X, (2,)), atol=1e-6)


@pytest.mark.parametrize("dtype", [np.float64, np.uint8])
@pytest.mark.parametrize("shape", [(50, 7), (20, 2, 3, 4)])
def test_cached_and_uncached_batches_are_equal(monkeypatch, dtype, shape):
    X = make_data(dtype, shape)
    cached = make_rows(X)
    monkeypatch.setattr(module, "_MAX_CACHED_BYTES", 4 * X.size - 1)
    uncached = make_rows(X)
    assert cached._cache is not None
    assert uncached._cache is None
    for indices in (np.array([3, 0, 3, 19]), np.arange(len(X)), slice(2, 9), slice(None)):
        assert torch.equal(cached.take(indices), uncached.take(indices))


def test_rows_are_kept_without_a_copy_in_float64(monkeypatch):
    X = make_data(np.uint8, (40_000, 64))
    scaling = InputScaling.fit(X, (64,))
    monkeypatch.setattr(module, "_CHUNK_ROWS", 500)
    tracemalloc.start()
    rows = Rows(X, scaling, (64,), CPU)  # torch's memory is not traced
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert rows._cache is not None
    assert peak < X.size  # 20 MB in float64, 10 MB in float32


def test_a_batch_of_indices_may_be_overwritten():
    rows = make_rows(make_data(np.float64, (9, 2)))
    before = rows.take(np.arange(9)).clone()
    rows.take(np.arange(9)).zero_()
    assert torch.equal(rows.take(np.arange(9)), before)


def test_flat_gives_wide_rows_for_images():
    X = make_data(np.uint8, (20, 2, 3, 4))
    flat = make_rows(X).flat(np.array([4, 1]))
    assert flat.dtype == np.float64
    np.testing.assert_allclose(flat, naive(X, (2, 3, 4))[[4, 1]], rtol=2e-6, atol=2e-6)


def test_length_is_the_number_of_rows():
    assert len(make_rows(make_data(np.float64, (9, 2)))) == 9


def test_memory_map_stays_on_disk(monkeypatch, tmp_path):
    shape = (40_000, 256)  # 10 MB on disk, 41 MB as float32
    X = np.memmap(tmp_path / "rows.bin", dtype=np.uint8, mode="w+", shape=shape)
    X[::2] = np.arange(256)
    monkeypatch.setattr(module, "_CHUNK_ROWS", 64)
    monkeypatch.setattr(module, "_MAX_CACHED_BYTES", 2**20)
    tracemalloc.start()
    rows = make_rows(X)
    batch = rows.take(np.array([0, 1, 39_998]))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert rows.X is X
    assert peak < 2_000_000
    expected = (np.arange(256) - np.arange(256) / 2) / np.sqrt(
        np.mean(np.square(np.arange(256) / 2))
    )
    np.testing.assert_allclose(batch[0], expected, rtol=1e-6)
    assert torch.equal(batch[1], -batch[0])
    assert torch.equal(batch[2], batch[0])


def test_rows_on_quite_another_scale_remain_finite():
    X = make_data(np.float64, (20, 3))
    scaling = InputScaling.fit(X * 1e-300, (3,))
    far = scaling.apply(np.array([[1e300, -1e300, 0.0], [1.7e308, -1.7e308, 1e-300]]))
    assert np.isfinite(far).all()
    assert (far[:, :2] == [1e9, -1e9]).all()
    np.testing.assert_array_equal(
        scaling.apply(X * 1e-300), ((X * 1e-300 - scaling.center) / scaling.scale).astype("f4")
    )
