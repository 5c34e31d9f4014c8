"""Every public path on a device: what it gives there is what it gives on the CPU, up to rounding.

With "cpu" for the device the tests compare the CPU with itself, which shows that they are sound;
with "cuda" they are skipped where there is no such device.
"""

import os
import pickle
import subprocess
import sys
import warnings

import numpy as np
import pytest
import torch
from sklearn.datasets import make_blobs
from sklearn.metrics import adjusted_rand_score
from torch.nn import functional
from torch.overrides import TorchFunctionMode

from skdeepclust import (
    ClusteringCritic,
    ConvEncoder,
    CriticClusterer,
    DeepMetricClusterer,
    MLPEncoder,
    load,
    save,
    spectral_clustering_loss,
)
from skdeepclust.critic._geometry import measure_points
from skdeepclust.critic._judging import judge
from skdeepclust.graph import _point_graph
from skdeepclust.spectral import leave_one_out_loss
from skdeepclust.training import InputScaling, Rows, TrainingPlan, TrainingResult
from skdeepclust.training import _loop as loop
from skdeepclust.training import _rows as rows_module
from skdeepclust.training._batches import BatchShape
from skdeepclust.training._checkpoint import TrainingState

CUDA = pytest.param("cuda", marks=pytest.mark.gpu)
on_each_device = pytest.mark.parametrize("device", ["cpu", CUDA])


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def device_of(module):
    return next(module.parameters()).device.type


# The losses.


def well_conditioned(n, d):
    return torch.randn(n, d, generator=generator(), dtype=torch.float64)


def without_full_rank(n, d):
    rows = well_conditioned(n, d)
    rows[:, -1] = rows[:, 0]
    return rows


def alike(n, d):
    """Lengths of the columns from 1 to 1e-4."""
    return 1 + well_conditioned(n, d) * torch.logspace(0, -4, d, dtype=torch.float64)


EMBEDDINGS = {
    "narrow": (well_conditioned, 200, 5),
    "blocked": (well_conditioned, 700, 130),
    "long": (well_conditioned, 9000, 3),
    "few rows": (well_conditioned, 20, 30),
    "rank lost": (without_full_rank, 200, 6),
    "ill conditioned": (alike, 300, 8),
}
LOSSES = {
    "spectral, 0": lambda F, y: spectral_clustering_loss(F, y, ridge=0.0),
    "spectral, 1": lambda F, y: spectral_clustering_loss(F, y, ridge=1.0),
    "leave-one-out, 0": lambda F, y: leave_one_out_loss(F, y, ridge=0.0, temperature=0.3),
    "leave-one-out, 1": lambda F, y: leave_one_out_loss(F, y, ridge=1.0, temperature=0.3),
}


def loss_and_gradient(loss, rows, y, device, y_device):
    rows = rows.to(device, copy=True).requires_grad_()
    value = LOSSES[loss](rows, y.to(y_device))
    value.backward()
    assert value.device.type == rows.grad.device.type == device
    return value.detach().cpu(), rows.grad.cpu()


def assert_alike(found, expected):
    """Values and gradients are equal, up to what float32 leaves open."""
    torch.testing.assert_close(found[0], expected[0], rtol=1e-4, atol=2e-4)
    assert (found[1] - expected[1]).norm() <= 2e-3 * expected[1].norm() + 1e-6


@on_each_device
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("kind", EMBEDDINGS)
def test_losses_and_gradients(device, dtype, loss, kind):
    make, n, d = EMBEDDINGS[kind]
    rows, y = make(n, d).to(dtype), torch.arange(n) % 4
    expected = loss_and_gradient(loss, rows, y, "cpu", "cpu")
    assert_alike(loss_and_gradient(loss, rows, y, device, device), expected)


@on_each_device
@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("stays", [False, True])
def test_labels_and_matrices_may_stay_on_the_cpu(device, loss, stays):
    rows, codes = well_conditioned(300, 6).float(), 7 * (torch.arange(300) % 5) - 3
    soft = torch.rand(300, 5, generator=generator(), dtype=torch.float64)
    for y in (codes, soft, functional.one_hot((codes + 3) // 7)):
        expected = loss_and_gradient(loss, rows, y, "cpu", "cpu")
        found = loss_and_gradient(loss, rows, y, device, "cpu" if stays else device)
        assert_alike(found, expected)


@on_each_device
@pytest.mark.parametrize("loss", LOSSES)
def test_losses_are_as_exact_inside_autocast(device, loss):
    rows, y = well_conditioned(300, 6).float(), torch.arange(300) % 5
    expected = loss_and_gradient(loss, rows, y, device, "cpu")
    with torch.autocast(device, dtype=torch.bfloat16):
        found = loss_and_gradient(loss, rows, y, device, "cpu")
    assert all(map(torch.equal, found, expected))


@pytest.mark.gpu
@pytest.mark.parametrize("loss", LOSSES)
def test_losses_are_as_exact_where_tf32_is_allowed(loss):
    rows, y = well_conditioned(2000, 64).float(), torch.arange(2000) % 10
    expected = loss_and_gradient(loss, rows, y, "cuda", "cpu")
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("high")
    try:
        found = loss_and_gradient(loss, rows, y, "cuda", "cpu")
    finally:
        torch.set_float32_matmul_precision(before)
    assert all(map(torch.equal, found, expected))


@on_each_device
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_values_that_are_not_finite_are_refused(device, value):
    rows = well_conditioned(50, 3).float()
    rows[4, 1] = value
    for loss in LOSSES.values():
        with pytest.raises(ValueError, match="embedding contains NaN or infinity"):
            loss(rows.to(device), torch.arange(50) % 3)


# DeepMetricClusterer.


@pytest.fixture(scope="module")
def blobs():
    X, y = make_blobs(400, centers=4, n_features=6, cluster_std=1.0, random_state=3)
    return X.astype(np.float32), y


@pytest.fixture(scope="module")
def images():
    rng, y = np.random.RandomState(0), np.arange(120) % 4
    X = rng.standard_normal((4, 1, 12, 12))[y] + 0.5 * rng.standard_normal((120, 1, 12, 12))
    return X.astype(np.float32), y


def fitted(data, device, y=True, **parameters):
    X, classes = data
    given = {"encoder": MLPEncoder(hidden=(16,)), "max_epochs": 4, "random_state": 0}
    model = DeepMetricClusterer(device=device, **(given | parameters))
    return model.fit(X, classes if y is True else y)


@on_each_device
@pytest.mark.parametrize("loss", ["spectral", "leave-one-out"])
@pytest.mark.parametrize("hidden", ["linear", "one"])
def test_embeddings_after_training(device, loss, hidden, blobs):
    encoder = {"linear": "linear", "one": MLPEncoder(hidden=(16,))}[hidden]
    parameters = {"encoder": encoder, "loss": loss, "max_epochs": 2}
    expected, found = (fitted(blobs, name, **parameters) for name in ("cpu", device))
    assert device_of(found.network_) == device
    assert found.history_.keys() == expected.history_.keys()
    for name, values in expected.history_.items():
        np.testing.assert_allclose(found.history_[name], values, rtol=1e-2, atol=1e-3)
    np.testing.assert_allclose(
        found.transform(blobs[0]), expected.transform(blobs[0]), rtol=0, atol=2e-2
    )
    np.testing.assert_array_equal(found.predict(blobs[0]), found.labels_)
    assert adjusted_rand_score(found.labels_, expected.labels_) > 0.98
    assert found.score(*blobs) > 0.95
    assert found.inertia_ == pytest.approx(expected.inertia_, rel=0.05)


@on_each_device
def test_inference_with_the_same_weights(device, blobs):
    model = fitted(blobs, "cpu")
    expected, labels = model.transform(blobs[0]), model.predict(blobs[0])
    clusters = model.cluster(blobs[0], 3)
    model.set_params(device=device)
    np.testing.assert_allclose(model.transform(blobs[0]), expected, rtol=0, atol=1e-5)
    assert device_of(model.network_) == device
    assert (model.predict(blobs[0]) == labels).mean() > 0.995
    assert adjusted_rand_score(model.cluster(blobs[0], 3), clusters) > 0.98


@on_each_device
def test_a_row_does_not_depend_on_those_beside_it(device, blobs):
    model = fitted(blobs, device)
    np.testing.assert_array_equal(model.transform(blobs[0][:7]), model.transform(blobs[0])[:7])


@on_each_device
@pytest.mark.parametrize("kind", ["none", "some", "matrix"])
def test_without_a_label_for_each_row(device, kind, blobs):
    y = {"none": None, "some": np.where(np.arange(400) % 8, -1, blobs[1])}
    model = fitted(blobs, device, y.get(kind, np.eye(4)[blobs[1]]), n_clusters=4)
    assert device_of(model.network_) == device
    assert model.score(*blobs) > 0.95
    assert np.isfinite(model.transform(blobs[0])).all()


@on_each_device
def test_partial_fit(device, blobs):
    X, y = blobs
    models = [
        DeepMetricClusterer(encoder=MLPEncoder(hidden=(16,)), device=name, random_state=0)
        for name in ("cpu", device)
    ]
    for model in models:
        for part in (slice(0, 150), slice(150, 300), slice(300, 400)):
            model.partial_fit(X[part], y[part], classes=range(4) if part.start == 0 else None)
    assert device_of(models[1].network_) == device
    assert models[1].n_iter_ == 3
    assert models[1].score(X, y) > 0.95
    agreement = adjusted_rand_score(models[0].predict(X), models[1].predict(X))
    assert agreement > 0.95


@on_each_device
def test_rows_that_are_not_kept_on_the_device(device, blobs, monkeypatch):
    expected = fitted(blobs, device).transform(blobs[0])
    monkeypatch.setattr(rows_module, "_MAX_CACHED_BYTES", 0)
    found = fitted(blobs, device).transform(blobs[0])
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-4)


@on_each_device
def test_warm_start_early_stopping_and_a_checkpoint(device, blobs, tmp_path):
    model = fitted(blobs, device, early_stopping=True, warm_start=True, checkpoint=tmp_path)
    assert np.isfinite(model.history_["validation_objective"]).all()
    assert model.fit(*blobs).score(*blobs) > 0.95
    assert not list(tmp_path.iterdir())


@on_each_device
def test_training_goes_on_from_a_checkpoint(device, blobs, tmp_path, monkeypatch):
    whole = fitted(blobs, device, encoder=MLPEncoder(hidden=(16,), dropout=0.3))

    def broken(self, **values):
        record(self, **values)
        if self.n_epochs == 3:
            raise ZeroDivisionError

    record = TrainingResult.record
    parameters = {"encoder": MLPEncoder(hidden=(16,), dropout=0.3), "checkpoint": tmp_path}
    with monkeypatch.context() as patch:
        patch.setattr("skdeepclust.training._checkpoint._SECONDS_BETWEEN", 0.0)
        patch.setattr("skdeepclust.training._checkpoint._TIMES_BETWEEN", 0)
        patch.setattr(TrainingResult, "record", broken)
        with pytest.raises(ZeroDivisionError):
            fitted(blobs, device, **parameters)
    assert list(tmp_path.iterdir())
    found = fitted(blobs, device, **parameters)
    for name, values in whole.history_.items():
        np.testing.assert_allclose(found.history_[name], values, rtol=1e-3, atol=1e-4)
    np.testing.assert_allclose(
        found.transform(blobs[0]), whole.transform(blobs[0]), rtol=0, atol=1e-3
    )


@on_each_device
@pytest.mark.parametrize("n_at_once", [32, 200])
@pytest.mark.parametrize("dropout", [0.0, 0.5])
def test_large_batches_are_embedded_twice(device, n_at_once, dropout, blobs, monkeypatch):
    encoder = MLPEncoder(hidden=(16,), dropout=dropout)
    parameters = {"encoder": encoder, "batch_size": 400, "early_stopping": False}
    expected = fitted(blobs, device, **parameters)
    monkeypatch.setattr(loop, "CHUNK_ROWS", n_at_once)
    found = fitted(blobs, device, **parameters)
    assert found.score(*blobs) > 0.95
    if not dropout:  # else chunks draw other numbers
        np.testing.assert_allclose(
            found.transform(blobs[0]), expected.transform(blobs[0]), rtol=0, atol=1e-3
        )


# Images, in mixed precision.


@on_each_device
def test_products_in_bfloat16_and_statistics_in_float32(device, images):
    encoder = ConvEncoder(channels=(4, 8), precision="bfloat16")
    network = encoder.build((1, 12, 12), 5).to(device).train()
    seen = []
    network.body[0].register_forward_hook(lambda layer, given, out: seen.append(out.dtype))
    embedding = network(torch.from_numpy(images[0]).to(device))
    assert (seen, embedding.dtype) == ([torch.bfloat16], torch.float32)
    loss = spectral_clustering_loss(embedding, torch.from_numpy(images[1]), ridge=1.0)
    loss.backward()
    assert loss.dtype == torch.float32
    for parameter in network.parameters():
        assert parameter.grad.dtype == torch.float32
        assert bool(parameter.grad.isfinite().all())


@on_each_device
@pytest.mark.parametrize("augment", [None, "affine+turns"])
@pytest.mark.parametrize("precision", ["bfloat16", "float32", "auto"])
def test_images(device, precision, augment, images, monkeypatch):
    dtypes = set()

    def spy(embedding, y, **options):
        dtypes.add(embedding.dtype)
        return leave_one_out_loss(embedding, y, **options)

    monkeypatch.setattr("skdeepclust.training._plan.leave_one_out_loss", spy)
    encoder = ConvEncoder(channels=(4, 8), dropout=0.1, precision=precision)
    model = fitted(images, device, encoder=encoder, augment=augment, max_epochs=8)
    assert dtypes == {torch.float32}
    embedded = model.transform(images[0])
    assert embedded.dtype == np.float32
    assert np.isfinite(embedded).all()
    assert all(np.isfinite(values).all() for values in model.history_.values())
    assert model.history_["loss"][-1] < model.history_["loss"][0]
    expected = model.set_params(device="cpu").transform(images[0])
    # Convolutions in float32 take TF32 on a device, unless torch is told otherwise.
    np.testing.assert_allclose(embedded, expected, rtol=0, atol=2e-2)


# What goes back to the host.


class Reads(TorchFunctionMode):
    """Names of the functions that bring numbers to the host.

    Labels, which are integers, are there already.
    """

    NAMES = frozenset(
        ["item", "tolist", "numpy", "cpu", "__bool__", "__int__", "__float__", "__index__",
         "__array__", "equal", "allclose", "nonzero", "unique", "masked_select", "bincount"]
    )  # fmt: skip

    def __init__(self):
        super().__init__()
        self.found = []

    def __torch_function__(self, func, types, args=(), kwargs=None):
        name = getattr(func, "__name__", "")
        looked_at = args[0].dtype if args and isinstance(args[0], torch.Tensor) else torch.int64
        if name in self.NAMES and looked_at != torch.int64:
            self.found.append(name)
        if name == "__getitem__" and any(map(_is_mask, _parts(args[1]))):
            self.found.append("mask")
        return func(*args, **(kwargs or {}))


def _parts(index):
    return index if isinstance(index, tuple) else (index,)


def _is_mask(index):
    return isinstance(index, torch.Tensor) and index.dtype == torch.bool


def training_state(device, loss, n=480, dim=6):
    """A network half-way through its training, with four batches an epoch."""
    X = np.random.RandomState(0).standard_normal((n, 10))
    scaling = InputScaling.fit(X, (10,))
    rows, codes = Rows(X, scaling, (10,), torch.device(device)), np.arange(n) % dim
    plan = TrainingPlan(50, 1e-3, 1e-4, ridge=1.0, patience=50, loss=loss)
    torch.manual_seed(0)
    network = MLPEncoder(hidden=(16,)).build((10,), dim).to(device).train()
    optimizer = torch.optim.AdamW(network.parameters())
    shape, rng = BatchShape(dim, n // 4, dim), np.random.RandomState(0)
    batches = loop.BatchSource(rows, codes, np.arange(n), shape, None, rng)
    schedule, best = loop.Schedule(plan), loop.BestWeights(plan)
    return TrainingState(network, optimizer, batches, schedule, best, TrainingResult())


# Of each solution the host has to know whether float32 was accurate: see `_is_accurate`.
N_READS = {"spectral": 1, "leave-one-out": 2}


@pytest.mark.parametrize("loss", N_READS)
def test_a_step_looks_at_nothing_but_the_accuracy(loss):
    state = training_state("cpu", loss)
    _, inputs, targets = next(state.batches.epoch())
    with Reads() as reads:
        loop._backward(
            state.network, inputs, torch.as_tensor(targets), state.schedule.plan, state.batches
        )
    assert reads.found == N_READS[loss] * ["tolist"]


def test_reads_are_noticed():
    """What the test before this one relies on."""
    x = torch.ones(3)
    with Reads() as reads:
        (
            bool(x[0] > 0),
            float(x.sum()),
            x[x > 0],
            x.cpu(),
            torch.nonzero(x),
            torch.arange(2).tolist(),
        )
    assert reads.found == ["__bool__", "__float__", "mask", "cpu", "nonzero"]


@pytest.mark.gpu
@pytest.mark.parametrize("loss", N_READS)
def test_an_epoch_waits_for_the_device_once_for_each_read(loss):
    state = training_state("cuda", loss)
    loop._train_epoch(state)  # the first one allocates
    n_batches = len(list(state.batches._positions()))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        torch.cuda.set_sync_debug_mode("warn")
        try:
            loop._train_epoch(state)
        finally:
            torch.cuda.set_sync_debug_mode("default")
    waits = [w for w in caught if "synchronizing CUDA operation" in str(w.message)]
    places = [f"{w.filename}:{w.lineno}" for w in waits]
    # The means of an epoch, of the objective and of the loss, are read at its end.
    assert len(waits) <= N_READS[loss] * (n_batches + 1), places


# The critic.


@pytest.fixture(scope="module")
def labelings(blobs):
    rng = np.random.RandomState(0)
    noisy = np.where(rng.random_sample(400) < 0.1, -1, blobs[1])
    return [blobs[1], blobs[1] // 2, noisy, rng.randint(6, size=400), np.arange(400) % 2]


@on_each_device
@pytest.mark.parametrize("name", ["default", "images"])
def test_pretrained_critics(device, name, blobs, labelings):
    critics = [ClusteringCritic.from_pretrained(name).set_params(device=d) for d in ("cpu", device)]
    X = blobs[0]
    expected, found = (critic.score_clusterings(X, labelings) for critic in critics)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-4)
    assert device_of(critics[1].network_) == device
    expected, found = (critic.embed(X, labelings[2]) for critic in critics)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-3)
    expected, found = (critic.score_clusters(X, labelings[2]) for critic in critics)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-4)
    assert critics[0].rank(X, labelings)[0] == critics[1].rank(X, labelings)[0] == 0


@on_each_device
@pytest.mark.parametrize("options", [{}, {"graph": "complete", "n_rounds": 2, "wasserstein": 0.1}])
def test_training_of_a_critic(device, options, blobs, labelings):
    small = {"n_tasks": 4, "n_proposals": 4, "max_epochs": 2, "batch_size": 2, "hidden_dim": 16}
    critics = [
        ClusteringCritic(device=name, random_state=0, **small, **options).fit(*blobs)
        for name in ("cpu", device)
    ]
    assert [len(critic.history_["loss"]) for critic in critics] == [3, 3]
    first, second = (critic.history_["loss"][:2] for critic in critics)
    np.testing.assert_allclose(second, first, rtol=0.02)
    expected, found = (critic.score_clusterings(blobs[0], labelings) for critic in critics)
    assert device_of(critics[1].network_) == device
    assert np.isfinite(found).all()
    adapted = critics[1].set_params(warm_start=True).fit(*blobs)
    assert np.isfinite(adapted.score_clusterings(blobs[0], labelings)).all()


@on_each_device
def test_the_spanning_tree_of_a_data_set_is_computed_once(device, blobs, labelings, monkeypatch):
    n_trees, make = [], _point_graph.spanning_tree

    def counted(points):
        n_trees.append(len(points))
        return make(points)

    monkeypatch.setattr(_point_graph, "spanning_tree", counted)
    graph = measure_points(blobs[0])
    network = ClusteringCritic.from_pretrained().network_
    scores = [judge(network, graph, np.stack(labelings), torch.device(device)) for _ in range(3)]
    assert n_trees == [400]
    np.testing.assert_array_equal(scores[0].scores, scores[2].scores)


@on_each_device
@pytest.mark.parametrize("search", ["genetic", "cem"])
def test_critic_clusterer(device, search, blobs):
    X, y = blobs
    expected, found = (
        CriticClusterer(
            search=search, n_generations=3, population_size=8, device=name, random_state=0
        ).fit(X)
        for name in ("cpu", device)
    )
    assert device_of(found.critic_.network_) == device
    assert adjusted_rand_score(y, found.labels_) > 0.95
    assert adjusted_rand_score(expected.labels_, found.labels_) > 0.95
    assert found.score_ == pytest.approx(expected.score_, abs=0.05)
    assert found.score(X) == pytest.approx(found.score_, abs=1e-3)
    np.testing.assert_array_equal(found.predict(X), found.labels_)


@on_each_device
def test_critic_clusterer_trains_its_critic(device, blobs):
    critic = ClusteringCritic(
        n_tasks=4, n_proposals=4, max_epochs=1, adversarial_rounds=0, device=device
    )
    found = CriticClusterer(critic=critic, n_generations=1, device=device, random_state=0)
    assert np.isfinite(found.fit(*blobs).score_)
    assert device_of(found.critic_.network_) == device


# Files and copies.


LOADS = """
import pickle, sys
import numpy as np, torch
from skdeepclust import load
assert not torch.cuda.is_available()
for name in ("metric", "critic", "search"):
    with open(f"{sys.argv[1]}/{name}.pickle", "rb") as file:
        copies = pickle.load(file), load(f"{sys.argv[1]}/{name}.safetensors")
    data = np.load(f"{sys.argv[1]}/{name}.npz")
    for copy in copies:
        copy.set_params(device="cpu")
        found = copy.score_clusterings(data["X"], [data["y"]]) if name == "critic" else None
        found = copy.predict(data["X"]) if found is None else found
        np.testing.assert_allclose(found, data["expected"], rtol=0, atol=1e-4)
"""


@on_each_device
def test_what_is_kept_on_a_device_loads_where_there_is_none(device, blobs, tmp_path):
    X, y = blobs
    models = {
        "metric": fitted(blobs, device),
        "critic": ClusteringCritic.from_pretrained().set_params(device=device),
        "search": CriticClusterer(n_generations=0, device=device, random_state=0).fit(X),
    }
    expected = {name: models[name].predict(X) for name in ("metric", "search")}
    expected["critic"] = models["critic"].score_clusterings(X, [y])
    for name, model in models.items():
        np.savez(tmp_path / f"{name}.npz", X=X, y=y, expected=expected[name])
        (tmp_path / f"{name}.pickle").write_bytes(pickle.dumps(model))
        save(model, tmp_path / f"{name}.safetensors")
    assert device_of(models["metric"].network_) == device  # the original stays where it is
    here = load(tmp_path / "metric.safetensors")
    assert device_of(here.network_) == "cpu"
    np.testing.assert_array_equal(here.predict(X), expected["metric"])
    done = subprocess.run(
        [sys.executable, "-c", LOADS, tmp_path],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"CUDA_VISIBLE_DEVICES": ""},
    )
    assert done.returncode == 0, done.stderr
