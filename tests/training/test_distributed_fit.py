"""Two and three processes, each with a part of the rows, against one process with all of them."""

import importlib.util
import os
import pickle
import subprocess
import sys
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch.distributed as dist
from torch import nn

if not dist.is_available():
    pytest.skip("torch was built without process groups", allow_module_level=True)

_PROGRAM = Path(__file__).with_name("fit_on_ranks.py")
_SPEC = importlib.util.spec_from_file_location("fit_on_ranks", _PROGRAM)
program = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(program)

SECONDS = 60
NOT_REPEATED = ["timed", "drawn", "dropout", "distorted", "after failures"]
STEPS_TAKEN = [name for name in program.FITS if name != "closed form"]


def run_ranks(n_ranks, folder):
    """Results of every rank; a group that hangs is ended and fails the tests."""
    paths = os.pathsep.join([str(_PROGRAM.parents[2]), os.environ.get("PYTHONPATH", "")])
    environment = os.environ | {
        "PYTHONPATH": paths,
        "OMP_NUM_THREADS": "1",
        "GLOO_SOCKET_IFNAME": "lo",
    }
    running = [
        subprocess.Popen(
            [sys.executable, _PROGRAM, str(rank), str(n_ranks), folder],
            env=environment,
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in range(n_ranks)
    ]
    try:
        errors = [process.communicate(timeout=SECONDS)[1] for process in running]
    finally:
        for process in running:
            process.kill()
    codes = [process.returncode for process in running]
    assert codes == [0] * (n_ranks - 1) + [3], "\n".join(errors)
    return [pickle.loads((folder / f"{rank}.pickle").read_bytes()) for rank in range(n_ranks)]


@pytest.fixture(scope="module", params=[2, 3])
def ranks(request, tmp_path_factory):
    if sys.platform != "linux":
        pytest.skip("the loopback interface has another name")
    return run_ranks(request.param, tmp_path_factory.mktemp("ranks"))


def together(ranks):
    """All rows and labels, rank after rank."""
    shards = program.make_shards(len(ranks))
    return np.concatenate([X for X, _ in shards]), np.concatenate([y for _, y in shards])


@pytest.fixture(scope="module")
def one_process(ranks):
    """A function of a fit's name: what one process finds on the union of the shards."""

    @cache
    def fit(name):
        layer = nn.Linear(program.N_FEATURES, 5)
        layer.load_state_dict(ranks[0]["layer"])
        return program.fit(name, layer, *together(ranks))

    return fit


def distance(found, wanted):
    return np.linalg.norm(found - wanted) / np.linalg.norm(wanted)


@pytest.mark.parametrize("name", program.FITS)
def test_ranks_learn_what_one_process_learns_from_all_rows(ranks, one_process, name):
    wanted, found = one_process(name), ranks[0][name]
    assert distance(found["weights"], wanted["weights"]) < 1e-5
    assert found["n_iter"] == wanted["n_iter"]
    for figure in ("mean", "whitener", "centers"):
        np.testing.assert_allclose(found[figure], wanted[figure], rtol=1e-3, atol=1e-4)
    np.testing.assert_array_equal(found["classes"], wanted["classes"])
    labels = np.concatenate([rank[name]["labels"] for rank in ranks])
    np.testing.assert_array_equal(labels, wanted["labels"])
    np.testing.assert_array_equal(found["sizes"], wanted["sizes"])
    assert found["inertia"] == pytest.approx(wanted["inertia"], rel=1e-4)
    assert found["draw"] == wanted["draw"]


@pytest.mark.parametrize("name", STEPS_TAKEN)
def test_history_is_that_of_one_process(ranks, one_process, name):
    wanted, found = one_process(name)["history"], ranks[0][name]["history"]
    assert list(found) == list(wanted)
    for figure, values in wanted.items():
        np.testing.assert_allclose(found[figure], values, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("name", [*program.FITS, *NOT_REPEATED])
def test_all_ranks_have_the_same(ranks, name):
    own = {"labels", "predicted"}
    first = {key: value for key, value in ranks[0][name].items() if key not in own}
    for rank in ranks[1:]:
        for key, value in first.items():
            np.testing.assert_equal(rank[name][key], value)


@pytest.mark.parametrize("name", ["closed form", "leave-one-out"])
def test_labels_are_those_of_the_own_rows(ranks, name):
    for rank, (X, _) in zip(ranks, program.make_shards(len(ranks)), strict=True):
        assert len(rank[name]["labels"]) == len(X)
        np.testing.assert_array_equal(rank[name]["labels"], rank[name]["predicted"])


def test_early_stopping_stops_early(ranks):
    history = ranks[0]["early stopping"]["history"]
    assert len(history["validation_objective"]) < program.FITS["early stopping"]["max_epochs"]


def test_time_runs_out_for_all_ranks_at_once(ranks):
    assert 1 <= ranks[0]["timed"]["n_iter"] < 10**6


@pytest.mark.parametrize(
    ("name", "kind", "text"),
    [
        ("bad parameter", "InvalidParameterError", "The 'ridge' parameter"),
        ("bad value", "ValueError", "contains NaN"),
        ("no rows", "ValueError", "0 sample"),
        ("in a step", "MemoryError", "no memory for a batch"),
        ("in a gradient", "OverflowError", "no gradient today"),
        ("in a normalised gradient", "OverflowError", "no gradient today"),
    ],
)
def test_a_rank_that_fails_ends_the_fit_of_all(ranks, name, kind, text):
    for number, rank in enumerate(ranks):
        found_kind, found_text = rank[name]
        assert text in found_text
        if number == 1:
            assert found_kind == kind
        else:
            assert found_kind == "RuntimeError"
            assert f"rank 1: {kind}: " in found_text


@pytest.mark.parametrize(
    ("name", "kind", "text"),
    [
        ("other features", "ValueError", "(6,) on rank 0, but (4,) on rank 1"),
        ("numbers for classes", "ValueError", "y has labels of kind 'U' on rank 0, but 'i' on"),
        ("one class", "ValueError", "one class only on all ranks"),
        ("no labels", "NotImplementedError", "labels of all rows are wanted"),
        ("some labels", "NotImplementedError", "y has no label for 5 of"),
        ("assignments", "NotImplementedError", "a class for each row"),
        ("more clusters", "NotImplementedError", "n_clusters=7"),
        ("other parameters", "ValueError", "max_epochs is 3 on rank 0, but 4 on rank 1"),
        ("partial_fit", "NotImplementedError", "partial_fit inside a process group"),
    ],
)
def test_what_ranks_cannot_do_together_is_refused_on_all(ranks, name, kind, text):
    for rank in ranks:
        assert rank[name][0] == kind
        assert text in rank[name][1]


def test_a_rank_that_ends_is_missed(ranks):
    for rank in ranks[:-1]:
        kind, text = rank["a rank ends"]
        assert kind == "RuntimeError"
        assert "lost the others" in text
    assert "a rank ends" not in ranks[-1]
