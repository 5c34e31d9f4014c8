"""Moments of embeddings, against numpy."""

import numpy as np
import torch

from skdeepclust.training import Moments


def make_embedding(n=60, d=4, seed=0):
    return torch.randn(n, d, generator=torch.Generator().manual_seed(seed)) + 2


def assert_equal(a, b):
    assert a.n == b.n
    torch.testing.assert_close(a.total, b.total)
    torch.testing.assert_close(a.gram, b.gram)


def test_moments_are_plain_float64_sums():
    F = make_embedding()
    moments = Moments.of(F)
    wide = F.double().numpy()
    assert moments.n == 60.0
    assert moments.total.dtype == moments.gram.dtype == torch.float64
    np.testing.assert_allclose(moments.total, wide.sum(axis=0), rtol=1e-12)
    np.testing.assert_allclose(moments.gram, wide.T @ wide, rtol=1e-12)


def test_moments_add_up_over_chunks():
    F = make_embedding()
    assert_equal(Moments.of(F[:13]) + Moments.of(F[13:]), Moments.of(F))


def test_scaled_moments_are_those_of_repeated_rows():
    F = make_embedding()
    assert_equal(Moments.of(F).scaled(3.0), Moments.of(torch.cat([F, F, F])))


def test_full_whitening_gives_the_identity_covariance():
    F = make_embedding()
    mean, whitener = Moments.of(F).whitening(1.0)
    assert mean.dtype == whitener.dtype == torch.float32
    np.testing.assert_allclose(mean, F.mean(dim=0), rtol=1e-5)
    white = ((F - mean) @ whitener).double()
    np.testing.assert_allclose(white.T @ white / 60, np.eye(4), atol=1e-4)


def test_whitening_does_not_see_the_scale_of_the_weights():
    moments = Moments.of(make_embedding())
    for a, b in zip(moments.whitening(0.5), moments.scaled(0.1).whitening(0.5), strict=True):
        torch.testing.assert_close(a, b)
