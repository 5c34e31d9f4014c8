"""Held-out rows and the objective on them, against the plain formula."""

import numpy as np
import pytest
import torch

from skdeepclust.networks import MLPEncoder
from skdeepclust.spectral import spectral_clustering_loss
from skdeepclust.training import InputScaling, Rows, embed_rows
from skdeepclust.training import _validation as module
from skdeepclust.training._validation import HeldOutObjective, split_rows


def make_problem(n=90, k=3, p=5, seed=0):
    rng = np.random.RandomState(seed)
    codes = rng.permutation(np.arange(n) % k)
    X = rng.standard_normal((k, p))[codes] + rng.standard_normal((n, p))
    rows = Rows(X, InputScaling.fit(X, (p,)), (p,), torch.device("cpu"))
    torch.manual_seed(0)
    return rows, codes, MLPEncoder(hidden=(8,)).build((p,), 4)


def make_targets(kind, codes, n_columns=3):
    rng = np.random.RandomState(1)
    return {
        "codes": codes,
        "one-hot": np.eye(n_columns)[codes],
        "soft": np.eye(n_columns)[codes] + 0.3 * rng.random_sample((len(codes), n_columns)),
        "dependent": np.eye(n_columns)[codes][:, [0, 1, 2, 2]],
    }[kind]


def naive(F, targets, training, held_out, ridge):
    """‖J - F A‖² of the held-out rows, scaled to the number of training rows."""
    Y = np.eye(targets.max() + 1)[targets] if targets.ndim == 1 else targets
    values, vectors = np.linalg.eigh(Y[training].T @ Y[training])
    kept = values > 1e-9
    inverse_root = vectors[:, kept] / np.sqrt(values[kept]) @ vectors[:, kept].T
    J = Y @ inverse_root
    S = F[training].T @ F[training]
    level = max(ridge, 1e-6) * np.trace(S) / len(S)
    A = np.linalg.inv(S + level * np.eye(len(S))) @ F[training].T @ J[training]
    errors = np.square(J[held_out] - F[held_out] @ A).sum()
    return errors * len(training) / len(held_out)


@pytest.mark.parametrize("kind", ["codes", "one-hot", "soft", "dependent"])
@pytest.mark.parametrize("ridge", [0.0, 0.5])
def test_objective_equals_the_plain_formula(kind, ridge):
    rows, codes, network = make_problem()
    indices = np.random.RandomState(2).permutation(90)[:70]
    targets = make_targets(kind, codes[indices])
    training, held_out = np.arange(50), np.arange(50, 70)
    found = HeldOutObjective(rows, targets, indices, training, held_out, ridge)(network)
    F = embed_rows(network, rows).double().numpy()[indices]
    assert found == pytest.approx(naive(F, targets, training, held_out, ridge), rel=1e-6)


@pytest.mark.parametrize("kind", ["codes", "soft", "dependent"])
def test_objective_of_the_training_rows_is_the_training_objective(kind):
    rows, codes, network = make_problem()
    targets, everything = make_targets(kind, codes), np.arange(90)
    found = HeldOutObjective(rows, targets, everything, everything, everything, 0.0)(network)
    expected = spectral_clustering_loss(
        embed_rows(network, rows).double(), torch.as_tensor(targets), ridge=0.0
    )
    assert found == pytest.approx(float(expected), rel=1e-3)


def test_objective_follows_the_weights():
    rows, codes, network = make_problem()
    judge = HeldOutObjective(rows, codes, np.arange(90), np.arange(60), np.arange(60, 90), 0.1)
    before = judge(network)
    assert judge(network) == before
    with torch.no_grad():
        network.head.weight.mul_(torch.randn_like(network.head.weight))
    assert judge(network) != before


def test_codes_that_are_not_held_out_or_not_there_do_no_harm():
    rows, codes, network = make_problem()
    gaps = np.array([0, 3, 7])[codes]
    held_out = np.flatnonzero(codes == 1)[:5]
    training = np.setdiff1d(np.arange(90), held_out)
    found = HeldOutObjective(rows, gaps, np.arange(90), training, held_out, 0.1)(network)
    plain = HeldOutObjective(rows, codes, np.arange(90), training, held_out, 0.1)(network)
    assert found == pytest.approx(plain, rel=1e-9)


@pytest.mark.parametrize("kind", ["codes", "one-hot"])
def test_a_part_of_many_training_rows_stands_for_all_classes(monkeypatch, kind):
    rows, codes, network = make_problem(600, 6)
    codes = np.arange(600) % 6  # every other row would leave out three classes
    targets = make_targets(kind, codes, 6)
    monkeypatch.setattr(module, "_MAX_REFERENCE_ROWS", 300)
    judge = HeldOutObjective(rows, targets, np.arange(600), np.arange(600), np.arange(600), 0.1)
    seen, y = judge._reference
    assert len(seen) <= 300
    np.testing.assert_array_equal(np.bincount(codes[seen]), 50)
    np.testing.assert_array_equal(y, targets[seen])


@pytest.mark.parametrize("fraction", [0.1, 0.25, 0.9, 0.999])
@pytest.mark.parametrize("kind", ["codes", "gaps", "matrix"])
def test_split_takes_the_same_share_of_each_class(fraction, kind):
    sizes = np.array([1, 2, 7, 40, 101])
    codes = np.random.RandomState(0).permutation(np.repeat(np.arange(5), sizes))
    targets = {"codes": codes, "gaps": 3 * codes + 1, "matrix": np.eye(5)[codes]}[kind]
    training, held_out = split_rows(targets, fraction, np.random.RandomState(1))
    np.testing.assert_array_equal(np.sort(np.concatenate([training, held_out])), np.arange(151))
    if kind == "matrix":
        assert len(held_out) == int(151 * fraction)
    else:
        expected = (sizes * fraction).astype(int)
        np.testing.assert_array_equal(np.bincount(codes[held_out], minlength=5), expected)


def test_singletons_are_never_held_out():
    codes = np.arange(20)
    training, held_out = split_rows(codes, 0.999, np.random.RandomState(0))
    assert (len(training), len(held_out)) == (20, 0)


def test_split_follows_from_the_random_state():
    codes = np.arange(100) % 3
    first, again, other = (split_rows(codes, 0.2, np.random.RandomState(s))[1] for s in (0, 0, 1))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)
