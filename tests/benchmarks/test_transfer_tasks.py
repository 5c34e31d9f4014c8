"""Images and tasks of the transfer benchmark: halves apart, seeded, within their bounds."""

import importlib

import numpy as np
import pytest


@pytest.fixture(scope="module")
def tasks(benchmark_path):
    return importlib.import_module("transfer_tasks")


@pytest.fixture(scope="module")
def digits(tasks):
    return tasks.load_images("Numbers", "train", None)


def test_halves_share_no_image(tasks):
    for name in tasks.TARGETS:
        train, test = (tasks.load_images(name, half, None) for half in ("train", "test"))
        assert train.pixels.dtype == np.uint8
        assert train.pixels.max() > 200
        assert len(train.y) + len(test.y) == len({p.tobytes() for p in train.pixels}) + len(
            {p.tobytes() for p in test.pixels} - {p.tobytes() for p in train.pixels}
        )


def test_files_have_their_halves(tasks, tmp_path):
    rng = np.random.default_rng(0)
    images = rng.integers(256, size=(7, 4, 4), dtype=np.uint8)
    y = np.arange(7, dtype=np.uint8)
    np.savez(tmp_path / "mnist.npz", x_train=images, y_train=y, x_test=images[:3], y_test=y[:3])
    np.savez(tmp_path / "emnist_letters.npz", images=images[1:], labels=y[1:])
    with pytest.raises(SystemExit, match=r"fashion_mnist.npz: give its folder as --data-dir"):
        tasks.load_images("Numbers", "train", tmp_path)
    np.savez(tmp_path / "fashion_mnist.npz", x_train=images, y_train=y)
    train, test = (tasks.load_images("Numbers", half, tmp_path) for half in ("train", "test"))
    np.testing.assert_array_equal(train.pixels, images.reshape(7, 16))
    np.testing.assert_array_equal(test.y, y[:3])
    letters = tasks.load_images("Letters", "test", tmp_path)
    np.testing.assert_array_equal(letters.y, y[1:])


@pytest.mark.parametrize("shape", [(40, 64), (200, 64), (9, 64)])
def test_principal_components_are_those_of_the_singular_vectors(tasks, shape):
    pixels = np.random.default_rng(0).integers(256, size=shape, dtype=np.uint8)
    rows = pixels / 255 - (pixels / 255).mean(axis=0)
    u, s, _ = np.linalg.svd(rows, full_matrices=False)
    d = min(30, shape[0] - 1)
    found = tasks.principal_components(pixels)
    assert found.shape == (shape[0], d)
    np.testing.assert_allclose(np.abs(found), np.abs(u[:, :d] * s[:d]), atol=2e-3)


def test_rows_are_drawn_within_the_bounds(tasks):
    y = np.random.default_rng(0).integers(12, size=3000)
    n_classes, n_rows = set(), []
    for seed in range(60):
        rows = tasks.draw_rows(y, np.random.RandomState(seed), (2, 10), (200, 220))
        assert len(set(rows.tolist())) == len(rows)
        n_classes.add(len(np.unique(y[rows])))
        n_rows.append(len(rows))
    assert n_classes == set(range(2, 11))
    assert min(n_rows) >= 200
    assert max(n_rows) <= 220
    few = tasks.draw_rows(y[y < 3], np.random.RandomState(0), (2, 10), (50, 50))
    assert len(np.unique(y[y < 3][few])) <= 3


def test_few_shots_are_of_each_class_and_of_the_seed(tasks, digits):
    first, again, other = (tasks.few_shots(digits, seed) for seed in (0, 0, 1))
    np.testing.assert_array_equal(np.bincount(first.y), np.full(10, 10))
    np.testing.assert_array_equal(first.pixels, again.pixels)
    assert (first.pixels != other.pixels).any()
    known = {(p.tobytes(), int(c)) for p, c in zip(digits.pixels, digits.y, strict=True)}
    assert {(p.tobytes(), int(c)) for p, c in zip(first.pixels, first.y, strict=True)} <= known


def test_copies_are_distorted_and_near(tasks, digits):
    shots = tasks.few_shots(digits, 0)
    more = tasks.with_copies(shots, 3, 0)
    np.testing.assert_array_equal(more.pixels[:100], shots.pixels)
    np.testing.assert_array_equal(more.y, np.tile(shots.y, 4))
    for copy in np.split(more.pixels[100:].astype(float), 3):
        change = np.abs(copy - shots.pixels).mean(axis=1)
        assert (change > 0).all()
        strange = np.abs(copy - shots.pixels[::-1].astype(float)).mean(axis=1)
        assert change.mean() < 0.7 * strange.mean()
    np.testing.assert_array_equal(tasks.with_copies(shots, 0, 0).pixels, shots.pixels)


def test_what_is_learned_from_is_the_training_half(tasks, digits):
    X, y = tasks.training_set("Numbers", "standard", 0, None)
    np.testing.assert_array_equal(y, digits.y)
    np.testing.assert_array_equal(X, tasks.principal_components(digits.pixels))
    X, y = tasks.training_set("Numbers", "few shots", 0, None, n_copies=1)
    assert X.shape == (200, 30)
    np.testing.assert_array_equal(np.bincount(y), np.full(10, 20))
