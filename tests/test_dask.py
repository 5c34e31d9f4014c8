"""Dask arrays: the same results, one block of rows at a time."""

import numpy as np
import pytest
from sklearn.datasets import make_blobs
from sklearn.exceptions import NotFittedError
from sklearn.metrics import adjusted_rand_score

from skdeepclust import CriticClusterer, DeepMetricClusterer
from skdeepclust._dask import by_blocks

dask = pytest.importorskip("dask")
da = pytest.importorskip("dask.array")


class Doubler:
    """Notes the sizes of the blocks."""

    def __init__(self):
        self.sizes = []

    @by_blocks
    def double(self, X):
        """Twice the rows."""
        self.sizes.append(len(X))
        return 2.0 * X.reshape(len(X), -1)

    @by_blocks
    def total(self, X):
        return X.reshape(len(X), -1).sum(axis=1)


@pytest.fixture(scope="module")
def blobs():
    return make_blobs(300, centers=4, n_features=6, cluster_std=0.5, random_state=0)


@pytest.fixture(scope="module", params=["metric", "critic"])
def fitted(request, blobs):
    if request.param == "metric":
        return DeepMetricClusterer(max_epochs=2, random_state=0).fit(*blobs)
    return CriticClusterer(population_size=4, n_generations=0, random_state=0).fit(blobs[0])


@pytest.mark.parametrize("chunks", [(100, 6), (70, 4), (300, 6)])
@pytest.mark.parametrize("method", ["predict", "transform"])
def test_blocks_give_what_the_whole_gives(fitted, blobs, method, chunks):
    X = blobs[0].astype(np.float32)
    expected = getattr(fitted, method)(X)
    found = getattr(fitted, method)(da.from_array(X, chunks=chunks))
    assert isinstance(found, da.Array)
    assert found.shape == expected.shape
    assert found.dtype == expected.dtype
    np.testing.assert_array_equal(found.compute(scheduler="synchronous"), expected)


def test_nothing_is_computed_before_it_is_asked_for(blobs):
    doubler = Doubler()
    lazy = doubler.double(da.from_array(blobs[0], chunks=(80, 6)))
    assert doubler.sizes == [1]
    np.testing.assert_array_equal(lazy.compute(scheduler="synchronous"), 2 * blobs[0])
    assert sorted(doubler.sizes[1:]) == [60, 80, 80, 80]


def test_images_and_blocks_of_unknown_size():
    images = np.random.RandomState(0).standard_normal((20, 2, 3, 3))
    lazy = da.from_array(images, chunks=(6, 1, 3, 3))
    kept = lazy[lazy[:, 0, 0, 0].compute() > 0][np.arange(0)]
    doubler = Doubler()
    assert doubler.double(lazy).shape == (20, 18)
    np.testing.assert_allclose(doubler.total(lazy).compute(), images.sum(axis=(1, 2, 3)))
    assert doubler.double(kept).compute().shape == (0, 18)
    flat = lazy.reshape(20, 18)
    positive = flat[flat[:, 0] > 0]
    assert np.isnan(positive.shape[0])
    np.testing.assert_array_equal(
        doubler.double(positive).compute(), 2 * images.reshape(20, 18)[images[:, 0, 0, 0] > 0]
    )


def test_blocks_without_rows(fitted, blobs):
    lazy = da.from_array(blobs[0], chunks=(50, 6))
    rows = da.concatenate([lazy[:0], lazy[:50]])
    np.testing.assert_array_equal(fitted.predict(rows), fitted.predict(blobs[0][:50]))


def test_what_is_wrong_is_said_at_once(fitted, blobs):
    with pytest.raises(ValueError, match="features"):
        fitted.predict(da.zeros((10, 5), chunks=5))
    with pytest.raises(ValueError, match="array"):
        fitted.predict(da.zeros(10, chunks=5))
    with pytest.raises(NotFittedError):
        type(fitted)().predict(da.zeros((10, 6), chunks=5))


def test_a_method_keeps_its_name_and_description():
    assert Doubler.double.__name__ == "double"
    assert Doubler.double.__doc__ == "Twice the rows."


@pytest.mark.parametrize("labelled", [True, False])
def test_blocks_can_be_fitted_one_after_the_other(blobs, labelled):
    X, y = blobs[0].astype(np.float32), blobs[1]
    rows, codes = da.from_array(X, chunks=(100, 6)), da.from_array(y, chunks=100)
    clusterer = DeepMetricClusterer(None if labelled else 4, random_state=0)
    for epoch in range(5):
        for block in np.random.RandomState(epoch).permutation(rows.numblocks[0]):
            part, labels = dask.compute(rows.blocks[block], codes.blocks[block])
            if labelled:
                clusterer.partial_fit(part, labels, classes=da.unique(codes).compute())
            else:
                clusterer.partial_fit(part)
    found = clusterer.predict(rows)
    assert isinstance(found, da.Array)
    assert adjusted_rand_score(y, found.compute(scheduler="synchronous")) > 0.9
