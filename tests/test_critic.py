import copy
import random

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.cluster import KMeans
from sklearn.datasets import make_blobs, make_moons
from sklearn.metrics import adjusted_rand_score
from sklearn.utils import estimator_checks
from sklearn.utils.estimator_checks import parametrize_with_checks

from skdeepclust import ClusteringCritic

SMALL = {
    "n_tasks": 4,
    "n_proposals": 6,
    "max_epochs": 1,
    "adversarial_rounds": 0,
    "hidden_dim": 8,
    "random_state": 0,
}
# Checks that scikit-learn keeps for itself: check_estimator does not run them.
OWN_CHECKS = [
    "check_param_validation",
    "check_dataframe_column_names_consistency",
    "check_inplace_ensure_writeable",
    "check_estimators_overwrite_params",
]


@parametrize_with_checks([ClusteringCritic(**SMALL)])
def test_scikit_learn_checks(estimator, check):
    check(estimator)


@pytest.mark.parametrize("name", OWN_CHECKS)
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore:X (does not have|has)")
def test_checks_that_scikit_learn_keeps_for_itself(name):
    getattr(estimator_checks, name)("ClusteringCritic", ClusteringCritic(**SMALL))


@pytest.fixture(scope="module")
def blobs():
    return make_blobs(240, centers=6, n_features=3, cluster_std=0.8, random_state=3)


@pytest.fixture(scope="module")
def critic(blobs):
    return ClusteringCritic(**SMALL).fit(*blobs)


@pytest.fixture(scope="module")
def pretrained():
    return ClusteringCritic.from_pretrained()


def weights(critic):
    return torch.cat([p.detach().flatten() for p in critic.network_.parameters()])


class TestFit:
    def test_learns_to_tell_good_from_bad(self, blobs):
        X, y = make_blobs(400, centers=8, n_features=3, cluster_std=0.6, random_state=0)
        critic = ClusteringCritic(n_tasks=40, max_epochs=8, adversarial_rounds=0, random_state=0)
        critic.fit(X, y)
        new, truth = blobs
        rng = np.random.RandomState(0)
        labelings = [
            truth,
            np.where(rng.uniform(size=240) < 0.4, 0, truth),
            rng.randint(6, size=240),
        ]
        scores = critic.score_clusterings(new, labelings)
        assert scores[0] > scores[1] > scores[2]
        assert critic.history_["loss"][-1] < critic.history_["loss"][0]

    def test_adversarial_rounds_train_on(self, blobs):
        critic = clone(ClusteringCritic(**SMALL)).set_params(adversarial_rounds=2).fit(*blobs)
        assert len(critic.history_["loss"]) == 3
        assert len(critic.history_["overrated"]) == 2

    def test_several_data_sets_of_any_dimensions(self, blobs):
        datasets = [blobs, make_moons(80, noise=0.05, random_state=0)]
        critic = ClusteringCritic(**SMALL).fit_datasets(iter(datasets))
        assert not hasattr(critic, "n_features_in_")
        assert np.isfinite(critic.score_clustering(*blobs))

    def test_warm_start_goes_on_and_leaves_the_pickled_one_alone(self, critic, blobs):
        again = copy.deepcopy(critic).set_params(warm_start=True, learning_rate=1e-9).fit(*blobs)
        torch.testing.assert_close(weights(again), weights(critic), atol=1e-6, rtol=0)
        fresh = copy.deepcopy(critic).set_params(random_state=1).fit(*blobs)
        assert not torch.allclose(weights(fresh), weights(critic))

    def test_a_seed_fixes_every_bit_whatever_the_number_of_processes(self, critic, blobs):
        again = clone(critic).set_params(n_jobs=2).fit(*blobs)
        assert torch.equal(weights(again), weights(critic))

    def test_global_random_states_are_left_alone(self, blobs):
        before = (random.getstate(), np.random.get_state()[1].copy(), torch.get_rng_state())
        ClusteringCritic(**SMALL).set_params(adversarial_rounds=1).fit(*blobs)
        assert random.getstate() == before[0]
        np.testing.assert_array_equal(np.random.get_state()[1], before[1])
        assert torch.equal(torch.get_rng_state(), before[2])

    def test_unlabelled_rows_are_left_out(self, blobs):
        X, y = blobs
        kept = y != 2
        whole = ClusteringCritic(**SMALL).fit(X, np.where(kept, y, -1))
        part = ClusteringCritic(**SMALL).fit(X[kept], y[kept])
        assert torch.equal(weights(whole), weights(part))

    def test_groups_must_fit(self, blobs):
        X, y = blobs
        ClusteringCritic(**SMALL).fit(X, y, groups=y % 2)
        with pytest.raises(ValueError, match="inconsistent numbers of samples"):
            ClusteringCritic(**SMALL).fit(X, y, groups=y[:-1])

    @pytest.mark.parametrize(
        ("X", "y", "message"),
        [
            (np.zeros((20, 2)), np.arange(20) % 2, "same values in every row"),
            (np.zeros((3, 2)), [0, 1, 1], "minimum of 4"),
            (np.eye(6), [-1] * 6, "0 labelled rows"),
            (np.eye(6), np.eye(6), "bad input shape|1d array"),
        ],
    )
    def test_bad_data_is_refused_and_nothing_is_lost(self, critic, X, y, message):
        critic = copy.deepcopy(critic)
        before = weights(critic)
        with pytest.raises(ValueError, match=message):
            critic.fit(X, y)
        assert torch.equal(weights(critic), before)

    @pytest.mark.parametrize("datasets", [[], [np.eye(4)[0]], [(np.eye(4), [0, 1])]])
    def test_bad_data_sets_are_refused(self, datasets):
        with pytest.raises(ValueError, match="datasets|inconsistent"):
            ClusteringCritic(**SMALL).fit_datasets(datasets)

    def test_verbose_alone_prints(self, blobs, capsys):
        ClusteringCritic(**SMALL).fit(*blobs)
        assert capsys.readouterr() == ("", "")
        ClusteringCritic(**SMALL).set_params(verbose=1).fit(*blobs)
        assert "ClusteringCritic" in capsys.readouterr().err


class TestPretrained:
    def test_unknown_names_are_refused(self):
        with pytest.raises(ValueError, match="name='nothing'.*default"):
            ClusteringCritic.from_pretrained("nothing")

    @pytest.mark.parametrize("change", ["rotation", "shift", "1e-6", "1e6", "order", "names"])
    def test_scores_are_invariant(self, pretrained, change):
        X, y = make_blobs(200, centers=5, n_features=4, random_state=0)
        rng = np.random.RandomState(0)
        labelings = np.stack([y, y % 2, rng.randint(4, size=200), KMeans(8).fit(X).labels_])
        expected = pretrained.score_clusterings(X, labelings)
        if change == "rotation":
            X = X @ np.linalg.qr(rng.standard_normal((4, 4)))[0]
        elif change == "order":
            order = rng.permutation(200)
            X, labelings = X[order], labelings[:, order]
        elif change == "names":
            labelings = 7 * (9 - labelings)
        else:
            X = X + 1e3 if change == "shift" else X * float(change)
        found = pretrained.score_clusterings(X, labelings)
        np.testing.assert_allclose(found, expected, rtol=1e-4)

    def test_chooses_the_number_of_blobs(self, pretrained):
        right = 0
        for seed in range(10):
            X, y = make_blobs(300, centers=2 + seed % 6, cluster_std=0.6, random_state=seed)
            ks = range(2, 11)
            labelings = [KMeans(k, n_init=3, random_state=0).fit(X).labels_ for k in ks]
            best = max(range(9), key=lambda i: adjusted_rand_score(y, labelings[i]))
            right += int(pretrained.rank(X, labelings)[0] == best)
        assert right >= 7

    def test_moons_are_better_than_halves(self, pretrained):
        X, y = make_moons(300, noise=0.04, random_state=0)
        halves = KMeans(2, random_state=0).fit(X).labels_
        assert pretrained.score_clustering(X, y) > pretrained.score_clustering(X, halves) + 0.2

    def test_no_structure_is_one_cluster(self, pretrained):
        wins = 0
        for seed in range(10):
            X = np.random.RandomState(seed).uniform(size=(300, 2))
            labelings = [np.zeros(300, dtype=int)]
            labelings += [KMeans(k, random_state=0).fit(X).labels_ for k in (2, 3, 4, 8)]
            wins += int(pretrained.rank(X, labelings)[0] == 0)
        assert wins >= 8

    def test_pure_clusters_score_above_mixed_ones(self, pretrained):
        X, y = make_blobs(200, centers=[[0, 0], [8, 0], [0, 8], [8, 8]], random_state=0)
        mixed = np.where((y == 3) & (X[:, 0] > 8), 2, y)
        scores = pretrained.score_clusters(X, mixed)
        assert scores[:2].min() > scores[2:].max()

    @pytest.mark.parametrize("damage", ["move", "merge", "split"])
    def test_scores_fall_with_the_damage(self, pretrained, damage):
        steps = np.zeros(4)
        for seed in range(50):
            X, y = make_blobs(200, centers=8, n_features=3, cluster_std=0.7, random_state=seed)
            rng = np.random.RandomState(seed)
            versions = [_damaged(X, y, damage, step, rng) for step in range(4)]
            steps += pretrained.score_clusterings(X, versions) / 50
        assert (np.diff(steps) < 0).all()


def _damaged(X, y, damage, step, rng):
    labels = y.copy()
    if damage == "move":
        moved = rng.permutation(len(y))[: int(len(y) * 0.12 * step)]
        labels[moved] = rng.randint(8, size=len(moved))
    elif damage == "merge":
        labels = np.where(y < 2 * step, y // 2, y)
    else:
        for c in range(2 * step):
            rows = np.flatnonzero(y == c)
            labels[rows] += 10 * (X[rows, 0] > np.median(X[rows, 0]))
    return labels
