"""The leave-one-out loss: against a slow version, its gradient, its invariances, its limits."""

import ast
import inspect
import math
import re

import pytest
import torch
from torch.nn import functional

from skdeepclust.spectral import _leave_one_out as module
from skdeepclust.spectral import (
    leave_one_out_dtype,
    leave_one_out_loss,
    spectral_clustering_loss,
    spectral_normalization,
)


def draw(n=18, d=4, k=3, seed=0, dtype=torch.float64):
    generator = torch.Generator().manual_seed(seed)
    embedding = torch.randn(n, d, generator=generator, dtype=dtype)
    return embedding, torch.arange(n) % k


def slow_loss(embedding, assignment, ridge, temperature):
    """Fit a ridge regression without each row in turn."""
    n, d = embedding.shape
    level = ridge * (embedding.T @ embedding).trace() / d
    total = torch.zeros((), dtype=embedding.dtype)
    for i in range(n):
        others = torch.arange(n) != i
        F, Y = embedding[others], assignment[others]
        gram = F.T @ F + level * torch.eye(d, dtype=F.dtype)
        predicted = embedding[i] @ torch.linalg.solve(gram, F.T @ Y)
        total -= assignment[i] @ functional.log_softmax(predicted / temperature, dim=0)
    return total / n


@pytest.mark.parametrize("ridge", [0.01, 1.0, 30.0])
@pytest.mark.parametrize("temperature", [0.02, 0.5])
def test_equals_fits_without_each_row(ridge, temperature):
    embedding, y = draw()
    expected = slow_loss(embedding, functional.one_hot(y).double(), ridge, temperature)
    found = leave_one_out_loss(embedding, y, ridge=ridge, temperature=temperature)
    torch.testing.assert_close(found, expected, rtol=1e-10, atol=1e-10)


def test_soft_assignments_equal_fits_without_each_row():
    embedding, _ = draw()
    shares = torch.rand(18, 3, generator=torch.Generator().manual_seed(1)).double()
    shares /= shares.sum(dim=1, keepdim=True)
    expected = slow_loss(embedding, shares, 0.7, 0.2)
    found = leave_one_out_loss(embedding, 5 * shares, ridge=0.7, temperature=0.2)
    torch.testing.assert_close(found, expected)


@pytest.mark.parametrize("ridge", [1e-3, 0.1, 3.0])
@pytest.mark.parametrize("kind", ["classes", "soft", "unassigned rows"])
def test_gradient_is_that_of_finite_differences(ridge, kind):
    embedding, y = draw()
    if kind != "classes":
        y = torch.rand(18, 3, generator=torch.Generator().manual_seed(2)).double()
    if kind == "unassigned rows":
        y[::4] = 0
    assert torch.autograd.gradcheck(
        lambda f: leave_one_out_loss(f, y, ridge=ridge, temperature=0.3),
        (embedding.requires_grad_(),),
    )


@pytest.mark.parametrize("ridge", [0.0, 1e-3, 1.0])
def test_single_precision_is_near_double(ridge):
    embedding, y = draw(n=200, d=16, k=10)
    results = []
    for dtype in (torch.float32, torch.float64):
        f = embedding.to(dtype).requires_grad_()
        loss = leave_one_out_loss(f, y, ridge=ridge)
        loss.backward()
        assert loss.dtype == f.grad.dtype == dtype
        results.append((loss.detach().double(), f.grad.double()))
    (loss, gradient), (exact_loss, exact_gradient) = results
    torch.testing.assert_close(loss, exact_loss, rtol=1e-4, atol=1e-6)
    assert (gradient - exact_gradient).norm() < 1e-3 * exact_gradient.norm()


def test_half_precision_is_computed_in_float32():
    embedding, y = draw(dtype=torch.float32)
    embedding = embedding.bfloat16()
    torch.testing.assert_close(
        leave_one_out_loss(embedding, y), leave_one_out_loss(embedding.float(), y)
    )


@pytest.mark.parametrize("change", ["scale", "rotation", "class names", "order"])
def test_invariances(change):
    embedding, y = draw()
    expected = leave_one_out_loss(embedding, y, ridge=0.5)
    if change == "scale":
        embedding = 7 * embedding
    elif change == "rotation":
        embedding = embedding @ torch.linalg.qr(draw(4, 4, seed=3)[0])[0]
    elif change == "class names":
        y = torch.tensor([40, -3, 11])[y]
    else:
        order = torch.randperm(18, generator=torch.Generator().manual_seed(0))
        embedding, y = embedding[order], y[order]
    torch.testing.assert_close(leave_one_out_loss(embedding, y, ridge=0.5), expected)


def test_gradient_is_orthogonal_to_the_embedding():
    embedding, y = draw()
    leave_one_out_loss(embedding.requires_grad_(), y).backward()
    assert abs((embedding * embedding.grad).sum()) < 1e-12  # scaling changes nothing


def test_separated_classes_cost_nothing_and_mixed_ones_more_than_a_guess():
    F = torch.eye(3).repeat_interleave(6, dim=0)
    separated = torch.arange(3).repeat_interleave(6)
    assert leave_one_out_loss(F, separated, ridge=1e-3) < 1e-6
    assert leave_one_out_loss(F, torch.arange(18) % 3, temperature=1.0) > 1.0


def test_rows_of_zeros_count_for_nothing():
    embedding, y = draw()
    assignment = functional.one_hot(y).double()
    assignment[12:] = 0
    tripled = torch.cat([assignment, torch.zeros(18, 3).double()])
    with_zeros = leave_one_out_loss(
        torch.cat([embedding, torch.zeros(18, 4).double()]), tripled, ridge=0.5
    )
    torch.testing.assert_close(with_zeros, leave_one_out_loss(embedding, assignment, ridge=0.5))


def test_overfitted_batch_is_not_rewarded():
    """With as many dimensions as rows the objective is 0; left-out rows are still unknown."""
    embedding, y = draw(n=18, d=18)
    loss = leave_one_out_loss(embedding, y, ridge=1e-4, temperature=0.3)
    assert loss > 0.9


@pytest.mark.parametrize("rows", [torch.zeros(6, 3), torch.ones(6, 3)])
def test_degenerate_embeddings_have_finite_gradients(rows):
    for ridge in (0.0, 1.0):
        f = rows.clone().requires_grad_()
        loss = leave_one_out_loss(f, torch.arange(6) % 2, ridge=ridge)
        loss.backward()
        assert torch.isfinite(loss)
        assert torch.isfinite(f.grad).all()


def test_can_be_differentiated_once_only():
    embedding, y = draw()
    loss = leave_one_out_loss(embedding.requires_grad_(), y)
    (gradient,) = torch.autograd.grad(loss, embedding, create_graph=True)
    with pytest.raises(RuntimeError, match="once"):
        gradient.sum().backward()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"temperature": 0.0}, "temperature must be > 0"),
        ({"temperature": float("nan")}, "temperature must be > 0"),
        ({"ridge": -1.0}, "ridge must be >= 0"),
        ({"y": torch.arange(17) % 3}, "y must have shape"),
        ({"y": -torch.ones(18, 2)}, "non-negative"),
        ({"y": torch.full((18, 2), torch.nan)}, "finite"),
        ({"embedding": torch.full((18, 4), torch.nan)}, "NaN"),
    ],
)
def test_bad_arguments_are_named(changes, message):
    embedding, y = draw()
    arguments = {"embedding": embedding, "y": y} | changes
    with pytest.raises(ValueError, match=message):
        leave_one_out_loss(arguments.pop("embedding"), arguments.pop("y"), **arguments)


# Numerical adversaries, against systems of equations in float64.


def loss_and_gradient(embedding, y, **options):
    leaf = embedding.clone().requires_grad_()
    loss = leave_one_out_loss(leaf, y, **options)
    loss.backward()
    return loss.detach(), leaf.grad


def reference(embedding, y, ridge, temperature):
    """Loss, gradient by autograd, and the gradient of rows that are all wrong."""
    unit = float(embedding.abs().max())
    rows = (embedding.double() / unit).requires_grad_()
    assignment = functional.one_hot(y).double()
    assignment = assignment[:, assignment.any(dim=0)]
    n, d = rows.shape
    level = max(ridge, 1e-6) * rows.square().mean() * n
    shift, sums = level * torch.eye(d, dtype=torch.float64), rows.T @ assignment
    if n <= d:  # the residuals from F Fᵀ
        inverse = torch.linalg.inv(rows @ rows.T + level * torch.eye(n, dtype=torch.float64))
        predicted = assignment - (inverse @ assignment) / inverse.diagonal()[:, None]
    else:
        others = rows.T @ rows - rows[:, :, None] * rows[:, None, :] + shift
        maps = torch.linalg.solve(others, sums - rows[:, :, None] * assignment[:, None, :])
        predicted = (rows[:, None, :] @ maps).squeeze(1)
    loss = -(assignment * torch.log_softmax(predicted / temperature, dim=1)).sum() / n
    (gradient,) = torch.autograd.grad(loss, rows)
    size = torch.linalg.solve(rows.T @ rows + shift, sums).norm() / (temperature * n**0.5)
    unit_gradient = max(float(size.detach()), float(gradient.norm())) / unit
    return loss.detach(), gradient / unit, unit_gradient


def adversary(kind):
    """Float32 rows and labels."""
    rows, y = draw(n=200, d=8, k=5)
    kind, _, amount = kind.partition(" ")
    if kind == "condition":
        rows = rows * float(amount) ** -torch.linspace(0, 1, 8, dtype=torch.float64)
    elif kind == "spread":
        rows = draw(1, 8, seed=1)[0] + float(amount) * rows
    elif kind == "deficient":
        rows = (2 * rows[:, :3]).round() @ (2 * rows[:3]).round()
    elif kind == "duplicates":
        rows = torch.cat([rows, -rows, torch.ones(200, 2), torch.zeros(200, 1)], dim=1)
    elif kind == "alone":  # classes of one row, some far away
        y = torch.arange(200).clamp(max=6)
        rows[:6] *= float(amount)
    elif kind == "imbalance":
        rows = 1.0 + draw(12_000, 3)[0]
        y = (torch.arange(12_000) == 77).long()
    elif kind == "classes":
        rows = draw(5, 8)[0][y]
    else:
        rows, y = draw(9, 20, k=4)
    return rows.float(), y


@pytest.mark.parametrize("ridge", [0.0, 1e-6, 1e-3, 0.01, 1.0])
@pytest.mark.parametrize(
    "kind",
    [
        "condition 1e3", "condition 1e6", "condition 1e12", "spread 1e-3", "spread 1e-6",
        "spread 0", "deficient", "duplicates", "alone 1", "alone 1e3", "imbalance", "classes",
        "wide",
    ],
)  # fmt: skip
def test_float32_is_within_bounds_of_float64(kind, ridge):
    rows, y = adversary(kind)
    for scale, temperature in ((1e-20, 0.02), (1.0, 0.04), (1e20, 0.25)):
        embedding = (rows.double() * scale).float()
        loss, gradient = loss_and_gradient(embedding, y, ridge=ridge, temperature=temperature)
        expected_loss, expected, unit = reference(embedding, y, ridge, temperature)
        assert abs(float(loss) - float(expected_loss)) <= 5e-5 / temperature
        assert gradient.isfinite().all()
        assert (gradient.double() - expected).norm() <= 1e-4 * unit


@pytest.mark.parametrize("scale", [1e-200, 1e-30, 1e30, 1e200])
def test_float64_scales_change_only_the_length_of_the_gradient(scale):
    embedding, y = draw()
    loss, gradient = loss_and_gradient(embedding, y, ridge=0.1)
    scaled_loss, scaled = loss_and_gradient(embedding * scale, y, ridge=0.1)
    torch.testing.assert_close(scaled_loss, loss)
    torch.testing.assert_close(scaled * scale, gradient)


def test_gradient_where_a_row_is_all_there_is_of_a_direction():
    """1 - h is 1e-7 for the first row; it must be neither rounded nor clamped."""
    embedding, y = draw(n=12, d=4, k=3)
    embedding[:, 3] = 0
    embedding[0, 3] = 100.0
    expected_loss, expected, _ = reference(embedding, y, 1e-6, 0.3)
    loss, gradient = loss_and_gradient(embedding, y, ridge=1e-6, temperature=0.3)
    torch.testing.assert_close(loss, expected_loss)
    assert (gradient - expected).norm() <= 1e-6 * expected.norm()


@pytest.mark.parametrize("scale", [1e-300, 1e-40, 1e40, 1e308])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_scale_of_the_assignments_does_not_matter(scale, dtype):
    embedding, y = draw(dtype=dtype)
    shares = torch.rand(18, 3, generator=torch.Generator().manual_seed(1)).double()
    expected = leave_one_out_loss(embedding, shares)
    torch.testing.assert_close(leave_one_out_loss(embedding, shares * scale), expected)


@pytest.mark.parametrize("value", [torch.nan, torch.inf])
@pytest.mark.parametrize("ridge", [0.0, 1.0])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_values_that_are_not_finite_raise(value, ridge, dtype):
    embedding, y = draw(dtype=dtype)
    embedding[3, 1] = value
    with pytest.raises(ValueError, match="embedding contains NaN or infinity"):
        leave_one_out_loss(embedding, y, ridge=ridge)


@pytest.mark.parametrize("kind", ["classes", "soft", "unassigned rows"])
@pytest.mark.parametrize("ridge", [1e-6, 1e-4, 1e-2])
def test_gradient_of_fewer_rows_than_dimensions(kind, ridge):
    """Each row is alone in its direction: P is Y but for λ."""
    embedding, y = draw(n=9, d=12, k=3)
    if kind != "classes":
        y = torch.rand(9, 3, generator=torch.Generator().manual_seed(2)).double()
    if kind == "unassigned rows":
        y[::4] = 0
    shares = functional.one_hot(y).double() if y.ndim == 1 else functional.normalize(y, p=1, dim=1)
    leaf = embedding.clone().requires_grad_()
    level = ridge * leaf.square().sum() / 12
    inverse = torch.linalg.inv(leaf @ leaf.T + level * torch.eye(9, dtype=torch.float64))
    predicted = shares - (inverse @ shares) / inverse.diagonal()[:, None]
    wanted = -(shares * torch.log_softmax(predicted / 0.3, dim=1)).sum() / shares.sum()
    wanted.backward()
    loss, gradient = loss_and_gradient(embedding, y, ridge=ridge, temperature=0.3)
    torch.testing.assert_close(loss, wanted.detach())
    assert (gradient - leaf.grad).norm() <= 1e-5 * leaf.grad.norm()


def test_an_infinite_temperature_is_refused():
    embedding, y = draw()
    with pytest.raises(ValueError, match="temperature must be > 0 and finite, got inf"):
        leave_one_out_loss(embedding, y, temperature=torch.inf)


def test_single_precision_from_a_ridge_of_a_hundredth_on():
    assert leave_one_out_dtype(torch.float32, 0.01) is torch.float32
    assert leave_one_out_dtype(torch.float32, 0.0099) is torch.float64
    assert leave_one_out_dtype(torch.float64, 1.0) is torch.float64


@pytest.mark.parametrize(
    "function", [leave_one_out_loss, spectral_clustering_loss, spectral_normalization]
)
def test_defaults_are_those_of_the_docstring(function):
    documented = re.findall(r"^(\w+) : .*default=(.+)$", inspect.getdoc(function), re.MULTILINE)
    parameters = inspect.signature(function).parameters
    assert documented
    for name, value in documented:
        assert parameters[name].default == ast.literal_eval(value)


@pytest.mark.parametrize(
    ("of_shares", "of_rows", "rtol"),
    [
        (torch.float16, torch.float32, 1e-6),
        (torch.bfloat16, torch.float32, 1e-6),
        (torch.float32, torch.float64, 1e-12),
        (torch.int64, torch.float32, 1e-6),
        (torch.bool, torch.float64, 1e-12),
    ],
)
def test_assignments_of_any_type_keep_their_digits(of_shares, of_rows, rtol):
    embedding, _ = draw(dtype=of_rows)
    weights = 3 * torch.rand(18, 3, generator=torch.Generator().manual_seed(1))
    weights = weights.to(of_shares)
    expected = leave_one_out_loss(embedding, weights.double())
    found = leave_one_out_loss(embedding, weights)
    torch.testing.assert_close(found, expected, rtol=rtol, atol=0)


@pytest.mark.parametrize("ridge", [0.0, 1.0])
@pytest.mark.parametrize(("n", "d"), [(1, 2), (2, 4), (5, 2)])
def test_one_assigned_row_is_predicted_by_nothing(n, d, ridge):
    """The other rows give a map to 0: of three classes it takes the own one by guess."""
    embedding, _ = draw(n, d)
    assignment = torch.zeros(n, 3)
    assert float(leave_one_out_loss(embedding, assignment, ridge=ridge)) == 0
    assignment[-1, 1] = 2.0
    loss = leave_one_out_loss(embedding, assignment, ridge=ridge)
    assert float(loss) == pytest.approx(math.log(3), rel=1e-6)


def mixed(condition, dtype=torch.float32):
    """Rows whose singular values are spread, in directions that no column is alone in."""
    mixing = torch.linalg.qr(draw(8, 8, seed=5)[0])[0]
    values = condition ** -torch.linspace(0, 1, 8, dtype=torch.float64)
    rows = draw(n=200, d=8)[0] * values @ mixing
    return (rows / rows.abs().max()).to(dtype), torch.arange(200) % 5


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("ridge", [1e-6, 0.01])
def test_powers_of_two_change_only_the_length_of_the_gradient(ridge, dtype):
    rows, y = mixed(1e4, dtype)
    loss, gradient = loss_and_gradient(rows, y, ridge=ridge)
    for scale in (0.25, 0.5, 2.0, 4.0):
        scaled_loss, scaled = loss_and_gradient(scale * rows, y, ridge=ridge)
        torch.testing.assert_close(scaled_loss, loss, rtol=1e-6, atol=0)
        assert (scale * scaled - gradient).norm() <= 1e-5 * gradient.norm()


def test_no_more_is_computed_than_is_needed(monkeypatch):
    """Float32 where it is accurate, else float64, and eigenvectors where that is not enough."""
    monkeypatch.setattr(module, "_by_eigenvectors", None)
    monkeypatch.setattr(module, "_predict_few", None)
    for condition, dtype in ((1.0, torch.float32), (1e3, torch.float64)):
        rows, y = mixed(condition)
        shares = functional.one_hot(y).float()
        predicted, unit = module._predict_accurately(rows, shares, 0.01, None)
        assert predicted.inverse.dtype is dtype
        assert unit == 1.0
