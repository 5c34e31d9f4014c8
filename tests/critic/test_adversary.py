"""Adversarial rounds: what the search found is rated by the truth and learned."""

import numpy as np
import pytest
import torch

from skdeepclust.critic._adversary import attack_tasks, n_epochs_in_all, train_in_rounds
from skdeepclust.critic._judging import judge
from skdeepclust.critic._network import CriticNetwork
from skdeepclust.critic._proposals import quality
from skdeepclust.critic._tasks import draw_tasks
from skdeepclust.critic._training import CriticPlan


@pytest.fixture(scope="module")
def tasks():
    rng = np.random.RandomState(3)
    drawn = draw_tasks(12, rng, ["gaussians", "moons"], 8)
    return [task for task in drawn if task.labels.shape[1] <= 600][:6]


def make_network():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return CriticNetwork(hidden=(16,), hidden_dim=16, node_dim=8, cluster_dim=8).eval()


def test_attacked_tasks_gain_clusterings_with_their_true_quality(tasks):
    network = make_network()
    attacked, overrated = attack_tasks(network, tasks, np.random.RandomState(0))
    assert len(attacked) == max(1, round(0.25 * len(tasks)))
    for i, task in attacked.items():
        m = len(tasks[i].quality)
        assert len(task.quality) > m
        assert torch.equal(task.labels[:m], tasks[i].labels)
        expected = quality(task.labels[0].numpy(), list(task.labels[m:].numpy()))
        np.testing.assert_allclose(task.quality[m:], expected, atol=1e-6)
        # The search found what this critic likes better than anything it was offered.
        scores = judge(network, task.graph, task.labels.numpy()).scores
        assert scores[m:].max() >= scores[1:m].max() - 1e-6
    assert np.isfinite(overrated)


def test_rounds_add_epochs(tasks):
    plan, seen = CriticPlan(n_epochs=2), []
    history = train_in_rounds(make_network(), tasks, plan, np.random.RandomState(0), 2, seen.append)
    assert len(history["loss"]) == len(seen) == n_epochs_in_all(plan, 2) == 4
    assert len(history["overrated"]) == 2


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_a_seed_fixes_the_attack(tasks, n_jobs):
    network = make_network()
    first, gap = attack_tasks(network, tasks, np.random.RandomState(1))
    second, same_gap = attack_tasks(network, tasks, np.random.RandomState(1), n_jobs)
    assert gap == same_gap
    assert list(first) == list(second)
    for i in first:
        assert torch.equal(first[i].labels, second[i].labels)


def test_the_given_tasks_are_not_changed(tasks):
    sizes = [len(task.quality) for task in tasks]
    train_in_rounds(make_network(), tasks, CriticPlan(n_epochs=1), np.random.RandomState(0), 1)
    assert [len(task.quality) for task in tasks] == sizes
