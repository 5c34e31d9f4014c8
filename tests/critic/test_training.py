"""Training of a critic: what it learns, from which objectives, and that a seed fixes it."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from skdeepclust.critic._network import CriticNetwork
from skdeepclust.critic._state import TrainingState
from skdeepclust.critic._tasks import draw_tasks
from skdeepclust.critic._training import CriticPlan, task_loss, train_critic, train_epochs

ALL = CriticPlan(wasserstein=0.5, n_epochs=3, batch_size=2)
NOTHING = CriticPlan(ranking=0, regression=0, wasserstein=0, reconstruction=0, clusters=0)


@pytest.fixture(scope="module")
def tasks():
    return draw_tasks(24, np.random.RandomState(0), ["gaussians", "moons", "boxes"], 10)


def make_network(seed=0):
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return CriticNetwork(hidden=(16,), hidden_dim=16, node_dim=8, cluster_dim=8)


def total_loss(network, tasks, plan):
    with torch.no_grad():
        generator = torch.Generator().manual_seed(0)
        return sum(float(task_loss(network, task, plan, generator)) for task in tasks)


@pytest.mark.parametrize("name", ["ranking", "regression", "reconstruction", "clusters"])
def test_each_objective_falls_on_its_own(tasks, name):
    plan = replace(NOTHING, n_epochs=3, learning_rate=1e-2, **{name: 1.0})
    network = make_network()
    before = total_loss(network, tasks, plan)
    history = train_critic(network, tasks, plan, np.random.RandomState(0))
    assert len(history["loss"]) == 3
    assert total_loss(network, tasks, plan) < before
    assert not network.training


def test_wasserstein_training_puts_the_truth_first_more_often(tasks):
    plan = replace(NOTHING, wasserstein=1.0, n_epochs=6, learning_rate=1e-2)

    def gap(network):
        with torch.no_grad():
            scores = [network(task.graph, task.labels.long()).scores for task in tasks]
        return float(np.mean([s[0] - s[1:].mean() for s in scores]))

    network = make_network()
    before = gap(network)
    train_critic(network, tasks, plan, np.random.RandomState(0))
    assert gap(network) > before + 0.1


def test_trained_critic_chooses_well_on_new_data(tasks):
    network = make_network()
    train_critic(
        network, tasks, CriticPlan(n_epochs=20, learning_rate=5e-3), np.random.RandomState(0)
    )
    new = draw_tasks(12, np.random.RandomState(7), ["gaussians", "moons", "boxes"], 10)
    with torch.no_grad():
        chosen = [int(network(t.graph, t.labels.long()).scores.argmax()) for t in new]
    found = np.mean([float(t.quality[i]) for t, i in zip(new, chosen, strict=True)])
    assert found > np.mean([float(t.quality.mean()) for t in new]) + 0.15


def test_a_seed_fixes_the_weights(tasks):
    states = []
    for seed in (0, 0, 1):
        network = make_network()
        train_critic(network, tasks[:6], CriticPlan(n_epochs=1), np.random.RandomState(seed))
        states.append(torch.cat([p.detach().flatten() for p in network.parameters()]))
    assert torch.equal(states[0], states[1])
    assert not torch.equal(states[0], states[2])


def test_progress_is_reported(tasks):
    seen = []
    plan = CriticPlan(n_epochs=2)
    history = train_critic(make_network(), tasks[:4], plan, np.random.RandomState(0), seen.append)
    assert [figures["loss"] for figures in seen] == history["loss"]


def test_training_that_diverges_says_so(tasks):
    plan = CriticPlan(n_epochs=1, learning_rate=1e30)
    with pytest.raises(ValueError, match=r"training diverged.*'ranking': 1\.0.* are wanted"):
        train_critic(make_network(), tasks[:3], plan, np.random.RandomState(0))


def train_from(store, tasks, plan, on_epoch=None):
    """Train as in a new process: all that is known is in the store."""
    state = TrainingState(make_network(), tasks, np.random.RandomState(0), store)
    state.load()
    train_epochs(state, plan, on_epoch)
    return state


@pytest.mark.parametrize("n_complete", [1, 2, 3])
@pytest.mark.parametrize("plan", [ALL, replace(NOTHING, wasserstein=1.0, n_epochs=3)])
def test_a_training_goes_on_with_the_same_bits(tasks, memory, killed, plan, n_complete):
    tasks = tasks[:5]
    wanted = train_from(None, tasks, plan)
    seen = []

    def die(figures):
        seen.append(figures)
        if len(seen) == n_complete:
            raise killed

    with pytest.raises(killed):
        train_from(memory, tasks, plan, die)
    found = train_from(memory, tasks, plan)
    assert found.history == wanted.history
    expected = wanted.network.state_dict()
    for name, value in found.network.state_dict().items():
        assert torch.equal(value, expected[name])
    assert found.rng.randint(2**31) == wanted.rng.randint(2**31)
    assert torch.equal(found.generator.get_state(), wanted.generator.get_state())
    assert not found.network.training
