"""Gradient training: what falls, what is kept, when it ends."""

from math import cos, pi
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn

from skdeepclust.networks import MLPEncoder
from skdeepclust.spectral import spectral_clustering_loss
from skdeepclust.training import InputScaling, Rows, TrainingPlan, embed_rows
from skdeepclust.training import _loop as module
from skdeepclust.training._augmentation import Augmentation
from skdeepclust.training._batches import BatchShape
from skdeepclust.training._distributed import ALONE, OneProcess
from skdeepclust.training._loop import train


def make_blobs(n=120, k=4, p=6, spread=0.6, seed=0):
    rng = np.random.RandomState(seed)
    codes = np.arange(n) % k
    X = rng.standard_normal((k, p))[codes] * 2 + spread * rng.standard_normal((n, p))
    return Rows(X, InputScaling.fit(X, (p,)), (p,), torch.device("cpu")), codes


def make_network(p=6, d=4, seed=0, **parameters):
    torch.manual_seed(seed)
    return MLPEncoder(hidden=(16,), **parameters).build((p,), d)


def plan(max_epochs=20, patience=1000, **changes):
    values = {"learning_rate": 0.01, "weight_decay": 0.0, "ridge": 0.1} | changes
    return TrainingPlan(max_epochs=max_epochs, patience=patience, **values)


SHAPE = BatchShape(4, 60, 4)


class Clock:
    """Stands for the clock of the training loop; moves when it is told to."""

    def __init__(self, monkeypatch):
        self.now = 1000.0
        monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=lambda: self.now))

    def tick(self, *_):
        self.now += 1


class Recorder:
    """An augmentation that notes down what it gets and changes nothing."""

    def __init__(self, n_turns=1):
        self.n_turns = n_turns
        self.calls = []

    def __call__(self, inputs, codes, n_classes, generator):
        self.calls.append((inputs, codes, n_classes, generator))
        return inputs


def objective(network, rows, targets, ridge):
    return float(
        spectral_clustering_loss(embed_rows(network, rows), torch.as_tensor(targets), ridge=ridge)
    )


@pytest.mark.parametrize("kind", ["codes", "one-hot", "soft"])
def test_objective_falls_on_separable_data(kind):
    rows, codes = make_blobs()
    targets = {"codes": codes, "one-hot": np.eye(4)[codes]}.get(kind)
    targets = np.eye(4)[codes] * 0.8 + 0.05 if targets is None else targets
    network = make_network()
    before = objective(network, rows, targets, 0.1)
    result = train(network, rows, targets, SHAPE, plan(), np.random.RandomState(0))
    assert objective(network, rows, targets, 0.1) < 0.5 * before
    assert result.history["objective"][-1] < 0.5 * result.history["objective"][0]
    assert not network.training


def test_history_has_an_entry_for_each_epoch():
    rows, codes = make_blobs()
    seen = []
    result = train(
        make_network(), rows, codes, SHAPE, plan(5), np.random.RandomState(0), on_epoch=seen.append
    )
    assert list(result.history) == ["objective", "monitor", "learning_rate"]
    assert {len(values) for values in result.history.values()} == {5} == {result.n_epochs}
    assert not result.converged
    assert [list(figures) for figures in seen] == [list(result.history)] * 5
    assert [figures["monitor"] for figures in seen] == result.history["monitor"]


def test_history_with_validation():
    rows, codes = make_blobs()
    values = iter([3.0, 2.0, 2.5])
    result = train(
        make_network(), rows, codes, SHAPE, plan(3), np.random.RandomState(0),
        validate=lambda: next(values),
    )  # fmt: skip
    assert list(result.history) == ["objective", "monitor", "validation_objective", "learning_rate"]
    assert result.history["validation_objective"] == [3.0, 2.0, 2.5]


@pytest.mark.parametrize("n_classes", [2, 4])
def test_monitor_is_the_objective_minus_the_classes_of_a_batch(n_classes):
    rows, codes = make_blobs()
    shape = BatchShape(4, 60, n_classes)
    history = train(make_network(), rows, codes, shape, plan(4), np.random.RandomState(0)).history
    difference = np.subtract(history["objective"], history["monitor"])
    np.testing.assert_allclose(difference, n_classes)
    assert all(-n_classes <= value <= 0 for value in history["monitor"])


@pytest.mark.parametrize("columns", [4, [0, 1, 2, 3, 3], [0, 0, 1]], ids=str)
def test_monitor_is_minus_the_trace_for_matrices_of_any_rank(columns):
    rows, codes = make_blobs()
    targets = np.eye(4)[codes][:, np.arange(4) if columns == 4 else columns]
    network = make_network()
    F = embed_rows(network, rows).double().numpy()
    expected = -np.trace(targets @ np.linalg.pinv(targets) @ F @ np.linalg.pinv(F))
    history = train(
        network, rows, targets, BatchShape(4, 120, 4), plan(1, ridge=0.0), np.random.RandomState(0)
    ).history
    assert history["monitor"][0] == pytest.approx(expected, abs=1e-4)


def test_learning_rate_follows_half_a_cosine():
    rows, codes = make_blobs()
    shape = BatchShape(4, 120, 4)  # one batch an epoch
    history = train(make_network(), rows, codes, shape, plan(8), np.random.RandomState(0)).history
    expected = [0.01 * (0.01 + 0.99 * 0.5 * (1 + cos(pi * e / 8))) for e in range(8)]
    np.testing.assert_allclose(history["learning_rate"], expected)
    assert expected[0] == 0.01


def test_first_step_is_adamw_on_the_first_batch():
    rows, codes = make_blobs()
    network, twin = make_network(), make_network()
    shape = BatchShape(4, 120, 4)
    train(network, rows, codes, shape, plan(1, weight_decay=0.1), np.random.RandomState(0))
    optimizer = torch.optim.AdamW(twin.parameters(), lr=0.01, weight_decay=0.1)
    embedding = twin(rows.take(slice(None)))
    embedding = embedding / embedding.norm(dim=1, keepdim=True)
    spectral_clustering_loss(embedding, torch.as_tensor(codes), ridge=0.1).backward()
    optimizer.step()
    for a, b in zip(network.parameters(), twin.parameters(), strict=True):
        torch.testing.assert_close(a, b, rtol=0, atol=1e-4)


@pytest.mark.parametrize("best", [0, 2, 5])
def test_weights_of_the_best_epoch_come_back(best):
    rows, codes = make_blobs()
    network, snapshots = make_network(), []

    def validate():
        snapshots.append({k: v.clone() for k, v in network.state_dict().items()})
        return 1.0 + abs(len(snapshots) - 1 - best)

    train(network, rows, codes, SHAPE, plan(6), np.random.RandomState(0), validate=validate)
    assert len(snapshots) == 6
    assert all(torch.equal(v, snapshots[best][k]) for k, v in network.state_dict().items())
    assert not torch.equal(snapshots[0]["head.weight"], snapshots[1]["head.weight"])


def test_last_weights_stay_without_validation():
    rows, codes = make_blobs()
    network, snapshots = make_network(), []
    train(
        network, rows, codes, SHAPE, plan(3), np.random.RandomState(0),
        on_epoch=lambda _: snapshots.append(network.head.weight.detach().clone()),
    )  # fmt: skip
    assert torch.equal(network.head.weight, snapshots[-1])


@pytest.mark.parametrize("patience", [1, 3])
def test_training_ends_when_patience_is_exhausted(patience):
    rows, codes = make_blobs()
    values = iter([3.0, 2.0, 2.0, 1.9999, 2.5, 3.0, 1.0])
    result = train(
        make_network(), rows, codes, SHAPE, plan(7, patience), np.random.RandomState(0),
        validate=lambda: next(values),
    )  # fmt: skip
    assert result.converged
    assert result.n_epochs == 2 + patience


def test_progress_resets_patience():
    rows, codes = make_blobs()
    values = iter([3.0, 3.0, 2.0, 2.0, 1.0, 1.0])
    result = train(
        make_network(), rows, codes, SHAPE, plan(6, 2), np.random.RandomState(0),
        validate=lambda: next(values),
    )  # fmt: skip
    assert result.n_epochs == 6
    assert not result.converged


def test_training_objective_decides_without_validation():
    rows, codes = make_blobs()
    network = make_network()
    frozen = plan(50, 4, learning_rate=1e-30)
    result = train(network, rows, codes, BatchShape(4, 120, 4), frozen, np.random.RandomState(0))
    assert result.converged
    assert result.n_epochs == 5


def test_result_follows_from_the_random_state():
    rows, codes = make_blobs()
    runs = []
    for seed in (0, 0, 1):
        network = make_network()
        history = train(network, rows, codes, SHAPE, plan(3), np.random.RandomState(seed)).history
        runs.append((history, network.head.weight.detach().clone()))
    assert runs[0][0] == runs[1][0]
    assert torch.equal(runs[0][1], runs[1][1])
    assert not torch.equal(runs[0][1], runs[2][1])


def test_only_rows_at_indices_are_seen():
    rows, codes = make_blobs()
    indices = np.flatnonzero(codes < 2)
    taken = []
    take = rows.take
    rows.take = lambda batch: taken.append(batch) or take(batch)
    shape = BatchShape(4, 20, 2)
    train(make_network(), rows, codes[indices], shape, plan(2), np.random.RandomState(0), indices)
    assert set(np.concatenate(taken)) == set(indices)


def test_batch_statistics_are_learned_and_dropout_is_on():
    rows, codes = make_blobs()
    body = nn.Sequential(nn.Linear(6, 8), nn.BatchNorm1d(8), nn.Dropout(0.5), nn.Linear(8, 4))
    train(body.eval(), rows, codes, SHAPE, plan(2), np.random.RandomState(0))
    assert int(body[1].num_batches_tracked) == 4
    assert not body.training


def test_without_time_there_is_one_step():
    rows, codes = make_blobs()
    network, taken = make_network(), []
    before = network.head.weight.detach().clone()
    take = rows.take
    rows.take = lambda batch: taken.append(batch) or take(batch)
    result = train(network, rows, codes, SHAPE, plan(max_time=1e-9), np.random.RandomState(0))
    assert len(taken) == 1
    assert result.n_epochs == 1 == len(result.history["objective"])
    assert not result.converged
    assert not network.training
    assert not torch.equal(network.head.weight, before)


def test_training_ends_in_the_middle_of_an_epoch(monkeypatch):
    rows, codes = make_blobs()
    clock, taken = Clock(monkeypatch), []
    take = rows.take
    rows.take = lambda batch: clock.tick() or taken.append(batch) or take(batch)
    result = train(make_network(), rows, codes, SHAPE, plan(max_time=3), np.random.RandomState(0))
    assert len(taken) == 3  # of two an epoch
    assert result.n_epochs == 2
    assert not result.converged


@pytest.mark.parametrize(("max_epochs", "n_epochs"), [(1000, 4), (4, 4), (3, 3)])
def test_learning_rate_falls_with_the_share_of_the_time(monkeypatch, max_epochs, n_epochs):
    rows, codes = make_blobs()
    history = train(
        make_network(), rows, codes, BatchShape(4, 120, 4), plan(max_epochs, max_time=4),
        np.random.RandomState(0), on_epoch=Clock(monkeypatch).tick,
    ).history  # fmt: skip
    shares = [max(e / 4, e / max_epochs) for e in range(n_epochs)]
    expected = [0.01 * (0.01 + 0.99 * 0.5 * (1 + cos(pi * share))) for share in shares]
    np.testing.assert_allclose(history["learning_rate"], expected)


def test_time_that_does_not_run_out_changes_nothing(monkeypatch):
    Clock(monkeypatch)
    rows, codes = make_blobs()
    runs = []
    for max_time in (None, 1.0):
        network = make_network()
        train(network, rows, codes, SHAPE, plan(3, max_time=max_time), np.random.RandomState(0))
        runs.append(network.head.weight.detach().clone())
    assert torch.equal(*runs)


@pytest.mark.parametrize(("held_out", "n_epochs"), [(False, 8), (True, 3)])
def test_with_a_time_limit_patience_is_for_held_out_rows(held_out, n_epochs):
    rows, codes = make_blobs()
    frozen = plan(8, 2, learning_rate=1e-30, max_time=1e6)
    result = train(
        make_network(), rows, codes, BatchShape(4, 120, 4), frozen, np.random.RandomState(0),
        validate=(lambda: 1.0) if held_out else None,
    )  # fmt: skip
    assert result.n_epochs == n_epochs
    assert result.converged is held_out


def test_best_weights_come_back_when_time_is_up(monkeypatch):
    rows, codes = make_blobs()
    network, snapshots, clock = make_network(), [], Clock(monkeypatch)

    def validate():
        clock.tick()
        snapshots.append(network.head.weight.detach().clone())
        return float(len(snapshots))

    result = train(
        network, rows, codes, SHAPE, plan(max_time=3), np.random.RandomState(0), validate=validate
    )
    assert (result.n_epochs, result.converged) == (3, False)
    assert torch.equal(network.head.weight, snapshots[0])


@pytest.mark.parametrize("n_turns", [1, 4])
@pytest.mark.parametrize("n_classes", [2, 16])
def test_augmentation_sees_each_batch_with_its_codes(n_turns, n_classes):
    rows, codes = make_blobs()
    indices = np.random.RandomState(1).permutation(120)[:100]
    seen = Recorder(n_turns)
    shape = BatchShape(4, 40, n_classes)
    train(
        make_network(), rows, codes[indices], shape, plan(3, augment=seen),
        np.random.RandomState(0), indices,
    )  # fmt: skip
    assert len(seen.calls) == 3 * -(-100 * n_turns // 40)
    everything = rows.take(slice(None))
    for inputs, batch, k, _ in seen.calls:
        same = (inputs[:, None] == everything).all(dim=2)  # (b, n)
        found = same.int().argmax(dim=1).numpy()
        assert same.any(dim=1).all()
        assert set(found) <= set(indices)
        np.testing.assert_array_equal(batch % 4, codes[found])
        assert k == 4
        assert len(torch.unique(batch)) == min(n_classes, 4 * n_turns)
    assert set(torch.cat([call[1] for call in seen.calls]).tolist()) == set(range(4 * n_turns))


def test_network_sees_what_the_augmentation_returns():
    rows, codes = make_blobs()
    network, seen = make_network(), []
    network.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0].clone()))
    blank = Augmentation(lambda inputs, generator: inputs * 0 + 7)
    train(network, rows, codes, SHAPE, plan(2, augment=blank), np.random.RandomState(0))
    assert len(seen) == 4
    assert all((inputs == 7).all() for inputs in seen)


def test_augmentation_that_changes_nothing_trains_alike_on_the_first_batch():
    rows, codes = make_blobs()
    whole = BatchShape(4, 120, 4)
    histories = [
        train(
            make_network(), rows, codes, whole, plan(1, augment=augment), np.random.RandomState(0)
        ).history
        for augment in (None, Recorder())
    ]
    np.testing.assert_allclose(histories[0]["objective"], histories[1]["objective"], rtol=1e-5)


def test_noise_follows_from_the_random_state():
    rows, codes = make_blobs()
    runs = []
    for seed in (0, 0, 1):
        drawn = []

        def distort(inputs, generator, drawn=drawn):
            drawn.append(torch.randn(inputs.shape, generator=generator))
            return inputs + drawn[-1]

        noisy = plan(2, augment=Augmentation(distort))
        train(make_network(), rows, codes, SHAPE, noisy, np.random.RandomState(seed))
        runs.append(torch.cat(drawn))
        assert not torch.equal(drawn[0], drawn[1])
    assert torch.equal(runs[0], runs[1])
    assert not torch.equal(runs[0], runs[2])


def test_matrices_are_augmented_but_not_turned():
    rows, codes = make_blobs()
    seen = Recorder()
    targets, rng = np.eye(4)[codes], np.random.RandomState(0)
    train(make_network(), rows, targets, SHAPE, plan(2, augment=seen), rng)
    assert [tuple(call[1].shape) for call in seen.calls] == [(60, 4)] * 4
    with pytest.raises(ValueError, match="augment="):
        train(make_network(), rows, targets, SHAPE, plan(2, augment=Recorder(4)), rng)


def test_leave_one_out_training_separates_and_stops_by_its_own_loss():
    rows, codes = make_blobs()
    options = plan(60, patience=3, loss="leave-one-out")
    result = train(make_network(), rows, codes, SHAPE, options, np.random.RandomState(0))
    losses = result.history["loss"]
    assert min(losses) < 0.7 * losses[0]
    assert result.converged == (len(losses) < 60)
    if result.converged:
        assert min(losses[-3:]) >= min(losses[:-3]) - options.tolerance


class TwoRanks(OneProcess):
    """Says that there is another process, and is none."""

    n_ranks = 2


class TestInterrupt:
    """With a store, also one that keeps nothing, an interrupt ends training in good order."""

    nowhere = SimpleNamespace(enabled=False)

    def interrupted(self, network, after, plan, ranks=ALONE, **options):
        rows, codes = make_blobs()
        rows.ranks = ranks
        n_seen = 0

        def interrupt(figures):
            nonlocal n_seen
            n_seen += 1
            if n_seen == after:
                raise KeyboardInterrupt

        options = {"store": self.nowhere, "on_epoch": interrupt} | options
        return train(network, rows, codes, SHAPE, plan, np.random.RandomState(0), **options)

    def test_the_latest_weights_stay_without_validation(self):
        rows, codes = make_blobs()
        network, expected = make_network(), make_network()
        result = self.interrupted(network, 3, plan(50, learning_rate=1e-4))
        assert result.interrupted
        assert result.n_epochs == 3
        assert not network.training
        same = plan(50, learning_rate=1e-4)
        n_seen = []

        def stop(figures):
            n_seen.append(figures)
            if len(n_seen) == 3:
                raise RuntimeError

        with pytest.raises(RuntimeError):
            train(expected, rows, codes, SHAPE, same, np.random.RandomState(0), on_epoch=stop)
        assert torch.equal(network.head.weight, expected.head.weight)

    def test_the_best_weights_come_back_with_validation(self):
        network, snapshots, values = make_network(), [], iter([3.0, 1.0, 2.0, 2.0])

        def validate():
            snapshots.append(network.head.weight.detach().clone())
            return next(values)

        result = self.interrupted(network, 4, plan(50), validate=validate)
        assert result.interrupted
        assert torch.equal(network.head.weight, snapshots[1])

    def test_in_the_middle_of_the_first_epoch(self):
        network = make_network()
        before, n_seen = network.head.weight.detach().clone(), []

        def interrupt(inputs, generator):
            n_seen.append(len(inputs))
            if len(n_seen) == 2:
                raise KeyboardInterrupt
            return inputs

        result = self.interrupted(network, 0, plan(9, augment=Augmentation(interrupt)))
        assert result.interrupted
        assert (result.n_epochs, result.history) == (0, {})
        assert not torch.equal(network.head.weight, before)

    def test_before_the_first_step(self):
        def interrupt(inputs, generator):
            raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            self.interrupted(make_network(), 0, plan(9, augment=Augmentation(interrupt)))

    def test_is_raised_without_a_store(self):
        with pytest.raises(KeyboardInterrupt):
            self.interrupted(make_network(), 2, plan(9), store=None)

    def test_is_raised_in_a_group(self):
        with pytest.raises(KeyboardInterrupt):
            self.interrupted(make_network(), 2, plan(9), ranks=TwoRanks())
