"""The loss and its gradient: the twelve properties, accuracy, shapes and bad input."""

import copy
import math
import os
import subprocess
import sys

import pytest
import torch
import torch.distributed as dist
from torch import nn
from torch.nn.functional import normalize, one_hot

from skdeepclust import spectral_clustering_loss
from skdeepclust.spectral import SpectralStatistics, solve_statistics, spectral_statistics
from skdeepclust.spectral._objective import exact_products

RIDGES = [0.0, 1e-3, 1.0]


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def normal(*shape, seed=0):
    return torch.randn(*shape, generator=generator(seed), dtype=torch.float64)


def labels(n, k, seed=1):
    return torch.randint(0, k, (n,), generator=generator(seed))


def targets(kind, n=40, k=5):
    """One assignment of every kind that the loss accepts."""
    if kind == "labels":
        return labels(n, k)
    if kind == "one-hot":
        return one_hot(labels(n, k), k)
    if kind == "multi-label":
        return torch.rand(n, k, generator=generator(2)) < 0.4
    if kind == "soft":
        return torch.softmax(3 * normal(n, k, seed=3), dim=1)
    if kind == "weighted":
        return one_hot(labels(n, k), k) * torch.rand(n, 1, generator=generator(4)).double()
    return normal(n, 3, seed=5) @ normal(3, k, seed=6)  # real, of rank 3


KINDS = ["labels", "one-hot", "multi-label", "soft", "weighted", "low-rank"]


def as_matrix(y):
    return (torch.unique(y)[None, :] == y[:, None]).double() if y.ndim == 1 else y.double()


def reference_loss(embedding, y, ridge=0.0):
    """k - tr(C F (FᵀF + λI)⁻¹ Fᵀ) through n x n matrices; differentiable by autograd."""
    assignment = as_matrix(y)
    wanted = assignment @ torch.linalg.pinv(assignment, rtol=1e-6)
    second = embedding.T @ embedding
    level = ridge * second.trace() / second.shape[0]
    shifted = second + level * torch.eye(second.shape[0], dtype=second.dtype)
    explained = torch.trace(wanted @ embedding @ torch.linalg.solve(shifted, embedding.T))
    return torch.linalg.matrix_rank(assignment, rtol=1e-6) - explained


def pinv_gradient(embedding, y, rtol=1e-13):
    """The paper's form: -2 (I - F F⁺) C (F⁺)ᵀ in float64."""
    wide = embedding.detach().double()
    inverse = torch.linalg.pinv(wide, rtol=rtol)
    assignment = as_matrix(y)
    wanted = assignment @ torch.linalg.pinv(assignment, rtol=1e-6)
    return -2 * (wanted - wide @ (inverse @ wanted)) @ inverse.T


def loss_and_gradient(embedding, y, ridge=0.0):
    leaf = embedding.detach().clone().requires_grad_()
    loss = spectral_clustering_loss(leaf, y, ridge=ridge)
    loss.backward()
    return loss.detach(), leaf.grad


def relative_error(result, expected):
    return float((result.double() - expected).norm() / expected.norm())


# The twelve properties.


def test_property_02_finite_differences_of_the_project_page():
    """n = 10, d = 4, Y random real of rank 7, central differences of 1e-7."""
    embedding, step = normal(10, 4), 1e-7
    y = normal(10, 7, seed=1)
    assert torch.linalg.matrix_rank(y) == 7
    differences = torch.empty_like(embedding)
    for i in range(10):
        for j in range(4):
            shift = torch.zeros_like(embedding)
            shift[i, j] = step
            above, below = (
                spectral_clustering_loss(embedding + sign * shift, y) for sign in (1, -1)
            )
            differences[i, j] = (above - below) / (2 * step)
    _, gradient = loss_and_gradient(embedding, y)
    assert gradient.norm() > 0.1
    assert (gradient - differences).norm() < 1e-6


@pytest.mark.parametrize("kind", KINDS)
def test_property_01_gradient_is_orthogonal_to_the_embedding(kind):
    embedding = normal(40, 6)
    loss, gradient = loss_and_gradient(embedding, targets(kind))
    assert gradient.norm() > 1e-2
    assert (embedding.T @ gradient).abs().max() < 1e-13
    assert loss > 0.1  # the value is the objective, not the sum of G ∘ F


@pytest.mark.parametrize("kind", KINDS)
def test_property_03_invertible_maps_change_nothing(kind):
    embedding, mixing, y = normal(40, 6), normal(6, 6, seed=7), targets(kind)
    loss, gradient = loss_and_gradient(embedding, y)
    mixed_loss, mixed_gradient = loss_and_gradient(embedding @ mixing, y)
    torch.testing.assert_close(mixed_loss, loss)
    torch.testing.assert_close(mixed_gradient @ mixing.T, gradient)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize(("n", "d"), [(12, 12), (12, 20), (1, 1), (1, 5)])
def test_property_04_nothing_is_learned_from_fewer_rows_than_columns(n, d, dtype):
    loss, gradient = loss_and_gradient(normal(n, d).to(dtype), labels(n, 3))
    tiny = 1e-4 if dtype == torch.float32 else 1e-10
    assert abs(float(loss)) < tiny
    assert gradient.abs().max() < tiny


def test_property_05_more_classes_than_columns_bound_the_loss():
    y = torch.arange(60) % 9
    assert spectral_clustering_loss(normal(60, 4), y) >= 5
    perfect = one_hot(y, 9).double()[:, :4]
    torch.testing.assert_close(float(spectral_clustering_loss(perfect, y)), 5.0)


def test_property_06_gradient_scales_inversely_with_the_embedding():
    embedding, y = normal(40, 6), labels(40, 4)
    loss, gradient = loss_and_gradient(embedding, y)
    scaled_loss, scaled_gradient = loss_and_gradient(100 * embedding, y)
    torch.testing.assert_close(scaled_loss, loss)
    torch.testing.assert_close(100 * scaled_gradient, gradient)
    leaf = (100 * embedding).requires_grad_()
    unit = embedding.clone().requires_grad_()
    for rows in (leaf, unit):
        spectral_clustering_loss(normalize(rows, dim=1), y).backward()
    torch.testing.assert_close(100 * leaf.grad, unit.grad)


@pytest.mark.parametrize("ridge", [0.0, 1e-6, 1e-3])
def test_property_07_rank_deficient_float32_embeddings_are_harmless(ridge):
    embedding = (normal(300, 10) @ normal(10, 16, seed=1)).float()
    y = labels(300, 6)
    _, gradient = loss_and_gradient(embedding, y, ridge)
    expected = pinv_gradient(embedding, y, rtol=1e-5)
    assert gradient.norm() < 2 * expected.norm()
    if ridge == 0:
        assert relative_error(gradient, expected) <= 1e-4
    differences = pinv_gradient(embedding, y, rtol=1e-15)
    assert differences.norm() > 1e3 * expected.norm()  # what the page's tolerance would give


def test_property_08_closed_form_linear_map_is_stationary():
    """The gradient with respect to a linear map vanishes at W = X⁺ J, and only there."""
    features, y = normal(80, 9), labels(80, 4)
    assignment = as_matrix(y)
    best = torch.linalg.pinv(features) @ (assignment / assignment.sum(0).sqrt())
    _, at_best = loss_and_gradient(features @ best, y)
    _, elsewhere = loss_and_gradient(features @ (best + 0.1 * normal(9, 4, seed=3)), y)
    assert (features.T @ at_best).norm() < 1e-9
    assert (features.T @ elsewhere).norm() > 1e-3


@pytest.mark.parametrize("ridge", RIDGES)
@pytest.mark.parametrize("kind", KINDS)
def test_property_09_every_kind_of_assignment(kind, ridge):
    embedding, y = normal(40, 6), targets(kind)
    leaf = embedding.clone().requires_grad_()
    expected = reference_loss(leaf, y, ridge)
    expected.backward()
    loss, gradient = loss_and_gradient(embedding, y, ridge)
    torch.testing.assert_close(loss, expected.detach())
    torch.testing.assert_close(gradient, leaf.grad)
    if ridge == 0:
        torch.testing.assert_close(gradient, pinv_gradient(embedding, y))


def test_property_10_repeated_singular_values_give_a_finite_gradient():
    embedding = torch.linalg.qr(normal(30, 5))[0]  # all singular values are 1
    y = labels(30, 4)
    _, gradient = loss_and_gradient(embedding, y)
    torch.testing.assert_close(gradient, pinv_gradient(embedding, y))


def test_property_10_a_second_derivative_is_refused():
    embedding = normal(20, 3).requires_grad_()
    loss = spectral_clustering_loss(embedding, labels(20, 3))
    (gradient,) = torch.autograd.grad(loss, embedding, create_graph=True)
    with pytest.raises(RuntimeError, match="once"):
        (gradient.sum() + embedding.sum()).backward()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_property_10_autocast_changes_nothing(dtype):
    embedding, y = normal(60, 5).to(dtype), labels(60, 4)
    loss, gradient = loss_and_gradient(embedding, y, 0.1)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        inside_loss, inside_gradient = loss_and_gradient(embedding, y, 0.1)
    assert torch.equal(inside_loss, loss)
    assert torch.equal(inside_gradient, gradient)


SHARDS = (slice(0, 13), slice(13, 60))

# What one process does: its own rows, the sums of all.
DISTRIBUTED_GRADIENT = """
import sys
import torch
import torch.distributed as dist
from skdeepclust.spectral import solve_statistics, spectral_statistics

rank, folder = int(sys.argv[1]), sys.argv[2]
torch.set_num_threads(1)
dist.init_process_group("gloo", f"file://{folder}/store", rank=rank, world_size=2)
embedding, y = torch.load(f"{folder}/shard{rank}.pt")
own = spectral_statistics(embedding, y, 4, dtype=torch.float64)
for part in (own.gram, own.sums, own.counts):
    dist.all_reduce(part)
solution = solve_statistics(own, 0.0)
torch.save((solution.objective, solution.gradient(embedding, y)), f"{folder}/result{rank}.pt")
dist.destroy_process_group()
"""


@pytest.mark.skipif(not dist.is_available(), reason="torch without torch.distributed")
def test_property_11_two_processes_with_uneven_shards_equal_one(tmp_path):
    embedding, y = normal(60, 5).float(), labels(60, 4)
    environment = os.environ | {"GLOO_SOCKET_IFNAME": "lo"}
    for rank, rows in enumerate(SHARDS):
        torch.save((embedding[rows].clone(), y[rows].clone()), tmp_path / f"shard{rank}.pt")
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", DISTRIBUTED_GRADIENT, str(rank), str(tmp_path)], env=environment
        )
        for rank in range(2)
    ]
    assert [process.wait(timeout=300) for process in processes] == [0, 0]
    loss, gradient = loss_and_gradient(embedding, y)
    for rank, rows in enumerate(SHARDS):
        shard_loss, shard_gradient = torch.load(tmp_path / f"result{rank}.pt")
        torch.testing.assert_close(float(shard_loss), float(loss), rtol=1e-6, atol=0)
        torch.testing.assert_close(shard_gradient, gradient[rows], rtol=1e-5, atol=1e-6)


class RememberedDropout(nn.Module):
    """Dropout whose masks come from the global generator, as those of nn.Dropout do."""

    def __init__(self):
        super().__init__()
        self.first, self.second = nn.Linear(7, 12), nn.Linear(12, 4)

    def forward(self, x):
        hidden = nn.functional.dropout(torch.tanh(self.first(x)), 0.3)
        return self.second(hidden)


@pytest.mark.parametrize("ridge", [0.0, 1.0])
def test_property_12_two_passes_over_chunks_equal_one_batch(ridge):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = RememberedDropout().double()
        state = torch.get_rng_state()
        features, y = normal(90, 7), labels(90, 5)
        chunks = [slice(0, 40), slice(40, 55), slice(55, 90)]

        total = None
        with torch.no_grad():
            for rows in chunks:
                part = spectral_statistics(network(features[rows]), y[rows], 5)
                total = part if total is None else total + part
        assert isinstance(total, SpectralStatistics)
        solution = solve_statistics(total, ridge)
        chunked = copy.deepcopy(network)
        torch.set_rng_state(state)
        for rows in chunks:
            embedding = chunked(features[rows])
            embedding.backward(solution.gradient(embedding.detach(), y[rows]))

        torch.set_rng_state(state)
        whole = torch.cat([network(features[rows]) for rows in chunks])
        loss = spectral_clustering_loss(whole, y, ridge=ridge)
        loss.backward()
    torch.testing.assert_close(solution.objective, loss.detach())
    for left, right in zip(chunked.parameters(), network.parameters(), strict=True):
        assert right.grad.norm() > 1e-9
        torch.testing.assert_close(left.grad, right.grad)


# Derivatives, labels and ridge.


@pytest.mark.parametrize("ridge", RIDGES)
@pytest.mark.parametrize("kind", KINDS)
def test_gradcheck(kind, ridge):
    embedding, y = normal(14, 4).requires_grad_(), targets(kind, 14, 4)
    assert torch.autograd.gradcheck(
        lambda rows: spectral_clustering_loss(rows, y, ridge=ridge), (embedding,)
    )


def test_gradient_follows_the_chain_rule():
    embedding, y = normal(30, 4), labels(30, 3)
    _, gradient = loss_and_gradient(embedding, y)
    leaf = embedding.clone().requires_grad_()
    (-5 * spectral_clustering_loss(2 * leaf, y) + leaf.sum()).backward()
    torch.testing.assert_close(leaf.grad, 1 - 5 * gradient)


@pytest.mark.parametrize(
    "names", [[0, 1, 2, 3], [4, 9, 11, 700], [-5, 0, 3, -1], [10**12, -(10**12), 7, 0]]
)
@pytest.mark.parametrize("dtype", [torch.int64, torch.float64])
def test_names_of_the_classes_do_not_matter(names, dtype):
    y, embedding = labels(40, 4), normal(40, 5)
    expected = loss_and_gradient(embedding, one_hot(y, 4).to(dtype))
    result = loss_and_gradient(embedding, torch.tensor(names)[y])
    torch.testing.assert_close(result, expected)


@pytest.mark.parametrize("dtype", [torch.uint8, torch.int8, torch.int32, torch.bool])
def test_any_integer_type(dtype):
    y, embedding = labels(40, 2), normal(40, 5)
    torch.testing.assert_close(
        loss_and_gradient(embedding, y.to(dtype)), loss_and_gradient(embedding, y)
    )


def test_unused_columns_change_nothing():
    y, embedding = targets("soft"), normal(40, 5)
    padded = torch.cat([torch.zeros(40, 2), y], dim=1)
    torch.testing.assert_close(
        loss_and_gradient(embedding, padded), loss_and_gradient(embedding, y)
    )


def test_repeated_columns_do_not_raise_the_rank():
    y, embedding = targets("soft"), normal(40, 5)
    doubled = torch.cat([y, y @ normal(5, 3)], dim=1)
    torch.testing.assert_close(
        loss_and_gradient(embedding, doubled), loss_and_gradient(embedding, y)
    )


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("scale", [1e-30, 1e30])
def test_scale_of_the_assignments_does_not_matter(scale, dtype):
    y, embedding = targets("soft"), normal(40, 5).to(dtype)
    loss, gradient = loss_and_gradient(embedding, y)
    result = loss_and_gradient(embedding, y * scale)
    torch.testing.assert_close(result, (loss, gradient), rtol=1e-4, atol=1e-5)


def test_zero_assignments_have_nothing_to_explain():
    loss, gradient = loss_and_gradient(normal(10, 3), torch.zeros(10, 2))
    assert float(loss) == 0
    assert not gradient.any()


def test_gradient_is_in_the_embedding_only():
    embedding, y = normal(20, 3).requires_grad_(), targets("soft", 20).requires_grad_()
    spectral_clustering_loss(embedding, y).backward()
    assert y.grad is None
    assert not spectral_clustering_loss(embedding.detach(), y).requires_grad


def test_arguments_are_left_alone():
    embedding, y = normal(40, 4).requires_grad_(), targets("soft")
    before = embedding.detach().clone(), y.clone()
    loss = spectral_clustering_loss(embedding, y, ridge=1.0)
    loss.backward(retain_graph=True)
    once = embedding.grad.clone()
    loss.backward()
    assert torch.equal(embedding, before[0])
    assert torch.equal(y, before[1])
    torch.testing.assert_close(embedding.grad, 2 * once)


# Accuracy and extremes.


@pytest.mark.parametrize("kind", ["labels", "soft"])
@pytest.mark.parametrize("condition", [1e1, 1e2, 1e3, 1e4, 1e5])
def test_float32_accuracy_by_condition(condition, kind):
    left = torch.linalg.qr(normal(500, 12))[0]
    right = torch.linalg.qr(normal(12, 12, seed=1))[0]
    values = torch.logspace(0, -math.log10(condition), 12, dtype=torch.float64)
    embedding = ((left * values) @ right).float()
    y = targets(kind, 500, 6)
    _, gradient = loss_and_gradient(embedding, y)
    assert relative_error(gradient, pinv_gradient(embedding, y)) <= 1e-4


def test_duplicate_columns_share_the_gradient():
    embedding, y = normal(60, 4).float(), labels(60, 4)
    loss, gradient = loss_and_gradient(embedding, y)
    twice_loss, twice = loss_and_gradient(torch.cat([embedding, embedding], dim=1), y)
    torch.testing.assert_close(twice_loss, loss)
    torch.testing.assert_close(twice[:, :4], gradient / 2, rtol=1e-4, atol=1e-6)
    torch.testing.assert_close(twice[:, 4:], twice[:, :4], rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("ridge", RIDGES)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_all_zero_embedding(dtype, ridge):
    loss, gradient = loss_and_gradient(torch.zeros(9, 3, dtype=dtype), labels(9, 3), ridge)
    assert float(loss) == len(labels(9, 3).unique())
    assert not gradient.any()


@pytest.mark.parametrize("scale", [1e-30, 1e-19, 1e-10, 1e10, 1e18, 1e30])
@pytest.mark.parametrize("ridge", [0.0, 1.0])
def test_float32_scales(scale, ridge):
    embedding, y = normal(50, 4).float(), labels(50, 3)
    loss, gradient = loss_and_gradient(embedding, y, ridge)
    scaled_loss, scaled = loss_and_gradient(embedding * scale, y, ridge)
    torch.testing.assert_close(scaled_loss, loss, rtol=1e-5, atol=0)
    assert relative_error(scaled.double() * scale, gradient.double()) < 1e-5


def test_one_column_and_one_class():
    embedding, y = normal(20, 1), torch.zeros(20, dtype=torch.long)
    loss, gradient = loss_and_gradient(embedding, y)
    cosine = embedding.sum() / (math.sqrt(20) * embedding.norm())
    torch.testing.assert_close(loss, 1 - cosine**2)
    torch.testing.assert_close(gradient, pinv_gradient(embedding, y))


def test_one_class_is_explained_by_a_constant_column():
    embedding = torch.cat([torch.ones(20, 1), normal(20, 2).float()], dim=1)
    loss, gradient = loss_and_gradient(embedding, torch.full((20,), 7))
    assert float(loss) < 1e-5
    assert gradient.abs().max() < 1e-5


def test_every_row_its_own_class():
    embedding = normal(30, 4)
    loss, gradient = loss_and_gradient(embedding, torch.arange(30))
    torch.testing.assert_close(float(loss), 26.0)
    assert gradient.abs().max() < 1e-13


@pytest.mark.parametrize("ridge", RIDGES)
def test_loss_lies_between_zero_and_the_number_of_classes(ridge):
    y = labels(50, 6)
    perfect = one_hot(y, 6).float()
    assert 0 <= float(spectral_clustering_loss(perfect, y)) < 1e-5
    for seed in range(5):
        loss = float(spectral_clustering_loss(normal(50, 8, seed=seed).float(), y, ridge=ridge))
        assert 0 < loss < 6


def test_many_rows_need_no_square_matrix():
    """160 GB would be needed for 200,000 x 200,000 numbers."""
    embedding = torch.randn(200_000, 8, generator=generator())
    y = labels(200_000, 5)
    loss, gradient = loss_and_gradient(embedding, y)
    assert 4.9 < float(loss) < 5
    assert float((embedding * gradient).sum()) == pytest.approx(0, abs=1e-4)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_computed_in_float32(dtype):
    embedding, y = normal(50, 4).to(dtype), labels(50, 3)
    loss, gradient = loss_and_gradient(embedding, y)
    wide_loss, wide_gradient = loss_and_gradient(embedding.float(), y)
    assert loss.dtype == torch.float32
    assert gradient.dtype == dtype
    assert torch.equal(loss, wide_loss)
    assert torch.equal(gradient, wide_gradient.to(dtype))


# Numerical adversaries, against a singular value decomposition in float64.

LOSS_BOUND, GRADIENT_BOUND = 5e-5, 1e-4  # units: k, and the gradient of rows that are all wrong
TOLERANCE = 64 * torch.finfo(torch.float32).eps


def svd_loss_and_gradient(embedding, y, ridge):
    """Loss, gradient and 2 ‖A‖ of float32 rows."""
    unit = float(embedding.abs().max()) or 1.0
    rows, assignment = embedding.double() / unit, as_matrix(y)
    targets = assignment / assignment.sum(0).sqrt()
    left, values, right = torch.linalg.svd(rows, full_matrices=False)
    level = ridge * values.square().sum() / rows.shape[1]
    kept = (values > TOLERANCE * values.max()) | (level > 0)
    inverse = torch.where(kept, values / (values.square() + level), 0.0).nan_to_num(0.0)
    loadings = right.T @ (inverse[:, None] * (left.T @ targets))
    fitted = left @ ((values * inverse)[:, None] * (left.T @ targets))
    gradient = 2 * (fitted - targets) @ loadings.T
    gradient += 2 * ridge / rows.shape[1] * loadings.square().sum() * rows
    loss = targets.shape[1] - (targets * fitted).sum()
    return loss, gradient / unit, 2 * loadings.norm() / unit


def adversary(kind, condition):
    """Float32 rows and labels."""
    y = labels(300, 5)
    values = condition ** -torch.linspace(0, 1, 8, dtype=torch.float64)
    alone = torch.arange(300) < 6
    rows = {
        "columns": lambda: normal(300, 8) * values,
        "mixed": lambda: torch.linalg.qr(normal(300, 8))[0] * values @ normal(8, 8, seed=1),
        "nearly equal rows": lambda: normal(1, 8) + normal(300, 8, seed=1) / condition,
        "equal rows": lambda: normal(1, 8).expand(300, 8),
        "equal rows in a class": lambda: normal(5, 8)[y],
        "line": lambda: normal(1, 8) + normal(300, 1, seed=1) * normal(1, 8, seed=2),
        "duplicates": lambda: normal(300, 4).repeat(1, 2) * torch.tensor([1.0] * 4 + [4.0] * 4),
        "constants": lambda: torch.cat([normal(300, 4), torch.ones(300, 1).double()], dim=1),
        "deficient": lambda: (2 * normal(300, 3)).round() @ (2 * normal(3, 8)).round(),
        "classes of one": lambda: normal(300, 8) * (1 + 1e3 * alone[:, None]),
        "imbalance": lambda: normal(1, 4) + normal(12_000, 4, seed=1),
        "more columns than rows": lambda: normal(9, 20),
    }[kind]()
    if kind == "classes of one":
        y = torch.arange(300).clamp(max=6)
    if kind == "imbalance":
        y = (torch.arange(12_000) == 77).long()
    return rows.float(), y[: len(rows)]


ADVERSARIES = [
    *((kind, c) for kind in ("columns", "mixed") for c in (1.0, 1e3, 1e6, 1e9, 1e12)),
    *(("nearly equal rows", c) for c in (1e3, 1e6)),
    *(
        (kind, 1.0)
        for kind in (
            "equal rows",
            "equal rows in a class",
            "line",
            "duplicates",
            "constants",
            "deficient",
            "classes of one",
            "imbalance",
            "more columns than rows",
        )
    ),
]


@pytest.mark.parametrize("ridge", [0.0, 1e-6, 1e-3, 1.0])
@pytest.mark.parametrize("kind, condition", ADVERSARIES)
def test_float32_is_within_bounds_of_float64(kind, condition, ridge):
    rows, y = adversary(kind, condition)
    for scale in (1e-20, 1.0, 1e20):
        embedding = (rows.double() * scale).float()
        loss, gradient = loss_and_gradient(embedding, y, ridge)
        expected_loss, expected, unit = svd_loss_and_gradient(embedding, y, ridge)
        assert abs(float(loss) - float(expected_loss)) <= LOSS_BOUND * len(y.unique())
        assert gradient.isfinite().all()
        assert (gradient.double() - expected).norm() <= GRADIENT_BOUND * unit


@pytest.mark.parametrize("condition", [1.0, 1e3, 1e6, 1e9, 1e12])
@pytest.mark.parametrize("scale", [1e-150, 1.0, 1e150])
def test_float64_is_within_eps_times_the_condition(condition, scale):
    """Columns whose lengths alone make the condition: without them all is exact."""
    basis, y = torch.linalg.qr(normal(200, 8))[0], labels(200, 5)
    lengths = scale * condition ** -torch.linspace(0, 1, 8, dtype=torch.float64)
    loss, gradient = loss_and_gradient(basis * lengths, y)
    targets = as_matrix(y) / as_matrix(y).sum(0).sqrt()
    loadings = (basis.T @ targets) / lengths[:, None]
    expected = 2 * (basis @ (basis.T @ targets) - targets) @ (loadings / loadings.norm()).T
    bound = 1e-8 + 8 * torch.finfo(torch.float64).eps * condition
    torch.testing.assert_close(loss, 5 - (basis.T @ targets).square().sum(), rtol=0, atol=5 * bound)
    assert (gradient / loadings.norm() - expected).norm() <= 2 * bound


# Bad input.


@pytest.mark.parametrize(
    "embedding",
    [
        torch.ones(5),
        torch.ones(5, 2, 1),
        torch.ones(5, 0),
        torch.ones(0, 2),
        torch.ones(5, 2).int(),
    ],
)
def test_bad_embedding_is_named(embedding):
    with pytest.raises(ValueError, match="embedding must be"):
        spectral_clustering_loss(embedding, torch.zeros(5, dtype=torch.long))


@pytest.mark.parametrize(
    "y",
    [
        torch.zeros(4, dtype=torch.long),
        torch.zeros(4, 2),
        torch.zeros(5, 2, 1),
        torch.tensor(1),
        torch.zeros(5),
        torch.zeros(5, 0),
        torch.zeros(5, 2, dtype=torch.complex64),
        torch.zeros(5, dtype=torch.complex64),
        torch.full((5, 2), torch.nan),
        torch.tensor([[torch.inf, 0.0]] * 5),
        torch.tensor([[0.0, -torch.inf]] * 5),
    ],
)
def test_bad_assignments_are_named(y):
    with pytest.raises(ValueError, match=r"^y (must|of shape|contains)"):
        spectral_clustering_loss(normal(5, 2), y)


@pytest.mark.parametrize("ridge", [-1e-9, -1.0, math.nan, math.inf])
def test_bad_ridge_is_named(ridge):
    with pytest.raises(ValueError, match="ridge must be"):
        spectral_clustering_loss(normal(5, 2), labels(5, 2), ridge=ridge)


@pytest.mark.parametrize("dtype", [torch.float16, torch.float32, torch.float64])
@pytest.mark.parametrize("ridge", [0.0, 1.0])
@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_values_that_are_not_finite_raise(value, ridge, dtype):
    embedding = normal(12, 3).to(dtype)
    embedding[4, 1] = value
    with pytest.raises(ValueError, match="embedding contains NaN or infinity"):
        spectral_clustering_loss(embedding, labels(12, 3), ridge=ridge)


def takes_tf32():
    matmul = torch.backends.cuda.matmul
    if hasattr(matmul, "fp32_precision"):
        return matmul.fp32_precision == "tf32"
    return matmul.allow_tf32


@pytest.fixture(params=[("allow_tf32", True), ("fp32_precision", "tf32")], ids=["older", "newer"])
def tf32(request):
    """What exact products go without is allowed, in each of the two ways to say so."""
    matmul, (name, value) = torch.backends.cuda.matmul, request.param
    if not hasattr(matmul, name):
        pytest.skip(f"this torch has no {name}")
    before = getattr(matmul, name)
    setattr(matmul, name, value)
    yield
    setattr(matmul, name, before)


def test_products_on_cuda_are_exact_without_autocast_too(tf32):
    with exact_products("cuda"):
        assert not takes_tf32()
    assert takes_tf32()


def test_products_are_exact_inside_autocast_and_left_as_they_were(tf32):
    """Also after an error; without autocast nothing of the processor is touched."""
    with torch.autocast("cpu", dtype=torch.bfloat16):
        with pytest.raises(ZeroDivisionError), exact_products("cpu"):
            assert not torch.is_autocast_enabled("cpu")
            assert not takes_tf32()
            raise ZeroDivisionError
        assert torch.is_autocast_enabled("cpu")
        assert takes_tf32()
    with exact_products("cpu"):
        assert takes_tf32()
