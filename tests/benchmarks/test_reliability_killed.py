"""The program that kills fits: they go on, and what goes wrong is seen."""

import importlib
import json
import os
import time

import numpy as np
import pytest

from skdeepclust import DeepMetricClusterer


@pytest.fixture(scope="module")
def run(quick_run):
    return quick_run("reliability_killed.py")


def test_fits_that_were_killed_end_with_the_same_bits(run, cells):
    rows = [cells(line) for line in run[0].splitlines() if line.startswith("|")]
    assert rows[0][1:6] == ["trials", "kills", "went on from a file", "same", "failed"]
    kind, everything = rows[2:]
    assert kind[0].startswith("DeepMetricClusterer")
    assert everything[0] == "all"
    assert everything[1:6] == kind[1:6]
    trials, kills, resumed, same, failed = map(int, kind[1:6])
    assert (trials, same, failed) == (3, 3, 0)
    assert kills >= resumed
    assert kills > 0
    content = json.loads((run[1] / "values.json").read_text(encoding="utf-8"))
    assert content["n_cases"] == 3
    assert content["failures"] == []
    assert "Fits that were killed" in (run[1] / "table.md").read_text(encoding="utf-8")


@pytest.fixture
def program(benchmark_path):
    return importlib.import_module("reliability_killed")


def test_kinds_are_of_all_three_classes(program):
    classes = [name.split(":")[0] for name in program.KINDS]
    assert sorted(set(classes)) == ["ClusteringCritic", "CriticClusterer", "DeepMetricClusterer"]
    for name, kind in program.KINDS.items():
        estimator = program.CONFIGURATIONS[kind.configuration].make()
        assert type(estimator).__name__ == name.split(":")[0]
        assert kind.parameters.keys() <= estimator.get_params().keys()


class Fake:
    configuration = "metric: mlp"

    def __init__(self, act):
        self.fitted = act


def sleep(checkpoint):
    time.sleep(60)


def refuse(checkpoint):
    raise ValueError(f"no {checkpoint}")


def end(checkpoint):
    os._exit(3)


def test_a_process_that_is_killed_has_no_outcome(program, monkeypatch):
    monkeypatch.setitem(program.KINDS, "fake", Fake(sleep))
    assert program.attempt("fake", None, 0.05) is None


@pytest.mark.parametrize(
    ("act", "message"), [(refuse, "fake: ValueError: no None"), (end, "ended with 3")]
)
def test_errors_of_a_process_are_seen(program, monkeypatch, act, message, tmp_path):
    monkeypatch.setitem(program.KINDS, "fake", Fake(act))
    with pytest.raises(RuntimeError, match=message):
        program.attempt("fake", None)
    record = program.killed_trials(["fake"], 0, tmp_path)(7)
    assert record["outcome"] == "failed"
    assert record["case"] == 7
    assert message in record["detail"]


def test_a_trial_goes_on_until_a_process_ends(program, monkeypatch, tmp_path):
    answers, moments = iter([None, None, {"labels_": "a"}]), []

    def attempt(name, directory, seconds=None):
        moments.append(seconds)
        (directory / f"{len(moments)}.checkpoint.safetensors").touch()
        return next(answers)

    monkeypatch.setattr(program, "attempt", attempt)
    record = program.run_trial("fake", tmp_path, {"labels_": "a"}, [0.5, 0.25])
    assert moments == [0.5, 0.25, None]
    assert (record["kills"], record["resumed"]) == (2, 2)
    assert record["outcome"] == "failed"
    assert "left behind: [" in record["detail"]


def test_differences_are_failures(program, tmp_path):
    expected = {"labels_": "a", "network_": "b"}
    assert program.judge(expected, expected, tmp_path) == ""
    found = program.judge({"labels_": "a", "network_": "c"}, expected, tmp_path)
    assert found == "not the same: network_"
    assert "no answer" in program.judge(None, expected, tmp_path)


def test_a_checkpoint_that_changes_the_result_is_seen(program, monkeypatch, tmp_path):
    answers = iter([{"labels_": "a"}, {"labels_": "b"}])
    monkeypatch.setattr(program, "attempt", lambda name, directory: next(answers))
    with pytest.raises(RuntimeError, match=r"a checkpoint changes \['labels_'\]"):
        program.measure("fake", tmp_path)


def test_moments_are_shares_of_the_whole(program):
    drawn = [program.draw_moments(np.random.default_rng(seed), 10.0) for seed in range(200)]
    assert {len(moments) for moments in drawn} == {1, 2, 3}
    together = np.concatenate(drawn)
    assert 0 <= together.min() < 1
    assert 8.5 < together.max() < 9.5


def test_fits_are_saved_in_the_directory(program, monkeypatch, tmp_path):
    seen = []

    def note(estimator, X, y):
        seen.append(estimator.checkpoint)
        return estimator

    monkeypatch.setattr(DeepMetricClusterer, "fit", note)
    next(iter(program.KINDS.values())).fitted(str(tmp_path))
    assert seen == [str(tmp_path)]
