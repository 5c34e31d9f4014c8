"""Losses of a plan, and the record of a training."""

import pytest
import torch

from skdeepclust.spectral import leave_one_out_loss, spectral_clustering_loss
from skdeepclust.training import TrainingPlan, TrainingResult


def plan(**changes):
    return TrainingPlan(
        max_epochs=20, learning_rate=0.01, weight_decay=0.0, ridge=0.1, patience=9, **changes
    )


def test_result_records_epochs():
    result = TrainingResult()
    result.record(objective=1.0)
    result.record(objective=0.5)
    assert (result.n_epochs, result.history) == (2, {"objective": [1.0, 0.5]})


def test_result_gives_back_the_figures_of_each_epoch():
    result = TrainingResult()
    assert list(result.epochs()) == []
    figures = [{"objective": 1.0, "loss": 3.0}, {"objective": 0.5, "loss": 2.0}]
    for values in figures:
        result.record(**values)
    assert list(result.epochs()) == figures


def test_spectral_loss_is_the_objective():
    embedding, y = (
        torch.randn(30, 4, generator=torch.Generator().manual_seed(0)),
        torch.arange(30) % 3,
    )
    loss, objective = plan(loss="spectral").loss_and_objective(embedding.requires_grad_(), y)
    torch.testing.assert_close(loss, spectral_clustering_loss(embedding, y, ridge=0.1))
    assert loss.requires_grad
    assert not objective.requires_grad
    assert objective.item() == loss.item()


@pytest.mark.parametrize(("temperature", "used"), [(0.3, 0.3), (None, 0.25 / 3**0.5)])
@pytest.mark.parametrize("kind", ["codes", "one-hot"])
def test_leave_one_out_loss_reports_the_objective_as_well(temperature, used, kind):
    embedding = torch.randn(30, 4, generator=torch.Generator().manual_seed(0))
    y = torch.arange(30) % 3
    y = y if kind == "codes" else torch.eye(3)[y]
    options = {"loss": "leave-one-out", "temperature": temperature}
    loss, objective = plan(**options).loss_and_objective(embedding.requires_grad_(), y)
    expected = leave_one_out_loss(embedding, y, ridge=0.1, temperature=used)
    torch.testing.assert_close(loss, expected)
    torch.testing.assert_close(
        objective, spectral_clustering_loss(embedding, y, ridge=0.1).detach()
    )
    assert not objective.requires_grad
