"""Tests of what users pass in: errors say of which argument they speak, and come before work."""

from __future__ import annotations

from datetime import date

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.base import BaseEstimator

from skdeepclust import (
    ClusteringCritic,
    ConvEncoder,
    CriticClusterer,
    DeepMetricClusterer,
    MLPEncoder,
    ModuleEncoder,
)
from skdeepclust._validation import (
    check_labelings,
    check_labels,
    check_rows,
    check_targets,
    naming,
    plain,
)

X = np.random.RandomState(0).normal(size=(12, 3))


@pytest.mark.parametrize("error", [ValueError("no array"), TypeError("y2 is wrong")])
def test_errors_without_a_name_get_one(error):
    with pytest.raises(type(error), match=f"^X or y: {error}") as caught, naming("X", "y"):
        raise error
    assert caught.value.__cause__ is error


@pytest.mark.parametrize("error", [ValueError("X is none"), TypeError("bad y.")])
def test_errors_with_a_name_stay_as_they_are(error):
    with pytest.raises(type(error)) as caught, naming("X", "y"):
        raise error
    assert caught.value is error


def test_other_errors_pass():
    with pytest.raises(LookupError, match="nothing"), naming("X"):
        raise LookupError("nothing")


def test_tensors_are_arrays():
    tensor = torch.arange(3)
    assert plain(tensor, "X") is not tensor
    assert isinstance(plain(tensor, "X"), np.ndarray)
    assert plain("text", "X") == "text"


@pytest.mark.parametrize(
    "tensor", [torch.zeros(12, 3, requires_grad=True), torch.zeros(12, 3).bfloat16()], ids=str
)
def test_tensors_that_are_no_arrays_are_refused_by_name(tensor):
    critic = ClusteringCritic.from_pretrained()
    wanted = r"tensor that is no array: .*\.detach\(\)\.cpu\(\)\.float\(\) is wanted"
    with pytest.raises(TypeError, match=f"X is a {wanted}"):
        check_rows(BaseEstimator(), tensor, reset=True)
    with pytest.raises(TypeError, match=f"X is a {wanted}"):
        critic.score_clustering(tensor, [0, 1] * 6)
    with pytest.raises(TypeError, match=f"X is a {wanted}"):
        ClusteringCritic().fit(tensor, [0, 1] * 6)
    with pytest.raises(TypeError, match=f"y is a {wanted}"):
        check_targets(tensor[:, 0], X)
    with pytest.raises(TypeError, match=f"labels is a {wanted}"):
        check_labels(tensor[:, 0], 12)


@pytest.mark.parametrize(
    "rows",
    [
        X[:, 0],
        "text",
        [["a"], ["b"]],
        None,
        X[:0],
        X * 1j,
        [[date(2026, 1, 1)]] * 3,
    ],
    ids=lambda rows: str(rows)[:20],
)
def test_rows_that_are_none_are_named(rows):
    with pytest.raises((ValueError, TypeError), match=r"\bX\b"):
        DeepMetricClusterer().fit(rows)
    with pytest.raises((ValueError, TypeError), match=r"\bX\b"):
        CriticClusterer().fit(rows)
    with pytest.raises((ValueError, TypeError), match=r"\bX\b"):
        ClusteringCritic.from_pretrained().score_clustering(rows, [0, 1, 1])


@pytest.mark.parametrize(
    "y",
    [np.full((12, 2), "a"), [2**70] * 11 + [1], np.arange(12) * 1j, [b"x", b"y"] * 6, [0, 1]],
    ids=lambda y: str(y)[:20],
)
def test_labels_that_are_none_are_named(y):
    with pytest.raises((ValueError, TypeError), match=r"\by\b"):
        check_targets(y, X)


@pytest.mark.parametrize("name", [int, "class {}".format], ids=["int", "str"])
def test_classes_of_one_row_are_no_regression(name, recwarn):
    """Some versions of scikit-learn warn where most classes have one row."""
    y = [name(min(i, 19)) for i in range(30)]
    assert len(check_targets(y, np.ones((30, 2))).classes) == 20
    assert not list(recwarn)


@pytest.mark.parametrize("scale", [1e-300, 1e-100, 1e100, 1e300])
def test_only_ratios_of_memberships_matter(scale):
    shares = np.random.RandomState(1).uniform(0.5, 1, size=(12, 3))
    model = DeepMetricClusterer(encoder="linear", random_state=0)
    wanted = model.fit(X, shares).transform(X)
    found = model.fit(X, shares * scale).transform(X)
    np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-4)


def test_labels_of_mixed_types_are_named():
    with pytest.raises(TypeError, match=r"^labelings\[1\]: '<' not supported"):
        check_labelings([[0, 1, 1], np.array([0, "a", 1], dtype=object)], 3)


@pytest.mark.parametrize("dtype", ["float16", "float64"])
def test_infinite_rows_are_refused_without_a_warning(dtype):
    rows = np.array([[np.inf, 1.0], [-np.inf, 2.0], [3.0, 4.0]], dtype=dtype)
    with pytest.raises(ValueError, match="X contains infinity"):
        DeepMetricClusterer().fit(rows)
    with pytest.raises(ValueError, match="y contains infinity"):
        DeepMetricClusterer().fit(X[:4], [0.0, 1.0, np.inf, -np.inf])


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize(
    "estimator", [DeepMetricClusterer(2), CriticClusterer(), ClusteringCritic()]
)
def test_infinite_rows_are_seen_in_any_byte_order(estimator, order):
    rows = X.astype(f"{order}f8")
    rows[4, 1] = -np.inf
    with pytest.raises(ValueError, match="X contains infinity"):
        estimator.fit(rows, np.arange(12) % 2)


@pytest.mark.parametrize("order", ["<", ">"])
def test_byte_orders_change_nothing(order):
    clusterer = DeepMetricClusterer(encoder="linear", random_state=0)
    expected = clusterer.fit(X, np.arange(12) % 3).transform(X)
    rows = X.astype(f"{order}f8")
    np.testing.assert_array_equal(clusterer.fit(rows, np.arange(12) % 3).transform(rows), expected)


@pytest.mark.parametrize(
    "estimator", [DeepMetricClusterer(), CriticClusterer(), ClusteringCritic()]
)
def test_infinite_rows_beside_integers_of_any_size_are_refused_without_a_warning(estimator):
    rows = [[2**70, -np.inf], [1, 2.0], [3, 4], [5, 6]] * 10
    with pytest.raises(ValueError, match="infinity"):
        estimator.fit(rows, [0, 1] * 20)
    if isinstance(estimator, ClusteringCritic):
        with pytest.raises(ValueError, match=r"datasets.*infinity"):
            estimator.fit_datasets([(rows, [0, 1] * 20)])


def test_critic_learns_from_bool():
    rows, y = np.random.RandomState(0).uniform(size=(20, 4)) < 0.5, np.arange(20) % 2
    small = {"n_tasks": 1, "n_proposals": 3, "max_epochs": 1, "adversarial_rounds": 0}
    first, second = (
        ClusteringCritic(hidden_dim=4, random_state=0, **small).fit(values, y)
        for values in (rows, rows.astype(float))
    )
    assert first.score_clustering(rows, y) == second.score_clustering(rows, y)


class Unread:
    """Rows that nobody may read."""

    def __array__(self, *args, **kwargs):
        raise AssertionError("X was read")

    def __getattr__(self, name):
        raise AssertionError(f"X.{name} was read")


@pytest.mark.parametrize(
    "estimator, message",
    [
        (DeepMetricClusterer(device="nowhere"), "device='nowhere'"),
        (DeepMetricClusterer(encoder=MLPEncoder(hidden=(0,))), r"hidden=\(0,\)"),
        (DeepMetricClusterer(encoder=MLPEncoder(activation=["relu"])), r"activation=\['relu'\]"),
        (DeepMetricClusterer(encoder=MLPEncoder(dropout=1.0)), "dropout=1.0"),
        (DeepMetricClusterer(encoder=ConvEncoder(channels=(-1,))), r"channels=\(-1,\)"),
        (DeepMetricClusterer(encoder=ConvEncoder(image_shape=(0, 2))), "image_shape"),
        (DeepMetricClusterer(encoder=ConvEncoder(precision="float8")), "precision='float8'"),
        (DeepMetricClusterer(encoder=ModuleEncoder(3)), "module must be a torch.nn.Module, got 3"),
        (ClusteringCritic(device="nowhere"), "device='nowhere'"),
        (CriticClusterer(device="nowhere"), "device='nowhere'"),
        (DeepMetricClusterer(ridge=1e7), "'ridge' parameter"),
        (DeepMetricClusterer(learning_rate=1e30), "'learning_rate' parameter"),
        (DeepMetricClusterer(temperature=1e-30), "'temperature' parameter"),
        (ClusteringCritic(weight_decay=1e30), "'weight_decay' parameter"),
        (ClusteringCritic(ranking=1e30), "'ranking' parameter"),
    ],
    ids=lambda value: None if isinstance(value, str) else repr(value),
)
def test_parameters_are_checked_before_the_rows_are_read(estimator, message):
    with pytest.raises((ValueError, TypeError), match=message):
        estimator.fit(Unread(), Unread())


@pytest.mark.parametrize("n_clusters", [None, 0, 2.0, "2", 13])
def test_number_of_new_clusters_is_named(n_clusters):
    model = DeepMetricClusterer(encoder="linear").fit(X, [0, 1] * 6)
    with pytest.raises(ValueError, match="n_clusters="):
        model.cluster(X, n_clusters)


@pytest.mark.parametrize("classes", [np.array([0, "a"], dtype=object), torch.zeros(2).bfloat16()])
def test_classes_that_are_none_are_named(classes):
    with pytest.raises((ValueError, TypeError), match=r"\bclasses\b"):
        DeepMetricClusterer().partial_fit(X, [0, 1] * 6, classes=classes)


@pytest.mark.parametrize("pair", [(X[0], [0, 1, 1]), (X, np.zeros((12, 2))), (X * 1j, [0, 1] * 6)])
def test_data_sets_that_are_none_are_named(pair):
    with pytest.raises(ValueError, match=r"\bdatasets\b"):
        ClusteringCritic().fit_datasets([pair])


def test_complex_columns_of_a_frame_are_refused_without_a_warning():
    frame = pd.DataFrame({"a": np.arange(12) * 1j, "b": np.arange(12.0)})
    with pytest.raises(ValueError, match="X has complex columns"):
        DeepMetricClusterer().fit(frame)


@pytest.mark.parametrize(
    "y", [[0] * 6 + [1] * 5 + [-1], np.repeat(np.eye(3)[:, :2], [6, 5, 1], axis=0)], ids=["-1", "0"]
)
def test_labelled_rows_that_are_all_equal_leave_the_embedding_finite(y):
    rows = np.full((12, 2), 0.7)
    rows[-1, 0] = np.nextafter(0.7, 1)
    model = DeepMetricClusterer(encoder="linear", random_state=0).fit(rows, y)
    assert np.isfinite(model.transform(rows)).all()
    assert np.isfinite(model.cluster_centers_).all()
