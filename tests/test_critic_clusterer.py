import pickle
import random
import time
from contextlib import suppress
from errno import EACCES, ENOSPC
from warnings import catch_warnings, simplefilter

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.cluster import KMeans
from sklearn.datasets import make_blobs, make_circles, make_moons
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.metrics import adjusted_rand_score
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils import estimator_checks
from sklearn.utils.estimator_checks import parametrize_with_checks

from skdeepclust import ClusteringCritic, CriticClusterer, DeepMetricClusterer, load, save
from skdeepclust import _critic_clusterer as module
from skdeepclust import _penalized_score as judging
from skdeepclust.model_selection import NoSplit

SHORT = {"population_size": 8, "n_generations": 2, "random_state": 0}
TINY_CRITIC = {
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
    "check_set_output_transform",
    "check_set_output_transform_pandas",
    "check_set_output_transform_polars",
    "check_global_output_transform_pandas",
    "check_global_set_output_transform_polars",
    "check_transformer_get_feature_names_out",
    "check_transformer_get_feature_names_out_pandas",
    "check_dataframe_column_names_consistency",
    "check_inplace_ensure_writeable",
    "check_estimators_overwrite_params",
]


@parametrize_with_checks([CriticClusterer(**SHORT), CriticClusterer(search="cem", **SHORT)])
def test_scikit_learn_checks(estimator, check):
    check(estimator)


@pytest.mark.parametrize("name", OWN_CHECKS)
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore:X (does not have|has)")
def test_checks_that_scikit_learn_keeps_for_itself(name):
    getattr(estimator_checks, name)("CriticClusterer", CriticClusterer(**SHORT))


def apart(k):
    """Centres (k, 2), the closest seven standard deviations apart."""
    return 7.0 * np.stack(np.divmod(np.arange(k), 3), axis=1)


@pytest.fixture(scope="module")
def blobs():
    return make_blobs(200, centers=5, n_features=3, cluster_std=0.7, random_state=3)


@pytest.fixture(scope="module")
def fitted(blobs):
    return CriticClusterer(random_state=0).fit(blobs[0])


class TestClusters:
    @pytest.mark.parametrize("k", [2, 4, 7, 9])
    def test_blobs_without_their_number(self, k):
        X, y = make_blobs(300, centers=apart(k), random_state=k)
        found = CriticClusterer(random_state=0).fit_predict(X)
        assert adjusted_rand_score(y, found) > 0.95

    def test_moons_and_rings_which_k_means_cannot_find(self):
        for X, y in (
            make_moons(300, noise=0.05, random_state=0),
            make_circles(300, noise=0.03, factor=0.4, random_state=0),
        ):
            ours = adjusted_rand_score(y, CriticClusterer(random_state=0).fit_predict(X))
            assert ours > 0.95
            assert ours > adjusted_rand_score(y, KMeans(2, n_init=3).fit_predict(X)) + 0.3

    def test_no_structure_is_one_cluster(self):
        X = np.random.RandomState(0).uniform(size=(300, 2))
        assert CriticClusterer(random_state=0).fit(X).n_clusters_ == 1

    def test_bounds_and_given_number_hold(self, blobs):
        X, _ = blobs
        assert CriticClusterer(3, **SHORT).fit(X).n_clusters_ == 3
        assert CriticClusterer(min_clusters=7, **SHORT).fit(X).n_clusters_ >= 7
        assert CriticClusterer(max_clusters=2, **SHORT).fit(X).n_clusters_ <= 2

    def test_a_single_row_is_no_cluster(self):
        X, y = make_blobs(200, centers=apart(3), random_state=0)
        X = np.vstack([X, [[40.0, 40.0]]])
        found = CriticClusterer(random_state=0).fit(X)
        assert np.bincount(found.labels_).min() > 1
        assert adjusted_rand_score(y, found.labels_[:-1]) > 0.95
        forced = CriticClusterer(3, **SHORT).fit([[0.0], [1.0], [5.0]])
        assert sorted(forced.labels_) == [0, 1, 2]

    def test_cross_entropy_method_is_another_search(self, blobs):
        X, y = blobs
        found = CriticClusterer(search="cem", random_state=0).fit(X)
        assert adjusted_rand_score(y, found.labels_) > 0.9
        assert len(found.history_["best"]) > 1


class TestAttributes:
    def test_labels_are_those_of_predict(self, fitted, blobs):
        X, _ = blobs
        np.testing.assert_array_equal(fitted.predict(X), fitted.labels_)
        assert set(fitted.labels_) == set(range(fitted.n_clusters_))
        assert fitted.labels_.dtype == np.int64

    def test_score_is_the_critics(self, fitted, blobs):
        X, _ = blobs
        expected = ClusteringCritic.from_pretrained().score_clustering(X, fitted.labels_)
        assert fitted.score_ == pytest.approx(expected, rel=1e-4)
        assert fitted.score(X) == pytest.approx(expected, rel=1e-4)

    def test_nothing_scores_better_than_the_result(self, fitted, blobs):
        X, y = blobs
        labelings = [KMeans(k, random_state=0).fit(X).labels_ for k in range(2, 9)]
        scores = ClusteringCritic.from_pretrained().score_clusterings(X, labelings)
        # A search is believed only where it finds something clearly better.
        assert fitted.history_["best"][-1] >= scores.max() - 1e-3

    def test_alternatives_are_others_best_first(self, fitted):
        scores = [found.score for found in fitted.alternatives_]
        assert scores == sorted(scores, reverse=True)
        assert scores[0] <= fitted.history_["best"][-1]
        for found in fitted.alternatives_:
            assert found.labels.shape == fitted.labels_.shape
            assert adjusted_rand_score(found.labels, fitted.labels_) < 1

    def test_history_never_falls(self, fitted):
        history = fitted.history_
        assert (np.diff(history["best"]) >= 0).all()
        assert len(history["best"]) == len(history["mean"]) == len(history["n_clusters"])
        assert history["best"][-1] >= fitted.score_

    def test_transform_is_the_distance_to_the_nearest_member(self, fitted, blobs):
        new = np.random.RandomState(0).uniform(-10, 10, size=(20, 3))
        found = fitted.transform(new)
        for c in range(fitted.n_clusters_):
            members = blobs[0][fitted.labels_ == c]
            expected = np.linalg.norm(new[:, None] - members, axis=2).min(axis=1)
            np.testing.assert_allclose(found[:, c], expected)
        np.testing.assert_array_equal(found.argmin(axis=1), fitted.predict(new))

    def test_of_many_rows_a_sample_is_clustered(self, monkeypatch):
        monkeypatch.setattr("skdeepclust._critic_clusterer._MAX_ROWS", 200)
        X, y = make_blobs(1000, centers=apart(4), random_state=5)
        found = CriticClusterer(random_state=0).fit(X)
        assert adjusted_rand_score(y, found.labels_) > 0.95
        np.testing.assert_array_equal(found.predict(X), found.labels_)
        assert all(len(other.labels) == 1000 for other in found.alternatives_)


class TestReproducibility:
    @pytest.mark.parametrize("search", ["genetic", "cem"])
    def test_islands_do_not_depend_on_n_jobs(self, blobs, search):
        islands = {**SHORT, "search": search, "n_islands": 3, "n_generations": 7}
        first, second = (CriticClusterer(n_jobs=n, **islands).fit(blobs[0]) for n in (1, 2))
        assert_same(first, second)

    def test_a_seed_fixes_the_result_whatever_n_jobs(self, blobs):
        X, _ = blobs
        first, second = (CriticClusterer(n_jobs=n, **SHORT).fit(X) for n in (1, 2))
        np.testing.assert_array_equal(first.labels_, second.labels_)
        assert first.score_ == second.score_

    def test_global_random_states_are_left_alone(self, blobs):
        before = (random.getstate(), np.random.get_state()[1].copy(), torch.get_rng_state())
        CriticClusterer(**SHORT).fit(blobs[0])
        assert random.getstate() == before[0]
        np.testing.assert_array_equal(np.random.get_state()[1], before[1])
        assert torch.equal(torch.get_rng_state(), before[2])

    def test_pickled_and_saved_ones_predict_alike(self, fitted, tmp_path):
        new = np.random.RandomState(0).uniform(-10, 10, size=(20, 3))
        save(fitted, tmp_path / "clusterer.safetensors")
        for again in (pickle.loads(pickle.dumps(fitted)), load(tmp_path / "clusterer.safetensors")):
            np.testing.assert_array_equal(again.predict(new), fitted.predict(new))
            np.testing.assert_array_equal(again.labels_, fitted.labels_)
            assert again.score_ == fitted.score_

    def test_verbose_alone_prints(self, blobs, capsys):
        CriticClusterer(**SHORT).fit(blobs[0])
        assert capsys.readouterr() == ("", "")
        CriticClusterer(verbose=1, **SHORT).fit(blobs[0])
        assert "CriticClusterer" in capsys.readouterr().err


class Judge:
    """The critic's judgement, with what a test wants to happen in some of its calls."""

    def __init__(self, monkeypatch, call=None, error=None):
        self.own, self.call, self.error = judging.judge, call, error
        self.sizes = []
        monkeypatch.setattr(judging, "judge", self)

    def __call__(self, network, graph, labels, device):
        self.sizes.append(labels.shape)
        if len(self.sizes) == self.call:
            raise self.error
        return self.own(network, graph, labels, device)


class Clock:
    """Time that passes only while the critic judges, and as a test says."""

    def __init__(self, monkeypatch, seconds):
        self.now, self.seconds = 1000.0, seconds
        own = judging.judge
        monkeypatch.setattr(time, "monotonic", lambda: self.now)

        def slowly(network, graph, labels, device):
            self.now += seconds * len(labels)
            return own(network, graph, labels, device)

        monkeypatch.setattr(judging, "judge", slowly)


def assert_same(found, wanted):
    """Two fits have the same result, bit for bit."""
    np.testing.assert_array_equal(found.labels_, wanted.labels_)
    np.testing.assert_array_equal(found._prototypes, wanted._prototypes)
    assert found.score_ == wanted.score_
    assert found.history_ == wanted.history_
    for ours, theirs in zip(found.alternatives_, wanted.alternatives_, strict=True):
        np.testing.assert_array_equal(ours.labels, theirs.labels)
        assert ours.score == theirs.score


@pytest.fixture
def few_points(monkeypatch):
    """Prototypes of 800 rows already."""
    monkeypatch.setattr(module, "_MAX_ROWS", 60)


@pytest.fixture(scope="module")
def many():
    """Many rows, by the measure of `few_points`, whose prototypes score higher than a sample."""
    return make_blobs(1_500, centers=3, n_features=6, center_box=(-4, 4), random_state=1)[0]


class TestTime:
    @pytest.mark.parametrize("search", ["genetic", "cem"])
    @pytest.mark.parametrize("max_time", [0.5, 3.0])
    def test_fit_ends_in_time(self, blobs, monkeypatch, search, max_time):
        clock = Clock(monkeypatch, 0.01)
        parameters = {"max_time": max_time, "patience": 100, "random_state": 0}
        found = CriticClusterer(search=search, n_generations=1_000, **parameters).fit(blobs[0])
        assert 0.8 * max_time <= clock.now - 1000.0 <= 1.1 * max_time
        assert found.labels_.shape == (200,)
        np.testing.assert_array_equal(found.predict(blobs[0]), found.labels_)

    @pytest.mark.parametrize(("max_time", "n_searches"), [(0.5, 1), (2.5, 2)])
    def test_prototypes_are_left_out_where_there_is_no_time(
        self, few_points, many, monkeypatch, max_time, n_searches
    ):
        clock, names = Clock(monkeypatch, 0.01), []
        own = CriticClusterer._search_points

        def note(self, rng, scores, points, name, deadline):
            names.append(name)
            return own(self, rng, scores, points, name, deadline)

        monkeypatch.setattr(CriticClusterer, "_search_points", note)
        found = CriticClusterer(max_time=max_time, **SHORT).fit(many)
        assert len(names) == n_searches
        assert clock.now - 1000.0 <= 1.1 * max_time
        assert found.labels_.shape == (1_500,)

    @pytest.mark.parametrize("search", ["genetic", "cem"])
    def test_too_little_time_gives_a_valid_result(self, blobs, search):
        found = CriticClusterer(max_time=1e-6, search=search, random_state=0).fit(blobs[0])
        assert found.history_["n_evaluations"] == [1]
        assert set(found.labels_) == set(range(found.n_clusters_))
        given = CriticClusterer(4, max_time=1e-6, search=search, random_state=0).fit(blobs[0])
        assert given.n_clusters_ == 4

    def test_time_is_that_of_the_search_and_not_of_the_training(self, blobs, monkeypatch):
        clock, fit = Clock(monkeypatch, 0.0), ClusteringCritic.fit

        def slowly(self, *arguments):
            clock.now += 1e6
            return fit(self, *arguments)

        monkeypatch.setattr(ClusteringCritic, "fit", slowly)
        critic = ClusteringCritic(**TINY_CRITIC)
        found = CriticClusterer(critic=critic, max_time=10.0, **SHORT).fit(*blobs)
        assert len(found.history_["best"]) == 3

    def test_time_that_is_not_needed_changes_no_labels(self, blobs, fitted):
        found = CriticClusterer(max_time=1e6, random_state=0).fit(blobs[0])
        np.testing.assert_array_equal(found.labels_, fitted.labels_)


class TestInterrupts:
    @pytest.mark.parametrize("search", ["genetic", "cem"])
    @pytest.mark.parametrize("call", [2, 3])
    def test_the_best_so_far_is_kept(self, blobs, monkeypatch, search, call):
        parameters = {"search": search, "random_state": 0, "population_size": 8}
        complete = CriticClusterer(**parameters).fit(blobs[0])
        Judge(monkeypatch, call, KeyboardInterrupt)
        with pytest.warns(ConvergenceWarning, match=f"interrupted after {call - 2} generations"):
            found = CriticClusterer(**parameters).fit(blobs[0])
        assert found.history_["best"] == complete.history_["best"][: call - 1]
        np.testing.assert_array_equal(found.predict(blobs[0]), found.labels_)
        assert found.score(blobs[0]) == pytest.approx(found.score_, rel=1e-4)

    def test_a_warning_that_is_an_error_loses_nothing(self, blobs, monkeypatch):
        Judge(monkeypatch, 2, KeyboardInterrupt)
        clusterer = CriticClusterer(**SHORT)
        with pytest.raises(ConvergenceWarning):
            clusterer.fit(blobs[0])
        assert clusterer.predict(blobs[0]).shape == (200,)

    def test_before_a_score_it_is_raised_and_the_earlier_fit_stays(self, blobs, monkeypatch):
        clusterer = CriticClusterer(**SHORT).fit(blobs[0])
        before = dict(vars(clusterer))
        Judge(monkeypatch, 1, KeyboardInterrupt)
        with pytest.raises(KeyboardInterrupt):
            clusterer.fit(blobs[0][:50])
        assert vars(clusterer) == before
        assert clusterer.predict(blobs[0]).shape == (200,)

    def test_a_second_one_is_raised_and_the_earlier_fit_stays(self, blobs, monkeypatch):
        clusterer = CriticClusterer(**SHORT).fit(blobs[0])
        before = dict(vars(clusterer))

        def stop(*arguments):
            raise KeyboardInterrupt

        Judge(monkeypatch, 2, KeyboardInterrupt)
        monkeypatch.setattr(CriticClusterer, "_keep", stop)
        with pytest.raises(KeyboardInterrupt):
            clusterer.fit(blobs[0][:50])
        assert vars(clusterer) == before

    @pytest.mark.parametrize("later", [0, 1])
    def test_among_prototypes_there_is_the_sample(self, few_points, many, monkeypatch, later):
        judged = Judge(monkeypatch)
        CriticClusterer(**SHORT).fit(many)
        n_first = len(judged.sizes) // 2
        Judge(monkeypatch, n_first + 1 + later, KeyboardInterrupt)
        with pytest.warns(ConvergenceWarning, match="interrupted"):
            found = CriticClusterer(**SHORT).fit(many)
        assert found.labels_.shape == (1_500,)
        np.testing.assert_array_equal(found.predict(many), found.labels_)
        if not later:  # nothing is known of prototypes
            assert all((many == point).all(axis=1).any() for point in found._prototypes)


class TestCheckpoint:
    @pytest.fixture(autouse=True)
    def save_always(self, monkeypatch):
        monkeypatch.setattr("skdeepclust._known_scores._SECONDS", 0.0)

    def break_off(self, clusterer, X, call, error=RuntimeError):
        """A fit that ends with an error in one of its calls of the critic; the calls."""
        with pytest.MonkeyPatch.context() as patch:
            judged = Judge(patch, call, error)
            with suppress(RuntimeError), catch_warnings():
                simplefilter("ignore", ConvergenceWarning)
                clusterer.fit(X)
        return judged.sizes

    @pytest.mark.parametrize("search", ["genetic", "cem"])
    @pytest.mark.parametrize("call", [1, 2, 3, 6])
    @pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
    def test_a_broken_fit_goes_on_bit_for_bit(
        self, blobs, monkeypatch, tmp_path, search, call, error
    ):
        X = blobs[0]
        parameters = {"search": search, "population_size": 8, "n_generations": 6, "patience": 9}
        wanted = CriticClusterer(random_state=3, **parameters).fit(X)
        clusterer = CriticClusterer(checkpoint=tmp_path, random_state=3, **parameters)
        if call == 1 and error is KeyboardInterrupt:
            with pytest.raises(KeyboardInterrupt):
                self.break_off(clusterer, X, call, error)
        else:
            self.break_off(clusterer, X, call, error)
        assert bool(list(tmp_path.iterdir())) == (call > 1)
        judged = Judge(monkeypatch)
        resumed = clone(clusterer).fit(X)
        assert_same(resumed, wanted)
        assert len(judged.sizes) <= len(wanted.history_["best"]) - call + 1
        assert list(tmp_path.iterdir()) == []

    @pytest.mark.parametrize("call", [2, 5, 12])
    def test_islands_go_on_bit_for_bit(self, blobs, monkeypatch, tmp_path, call):
        parameters = {**SHORT, "n_islands": 3, "n_generations": 12, "patience": 20}
        wanted = CriticClusterer(**parameters).fit(blobs[0])
        clusterer = CriticClusterer(checkpoint=tmp_path, **parameters)
        n_calls = len(self.break_off(clusterer, blobs[0], call))
        assert n_calls == call
        judged = Judge(monkeypatch)
        assert_same(clone(clusterer).set_params(n_jobs=1).fit(blobs[0]), wanted)
        assert wanted.history_["n_evaluations"][-1] > sum(m for m, _ in judged.sizes)
        assert list(tmp_path.iterdir()) == []

    @pytest.mark.parametrize("search", ["genetic", "cem"])
    def test_both_searches_of_many_rows(self, few_points, many, monkeypatch, tmp_path, search):
        parameters = {"search": search, **SHORT}
        with pytest.MonkeyPatch.context() as patch:
            judged = Judge(patch)
            wanted = CriticClusterer(**parameters).fit(many)
        for call in range(1, len(judged.sizes) + 1):
            clusterer = CriticClusterer(checkpoint=tmp_path, **parameters)
            self.break_off(clusterer, many, call)
            assert_same(clusterer.fit(many), wanted)
        assert list(tmp_path.iterdir()) == []

    def test_a_fit_that_is_broken_off_again_and_again(self, blobs, tmp_path):
        parameters = {"population_size": 8, "n_generations": 4, "patience": 9, "random_state": 0}
        wanted = CriticClusterer(**parameters).fit(blobs[0])
        clusterer = CriticClusterer(checkpoint=str(tmp_path), **parameters)
        for _ in range(4):
            self.break_off(clusterer, blobs[0], 2)  # one generation further each time
        assert len(self.break_off(clusterer, blobs[0], None)) == 1
        assert_same(clusterer, wanted)

    @pytest.mark.parametrize("seed", [None, "instance"])
    def test_random_states_without_a_seed(self, blobs, tmp_path, seed):
        parameters = {"population_size": 8, "n_generations": 3, "patience": 9}
        before = np.random.get_state()
        try:
            np.random.seed(4)  # None stands for the global generator
            begun = None if seed is None else np.random.RandomState(4)
            wanted = CriticClusterer(random_state=begun, **parameters).fit(blobs[0])
            np.random.seed(4)
            begun = None if seed is None else np.random.RandomState(4)
            clusterer = CriticClusterer(checkpoint=tmp_path, random_state=begun, **parameters)
            self.break_off(clusterer, blobs[0], 3)
            np.random.seed(99)
            assert_same(clusterer.fit(blobs[0]), wanted)
        finally:
            np.random.set_state(before)

    def test_a_critic_that_is_trained_inside(self, blobs, tmp_path):
        X, y = blobs
        parameters = {"critic": ClusteringCritic(**{**TINY_CRITIC, "random_state": None}), **SHORT}
        wanted = CriticClusterer(**parameters).fit(X, y)
        clusterer = CriticClusterer(checkpoint=tmp_path, **parameters)
        with pytest.MonkeyPatch.context() as patch:
            Judge(patch, 2, RuntimeError)
            with pytest.raises(RuntimeError):
                clusterer.fit(X, y)
        assert_same(clusterer.fit(X, y), wanted)

    def test_other_data_and_parameters_are_refused(self, blobs, tmp_path):
        X, _ = blobs
        clusterer = CriticClusterer(checkpoint=tmp_path, **SHORT)
        self.break_off(clusterer, X, 2)
        (file,) = tmp_path.iterdir()
        before = file.read_bytes()
        with pytest.raises(ValueError, match=r"checkpoint=.*difference is in X"):
            clusterer.fit(X + 1e-9)
        with pytest.raises(ValueError, match=r"checkpoint=.*difference is in population_size"):
            clone(clusterer).set_params(population_size=9).fit(X)
        assert file.read_bytes() == before
        clone(clusterer).set_params(verbose=0, n_jobs=2).fit(X)
        assert not file.exists()

    def test_a_directory_that_cannot_be_written(self, blobs, fitted, monkeypatch, tmp_path):
        def refuse(path, *arguments, **named):
            raise PermissionError(EACCES, "Permission denied", str(path))

        before = dict(vars(fitted))
        monkeypatch.setattr("skdeepclust._checkpoint.Path.touch", refuse)
        with pytest.raises(PermissionError, match="checkpoint=.*nothing can be written there"):
            fitted.set_params(checkpoint=tmp_path).fit(blobs[0])
        fitted.set_params(checkpoint=None)
        assert vars(fitted) == before

    def test_a_full_disk_keeps_the_checkpoint_and_the_fit_before(
        self, blobs, monkeypatch, tmp_path
    ):
        X, _ = blobs
        clusterer = CriticClusterer(checkpoint=tmp_path, **SHORT)
        self.break_off(clusterer, X, 2)
        (file,) = tmp_path.iterdir()
        before = file.read_bytes()

        def refuse(*arguments):
            raise OSError(ENOSPC, "No space left on device")

        with monkeypatch.context() as patch:
            patch.setattr("skdeepclust._checkpoint.TensorFile.write", refuse)
            with pytest.raises(OSError, match=r"checkpoint=.*cannot be saved") as raised:
                clusterer.fit(X)
        assert raised.value.errno == ENOSPC
        assert file.read_bytes() == before
        assert not hasattr(clusterer, "labels_")
        assert_same(clusterer.fit(X), CriticClusterer(**SHORT).fit(X))

    def test_an_interrupted_fit_with_a_full_disk_is_kept(self, blobs, monkeypatch, tmp_path):
        clusterer = CriticClusterer(checkpoint=tmp_path, **SHORT)
        monkeypatch.setattr("skdeepclust._known_scores._SECONDS", 1e6)

        def refuse(*arguments):
            raise OSError(ENOSPC, "No space left on device")

        class LastSave(Judge):
            def __call__(self, *arguments):
                if len(self.sizes) == 1:
                    monkeypatch.setattr("skdeepclust._checkpoint.TensorFile.write", refuse)
                return super().__call__(*arguments)

        LastSave(monkeypatch, 2, KeyboardInterrupt)
        with pytest.raises(OSError, match="cannot be saved"):
            clusterer.fit(blobs[0])
        assert clusterer.predict(blobs[0]).shape == (200,)

    def test_the_parameter_is_copied_and_saved(self, blobs, tmp_path):
        folder = tmp_path / "begun"
        clusterer = clone(CriticClusterer(checkpoint=folder, **SHORT)).fit(blobs[0])
        assert clusterer.get_params()["checkpoint"] == folder
        save(clusterer, tmp_path / "clusterer.safetensors")
        again = load(tmp_path / "clusterer.safetensors")
        assert again.get_params()["checkpoint"] == folder
        assert_same(again, clusterer)


class TestCritics:
    def test_frozen_critics_survive_clone(self, blobs):
        X, y = blobs
        critic = ClusteringCritic(**TINY_CRITIC).fit(X, y)
        clusterer = clone(CriticClusterer(critic=FrozenEstimator(critic), **SHORT)).fit(X)
        assert clusterer.critic_ is not None
        assert clusterer.score_ == pytest.approx(critic.score_clustering(X, clusterer.labels_))

    def test_paths_survive_clone(self, blobs, tmp_path):
        X, y = blobs
        critic = ClusteringCritic(**TINY_CRITIC).fit(X, y)
        save(critic, tmp_path / "critic.safetensors")
        for path in (tmp_path / "critic.safetensors", str(tmp_path / "critic.safetensors")):
            found = clone(CriticClusterer(critic=path, **SHORT)).fit(X)
            assert found.score_ == pytest.approx(critic.score_clustering(X, found.labels_))

    def test_a_new_critic_learns_from_the_labels(self, blobs):
        X, y = blobs
        clusterer = CriticClusterer(critic=ClusteringCritic(**TINY_CRITIC), **SHORT)
        with pytest.raises(ValueError, match="not fitted, and y=None"):
            clusterer.fit(X)
        assert hasattr(clusterer.fit(X, y).critic_, "network_")
        assert not hasattr(clusterer.critic, "network_")

    def test_a_new_critic_without_a_seed_takes_that_of_the_search(self, blobs):
        X, y = blobs
        critic = ClusteringCritic(**{**TINY_CRITIC, "random_state": None})
        state = np.random.get_state()[1].copy()
        first, second = (CriticClusterer(critic=critic, **SHORT).fit(X, y) for _ in range(2))
        assert first.score_ == second.score_
        np.testing.assert_array_equal(first.labels_, second.labels_)
        np.testing.assert_array_equal(np.random.get_state()[1], state)

    def test_other_files_are_refused(self, blobs, tmp_path):
        X, y = blobs
        save(DeepMetricClusterer(max_epochs=1).fit(X, y), tmp_path / "other.safetensors")
        with pytest.raises(ValueError, match="no fitted ClusteringCritic"):
            CriticClusterer(critic=tmp_path / "other.safetensors").fit(X)
        with pytest.raises(FileNotFoundError, match="nowhere"):
            CriticClusterer(critic=str(tmp_path / "nowhere")).fit(X)
        with pytest.raises(ValueError, match="a ClusteringCritic is wanted"):
            CriticClusterer(critic=FrozenEstimator(KMeans())).fit(X)


class TestComposition:
    def test_pipeline(self, blobs):
        X, y = blobs
        model = make_pipeline(StandardScaler(), CriticClusterer(random_state=0))
        assert adjusted_rand_score(y, model.fit_predict(X * [1, 100, 0.01])) > 0.9

    def test_behind_a_frozen_embedding(self, blobs):
        X, y = blobs
        embedding = FrozenEstimator(DeepMetricClusterer(max_epochs=5, random_state=0).fit(X, y))
        labels = make_pipeline(embedding, CriticClusterer(**SHORT)).fit_predict(X)
        assert labels.shape == (200,)

    def test_grid_search_without_labels(self, blobs):
        X, _ = blobs
        grid = {"n_clusters": [2, 5]}
        search = GridSearchCV(CriticClusterer(**SHORT), grid, cv=NoSplit()).fit(X)
        assert search.best_params_ == {"n_clusters": 5}


class TestBadInput:
    @pytest.mark.parametrize(
        ("parameters", "message"),
        [
            ({"n_clusters": 9}, "n_clusters=9 is larger than the number of rows"),
            ({"min_clusters": 5, "max_clusters": 3}, "min_clusters=5 is larger than max_clusters"),
            ({"search": "annealing"}, "'search' parameter"),
            ({"critic": 3}, "'critic' parameter"),
            ({"max_time": 0}, "'max_time' parameter"),
            ({"checkpoint": 3}, "'checkpoint' parameter"),
            ({"device": "nowhere"}, "device='nowhere'"),
        ],
    )
    def test_parameters(self, parameters, message):
        X = np.random.RandomState(0).standard_normal((8, 2))
        with pytest.raises(ValueError, match=message):
            CriticClusterer(**parameters).fit(X)

    @pytest.mark.parametrize(
        ("X", "message"),
        [
            (np.full((5, 2), np.nan), "NaN"),
            (np.ones((1, 2)), "minimum of 2"),
            (np.ones((6, 2)), "same values in every row"),
            (np.empty((5, 0)), r"0 feature\(s\)"),
        ],
    )
    def test_data_and_nothing_is_lost(self, fitted, X, message):
        before = fitted.labels_
        with pytest.raises(ValueError, match=message):
            fitted.fit(X)
        assert fitted.labels_ is before

    def test_few_rows_and_duplicates(self):
        for X in ([[0.0], [1.0]], [[0.0], [0.0], [1.0]], np.repeat([[0.0], [5.0]], 10, axis=0)):
            found = CriticClusterer(**SHORT).fit(np.array(X))
            assert len(found.labels_) == len(X)

    def test_constant_columns_do_no_harm(self, blobs):
        X, y = blobs
        wide = np.column_stack([X, np.ones(200)])
        assert adjusted_rand_score(y, CriticClusterer(random_state=0).fit_predict(wide)) > 0.9

    def test_not_fitted(self, blobs):
        with pytest.raises(NotFittedError):
            CriticClusterer().predict(blobs[0])


def test_equal_rows_are_in_one_cluster_and_no_cluster_is_empty():
    rng = np.random.RandomState(0)
    for seed in range(10):
        X = rng.randint(0, 2, (23, 3)).astype(float)
        fitted = CriticClusterer(n_generations=1, random_state=seed).fit(X)
        pairs = np.unique(np.column_stack([X, fitted.labels_]), axis=0)
        assert len(pairs) == len(np.unique(X, axis=0))
        assert set(fitted.labels_) == set(range(fitted.n_clusters_))
        np.testing.assert_array_equal(fitted.predict(X), fitted.labels_)
        for other in fitted.alternatives_:
            assert set(other.labels) == set(range(other.labels.max() + 1))
