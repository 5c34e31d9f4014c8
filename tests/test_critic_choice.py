"""Which critic a parameter names, and when it has to learn first."""

import numpy as np
import pytest
from sklearn.cluster import KMeans
from sklearn.datasets import make_blobs
from sklearn.frozen import FrozenEstimator

from skdeepclust import ClusteringCritic, save
from skdeepclust._critic_choice import is_untrained, resolve_critic

X, Y = make_blobs(60, centers=3, random_state=0)


def make_critic(**parameters):
    tiny = {"n_tasks": 2, "n_proposals": 4, "max_epochs": 1, "adversarial_rounds": 0}
    return ClusteringCritic(**tiny, hidden_dim=4, **parameters)


@pytest.fixture(scope="module")
def trained():
    return make_critic(random_state=0).fit(X, Y)


def rng0():
    return np.random.RandomState(0)


def test_untrained_critics(trained):
    new = make_critic()
    for critic in (new, FrozenEstimator(new)):
        assert is_untrained(critic)
    for critic in (trained, FrozenEstimator(trained), "pretrained", KMeans()):
        assert not is_untrained(critic)


def test_trained_critics_are_taken_as_they_are(trained, tmp_path):
    for critic in (trained, FrozenEstimator(trained)):
        assert resolve_critic(critic, X, None, rng0()) is trained
    save(trained, tmp_path / "critic.safetensors")
    found = resolve_critic(tmp_path / "critic.safetensors", X, None, rng0())
    assert found.score_clustering(X, Y) == pytest.approx(trained.score_clustering(X, Y))
    assert not is_untrained(resolve_critic("pretrained", X, None, rng0()))


def test_a_clone_of_a_new_critic_learns(trained):
    new, rng = make_critic(random_state=0), rng0()
    found = resolve_critic(new, X, Y, rng)
    assert is_untrained(new)
    assert found.score_clustering(X, Y) == trained.score_clustering(X, Y)
    assert rng.randint(100) == rng0().randint(100)


def test_a_new_critic_without_a_seed_gets_one():
    first, second = (resolve_critic(make_critic(), X, Y, rng0()) for _ in range(2))
    assert first.random_state == second.random_state is not None
    assert first.score_clustering(X, Y) == second.score_clustering(X, Y)


def test_other_objects_and_missing_labels_are_refused():
    with pytest.raises(ValueError, match="a ClusteringCritic is wanted"):
        resolve_critic(FrozenEstimator(KMeans()), X, Y, rng0())
    with pytest.raises(ValueError, match="not fitted, and y=None"):
        resolve_critic(make_critic(), X, None, rng0())
