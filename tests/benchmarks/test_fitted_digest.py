"""Check sums of estimators and of the state of a process: equal bits alone give equal ones."""

import copy
import importlib
import random
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
import scipy.sparse as sp
import torch
from sklearn.datasets import make_blobs
from torch import nn

from skdeepclust import ClusteringCritic, DeepMetricClusterer, MLPEncoder


@pytest.fixture(scope="module")
def program(benchmark_path):
    return importlib.import_module("fitted_digest")


class Pair(NamedTuple):
    first: int
    second: int


@dataclass
class Record:
    name: str
    values: np.ndarray


class Plain:
    def __init__(self, value):
        self.value = value


def network(bias=0.0, training=False, p=0.5):
    made = nn.Sequential(nn.Linear(2, 2), nn.Dropout(p)).train(training)
    for value in made.parameters():
        nn.init.constant_(value, 1.0)
    nn.init.constant_(made[0].bias, bias)
    return made


def seeded(seed):
    return np.random.RandomState(seed)


def torch_seeded(seed):
    return torch.Generator().manual_seed(seed)


# Pairs of values that differ in the least.
DIFFERENT = {
    "int": (1, 2),
    "bool and int": (True, 1),
    "float": (1.0, np.nextafter(1.0, 2.0)),
    "signed zeros": (0.0, -0.0),
    "complex": (1 + 2j, 1 - 2j),
    "str": ("a", "b"),
    "str and bytes": ("a", b"a"),
    "None and text": (None, "None"),
    "array": (np.arange(3), np.array([0, 1, 3])),
    "dtype": (np.arange(3), np.arange(3.0)),
    "shape": (np.zeros((2, 3)), np.zeros((3, 2))),
    "array and list": (np.arange(2), [0, 1]),
    "objects": (np.array(["a", None], dtype=object), np.array(["a", "b"], dtype=object)),
    "tensor": (torch.zeros(3), torch.tensor([0.0, 0.0, 1e-45])),
    "bfloat16": (torch.zeros(2, dtype=torch.bfloat16), torch.ones(2, dtype=torch.bfloat16)),
    "scalar tensor": (torch.tensor(1.0), torch.tensor([1.0])),
    "gradient": (torch.zeros(1), torch.zeros(1, requires_grad=True)),
    "parts of lists": ([[1], [2]], [[1, 2], []]),
    "list and tuple": ([1, 2], (1, 2)),
    "dict": ({"a": 1, "b": 2}, {"a": 2, "b": 1}),
    "set": ({1, 2}, {1, 3}),
    "named tuple": (Pair(1, 2), Pair(2, 1)),
    "dataclass": (Record("a", np.zeros(2)), Record("a", np.ones(2))),
    "object": (Plain(1), Plain(2)),
    "function": (len, max),
    "weights": (network(), network(bias=1e-7)),
    "mode": (network(), network(training=True)),
    "settings of a layer": (network(), network(p=0.4)),
    "RandomState": (seeded(0), seeded(1)),
    "Generator": (np.random.default_rng(0), np.random.default_rng(1)),
    "torch.Generator": (torch_seeded(0), torch_seeded(1)),
    "sparse": (sp.csr_array(np.eye(2)), sp.csr_array(2 * np.eye(2))),
    "parameter": (MLPEncoder(dropout=0.1), MLPEncoder(dropout=0.2)),
    "path": (Path("a"), Path("b")),
}


@pytest.mark.parametrize("name", DIFFERENT)
def test_equal_values_have_one_check_sum_and_others_another(program, name):
    first, second = DIFFERENT[name]
    is_of_torch = isinstance(first, torch.Generator)  # which cannot be copied everywhere
    again = torch_seeded(0) if is_of_torch else copy.deepcopy(first)
    assert program.digest(first) == program.digest(again)
    assert program.digest(first) != program.digest(second)


def test_order_of_dictionaries_and_strides_do_not_count(program):
    values = np.arange(6.0).reshape(2, 3)
    assert program.digest({"a": 1, "b": 2}) == program.digest({"b": 2, "a": 1})
    assert program.digest(values.T) == program.digest(values.T.copy())
    images = torch.rand(2, 3, 4, 4)
    channels_last = images.to(memory_format=torch.channels_last)
    assert program.digest(images) == program.digest(channels_last)


def test_how_to_compute_does_not_count(program):
    critics = [ClusteringCritic(n_jobs=n, verbose=n) for n in (1, 2)]
    assert len({program.digest(critic) for critic in critics}) == 1
    assert program.digest(ClusteringCritic(n_tasks=1)) != program.digest(critics[0])


def test_what_is_not_known_is_refused(program):
    with pytest.raises(TypeError, match="nothing is known of generator"):
        program.digest(value for value in ())
    endless = []
    endless.append(endless)
    with pytest.raises(ValueError, match="list holds itself"):
        program.digest(endless)


def test_of_an_estimator_every_fitted_attribute_counts(program):
    X, y = make_blobs(60, centers=3, random_state=0)
    fits = [
        DeepMetricClusterer(encoder="linear", random_state=seed).fit(X[:n], y[:n])
        for seed, n in ((0, 60), (0, 60), (0, 59))
    ]
    first, second, other = (program.fitted_digests(fit, X) for fit in fits)
    assert program.differences(first, second) == []
    found = program.differences(first, other)
    assert {"answers", "labels_", "network_", "cluster_centers_"} <= set(found)
    assert "random_state" not in first
    assert "answers" not in program.fitted_digests(fits[0])
    del fits[1].inertia_
    assert program.differences(program.fitted_digests(fits[1], X), first) == ["inertia_"]


CHANGES = {
    "random state of python": random.random,
    "random state of numpy": np.random.rand,
    "random state of torch": lambda: torch.rand(1),
    "default dtype": lambda: torch.set_default_dtype(torch.float64),
    "grad mode": lambda: torch.set_grad_enabled(False),
    "warnings filters": lambda: warnings.simplefilter("ignore"),
    "floating-point errors of numpy": lambda: np.seterr(all="raise"),
}


@pytest.mark.parametrize("name", CHANGES)
def test_changes_of_the_process_are_seen(program, name):
    before, errors = program.process_state(), np.geterr()
    assert program.changes(before, program.process_state()) == []
    numpy_state, python_state = np.random.get_state(), random.getstate()
    with warnings.catch_warnings(), torch.random.fork_rng(devices=[]):
        try:
            CHANGES[name]()
            assert program.changes(before, program.process_state()) == [name]
        finally:
            torch.set_default_dtype(torch.float32)
            torch.set_grad_enabled(True)
            np.seterr(**errors)
            np.random.set_state(numpy_state)
            random.setstate(python_state)


def test_threads_of_torch_are_seen(program):
    before, n_threads = program.process_state(), torch.get_num_threads()
    try:
        torch.set_num_threads(n_threads + 1)
        assert "threads of torch" in program.changes(before, program.process_state())
    finally:
        torch.set_num_threads(n_threads)
    assert program.changes(before, program.process_state()) == []
