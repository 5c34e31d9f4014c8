"""Tests of the fingerprint of a fit."""

from __future__ import annotations

import json
import subprocess
import sys
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.frozen import FrozenEstimator
from torch import nn

from skdeepclust import (
    ClusteringCritic,
    CriticClusterer,
    DeepMetricClusterer,
    MLPEncoder,
    ModuleEncoder,
    _fingerprint,
    save,
)
from skdeepclust._fingerprint import fingerprint, outline
from skdeepclust.training import InputScaling

X = np.arange(12.0).reshape(6, 2)


def network(seed=0, dropout=0.0, dtype=torch.float32):
    torch_state = torch.get_rng_state()
    torch.manual_seed(seed)
    layers = nn.Sequential(nn.Linear(2, 3), nn.Dropout(dropout)).to(dtype)
    torch.set_rng_state(torch_state)
    return layers


class Blur:
    def __init__(self, width):
        self.width = width

    def __call__(self, x, generator):
        return x * self.width


def shifted(by):
    return lambda x, generator: x + by


def twice(x, generator):
    return 2 * x


def thrice(x, generator):
    return 3 * x


class TestFingerprint:
    def test_names_what_counts(self):
        found = fingerprint(DeepMetricClusterer(ridge=0.5), X, None)
        assert found["class"] == "DeepMetricClusterer"
        assert found["skdeepclust"].count(".") == 2
        assert found["ridge"] == 0.5
        assert found["X"]["shape"] == [6, 2]
        assert found["y"] is None
        assert not {"verbose", "device", "n_jobs"} & found.keys()

    def test_is_plain_and_survives_json(self):
        clusterer = DeepMetricClusterer(encoder=MLPEncoder(), augment=twice, max_time=np.float32(3))
        found = fingerprint(clusterer, X, (np.arange(6), ["a", "b"]))
        assert json.loads(json.dumps(found, allow_nan=False)) == found

    def test_a_file_counts_by_what_it_holds(self, tmp_path):
        first, second = tmp_path / "a.safetensors", tmp_path / "b.safetensors"
        critic = ClusteringCritic.from_pretrained()
        save(critic, first)
        save(critic, second)
        before = fingerprint(CriticClusterer(critic=str(first)), X)
        assert fingerprint(CriticClusterer(critic=second), X) == before
        save(critic.set_params(n_tasks=3), first)
        assert fingerprint(CriticClusterer(critic=str(first)), X) != before


EQUAL = [
    (None, None),
    (3, np.int64(3)),
    (0.5, np.float64(0.5)),
    (float("nan"), float("nan")),
    ((1, 2), [1, 2]),
    ({"b", "a"}, {"a", "b"}),
    (X, np.asfortranarray(X)),
    (X[::2], X[::2].copy()),
    (X, pd.DataFrame(X)),
    (np.array(["a", None], dtype=object), np.array(["a", None], dtype=object)),
    (network(), network()),
    (MLPEncoder(hidden=(8,)), MLPEncoder(hidden=[8])),
    (ModuleEncoder(network()), ModuleEncoder(network())),
    (shifted(1), shifted(1)),
    (Blur(2), Blur(2)),
    (partial(twice, generator=1), partial(twice, generator=1)),
    (np.random.RandomState(0), np.random.RandomState(1)),
    (torch.device("cpu"), torch.device("cpu")),
    (Path("a"), Path("a")),
    (InputScaling(X[0], 1.0), InputScaling(X[0].copy(), 1.0)),
]
DIFFERENT = [
    (None, 0),
    (1.0, float("inf")),
    (True, "True"),
    ([1, 2], [2, 1]),
    (X, X + 1e-12),
    (X, X.astype(np.float32)),
    (X, X.reshape(2, 6)),
    (X, X.astype(">f8")),
    (np.array(["a", None], dtype=object), np.array(["b", None], dtype=object)),
    (torch.zeros(3), torch.zeros(1, 3)),
    (torch.zeros(2, dtype=torch.float32), torch.zeros(1, dtype=torch.float64)),
    (network(), network(seed=1)),
    (network(), network(dropout=0.5)),
    (network(dtype=torch.bfloat16), network(seed=1, dtype=torch.bfloat16)),
    (MLPEncoder(hidden=(8,)), MLPEncoder(hidden=(9,))),
    (MLPEncoder(dropout=0.1), MLPEncoder(dropout=0.2)),
    (ModuleEncoder(network()), ModuleEncoder(network(seed=1))),
    (twice, thrice),
    (shifted(1), shifted(2)),
    (Blur(1), Blur(2)),
    (Blur(1).__call__, Blur(2).__call__),
    (partial(twice, generator=1), partial(twice, generator=2)),
    (InputScaling(X[0], 1.0), InputScaling(X[0], 2.0)),
    (Path("a"), Path("b")),
    (b"a", b"b"),
]


@pytest.mark.parametrize("pair", EQUAL, ids=lambda pair: type(pair[0]).__name__)
def test_equal(pair):
    assert outline(pair[0]) == outline(pair[1])


@pytest.mark.parametrize("pair", DIFFERENT, ids=lambda pair: type(pair[0]).__name__)
def test_different(pair):
    assert outline(pair[0]) != outline(pair[1])


def test_weights_of_a_fitted_critic_count():
    critic = FrozenEstimator(ClusteringCritic.from_pretrained())
    before = outline(critic)
    assert outline(FrozenEstimator(ClusteringCritic.from_pretrained())) == before
    with torch.no_grad():
        next(critic.estimator.network_.parameters()).add_(1e-3)
    assert outline(critic) != before


def test_objects_that_hold_themselves():
    first, second = Blur(1), Blur(2)
    first.width, second.width = second, [first]
    assert outline(first) == outline(first)


def test_a_set_in_a_function_is_the_same_in_each_process():
    script = (
        "from skdeepclust._fingerprint import outline\n"
        "def chosen(x, generator): return x in {'a', 'b', 'c', 'd', 'e'}\n"
        "print(outline(chosen))"
    )
    outputs = {
        subprocess.run(
            [sys.executable, "-c", script],
            env={"PYTHONHASHSEED": seed},
            capture_output=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(outputs) == 1


class TestLargeArrays:
    @pytest.fixture
    def limits(self, monkeypatch):
        monkeypatch.setattr(_fingerprint, "_MAX_READ_BYTES", 80)
        monkeypatch.setattr(_fingerprint, "_PART_BYTES", 32)

    def test_small_parts_do_not_change_the_sum(self, monkeypatch):
        whole = outline(X)
        monkeypatch.setattr(_fingerprint, "_PART_BYTES", 32)
        assert outline(X) == whole

    def test_evenly_spaced_rows_count(self, limits):
        large = np.arange(200.0).reshape(100, 2)
        read = np.linspace(0, 99, 5).astype(int)
        before = outline(large)
        for i in range(100):
            changed = large.copy()
            changed[i, 1] += 1
            assert (outline(changed) == before) == (i not in read)

    def test_a_memory_map_is_read_in_parts(self, limits, tmp_path):
        large = np.arange(200.0).reshape(100, 2)
        np.save(tmp_path / "x.npy", large)
        mapped = np.load(tmp_path / "x.npy", mmap_mode="r")
        assert outline(mapped) == outline(large)

    def test_rows_larger_than_the_limit(self, limits):
        large = np.arange(200.0).reshape(2, 100)
        assert outline(large) == outline(large.copy())
        assert outline(large) != outline(large + 1)
