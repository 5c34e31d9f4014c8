"""Whitening and spectral normalisation, against covariances and singular vectors."""

import pytest
import torch

from skdeepclust.spectral import shrinkage_whitening, spectral_normalization, whiten_rows


def make_embedding(n=80, d=5, seed=0):
    generator = torch.Generator().manual_seed(seed)
    mixing = torch.randn(d, d, generator=generator, dtype=torch.float64)
    return 3.0 + torch.randn(n, d, generator=generator, dtype=torch.float64) @ mixing


def whitening(embedding, strength):
    return shrinkage_whitening(
        embedding.T @ embedding, embedding.sum(0), embedding.shape[0], strength
    )


def covariance(rows):
    return torch.cov(rows.T, correction=0)


def test_mean_is_that_of_the_rows():
    embedding = make_embedding()
    torch.testing.assert_close(whitening(embedding, 0.3)[0], embedding.mean(0))


def test_full_strength_makes_the_covariance_the_identity():
    embedding = make_embedding()
    mean, whitener = whitening(embedding, 1.0)
    whitened = (embedding - mean) @ whitener
    torch.testing.assert_close(covariance(whitened), torch.eye(5, dtype=torch.float64))
    torch.testing.assert_close(whitener, whitener.T)


def test_zero_strength_only_rescales_to_unit_mean_variance():
    embedding = make_embedding()
    _, whitener = whitening(embedding, 0.0)
    expected = torch.eye(5, dtype=torch.float64) / embedding.var(0, correction=0).mean().sqrt()
    torch.testing.assert_close(whitener, expected)


@pytest.mark.parametrize("strength", [0.1, 0.5, 0.9])
def test_between_the_shrunk_covariance_is_whitened(strength):
    embedding = make_embedding()
    sigma = covariance(embedding)
    shrunk = strength * sigma
    shrunk += (1 - strength) * sigma.trace() / 5 * torch.eye(5, dtype=torch.float64)
    _, whitener = whitening(embedding, strength)
    result = whitener @ shrunk @ whitener
    torch.testing.assert_close(result, torch.eye(5, dtype=torch.float64))


def test_cosines_of_the_whitened_rows_do_not_depend_on_the_basis():
    embedding = make_embedding()
    mixing = torch.randn(5, 5, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    first = whiten_rows(embedding, *whitening(embedding, 1.0))
    second = whiten_rows(embedding @ mixing, *whitening(embedding @ mixing, 1.0))
    torch.testing.assert_close(second @ second.T, first @ first.T)
    assert not torch.allclose(second, first)  # the same up to a rotation only


@pytest.mark.parametrize("strength", [0.0, 0.5, 1.0])
def test_constant_directions_are_mapped_to_zero(strength):
    embedding = make_embedding()
    embedding[:, 2] = 7.0
    _, whitener = whitening(embedding, strength)
    assert whitener.isfinite().all()
    assert whitener[2].abs().max() < 1e-6
    assert whitener[0].abs().max() > 1e-3


def test_one_point_is_mapped_to_zero():
    embedding = make_embedding()[:1].expand(20, 5)
    mean, whitener = whitening(embedding, 0.5)
    assert whiten_rows(embedding, mean, whitener).isfinite().all()
    assert whitener.isfinite().all()


def test_rows_have_length_one_and_the_mean_stays_zero():
    embedding = make_embedding()
    mean, whitener = whitening(embedding, 0.7)
    rows = whiten_rows(torch.cat([embedding, mean[None]]), mean, whitener)
    torch.testing.assert_close(rows[:-1].norm(dim=1), torch.ones(80, dtype=torch.float64))
    assert not rows[-1].any()


def reference_scores(embedding, rank):
    centered = embedding.double() - embedding.double().mean(0)
    left = torch.linalg.svd(centered, full_matrices=False)[0][:, :rank]
    torch.testing.assert_close(left.T @ left, torch.eye(rank, dtype=torch.float64))
    return left


@pytest.mark.parametrize("rank", [None, 1, 3, 5])
def test_spectral_normalization_is_the_row_normalised_left_singular_vectors(rank):
    embedding = make_embedding()
    result = spectral_normalization(embedding, rank)
    left = reference_scores(embedding, rank or 5)
    expected = torch.nn.functional.normalize(left, dim=1)
    assert result.shape == expected.shape
    torch.testing.assert_close(result @ result.T, expected @ expected.T)
    torch.testing.assert_close(result.abs(), expected.abs())  # order of the vectors


def test_spectral_normalization_does_not_depend_on_the_basis():
    embedding = make_embedding()
    mixing = torch.randn(5, 5, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    first = spectral_normalization(embedding)
    second = spectral_normalization(embedding @ mixing + 1.0)
    torch.testing.assert_close(second @ second.T, first @ first.T)


def test_rank_argument_never_adds_noise_directions():
    embedding = make_embedding()
    embedding = torch.cat([embedding, embedding[:, :2]], dim=1)
    assert spectral_normalization(embedding).shape == (80, 5)
    assert spectral_normalization(embedding, rank=7).shape == (80, 5)
    assert spectral_normalization(embedding, rank=2).shape == (80, 2)


@pytest.mark.parametrize("value", [0.0, 0.1, 1e6 / 3])
@pytest.mark.parametrize("n", [7, 10, 49, 1_000])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_collapsed_embedding_has_no_direction(value, n, dtype):
    """However the mean of equal rows is rounded."""
    result = spectral_normalization(torch.full((n, 3), value, dtype=dtype))
    assert result.shape == (n, 0)


def test_rows_on_a_line_have_one_direction():
    generator = torch.Generator().manual_seed(0)
    places = torch.randn(20_000, 1, generator=generator, dtype=torch.float64)
    direction = torch.randn(1, 8, generator=generator, dtype=torch.float64)
    result = spectral_normalization(5.0 + places * direction)
    assert result.shape == (20_000, 1)
    side = (places > places.mean()).double() * 2 - 1
    torch.testing.assert_close(result * result[0], side * side[0])


def test_more_columns_than_rows():
    embedding = make_embedding(6, 20)
    result = spectral_normalization(embedding)
    expected = torch.nn.functional.normalize(reference_scores(embedding, 5), dim=1)
    torch.testing.assert_close(result @ result.T, expected @ expected.T)


def test_spectral_normalization_keeps_the_precision():
    embedding = make_embedding().float()
    result = spectral_normalization(embedding)
    assert result.dtype == torch.float32
    expected = spectral_normalization(embedding.double()).float()
    torch.testing.assert_close(result, expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("ridge", [0.0, 1.0, 30.0])
@pytest.mark.parametrize("rank", [2, 5, None])
@pytest.mark.parametrize("shortest", [1.0, 1e-3])
def test_spectral_normalization_weights_singular_vectors_by_the_ridge(rank, ridge, shortest):
    embedding = torch.randn(40, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(3))
    embedding = embedding * shortest ** torch.linspace(0, 1, 5, dtype=torch.float64)
    left, values, _ = torch.linalg.svd(embedding - embedding.mean(dim=0), full_matrices=False)
    weights = values / (values.square() + ridge * values.square().mean()).sqrt()
    expected = torch.nn.functional.normalize((left * weights)[:, :rank], dim=1)
    found = spectral_normalization(embedding, rank, ridge)
    torch.testing.assert_close(found @ found.T, expected @ expected.T)


@pytest.mark.parametrize("strength", [0.0, 0.5, 1.0])
def test_noise_around_equal_rows_has_a_finite_whitener(strength):
    noise = torch.tensor([[0.0, 1e-17], [1e-17, 0.0]], dtype=torch.float64)
    _, whitener = shrinkage_whitening(4 * noise, torch.zeros(2), 4.0, strength)
    assert bool(whitener.isfinite().all())


@pytest.mark.parametrize("scale", [1e-200, 1e-20, 1e20, 1e200])
def test_scale_does_not_matter_to_spectral_normalization(scale):
    embedding = make_embedding()
    result = spectral_normalization(embedding * scale)
    torch.testing.assert_close(result.abs(), spectral_normalization(embedding).abs())


@pytest.mark.parametrize("spread", [1.0, 1e-3, 1e-6])
@pytest.mark.parametrize("strength", [0.0, 0.5, 1.0])
def test_whitening_of_nearly_equal_float32_rows(spread, strength):
    """The rows' own rounding, eps times the mean's length, is spread with them."""
    embedding = (3.0 + spread * make_embedding()).float()
    wide = embedding.double()
    mean, whitener = whitening(wide, strength)
    found = whiten_rows(embedding, mean.float(), whitener.float()).double()
    left, values, right = torch.linalg.svd(wide - wide.mean(0), full_matrices=False)
    variances = values.square() / 80
    shrunk = strength * variances + (1 - strength) * variances.mean()
    expected = left * (values / shrunk.sqrt()) @ right
    error = (found * expected.norm(dim=1, keepdim=True) - expected).norm() / expected.norm()
    assert error <= 1e-4 + 8 * torch.finfo(torch.float32).eps * wide.mean(0).norm() / min(
        shrunk.sqrt()
    )


@pytest.mark.parametrize("scale", [1e-20, 1e-33, 1e-36, 1e-40, 1e18])
def test_whitener_fits_into_float32(scale):
    embedding = (make_embedding() * scale).float()
    wide = embedding.double()
    mean, whitener = whitening(wide, 1.0)
    assert whitener.float().isfinite().all()
    assert whiten_rows(embedding, mean.float(), whitener.float()).isfinite().all()
    assert whitener.any() == (scale > 1e-35)


def test_rows_that_differ_in_one_last_digit_have_a_direction():
    embedding = torch.full((1000, 20), 1 / 3)
    embedding[7, 3] = embedding[7, 3].nextafter(torch.tensor(1.0))
    result = spectral_normalization(embedding)
    assert result.shape == (1000, 1)
    assert result[7] * result[0] < 0


@pytest.mark.parametrize("scale", [5e-324, 1.5e308])
def test_the_ends_of_float64_are_no_limit_to_spectral_normalization(scale):
    generator = torch.Generator().manual_seed(0)
    embedding = torch.randint(-1, 2, (80, 5), generator=generator).double()
    result = spectral_normalization(embedding * scale)
    torch.testing.assert_close(result.abs(), spectral_normalization(embedding).abs())


@pytest.mark.parametrize("strength", [0.0, 0.5, 1.0])
def test_only_the_largest_variance_says_what_is_noise(strength):
    """However many directions are."""
    variances = torch.tensor([1e-13, 4.0, 1e-12], dtype=torch.float64)
    _, whitener = shrinkage_whitening(variances.diag(), torch.zeros(3), 1.0, strength)
    shrunk = strength * 4.0 + (1 - strength) * 4.0 / 3
    expected = torch.tensor([0.0, shrunk**-0.5, 0.0], dtype=torch.float64).diag()
    torch.testing.assert_close(whitener, expected)
