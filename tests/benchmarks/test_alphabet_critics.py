"""Critics that learn from alphabets which their metric did not learn."""

import importlib

import numpy as np
import pytest
import torch

_TRAINING = {
    "n_tasks": 2,
    "n_proposals": 5,
    "max_epochs": 1,
    "adversarial_rounds": 0,
    "n_jobs": None,
}


@pytest.fixture(scope="module")
def modules(benchmark_path):
    """Critics, the program on known numbers of characters, and methods."""
    names = ("alphabet_critics", "bench_omniglot", "suite_methods")
    return [importlib.import_module(name) for name in names]


@pytest.fixture(scope="module")
def critics(modules):
    return modules[0]


@pytest.fixture(scope="module")
def task(modules):
    return modules[1].draw_glyphs()


@pytest.fixture(scope="module")
def base(modules):
    return modules[2].find_critic("tiny")


@pytest.fixture(scope="module")
def data(critics):
    """Three alphabets of 3, 4 and 13 characters with 6 rows each."""
    rng = np.random.RandomState(0)
    characters = np.repeat(np.arange(20), 6)
    rows = rng.normal(size=(20, 5))[characters] + 0.1 * rng.normal(size=(120, 5))
    alphabets = np.digitize(characters, [3, 7])
    return critics.Embedded(rows.astype(np.float32), characters, alphabets)


def _weights(critic):
    return torch.cat([w.flatten() for w in critic.network_.state_dict().values()])


def test_folds_hold_every_alphabet_out_once(critics, task, modules):
    folds = critics.held_out_tasks(task, 5)
    held_out = [set(fold.new_alphabets) for fold in folds]
    assert sorted(a for some in held_out for a in some) == sorted(set(task.alphabets))
    for fold in folds:
        assert not set(fold.alphabets) & set(fold.new_alphabets)
        assert not set(fold.characters) & set(fold.new_characters)
        assert len(fold.images) + len(fold.new_images) == len(task.images)
    usual = modules[1].hold_out_alphabets(task)
    np.testing.assert_array_equal(usual.new_characters, folds[0].new_characters)


def test_embeddings_are_of_characters_that_the_metric_did_not_learn(critics, task, monkeypatch):
    learned = []

    class Metric:
        def fit(self, images, y):
            learned.append((set(y), len(learned)))
            return self

        def transform(self, images):
            return np.full((len(images), 2), len(learned), dtype=np.float32)

    monkeypatch.setattr(critics, "make_method", lambda name, seconds, seed, settings: Metric())
    found = critics.embed_held_out(task, 1.0, 0, 2)
    assert len(learned) == 2
    for characters, number in learned:
        of_fold = found.rows[:, 0] == number + 1
        assert of_fold.any()
        assert not characters & set(found.characters[of_fold])
    assert len(found.rows) == len(found.characters) == len(found.alphabets)


def test_tasks_are_of_one_alphabet_and_of_up_to_all_its_characters(critics, data):
    numbers = set()
    for seed in range(40):
        task = critics.draw_alphabet_task(data, seed, 3)
        truth = task.labels[0].numpy()
        assert float(task.quality[0]) == 1.0
        assert (np.bincount(truth) == 6).all()
        numbers.add(int(truth.max()) + 1)
    assert min(numbers) == 2
    assert 11 <= max(numbers) <= 13  # more than the ten of `fit`


def test_critics_start_where_they_should(critics, data, base):
    before = _weights(base).clone()
    n_threads = torch.get_num_threads()
    made = {
        name: critics.train_critic_of_alphabets(name, base, data, 0, _TRAINING)
        for name in critics.CRITICS
    }
    assert torch.get_num_threads() == n_threads
    torch.testing.assert_close(_weights(base), before, rtol=0, atol=0)
    assert made[critics.SHIPPED] is base
    assert _weights(made[critics.SCRATCH]).shape != before.shape
    for name in (critics.WARM, critics.WIDE):
        assert 0 < (_weights(made[name]) - before).abs().max() < 0.05
    difference = _weights(made[critics.WARM]) - _weights(made[critics.WIDE])
    assert difference.abs().max() > 1e-6


@pytest.mark.parametrize("which", ["WARM", "WIDE"])
def test_seed_determines_the_critic(critics, data, base, which):
    name = getattr(critics, which)
    first, again, other = (
        _weights(critics.train_critic_of_alphabets(name, base, data, seed, _TRAINING))
        for seed in (0, 0, 1)
    )
    torch.testing.assert_close(first, again, rtol=0, atol=0)
    assert (first - other).abs().max() > 1e-6


def test_adversarial_rounds_are_run(critics, data, base, monkeypatch):
    rounds = []
    monkeypatch.setattr(
        critics, "train_in_rounds", lambda *given, n_jobs: rounds.append((given[4], n_jobs))
    )
    training = {**_TRAINING, "adversarial_rounds": 2}
    critics.train_critic_of_alphabets(critics.WIDE, base, data, 0, training)
    assert rounds == [(2, None)]
