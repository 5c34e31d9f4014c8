"""Draws without overlap: seeded, within their bounds, checked by nearest neighbours."""

import importlib

import numpy as np
import pytest


@pytest.fixture(scope="module")
def draws(benchmark_path):
    return importlib.import_module("found_draws")


def _slow_overlap(X, y):
    for i, row in enumerate(X):
        distances = np.linalg.norm(X - row, axis=1)
        distances[i] = np.inf
        nearest = np.argsort(distances)[:5]
        if np.sum(y[nearest] == y[i]) < 3:
            return True
    return False


def test_overlap_is_what_nearest_neighbours_say(draws):
    answers = []
    for seed in range(12):
        rng = np.random.RandomState(seed)
        y = np.repeat([0, 1], 20)
        X = rng.normal(size=(40, 2)) + 0.5 * seed * y[:, None]
        answers.append(draws.overlap(X, y))
        assert answers[-1] == _slow_overlap(X, y)
    assert answers[0]
    assert not answers[-1]


def test_one_mistaken_row_is_an_overlap(draws):
    y = np.repeat([0, 1], 20)
    X = np.random.RandomState(0).normal(size=(40, 2)) + 30 * y[:, None]
    assert not draws.overlap(X, y)
    y[3] = 1
    assert draws.overlap(X, y)


@pytest.mark.parametrize("kind", ["blobs", "unequal variance", "anisotropic", "moons", "circles"])
def test_all_numbers_of_clusters_are_drawn(draws, kind):
    drawn = [draws.draw_apart(kind, i, 0.5) for i in range(40)]
    numbers = {len(np.unique(draw.y)) for draw in drawn}
    wanted = set(draws.KINDS[kind].numbers)
    assert {2, 10} <= numbers <= wanted
    assert len(numbers) >= len(wanted) - 1
    assert not any(draws.overlap(draw.X, draw.y) for draw in drawn)
    assert any(draw.n_overlapping for draw in drawn)
    for draw in drawn:
        assert draw.X.shape[0] == len(draw.y)
        assert np.bincount(draw.y).min() >= 19


def test_spirals_have_2_to_5_arms(draws):
    numbers = {len(np.unique(draws.draw_apart("spirals", i).y)) for i in range(30)}
    assert numbers == {2, 3, 4, 5}


def test_draws_are_determined_by_kind_and_number(draws):
    first, again, other = (draws.draw_apart("moons", i) for i in (3, 3, 4))
    np.testing.assert_array_equal(first.X, again.X)
    np.testing.assert_array_equal(first.y, again.y)
    assert first.X.shape != other.X.shape or (first.X != other.X).any()
    kinds = {kind: draws.draw_apart(kind, 0).X for kind in draws.KINDS}
    assert len({X.tobytes() for X in kinds.values()}) == 6


def test_kinds_are_what_they_are_called(draws):
    draw = draws.draw_apart("anisotropic", 1)
    centered = (
        draw.X
        - np.stack([draw.X[draw.y == c].mean(axis=0) for c in range(draw.y.max() + 1)])[draw.y]
    )
    values = np.linalg.eigvalsh(np.cov(centered.T))
    assert values[1] / values[0] > 3
    stretched = [np.ptp(np.linalg.eigvalsh(np.cov(centered[draw.y == c].T))) for c in range(2)]
    assert min(stretched) > 1
    draw = draws.draw_apart("unequal variance", 1)
    widths = [draw.X[draw.y == c].std(axis=0).mean() for c in range(draw.y.max() + 1)]
    assert 1.3 < max(widths) / min(widths) < 6
    draw = draws.draw_apart("blobs", 1)
    widths = [draw.X[draw.y == c].std(axis=0).mean() for c in range(draw.y.max() + 1)]
    np.testing.assert_allclose(widths, 1, atol=0.25)


def test_kinds_that_always_overlap_are_refused(draws, monkeypatch):
    monkeypatch.setattr(draws, "_MAX_DRAWS", 3)
    monkeypatch.setattr(draws, "overlap", lambda X, y: True)
    with pytest.raises(RuntimeError, match="3 draws of circles in a row overlap"):
        draws.draw_apart("circles", 0)
