"""What a critic is trained for: least where it should be, with the right slopes."""

import pytest
import torch

from skdeepclust.critic._objectives import ranking_loss, regression_loss, wasserstein_loss


def draw(m=7, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return (torch.rand(m, generator=generator, dtype=torch.float64) for _ in range(2))


def test_ranking_is_least_where_scores_follow_the_quality():
    quality, noise = draw()
    best = ranking_loss(2 * quality, quality)
    entropy = torch.distributions.Categorical(logits=quality / 0.05).entropy()
    torch.testing.assert_close(best, entropy)
    for step in (0.01, 0.3):
        assert ranking_loss(2 * quality + step * noise, quality) > best


def test_ranking_does_not_see_a_common_shift():
    quality, scores = draw()
    torch.testing.assert_close(ranking_loss(scores + 5, quality), ranking_loss(scores, quality))


def test_ranking_and_regression_have_right_gradients():
    quality, scores = draw()
    scores.requires_grad_()
    for loss in (ranking_loss, regression_loss):
        assert torch.autograd.gradcheck(lambda s, loss=loss: loss(s, quality), (scores,))


def test_regression_is_the_mean_squared_error():
    quality, scores = draw()
    expected = sum((float(s) - float(q)) ** 2 for s, q in zip(scores, quality, strict=True)) / 7
    assert float(regression_loss(scores, quality)) == pytest.approx(expected)


@pytest.mark.parametrize("slope", [0.0, 1.0, 3.0])
def test_wasserstein_of_a_linear_critic(slope):
    generator = torch.Generator().manual_seed(0)
    direction = torch.nn.functional.normalize(torch.randn(5, generator=generator), dim=0)
    true, proposed = torch.randn(1, 5, generator=generator), torch.randn(6, 5, generator=generator)
    found = wasserstein_loss(lambda z: slope * z @ direction, true, proposed, penalty=2.0)
    gain = slope * float((true @ direction).mean() - (proposed @ direction).mean())
    assert float(found) == pytest.approx(-gain + 2 * (slope - 1) ** 2, abs=1e-5)


def test_wasserstein_penalty_reaches_the_critic_only():
    critic = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.Tanh(), torch.nn.Linear(8, 1))
    true, proposed = torch.randn(1, 4), torch.randn(3, 4, requires_grad=True)
    wasserstein_loss(lambda z: critic(z).squeeze(1), true, proposed).backward()
    assert all(torch.isfinite(p.grad).all() for p in critic.parameters() if p.grad is not None)
    assert float(critic[0].weight.grad.norm()) > 0
    steep = torch.autograd.grad(critic(proposed).mean(), proposed)[0]
    torch.testing.assert_close(proposed.grad, steep)  # of the mean score alone
