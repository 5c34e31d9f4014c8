import copy
import errno
import os
import random
import signal
import subprocess
import sys
import textwrap
from contextlib import nullcontext
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.cluster import KMeans
from sklearn.datasets import make_blobs, make_moons
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import adjusted_rand_score
from sklearn.utils import estimator_checks
from sklearn.utils.estimator_checks import parametrize_with_checks

from skdeepclust import ClusteringCritic, load, save

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


LONGER = {**SMALL, "max_epochs": 3, "wasserstein": 0.5}


class KilledError(Exception):
    """Ends a fit from outside."""


@pytest.fixture
def brief(monkeypatch):
    """Attacks that take no time."""
    monkeypatch.setattr("skdeepclust.critic._adversary._POPULATION", 6)
    monkeypatch.setattr("skdeepclust.critic._adversary._GENERATIONS", 2)


@pytest.fixture
def stop(monkeypatch):
    """Have fits end with an error after so many epochs, those before a new start included."""

    def stop_after(n_epochs, error=KilledError):
        seen = []

        def report(figures):
            seen.append(figures)
            if len(seen) == n_epochs:
                raise error

        monkeypatch.setattr("skdeepclust._critic.epoch_progress", lambda *_: nullcontext(report))

    return stop_after


@pytest.mark.usefixtures("brief")
class TestCheckpoint:
    @pytest.mark.parametrize("n_rounds", [0, 1])
    def test_a_fit_goes_on_with_the_same_bits(self, blobs, stop, tmp_path, n_rounds):
        estimator = ClusteringCritic(**LONGER).set_params(adversarial_rounds=n_rounds)
        wanted = clone(estimator).fit(*blobs)
        estimator.set_params(checkpoint=tmp_path / "state")
        for n_epochs in range(1, 4 + n_rounds):
            stop(n_epochs)
            with pytest.raises(KilledError):
                clone(estimator).fit(*blobs)
        assert len(os.listdir(tmp_path / "state")) == 1
        stop(0)
        found = clone(estimator).set_params(n_jobs=2).fit(*blobs)
        assert torch.equal(weights(found), weights(wanted))
        assert found.history_ == wanted.history_
        assert not os.listdir(tmp_path / "state")
        again = clone(estimator).fit(*blobs)
        assert torch.equal(weights(again), weights(wanted))

    def test_several_data_sets(self, blobs, stop, tmp_path):
        datasets = [blobs, make_moons(80, noise=0.05, random_state=0)]
        estimator = ClusteringCritic(**LONGER, checkpoint=tmp_path)
        wanted = clone(estimator).fit_datasets(datasets)
        stop(2)
        with pytest.raises(KilledError):
            clone(estimator).fit_datasets(datasets)
        stop(0)
        with pytest.raises(ValueError, match=r"checkpoint=.*another fit.*\bX\b"):
            clone(estimator).fit_datasets(datasets[::-1])
        found = clone(estimator).fit_datasets(datasets)
        assert torch.equal(weights(found), weights(wanted))

    def test_warm_start(self, critic, blobs, stop, tmp_path):
        warm = copy.deepcopy(critic).set_params(warm_start=True, max_epochs=3)
        wanted = copy.deepcopy(warm).fit(*blobs)
        warm.set_params(checkpoint=str(tmp_path))
        stop(2)
        with pytest.raises(KilledError):
            copy.deepcopy(warm).fit(*blobs)
        stop(0)
        with pytest.raises(ValueError, match=r"checkpoint.*other weights.*warm_start=True"):
            copy.deepcopy(wanted).set_params(checkpoint=str(tmp_path)).fit(*blobs)
        assert torch.equal(weights(warm.fit(*blobs)), weights(wanted))

    @pytest.mark.parametrize(
        "change", [{"max_epochs": 4}, {"random_state": 1}, {"ranking": 2.0}, "X", "y", "groups"]
    )
    def test_another_fit_is_refused(self, blobs, stop, tmp_path, change):
        X, y = blobs
        groups = np.zeros(240)
        estimator = ClusteringCritic(**LONGER, checkpoint=tmp_path)
        stop(1)
        with pytest.raises(KilledError):
            clone(estimator).fit(X, y, groups)
        stop(0)
        before = [path.read_bytes() for path in tmp_path.iterdir()]
        other = clone(estimator)
        if isinstance(change, dict):
            other.set_params(**change)
        X, y = X + (change == "X"), np.where(change == "y", y % 3, y)
        groups = np.arange(240) % 2 if change == "groups" else groups
        with pytest.raises(ValueError, match=r"checkpoint=.* belongs to another fit"):
            other.fit(X, y, groups)
        assert [path.read_bytes() for path in tmp_path.iterdir()] == before

    @pytest.mark.parametrize("is_global", [False, True])
    def test_states_of_random_numbers_return(self, blobs, stop, tmp_path, is_global):
        before = np.random.get_state()
        try:
            found = []
            for ends in ([0], [2, 0]):
                for n_epochs in ends:
                    state = np.random.mtrand._rand if is_global else np.random.RandomState(0)
                    state.seed(5 if n_epochs == ends[0] else 6)
                    estimator = ClusteringCritic(**LONGER, checkpoint=tmp_path)
                    estimator.set_params(random_state=None if is_global else state)
                    stop(n_epochs)
                    with pytest.raises(KilledError) if n_epochs else nullcontext():
                        estimator.fit(*blobs)
                found.append((weights(estimator), state.randint(2**31)))
        finally:
            np.random.set_state(before)
        assert torch.equal(found[0][0], found[1][0])
        assert found[0][1] == found[1][1]

    def test_a_full_disk_leaves_the_state_before(self, critic, blobs, monkeypatch, tmp_path):
        fitted, calls, sync = copy.deepcopy(critic), [], os.fsync
        fitted.set_params(max_epochs=3, checkpoint=tmp_path)
        wanted = clone(fitted).fit(*blobs)

        def fsync(descriptor):
            calls.append([path.read_bytes() for path in tmp_path.glob("[!.]*")])
            if len(calls) == 2:
                raise OSError(errno.ENOSPC, "No space left on device")
            sync(descriptor)

        monkeypatch.setattr(os, "fsync", fsync)
        with pytest.raises(OSError, match=r"checkpoint=.*stays.*No space left on device"):
            fitted.fit(*blobs)
        assert calls[1] == [path.read_bytes() for path in tmp_path.iterdir()]
        assert torch.equal(weights(fitted), weights(critic))
        assert torch.equal(weights(fitted.fit(*blobs)), weights(wanted))
        assert len(calls) == 4

    def test_a_directory_that_is_none_is_refused_at_once(self, blobs, tmp_path):
        with pytest.raises(FileNotFoundError, match=r"checkpoint=.*has to be there"):
            ClusteringCritic(**SMALL, checkpoint=tmp_path / "a" / "b").fit(*blobs)
        (tmp_path / "file").touch()
        with pytest.raises(ValueError, match=r"checkpoint=.*a directory is wanted"):
            ClusteringCritic(**SMALL, checkpoint=tmp_path / "file").fit(*blobs)

    @pytest.mark.parametrize("value", [None, "state", Path("some") / "state"])
    def test_the_parameter_is_kept(self, critic, tmp_path, value):
        fitted = copy.deepcopy(critic).set_params(checkpoint=value)
        assert clone(fitted).get_params()["checkpoint"] == value
        save(fitted, tmp_path / "critic.safetensors")
        assert load(tmp_path / "critic.safetensors").checkpoint == value

    def test_a_process_that_was_killed(self, blobs, tmp_path):
        program = f"""
            import sys, time
            import torch
            from sklearn.datasets import make_blobs
            from skdeepclust import ClusteringCritic
            import skdeepclust.critic._adversary as adversary
            torch.set_num_threads(1)  # as here: other threads add in another order
            end_attack = adversary.TrainingState.end_attack
            def wait(*arguments):  # the file is there; nobody needs to hurry
                end_attack(*arguments)
                print("attacked", flush=True)
                time.sleep(600)
            adversary.TrainingState.end_attack = wait
            adversary._POPULATION, adversary._GENERATIONS = 6, 2
            X, y = make_blobs(240, centers=6, n_features=3, cluster_std=0.8, random_state=3)
            critic = ClusteringCritic(**{LONGER}, checkpoint=sys.argv[1])
            critic.set_params(adversarial_rounds=1).fit(X, y)
        """
        arguments = [sys.executable, "-c", textwrap.dedent(program), str(tmp_path)]
        with subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout.readline() == "attacked\n"
            process.kill()
        estimator = ClusteringCritic(**LONGER).set_params(adversarial_rounds=1)
        found = clone(estimator).set_params(checkpoint=tmp_path).fit(*blobs)
        wanted = estimator.fit(*blobs)
        assert torch.equal(weights(found), weights(wanted))
        assert found.history_ == wanted.history_


@pytest.mark.usefixtures("brief")
class TestInterrupt:
    def test_a_fit_of_some_epochs_is_kept(self, blobs, stop):
        whole = ClusteringCritic(**LONGER).fit(*blobs)
        stop(2, KeyboardInterrupt)
        estimator = ClusteringCritic(**LONGER)
        with pytest.warns(ConvergenceWarning, match=r"after 2 of 3 epochs.*kept\.$") as caught:
            assert estimator.fit(*blobs) is estimator
        assert caught[0].filename == __file__
        assert estimator.history_["loss"] == whole.history_["loss"][:2]
        assert np.isfinite(estimator.score_clustering(*blobs))
        assert not torch.equal(weights(estimator), weights(whole))

    def test_a_signal_of_the_keyboard(self, blobs, monkeypatch):
        epochs = []

        def report(figures):
            epochs.append(figures)
            if len(epochs) == 2:
                signal.raise_signal(signal.SIGINT)

        monkeypatch.setattr("skdeepclust._critic.epoch_progress", lambda *_: nullcontext(report))
        # Processes in the background are started with that signal ignored.
        before = signal.signal(signal.SIGINT, signal.default_int_handler)
        try:
            with pytest.warns(ConvergenceWarning, match="interrupted after 2 of 3 epochs"):
                ClusteringCritic(**LONGER).fit_datasets([blobs])
        finally:
            signal.signal(signal.SIGINT, before)

    def test_it_is_kept_although_the_warning_is_an_error(self, blobs, stop):
        stop(2, KeyboardInterrupt)
        estimator = ClusteringCritic(**LONGER)
        with pytest.raises(ConvergenceWarning):
            estimator.fit(*blobs)
        assert len(estimator.history_["loss"]) == 2

    @pytest.mark.parametrize(
        "place",
        ["skdeepclust._critic.sample_tasks", "skdeepclust.critic._training.task_loss"],
    )
    def test_before_the_first_epoch_it_is_raised(self, critic, blobs, monkeypatch, place):
        def interrupt(*_):
            raise KeyboardInterrupt

        monkeypatch.setattr(place, interrupt)
        fitted = copy.deepcopy(critic).set_params(max_epochs=2)
        with pytest.raises(KeyboardInterrupt):
            fitted.fit(*blobs)
        assert torch.equal(weights(fitted), weights(critic))
        assert fitted.history_ == critic.history_

    @pytest.mark.parametrize("warm_start", [False, True])
    def test_a_checkpoint_leads_to_the_end(self, critic, blobs, stop, tmp_path, warm_start):
        options = {"max_epochs": 3, "adversarial_rounds": 1, "warm_start": warm_start}
        wanted = copy.deepcopy(critic).set_params(**options).fit(*blobs)
        fitted = copy.deepcopy(critic).set_params(**options, checkpoint=tmp_path)
        stop(2, KeyboardInterrupt)
        with pytest.warns(ConvergenceWarning, match="goes on from its checkpoint"):
            fitted.fit(*blobs)
        stop(0)
        assert torch.equal(weights(fitted.fit(*blobs)), weights(wanted))
        assert fitted.history_ == wanted.history_


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


# Scores estimate the adjusted Rand index, which lies between -0.5 and 1; so far from all that was
# learned the estimate may be beyond, by no more than a half.
LEAST, MOST = -1.0, 1.5


def hostile_data(name):
    """Rows and classes that are as far from a critic's training data as finite numbers can be."""
    rng = np.random.RandomState(0)
    X, y = make_blobs(120, centers=4, n_features=6, random_state=0)
    if name.startswith("condition"):
        powers = np.linspace(0, -float(name.split("1e")[1]), 6)
        return X * 10**powers @ np.linalg.qr(rng.standard_normal((6, 6)))[0], y
    if name == "all rows equal but one":
        return np.repeat([[3.0, 5.0], [3.0, 6.0]], [119, 1], axis=0), (np.arange(120) == 119) + 0
    return {
        "rank 2 of 10": (X[:, :2] @ rng.standard_normal((2, 10)), y),
        "rank 1 of 10": (X[:, :1] @ rng.standard_normal((1, 10)), y),
        "duplicated features": (np.hstack([X, X, X[:, :1], X[:, :1]]), y),
        "constant features": (np.hstack([X, np.full((120, 2), 1e9), np.zeros((120, 2))]), y),
        "duplicated rows": (X[np.arange(120) % 7], y[np.arange(120) % 7]),
        "more features than rows": (rng.standard_normal((120, 500)), y),
        "one far row": (np.vstack([X[:-1], np.full((1, 6), 1e12)]), y),
        "units of 1e-150": (X * 1e-150, y),
        "units of 1e150": (X * 1e150, y),
        "classes of one row": (X, np.where(np.arange(120) < 20, np.arange(120) + 4, y)),
        "all classes but one of one row": (X, np.maximum(np.arange(120) - 2, 0)),
    }[name]


HOSTILE = [
    "condition 1e4", "condition 1e8", "condition 1e12", "rank 2 of 10", "rank 1 of 10",
    "duplicated features", "constant features", "duplicated rows", "more features than rows",
    "one far row", "units of 1e-150", "units of 1e150", "classes of one row",
    "all classes but one of one row", "all rows equal but one",
]  # fmt: skip


def labelings_of(y):
    """The classes and what can be wrong with clusterings."""
    rows = np.arange(len(y))
    return np.stack(
        [
            y,
            np.zeros_like(y),
            (rows == 7) + 0,
            np.maximum(rows - 1, 0),  # all clusters but one are single rows
            rows % 2,
            np.where(rows % 3, -1, y),
            np.where(rows == 7, 0, -1),
            np.random.RandomState(1).randint(40, size=len(y)),
        ]
    )


def assert_judged(critic, X, labelings, least=LEAST, most=MOST):
    scores = critic.score_clusterings(X, labelings)
    assert scores.shape == (len(labelings),)
    assert np.isfinite(scores).all()
    assert least <= scores.min() <= scores.max() <= most
    order = critic.rank(X, labelings)
    assert sorted(order) == list(range(len(labelings)))
    assert (np.diff(scores[order]) <= 0).all()
    for labels in labelings:
        assert np.isfinite(critic.embed(X, labels)).all()
        assert np.isfinite(critic.score_clusters(X, labels)).all()


class TestHostileData:
    @pytest.mark.parametrize("name", HOSTILE)
    @pytest.mark.parametrize("weights_of", ["default", "images"])
    def test_scores_are_finite_and_within_bounds(self, weights_of, name):
        X, y = hostile_data(name)
        assert_judged(ClusteringCritic.from_pretrained(weights_of), X, labelings_of(y))

    @pytest.mark.parametrize("name", HOSTILE)
    def test_a_critic_that_learns_from_them_stays_finite(self, brief, name):
        X, y = hostile_data(name)
        critic = ClusteringCritic(**SMALL).set_params(adversarial_rounds=1, wasserstein=0.5)
        critic.fit(X, y)
        assert np.isfinite(critic.history_["loss"] + critic.history_["overrated"]).all()
        assert torch.isfinite(weights(critic)).all()
        assert_judged(critic, X, labelings_of(y), -np.inf, np.inf)

    def test_one_row_against_all_others(self, pretrained):
        X = np.random.RandomState(0).standard_normal((10_000, 3))
        X[0] += 9
        y = (np.arange(10_000) == 0) + 0  # 99.99 %
        labelings = np.stack([y, 1 - y, np.where(y, -1, 0), y[::-1]])
        assert_judged(pretrained, X, labelings)
        critic = ClusteringCritic(**SMALL).fit(X, y)
        assert_judged(critic, X, labelings, -np.inf, np.inf)

    def test_two_and_three_rows(self, pretrained):
        assert_judged(pretrained, [[0.0], [1.0]], [[0, 0], [0, -1]])
        assert_judged(pretrained, [[0.0], [1.0], [1.0]], [[0, 0, 0], [0, 1, 1], [0, -1, 0]])
