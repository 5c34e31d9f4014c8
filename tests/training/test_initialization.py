"""Closed-form last layers, against the pseudo-inverse."""

import numpy as np
import pytest
import torch
from torch import nn

from skdeepclust.networks import EncoderNetwork, LinearEncoder, MLPEncoder
from skdeepclust.spectral import spectral_clustering_loss
from skdeepclust.training import InputScaling, Rows
from skdeepclust.training import _initialization as module
from skdeepclust.training._initialization import fit_linear, initialize_head


def make_problem(n=80, k=4, p=6, seed=0):
    rng = np.random.RandomState(seed)
    codes = np.arange(n) % k
    X = rng.standard_normal((k, p))[codes] + rng.standard_normal((n, p)) @ np.diag(
        np.arange(1, p + 1)
    )
    return Rows(X + 3, InputScaling.fit(X + 3, (p,)), (p,), torch.device("cpu")), codes


def make_targets(kind, codes):
    soft = np.random.RandomState(1).random_sample((len(codes), codes.max() + 1))
    return {
        "codes": codes,
        "gaps": 2 * codes + 1,
        "one-hot": np.eye(codes.max() + 1)[codes],
        "soft": np.eye(codes.max() + 1)[codes] + 0.5 * soft,
    }[kind]


def normalized(targets):
    """J = Y (YᵀY)^(-1/2) of the classes that have rows; (n, rank)."""
    Y = np.unique(targets)[None, :] == targets[:, None] if targets.ndim == 1 else targets
    values, vectors = np.linalg.eigh(Y.T.astype(float) @ Y)
    return Y @ (vectors / np.sqrt(values)) @ vectors.T


def projector(M):
    left, values, _ = np.linalg.svd(M, full_matrices=False)
    kept = left[:, values > 1e-4 * values[0]]
    return kept @ kept.T


def closed_form(X, targets, ridge):
    """X (XᵀX + λI)⁺ XᵀJ of the rows and a constant."""
    X = np.column_stack([X, np.ones(len(X))])
    gram = X.T @ X
    level = ridge * np.trace(gram) / len(gram)
    return (
        X @ np.linalg.pinv(gram + level * np.eye(len(gram)), rcond=1e-9) @ X.T @ normalized(targets)
    )


def fitted(rows, targets, indices, ridge, d=4):
    network = LinearEncoder().build(rows.input_shape, d)
    fit_linear(network, rows, targets, indices, ridge)
    with torch.no_grad():
        return network, network(rows.take(indices)).double().numpy()


@pytest.mark.parametrize("kind", ["codes", "gaps", "one-hot", "soft"])
@pytest.mark.parametrize("ridge", [0.0, 0.3])
@pytest.mark.parametrize("p", [6, 200], ids=["primal", "dual"])
def test_fit_linear_equals_the_closed_form(kind, ridge, p):
    rows, codes = make_problem(p=p)
    targets = make_targets(kind, codes)
    _, embedding = fitted(rows, targets, np.arange(80), ridge)
    expected = closed_form(rows.take(slice(None)).double().numpy(), targets, ridge)
    np.testing.assert_allclose(projector(embedding), projector(expected), atol=1e-4)
    # The relative lengths of the columns belong to the solution, too.
    spread, wanted = embedding @ embedding.T, expected @ expected.T
    np.testing.assert_allclose(
        spread / np.trace(spread), wanted / np.trace(wanted), atol=1e-5 * np.ptp(wanted)
    )


@pytest.mark.parametrize("kind", ["codes", "one-hot", "soft"])
@pytest.mark.parametrize("chunk", [7, 40, 80, 81])
def test_chunks_of_rows_do_not_matter(monkeypatch, kind, chunk):
    rows, codes = make_problem()
    targets = make_targets(kind, codes)
    torch.manual_seed(0)
    _, whole = fitted(rows, targets, np.arange(80), 0.1)
    monkeypatch.setattr(module, "_MAX_ROWS", chunk)
    torch.manual_seed(0)
    _, parts = fitted(rows, targets, np.arange(80), 0.1)
    np.testing.assert_allclose(parts, whole, rtol=1e-5, atol=1e-6)


def test_no_other_linear_map_has_a_lower_objective():
    rows, codes = make_problem()
    X, y = rows.take(slice(None)).double(), torch.as_tensor(codes)
    _, embedding = fitted(rows, codes, np.arange(80), 0.0)
    best = float(spectral_clustering_loss(torch.as_tensor(embedding), y))
    generator = torch.Generator().manual_seed(0)
    for _ in range(20):
        W = torch.randn(7, 4, generator=generator).double()
        other = spectral_clustering_loss(X @ W[:-1] + W[-1], y)
        assert best < float(other)


def test_fit_linear_sees_only_the_rows_at_indices():
    rows, codes = make_problem()
    indices = np.random.RandomState(0).permutation(80)[:50]
    _, embedding = fitted(rows, codes[indices], indices, 0.1)
    expected = closed_form(rows.take(indices).double().numpy(), codes[indices], 0.1)
    np.testing.assert_allclose(projector(embedding), projector(expected), atol=1e-4)


@pytest.mark.parametrize(("d", "width"), [(1, 1), (2, 2), (4, 4), (9, 4)])
def test_width_is_the_rank_or_less(d, width):
    rows, codes = make_problem()
    network, embedding = fitted(rows, codes, np.arange(80), 0.1, d)
    assert embedding.shape == (80, width)
    assert network.head.out_features == width


def test_fewer_columns_keep_the_directions_of_most_variance():
    rows, codes = make_problem()
    _, embedding = fitted(rows, codes, np.arange(80), 0.1, 2)
    left = np.linalg.svd(closed_form(rows.take(slice(None)).double().numpy(), codes, 0.1))[0]
    np.testing.assert_allclose(projector(embedding), projector(left[:, :2]), atol=1e-4)


def test_images_are_flattened():
    rng = np.random.RandomState(0)
    X = rng.standard_normal((60, 2, 3, 3))
    rows = Rows(X, InputScaling.fit(X, (2, 3, 3)), (2, 3, 3), torch.device("cpu"))
    codes = np.arange(60) % 3
    _, embedding = fitted(rows, codes, np.arange(60), 0.1)
    expected = closed_form(rows.take(slice(None)).flatten(1).double().numpy(), codes, 0.1)
    np.testing.assert_allclose(projector(embedding), projector(expected), atol=1e-4)


def objective(network, rows, targets):
    with torch.no_grad():
        embedding = network.eval()(rows.take(slice(None))).double()
    return float(spectral_clustering_loss(embedding, torch.as_tensor(targets)))


@pytest.mark.parametrize("kind", ["codes", "gaps", "soft"])
@pytest.mark.parametrize("d", [2, 4, 7])
def test_initialize_head_lowers_the_objective(kind, d):
    rows, codes = make_problem()
    targets = make_targets(kind, codes)
    torch.manual_seed(0)
    network = MLPEncoder(hidden=(12,)).build((6,), d)
    before = objective(network, rows, targets)
    initialize_head(network, rows, targets, np.arange(80), 0.0)
    assert objective(network, rows, targets) < before - 0.05


def test_initialize_head_is_the_closed_form_on_the_features():
    rows, codes = make_problem()
    network = MLPEncoder(hidden=(5,), activation="tanh").build((6,), 4)
    initialize_head(network, rows, codes, np.arange(80), 0.2)
    with torch.no_grad():
        features = network.body(rows.take(slice(None))).double()
        embedding = network.head.double()(features).numpy()
    expected = closed_form(features.numpy(), codes, 0.2)
    np.testing.assert_allclose(projector(embedding), projector(expected), atol=1e-4)


def test_columns_beyond_the_rank_keep_their_weights():
    rows, codes = make_problem()
    network = MLPEncoder(hidden=(12,)).build((6,), 7)
    weight, bias = network.head.weight.detach().clone(), network.head.bias.detach().clone()
    initialize_head(network, rows, codes, np.arange(80), 1.0)
    assert torch.equal(network.head.weight[4:], weight[4:])
    assert torch.equal(network.head.bias[4:], bias[4:])
    assert not torch.isclose(network.head.weight[:4], weight[:4]).all()
    torch.testing.assert_close(network.head.weight[:4].norm(), weight[:4].norm())


def test_a_network_without_a_linear_head_stays_as_it_is():
    rows, codes = make_problem()
    network = EncoderNetwork(nn.Linear(6, 3), nn.Identity())
    before = network.body.weight.detach().clone()
    initialize_head(network, rows, codes, np.arange(80), 1.0)
    assert torch.equal(network.body.weight, before)


@pytest.mark.parametrize("kind", ["codes", "one-hot"])
def test_a_part_of_many_rows_stands_for_all_classes(monkeypatch, kind):
    rows, codes = make_problem(480, 6, 8)  # every other row would leave out three classes
    targets = make_targets(kind, codes)
    monkeypatch.setattr(module, "_MAX_ROWS", 240)
    taken = []
    take = rows.take
    rows.take = lambda batch: taken.append(batch) or take(batch)
    network = MLPEncoder(hidden=(12,)).build((8,), 6)
    initialize_head(network, rows, targets, np.arange(480), 1.0)
    np.testing.assert_array_equal(np.bincount(codes[np.concatenate(taken)]), 40)


def test_a_constant_body_gives_finite_weights():
    rows, codes = make_problem()
    network = MLPEncoder(hidden=(5,)).build((6,), 4)
    nn.init.zeros_(network.body[1].weight)
    initialize_head(network, rows, codes, np.arange(80), 1.0)
    assert torch.isfinite(network.head.weight).all()
    assert torch.isfinite(network.head.bias).all()
