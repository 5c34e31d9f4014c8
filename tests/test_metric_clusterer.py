import copy
import errno
import os
import pickle
import random
import warnings
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.cluster import KMeans
from sklearn.datasets import load_digits, make_blobs
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.metrics import adjusted_rand_score
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils import estimator_checks
from sklearn.utils.estimator_checks import parametrize_with_checks
from torch import nn

from skdeepclust import (
    ConvEncoder,
    DeepMetricClusterer,
    LinearEncoder,
    MLPEncoder,
    ModuleEncoder,
    _base,
    _tensor_files,
    load,
    save,
)
from skdeepclust._checkpoint import Checkpoint
from skdeepclust.datasets import make_glyphs
from skdeepclust.metrics import clustering_accuracy
from skdeepclust.training import _checkpoint as training_checkpoint

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
    "check_transformer_preserve_dtypes",
    "check_estimators_overwrite_params",
]


@parametrize_with_checks(
    [
        DeepMetricClusterer(random_state=0),
        DeepMetricClusterer(encoder="linear", random_state=0),
    ]
)
def test_scikit_learn_checks(estimator, check):
    check(estimator)


@pytest.mark.parametrize("name", OWN_CHECKS)
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore:X (does not have|has)")
def test_checks_that_scikit_learn_keeps_for_itself(name):
    check = getattr(estimator_checks, name)
    check("DeepMetricClusterer", DeepMetricClusterer(random_state=0, max_epochs=5))


@pytest.fixture(scope="module")
def digits():
    X, y = load_digits(return_X_y=True)
    few = np.full(len(y), -1)
    rng = np.random.RandomState(0)
    for label in range(10):
        few[rng.permutation(np.flatnonzero(y == label))[:20]] = label
    return X, y, few


@pytest.fixture(scope="module")
def blobs():
    return make_blobs(300, centers=4, n_features=5, random_state=3)


@pytest.fixture(scope="module")
def fitted(blobs):
    return DeepMetricClusterer(random_state=0, max_epochs=20).fit(*blobs)


class TestLearning:
    def test_few_labels_beat_kmeans_on_digits(self, digits):
        X, y, few = digits
        clusterer = DeepMetricClusterer(random_state=0).fit(X, few)
        hidden = few == -1
        plain = KMeans(10, n_init=10, random_state=0).fit(X).labels_
        accuracy = clustering_accuracy(y[hidden], clusterer.labels_[hidden])
        assert accuracy > 0.95
        assert accuracy > clustering_accuracy(y[hidden], plain[hidden]) + 0.1
        named = clusterer.classes_[clusterer.labels_[hidden]]
        assert np.mean(named == y[hidden]) == pytest.approx(accuracy)

    def test_unlabelled_rows_help(self, digits):
        X, y, few = digits
        alone = DeepMetricClusterer(random_state=0).fit(X[few >= 0], few[few >= 0])
        together = DeepMetricClusterer(random_state=0).fit(X, few)
        assert together.score(X, y) > alone.score(X, y) + 0.03

    @pytest.mark.parametrize(
        ("kind", "expected"),
        [("all", True), ("some", False), ("none", False), ("shares", False)],
    )
    def test_automatic_loss_depends_on_what_is_known(self, blobs, kind, expected):
        X, y = blobs
        some = np.where(np.arange(len(y)) % 3 == 0, y, -1)
        targets = {"all": y, "some": some, "none": None, "shares": np.eye(4)[y]}[kind]
        clusterer = DeepMetricClusterer(4, max_epochs=1, random_state=0).fit(X, targets)
        assert ("loss" in clusterer.history_) == expected
        for loss in ("spectral", "leave-one-out"):
            clusterer.set_params(loss=loss).fit(X, targets)
            assert ("loss" in clusterer.history_) == (loss == "leave-one-out")

    def test_no_labels_beat_kmeans_on_digits(self, digits):
        X, y, _ = digits
        plain = KMeans(10, n_init=10, random_state=0).fit(X).labels_
        labels = DeepMetricClusterer(10, random_state=0).fit_predict(X)
        assert adjusted_rand_score(y, labels) > adjusted_rand_score(y, plain) + 0.05

    @pytest.mark.parametrize("encoder", ["linear", "mlp", LinearEncoder(), MLPEncoder((16,))])
    def test_all_labels(self, blobs, encoder):
        X, y = blobs
        clusterer = DeepMetricClusterer(encoder=encoder, random_state=0).fit(X[::2], y[::2])
        assert clusterer.score(X[1::2], y[1::2]) > 0.95

    def test_linear_needs_no_epochs_and_gives_the_optimum(self, blobs):
        X, y = blobs
        clusterer = DeepMetricClusterer(encoder="linear", ridge=0.0, random_state=0).fit(X, y)
        assert clusterer.n_iter_ == 0
        indicator = np.eye(4)[y] / np.sqrt(np.bincount(y))
        affine = np.column_stack([X, np.ones(len(X))])
        expected = affine @ np.linalg.pinv(affine) @ indicator
        head = clusterer.network_.head
        map_ = np.vstack([head.weight.detach().numpy().T, head.bias.detach().numpy()])
        scaled = (X - X.mean(axis=0)) / np.sqrt((X - X.mean(axis=0)).var())
        found = np.column_stack([scaled, np.ones(len(X))]) @ map_
        found *= (expected**2).sum() / (found * expected).sum()  # the length is free
        np.testing.assert_allclose(found, expected, atol=1e-5)

    def test_history(self, fitted):
        history = fitted.history_
        assert {"objective", "monitor", "learning_rate"} <= set(history)
        assert {len(v) for v in history.values()} == {fitted.n_iter_}
        objective, monitor = np.array(history["objective"]), np.array(history["monitor"])
        np.testing.assert_allclose(objective - monitor, 4)
        assert ((monitor >= -4) & (monitor <= 0)).all()

    def test_early_stopping_records_the_held_out_objective(self, blobs):
        clusterer = DeepMetricClusterer(early_stopping=True, max_epochs=8, random_state=0)
        assert len(clusterer.fit(*blobs).history_["validation_objective"]) == clusterer.n_iter_
        with pytest.raises(ValueError, match=r"validation_fraction=0\.001"):
            clone(clusterer).set_params(validation_fraction=0.001).fit(*blobs)

    def test_inertia_and_labels_belong_to_the_centers(self, blobs, fitted):
        embedding = fitted.transform(blobs[0]).astype(np.float64)
        squared = ((embedding[:, None] - fitted.cluster_centers_) ** 2).sum(axis=-1)
        np.testing.assert_array_equal(squared.argmin(axis=1), fitted.labels_)
        assert fitted.inertia_ == pytest.approx(squared.min(axis=1).sum(), rel=1e-4)
        np.testing.assert_array_equal(fitted.predict(blobs[0]), fitted.labels_)

    def test_embedding_rows_have_length_one(self, blobs, fitted):
        lengths = np.linalg.norm(fitted.transform(blobs[0]), axis=1)
        np.testing.assert_allclose(lengths, 1, rtol=1e-5)

    def test_verbose_writes_to_standard_error_only(self, blobs, capsys):
        DeepMetricClusterer(max_epochs=3, random_state=0).fit(*blobs)
        assert capsys.readouterr() == ("", "")
        DeepMetricClusterer(max_epochs=3, random_state=0, verbose=1).fit(*blobs)
        out, err = capsys.readouterr()
        assert out == ""
        assert "DeepMetricClusterer" in err


class TestTargets:
    @pytest.mark.parametrize(
        "convert",
        [
            lambda y: np.array(list("dbca"))[y],
            lambda y: [("d", "b", "c", "a")[i] for i in y],
            lambda y: y.astype(float),
            lambda y: torch.as_tensor(y),
            lambda y: y[:, None].tolist(),
        ],
    )
    @pytest.mark.filterwarnings("ignore:A column-vector y")
    def test_label_types(self, blobs, convert):
        X, y = blobs
        labels = convert(y)
        clusterer = DeepMetricClusterer(random_state=0, max_epochs=20).fit(X, labels)
        named = clusterer.classes_[clusterer.predict(X)]
        assert np.mean(named == np.ravel(np.asarray(labels))) > 0.95
        assert (np.diff(np.unique(clusterer.classes_, return_inverse=True)[1]) > 0).all()

    @pytest.mark.parametrize("missing", [-1, None, np.nan])
    def test_missing_labels(self, blobs, missing):
        X, y = blobs
        partial = y.astype(object)
        partial[::2] = missing
        reference = y.copy()
        reference[::2] = -1
        found = DeepMetricClusterer(random_state=0, max_epochs=5).fit(X, partial)
        expected = DeepMetricClusterer(random_state=0, max_epochs=5).fit(X, reference)
        np.testing.assert_array_equal(found.labels_, expected.labels_)
        np.testing.assert_array_equal(found.classes_, [0, 1, 2, 3])

    def test_missing_strings(self, blobs):
        X, y = blobs
        names = np.array(list("dbca"), dtype=object)[y]
        names[::2] = None
        clusterer = DeepMetricClusterer(random_state=0, max_epochs=20).fit(X, names)
        np.testing.assert_array_equal(clusterer.classes_, list("abcd"))

    def test_pandas_labels(self, blobs):
        pd = pytest.importorskip("pandas")
        X, y = blobs
        series = pd.Series(y, dtype="Int64")
        series[::2] = pd.NA
        clusterer = DeepMetricClusterer(random_state=0, max_epochs=20).fit(X, series)
        assert clusterer.score(X, pd.Categorical(y)) > 0.95

    def test_only_missing_labels_are_no_labels(self, blobs):
        X, _ = blobs
        options = {"random_state": 0, "max_epochs": 3}
        none = DeepMetricClusterer(4, **options).fit(X)
        missing = DeepMetricClusterer(4, **options).fit(X, np.full(len(X), -1))
        np.testing.assert_array_equal(none.labels_, missing.labels_)
        np.testing.assert_array_equal(none.classes_, np.arange(4))

    def test_one_hot_assignments(self, blobs):
        X, y = blobs
        clusterer = DeepMetricClusterer(random_state=0, max_epochs=30).fit(X, np.eye(4)[y])
        assert clusterer.score(X, y) > 0.95
        assert clusterer.score(X, np.eye(4)[y]) > 0.95
        np.testing.assert_array_equal(clusterer.classes_, np.arange(4))

    def test_soft_and_multi_label_assignments(self, blobs):
        X, y = blobs
        soft = 0.7 * np.eye(4)[y] + 0.1 * np.random.RandomState(0).random_sample((len(y), 4))
        assert DeepMetricClusterer(random_state=0, max_epochs=30).fit(X, soft).score(X, y) > 0.95
        several = np.eye(4)[y] + np.eye(4)[np.where(y == 0, 1, y)]
        assert DeepMetricClusterer(random_state=0).fit(X, several > 0).n_clusters_ == 4

    def test_rows_of_zeros_are_unlabelled(self, blobs):
        X, y = blobs
        partial = np.eye(4)[y]
        partial[::2] = 0
        clusterer = DeepMetricClusterer(random_state=0, max_epochs=30).fit(X, partial)
        assert clusterer.score(X[::2], y[::2]) > 0.9

    def test_more_clusters_than_classes_finds_the_others(self):
        X, y = make_blobs(
            400, centers=[[0, 0], [0, 40], [40, 0], [40, 40]], cluster_std=1.0, random_state=0
        )
        partial = np.where(y < 3, y, -1)
        clusterer = DeepMetricClusterer(4, encoder="linear", random_state=0).fit(X, partial)
        assert clusterer.n_clusters_ == 4
        np.testing.assert_array_equal(clusterer.labels_[y < 3], y[y < 3])
        assert adjusted_rand_score(y, clusterer.labels_) > 0.95

    def test_fewer_clusters_than_classes(self, blobs):
        clusterer = DeepMetricClusterer(2, random_state=0, max_epochs=10).fit(*blobs)
        np.testing.assert_array_equal(np.unique(clusterer.labels_), [0, 1])

    def test_one_cluster(self, blobs):
        clusterer = DeepMetricClusterer(1, random_state=0).fit(blobs[0])
        np.testing.assert_array_equal(clusterer.labels_, 0)

    def test_default_number_of_clusters_is_that_of_kmeans(self, blobs):
        clusterer = DeepMetricClusterer(random_state=0, max_epochs=3).fit(blobs[0])
        assert clusterer.n_clusters_ <= 8
        assert DeepMetricClusterer(random_state=0).fit(blobs[0][:5]).n_clusters_ <= 5


class TestInputs:
    def test_images_and_their_pixels_in_columns_are_the_same(self, digits):
        X, y, _ = digits
        X, y = X[:300], y[:300]
        encoder = ConvEncoder(channels=(8, 16), image_shape=(8, 8))
        flat = DeepMetricClusterer(encoder=encoder, max_epochs=5, random_state=0).fit(X, y)
        images = X.reshape(-1, 1, 8, 8)
        square = DeepMetricClusterer(
            encoder=ConvEncoder(channels=(8, 16)), max_epochs=5, random_state=0
        ).fit(images, y)
        np.testing.assert_array_equal(flat.transform(X), square.transform(images))
        assert square.n_features_in_ == 1

    def test_named_encoders_take_images(self, digits):
        X, y, _ = digits
        images = X[:200].reshape(-1, 1, 8, 8)
        for encoder in ("conv", "mlp", "linear"):
            clusterer = DeepMetricClusterer(encoder=encoder, max_epochs=3, random_state=0)
            assert clusterer.fit(images, y[:200]).transform(images).shape[0] == 200

    def test_any_module(self, blobs):
        X, y = blobs
        module = nn.Sequential(nn.Linear(5, 16), nn.Tanh())
        before = copy.deepcopy(module.state_dict())
        for encoder in (module, ModuleEncoder(module)):
            clusterer = DeepMetricClusterer(encoder=encoder, random_state=0).fit(X, y)
            assert clusterer.transform(X).shape == (300, 16)
            assert clusterer.score(X, y) > 0.9
        narrow = DeepMetricClusterer(encoder=module, embedding_dim=3, random_state=0).fit(X, y)
        assert narrow.transform(X).shape == (300, 3)
        for name, value in module.state_dict().items():
            assert torch.equal(value, before[name])

    def test_memory_map_gives_the_same_result(self, blobs, tmp_path, monkeypatch):
        X, y = blobs
        X = X.astype(np.float32)
        mapped = np.memmap(tmp_path / "X", dtype=np.float32, mode="w+", shape=X.shape)
        mapped[:] = X
        expected = DeepMetricClusterer(random_state=0, max_epochs=5).fit(X, y)
        monkeypatch.setattr("skdeepclust.training._rows._MAX_CACHED_BYTES", 0)
        found = DeepMetricClusterer(random_state=0, max_epochs=5).fit(mapped, y)
        np.testing.assert_array_equal(found.transform(mapped), expected.transform(X))

    @pytest.mark.parametrize("scale", [1e-200, 1e-30, 1e30, 1e200])
    def test_scale_of_the_input_does_not_matter(self, blobs, scale):
        X, y = blobs
        expected = DeepMetricClusterer(random_state=0, max_epochs=5).fit(X, y).labels_
        found = DeepMetricClusterer(random_state=0, max_epochs=5).fit(X * scale, y).labels_
        np.testing.assert_array_equal(found, expected)

    def test_some_constant_columns_are_fine(self, blobs):
        X, y = blobs
        X = np.column_stack([X, np.ones(len(X)), np.zeros(len(X))])
        assert DeepMetricClusterer(random_state=0).fit(X, y).score(X, y) > 0.95
        assert DeepMetricClusterer(4, encoder="linear", random_state=0).fit(X).score(X, y) > 0.95


class TestBadInput:
    """Each error names the parameter, the value and the wish."""

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            (lambda X, y: (np.where(X[3, 2] == X, np.nan, X), y), "X contains NaN"),
            (lambda X, y: (np.where(X[3, 2] == X, np.inf, X), y), "X contains infinity"),
            (lambda X, y: (X[:1], y[:1]), r"1 sample.*minimum of 2"),
            (lambda X, y: (X, np.zeros(len(X), int)), "y has one class only, .*0"),
            (lambda X, y: (np.ones_like(X), y), "X has the same value in every row"),
            (lambda X, y: (X[:, :, None], y), r"X has shape \(300, 5, 1\)"),
            (lambda X, y: (X, y[:-1]), "inconsistent numbers of samples"),
            (lambda X, y: (X, X[:, 0]), "y is of the kind 'continuous'"),
            (lambda X, y: (X, -np.eye(4)[y]), "y of shape .* must be >= 0"),
            (lambda X, y: (X, np.eye(5)[y]), r"y .* needs a member in every column, \[4\]"),
            (lambda X, y: (X, np.full((len(X), 2), np.nan)), "y contains NaN"),
            (
                lambda X, y: (X, np.full((3, 3, 3), 1)),
                "y must be 1d array or .* got an array of shape",
            ),
            (lambda X, y: (X, [[0], [0, 1]] * 150), "y is no array"),
        ],
    )
    def test_data(self, blobs, change, message):
        with pytest.raises(ValueError, match=message):
            DeepMetricClusterer(random_state=0).fit(*change(*blobs))

    def test_sparse(self, blobs):
        sparse = pytest.importorskip("scipy.sparse")
        with pytest.raises(TypeError, match="[Ss]parse"):
            DeepMetricClusterer().fit(sparse.csr_array(blobs[0]))

    @pytest.mark.parametrize(
        ("params", "message"),
        [
            ({"n_clusters": 301}, "n_clusters=301 is larger than the number of rows of X, 300"),
            ({"n_clusters": 0}, "'n_clusters' parameter .* Got 0"),
            ({"embedding_dim": 0}, "'embedding_dim' parameter .* Got 0"),
            ({"encoder": "transformer"}, "'encoder' parameter .* Got 'transformer'"),
            ({"encoder": MLPEncoder(hidden=(0,))}, r"hidden=\(0,\)"),
            ({"encoder": MLPEncoder(activation="sin")}, "activation='sin'"),
            ({"encoder": ConvEncoder()}, "image_shape=None"),
            ({"encoder": ConvEncoder(image_shape=(2, 3))}, r"image_shape=\(2, 3\)"),
            ({"ridge": -1}, "'ridge' parameter .* Got -1"),
            ({"whiten": 1.5}, "'whiten' parameter .* Got 1.5"),
            ({"device": "abacus"}, "device='abacus'"),
            ({"augment": "turns"}, "'augment' parameter .* Got 'turns'"),
            ({"augment": 1}, "'augment' parameter .* Got 1"),
            ({"augment": "affine"}, r"augment of images needs .* \(b, c, h, w\), got \(128, 5\)"),
            ({"augment": "affine+turns"}, "augment=.* needs square images"),
            ({"augment": lambda x, generator: x[:, :2]}, "augment must return a tensor"),
            ({"max_time": 0}, "'max_time' parameter .* Got 0"),
            ({"max_time": -1.5}, "'max_time' parameter .* Got -1.5"),
            ({"max_time": "1"}, "'max_time' parameter .* Got '1'"),
        ],
    )
    def test_parameters(self, blobs, params, message):
        with pytest.raises(ValueError, match=message):
            DeepMetricClusterer(**params).fit(*blobs)

    @pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
    def test_missing_device(self, blobs):
        with pytest.raises(ValueError, match="device='cuda' is not there"):
            DeepMetricClusterer(device="cuda").fit(*blobs)

    def test_wrong_image_shape_later(self, digits):
        X, y, _ = digits
        clusterer = DeepMetricClusterer(encoder="conv", max_epochs=1, random_state=0)
        clusterer.fit(X[:100].reshape(-1, 1, 8, 8), y[:100])
        with pytest.raises(ValueError, match=r"rows of shape \(1, 4, 16\)"):
            clusterer.predict(X.reshape(-1, 1, 4, 16))
        with pytest.raises(ValueError, match=r"rows of shape \(64,\)|64 features"):
            clusterer.predict(X)

    def test_failed_refit_leaves_the_estimator_as_it_was(self, blobs):
        pd = pytest.importorskip("pandas")
        X, y = blobs
        frame = pd.DataFrame(X, columns=list("abcde"))
        clusterer = DeepMetricClusterer(random_state=0, max_epochs=3).fit(frame, y)
        expected = clusterer.predict(frame)
        other = frame.rename(columns=str.upper).assign(F=np.nan)
        for bad in (other, other.iloc[:, :3].iloc[:1]):
            with pytest.raises(ValueError):
                clusterer.fit(bad, y)
            with pytest.raises(ValueError):
                clusterer.partial_fit(bad, y)
        with pytest.raises(ValueError):
            clusterer.fit(frame, X[:, 0])
        np.testing.assert_array_equal(clusterer.predict(frame), expected)
        assert list(clusterer.feature_names_in_) == list("abcde")

    def test_not_fitted(self, blobs):
        for method in ("predict", "transform"):
            with pytest.raises(NotFittedError):
                getattr(DeepMetricClusterer(), method)(blobs[0])
        with pytest.raises(NotFittedError):
            DeepMetricClusterer().cluster(blobs[0], 2)

    def test_score_needs_labels(self, blobs, fitted):
        for y in (None, np.full(300, -1)):
            with pytest.raises(ValueError, match="y has no labelled row"):
                fitted.score(blobs[0], y)
        with pytest.raises(ValueError, match="inconsistent"):
            fitted.score(blobs[0], blobs[1][:-1])

    def test_score_leaves_unlabelled_rows_out(self, blobs, fitted):
        X, y = blobs
        partial = np.where(np.arange(300) % 2, y, -1)
        assert fitted.score(X, partial) == pytest.approx(fitted.score(X[1::2], y[1::2]))

    @pytest.mark.parametrize("n_clusters", [0, 301, 2.5, "3"])
    def test_cluster_checks_its_number(self, blobs, fitted, n_clusters):
        with pytest.raises(ValueError, match="n_clusters="):
            fitted.cluster(blobs[0], n_clusters)

    def test_batches_that_cannot_teach_warn(self, blobs):
        clusterer = DeepMetricClusterer(
            loss="spectral", embedding_dim=64, batch_size=32, max_epochs=1, random_state=0
        )
        with pytest.warns(ConvergenceWarning, match="32 rows cannot teach .* 64 dimensions"):
            clusterer.fit(*blobs)

    def test_too_few_dimensions_for_assignments_warn(self, blobs):
        X, y = blobs
        clusterer = DeepMetricClusterer(embedding_dim=2, max_epochs=1, random_state=0)
        with pytest.warns(ConvergenceWarning, match="y has 4 columns"):
            clusterer.fit(X, np.eye(4)[y])


class TestNewClasses:
    def test_cluster_finds_classes_that_were_not_there(self):
        rng = np.random.RandomState(0)
        centers = rng.normal(size=(60, 4)) * 6
        noise = rng.normal(size=(60 * 20, 8)) * 9  # swamps the four columns that matter
        y = np.repeat(np.arange(60), 20)
        X = np.column_stack([centers[y] + 0.3 * rng.normal(size=(1200, 4)), noise])
        seen = y < 50
        metric = DeepMetricClusterer(encoder="linear", embedding_dim=4, random_state=0)
        metric.fit(X[seen], y[seen])
        found = metric.cluster(X[~seen], 10)
        assert found.shape == (200,)
        plain = KMeans(10, n_init=10, random_state=0).fit_predict(X[~seen])
        assert adjusted_rand_score(y[~seen], found) > 0.7
        assert adjusted_rand_score(y[~seen], plain) < 0.3

    def test_cluster_is_reproducible_and_complete(self, blobs, fitted):
        first = fitted.cluster(blobs[0], 3)
        np.testing.assert_array_equal(first, fitted.cluster(blobs[0], 3))
        np.testing.assert_array_equal(np.unique(first), [0, 1, 2])
        assert first.dtype == np.int64


@pytest.fixture(scope="module")
def glyphs():
    found = make_glyphs(12, scripts="greek", n_classes=5, image_size=16, random_state=0)
    return found.images, found.target


def noisy(inputs, generator):
    return inputs + 0.1 * torch.randn(inputs.shape, generator=generator)


def on_images(**parameters):
    options = {"encoder": ConvEncoder(channels=(8, 16)), "max_epochs": 3, "random_state": 0}
    return DeepMetricClusterer(**(options | parameters))


class TestAugmentation:
    @pytest.mark.parametrize("augment", ["affine", "affine+turns", noisy])
    def test_same_seed_same_bits_and_no_global_state(self, glyphs, augment):
        X, y = glyphs
        states = np.random.get_state()[1].copy(), torch.get_rng_state()
        fits = [on_images(augment=augment).fit(X, y) for _ in range(2)]
        np.testing.assert_array_equal(fits[0].transform(X), fits[1].transform(X))
        np.testing.assert_array_equal(np.random.get_state()[1], states[0])
        assert torch.equal(torch.get_rng_state(), states[1])
        plain = on_images(embedding_dim=fits[0].transform(X).shape[1]).fit(X, y)
        assert not np.array_equal(plain.transform(X), fits[0].transform(X))

    @pytest.mark.parametrize("augment", ["affine", "affine+turns"])
    def test_classes_are_learned_from_distorted_images(self, glyphs, augment):
        X, y = glyphs
        clusterer = on_images(augment=augment, max_epochs=30).fit(X, y)
        assert clusterer.score(X, y) > 0.9
        assert clusterer.n_clusters_ == 5

    def test_a_function_sees_the_inputs_of_the_encoder(self, glyphs):
        X, y = glyphs
        seen = []
        on_images(augment=lambda x, g: seen.append((x, g)) or x, batch_size=30).fit(X, y)
        assert len(seen) == 3 * 2
        assert {tuple(x.shape) for x, _ in seen} == {(30, 1, 16, 16)}
        assert all(isinstance(g, torch.Generator) for _, g in seen)
        assert abs(float(seen[0][0].mean())) < 0.2 < float(seen[0][0].std())  # standardised

    def test_distortion_is_for_training_alone(self, glyphs):
        X, y = glyphs
        seen = []
        clusterer = on_images(augment=lambda x, g: seen.append(len(x)) or x).fit(X, y)
        n = len(seen)
        clusterer.transform(X), clusterer.predict(X), clusterer.cluster(X, 3)
        assert len(seen) == n > 0

    @pytest.mark.parametrize(("augment", "dim"), [(None, 5), ("affine", 5), ("affine+turns", 20)])
    def test_turned_classes_get_dimensions(self, glyphs, augment, dim):
        X, y = glyphs
        clusterer = on_images(augment=augment, max_epochs=1).fit(X, y)
        assert clusterer.transform(X).shape == (60, dim)
        np.testing.assert_array_equal(clusterer.classes_, np.arange(5))

    def test_images_in_columns_are_augmented_alike(self, glyphs):
        X, y = glyphs
        square = on_images(augment="affine+turns").fit(X, y)
        encoder = ConvEncoder(channels=(8, 16), image_shape=(16, 16))
        flat = on_images(encoder=encoder, augment="affine+turns").fit(X.reshape(60, -1), y)
        np.testing.assert_array_equal(flat.transform(X.reshape(60, -1)), square.transform(X))

    def test_rows_may_be_augmented_by_a_function(self, blobs):
        clusterer = DeepMetricClusterer(augment=noisy, max_epochs=20, random_state=0)
        assert clusterer.fit(*blobs).score(*blobs) > 0.9

    @pytest.mark.parametrize("augment", ["affine", "affine+turns"])
    @pytest.mark.parametrize("labels", ["some", "none"])
    def test_unlabelled_images_take_part(self, glyphs, augment, labels):
        X, y = glyphs
        partial = np.where(np.arange(60) % 3, -1 if labels == "none" else y, -1)
        clusterer = on_images(n_clusters=5, augment=augment).fit(X, partial)
        assert clusterer.labels_.shape == (60,)
        assert clusterer.n_iter_ == 3

    def test_turned_classes_need_labels_not_assignments(self, glyphs):
        X, y = glyphs
        clusterer = on_images(augment="affine+turns").fit(X, y)
        before = clusterer.transform(X)
        for learn in (clusterer.fit, clusterer.partial_fit):
            with pytest.raises(ValueError, match='augment="affine[+]turns"'):
                learn(X, np.eye(5)[y])
        np.testing.assert_array_equal(clusterer.transform(X), before)
        assert on_images(augment="affine").fit(X, np.eye(5)[y]).n_clusters_ == 5

    @pytest.mark.parametrize("augment", ["affine", "affine+turns", noisy])
    def test_chunks_are_augmented(self, glyphs, augment):
        X, y = glyphs
        chunked = [on_images(augment=augment) for _ in range(2)]
        for clusterer in chunked:
            clusterer.partial_fit(X[:30], y[:30], classes=np.arange(5))
            clusterer.partial_fit(X[30:], y[30:])
        assert chunked[0].n_iter_ == 2
        np.testing.assert_array_equal(chunked[0].transform(X), chunked[1].transform(X))

    def test_only_square_images_can_be_turned(self, glyphs):
        X, y = glyphs
        with pytest.raises(ValueError, match="needs square images"):
            on_images(augment="affine+turns").fit(X[:, :, :12], y)
        assert on_images(augment="affine").fit(X[:, :, :12], y).n_iter_ == 3

    def test_clone_keeps_the_parameters(self):
        clusterer = clone(on_images(augment=noisy, max_time=1.5))
        assert clusterer.get_params()["augment"] is noisy
        assert clusterer.get_params()["max_time"] == 1.5


class TestMaxTime:
    def test_time_ends_training(self, glyphs):
        X, y = glyphs
        clusterer = on_images(max_time=1e-9, max_epochs=1000).fit(X, y)
        assert clusterer.n_iter_ == 1
        assert clusterer.predict(X).shape == (60,)

    def test_plenty_of_time_changes_nothing(self, glyphs):
        X, y = glyphs
        timed, free = on_images(max_time=1e9).fit(X, y), on_images().fit(X, y)
        assert timed.n_iter_ == free.n_iter_ == 3
        np.testing.assert_array_equal(timed.transform(X), free.transform(X))

    def test_each_chunk_has_the_time(self, glyphs):
        X, y = glyphs
        clusterer = on_images(max_time=1e-9).partial_fit(X, y).partial_fit(X, y)
        assert clusterer.n_iter_ == 2


class TestReproducibility:
    @pytest.mark.parametrize("encoder", ["mlp", "linear", MLPEncoder((32,), dropout=0.3)])
    def test_same_seed_same_bits_and_no_global_state(self, blobs, encoder):
        X, y = blobs
        partial = np.where(np.arange(300) % 3 == 0, y, -1)
        states = np.random.get_state()[1].copy(), torch.get_rng_state(), random.getstate()
        fits = [
            DeepMetricClusterer(encoder=encoder, random_state=7, max_epochs=5).fit(X, partial)
            for _ in range(2)
        ]
        np.testing.assert_array_equal(fits[0].transform(X), fits[1].transform(X))
        np.testing.assert_array_equal(fits[0].predict(X), fits[1].predict(X))
        np.testing.assert_array_equal(np.random.get_state()[1], states[0])
        assert torch.equal(torch.get_rng_state(), states[1])
        assert random.getstate() == states[2]

    def test_global_state_does_not_matter(self, blobs):
        results = []
        for seed in (1, 2):
            with torch.random.fork_rng():
                torch.random.manual_seed(seed)
                results.append(
                    DeepMetricClusterer(4, random_state=0, max_epochs=3)
                    .fit(blobs[0])
                    .transform(blobs[0])
                )
        np.testing.assert_array_equal(*results)

    def test_pickle_keeps_every_bit(self, blobs, fitted):
        restored = pickle.loads(pickle.dumps(fitted))
        np.testing.assert_array_equal(restored.transform(blobs[0]), fitted.transform(blobs[0]))
        np.testing.assert_array_equal(restored.predict(blobs[0]), fitted.predict(blobs[0]))
        restored.partial_fit(*blobs)

    def test_a_row_does_not_depend_on_its_neighbours(self, blobs, fitted):
        X = blobs[0]
        whole = fitted.transform(X)
        order = np.random.RandomState(0).permutation(len(X))
        np.testing.assert_array_equal(fitted.transform(X[order]), whole[order])
        np.testing.assert_array_equal(fitted.transform(X[17:18]), whole[17:18])


class TestWarmStart:
    def test_goes_on_from_the_weights(self, blobs):
        X, y = blobs
        options = {"max_epochs": 4, "random_state": 0}
        warm = DeepMetricClusterer(warm_start=True, **options).fit(X, y)
        first = warm.network_
        start = warm.history_["objective"][-1]
        warm.fit(X, y)
        assert warm.network_ is not first
        assert warm.history_["objective"][0] < start + 0.1
        cold = DeepMetricClusterer(**options).fit(X, y)
        assert warm.history_["loss"][-1] < cold.history_["loss"][-1]

    def test_refuses_another_shape(self, blobs):
        X, y = blobs
        warm = DeepMetricClusterer(warm_start=True, max_epochs=1, random_state=0).fit(X, y)
        with pytest.raises(ValueError, match="warm_start=True"):
            warm.fit(X[:, :3], y)
        assert warm.predict(X).shape == (300,)

    def test_refuses_another_embedding_dim(self, blobs):
        warm = DeepMetricClusterer(warm_start=True, max_epochs=1, random_state=0).fit(*blobs)
        with pytest.raises(ValueError, match="embedding_dim=3"):
            warm.set_params(embedding_dim=3).fit(*blobs)


class TestComposition:
    def test_pipeline_and_grid_search(self, digits):
        X, y, _ = digits
        search = GridSearchCV(
            make_pipeline(
                StandardScaler(),
                DeepMetricClusterer(
                    loss="spectral", encoder=MLPEncoder(), max_epochs=10, random_state=0
                ),
            ),
            {
                "deepmetricclusterer__encoder__hidden": [(32,), (64, 64)],
                "deepmetricclusterer__embedding_dim": [2, 10],
                "deepmetricclusterer__ridge": [1.0],
            },
            cv=2,
            n_jobs=2,
        )
        search.fit(X[:600], y[:600])
        assert search.best_params_["deepmetricclusterer__embedding_dim"] == 10
        assert search.best_score_ > 0.7
        assert np.isfinite(search.cv_results_["mean_test_score"]).all()

    def test_clone_and_repr(self, fitted):
        again = clone(fitted)
        assert not hasattr(again, "labels_")
        assert repr(again) == repr(fitted)

    def test_feature_names(self, blobs, fitted):
        names = fitted.get_feature_names_out()
        assert list(names) == [f"deepmetricclusterer{i}" for i in range(4)]

    def test_threads_may_share_a_fitted_estimator(self, blobs, fitted):
        from concurrent.futures import ThreadPoolExecutor

        with ThreadPoolExecutor(4) as pool:
            results = list(pool.map(fitted.predict, [blobs[0]] * 8))
        for result in results:
            np.testing.assert_array_equal(result, fitted.labels_)


FILE = "DeepMetricClusterer.checkpoint.safetensors"


class StoppedError(Exception):
    """Ends a fit from outside."""


@pytest.fixture
def stop_after(monkeypatch):
    """A function that has fits end with an error after some epochs; and each epoch is saved."""
    monkeypatch.setattr(training_checkpoint, "_SECONDS_BETWEEN", 0.0)
    monkeypatch.setattr(training_checkpoint, "_TIMES_BETWEEN", 0)

    def choose(n_epochs, error=StoppedError):
        @contextmanager
        def progress(*args):
            seen = []

            def report(figures):
                seen.append(figures)
                if len(seen) == n_epochs:
                    raise error

            yield report

        monkeypatch.setattr(_base, "epoch_progress", progress)

    return choose


def bits(clusterer, X):
    """All that a fit leaves behind, to be compared bit for bit."""
    weights = clusterer.network_.state_dict().items()
    arrays = {name: value.numpy() for name, value in weights}
    names = ("labels_", "cluster_centers_", "_mean", "_whitener", "_center_weights")
    arrays |= {name: np.asarray(getattr(clusterer, name)) for name in names}
    arrays["answers"] = clusterer.transform(X)
    plain = {name: getattr(clusterer, name) for name in ("history_", "n_iter_", "inertia_")}
    plain["random"] = str(clusterer._rng.get_state())
    return plain | {name: (array.shape, array.tobytes()) for name, array in arrays.items()}


def few_labels(X, y):
    return np.where(np.arange(len(y)) % 5 == 0, y, -1)


def own_module():
    layers = nn.Sequential(nn.Linear(5, 8), nn.BatchNorm1d(8), nn.AlphaDropout(0.2))
    for i, value in enumerate(layers.parameters()):
        drawn = np.random.RandomState(i).normal(size=tuple(value.shape))
        value.data.copy_(torch.from_numpy(drawn))
    return layers


def as_images(X):
    return np.tile(X, (1, 4))[:, :16].reshape(-1, 1, 4, 4)


RESUMED = {
    "dropout, held-out rows": (
        {"encoder": MLPEncoder(hidden=(16,), dropout=0.3), "early_stopping": True}, None, None
    ),
    "images": (
        {"encoder": ConvEncoder(channels=(4, 6), dropout=0.2), "augment": "affine"}, as_images, None
    ),
    "few labels": ({"early_stopping": True}, None, few_labels),
    "no labels": ({"n_clusters": 4}, None, lambda X, y: None),
    "assignments": ({}, None, lambda X, y: np.eye(4)[y]),
    "a module": ({"encoder": own_module(), "augment": noisy}, None, None),
    "a RandomState": ({"random_state": np.random.RandomState(3)}, None, None),
}  # fmt: skip


def prepared(name, data, **changes):
    """A new estimator, X and y."""
    parameters, change_X, change_y = RESUMED[name]
    X, y = data
    X, y = (change_X or (lambda X: X))(X), (change_y or (lambda X, y: y))(X, y)
    options = {"max_epochs": 8, "n_iter_no_change": 9, "random_state": 0} | parameters | changes
    return clone(DeepMetricClusterer(**options)), X, y


class TestCheckpoint:
    @pytest.mark.parametrize("name", RESUMED)
    def test_goes_on_bit_for_bit(self, name, blobs, stop_after, tmp_path):
        expected, X, y = prepared(name, blobs)
        expected = bits(expected.fit(X, y), X)
        for n_epochs in (3, 6):
            stop_after(n_epochs)
            with pytest.raises(StoppedError):
                prepared(name, blobs, checkpoint=tmp_path)[0].fit(X, y)
            assert os.listdir(tmp_path) == [FILE]
        stop_after(None)
        assert bits(prepared(name, blobs, checkpoint=tmp_path)[0].fit(X, y), X) == expected
        assert os.listdir(tmp_path) == []

    def test_goes_on_without_a_seed(self, blobs, stop_after, tmp_path):
        X, y = blobs
        before = np.random.get_state()
        try:
            np.random.seed(3)
            options = {"max_epochs": 6, "encoder": MLPEncoder(hidden=(16,), dropout=0.3)}
            expected = bits(DeepMetricClusterer(**options).fit(X, y), X)
            np.random.seed(3)
            stop_after(4)
            with pytest.raises(StoppedError):
                DeepMetricClusterer(**options, checkpoint=tmp_path).fit(X, y)
            stop_after(None)
            np.random.seed(4)
            found = DeepMetricClusterer(**options, checkpoint=tmp_path).fit(X, y)
            assert bits(found, X) == expected
        finally:
            np.random.set_state(before)

    def test_goes_on_from_the_weights_of_a_warm_start(self, blobs, stop_after, tmp_path):
        X, y = blobs
        options = {"warm_start": True, "max_epochs": 5, "random_state": 0}
        expected = bits(DeepMetricClusterer(**options).fit(X, y).fit(X, y), X)
        found = DeepMetricClusterer(**options).fit(X, y).set_params(checkpoint=tmp_path)
        stop_after(3)
        with pytest.raises(StoppedError):
            found.fit(X, y)
        stop_after(None)
        assert bits(found.fit(X, y), X) == expected

    def test_of_other_parameters_or_data_is_refused(self, blobs, stop_after, tmp_path):
        X, y = blobs
        options = {"max_epochs": 5, "random_state": 0, "checkpoint": tmp_path}
        stop_after(3)
        with pytest.raises(StoppedError):
            DeepMetricClusterer(**options).fit(X, y)
        content = (tmp_path / FILE).read_bytes()
        stop_after(None)
        earlier = DeepMetricClusterer(max_epochs=1, random_state=0).fit(X, y)
        labels = earlier.labels_
        for changes, data, name in [
            ({"learning_rate": 0.001}, (X, y), r"learning_rate \(0\.003 there, 0\.001 here\)"),
            ({"encoder": "linear"}, (X, y), r"encoder \('mlp' there, 'linear' here\)"),
            ({"random_state": 1}, (X, y), r"random_state \(0 there, 1 here\)"),
            ({}, (X * 2, y), "X"),
            ({}, (X, 3 - y), "y"),
            ({}, (X, None), "y"),
        ]:
            with pytest.raises(ValueError, match=rf"checkpoint=.*{FILE}.* is in {name}\. Delete"):
                earlier.set_params(**options | changes).fit(*data)
            assert (tmp_path / FILE).read_bytes() == content
            np.testing.assert_array_equal(earlier.predict(X), labels)
            earlier.set_params(learning_rate=0.003, encoder="mlp")
        DeepMetricClusterer(**options, verbose=0, device="cpu").fit(X, y)

    def test_that_is_damaged_is_refused(self, blobs, stop_after, tmp_path):
        clusterer = DeepMetricClusterer(max_epochs=4, random_state=0, checkpoint=tmp_path)
        stop_after(3)
        with pytest.raises(StoppedError):
            clusterer.fit(*blobs)
        stop_after(None)
        whole = (tmp_path / FILE).read_bytes()
        for damaged in (b"", whole[:-1], whole[:3000] + b"!" + whole[3001:]):
            (tmp_path / FILE).write_bytes(damaged)
            with pytest.raises(ValueError, match=rf"checkpoint=.*{FILE}.* Delete the file"):
                clusterer.fit(*blobs)
            assert (tmp_path / FILE).read_bytes() == damaged
        (tmp_path / FILE).write_bytes(whole)
        assert clusterer.fit(*blobs).n_iter_ == 4

    def test_a_solution_in_closed_form_writes_nothing(self, blobs, monkeypatch, tmp_path):
        monkeypatch.setattr(Checkpoint, "save", None)
        DeepMetricClusterer(encoder="linear", checkpoint=tmp_path / "new").fit(*blobs)
        assert os.listdir(tmp_path / "new") == []

    def test_chunks_write_nothing(self, blobs, tmp_path):
        DeepMetricClusterer(random_state=0, checkpoint=tmp_path / "new").partial_fit(*blobs)
        assert os.listdir(tmp_path) == []

    def test_where_nothing_can_be_written(self, blobs, tmp_path):
        (tmp_path / "file").write_text("")
        for path in (tmp_path / "file", str(tmp_path / "file")):
            with pytest.raises(ValueError, match=r"checkpoint=.*file'\)? is a file"):
                DeepMetricClusterer(checkpoint=path).fit(*blobs)
        with pytest.raises(FileNotFoundError, match=r"checkpoint=.*is no directory"):
            DeepMetricClusterer(checkpoint=tmp_path / "file" / "new").fit(*blobs)
        with pytest.raises(ValueError, match="'checkpoint' parameter"):
            DeepMetricClusterer(checkpoint=3).fit(*blobs)

    def test_a_full_disk_leaves_what_was_saved_before(
        self, blobs, stop_after, monkeypatch, tmp_path
    ):
        X, y = blobs
        options = {"max_epochs": 6, "random_state": 0}
        expected = bits(DeepMetricClusterer(**options).fit(X, y), X)
        clusterer = DeepMetricClusterer(**options).fit(X, y)
        stop_after(None)
        n_written = []
        fsync = os.fsync

        def fill(number):
            n_written.append(number)
            if len(n_written) > 2:
                raise OSError(errno.ENOSPC, "No space left on device")
            fsync(number)

        monkeypatch.setattr(_tensor_files.os, "fsync", fill)
        clusterer.set_params(checkpoint=tmp_path)
        with pytest.raises(OSError, match=r"checkpoint=.*stays: No space left") as caught:
            clusterer.fit(X, y)
        assert caught.value.errno == errno.ENOSPC
        assert bits(clusterer, X) == expected
        assert os.listdir(tmp_path) == [FILE]
        monkeypatch.setattr(_tensor_files.os, "fsync", fsync)
        assert bits(clusterer.fit(X, y), X) == expected
        assert len(n_written) == 3

    def test_is_refused_in_a_process_group(self, blobs, tmp_path):
        clusterer = DeepMetricClusterer(checkpoint=tmp_path)
        with pytest.raises(NotImplementedError, match="checkpoint=.* inside a process group"):
            clusterer._open_checkpoint(blobs[0], None, SimpleNamespace(n_ranks=2))

    @pytest.mark.parametrize("value", ["somewhere", Path("somewhere"), None])
    def test_is_a_parameter_like_others(self, value, tmp_path):
        clusterer = clone(DeepMetricClusterer(checkpoint=value))
        assert clusterer.get_params()["checkpoint"] == value
        save(clusterer, tmp_path / "a.safetensors")
        assert load(tmp_path / "a.safetensors").checkpoint == value

    def test_files_of_earlier_releases_have_none(self):
        path = Path(__file__).parent / "releases" / "0.1.0" / "mlp.safetensors"
        assert load(path).checkpoint is None


class TestInterrupt:
    def test_keeps_the_latest_weights(self, blobs, stop_after):
        X, y = blobs
        clusterer = DeepMetricClusterer(max_epochs=40, random_state=0)
        stop_after(4, KeyboardInterrupt)
        message = "interrupted after 4 of at most 40 epochs: the best weights so far are kept.$"
        with pytest.warns(ConvergenceWarning, match=message) as caught:
            assert clusterer.fit(X, y) is clusterer
        assert caught[0].filename == __file__
        assert clusterer.n_iter_ == 4 == len(clusterer.history_["objective"])
        assert not clusterer.network_.training
        np.testing.assert_array_equal(clusterer.predict(X), clusterer.labels_)
        assert clusterer.score(X, y) > 0.5

    def test_keeps_the_best_weights_of_held_out_rows(self, blobs, stop_after):
        X, y = blobs
        X = X + np.random.RandomState(0).normal(size=X.shape, scale=6)
        options = {"max_epochs": 40, "n_iter_no_change": 40, "random_state": 0}
        options |= {"early_stopping": True, "learning_rate": 0.03}
        values = DeepMetricClusterer(**options).fit(X, y).history_["validation_objective"]
        best = next(
            i
            for i in range(39)
            if values[i + 1] > values[i] < min(values[:i], default=np.inf) - 0.001
        )
        kept = []
        for n_epochs in (best + 1, best + 2):  # after the best one, and after a worse one
            stop_after(n_epochs, KeyboardInterrupt)
            with pytest.warns(ConvergenceWarning, match=f"after {n_epochs} of"):
                clusterer = DeepMetricClusterer(**options).fit(X, y)
            assert clusterer.history_["validation_objective"] == values[:n_epochs]
            kept.append(clusterer.network_.state_dict())
        assert all(torch.equal(value, kept[1][name]) for name, value in kept[0].items())

    def test_before_the_first_step_is_raised(self, blobs):
        X, y = blobs

        def interrupt(batch, generator):
            raise KeyboardInterrupt

        clusterer = DeepMetricClusterer(max_epochs=2, random_state=0).fit(X, y)
        before = bits(clusterer, X)
        with pytest.raises(KeyboardInterrupt):
            clusterer.set_params(augment=interrupt).fit(X, y)
        assert bits(clusterer, X) == before

    def test_a_second_one_is_raised(self, blobs, stop_after, monkeypatch, tmp_path):
        X, y = blobs

        def interrupt(*args):
            raise KeyboardInterrupt

        clusterer = DeepMetricClusterer(max_epochs=6, random_state=0).fit(X, y)
        before = bits(clusterer, X)
        stop_after(3, KeyboardInterrupt)
        monkeypatch.setattr(_base, "place_centers", interrupt)
        with pytest.raises(KeyboardInterrupt):
            clusterer.set_params(checkpoint=tmp_path).fit(X, y)
        assert bits(clusterer, X) == before
        assert os.listdir(tmp_path) == [FILE]

    def test_the_fit_goes_on_from_its_checkpoint(self, blobs, stop_after, tmp_path):
        X, y = blobs
        options = {"max_epochs": 6, "random_state": 0}
        expected = bits(DeepMetricClusterer(**options).fit(X, y), X)
        clusterer = DeepMetricClusterer(**options, checkpoint=tmp_path)
        stop_after(3, KeyboardInterrupt)
        with pytest.warns(ConvergenceWarning, match="The same fit goes on from its checkpoint"):
            clusterer.fit(X, y)
        assert os.listdir(tmp_path) == [FILE]
        stop_after(None)
        assert bits(clusterer.fit(X, y), X) == expected

    def test_stays_a_fit_where_warnings_are_errors(self, blobs, stop_after):
        clusterer = DeepMetricClusterer(max_epochs=6, random_state=0)
        stop_after(3, KeyboardInterrupt)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            with pytest.raises(ConvergenceWarning):
                clusterer.fit(*blobs)
        assert clusterer.n_iter_ == 3
        assert clusterer.predict(blobs[0]).shape == (300,)

    def test_in_a_chunk_is_raised(self, blobs, stop_after):
        clusterer = DeepMetricClusterer(random_state=0).partial_fit(*blobs)
        before = bits(clusterer, blobs[0])
        stop_after(1, KeyboardInterrupt)
        with pytest.raises(KeyboardInterrupt):
            clusterer.partial_fit(*blobs)
        assert bits(clusterer, blobs[0]) | {"random": before["random"]} == before
