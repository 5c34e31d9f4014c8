"""Adversarial rounds: what the search found is rated by the truth and learned."""

import numpy as np
import pytest
import torch

from skdeepclust.critic import _adversary, _training
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
    half, _ = attack_tasks(network, tasks, np.random.RandomState(0), share=0.5)
    assert len(half) == round(0.5 * len(tasks))
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


PLAN = CriticPlan(n_epochs=2, wasserstein=0.5)


@pytest.fixture
def brief(monkeypatch):
    """Attacks that take no time."""
    monkeypatch.setattr(_adversary, "_POPULATION", 6)
    monkeypatch.setattr(_adversary, "_GENERATIONS", 2)


class Run:
    """A training in two rounds, in what might be a new process."""

    def __init__(self, tasks, **options):
        self.network, self.rng, self.seen = make_network(), np.random.RandomState(0), []
        self.arguments, self.options = (tasks, PLAN, self.rng, 2), options

    def run(self):
        self.history = train_in_rounds(
            self.network, *self.arguments, lambda figures: self.seen.append(figures), **self.options
        )
        self.next_number = self.rng.randint(2**31)
        return self

    def weights(self):
        return torch.cat([p.detach().flatten() for p in self.network.parameters()])


def assert_same(found, wanted):
    assert torch.equal(found.weights(), wanted.weights())
    assert found.history == wanted.history
    assert found.seen == wanted.seen
    assert found.next_number == wanted.next_number


@pytest.mark.usefixtures("brief")
def test_a_training_that_dies_after_every_save_gets_there(tasks, memory, killed):
    wanted = Run(tasks).run()
    assert_same(Run(tasks, store=memory).run(), wanted)
    memory.saved = None
    for _ in range(6):  # four epochs and two attacks
        memory.lives = 1
        with pytest.raises(killed):
            Run(tasks, store=memory).run()
    memory.lives = 1
    assert_same(Run(tasks, store=memory).run(), wanted)
    assert memory.lives == 1  # nothing was left to be done


@pytest.mark.usefixtures("brief")
@pytest.mark.parametrize("n_saved", range(1, 7))
def test_a_training_that_dies_once_gets_there(tasks, memory, killed, n_saved):
    memory.lives = n_saved
    with pytest.raises(killed):
        Run(tasks, store=memory).run()
    memory.lives = None
    assert_same(Run(tasks, store=memory).run(), Run(tasks).run())


class Interrupts:
    """KeyboardInterrupt at some calls of the loss, counted from 0."""

    def __init__(self, function):
        self.function, self.calls, self.places = function, 0, ()

    def come_at(self, *places):
        self.calls, self.places = 0, places

    def __call__(self, *arguments):
        self.calls += 1
        if self.calls - 1 in self.places:
            raise KeyboardInterrupt
        return self.function(*arguments)


@pytest.fixture
def interrupts(monkeypatch):
    found = Interrupts(_training.task_loss)
    monkeypatch.setattr(_training, "task_loss", found)
    return found


@pytest.mark.usefixtures("brief")
class TestInterrupt:
    def test_in_the_first_epoch_it_is_raised(self, tasks, interrupts):
        interrupts.come_at(len(tasks) - 1)
        with pytest.raises(KeyboardInterrupt):
            Run(tasks, keep_if_interrupted=True).run()

    def test_later_the_last_complete_epoch_is_kept(self, tasks, interrupts):
        complete = Run(tasks)
        complete.arguments = (*complete.arguments[:3], 0)
        epochs = complete.seen = Recorder(complete.weights)
        complete.run()
        run = Run(tasks, keep_if_interrupted=True)
        interrupts.come_at(len(tasks) + 3)
        run.run()
        assert torch.equal(run.weights(), epochs.seen[0])
        assert not torch.equal(run.weights(), complete.weights())
        assert run.history == {"loss": complete.history["loss"][:1], "overrated": []}
        assert not run.network.training

    def test_it_is_raised_unless_told_otherwise(self, tasks, interrupts):
        interrupts.come_at(len(tasks) + 3)
        with pytest.raises(KeyboardInterrupt):
            Run(tasks).run()

    def test_a_second_one_is_raised(self, tasks, interrupts):
        interrupts.come_at(len(tasks) + 3, len(tasks) + 4)
        with pytest.raises(KeyboardInterrupt):
            Run(tasks, keep_if_interrupted=True).run()

    def test_in_an_attack_the_training_before_it_is_kept(self, tasks, monkeypatch):
        def attack(*_):
            raise KeyboardInterrupt

        monkeypatch.setattr(_adversary, "_attack", attack)
        run = Run(tasks, keep_if_interrupted=True)
        epochs = run.seen = Recorder(run.weights)
        run.run()
        assert torch.equal(run.weights(), epochs.seen[1])
        assert len(run.history["loss"]) == 2
        assert run.history["overrated"] == []

    def test_it_goes_on_from_the_store(self, tasks, memory, interrupts):
        wanted = Run(tasks).run()
        interrupts.come_at(2 * len(tasks) + 3)  # after two epochs, a check and an attack
        Run(tasks, store=memory, keep_if_interrupted=True).run()
        assert memory.saved[1]["n_rounds"] == 1
        assert_same(Run(tasks, store=memory).run(), wanted)


class Recorder(list):
    """A list that, at every item, also keeps what a function gives."""

    def __init__(self, function):
        self.function, self.seen = function, []

    def append(self, item):
        super().append(item)
        self.seen.append(self.function())
