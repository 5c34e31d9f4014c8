"""Embeddings learned with other losses."""

import importlib
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.cluster import KMeans
from sklearn.datasets import make_blobs
from sklearn.metrics import adjusted_rand_score
from sklearn.model_selection import GridSearchCV

from skdeepclust import ConvEncoder, MLPEncoder
from skdeepclust.metrics import recall_at_k, recall_at_k_scorer, zero_shot_clustering_scorer
from skdeepclust.model_selection import ClassDisjointKFold

_FOLDER = Path(__file__).parents[2] / "benchmarks"
_LOSSES = ("MultiSimilarity", "SupCon", "ProxyAnchor", "NormalizedSoftmax", "Triplet")


@pytest.fixture(scope="module")
def module():
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(_FOLDER))
        known = "metric_losses" in sys.modules
        yield importlib.import_module("metric_losses")
        if not known:
            sys.modules.pop("metric_losses", None)


@pytest.fixture(scope="module")
def losses(module):
    """The module, where the package of the losses is installed."""
    pytest.importorskip("pytorch_metric_learning")
    return module


@pytest.fixture(scope="module")
def blobs():
    """Rows of classes that differ in 4 of 24 features, noise being larger in the others."""
    X, y = make_blobs(320, n_features=4, centers=16, center_box=(-4, 4), random_state=0)
    noise = 4 * np.random.default_rng(0).standard_normal((len(X), 20))
    return np.hstack([X, noise]), y


def _small(losses, **changes):
    parameters = {"encoder": MLPEncoder(hidden=(32,)), "embedding_dim": 8, "batch_size": 64}
    return losses.LossEmbedder(**{**parameters, "max_epochs": 2, **changes})


def test_the_losses_have_these_names(module):
    assert tuple(module.LOSSES) == _LOSSES


@pytest.mark.parametrize("loss", _LOSSES)
def test_every_loss_separates_training_classes_better_than_raw_rows(losses, blobs, loss):
    X, y = blobs
    embedder = _small(losses, loss=loss, learning_rate=0.01, max_epochs=30).fit(X, y)
    assert recall_at_k(embedder.transform(X), y) > recall_at_k(X, y, metric="euclidean") + 0.1


def test_new_classes_are_clustered_better_than_raw_rows(losses, blobs):
    X, y = blobs
    new = y >= 12
    embedder = _small(losses, encoder="linear", max_epochs=30).fit(X[~new], y[~new])
    raw = KMeans(4, n_init=10, random_state=0).fit_predict(X[new])
    found = embedder.cluster(X[new], 4)
    assert found.dtype == np.int64
    assert adjusted_rand_score(y[new], found) > adjusted_rand_score(y[new], raw) + 0.1


def test_embeddings_are_reproducible_float32_rows_of_length_1(losses, blobs):
    X, y = blobs
    state = torch.random.get_rng_state()
    first, second = (_small(losses).fit(X, y).transform(X) for _ in range(2))
    assert first.dtype == np.float32
    assert first.shape == (len(X), 8)
    np.testing.assert_array_equal(first, second)
    np.testing.assert_allclose(np.linalg.norm(first, axis=1), 1, rtol=1e-5)
    assert torch.equal(state, torch.random.get_rng_state())


def test_parameters_clone(losses):
    embedder = _small(losses, loss="Triplet").set_params(encoder__hidden=(16,))
    copied = clone(embedder)
    assert copied.encoder is not embedder.encoder
    assert copied.encoder.hidden == (16,)
    assert copied.get_params(deep=False).keys() == embedder.get_params(deep=False).keys()
    assert copied.loss == "Triplet"


@pytest.mark.parametrize("scoring", [recall_at_k_scorer, zero_shot_clustering_scorer])
def test_grid_search_over_new_classes(losses, blobs, scoring):
    grid = {"learning_rate": [1e-3, 1e-2]}
    search = GridSearchCV(_small(losses), grid, scoring=scoring, cv=ClassDisjointKFold(2))
    assert 0 < search.fit(*blobs).best_score_ <= 1


@pytest.mark.parametrize(("loss", "factor"), [("ProxyAnchor", 3.3), ("NormalizedSoftmax", 3.3)])
def test_proxies_have_their_own_learning_rate(losses, loss, factor):
    built, miner = losses.LOSSES[loss].build(5, 8, 1.0)
    assert miner is None
    network = torch.nn.Linear(3, 8)
    for rate, wanted in ((None, factor), (7.0, 7.0)):
        optimizer = _small(losses, loss=loss, proxy_rate=rate)._optimizer(network, built)
        assert [group["factor"] for group in optimizer.param_groups] == [1.0, wanted]


@pytest.mark.parametrize(
    ("loss", "name", "recommended", "power"),
    [
        ("MultiSimilarity", "beta", 50, 1),
        ("SupCon", "temperature", 0.1, -1),
        ("ProxyAnchor", "alpha", 32, 1),
        ("NormalizedSoftmax", "temperature", 0.05, -1),
        ("Triplet", "margin", 0.2, -1),
    ],
)
def test_sharpness_changes_the_recommended_setting(losses, loss, name, recommended, power):
    for sharpness in (1.0, 2.0):
        built, miner = losses.LOSSES[loss].build(5, 8, sharpness)
        settings = [part for part in (built, miner) if hasattr(part, name)]
        assert settings
        for part in settings:
            assert getattr(part, name) == pytest.approx(recommended * sharpness**power)


def test_training_ends_when_its_time_is_over(losses, blobs):
    embedder = _small(losses, max_epochs=10**6, max_time=0.1).fit(*blobs)
    assert embedder.n_steps_ >= 1


def test_epochs_are_counted_in_steps(losses, blobs):
    assert _small(losses, max_epochs=3).fit(*blobs).n_steps_ == 3 * 5


@pytest.mark.parametrize("loss", ["SupCon", "ProxyAnchor"])
def test_turned_images_are_classes_of_their_own(losses, loss):
    images = np.random.default_rng(0).random((24, 1, 8, 8), dtype=np.float32)
    encoder = ConvEncoder(channels=(4,))
    embedder = _small(losses, loss=loss, encoder=encoder, augment="affine+turns", max_epochs=2)
    embedder.fit(images, np.repeat(["a", "b", "c"], 8))
    assert embedder.transform(images).shape == (24, 8)
    assert embedder.n_steps_ == 2 * 4


@pytest.mark.parametrize("loss", _LOSSES)
def test_classes_of_one_row_each_leave_no_pairs_but_no_error(losses, loss):
    X = np.random.default_rng(0).standard_normal((12, 3))
    assert _small(losses, loss=loss).fit(X, np.arange(12)).transform(X).shape == (12, 8)


def test_a_constant_loss_is_no_step(module):
    weight = torch.nn.Parameter(torch.ones(1))
    module._step(torch.optim.SGD([weight], lr=1.0), torch.zeros(()))
    assert weight.item() == 1.0


def test_missing_package_is_named(module, monkeypatch):
    monkeypatch.setitem(sys.modules, "pytorch_metric_learning", None)
    with pytest.raises(ImportError, match=r'pip install "skdeepclust\[benchmarks\]"'):
        module.LOSSES["SupCon"].build(2, 2, 1.0)
