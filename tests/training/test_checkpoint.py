"""Training that was cut off and goes on: the same bits as without a break."""

from __future__ import annotations

import copy
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn

from skdeepclust.networks import ConvEncoder, EncoderNetwork
from skdeepclust.training import InputScaling, Rows, TrainingPlan, augmentation
from skdeepclust.training import _checkpoint as module
from skdeepclust.training import _loop as loop
from skdeepclust.training._augmentation import Augmentation
from skdeepclust.training._batches import BatchShape
from skdeepclust.training._checkpoint import StateKeeper, TrainingState
from skdeepclust.training._loop import BatchSource, BestWeights, Schedule, train
from skdeepclust.training._plan import TrainingResult

SHAPE = BatchShape(4, 40, 4)
N_EPOCHS = 7


class Memory:
    """A store that keeps copies."""

    def __init__(self, enabled=True):
        self.enabled = enabled
        self.saved = []

    def load(self):
        return copy.deepcopy(self.saved[-1]) if self.saved else None

    def save(self, arrays, document):
        self.saved.append(copy.deepcopy((dict(arrays), dict(document))))


class StoppedError(Exception):
    pass


@pytest.fixture(autouse=True)
def generator_is_put_back():
    with torch.random.fork_rng(devices=[]):
        yield


@pytest.fixture
def every_epoch(monkeypatch):
    monkeypatch.setattr(module, "_SECONDS_BETWEEN", 0.0)
    monkeypatch.setattr(module, "_TIMES_BETWEEN", 0)


def draw_rows(image_shape=None, n=120, k=4):
    rng = np.random.RandomState(0)
    shape = image_shape or (6,)
    codes = np.arange(n) % k
    p = int(np.prod(shape))
    X = rng.standard_normal((k, p))[codes] + rng.standard_normal((n, p))
    return Rows(X, InputScaling.fit(X, shape), shape, torch.device("cpu")), codes


def mlp(dropout=0.3):
    layers = [nn.Linear(6, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Dropout(dropout)]
    return EncoderNetwork(nn.Sequential(*layers), nn.Linear(16, 4))


def conv():
    return ConvEncoder(channels=(4, 6), dropout=0.2, precision="bfloat16").build((1, 6, 6), 4)


class Counting(nn.Module):
    """A buffer that is not in the state_dict, and a parameter that is never used."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(6, 4)
        self.unused = nn.Parameter(torch.zeros(3))
        self.register_buffer("n_seen", torch.zeros(()), persistent=False)

    def forward(self, x):
        if self.training:
            self.n_seen += 1
        return self.layer(x) * (1 + self.n_seen / 10)


def falling(n):
    """Held-out objectives that fall and rise, by the number of the epoch."""
    return iter([4.0, 3.0, 3.5, 2.0, 2.5, 2.6, 1.9][n:])


def noisy(inputs, generator):
    return inputs + torch.randn(inputs.shape, generator=generator)


CASES = {
    "dropout": {},
    "leave-one-out": {"plan": {"loss": "leave-one-out"}},
    "held-out rows": {"held_out": True},
    "assignments": {"targets": lambda codes: np.eye(4)[codes] * 0.8 + 0.05},
    "noise": {"plan": {"augment": Augmentation(noisy)}},
    "images": {
        "network": conv, "image_shape": (1, 6, 6), "held_out": True,
        "plan": {"augment": augmentation("affine"), "loss": "leave-one-out"},
    },
    "turns": {
        "network": conv, "image_shape": (1, 6, 6), "plan": {"augment": augmentation("affine+turns")}
    },
    "buffers": {"network": Counting},
}  # fmt: skip


class Run:
    """What a training leaves behind; it may be cut off after an epoch."""

    def __init__(self, case, store=None, stop_after=None, max_epochs=N_EPOCHS):
        options = CASES[case]
        rows, codes = draw_rows(options.get("image_shape"))
        targets = options.get("targets", lambda codes: codes)(codes)
        torch.manual_seed(5)
        self.network = options.get("network", mlp)()
        self.rng, self.stop_after, self.n_seen = np.random.RandomState(7), stop_after, 0
        done = store.saved[-1][1]["n_epochs"] if store is not None and store.saved else 0
        values = falling(done)
        plan = TrainingPlan(
            max_epochs=max_epochs, learning_rate=0.01, weight_decay=1e-3, ridge=0.1, patience=99,
            **options.get("plan", {}),
        )  # fmt: skip
        try:
            self.result = train(
                self.network, rows, targets, SHAPE, plan, self.rng,
                validate=(lambda: next(values)) if options.get("held_out") else None,
                on_epoch=self.see, store=store,
            )  # fmt: skip
        except StoppedError:
            self.result = None
        self.drawn = torch.rand(3)

    def see(self, figures):
        self.n_seen += 1
        if self.n_seen == self.stop_after:
            raise StoppedError

    def bits(self):
        tensors = dict(self.network.named_parameters()) | dict(self.network.named_buffers())
        return {
            **{name: value.detach().numpy().tobytes() for name, value in tensors.items()},
            "history": self.result.history,
            "n_epochs": self.result.n_epochs,
            "rng": self.rng.randint(2**31, size=5).tolist(),
            "drawn": self.drawn.tolist(),
        }


@pytest.mark.usefixtures("every_epoch")
class TestGoingOn:
    @pytest.mark.parametrize("case", CASES)
    def test_ends_with_the_same_bits(self, case):
        expected, store = Run(case).bits(), Memory()
        for stop_after in (2, 5):
            cut = Run(case, store, stop_after)
            assert cut.result is None
            assert store.saved[-1][1]["n_epochs"] == stop_after
        assert Run(case, store).bits() == expected

    def test_saving_changes_nothing(self):
        store = Memory()
        assert Run("images", store).bits() == Run("images").bits()
        assert [document["n_epochs"] for _, document in store.saved] == [*range(1, N_EPOCHS + 1)]

    def test_each_epoch_is_reported_once_more(self):
        store = Memory()
        Run("dropout", store, 4)
        assert Run("dropout", store).n_seen == N_EPOCHS

    def test_after_the_last_epoch_there_is_none(self):
        store = Memory()
        expected = Run("held-out rows", store).bits()
        assert Run("held-out rows", store).bits() == expected
        assert len(store.saved) == N_EPOCHS

    def test_after_the_end_by_patience_there_is_none(self):
        store, rows = Memory(), draw_rows()[0]
        codes = np.arange(120) % 4
        plan = TrainingPlan(
            max_epochs=50, learning_rate=1e-30, weight_decay=0.0, ridge=0.1, patience=2
        )
        results = [
            train(mlp(0.0), rows, codes, BatchShape(4, 120, 4), plan, rng, store=store)
            for rng in (np.random.RandomState(0), np.random.RandomState(0))
        ]
        assert results[0].n_epochs == results[1].n_epochs == len(store.saved) < 50
        assert results[1].converged

    def test_layout_of_the_moments_is_that_of_the_weights(self):
        store = Memory()
        Run("images", store, 3)
        rows, _ = draw_rows((1, 6, 6))
        state = fresh_state(conv(), rows)
        state.unpack(*store.load())
        layers = [m for m in state.network.modules() if isinstance(m, nn.Conv2d)]
        weight = layers[-1].weight
        assert not weight.is_contiguous()
        assert weight.is_contiguous(memory_format=torch.channels_last)
        moments = state.optimizer.state[weight]
        assert moments["exp_avg"].stride() == weight.stride()
        assert moments["step"] == 3 * 3


def fresh_state(network, rows, rng=None):
    plan = TrainingPlan(3, 0.01, 0.0, 0.1, 9, augment=Augmentation(noisy))
    codes = np.arange(len(rows)) % 4
    batches = BatchSource(
        rows, codes, np.arange(len(rows)), SHAPE, plan.augment, rng or np.random.RandomState(0)
    )
    optimizer = torch.optim.AdamW(network.parameters())
    schedule, best = Schedule(plan), BestWeights(plan)
    return TrainingState(network, optimizer, batches, schedule, best, TrainingResult())


class TestTrainingState:
    def test_comes_back(self):
        rows, _ = draw_rows()
        first = fresh_state(mlp(), rows)
        first.network(rows.take(slice(None))).square().sum().backward()
        first.optimizer.step()
        first.best.no_progress(first.network, {"objective": 1.0, "monitor": -3.0}, keep=True)
        first.result.record(objective=1.0)
        first.batches.rng.randn(3)
        arrays, document = first.pack()
        second = fresh_state(mlp(), rows, np.random.RandomState(9))
        torch.rand(5)
        second.unpack(copy.deepcopy(arrays), copy.deepcopy(document))
        again, read = second.pack()
        assert again.keys() == arrays.keys()
        for name, array in arrays.items():
            np.testing.assert_array_equal(again[name], array, err_msg=name)
        assert read.pop("elapsed") == pytest.approx(document.pop("elapsed"), abs=60)
        assert read == document
        assert second.batches.rng.randn() == first.batches.rng.randn()

    @pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float64, torch.complex64])
    def test_weights_of_any_type(self, dtype):
        rows, _ = draw_rows()
        first = nn.ParameterList([torch.ones(2, 3, dtype=dtype) / 3, torch.empty(0, dtype=dtype)])
        second = nn.ParameterList([torch.zeros(2, 3, dtype=dtype), torch.empty(0, dtype=dtype)])
        fresh_state(second, rows).unpack(*fresh_state(first, rows).pack())
        assert torch.equal(second[0], first[0])
        assert second[0].dtype == dtype

    def test_generators_of_another_device_are_left_alone(self):
        rows, _ = draw_rows()
        arrays, document = fresh_state(mlp(), rows).pack()
        arrays["random.1"] = arrays["random.0"]
        document["tensors"]["random.1"] = document["tensors"]["random.0"]
        other = fresh_state(mlp(), rows)
        before = torch.get_rng_state()
        other.unpack(arrays, document)
        assert torch.equal(torch.get_rng_state(), before)

    def test_a_state_that_is_no_tensor(self):
        class Odd(nn.Linear):
            def get_extra_state(self):
                return {"seen": 3}

            def set_extra_state(self, state):
                pass

        rows, _ = draw_rows()
        with pytest.raises(NotImplementedError, match=r"checkpoint .*_extra_state.*=None is want"):
            fresh_state(Odd(6, 4), rows).pack()


class Clock:
    def __init__(self, monkeypatch):
        self.now = 1000.0
        for place in (module, loop):
            monkeypatch.setattr(place, "time", SimpleNamespace(monotonic=lambda: self.now))


class TestStateKeeper:
    def test_saves_now_and_then(self, monkeypatch):
        clock, store = Clock(monkeypatch), Memory()
        keeper = StateKeeper(SimpleNamespace(pack=lambda: ({}, {"now": clock.now})), store)
        for _ in range(35):
            keeper.save()
            clock.now += 0.125
        assert [document["now"] - 1000 for _, document in store.saved] == [0, 1, 2, 3, 4]

    def test_a_save_that_takes_long_is_rare(self, monkeypatch):
        clock, store = Clock(monkeypatch), Memory()

        def pack():
            clock.now += 1
            return {}, {"now": clock.now}

        keeper = StateKeeper(SimpleNamespace(pack=pack), store)
        for _ in range(50):
            keeper.save()
            clock.now += 1
        times = [document["now"] for _, document in store.saved]
        assert np.diff(times).min() > 20
        assert len(times) == 3

    @pytest.mark.parametrize("store", [None, Memory(enabled=False)])
    def test_keeps_nothing_where_nothing_is_wanted(self, store):
        keeper = StateKeeper(SimpleNamespace(pack=None, unpack=None), store)
        keeper.save()
        keeper.load()
        assert store is None or store.saved == []

    def test_errors_of_the_store_end_the_training(self):
        class Full(Memory):
            def save(self, arrays, document):
                raise OSError("full")

        with pytest.raises(OSError, match="full"):
            Run("dropout", Full())


@pytest.mark.usefixtures("every_epoch")
def test_time_goes_on_where_it_was(monkeypatch):
    clock, store = Clock(monkeypatch), Memory()
    rows, codes = draw_rows()
    plan = TrainingPlan(99, 0.01, 0.0, 0.1, 99, max_time=6.0)

    def run(stop_after):
        seen, n_before = [], len(store.saved)

        def tick(figures):
            if len(seen) >= n_before:
                clock.now += 1
            seen.append(figures)
            if len(seen) == stop_after:
                raise StoppedError

        rng = np.random.RandomState(0)
        return train(mlp(), rows, codes, SHAPE, plan, rng, on_epoch=tick, store=store)

    with pytest.raises(StoppedError):
        run(4)
    assert store.saved[-1][1]["elapsed"] == 3.0
    clock.now += 1e6
    assert run(None).n_epochs == 7
