"""Training of the benchmark's critics: sets by number, held-out ones apart, things kept."""

import importlib
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from skdeepclust import ClusteringCritic, save
from skdeepclust.critic._training import CriticPlan

_FOLDER = Path(__file__).parents[2] / "benchmarks"
_MODULES = {"critic_training", "critic_features", "critic_rivals", "critic_pool"}
_PLAN = CriticPlan(n_epochs=1)


@pytest.fixture(scope="module")
def training():
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(_FOLDER))
        before = set(sys.modules)
        yield importlib.import_module("critic_training")
        for name in _MODULES - before:
            sys.modules.pop(name, None)


@pytest.fixture(scope="module")
def examples(training):
    return training.draw_examples(3, 1, ["moons", "gaussians"], 6, with_features=True)


@pytest.fixture(scope="module")
def pools(training):
    return training.held_out_pools("synthetic", 2, ["moons", "gaussians"], 6)


def test_few_sets_are_the_first_of_many(training, examples):
    few = training.draw_examples(1, 1, ["moons", "gaussians"], 6, skipped=2)
    assert few[0].features is None
    torch.testing.assert_close(few[0].task.labels, examples[2].task.labels)
    torch.testing.assert_close(few[0].task.graph.points, examples[2].task.graph.points)
    other = training.draw_examples(1, 2, ["moons", "gaussians"], 6)
    assert other[0].task.labels.shape != examples[0].task.labels.shape


def test_examples_have_features_of_every_clustering(examples):
    for example in examples:
        assert example.features.shape == (len(example.task.labels), 28)
        assert float(example.task.quality[0]) == 1.0
        assert example.task.family in ("moons", "gaussians")


def test_parts_have_held_out_sets_of_their_own(training, pools):
    names = {int(pool.name) for pool in pools}
    for part in ("families", "ablation"):
        names |= {int(pool.name) for pool in training.held_out_pools(part, 1, ["moons"], 4)}
    assert len(names) == 4
    assert min(names) >= 2**31 - 1  # the package draws its seeds below


def test_training_is_seeded_and_leaves_the_global_generator_alone(training, examples, pools):
    state = torch.random.get_rng_state()
    tasks = [example.task for example in examples]
    first, second, other = (
        training.critic_score(training.train_benchmark_critic(tasks, _PLAN, seed))(pools[0])
        for seed in (0, 0, 1)
    )
    assert torch.equal(state, torch.random.get_rng_state())
    np.testing.assert_array_equal(first, second)
    assert np.abs(first - other).max() > 1e-6
    assert first.shape == (len(pools[0].labels),)


def test_options_of_the_encoder_are_taken(training, examples):
    tasks = [example.task for example in examples]
    network = training.train_benchmark_critic(tasks, _PLAN, 0, kind="complete", n_rounds=2)
    assert network.encoder.kind == "complete"
    assert len(network.encoder.rounds) == 2


def test_adversarial_rounds_are_run_where_there_is_a_search(training, examples, monkeypatch):
    tasks, rounds = [example.task for example in examples], []
    monkeypatch.setattr(
        training, "ADVERSARY", lambda *given, n_jobs: rounds.append((*given[4:], n_jobs))
    )
    training.train_benchmark_critic(tasks, _PLAN, 0, attacks=3, n_jobs=2)
    assert rounds == [(3, 2)]
    monkeypatch.setattr(training, "ADVERSARY", None)
    with pytest.raises(SystemExit, match="no search"):
        training.train_benchmark_critic(tasks, _PLAN, 0, attacks=3)


def test_saved_critics_score_as_they_do_themselves(training, pools, tmp_path):
    pool = pools[0]
    critic = ClusteringCritic(
        n_tasks=2, n_proposals=4, max_epochs=1, adversarial_rounds=0, random_state=0
    ).fit(pool.X, pool.labels[0])
    save(critic, tmp_path / "critic.safetensors")
    found = training.saved_critic_score(tmp_path / "critic.safetensors")(pool)
    np.testing.assert_array_equal(found, critic.score_clusterings(pool.X, list(pool.labels)))
    np.testing.assert_allclose(found, training.critic_score(critic.network_)(pool), rtol=1e-5)


def test_things_are_kept_by_their_settings(training, tmp_path):
    made = []

    def make():
        made.append(len(made))
        return made[-1]

    folder = tmp_path / "new" / "folder"
    assert [training.keep(folder, "a", {"n": n}, make) for n in (1, 1, 2, 1)] == [0, 0, 1, 0]
    assert training.keep(folder, "b", {"n": 1}, make) == 2
    assert training.keep(None, "a", {"n": 1}, make) == 3
