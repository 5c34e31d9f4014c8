"""Batches: which rows come together, how often, and how many."""

from itertools import product

import numpy as np
import pytest

from skdeepclust.training._batches import (
    BatchShape,
    choose_batch_shape,
    class_balanced_batches,
    random_batches,
    stratified_sample,
)


def sizes_to_codes(sizes, seed=0):
    return np.random.RandomState(seed).permutation(np.repeat(np.arange(len(sizes)), sizes))


def epochs(codes, shape, n_epochs=1, seed=0):
    rng = np.random.RandomState(seed)
    return [list(class_balanced_batches(codes, shape, rng)) for _ in range(n_epochs)]


CASES = {
    "balanced": (sizes_to_codes([40] * 10), BatchShape(5, 50, 5)),
    "all classes": (sizes_to_codes([40] * 4), BatchShape(4, 32, 4)),
    "imbalanced": (sizes_to_codes([300, 40, 7, 2, 1]), BatchShape(3, 30, 3)),
    "singletons": (sizes_to_codes([1] * 30), BatchShape(8, 16, 8)),
    "some singletons": (sizes_to_codes([1] * 10 + [50] * 5), BatchShape(6, 24, 6)),
    "gaps": (2 * sizes_to_codes([20, 30, 10]) + 5, BatchShape(2, 16, 2)),
    "two rows": (np.array([0, 1]), BatchShape(2, 2, 2)),
    "one batch": (sizes_to_codes([9, 8]), BatchShape(2, 17, 2)),
    "odd sizes": (sizes_to_codes([13, 17, 29, 31]), BatchShape(3, 23, 3)),
    "smallest batch": (sizes_to_codes([5, 5, 5]), BatchShape(2, 2, 2)),
}
cases = pytest.mark.parametrize(("codes", "shape"), CASES.values(), ids=CASES.keys())


@cases
def test_no_row_twice_in_a_batch_and_never_too_many(codes, shape):
    for batch in (b for epoch in epochs(codes, shape, 5) for b in epoch):
        assert len(np.unique(batch)) == len(batch)
        assert 0 < len(batch) <= shape.n_rows
        assert batch.min() >= 0
        assert batch.max() < len(codes)


@cases
def test_classes_of_a_batch_are_few_and_equally_large(codes, shape):
    sizes = np.bincount(codes)
    share = shape.n_rows // shape.n_classes
    for batch in (b for epoch in epochs(codes, shape, 5) for b in epoch):
        present, counts = np.unique(codes[batch], return_counts=True)
        assert len(present) == min(shape.n_classes, np.count_nonzero(sizes))
        np.testing.assert_array_equal(counts, np.minimum(sizes[present], share))


@cases
def test_an_epoch_is_about_one_pass(codes, shape):
    for epoch in epochs(codes, shape, 3):
        assert len(epoch) == -(-len(codes) // shape.n_rows)


@cases
def test_rows_of_a_class_take_turns(codes, shape):
    for epoch in epochs(codes, shape, 3):
        visits = np.bincount(np.concatenate(epoch), minlength=len(codes))
        for code in np.unique(codes):
            assert np.ptp(visits[codes == code]) <= 1


@cases
def test_all_rows_of_a_class_are_visited_about_equally_in_the_long_run(codes, shape):
    n_epochs = 60
    batches = [b for epoch in epochs(codes, shape, n_epochs) for b in epoch]
    visits = np.bincount(np.concatenate(batches), minlength=len(codes))
    assert visits.min() > 0
    for code in np.unique(codes):
        mine = visits[codes == code]
        assert np.abs(mine - mine.mean()).max() <= 6 * np.sqrt(mine.mean()) + 1


def test_every_row_is_visited_once_where_the_numbers_allow_it():
    codes = sizes_to_codes([40] * 4)
    (epoch,) = epochs(codes, BatchShape(4, 32, 4))
    np.testing.assert_array_equal(np.bincount(np.concatenate(epoch)), 1)


def test_an_epoch_passes_over_all_classes_alike():
    codes = sizes_to_codes([40] * 30)
    for epoch in epochs(codes, BatchShape(6, 60, 6), 5):
        np.testing.assert_array_equal(np.bincount(codes[np.concatenate(epoch)]), 40)


def test_a_large_class_is_in_every_batch_until_it_has_caught_up():
    codes = sizes_to_codes([400] + [20] * 10)
    (epoch,) = epochs(codes, BatchShape(4, 40, 4))
    assert all((codes[batch] == 0).sum() == 10 for batch in epoch)


def test_classes_of_similar_size_are_seen_in_proportion():
    sizes = np.arange(35, 65)
    codes = sizes_to_codes(sizes)
    for epoch in epochs(codes, BatchShape(6, 60, 6), 5):
        share = np.bincount(codes[np.concatenate(epoch)], minlength=30) / sizes
        assert share.min() >= 0.6
        assert share.max() <= 1.4


def test_classes_come_together_in_many_combinations():
    codes = sizes_to_codes([20] * 8)
    batches = [b for epoch in epochs(codes, BatchShape(4, 20, 4), 10) for b in epoch]
    assert len({tuple(np.unique(codes[b])) for b in batches}) > 20


@cases
def test_batches_follow_from_the_random_state(codes, shape):
    first, again = epochs(codes, shape, 2), epochs(codes, shape, 2)
    for a, b in zip(sum(first, []), sum(again, []), strict=True):
        np.testing.assert_array_equal(a, b)


def test_unequal_classes_come_together_in_many_combinations():
    codes = sizes_to_codes(np.arange(40, 60))
    batches = [b for epoch in epochs(codes, BatchShape(4, 40, 4), 4) for b in epoch]
    together = {tuple(np.unique(codes[b])) for b in batches}
    assert len(together) > 0.8 * len(batches)


def test_epochs_and_seeds_differ():
    codes, shape = CASES["balanced"]
    (one, two), (other,) = epochs(codes, shape, 2), epochs(codes, shape, 1, seed=1)
    assert not np.array_equal(one[0], two[0])
    assert not np.array_equal(one[0], other[0])


@pytest.mark.parametrize(("n", "n_rows"), [(100, 25), (101, 25), (7, 3), (3, 3), (2, 2)])
def test_random_batches_are_a_partition_into_equal_parts(n, n_rows):
    batches = list(random_batches(n, BatchShape(2, n_rows, 2), np.random.RandomState(0)))
    np.testing.assert_array_equal(np.sort(np.concatenate(batches)), np.arange(n))
    sizes = [len(b) for b in batches]
    assert max(sizes) <= n_rows
    assert max(sizes) - min(sizes) <= 1


SIZES = [2, 3, 5, 17, 128, 1000, 50_000]
CLASSES = [2, 3, 10, 300]
DIMS = [None, 1, 2, 8, 64, 300]


@pytest.mark.parametrize("n", SIZES)
def test_property_05_a_batch_has_at_most_d_classes(n):
    for n_classes, dim, batch_size in product(CLASSES, DIMS, [None, 2, 20, 1000]):
        shape = choose_batch_shape(n, n_classes, dim, batch_size)
        assert 2 <= shape.n_rows <= n
        # Two classes at least, or there is nothing to tell apart.
        assert 2 <= shape.n_classes <= max(2, min(shape.embedding_dim, n_classes))
        assert shape.n_classes <= shape.n_rows
        assert dim in (None, shape.embedding_dim)
        assert batch_size is None or shape.n_rows == min(n, batch_size)


@pytest.mark.parametrize("n", SIZES)
def test_property_04_auto_batches_have_three_rows_a_dimension(n):
    for n_classes, dim in product(CLASSES, DIMS):
        shape = choose_batch_shape(n, n_classes, dim, None)
        assert shape.n_rows >= min(n, 3 * shape.embedding_dim)
        assert shape.n_rows >= min(n, 128)
        assert dim is not None or n < 8 or n >= 4 * shape.embedding_dim


@pytest.mark.parametrize(
    ("n", "n_classes", "expected"),
    [(1000, 5, 5), (1000, 1, 2), (100_000, 500, 128), (40, 30, 10), (3, 3, 2)],
)
def test_auto_embedding_dim_is_the_number_of_classes_within_bounds(n, n_classes, expected):
    assert choose_batch_shape(n, n_classes, None, None).embedding_dim == expected


def test_batches_of_two_rows_hold_two_classes():
    assert choose_batch_shape(1000, 10, 8, 2) == BatchShape(8, 2, 2)


@pytest.mark.parametrize("kind", ["codes", "matrix"])
@pytest.mark.parametrize("max_rows", [30, 31, 59, 60, 1000])
def test_stratified_sample_takes_the_same_share_of_classes_that_come_in_turns(kind, max_rows):
    codes = np.arange(60) % 6
    chosen = stratified_sample(codes if kind == "codes" else np.eye(6)[codes], max_rows)
    assert (np.diff(chosen) > 0).all()
    np.testing.assert_array_equal(np.bincount(codes[chosen]), 5 if max_rows < 60 else 10)
