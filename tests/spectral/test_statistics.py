"""The three sums over the rows, against one-hot matrices and plain products in float64."""

import pytest
import torch
from torch.nn.functional import one_hot

from skdeepclust.spectral import SpectralStatistics, class_codes, gram, spectral_statistics
from skdeepclust.spectral import _statistics as module


def make_batch(n, d, k, seed=0, dtype=torch.float64):
    generator = torch.Generator().manual_seed(seed)
    embedding = torch.randn(n, d, generator=generator, dtype=torch.float64).to(dtype)
    return embedding, torch.randint(0, k, (n,), generator=generator)


def assert_same(left, right, **tolerances):
    for name in ("gram", "sums", "counts"):
        torch.testing.assert_close(getattr(left, name), getattr(right, name), **tolerances)


@pytest.mark.parametrize(("n", "d", "k"), [(1, 1, 1), (7, 3, 4), (50, 5, 9), (20_000, 4, 6)])
def test_integer_labels_equal_a_one_hot_product(n, d, k):
    embedding, y = make_batch(n, d, k)
    assignment = one_hot(y, k).double()
    statistics = spectral_statistics(embedding, y, k)
    torch.testing.assert_close(statistics.gram, embedding.T @ embedding)
    torch.testing.assert_close(statistics.sums, assignment.T @ embedding)
    assert torch.equal(statistics.counts, assignment.sum(0))


def test_real_assignments_equal_plain_products():
    embedding, _ = make_batch(40, 5, 3, dtype=torch.float32)
    assignment = make_batch(40, 3, 2, seed=1, dtype=torch.float32)[0]
    statistics = spectral_statistics(embedding, assignment)
    wide = assignment.double()
    torch.testing.assert_close(
        statistics.sums.double(), wide.T @ embedding.double(), rtol=1e-5, atol=1e-5
    )
    torch.testing.assert_close(statistics.counts, wide.T @ wide)
    assert statistics.sums.dtype == torch.float32
    assert statistics.counts.dtype == torch.float64


@pytest.mark.parametrize("matrix", [False, True])
def test_chunks_add_up(matrix):
    embedding, y = make_batch(101, 6, 5)
    y = one_hot(y, 5).double() if matrix else y
    pieces = [slice(0, 3), slice(3, 60), slice(60, 101)]
    parts = [spectral_statistics(embedding[rows], y[rows], 5) for rows in pieces]
    assert_same(parts[0] + parts[1] + parts[2], spectral_statistics(embedding, y, 5))


def test_scaled_multiplies_every_sum():
    embedding, y = make_batch(30, 4, 3)
    statistics = spectral_statistics(embedding, y, 3)
    half = SpectralStatistics(statistics.gram / 2, statistics.sums / 2, statistics.counts / 2)
    assert_same(statistics.scaled(0.5), half)


@pytest.mark.parametrize("matrix", [False, True])
def test_float64_sums_of_float32_rows(matrix):
    embedding, y = make_batch(2 * module.CHUNK_ROWS + 5, 4, 3, dtype=torch.float32)
    y = one_hot(y, 3).float() if matrix else y
    wide_y = y.double() if matrix else y
    wide = spectral_statistics(embedding.double(), wide_y, 3)
    assert_same(
        spectral_statistics(embedding, y, 3, dtype=torch.float64), wide, rtol=1e-13, atol=1e-10
    )


@pytest.mark.parametrize("d", [1, 64, 127, 128, 131, 259, 300])
def test_gram_equals_the_plain_product(d):
    embedding = make_batch(50, d, 2)[0]
    torch.testing.assert_close(gram(embedding), embedding.T @ embedding)


def test_sorted_class_sums_equal_scattered_ones():
    embedding, y = make_batch(60, 4, 5)
    y[y == 2] = 3  # an empty class in the middle, and one at the end
    expected = one_hot(y, 6).double().T @ embedding
    torch.testing.assert_close(module._sorted_class_sums(embedding, y, 6), expected)


@pytest.mark.parametrize(
    "labels",
    [
        [0, 1, 2],
        [5, 5, 9, 5],
        [-3, 7, -3, 0],
        [10**15, 4, 10**15, -(10**15)],
        [3, 0, 0, 3],
        [3, 0, 1],
        [7],
    ],
)
def test_class_codes_are_a_renaming(labels):
    y = torch.tensor(labels)
    codes, n_codes = class_codes(y)
    assert int(codes.min()) >= 0
    assert int(codes.max()) < n_codes <= len(labels)
    assert torch.equal(codes[:, None] == codes[None, :], y[:, None] == y[None, :])


@pytest.mark.parametrize("n_classes", [4, 9])
def test_counts_of_devices_are_those_of_the_cpu(n_classes):
    y = torch.tensor([3, 0, 0, 3, 3, 1])
    found = module._added_counts(y, n_classes)
    assert torch.equal(found, torch.bincount(y, minlength=n_classes))
    assert torch.equal(found, module._class_counts(y, n_classes))


def test_moved_to_a_device():
    y = torch.tensor([3, 0])
    assert module.to_device(y, torch.device("cpu")) is y
    assert module.to_device(y, torch.device("meta")).device.type == "meta"


def test_large_batches_take_the_sorted_sums(monkeypatch):
    embedding = torch.randn(50, 6, generator=torch.Generator().manual_seed(0))
    y = torch.arange(50) % 7
    expected = module._class_sums(embedding, y, 9, torch.float32)
    monkeypatch.setattr(module, "_MIN_SORTED_SIZE", 300)
    monkeypatch.setattr(module, "CHUNK_ROWS", None)  # no chunks are needed any more
    torch.testing.assert_close(module._class_sums(embedding, y, 9, torch.float32), expected)


@pytest.mark.parametrize("n", [1_024, 20_000, 1_000_000])
@pytest.mark.parametrize("is_sorted", [False, True])
def test_sums_of_many_equal_rows_keep_their_digits(n, is_sorted, monkeypatch):
    """Added one by one in float32, a million times 0.1 would give 100,958."""
    if is_sorted:
        monkeypatch.setattr(module, "_MIN_SORTED_SIZE", 1)
    embedding = torch.full((n, 2), 0.1)
    y = torch.zeros(n, dtype=torch.long)
    y[n // 2] = 3
    statistics = spectral_statistics(embedding, y, 5)
    counts = torch.tensor([n - 1, 0, 0, 1, 0], dtype=torch.float64)
    expected = counts[:, None] * embedding[:1].double()
    torch.testing.assert_close(statistics.sums.double(), expected, rtol=5e-5, atol=0)
    second = torch.full((2, 2), n * float(embedding[0, 0]) ** 2, dtype=torch.float64)
    torch.testing.assert_close(statistics.gram.double(), second, rtol=5e-5, atol=0)


@pytest.mark.parametrize("n", [4_096, 4_097, 8_192, 9_000])
def test_class_sums_of_parts_equal_a_one_hot_product(n, monkeypatch):
    embedding, y = make_batch(n, 3, 7, dtype=torch.float32)
    y[y == 4] = 5  # an empty class
    expected = one_hot(y, 9).double().T @ embedding.double()
    for size in (2**22, 1):
        monkeypatch.setattr(module, "_MIN_SORTED_SIZE", size)
        found = module._class_sums(embedding, y, 9, torch.float32).double()
        torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-4)


def test_classes_are_counted_where_their_number_is_not_given():
    embedding, y = make_batch(20, 3, 4)
    y[0] = 6  # 4 and 5 have no rows
    found = spectral_statistics(embedding, y)
    assert found.counts.shape == (7,)
    assert_same(found, spectral_statistics(embedding, y, 7))


@pytest.mark.parametrize("labels", [[0, 1, 2], [3, 0, 0, 3], [1, 1, 2]])
def test_labels_that_are_codes_already_pass_through(labels):
    y = torch.tensor(labels)
    codes, n_codes = class_codes(y)
    assert codes is y
    assert n_codes == max(labels) + 1
