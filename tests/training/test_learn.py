"""From rows and targets to a trained encoder: who is trained how."""

import random
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from sklearn.exceptions import ConvergenceWarning
from torch import nn

from skdeepclust.networks import LinearEncoder, MLPEncoder, ModuleEncoder
from skdeepclust.training import InputScaling, Recipe, Rows, TrainingPlan, learn_encoder
from skdeepclust.training import _learn as module


def make_problem(n=120, k=3, p=6, seed=0):
    rng = np.random.RandomState(seed)
    codes = rng.permutation(np.arange(n) % k)
    X = 2 * rng.standard_normal((k, p))[codes] + rng.standard_normal((n, p))
    return Rows(X, InputScaling.fit(X, (p,)), (p,), torch.device("cpu")), codes


def recipe(encoder=None, **changes):
    values = {
        "encoder": MLPEncoder(hidden=(16,), dropout=0.2) if encoder is None else encoder,
        "embedding_dim": None,
        "batch_size": 40,
        "plan": TrainingPlan(3, 0.01, 0.0, 0.1, 10),
        "early_stopping": False,
        "validation_fraction": 0.2,
    }
    return Recipe(**(values | changes))


def learn(recipe, targets=None, seed=0, **parameters):
    rows, codes = make_problem()
    targets = codes if targets is None else targets
    rng = np.random.RandomState(seed)
    return learn_encoder(rows, targets, np.arange(120), recipe, rng, **parameters)


class Turns:
    """An augmentation that counts each row in several classes and changes nothing."""

    def __init__(self, n_turns):
        self.n_turns = n_turns
        self.seen = set()

    def __call__(self, inputs, codes, n_classes, generator):
        self.seen |= set(codes.tolist())
        return inputs


def weights(network):
    return torch.cat([v.double().ravel() for v in network.state_dict().values()])


def test_training_leaves_history_and_evaluation_mode():
    seen = []
    network, result = learn(recipe(), on_epoch=seen.append)
    assert not network.training
    assert result.n_epochs == 3 == len(seen) == len(result.history["objective"])
    assert "validation_objective" not in result.history


def test_result_follows_from_the_random_state_alone():
    runs = []
    for seed in (0, 0, 1):
        torch.manual_seed(len(runs)), np.random.seed(len(runs))
        runs.append(learn(recipe(), seed=seed))
    (first, a), (again, b), (other, _) = runs
    assert torch.equal(weights(first), weights(again))
    assert a.history == b.history
    assert not torch.equal(weights(first), weights(other))


@pytest.mark.parametrize("encoder", [None, LinearEncoder()])
def test_global_random_states_are_left_as_they_were(encoder):
    def states():
        return torch.get_rng_state().tolist(), random.getstate(), np.random.get_state()[1].tolist()

    before = states()
    learn(recipe(encoder, early_stopping=True))
    assert states() == before


def test_linear_encoder_is_solved_without_steps():
    network, result = learn(recipe(LinearEncoder()))
    other, _ = learn(recipe(LinearEncoder()), seed=1)
    assert (result.n_epochs, result.history) == (0, {})
    ratio = network.head.weight / other.head.weight
    torch.testing.assert_close(ratio, ratio[:1, :1].expand_as(ratio), rtol=1e-4, atol=0)


def test_linear_encoder_is_trained_where_steps_are_wanted():
    _, result = learn(recipe(LinearEncoder(), closed_form=False))
    assert result.n_epochs == 3


@pytest.mark.parametrize("encoder", [None, LinearEncoder()])
@pytest.mark.parametrize("targets", [np.zeros(120, dtype=np.int64), np.ones((120, 1))])
def test_one_class_teaches_nothing(encoder, targets):
    network, result = learn(recipe(encoder), targets)
    assert not network.training
    assert (result.n_epochs, result.history) == (0, {})


@pytest.mark.parametrize(
    ("encoder", "embedding_dim", "width"),
    [
        (MLPEncoder(), None, 3),
        (MLPEncoder(), 5, 5),
        (ModuleEncoder(nn.Linear(6, 7)), None, 7),
        (ModuleEncoder(nn.Linear(6, 7)), 5, 5),
    ],
    ids=["auto", "given", "of the module", "another than the module's"],
)
def test_width_of_the_embedding(encoder, embedding_dim, width):
    network, _ = learn(recipe(encoder, embedding_dim=embedding_dim))
    assert network(torch.zeros(2, 6)).shape == (2, width)


def test_a_given_network_is_copied_and_trained_on():
    first, _ = learn(recipe())
    before = weights(first).clone()
    second, result = learn(recipe(), network=first)
    assert torch.equal(weights(first), before)
    assert not torch.equal(weights(second), before)
    assert second is not first
    assert result.history["objective"][0] < learn(recipe())[1].history["objective"][0]


def test_a_given_network_keeps_its_head_at_the_start():
    first, _ = learn(recipe())
    frozen = TrainingPlan(1, 1e-30, 0.0, 0.1, 10)
    second, _ = learn(recipe(plan=frozen), network=first)
    torch.testing.assert_close(weights(second), weights(first), rtol=0, atol=1e-20)


@pytest.mark.parametrize("targets", ["codes", "matrix"])
def test_early_stopping_holds_rows_out(monkeypatch, targets):
    codes = make_problem()[1]
    seen = []
    train = module.train
    monkeypatch.setattr(module, "train", lambda *a: seen.append((a[2], a[6])) or train(*a))
    wanted = codes if targets == "codes" else np.eye(3)[codes]
    _, result = learn(recipe(early_stopping=True), wanted)
    ((kept_targets, kept),) = seen
    assert len(result.history["validation_objective"]) == 3
    assert len(kept) == 96 == len(np.unique(kept))
    np.testing.assert_array_equal(kept_targets, wanted[kept])


@pytest.mark.parametrize(("limit", "held_out"), [(120, True), (121, False)])
def test_early_stopping_auto_depends_on_the_number_of_rows(monkeypatch, limit, held_out):
    monkeypatch.setattr(module, "_AUTO_STOPPING_ROWS", limit)
    _, result = learn(recipe(early_stopping="auto"))
    assert ("validation_objective" in result.history) is held_out


def test_early_stopping_without_a_row_to_hold_out_is_refused():
    with pytest.raises(ValueError, match=r"validation_fraction=0\.001 "):
        learn(recipe(early_stopping=True, validation_fraction=0.001))


def test_early_stopping_auto_does_without_where_there_is_no_row(monkeypatch):
    monkeypatch.setattr(module, "_AUTO_STOPPING_ROWS", 0)
    _, result = learn(recipe(early_stopping="auto", validation_fraction=0.001))
    assert "validation_objective" not in result.history


def test_property_04_batches_of_no_more_rows_than_dimensions_warn():
    with pytest.warns(ConvergenceWarning, match="Batches of 10 rows .* 10 dimensions"):
        learn(recipe(embedding_dim=10, batch_size=10))


def test_property_05_more_columns_than_dimensions_warn():
    with pytest.warns(ConvergenceWarning, match="y has 3 columns"):
        learn(recipe(embedding_dim=2), np.eye(3)[make_problem()[1]])


def test_codes_of_more_classes_than_dimensions_do_not_warn():
    network, _ = learn(recipe(embedding_dim=2))
    assert network.head.out_features == 2


def test_only_rows_at_indices_count():
    rows, codes = make_problem()
    indices = np.flatnonzero(np.arange(120) % 2)
    others = np.setdiff1d(np.arange(120), indices)
    results = []
    for noise in (0.0, 100.0):
        X = rows.X.copy()
        X[others] += noise
        changed = Rows(X, rows.scaling, (6,), rows.device)
        rng = np.random.RandomState(0)
        results.append(learn_encoder(changed, codes[indices], indices, recipe(), rng)[0])
    assert torch.equal(weights(results[0]), weights(results[1]))


def limited(max_time, **changes):
    return recipe(plan=replace(recipe().plan, max_time=max_time), **changes)


@pytest.mark.parametrize(("early_stopping", "held_out"), [("auto", False), (True, True)])
def test_early_stopping_auto_is_off_with_a_time_limit(monkeypatch, early_stopping, held_out):
    monkeypatch.setattr(module, "_AUTO_STOPPING_ROWS", 0)
    _, result = learn(limited(1e6, early_stopping=early_stopping))
    assert result.n_epochs == 3
    assert ("validation_objective" in result.history) is held_out


@pytest.mark.parametrize(("max_time", "left"), [(100.0, 70.0), (30.5, 0.5)])
def test_time_of_the_initialisation_counts(monkeypatch, max_time, left):
    now, seen = [5.0], []
    initialize, train = module.initialize_head, module.train
    monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=lambda: now[0]))
    monkeypatch.setattr(
        module, "initialize_head", lambda *a: now.__setitem__(0, 35.0) or initialize(*a)
    )
    monkeypatch.setattr(module, "train", lambda *a: seen.append(a[4].max_time) or train(*a))
    learn(limited(max_time))
    assert seen == [pytest.approx(left)]


@pytest.mark.parametrize("max_time", [1e-9, 1e-300])
def test_a_step_is_taken_where_the_initialisation_took_all_of_the_time(max_time):
    _, result = learn(limited(max_time))
    assert result.n_epochs == 1
    assert np.isfinite(result.history["objective"]).all()
    assert not result.converged


def test_a_linear_encoder_is_solved_whatever_the_time():
    timed, _ = learn(limited(1e-9, encoder=LinearEncoder()))
    assert torch.equal(weights(timed), weights(learn(recipe(LinearEncoder()))[0]))


@pytest.mark.parametrize(("n_turns", "width"), [(1, 3), (4, 12)])
def test_turned_classes_get_dimensions_and_are_trained(n_turns, width):
    turns = Turns(n_turns)
    network, _ = learn(recipe(plan=replace(recipe().plan, augment=turns)))
    assert network.head.out_features == width
    assert turns.seen == set(range(3 * n_turns))


def test_turned_classes_do_not_widen_a_given_embedding():
    network, _ = learn(recipe(embedding_dim=5, plan=replace(recipe().plan, augment=Turns(4))))
    assert network.head.out_features == 5


@pytest.mark.parametrize("body", [nn.Flatten(), nn.Linear(6, 4).requires_grad_(False)])
def test_module_without_anything_to_learn_stays_as_it_is(body):
    network, result = learn(recipe(ModuleEncoder(body)))
    rows = torch.randn(5, 6)
    assert torch.equal(network(rows), body(rows))
    assert result.history == {}
    assert not network.training


class Overflow(nn.Linear):
    def forward(self, x):
        return super().forward(x) * torch.tensor(float("inf"))


@pytest.mark.parametrize(
    "changes",
    [
        {"plan": TrainingPlan(3, 1e30, 0.0, 0.1, 10)},
        {"encoder": ModuleEncoder(Overflow(6, 4))},
    ],
)
def test_training_that_diverges_says_so(changes):
    with pytest.raises(ValueError, match="training diverged.* a smaller learning_rate"):
        learn(recipe(**changes))
