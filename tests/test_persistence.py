"""Tests of files: what comes back is bit for bit what was saved, and bad files say so."""

from __future__ import annotations

import builtins
import errno
import io
import json
import os
import pickle
import struct
import subprocess
import sys
from contextlib import suppress

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors import safe_open
from safetensors.numpy import load_file, save_file
from sklearn.base import BaseEstimator
from sklearn.cluster import KMeans
from sklearn.datasets import make_blobs
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from torch import nn

from skdeepclust import (
    ConvEncoder,
    DeepMetricClusterer,
    LinearEncoder,
    MLPEncoder,
    ModuleEncoder,
    _tensor_files,
)
from skdeepclust._critic import ClusteringCritic
from skdeepclust._critic_clusterer import CriticClusterer
from skdeepclust.critic._network import CriticNetwork
from skdeepclust.persistence import load, save

FAST = {"max_epochs": 2, "early_stopping": False, "random_state": 0}


def labelled_rows(n=90):
    X, y = make_blobs(n, centers=3, n_features=4, cluster_std=2.0, random_state=3)
    return X, y


def images(n=60, channels=1):
    rng = np.random.RandomState(0)
    y = np.arange(n) % 3
    return rng.normal(size=(n, channels, 8, 8)).astype(np.float32) + y[:, None, None, None], y


def module():
    return nn.Sequential(nn.Linear(4, 6), nn.Tanh(), nn.Linear(6, 3))


def saved(estimator, tmp_path, **kwargs):
    path = tmp_path / "estimator.safetensors"
    save(estimator, path)
    return load(path, **kwargs)


def assert_same(first, second, X, y):
    """Equal bits of everything that can be asked of two fitted clusterers."""
    np.testing.assert_array_equal(first.transform(X), second.transform(X), strict=True)
    np.testing.assert_array_equal(first.predict(X), second.predict(X), strict=True)
    assert first.score(X, y) == second.score(X, y)
    assert_same_state(first, second)


def assert_same_state(first, second):
    assert vars(first).keys() == vars(second).keys()
    for name in ("labels_", "cluster_centers_", "classes_", "_center_weights"):
        np.testing.assert_array_equal(getattr(first, name), getattr(second, name), strict=True)
    for name in ("history_", "n_iter_", "inertia_", "n_clusters_", "n_features_in_"):
        assert getattr(first, name) == getattr(second, name)
        assert type(getattr(first, name)) is type(getattr(second, name))


class TestClusterer:
    @pytest.mark.parametrize(
        "encoder",
        [
            "linear",
            "mlp",
            LinearEncoder(),
            MLPEncoder(hidden=[7, 5], activation="gelu", dropout=0.2),
            MLPEncoder(hidden=(6,), activation="silu"),
            MLPEncoder(hidden=np.array([6, 5]), activation="tanh"),
            ConvEncoder(channels=(4,), image_shape=(2, 2)),
        ],
        ids=str,
    )
    def test_comes_back_bit_for_bit(self, encoder, tmp_path):
        X, y = labelled_rows()
        clusterer = DeepMetricClusterer(encoder=encoder, **FAST).fit(X, y)
        again = saved(clusterer, tmp_path)
        assert_same(clusterer, again, X, y)
        np.testing.assert_array_equal(clusterer.cluster(X, 4), again.cluster(X, 4), strict=True)
        assert str(again) == str(clusterer)

    @pytest.mark.parametrize("encoder", ["conv", ConvEncoder(channels=(4, 8), dropout=0.1)])
    def test_of_images(self, encoder, tmp_path):
        X, y = images(channels=2)
        clusterer = DeepMetricClusterer(encoder=encoder, augment="affine", **FAST).fit(X, y)
        again = saved(clusterer, tmp_path)
        assert_same(clusterer, again, X, y)
        # The layout decides on how fast it is, and may decide on the last bit.
        for one, other in zip(
            clusterer.network_.parameters(), again.network_.parameters(), strict=True
        ):
            assert one.stride() == other.stride()

    @pytest.mark.parametrize(
        "classes",
        [
            np.array(["c", "a", "b"]), np.array(["c", "a", "b"], dtype=object),
            np.array([30, 7, -5]), np.array([30, 7, -5], dtype=object),
            np.array([2.0, 0.0, 7.0]), np.array([True, False, True]),
        ],
        ids=str,
    )  # fmt: skip
    def test_names_of_classes_keep_their_type(self, classes, tmp_path):
        X, y = labelled_rows()
        clusterer = DeepMetricClusterer(encoder="linear", **FAST).fit(X, classes[y])
        again = saved(clusterer, tmp_path)
        np.testing.assert_array_equal(again.classes_, clusterer.classes_, strict=True)
        assert list(map(type, again.classes_)) == list(map(type, clusterer.classes_))

    def test_names_of_features(self, tmp_path):
        X, y = labelled_rows()
        X = pd.DataFrame(X, columns=["a", "β", "c", "d"])
        clusterer = DeepMetricClusterer(encoder="linear", **FAST).set_output(transform="pandas")
        again = saved(clusterer.fit(X, y), tmp_path)
        np.testing.assert_array_equal(again.feature_names_in_, X.columns)
        pd.testing.assert_frame_equal(again.transform(X), clusterer.transform(X))
        with pytest.raises(ValueError, match="feature names"):
            again.predict(X.rename(columns={"a": "z"}))

    @pytest.mark.parametrize("random_state", [0, np.random.RandomState(5)], ids=["int", "instance"])
    def test_partial_fit_goes_on(self, random_state, tmp_path):
        X, y = labelled_rows()
        clusterer = DeepMetricClusterer(encoder=MLPEncoder(dropout=0.1), random_state=random_state)
        clusterer.partial_fit(X[:30], y[:30], classes=[0, 1, 2, 9])
        again = saved(clusterer, tmp_path)
        assert np.isnan(again.cluster_centers_[3]).all()
        for estimator in (clusterer, again):
            estimator.partial_fit(X[30:60], y[30:60]).partial_fit(X[60:])
        assert_same(clusterer, again, X, y)
        assert clusterer._rng.randint(1 << 30) == again._rng.randint(1 << 30)

    def test_warm_start_goes_on(self, tmp_path):
        X, y = labelled_rows()
        clusterer = DeepMetricClusterer(warm_start=True, **FAST).fit(X, y)
        again = saved(clusterer, tmp_path)
        assert_same(clusterer.fit(X, y), again.fit(X, y), X, y)

    def test_without_labels_and_with_assignments(self, tmp_path):
        X, y = labelled_rows()
        for target in (None, np.eye(3)[y], np.where(np.arange(len(y)) % 2, y, -1)):
            clusterer = DeepMetricClusterer(3, **FAST).fit(X, target)
            assert_same(clusterer, saved(clusterer, tmp_path), X, y)

    def test_unfitted(self, tmp_path):
        X, y = labelled_rows()
        encoder = MLPEncoder(hidden=(5,))
        clusterer = DeepMetricClusterer(
            encoder=encoder, ridge=np.float32(0.3), whiten=np.float64(0.25),
            device=torch.device("cpu"), batch_size=np.int64(64), **FAST,
        )  # fmt: skip
        again = saved(clusterer, tmp_path)
        parameters = again.get_params()
        wanted = clusterer.get_params()
        assert isinstance(parameters.pop("encoder"), MLPEncoder)
        assert wanted.pop("encoder") is encoder
        assert parameters == wanted
        assert list(map(type, parameters.values())) == list(map(type, wanted.values()))
        with pytest.raises(NotFittedError):
            again.predict(X)
        assert_same(clusterer.fit(X, y), again.fit(X, y), X, y)

    def test_encoder_changed_after_the_fit(self, tmp_path):
        X, y = labelled_rows()
        clusterer = DeepMetricClusterer(encoder=MLPEncoder((5,), "tanh"), **FAST).fit(X, y)
        clusterer.set_params(encoder="linear")
        again = saved(clusterer, tmp_path)
        assert again.encoder == "linear"
        assert_same(clusterer, again, X, y)

    def test_another_network_as_encoder(self, tmp_path):
        X, y = labelled_rows()
        network = DeepMetricClusterer(encoder=MLPEncoder((5,)), **FAST).fit(X, y).network_
        clusterer = DeepMetricClusterer(encoder=network, **FAST).fit(X, y)
        assert_same(clusterer, saved(clusterer, tmp_path), X, y)

    def test_saving_changes_nothing_and_reads_no_global_state(self, tmp_path):
        X, y = labelled_rows()
        clusterer = DeepMetricClusterer(encoder="mlp", max_epochs=2).fit(X, y)
        before = pickle.dumps(clusterer.get_params()), torch.get_rng_state(), np.random.get_state()
        again = saved(clusterer, tmp_path)
        assert pickle.dumps(clusterer.get_params()) == before[0]
        assert torch.equal(torch.get_rng_state(), before[1])
        np.testing.assert_array_equal(np.random.get_state()[1], before[2][1])
        assert np.random.get_state()[2:] == before[2][2:]
        assert again.random_state is None
        assert again._rng is clusterer._rng


class TestRandomState:
    def test_is_stored_where_it_is_and_stays_shared(self, tmp_path):
        X, y = labelled_rows()
        state = np.random.RandomState(7)
        state.normal(size=3)  # leaves half a pair behind
        clusterer = DeepMetricClusterer(
            encoder="linear", max_epochs=2, random_state=state, max_time=9.0
        ).fit(X, y)
        again = saved(clusterer, tmp_path)
        assert again._rng is again.random_state
        np.testing.assert_array_equal(again.random_state.normal(size=5), state.normal(size=5))

    def test_of_another_generator_is_refused(self, tmp_path):
        state = np.random.RandomState(np.random.PCG64(0))
        with pytest.raises(TypeError, match="its random_state draws from PCG64"):
            save(DeepMetricClusterer(random_state=state), tmp_path / "x")


class TestModule:
    @pytest.mark.parametrize("embedding_dim", ["auto", 2])
    @pytest.mark.parametrize("wrapped", [False, True])
    def test_weights_come_back_in_a_module_of_the_same_make(self, wrapped, embedding_dim, tmp_path):
        X, y = labelled_rows()
        mine = module()
        encoder = ModuleEncoder(mine) if wrapped else mine
        clusterer = DeepMetricClusterer(encoder=encoder, embedding_dim=embedding_dim, **FAST)
        clusterer.fit(X, y)
        other = module()
        weights = other[0].weight.detach().clone()
        again = saved(clusterer, tmp_path, module=other)
        assert_same(clusterer, again, X, y)
        assert torch.equal(other[0].weight, weights)  # copies were filled
        assert_same(clusterer.fit(X, y), again.fit(X, y), X, y)  # from the module's own weights

    def test_unfitted(self, tmp_path):
        again = saved(DeepMetricClusterer(encoder=(mine := module())), tmp_path, module=module())
        assert torch.equal(again.encoder[2].weight, mine[2].weight)

    @pytest.mark.parametrize("fitted", [False, True])
    def test_is_wanted_back(self, fitted, tmp_path):
        X, y = labelled_rows()
        clusterer = DeepMetricClusterer(encoder=ModuleEncoder(module()), **FAST)
        if fitted:
            clusterer.fit(X, y)
        with pytest.raises(ValueError, match=r"torch.*Sequential.*load\(path, module=\.\.\.\)"):
            saved(clusterer, tmp_path)

    @pytest.mark.parametrize(
        "other, message",
        [
            (nn.Sequential(nn.Linear(4, 6), nn.Tanh(), nn.Linear(6, 2)), "2.weight is .*(3, 6).*"),
            (nn.Sequential(nn.Linear(4, 6)), "2.bias.*not in both"),
            (module().double(), "0.weight is torch.float32 .*torch.float64 .* wanted"),
        ],
    )
    def test_of_another_make_is_refused(self, other, message, tmp_path):
        X, y = labelled_rows()
        clusterer = DeepMetricClusterer(encoder=module(), **FAST).fit(X, y)
        with pytest.raises(ValueError, match=f"estimator.safetensors: the weight.*{message}"):
            saved(clusterer, tmp_path, module=other)

    def test_two_makes_in_one_estimator_are_refused(self, tmp_path):
        X, y = labelled_rows()

        class Mine(nn.Linear):
            pass

        clusterer = DeepMetricClusterer(encoder=Mine(4, 3), **FAST).fit(X, y)
        clusterer.set_params(encoder=nn.Linear(4, 3))
        with pytest.raises(ValueError, match="encoder is a module of another make"):
            save(clusterer, tmp_path / "x")
        clusterer.set_params(encoder="mlp")
        assert_same(clusterer, saved(clusterer, tmp_path, module=Mine(4, 3)), X, y)

    def test_is_refused_where_nothing_needs_it(self, tmp_path):
        with pytest.raises(ValueError, match="module=None is wanted"):
            saved(DeepMetricClusterer(), tmp_path, module=module())
        with pytest.raises(TypeError, match="module must be a torch.nn.Module, got 'mlp'"):
            saved(DeepMetricClusterer(), tmp_path, module="mlp")

    def test_with_numbers_that_files_do_not_hold(self, tmp_path):
        with pytest.raises(TypeError, match=r"its encoder\.weight"):
            save(DeepMetricClusterer(encoder=nn.Linear(2, 2).bfloat16()), tmp_path / "x")


def fitted_critic(**parameters):
    """A critic with a network that nobody trained."""
    critic = ClusteringCritic(random_state=np.random.RandomState(3), **parameters)
    with torch.random.fork_rng():
        torch.manual_seed(1)
        critic.network_ = CriticNetwork(
            hidden=(9, 4), hidden_dim=8, node_dim=5, cluster_dim=6, n_rounds=2, kind="complete"
        ).eval()
    critic.history_ = {"loss": [1.0, float("nan"), 0.25]}
    critic.n_features_in_ = 4
    return critic


class TestCritic:
    def test_scores_bit_for_bit(self, tmp_path):
        X, y = labelled_rows()
        labelings = [y, KMeans(5, n_init=1, random_state=0).fit_predict(X), np.where(y == 2, -1, y)]
        critic = fitted_critic(learning_rate=1e-4)
        again = saved(critic, tmp_path)
        np.testing.assert_array_equal(
            again.score_clusterings(X, labelings), critic.score_clusterings(X, labelings)
        )
        np.testing.assert_array_equal(again.embed(X, y), critic.embed(X, y))
        assert again.learning_rate == 1e-4
        assert again.n_features_in_ == 4
        assert again.network_.config == critic.network_.config
        assert not any(layer.training for layer in again.network_.modules())
        np.testing.assert_array_equal(again.history_["loss"], critic.history_["loss"])

    def test_frozen_and_unfitted(self, tmp_path):
        X, y = labelled_rows()
        critic = fitted_critic()
        again = saved(FrozenEstimator(critic), tmp_path)
        assert isinstance(again, FrozenEstimator)
        assert again.score_clustering(X, y) == critic.score_clustering(X, y)
        with pytest.raises(NotFittedError):
            saved(ClusteringCritic(), tmp_path).score_clustering(X, y)


def test_critic_clusterer_comes_back_with_its_critic(tmp_path):
    X, _ = labelled_rows(30)
    clusterer = CriticClusterer(
        critic=FrozenEstimator(fitted_critic()), population_size=4, n_generations=1,
        max_clusters=3, random_state=0,
    ).fit(X)  # fmt: skip
    again = saved(clusterer, tmp_path)
    assert vars(again).keys() == vars(clusterer).keys()
    for name in ("labels_", "_prototypes", "_prototype_labels"):
        np.testing.assert_array_equal(getattr(again, name), getattr(clusterer, name), strict=True)
    assert again.predict(X + 0.1).tolist() == clusterer.predict(X + 0.1).tolist()
    assert again.score(X) == clusterer.score(X)
    assert again.history_ == clusterer.history_
    assert len(again.alternatives_) == len(clusterer.alternatives_) > 0
    for one, other in zip(again.alternatives_, clusterer.alternatives_, strict=True):
        assert type(one) is type(other)
        assert one.score == other.score
        np.testing.assert_array_equal(one.labels, other.labels)


class TestFile:
    @pytest.fixture
    def path(self, tmp_path):
        X, y = labelled_rows()
        save(DeepMetricClusterer(encoder="linear", **FAST).fit(X, y), tmp_path / "c.safetensors")
        return tmp_path / "c.safetensors"

    def test_has_the_same_bytes_each_time(self, path, tmp_path):
        X, y = labelled_rows()
        before = path.read_bytes()
        clusterer = load(path)
        for name in ("again", path.name):
            save(clusterer, str(tmp_path / name))
            assert (tmp_path / name).read_bytes() == before
        save(DeepMetricClusterer(encoder="linear", **FAST).fit(X, y), path)
        assert path.read_bytes() == before
        script = "from sys import argv; from skdeepclust.persistence import *; "
        script += "save(load(argv[1]), argv[2])"
        subprocess.run([sys.executable, "-c", script, path, tmp_path / "other"], check=True)
        assert (tmp_path / "other").read_bytes() == before

    def test_says_what_it_is(self, path):
        with safe_open(path, framework="numpy") as file:
            document = json.loads(file.metadata()["skdeepclust"])
            assert {"labels_", "network_.head.weight", "_whitener"} <= set(file.keys())
        assert document["format"] == 1
        assert document["class"] == "DeepMetricClusterer"
        assert document["skdeepclust"].count(".") == 2
        assert document["estimator"]["parameters"]["ridge"] == 1.0

    def test_is_replaced_only_when_complete(self, path, monkeypatch):
        before = path.read_bytes()

        def fail(*args):
            raise OSError("disk full")

        monkeypatch.setattr(_tensor_files.os, "fsync", fail)
        with pytest.raises(OSError, match="disk full"):
            save(DeepMetricClusterer(), path)
        assert path.read_bytes() == before
        assert os.listdir(path.parent) == [path.name]

    @pytest.mark.parametrize("step", ["write", "fsync", "replace"])
    def test_names_itself_where_it_cannot_be_written(self, step, path, monkeypatch):
        before = path.read_bytes()

        def fail(*args):
            raise OSError(errno.ENOSPC, "No space left on device", "somewhere")

        if step == "write":
            monkeypatch.setattr(builtins, "open", lambda *args: full_file(builtins_open(*args)))
        else:
            monkeypatch.setattr(_tensor_files.os, step, fail)
        builtins_open = io.open
        with pytest.raises(OSError, match=r"No space left on device: .*c\.safetensors'$") as caught:
            save(DeepMetricClusterer(), path)
        monkeypatch.undo()
        assert caught.value.errno == errno.ENOSPC
        assert path.read_bytes() == before
        assert os.listdir(path.parent) == [path.name]

    def test_is_not_written_where_it_could_not_be_read(self, path, monkeypatch):
        before = path.read_bytes()
        monkeypatch.setattr(_tensor_files, "_MAX_HEADER_BYTES", 500)
        with pytest.raises(ValueError, match=r"c\.safetensors is not written: .* 500 at most"):
            save(DeepMetricClusterer(), path)
        assert path.read_bytes() == before

    def test_a_link_stays_a_link(self, path):
        link = path.with_name("link")
        link.symlink_to(path)
        save(DeepMetricClusterer(n_clusters=77), link)
        assert link.is_symlink()
        assert load(path).n_clusters == 77

    def test_refuses_what_is_no_estimator_of_ours(self, tmp_path):
        class Mine(DeepMetricClusterer):
            pass

        Impostor = type("MLPEncoder", (BaseEstimator,), {})
        for estimator in (KMeans(), Mine(), Impostor(), {"n_clusters": 2}, DeepMetricClusterer):
            with pytest.raises(TypeError, match="estimator is of the class .* is wanted"):
                save(estimator, tmp_path / "x")
        assert not os.listdir(tmp_path)

    @pytest.mark.parametrize(
        "parameters, name",
        [
            ({"augment": lambda batch, generator: batch}, "augment"),
            ({"encoder": MLPEncoder(activation=torch.tanh)}, r"encoder\.activation"),
            ({"random_state": np.random.default_rng(0)}, "random_state"),
            ({"n_clusters": np.longdouble(3)}, "n_clusters"),
            ({"encoder": MLPEncoder(hidden=np.array([3 + 1j]))}, r"encoder\.hidden"),
            ({"encoder": KMeans()}, "encoder"),
        ],
    )
    def test_names_what_it_cannot_hold(self, parameters, name, tmp_path):
        with pytest.raises(TypeError, match=f"DeepMetricClusterer cannot be saved: its {name} "):
            save(DeepMetricClusterer(**parameters), tmp_path / "x")
        assert not os.listdir(tmp_path)

    def test_names_bad_paths(self, tmp_path):
        with pytest.raises(FileNotFoundError, match="nowhere is not there"):
            save(DeepMetricClusterer(), tmp_path / "nowhere" / "x")
        with pytest.raises(FileNotFoundError, match="absent.safetensors is not there: a file"):
            load(tmp_path / "absent.safetensors")
        for act in (load, lambda path: save(DeepMetricClusterer(), path)):
            with pytest.raises(ValueError, match="is a folder: the path of a file is wanted"):
                act(str(tmp_path))
            with pytest.raises(TypeError, match="path must be a str or path-like, got 3"):
                act(3)

    def test_truncated_anywhere(self, path):
        content = path.read_bytes()
        for length in (0, 1, 7, 8, 9, 500, len(content) // 2, len(content) - 1):
            path.write_bytes(content[:length])
            with pytest.raises(ValueError, match=r"c\.safetensors (is|comes)"):
                load(path)

    def test_one_flipped_bit_anywhere(self, path):
        content = path.read_bytes()
        rng = np.random.RandomState(0)
        for position in [0, 3, 8, 9, *rng.randint(len(content), size=150), len(content) - 1]:
            damaged = bytearray(content)
            damaged[position] ^= 1 << rng.randint(8)
            path.write_bytes(damaged)
            with pytest.raises(ValueError, match=r"c\.safetensors "):
                load(path)

    def test_of_another_program(self, path):
        save_file({"weight": np.zeros(3, np.float32)}, path)
        with pytest.raises(ValueError, match=r"c\.safetensors comes from another program"):
            load(path)
        save_file({"weight": np.zeros(3, np.float32)}, path, {"format": "pt"})
        with pytest.raises(ValueError, match=r"c\.safetensors comes from another program"):
            load(path)
        for content in (pickle.dumps(DeepMetricClusterer()), b"PK\x03\x04" + bytes(100)):
            path.write_bytes(content)
            with pytest.raises(ValueError, match="no complete safetensors file"):
                load(path)

    def test_of_a_newer_version(self, path):
        tamper(path, lambda document, tensors: document.update(format=2, skdeepclust="9.0.0"))
        with pytest.raises(ValueError, match=r"c\.safetensors has format 2, .* 9\.0\.0: .* newer"):
            load(path)

    @pytest.mark.parametrize(
        "change, message",
        [
            (lambda t: t.update(labels_=t["labels_"][:-1]), "'labels_' is .*89.*90.* is wanted"),
            (lambda t: t.update(_mean=t["_mean"].astype(np.float64)), "'_mean' is .*float64"),
            (lambda t: t.pop("cluster_centers_"), "'cluster_centers_' is missing, .* is wanted"),
            (lambda t: t.update(more=np.zeros(2)), "'more' is .*, nothing is wanted"),
            (lambda t: t.update(_mean=t["_mean"] + 1), "check sum"),
        ],
    )
    def test_with_other_tensors(self, change, message, path):
        tamper(path, lambda document, tensors: change(tensors))
        with pytest.raises(ValueError, match=r"c\.safetensors is damaged: .*" + message):
            load(path)

    @pytest.mark.parametrize(
        "change, message",
        [
            (lambda e: e.update({"class": "os.system"}), "holds the class 'os.system': one of"),
            (lambda e: e.update({"class": "KMeans"}), "holds the class 'KMeans': one of"),
            (lambda e: e.update(kind="call"), "cannot rebuild"),
            (lambda e: e["parameters"].update(color=3), "cannot rebuild .*'color'"),
            (lambda e: e["parameters"].update(ridge={"kind": "array", "name": "x"}), "rebuild"),
            (lambda e: e["attributes"].update(predict=3), "an attribute 'predict'"),
            (lambda e: e["attributes"].update(__class__=3), "an attribute '__class__'"),
            (lambda e: e["attributes"].update(__sklearn_is_fitted__=3), "__sklearn_is_fitted__'"),
            (lambda e: e.pop("parameters"), "cannot rebuild"),
        ],
    )
    def test_with_another_description(self, change, message, path):
        tamper(path, lambda document, tensors: change(document["estimator"]), signed=True)
        with pytest.raises(ValueError, match=r"c\.safetensors: .*" + message):
            load(path)

    @pytest.mark.parametrize(
        "text",
        [
            "", "{", "[]", "3", '"x"', "{}", '{"format": "1"}', '{"format": true}',
            '{"format": 0}', '{"format": -1}', '{"format": NaN}', '{"format": 1.0}',
            '{"format": 1, "format": 1}', '{"format": 1, "a": Infinity}',
            '{"format": 1, "a": ' + "[" * 5000 + "]" * 5000 + "}",
            '{"format": 1' + 5000 * "0" + "}",
        ],
        ids=lambda text: text[:30],
    )  # fmt: skip
    def test_with_a_description_that_is_none(self, text, path):
        save_file(load_file(path), path, {"skdeepclust": text})
        with pytest.raises(ValueError, match=r"c\.safetensors is damaged: its description"):
            load(path)

    def test_with_a_deep_description(self, path):
        # Parsing, check sum and rebuilding end at different depths, none of them with an error
        # of recursion.
        for depth in (20, 200, 300, 400, 450, 500, 600, 700):
            value = json.loads("[" * depth + "]" * depth)
            tamper(path, lambda document, tensors, v=value: set_verbose(document, v), signed=True)
            with suppress(ValueError):
                load(path)

    @pytest.mark.parametrize(
        "value, message",
        [
            ({"kind": "scalar", "dtype": "|V99", "value": 3}, "a number of dtype"),
            ({"kind": "scalar", "dtype": "O", "value": 3}, "a number of dtype"),
            (
                {"kind": "strings", "dtype": "<U99999999", "shape": [9], "values": ["a"] * 9},
                "strings take .* bytes",
            ),
            ({"kind": "strings", "dtype": "|V99", "shape": [1], "values": ["a"]}, "dtype"),
            ({"kind": "array", "name": "labels_", "order": "C"}, "labels_"),
        ],
    )
    def test_that_asks_for_more_than_it_holds(self, value, message, path):
        tamper(path, lambda document, tensors: set_verbose(document, value), signed=True)
        with pytest.raises(ValueError, match=rf"c\.safetensors: .*{message}"):
            load(path)

    @pytest.mark.parametrize("position, n_words", [(-1, 624), (625, 624), (3, 10), ("1", 624)])
    def test_random_state_that_lies_outside(self, position, n_words, path):
        def change(document, tensors):
            tensors["words"] = np.zeros(n_words, dtype=np.uint32)
            document["tensors"]["words"] = ["uint32", n_words]
            state = ["MT19937", {"kind": "array", "name": "words", "order": "C"}, position, 0, 0.0]
            item = {"kind": "random_state", "name": "random_state", "state": state}
            document["estimator"]["parameters"]["random_state"] = item

        tamper(path, change, signed=True)
        with pytest.raises(ValueError, match=r"c\.safetensors: it holds the state of a random"):
            load(path)

    @pytest.mark.parametrize("value", [None, 3, [], {"kind": "tuple", "values": []}])
    def test_that_describes_no_estimator(self, value, path):
        tamper(path, lambda document, tensors: document.update(estimator=value), signed=True)
        with pytest.raises(ValueError, match=r"c\.safetensors: it describes no estimator, but "):
            load(path)

    @pytest.mark.parametrize("dtype, width", [("BF16", 2), ("F8_E4M3", 1), ("C64", 8)])
    def test_with_numbers_that_numpy_lacks(self, dtype, width, path):
        rewrite_header(
            path, lambda header: header["labels_"].update(dtype=dtype, shape=[720 // width])
        )
        with pytest.raises(ValueError, match=r"c\.safetensors is "):
            load(path)

    @pytest.mark.parametrize("shape", [[0, 2**62], [0] * 99, [2**62, 2**62], [-1], [10**30], None])
    def test_with_shapes_of_any_size(self, shape, path):
        def change(header):
            start = header["labels_"]["data_offsets"][0]
            header["labels_"].update(shape=shape, data_offsets=[start, start])

        rewrite_header(path, change)
        with pytest.raises(ValueError, match=r"c\.safetensors is "):
            load(path)

    @pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
    def test_pipe_is_refused(self, tmp_path):
        os.mkfifo(tmp_path / "pipe")
        with pytest.raises(ValueError, match="pipe is no regular file"):
            load(tmp_path / "pipe")

    def test_weights_that_do_not_fit_their_layers(self, path):
        def widen(document, tensors):
            tensors["network_.head.weight"] = np.zeros((3, 5), np.float32)
            document["tensors"]["network_.head.weight"] = ["float32", 3, 5]

        tamper(path, widen, signed=True)
        with pytest.raises(ValueError, match=r"c\.safetensors: the weight network_\.head\.weight"):
            load(path)


def tamper(path, change, signed=False):
    """Change document and tensors of a file, with a right check sum or without one."""
    with safe_open(path, framework="numpy") as file:
        document = json.loads(file.metadata()["skdeepclust"])
    tensors = load_file(path)
    change(document, tensors)
    if signed:
        del document["sha256"]
        document["sha256"] = _tensor_files.digest(document, tensors)
    save_file(tensors, path, {"skdeepclust": json.dumps(document)})


def set_verbose(document, value):
    document["estimator"]["parameters"]["verbose"] = value


def rewrite_header(path, change):
    """Change the header of the safetensors format."""
    content = path.read_bytes()
    (length,) = struct.unpack("<Q", content[:8])
    header = json.loads(content[8 : 8 + length])
    change(header)
    text = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + content[8 + length :])


def full_file(file):
    """A file to which a few bytes can be written."""

    class Full(io.FileIO):
        def write(self, content):
            super().write(content[:100])
            raise OSError(errno.ENOSPC, "No space left on device")

    name = file.name
    file.close()
    return Full(name, "w")


def test_header_is_that_of_a_safetensors_file(tmp_path):
    path = tmp_path / "unfitted"
    save(DeepMetricClusterer(), path)
    content = path.read_bytes()
    (length,) = struct.unpack("<Q", content[:8])
    assert list(json.loads(content[8 : 8 + length])) == ["__metadata__"]
