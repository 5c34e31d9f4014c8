"""The closed-form linear map, against the pseudo-inverse and against other maps."""

import pytest
import torch
from torch.nn.functional import one_hot

from skdeepclust.spectral import (
    dual_linear_solution,
    linear_solution,
    spectral_clustering_loss,
    spectral_statistics,
)


def make_problem(n, p, k, seed=0):
    generator = torch.Generator().manual_seed(seed)
    y = torch.arange(n) % k
    centers = torch.randn(k, p, generator=generator, dtype=torch.float64)
    noise = torch.randn(n, p, generator=generator, dtype=torch.float64)
    mixing = torch.randn(p, p, generator=generator, dtype=torch.float64)
    features = (centers[y] + noise) @ mixing
    return features - features.mean(0), y


def normalized(y, k):
    assignment = one_hot(y, k).double()
    return assignment / assignment.sum(0).sqrt()  # J (n, k)


def solution(features, y, k, ridge, max_dim=None):
    return linear_solution(spectral_statistics(features, y, k), ridge, max_dim)


def captured(features, mapping, y):
    """tr(C P) with P the projector on the columns of X W."""
    basis = torch.linalg.qr(features @ mapping)[0]
    return float((basis.T @ normalized(y, int(y.max()) + 1)).square().sum())


def test_property_08_linear_optimum_is_closed_form():
    features, y = make_problem(60, 7, 4)
    expected = torch.linalg.pinv(features) @ normalized(y, 4)
    torch.testing.assert_close(solution(features, y, 4, 0.0), expected)


@pytest.mark.parametrize("ridge", [1e-3, 1.0, 50.0])
def test_ridge_equals_least_squares_on_augmented_rows(ridge):
    features, y = make_problem(60, 7, 4)
    level = ridge * features.square().sum() / 7
    augmented = torch.cat([features, level.sqrt() * torch.eye(7, dtype=torch.float64)])
    targets = torch.cat([normalized(y, 4), torch.zeros(7, 4, dtype=torch.float64)])
    expected = torch.linalg.lstsq(augmented, targets).solution
    torch.testing.assert_close(solution(features, y, 4, ridge), expected)


def test_no_map_of_that_width_has_a_lower_loss():
    features, y = make_problem(90, 12, 5)
    mapping = solution(features, y, 5, 0.0)
    best = float(spectral_clustering_loss(features @ mapping, y))
    generator = torch.Generator().manual_seed(1)
    losses = []
    for size in (1e-3, 1e-1, 1.0, 100.0):
        for _ in range(10):
            step = torch.randn(mapping.shape, generator=generator, dtype=torch.float64)
            other = mapping + size * mapping.norm() / step.norm() * step
            losses.append(float(spectral_clustering_loss(features @ other, y)))
    assert best <= min(losses) + 1e-10
    assert max(losses) > best + 0.1


@pytest.mark.parametrize("ridge", [0.0, 1e-2, 1.0])
@pytest.mark.parametrize("matrix", [False, True])
@pytest.mark.parametrize(("n", "p"), [(20, 50), (50, 20)])
def test_dual_equals_primal(n, p, ridge, matrix):
    generator = torch.Generator().manual_seed(0)
    features = torch.randn(n, p, generator=generator, dtype=torch.float64)
    y = torch.arange(n) % 4
    target = one_hot(y, 4).double() if matrix else y
    primal = solution(features, target, 4, ridge) @ torch.eye(4, dtype=torch.float64)
    dual = dual_linear_solution(features, target, 4, ridge)
    # A basis of the range of Y is determined up to a rotation only.
    torch.testing.assert_close(dual @ dual.T, primal @ primal.T, rtol=1e-7, atol=1e-9)


def test_dual_keeps_the_precision_of_the_features():
    features, y = make_problem(12, 30, 3)
    dual = dual_linear_solution(features.float(), y, 3, 0.1)
    assert dual.dtype == torch.float32
    expected = dual_linear_solution(features, y, 3, 0.1)
    torch.testing.assert_close(dual.double(), expected, rtol=1e-4, atol=1e-6)


def test_max_dim_keeps_the_directions_of_largest_spread():
    features, y = make_problem(90, 12, 6)
    full = features @ solution(features, y, 6, 0.0)
    kept = features @ solution(features, y, 6, 0.0, max_dim=2)
    spread = torch.linalg.svdvals(full)
    torch.testing.assert_close(torch.linalg.svdvals(kept), spread[:2])
    torch.testing.assert_close(kept.square().sum(0), spread[:2].square())


def test_max_dim_captures_more_than_random_directions():
    features, y = make_problem(90, 12, 6)
    best = captured(features, solution(features, y, 6, 0.0, max_dim=2), y)
    full = solution(features, y, 6, 0.0)
    generator = torch.Generator().manual_seed(2)
    rotations = torch.randn(20, 6, 2, generator=generator, dtype=torch.float64)
    others = [captured(features, full @ rotation, y) for rotation in rotations]
    assert best > max(others)


def test_dual_max_dim_equals_primal_max_dim():
    features, y = make_problem(40, 12, 6)
    primal = solution(features, y, 6, 0.5, max_dim=3)
    dual = dual_linear_solution(features, y, 6, 0.5, max_dim=3)
    assert dual.shape == (12, 3)
    torch.testing.assert_close(dual @ dual.T, primal @ primal.T)


def test_width_is_the_rank_of_the_assignments():
    features, y = make_problem(40, 9, 3)
    assignment = one_hot(y, 3).double()
    doubled = torch.cat([assignment, assignment[:, :1] + assignment[:, 1:2]], dim=1)
    assert solution(features, doubled, None, 0.1).shape == (9, 3)
    assert solution(features, y, 3, 0.1, max_dim=99).shape == (9, 3)


def test_empty_classes_change_nothing():
    features, y = make_problem(40, 9, 3)
    expected = solution(features, y, 3, 0.1)
    torch.testing.assert_close(solution(features, 2 * y + 1, 8, 0.1), expected)
    torch.testing.assert_close(dual_linear_solution(features, 2 * y + 1, 8, 0.1), expected)


def test_collinear_features_give_the_shortest_map():
    features, y = make_problem(60, 5, 3)
    doubled = torch.cat([features, features], dim=1)
    expected = torch.linalg.pinv(doubled, rtol=1e-9) @ normalized(y, 3)
    torch.testing.assert_close(solution(doubled, y, 3, 0.0), expected)


@pytest.mark.parametrize("ridge", [0.0, 1.0])
def test_constant_features_give_the_zero_map(ridge):
    assert not solution(torch.zeros(6, 2), torch.tensor([0, 0, 0, 1, 1, 1]), 2, ridge).any()


@pytest.mark.parametrize("ridge", [1e-6, 1e-3, 1.0])
@pytest.mark.parametrize("condition", [1.0, 1e3, 1e6, 1e9, 1e12])
@pytest.mark.parametrize(("n", "p"), [(60, 12), (12, 60)])
def test_map_under_a_ridge_whatever_the_condition(n, p, condition, ridge):
    features, y = make_problem(n, p, 4)
    left, _, right = torch.linalg.svd(features, full_matrices=False)
    values = condition ** -torch.linspace(0, 1, 12, dtype=torch.float64)
    level = ridge * values.square().sum() / p
    inverse = values / (values.square() + level)
    expected = right.T @ (inverse[:, None] * (left.T @ normalized(y, 4)))
    bad = (left * values) @ right
    found = solution(bad, y, 4, ridge) if n > p else dual_linear_solution(bad, y, 4, ridge)
    assert (found - expected).norm() <= 1e-6 * expected.norm()


@pytest.mark.parametrize("condition", [1.0, 1e3, 1e6, 1e9, 1e12])
def test_no_strong_direction_is_lost_without_a_ridge(condition):
    """Directions above 1e-6 of the longest are solved for, whatever becomes of weaker ones."""
    features, y = make_problem(60, 8, 4)
    left = torch.linalg.svd(features, full_matrices=False)[0]
    values = condition ** -torch.linspace(0, 1, 8, dtype=torch.float64)
    bad = left * values
    best = 4 - (left[:, values > 1e-6].T @ normalized(y, 4)).square().sum()
    mapping = solution(bad, y, 4, 0.0)
    assert mapping.isfinite().all()
    basis = torch.linalg.qr(bad @ mapping)[0]
    assert 4 - (basis.T @ normalized(y, 4)).square().sum() <= best + 1e-6


def test_a_class_of_one_row_has_its_place():
    features, y = make_problem(60, 7, 3)
    y[5] = 3
    expected = torch.linalg.pinv(features) @ normalized(y, 4)
    torch.testing.assert_close(solution(features, y, 4, 0.0), expected)


@pytest.mark.parametrize("scale", [1e-12, 1e-6, 1e6, 1e12])
@pytest.mark.parametrize("ridge", [0.0, 1e-3])
def test_the_map_scales_with_the_features(scale, ridge):
    features, y = make_problem(60, 5, 3)
    doubled = torch.cat([features, features], dim=1)
    expected = solution(doubled, y, 3, ridge)
    found = solution(scale * doubled, y, 3, ridge)
    torch.testing.assert_close(scale * found, expected, rtol=1e-6, atol=1e-12)


def test_a_width_that_is_no_limit_changes_nothing():
    features, y = make_problem(40, 9, 3)
    expected = solution(features, y, 3, 0.1)
    for max_dim in (3, 4):
        assert torch.equal(solution(features, y, 3, 0.1, max_dim), expected)
