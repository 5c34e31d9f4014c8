import numpy as np
import pytest
from sklearn.datasets import make_blobs
from sklearn.metrics import adjusted_rand_score

from skdeepclust import DeepMetricClusterer, ModuleEncoder


@pytest.fixture(scope="module")
def blobs():
    X, y = make_blobs(1200, centers=5, n_features=6, cluster_std=1.5, random_state=1)
    return X, np.array(list("eabdc"))[y]


def chunks(*arrays, size=200):
    for start in range(0, len(arrays[0]), size):
        yield tuple(a[start : start + size] for a in arrays)


def test_chunks_teach_what_one_fit_teaches(blobs):
    X, y = blobs
    clusterer = DeepMetricClusterer(random_state=0)
    for chunk in list(chunks(X, y)) * 3:
        clusterer.partial_fit(*chunk)
    assert clusterer.score(X, y) > 0.95
    np.testing.assert_array_equal(clusterer.classes_, list("abcde"))
    assert clusterer.n_iter_ == 18
    assert len(clusterer.history_["objective"]) == 18
    np.testing.assert_array_equal(clusterer.labels_, clusterer.predict(X[1000:]))


@pytest.mark.parametrize(("loss", "figure"), [("spectral", "objective"), ("auto", "loss")])
def test_what_is_minimised_falls(blobs, loss, figure):
    clusterer = DeepMetricClusterer(loss=loss, random_state=0)
    X, y = blobs
    noise = 4 * np.random.RandomState(0).standard_normal(X.shape)
    for chunk in list(chunks(X + noise, y)) * 3:
        clusterer.partial_fit(*chunk)
    values = clusterer.history_[figure]
    assert np.mean(values[-6:]) < np.mean(values[:6])


def test_classes_may_come_one_after_another(blobs):
    X, y = blobs
    order = np.argsort(y, kind="stable")
    clusterer = DeepMetricClusterer(random_state=0)
    for chunk in chunks(X[order], y[order], size=400):
        clusterer.partial_fit(*chunk)
    assert list(clusterer.classes_) == list("abcde")
    for chunk in chunks(X, y):
        clusterer.partial_fit(*chunk)
    assert clusterer.score(X, y) > 0.95


def test_classes_named_at_the_start_get_dimensions(blobs):
    X, y = blobs
    two = np.isin(y, ["a", "c"])
    clusterer = DeepMetricClusterer(random_state=0)
    clusterer.partial_fit(X[two], y[two], classes=list("edcba"))
    assert clusterer.transform(X).shape[1] == 5
    assert set(clusterer.classes_[clusterer.predict(X)]) == {"a", "c"}
    assert np.isnan(clusterer.cluster_centers_[[1, 3, 4]]).all()


def test_a_chunk_of_one_class_only_moves_centers(blobs):
    X, y = blobs
    clusterer = DeepMetricClusterer(random_state=0).partial_fit(X, y)
    before = clusterer.n_iter_
    clusterer.partial_fit(X[y == "b"], y[y == "b"])
    assert clusterer.n_iter_ == before
    assert clusterer.score(X, y) > 0.9


def test_without_labels(blobs):
    X, y = blobs
    clusterer = DeepMetricClusterer(5, random_state=0)
    for (chunk,) in list(chunks(X)) * 2:
        clusterer.partial_fit(chunk)
    assert adjusted_rand_score(y, clusterer.predict(X)) > 0.9


def test_some_labels_and_assignments(blobs):
    X, y = blobs
    codes = np.unique(y, return_inverse=True)[1]
    partial = np.where(np.arange(len(y)) % 4 == 0, codes, -1)
    clusterer = DeepMetricClusterer(random_state=0)
    matrix = DeepMetricClusterer(random_state=0)
    for chunk_X, chunk_y, full in list(chunks(X, partial, codes)) * 3:
        clusterer.partial_fit(chunk_X, chunk_y)
        matrix.partial_fit(chunk_X, np.eye(5)[full])
    assert clusterer.score(X, y) > 0.9
    assert matrix.score(X, y) > 0.9


@pytest.mark.parametrize("encoder", ["linear", "mlp"])
def test_goes_on_after_fit(blobs, encoder):
    X, y = blobs
    clusterer = DeepMetricClusterer(encoder=encoder, max_epochs=20, random_state=0).fit(X, y)
    clusterer.partial_fit(X[:300], y[:300])
    assert clusterer.score(X, y) > 0.9


def test_same_seed_same_bits(blobs):
    results = []
    for _ in range(2):
        clusterer = DeepMetricClusterer(random_state=3)
        for chunk in chunks(*blobs):
            clusterer.partial_fit(*chunk)
        results.append(clusterer.transform(blobs[0]))
    np.testing.assert_array_equal(*results)


def test_own_module_decides_on_the_width(blobs):
    from torch import nn

    encoder = ModuleEncoder(nn.Linear(6, 9))
    clusterer = DeepMetricClusterer(encoder=encoder, random_state=0).partial_fit(*blobs)
    assert clusterer.transform(blobs[0]).shape[1] == 9


@pytest.mark.parametrize(
    ("chunk", "message"),
    [
        (lambda X, y: (X[:, :4], y), "4 features"),
        (lambda X, y: (np.where(X[0, 0] == X, np.nan, X), y), "NaN"),
        (lambda X, y: (X, np.eye(7)[:, :3][np.arange(len(X)) % 3]), "y has 3 columns"),
        (lambda X, y: (X, X[:, 0]), "continuous"),
    ],
)
def test_a_bad_chunk_changes_nothing(blobs, chunk, message):
    X, y = blobs
    clusterer = DeepMetricClusterer(random_state=0).partial_fit(X, y)
    expected = clusterer.transform(X)
    with pytest.raises(ValueError, match=message):
        clusterer.partial_fit(*chunk(X, y))
    np.testing.assert_array_equal(clusterer.transform(X), expected)


def test_first_chunk_needs_two_classes(blobs):
    X, y = blobs
    with pytest.raises(ValueError, match="y of the first chunk has one class only"):
        DeepMetricClusterer().partial_fit(X[y == "a"], y[y == "a"])
    with pytest.raises(ValueError, match="classes must be None"):
        DeepMetricClusterer().partial_fit(X, np.eye(2)[np.arange(len(X)) % 2], classes=[0, 1])


@pytest.mark.parametrize(
    ("first", "later"),
    [
        ([0, 1], ["a", "b"]),
        (["a", "b"], [0, 1]),
        ([0.0, 1.0], ["0", "1"]),
        (["a", "b"], np.array([0, 1], dtype="M8[D]")),
    ],
    ids=str,
)
def test_names_and_numbers_are_not_mixed(first, later):
    X = np.random.RandomState(0).normal(size=(20, 3))
    clusterer = DeepMetricClusterer(random_state=0).partial_fit(X, np.repeat(first, 10))
    before = clusterer.predict(X)
    with pytest.raises(ValueError, match="y has labels such as .*, earlier chunks had labels"):
        clusterer.partial_fit(X, np.repeat(later, 10))
    np.testing.assert_array_equal(clusterer.predict(X), before)
    assert clusterer.classes_.tolist() == first
