"""The leave-one-out loss: against a slow version, its gradient, its invariances, its limits."""

import pytest
import torch
from torch.nn import functional

from skdeepclust.spectral import leave_one_out_loss


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
