"""The solution of the normal equations, against the pseudo-inverse of F in float64."""

import pytest
import torch
from torch.nn.functional import one_hot

from skdeepclust.spectral import _solve as module
from skdeepclust.spectral import normalizer, solve, solve_statistics, spectral_statistics
from skdeepclust.spectral._solve import inverse_or_nan


def reference(embedding, assignment):
    """Objective and gradient through the pseudo-inverses of F and Y."""
    wide, assignment = embedding.double(), assignment.double()
    inverse = torch.linalg.pinv(wide, rtol=1e-6 if embedding.dtype == torch.float32 else 1e-13)
    wanted = assignment @ torch.linalg.pinv(assignment, rtol=1e-6)  # C (n, n)
    objective = torch.linalg.matrix_rank(assignment) - (wanted * (wide @ inverse)).sum()
    return objective, 2 * (wide @ inverse @ wanted - wanted) @ inverse.T


def with_condition(n, d, condition, seed=0):
    """Columns mixed by an orthogonal matrix; singular values from 1 to 1 / condition."""
    generator = torch.Generator().manual_seed(seed)
    left = torch.linalg.qr(torch.randn(n, d, generator=generator, dtype=torch.float64))[0]
    right = torch.linalg.qr(torch.randn(d, d, generator=generator, dtype=torch.float64))[0]
    values = torch.tensor(condition, dtype=torch.float64) ** -torch.linspace(0, 1, d)
    return (left * values) @ right


def labels(n, k, seed=1):
    return torch.randint(0, k, (n,), generator=torch.Generator().manual_seed(seed))


def relative_error(embedding, y, k):
    objective, gradient = reference(embedding, one_hot(y, k))
    solution = solve(embedding, y, k)
    result = solution.gradient(embedding, y).double()
    assert result.isfinite().all()
    torch.testing.assert_close(solution.objective.double(), objective, rtol=1e-4, atol=1e-4)
    return float((result - gradient).norm() / gradient.norm())


@pytest.mark.parametrize("condition", [1e1, 1e2, 1e3, 1e4, 1e5])
@pytest.mark.parametrize(("n", "d", "k"), [(60, 4, 3), (400, 16, 8), (600, 64, 20)])
def test_float32_gradient_by_condition(n, d, k, condition):
    embedding = with_condition(n, d, condition).float()
    bar = {1e1: 5e-6, 1e2: 1e-4, 1e3: 2.7e-6, 1e4: 1e-5, 1e5: 1e-4}[condition]
    assert relative_error(embedding, labels(n, k), k) <= bar


@pytest.mark.parametrize("condition", [1e1, 1e4, 1e6, 1e8])
def test_float64_gradient_by_condition(condition):
    bar = {1e1: 1e-12, 1e4: 1e-8, 1e6: 1e-8, 1e8: 1e-6}[condition]
    assert relative_error(with_condition(200, 12, condition), labels(200, 5), 5) <= bar


@pytest.mark.parametrize("size", [4, 8, 10, 12])
def test_ill_conditioning_hidden_from_the_pivots_is_found(size):
    """A triangular matrix with unit pivots whose condition grows as 2^size."""
    triangular = torch.eye(size) - torch.triu(torch.ones(size, size), 1)
    embedding = with_condition(128, size, 1.0).float() @ triangular
    assert relative_error(embedding, labels(128, 3), 3) <= 1e-4


@pytest.mark.parametrize("seed", range(5))
def test_random_mixing_of_the_columns(seed):
    generator = torch.Generator().manual_seed(seed)
    embedding = torch.randn(512, 64, generator=generator) @ torch.randn(64, 64, generator=generator)
    assert relative_error(embedding, labels(512, 10), 10) <= 1e-4


def test_lengths_of_columns_need_no_fallback():
    embedding = with_condition(300, 8, 2.0).float() * torch.logspace(0, -2.5, 8)
    y = labels(300, 4)
    assert solve_statistics(spectral_statistics(embedding, y, 4), 0.0) is not None
    assert relative_error(embedding, y, 4) <= 1e-5


@pytest.mark.parametrize("scale", [1e-30, 1e-20, 1e-19, 1e-10, 1e10, 1e17, 1e19, 1e30])
def test_float32_scales_change_only_the_length_of_the_gradient(scale):
    embedding = with_condition(100, 6, 3.0).float() * 10
    y = labels(100, 4)
    solution = solve(embedding, y, 4)
    scaled = solve(embedding * scale, y, 4)
    torch.testing.assert_close(
        scaled.objective.double(), solution.objective.double(), rtol=1e-5, atol=0
    )
    expected = solution.gradient(embedding, y)
    result = scaled.gradient(embedding * scale, y).double() * scale
    assert float((result - expected).norm() / expected.norm()) < 1e-5


@pytest.mark.parametrize("scale", [1e-200, 1e-150, 1e150, 1e200])
def test_float64_scales(scale):
    embedding = with_condition(50, 4, 3.0)
    y = labels(50, 3)
    expected = solve(embedding, y, 3).gradient(embedding, y)
    result = solve(embedding * scale, y, 3).gradient(embedding * scale, y) * scale
    torch.testing.assert_close(result, expected, rtol=1e-8, atol=1e-10)


def test_scaled_solution_of_tiny_rows_multiplies_the_incoming_gradient():
    embedding = with_condition(50, 4, 3.0).float() * 1e-25
    y = labels(50, 3)
    solution = solve(embedding, y, 3)
    once = solution.gradient(embedding, y)
    torch.testing.assert_close(solution.gradient(embedding, y, torch.tensor(-3.0)), -3 * once)


@pytest.mark.parametrize("ridge", [0.0, 1e-3, 1.0, 30.0])
def test_every_branch_gives_one_solution(ridge):
    embedding = with_condition(80, 6, 5.0)
    y = labels(80, 4)
    statistics = spectral_statistics(embedding, y, 4)
    first = solve_statistics(statistics, ridge)
    for other in (
        module._solve_by_eigh(statistics, ridge),
        module._solve_by_svd(embedding, y, statistics, ridge),
        module._solve_badly_conditioned(embedding, y, 4, ridge),
    ):
        torch.testing.assert_close(other.objective, first.objective)
        torch.testing.assert_close(other.gradient(embedding, y), first.gradient(embedding, y))


def test_cholesky_is_refused_where_it_fails():
    embedding = with_condition(40, 3, 2.0)
    twice = torch.cat([embedding, embedding[:, :1]], dim=1)
    y = labels(40, 2)
    assert solve_statistics(spectral_statistics(twice, y, 2), 0.0) is None
    assert solve_statistics(spectral_statistics(embedding * torch.nan, y, 2), 0.0) is None
    assert solve_statistics(spectral_statistics(embedding * 1e200, y, 2), 0.0) is None
    assert solve_statistics(spectral_statistics(twice, y, 2), 0.1) is not None


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("dim", [1, 2, 40, 200])
def test_inverse_of_what_is_positive_definite(dim, dtype):
    rows = with_condition(2 * dim + 3, dim, 3.0)
    matrix = (rows.T @ rows).to(dtype)
    torch.testing.assert_close(
        inverse_or_nan(matrix).double(), torch.linalg.inv(rows.T @ rows), rtol=1e-4, atol=1e-4
    )


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("dim", [1, 2, 40, 200])
@pytest.mark.parametrize("entry", [0.0, -1.0, torch.nan])
@pytest.mark.parametrize("place", [0, -1])
def test_inverse_of_what_is_not_is_nan(dim, dtype, entry, place):
    """Without an error, wherever the factorisation fails."""
    matrix = torch.eye(dim, dtype=dtype)
    matrix[place, place] = entry
    assert bool(inverse_or_nan(matrix).isnan().all())


def test_normalizer_of_labels_is_the_inverse_root_of_the_counts():
    y = torch.tensor([0, 0, 0, 0, 3, 3])
    scales, rank = normalizer(spectral_statistics(torch.ones(6, 1), y, 5))
    assert rank == 2
    torch.testing.assert_close(scales, torch.tensor([0.5, 0.0, 0.0, 2**-0.5, 0.0]))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_normalizer_of_a_matrix_spans_its_range(dtype):
    generator = torch.Generator().manual_seed(0)
    assignment = torch.randn(30, 4, generator=generator, dtype=torch.float64)
    assignment = (assignment @ torch.randn(4, 7, generator=generator, dtype=torch.float64)).to(
        dtype
    )
    scales, rank = normalizer(spectral_statistics(torch.ones(30, 1, dtype=dtype), assignment))
    assert rank == 4
    basis = assignment @ scales  # J (n, rank)
    projector = assignment.double() @ torch.linalg.pinv(assignment.double(), rtol=1e-5)
    tolerance = 1e-4 if dtype == torch.float32 else 1e-10
    torch.testing.assert_close((basis @ basis.T).double(), projector, rtol=0, atol=tolerance)


def test_a_small_but_real_direction_of_the_assignments_counts_in_float32():
    generator = torch.Generator().manual_seed(0)
    assignment = torch.rand(200, 10, generator=generator)
    assignment[:, 9] = assignment[:, 8] + 1e-3 * assignment[:, 9]
    assert normalizer(spectral_statistics(torch.ones(200, 1), assignment))[1] == 10


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_under_a_ridge_no_direction_is_cut_off(dtype):
    """A short column has the longest row of A: what is below the rank's tolerance still counts."""
    embedding = with_condition(200, 3, 2.0) * torch.tensor([1.0, 1.0, 5e-6])
    embedding, y = embedding.to(dtype), labels(200, 4)
    wide = embedding.double()
    level = 1e-6 * wide.square().sum() / 3
    targets = one_hot(y, 4).double() / one_hot(y, 4).double().sum(0).sqrt()
    second = wide.T @ wide + level * torch.eye(3, dtype=torch.float64)
    loadings = torch.linalg.solve(second, wide.T @ targets)
    assert loadings[2].norm() > 2 * loadings[:2].norm()
    expected = 2 * (wide @ loadings - targets) @ loadings.T
    expected += 2e-6 / 3 * loadings.square().sum() * wide
    found = solve(embedding, y, 4, 1e-6).gradient(embedding, y).double()
    assert (found - expected).norm() < 1e-4 * expected.norm()


def test_rounding_noise_is_cut_off_under_a_tiny_ridge():
    generator = torch.Generator().manual_seed(0)
    embedding = torch.randn(200, 3, generator=generator) @ torch.randn(3, 6, generator=generator)
    y = labels(200, 4)
    none, tiny = (solve(embedding, y, 4, ridge).gradient(embedding, y) for ridge in (0.0, 1e-13))
    assert (tiny - none).norm() < 1e-4 * none.norm()


@pytest.mark.parametrize("scale", [1e-8, 1e-3, 1e3])
def test_normalizer_does_not_depend_on_the_scale_of_the_assignments(scale):
    generator = torch.Generator().manual_seed(0)
    assignment = torch.rand(30, 4, generator=generator, dtype=torch.float64)
    assignment[:, 3] = assignment[:, 2]
    scales, rank = normalizer(spectral_statistics(torch.ones(30, 1).double(), scale * assignment))
    assert rank == 3
    basis = scale * assignment @ scales  # J (n, rank)
    projector = assignment @ torch.linalg.pinv(assignment, rtol=1e-8)
    torch.testing.assert_close(basis @ basis.T, projector, rtol=0, atol=1e-6)


def test_normalizer_of_a_single_column():
    assignment = torch.tensor([[3.0], [0.0], [4.0]], dtype=torch.float64)
    scales, rank = normalizer(spectral_statistics(torch.ones(3, 1).double(), assignment))
    assert rank == 1
    torch.testing.assert_close(scales.abs(), torch.tensor([[0.2]], dtype=torch.float64))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_powers_of_two_change_only_the_length_of_the_gradient(dtype):
    embedding = with_condition(60, 4, 1e6 if dtype == torch.float64 else 1e3)
    embedding = (embedding / embedding.abs().max()).to(dtype)
    y = labels(60, 3)
    solution = solve(embedding, y, 3)
    assert solution.unit == 1.0
    gradient = solution.gradient(embedding, y)
    for scale in (0.25, 0.5, 2.0, 4.0):
        scaled = solve(scale * embedding, y, 3)
        assert scaled.unit == scale
        difference = scale * scaled.gradient(scale * embedding, y) - gradient
        assert difference.norm() <= 1e-6 * gradient.norm()
