"""Torch randomness from a seed, without a trace outside."""

import multiprocessing
import os
import random
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from torch import nn

from skdeepclust.networks import (
    ConvEncoder,
    EncoderNetwork,
    LinearEncoder,
    MLPEncoder,
    ModuleEncoder,
)
from skdeepclust.training import (
    AUGMENTATIONS,
    InputScaling,
    Recipe,
    Rows,
    TrainingPlan,
    augmentation,
    learn_encoder,
)
from skdeepclust.training import _loop as loop
from skdeepclust.training._random import (
    PrivateDraws,
    draws_as_known,
    module_draws,
    seeded_torch,
)

CPU = torch.device("cpu")
# A thread or process that has not ended by then hangs.
PATIENCE = 60
CAN_FORK = "fork" in multiprocessing.get_all_start_methods()


def states():
    return torch.get_rng_state().tolist(), random.getstate(), np.random.get_state()[1].tolist()


def test_global_states_are_left_as_they_were():
    before = states()
    with seeded_torch(np.random.RandomState(0), CPU):
        torch.nn.Linear(3, 3)
        torch.rand(100)
    assert states() == before


def test_global_state_returns_after_an_error():
    before = states()
    try:
        with seeded_torch(np.random.RandomState(0), CPU):
            torch.rand(3)
            raise KeyError
    except KeyError:
        pass
    assert states() == before


def test_draws_follow_from_the_random_state_alone():
    draws = []
    for seed in (0, 0, 1):
        torch.manual_seed(len(draws))
        with seeded_torch(np.random.RandomState(seed), CPU):
            draws.append(torch.rand(5))
    assert torch.equal(draws[0], draws[1])
    assert not torch.equal(draws[0], draws[2])


def test_two_blocks_draw_different_numbers():
    rng = np.random.RandomState(0)
    draws = []
    for _ in range(2):
        with seeded_torch(rng, CPU):
            draws.append(torch.rand(5))
    assert not torch.equal(*draws)


def test_a_block_may_be_inside_another():
    with seeded_torch(np.random.RandomState(0), CPU):
        expected = torch.rand(2, 5)
    with seeded_torch(np.random.RandomState(0), CPU):
        first = torch.rand(5)
        with seeded_torch(np.random.RandomState(1), CPU):
            torch.rand(7)
        second = torch.rand(5)
    assert torch.equal(torch.stack([first, second]), expected)


@pytest.mark.gpu
@pytest.mark.parametrize("name", ["cpu", "cuda"])
def test_generators_of_devices_are_left_as_they_were(name):
    torch.cuda.manual_seed(5)
    before = torch.cuda.get_rng_state()
    draws = []
    for _ in range(2):
        with seeded_torch(np.random.RandomState(0), torch.device(name)):
            draws.append(torch.rand(5, device=name))
    assert torch.equal(*draws)
    assert torch.equal(torch.cuda.get_rng_state(), before)


def draw_slowly(seed):
    """Numbers drawn in several steps, between which other threads get their turn."""
    with seeded_torch(np.random.RandomState(seed), CPU):
        drawn = []
        for _ in range(20):
            drawn.append(torch.rand(3))
            time.sleep(1e-4)
        return torch.cat(drawn)


def test_threads_draw_what_each_would_draw_alone():
    before = states()
    expected = [draw_slowly(seed) for seed in range(8)]
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(draw_slowly, range(8)))
    assert all(map(torch.equal, found, expected))
    assert states() == before


def in_forked_child(function):
    """What a function says in a forked child; fails if it does not end."""
    context = multiprocessing.get_context("fork")
    receiver, sender = context.Pipe(duplex=False)
    child = context.Process(target=lambda: sender.send(function()))
    child.start()
    try:
        assert receiver.poll(PATIENCE), "the forked child hangs"
        return receiver.recv()
    finally:
        child.kill()
        child.join()


@pytest.mark.skipif(not CAN_FORK, reason="processes cannot be forked here")
def test_a_child_forked_while_another_thread_draws_does_not_wait_for_it():
    expected = draw_slowly(3).tolist()
    inside, done = threading.Event(), threading.Event()

    def hold():
        with seeded_torch(np.random.RandomState(0), CPU):
            inside.set()
            done.wait(PATIENCE)

    thread = threading.Thread(target=hold)
    thread.start()
    try:
        assert inside.wait(PATIENCE)
        assert in_forked_child(lambda: draw_slowly(3).tolist()) == expected
    finally:
        done.set()
        thread.join()
    assert draw_slowly(3).tolist() == expected


@pytest.mark.skipif(not CAN_FORK, reason="processes cannot be forked here")
def test_a_child_forked_inside_a_block_can_leave_it():
    expected = [draw_slowly(seed) for seed in (0, 1)]
    pid, found = -1, []
    try:
        with seeded_torch(np.random.RandomState(0), CPU):
            pid = os.fork()
            found = [torch.cat([torch.rand(3) for _ in range(20)])]
        found.append(draw_slowly(1))
    finally:
        if pid == 0:  # the child, which must not go on with the tests
            os._exit(0 if list(map(torch.equal, found, expected)) == [True, True] else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    assert list(map(torch.equal, found, expected)) == [True, True]


BUILDERS = {
    "linear": (LinearEncoder(), (7,)),
    "mlp": (MLPEncoder(hidden=(9, 5), dropout=0.3), (7,)),
    "conv": (ConvEncoder(channels=(3, 4), dropout=0.2, precision="float32"), (2, 8, 8)),
    "module": (ModuleEncoder(nn.Sequential(nn.Linear(7, 9), nn.Dropout(0.5, inplace=True))), (7,)),
}


def build_and_run(name, is_private, n_steps=3):
    """Weights and outputs in training mode of a network whose numbers follow from a seed."""
    encoder, shape = BUILDERS[name]
    X = torch.linspace(-1, 1, 16 * int(np.prod(shape))).reshape(16, *shape)
    with module_draws(np.random.RandomState(4), CPU, is_private) as draws:
        with draws.initialization():
            network = encoder.build(shape, 3).train()
        with draws.training(network):
            outputs = [network(X).detach() for _ in range(n_steps)]
    return [*network.state_dict().values(), *outputs], network


@pytest.mark.parametrize("name", BUILDERS)
def test_a_private_generator_gives_the_numbers_of_the_global_one(name):
    expected, _ = build_and_run(name, is_private=False)
    before = states()
    found, network = build_and_run(name, is_private=True)
    assert states() == before
    assert all(map(torch.equal, found, expected))
    assert network.generator is None
    assert not any("forward" in vars(module) for module in network.modules())


def test_private_dropout_silences_the_wanted_share_and_keeps_the_mean():
    layer = nn.Dropout(0.2)
    network = EncoderNetwork(nn.Sequential(nn.Flatten(), layer), nn.Identity())
    with PrivateDraws(0).training(network):
        kept = network(torch.ones(100, 200))
        assert set(kept.unique().tolist()) == {0.0, 1.25}
        assert abs(float(kept.mean()) - 1) < 0.02
        assert torch.equal(network.eval()(torch.ones(4, 4)), torch.ones(4, 4))
    assert not torch.equal(kept, torch.ones(100, 200))


@pytest.mark.parametrize("p", [0.0, 1.0])
def test_private_dropout_of_nothing_and_of_everything(p):
    network = EncoderNetwork(nn.Dropout(p), nn.Identity()).train()
    with PrivateDraws(0).training(network):
        assert torch.equal(network(torch.ones(3, 3)), torch.full((3, 3), 1 - p))
        assert network(torch.ones(0, 3)).shape == (0, 3)


def test_dropout_is_as_before_after_an_error_in_training():
    network = build_and_run("mlp", is_private=True)[1]
    with pytest.raises(KeyError), PrivateDraws(0).training(network):
        raise KeyError
    torch.manual_seed(0)
    with torch.random.fork_rng(devices=[]):
        expected = network.train()(torch.ones(4, 7))
    assert torch.equal(network(torch.ones(4, 7)), expected)


class Noisy(nn.Module):
    """Draws without a layer that could be seen."""

    def forward(self, x):
        return x + torch.rand_like(x) if self.training else x


@pytest.mark.parametrize(
    "encoder, known",
    [
        (MLPEncoder(dropout=0.1), True),
        (ConvEncoder(), True),
        (ModuleEncoder(nn.Sequential(nn.Linear(3, 3), nn.Dropout())), True),
        (ModuleEncoder(nn.Sequential(nn.Linear(3, 3), nn.AlphaDropout())), False),
        (ModuleEncoder(Noisy()), False),
        (type("Own", (MLPEncoder,), {})(), False),
    ],
)
def test_what_draws_is_known_of_our_encoders_and_of_plain_layers(encoder, known):
    assert draws_as_known(encoder, None) is known


def test_of_a_network_its_layers_are_looked_at():
    ours = MLPEncoder(dropout=0.1).build((3,), 2)
    assert draws_as_known(ModuleEncoder(Noisy()), ours)
    assert not draws_as_known(MLPEncoder(), EncoderNetwork(Noisy(), nn.Identity()))


def make_rows(n=90, shape=(6,)):
    rng = np.random.RandomState(0)
    codes = np.arange(n) % 3
    X = rng.standard_normal((n, *shape)) + 2 * codes.reshape(n, *[1] * len(shape))
    return Rows(X, InputScaling.fit(X, shape), shape, CPU), codes


def learn(encoder, shape=(6,), augment=None, seed=0):
    """All weights after two epochs."""
    rows, codes = make_rows(shape=shape)
    plan = TrainingPlan(2, 0.01, 0.0, 0.1, 10, augment=augmentation(augment))
    recipe = Recipe(encoder, None, 30, plan, False, 0.2)
    network, _ = learn_encoder(
        rows, codes, np.arange(len(codes)), recipe, np.random.RandomState(seed)
    )
    return torch.cat([value.double().ravel() for value in network.state_dict().values()])


class Careless:
    """An augmentation that draws from torch's global generator."""

    def __call__(self, inputs, generator):
        return inputs + 0.1 * torch.randn_like(inputs)


NOISE = nn.Sequential(nn.Linear(6, 5), Noisy())
FITS = {
    "linear": (LinearEncoder(), (6,), None),
    "mlp": (MLPEncoder(hidden=(8,)), (6,), None),
    "dropout": (MLPEncoder(hidden=(8,), dropout=0.4), (6,), None),
    "conv": (ConvEncoder(channels=(3,), dropout=0.2), (1, 5, 5), AUGMENTATIONS[0]),
    "module": (ModuleEncoder(NOISE), (6,), None),
    "augment": (MLPEncoder(hidden=(8,)), (6,), Careless()),
}


@pytest.mark.parametrize("name", FITS)
def test_threads_learn_what_each_would_learn_alone(name):
    before = states()
    expected = [learn(*FITS[name], seed=seed) for seed in range(8)]
    assert not torch.equal(expected[0], expected[1]) or name == "linear"
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda seed: learn(*FITS[name], seed=seed), range(8)))
    assert all(map(torch.equal, found, expected))
    assert states() == before


@pytest.mark.parametrize("name", ["linear", "mlp", "dropout", "conv"])
def test_a_users_thread_that_draws_neither_disturbs_nor_is_disturbed(name):
    expected = learn(*FITS[name])
    torch.manual_seed(1)
    stop, drawn = threading.Event(), []

    def draw():
        while not stop.is_set():
            drawn.append(float(torch.rand(1)))
            time.sleep(1e-4)

    thread = threading.Thread(target=draw)
    thread.start()
    try:
        found = []
        while len(found) < 3 or len(drawn) < 2:  # a busy machine may let the thread wait
            found.append(learn(*FITS[name]))
    finally:
        stop.set()
        thread.join()
    assert all(torch.equal(each, expected) for each in found)
    torch.manual_seed(1)
    assert drawn == [float(torch.rand(1)) for _ in drawn]


@pytest.mark.parametrize("name", ["module", "augment"])
def test_what_draws_unseen_follows_from_the_random_state(name):
    torch.manual_seed(3)
    expected = learn(*FITS[name])
    torch.manual_seed(4)
    before = states()
    assert torch.equal(learn(*FITS[name]), expected)
    assert states() == before


def test_two_passes_draw_the_same_from_a_private_generator(monkeypatch):
    encoder = MLPEncoder(hidden=(8,), dropout=0.4)
    monkeypatch.setattr(loop, "CHUNK_ROWS", 10)
    before = states()
    private = learn(encoder)
    assert states() == before
    monkeypatch.setattr("skdeepclust.training._learn.draws_as_known", lambda *args: False)
    assert torch.equal(learn(encoder), private)
