"""Tests of the splitters: what may never leak, what must be covered, what is refused."""

from __future__ import annotations

import pickle

import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csr_array
from sklearn import config_context
from sklearn.base import clone
from sklearn.cluster import KMeans
from sklearn.datasets import make_blobs
from sklearn.metrics import silhouette_score
from sklearn.model_selection import GridSearchCV, cross_validate
from sklearn.neighbors import NeighborhoodComponentsAnalysis

from skdeepclust.metrics import recall_at_k_scorer
from skdeepclust.model_selection import ClassDisjointKFold, NoSplit

SHUFFLES = [{}, {"shuffle": True, "random_state": 0}]


def folds(splitter, y, groups=None):
    return list(splitter.split(np.zeros((len(y), 1)), y, groups))


def rows_tested(splitter, y, groups=None):
    return [test.tolist() for _, test in folds(splitter, y, groups)]


@pytest.fixture(params=["int", "str", "float"])
def y(request):
    """23 classes of very different sizes (200,), in random order."""
    rng = np.random.RandomState(0)
    codes = np.concatenate([np.arange(23), rng.choice(23, p=rng.dirichlet(np.ones(23)), size=177)])
    rng.shuffle(codes)
    return {"int": codes, "str": np.char.add("class ", codes.astype(str)), "float": codes / 2}[
        request.param
    ]


@pytest.mark.parametrize("shuffle", SHUFFLES)
@pytest.mark.parametrize("n_splits", [2, 5, 23])
class TestFolds:
    def test_classes_are_disjoint_and_every_row_is_tested_once(self, y, n_splits, shuffle):
        splits = folds(ClassDisjointKFold(n_splits, **shuffle), y)
        assert len(splits) == n_splits
        for train, test in splits:
            assert not set(y[train]) & set(y[test])
            assert sorted([*train, *test]) == list(range(len(y)))
            assert (np.diff(train) > 0).all()
            assert (np.diff(test) > 0).all()
        tested = np.concatenate([test for _, test in splits])
        assert sorted(tested) == list(range(len(y)))

    def test_numbers_of_classes_differ_by_one_at_most(self, y, n_splits, shuffle):
        n_classes = [
            len(set(y[test])) for _, test in folds(ClassDisjointKFold(n_splits, **shuffle), y)
        ]
        assert max(n_classes) - min(n_classes) <= 1

    @pytest.mark.parametrize("y", ["int"], indirect=True)
    def test_unlabelled_rows_are_always_trained_on(self, y, n_splits, shuffle):
        unlabelled = np.arange(0, len(y), 7)
        partial = np.where(np.isin(np.arange(len(y)), unlabelled), -1, y)
        n_splits = min(n_splits, len(np.unique(partial)) - 1)
        splits = folds(ClassDisjointKFold(n_splits, **shuffle), partial)
        for train, test in splits:
            assert np.isin(unlabelled, train).all()
            assert not np.isin(unlabelled, test).any()
            assert not set(partial[train]) & set(partial[test])
        tested = np.concatenate([test for _, test in splits])
        assert sorted(tested) == np.flatnonzero(partial != -1).tolist()


@pytest.mark.parametrize("shuffle", SHUFFLES)
def test_rows_are_balanced_among_folds_of_as_many_classes(shuffle):
    # One large and one small class per fold is the only balanced answer.
    y = np.repeat(np.arange(8), [30, 30, 30, 30, 2, 2, 2, 2])
    for seed in range(5):
        options = {**shuffle, "random_state": seed} if shuffle else {}
        sizes = [len(test) for _, test in folds(ClassDisjointKFold(4, **options), y)]
        assert max(sizes) <= 60
        assert shuffle or sizes == [32] * 4


def test_minus_one_is_a_class_where_labels_are_no_integers():
    y = np.array([-1.0, -1.0, 0.0, 1.0])
    tested = np.concatenate([test for _, test in folds(ClassDisjointKFold(3), y)])
    assert sorted(tested) == [0, 1, 2, 3]


def test_shuffling_is_deterministic_and_shuffles(y):
    first = rows_tested(ClassDisjointKFold(4, shuffle=True, random_state=3), y)
    splitter = ClassDisjointKFold(4, shuffle=True, random_state=3)
    assert rows_tested(splitter, y) == rows_tested(splitter, y) == first
    others = [
        rows_tested(ClassDisjointKFold(4, shuffle=True, random_state=seed), y)
        for seed in range(4, 8)
    ]
    assert first not in others
    assert rows_tested(ClassDisjointKFold(4), y) == rows_tested(ClassDisjointKFold(4), y)


def test_random_state_instance_moves_on_and_the_global_one_does_not(y):
    splitter = ClassDisjointKFold(4, shuffle=True, random_state=np.random.RandomState(0))
    before = np.random.get_state()[1].copy()
    assert rows_tested(splitter, y) != rows_tested(splitter, y)
    np.testing.assert_array_equal(np.random.get_state()[1], before)


def test_folds_do_not_depend_on_the_order_of_rows():
    y = np.repeat(np.arange(6), [6, 5, 4, 3, 2, 1])
    order = np.random.RandomState(0).permutation(len(y))
    classes = [sorted(set(y[test])) for _, test in folds(ClassDisjointKFold(3), y)]
    shuffled = [sorted(set(y[order][test])) for _, test in folds(ClassDisjointKFold(3), y[order])]
    assert classes == shuffled


@pytest.mark.parametrize("shuffle", SHUFFLES)
class TestGroups:
    y = np.repeat(np.arange(12), 3)
    groups = np.array(list("aaabbbccddef"))[y]  # alphabets of 3, 3, 2, 2, 1 and 1 characters

    def test_groups_stay_together(self, shuffle):
        splits = folds(ClassDisjointKFold(3, **shuffle), self.y, self.groups)
        for train, test in splits:
            assert not set(self.groups[train]) & set(self.groups[test])
        assert sorted(np.concatenate([test for _, test in splits])) == list(range(36))

    def test_numbers_of_classes_are_balanced(self, shuffle):
        splits = folds(ClassDisjointKFold(3, **shuffle), self.y, self.groups)
        assert [len(set(self.y[test])) for _, test in splits] == [4, 4, 4]

    def test_groups_of_unlabelled_rows_do_not_matter(self, shuffle):
        y, groups = self.y.copy(), self.groups.copy()
        y[::3], groups[::3] = -1, "elsewhere"
        splits = folds(ClassDisjointKFold(6, **shuffle), y, groups)
        assert all(np.isin(np.flatnonzero(y == -1), train).all() for train, _ in splits)

    def test_refuses_a_class_in_two_groups(self, shuffle):
        groups = self.groups.copy()
        groups[-1] = "g"
        with pytest.raises(ValueError, match="groups must keep .* got 2 groups for the class .*11"):
            folds(ClassDisjointKFold(3, **shuffle), self.y, groups)

    def test_refuses_fewer_groups_than_folds(self, shuffle):
        with pytest.raises(ValueError, match="n_splits must be at most .* 6 here, got 7"):
            folds(ClassDisjointKFold(7, **shuffle), self.y, self.groups)
        assert len(folds(ClassDisjointKFold(7, **shuffle), self.y)) == 7


@pytest.mark.parametrize(
    "X, y, groups, message",
    [
        (np.eye(4), None, None, "y must hold the classes of the rows of X, got None"),
        (np.eye(4), np.eye(4), None, r"y must be 1-D .* shape \(4, 4\)"),
        (np.eye(4), [0, 0, 1, 1], None, "n_splits must be at most .* 2 here, got 3"),
        (np.eye(4), [0, -1, 1, -1], None, "n_splits must be at most .* 2 here, got 3"),
        (np.eye(4), [-1, -1, -1, -1], None, "y must have labelled rows, got -1"),
        (np.eye(4), [0, 1, 2], None, "X and y must have the same number of rows, got 4 and 3"),
        (np.eye(3), [0, 1, 2], [0, 1], "y and groups must have the same .* got 3 and 2"),
        (np.eye(3), [0.0, 1.0, np.nan], None, "y contains NaN"),
        (np.eye(3), ["a", None, "b"], None, "y must hold labels that can be sorted"),
        (np.eye(0), [], None, "y must be 1-D and not empty"),
    ],
)
def test_split_refuses_bad_input(X, y, groups, message):
    with pytest.raises(ValueError, match=message):
        ClassDisjointKFold(3).split(X, y, groups)


@pytest.mark.parametrize(
    "options, error, message",
    [
        ({"n_splits": 1}, ValueError, "n_splits must be an integer of at least 2, got 1"),
        ({"n_splits": 2.0}, ValueError, "n_splits must be an integer of at least 2, got 2.0"),
        ({"shuffle": "yes"}, TypeError, "shuffle must be True or False, got 'yes'"),
        ({"random_state": 3}, ValueError, "random_state must be None unless shuffle=True, got 3"),
    ],
)
def test_refuses_bad_parameters(options, error, message):
    with pytest.raises(error, match=message):
        ClassDisjointKFold(**options)


def test_takes_what_sklearn_takes():
    y = pd.Series(list("aabbcc"), index=list("uvwxyz"))
    expected = rows_tested(ClassDisjointKFold(3), y.to_numpy())
    for X in (
        None,
        [[0]] * 6,
        csr_array(np.eye(6)),
        pd.DataFrame(np.eye(6)),
        np.ones((6, 1, 2, 2)),
    ):
        for labels in (y, y.tolist(), y.astype("category")):
            splits = ClassDisjointKFold(3).split(X, labels)
            assert [test.tolist() for _, test in splits] == expected


def test_repr_pickle_and_clone():
    splitter = ClassDisjointKFold(4, shuffle=True, random_state=1)
    text = "ClassDisjointKFold(n_splits=4, random_state=1, shuffle=True)"
    for copy in (splitter, pickle.loads(pickle.dumps(splitter)), clone(splitter, safe=False)):
        assert repr(copy) == text
        assert copy.get_n_splits() == copy.get_n_splits(np.eye(3), [0, 1, 2]) == 4
    assert repr(NoSplit()) == "NoSplit()"


def labelled_blobs():
    return make_blobs(60, n_features=3, centers=6, random_state=0)


@pytest.mark.parametrize("shuffle", SHUFFLES)
def test_scores_new_classes_in_cross_validation_and_grid_search(shuffle):
    X, y = labelled_blobs()
    model = NeighborhoodComponentsAnalysis(max_iter=2, random_state=0)
    cv = ClassDisjointKFold(3, **shuffle)
    scores = cross_validate(
        model, X, y, cv=cv, scoring=recall_at_k_scorer, return_indices=True, error_score="raise"
    )
    expected = rows_tested(cv, y)
    assert [test.tolist() for test in scores["indices"]["test"]] == expected
    search = GridSearchCV(model, {"n_components": [1, 3]}, scoring=recall_at_k_scorer, cv=cv)
    assert search.fit(X, y).n_splits_ == 3
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()


@pytest.mark.parametrize("routing", [False, True])
def test_search_hands_groups_to_the_splitter(routing):
    X, y = labelled_blobs()
    model = NeighborhoodComponentsAnalysis(max_iter=1, random_state=0)
    search = GridSearchCV(
        model, {"n_components": [2]}, scoring=recall_at_k_scorer, cv=ClassDisjointKFold(3)
    )
    with config_context(enable_metadata_routing=routing):
        search.fit(X, y, groups=y // 2)
        with pytest.raises(ValueError, match="n_splits must be at most .* 2 here, got 3"):
            search.fit(X, y, groups=y // 3)


def silhouette(estimator, X, y=None):
    return silhouette_score(X, estimator.labels_)


class TestNoSplit:
    @pytest.mark.parametrize("X", [np.ones((4, 2)), [[0]] * 4, csr_array(np.eye(4))])
    def test_trains_and_tests_on_all_rows(self, X):
        ((train, test),) = NoSplit().split(X)
        np.testing.assert_array_equal(train, np.arange(4))
        np.testing.assert_array_equal(test, np.arange(4))
        assert not np.shares_memory(train, test)
        assert NoSplit().get_n_splits() == NoSplit().get_n_splits(X, None, None) == 1

    def test_needs_rows(self):
        with pytest.raises(ValueError, match="X must be given, .* got None"):
            NoSplit().split(None)

    def test_chooses_a_clusterer_without_labels(self):
        X, _ = make_blobs(60, centers=[[0, 0], [9, 0], [0, 9]], random_state=0)
        model = KMeans(n_init=2, random_state=0)
        search = GridSearchCV(model, {"n_clusters": [2, 3, 4]}, scoring=silhouette, cv=NoSplit())
        search.fit(X)
        assert search.best_params_ == {"n_clusters": 3}
        assert search.n_splits_ == 1
        assert search.best_score_ == pytest.approx(silhouette(search.best_estimator_, X))
