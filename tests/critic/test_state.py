"""State of a training: what goes into the store comes out of it, and begins where it began."""

import numpy as np
import pytest
import torch

from skdeepclust.critic._network import CriticNetwork
from skdeepclust.critic._state import TrainingState
from skdeepclust.critic._tasks import draw_tasks


@pytest.fixture(scope="module")
def tasks():
    return draw_tasks(3, np.random.RandomState(0), ["gaussians"], 6)


def make_network(seed=0):
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return CriticNetwork(hidden=(4,), hidden_dim=4, node_dim=4, cluster_dim=4)


def make_state(tasks, store, seed=0):
    state = TrainingState(make_network(seed), tasks, np.random.RandomState(seed), store)
    state.load()
    return state


def begin(state):
    state.begin(torch.optim.AdamW(state.network.parameters(), lr=0.1))


def step(state):
    """One step in a direction that the generator draws; the cluster head gets no gradient."""
    state.optimizer.zero_grad(set_to_none=True)
    for parameter in state.network.encoder.parameters():
        parameter.grad = torch.randn(parameter.shape, generator=state.generator)
    state.optimizer.step()


def assert_equal(first, second):
    weights = second.network.state_dict()
    for name, value in first.network.state_dict().items():
        assert torch.equal(value, weights[name])
    assert first.history == second.history
    assert (first.n_rounds, first.n_epochs) == (second.n_rounds, second.n_epochs)
    for one, other in zip(first.tasks, second.tasks, strict=True):
        assert torch.equal(one.labels, other.labels)
        assert torch.equal(one.quality, other.quality)
    draws = [state.rng.standard_normal(5).tolist() for state in (first, second)]
    assert draws[0] == draws[1]


def test_an_empty_store_changes_nothing(tasks, memory):
    state = make_state(tasks, memory)
    assert_equal(state, TrainingState(make_network(), tasks, np.random.RandomState(0)))
    assert not state.go_back()


def test_state_of_an_epoch_returns(tasks, memory):
    state = make_state(tasks, memory)
    state.rng.standard_normal(3)  # one more is in store: the generator gives two at a time
    begin(state)
    step(state)
    state.end_epoch(0.1 + 0.2)
    again = make_state(tasks, memory)
    assert again.history == {"loss": [0.1 + 0.2], "overrated": []}
    assert again.n_epochs == 1
    begin(again)
    step(state)
    step(again)
    assert_equal(state, again)


def test_state_of_an_attack_returns(tasks, memory):
    state = make_state(tasks, memory)
    begin(state)
    step(state)
    state.end_epoch(0.5)
    for overrated in (0.25, float("nan")):  # twice the same task
        found = np.random.RandomState(1).randint(3, size=(2, tasks[1].labels.shape[1]))
        state.end_attack({1: state.tasks[1].extended(found, tasks[1].labels[0].numpy())}, overrated)
    again = make_state(tasks, memory)
    assert again.n_rounds == 2
    assert again.n_epochs == 0
    assert again.history["overrated"][0] == 0.25
    assert np.isnan(again.history["overrated"][1])
    assert len(again.tasks[1].labels) == len(tasks[1].labels) + 4
    state.history = again.history = {}
    begin(state)
    begin(again)
    step(state)
    step(again)
    assert_equal(state, again)


def test_a_store_of_other_weights_is_refused(tasks, memory):
    state = make_state(tasks, memory)
    begin(state)
    step(state)
    state.end_epoch(0.5)
    with pytest.raises(ValueError, match=r"checkpoint.*other weights.*are wanted"):
        make_state(tasks, memory, seed=1)


def test_weights_of_the_store_are_accepted(tasks, memory):
    state = make_state(tasks, memory)
    begin(state)
    step(state)
    state.end_epoch(0.5)
    again = TrainingState(state.network, tasks, np.random.RandomState(0), memory)
    again.load()
    begin(again)
    step(again)
    again.end_epoch(0.25)
    assert make_state(tasks, memory).n_epochs == 2  # it began with the weights of the first


@pytest.mark.parametrize("is_loaded", [False, True])
def test_going_back_to_the_last_epoch(tasks, memory, is_loaded):
    state = make_state(tasks, memory)
    begin(state)
    step(state)
    state.end_epoch(0.5)
    wanted = {name: value.clone() for name, value in state.network.state_dict().items()}
    if is_loaded:
        state = make_state(tasks, memory)
        begin(state)
    step(state)
    state.end_attack({}, 0.125)
    assert state.go_back()
    assert state.history == {"loss": [0.5], "overrated": []}
    for name, value in state.network.state_dict().items():
        assert torch.equal(value, wanted[name])
