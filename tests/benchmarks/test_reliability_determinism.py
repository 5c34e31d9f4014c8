"""The program that compares fits bit for bit: a quick run, and that it sees what is wrong."""

import importlib
import json
import os

import numpy as np
import pytest
import torch


@pytest.fixture(scope="module")
def program(benchmark_path):
    return importlib.import_module("reliability_determinism")


@pytest.fixture(scope="module")
def run(quick_run):
    return quick_run("reliability_determinism.py")


def test_quick_run_finds_the_same_bits(run, cells):
    output, folder = run
    rows = [cells(line) for line in output.splitlines() if line.startswith("|")]
    assert rows[0] == ["configuration", "again", "in eight threads", "forked"]
    assert rows[2:] == [
        ["metric: mlp, dropout", "same", "same", "same"],
        ["critic: few tasks", "same", "same", "same"],
    ]
    assert "Of 6 comparisons 0 failed." in output
    assert output.strip() in (folder / "table.md").read_text(encoding="utf-8")
    records = json.loads((folder / "values.json").read_text(encoding="utf-8"))["records"]
    assert records["critic: few tasks"]["forked"]["faults"] == []


def test_what_is_in_the_file_is_not_run_again(run, resumed_run):
    assert resumed_run("reliability_determinism.py", run)


NAME = "metric: linear"


@pytest.fixture(scope="module")
def expected(program):
    program.warm_up()
    configuration = program.CONFIGURATIONS[NAME]
    return program.outcome(configuration, configuration.fitted())


@pytest.mark.parametrize(
    "situation",
    ["again", "pickled, then fitted", "fitted, then pickled", "in a thread", "beside others"],
)
def test_a_closed_form_is_the_same_in_every_situation(program, expected, situation):
    record = program.judge(NAME, situation, expected)
    assert (record["outcome"], record["faults"]) == (program.SAME, [])


def test_situations_that_do_not_apply_are_left_out(program, expected):
    record = program.judge(NAME, "n_jobs 1, 2", expected)
    assert record["outcome"] == program.NOT_THERE


def other_outcome(program):
    return [program.outcome(program.CONFIGURATIONS["metric: mlp"], fitted(program, "metric: mlp"))]


def fitted(program, name):
    return program.CONFIGURATIONS[name].fitted()


def same_but_draws(program):
    torch.rand(1)
    return [program.outcome(program.CONFIGURATIONS[NAME], fitted(program, NAME))]


def raise_error(program):
    raise KeyError("lost")


@pytest.mark.parametrize(
    "act, fault",
    [
        (other_outcome, "labels_"),
        (same_but_draws, "changed: random state of torch"),
        (raise_error, "KeyError: 'lost'"),
    ],
)
def test_what_is_not_the_same_is_a_failure(program, expected, monkeypatch, act, fault):
    monkeypatch.setitem(program.SITUATIONS, "again", lambda configuration: act(program))
    with torch.random.fork_rng(devices=[]):
        record = program.judge(NAME, "again", expected)
    assert record["outcome"] == program.DIFFERS
    assert any(fault in found for found in record["faults"])


def test_a_failure_is_reported(program, expected, monkeypatch, capsys):
    monkeypatch.setitem(program.SITUATIONS, "again", lambda configuration: raise_error(program))
    monkeypatch.setattr("sys.argv", ["x", "--configurations", NAME, "--situations", "again"])
    assert program.main() == 1
    output = capsys.readouterr().out
    assert "- metric: linear, again: KeyError: 'lost'" in output
    assert "Of 1 comparisons 1 failed." in output


@pytest.mark.skipif(not hasattr(os, "fork"), reason="a spawned process imports its own list")
def test_a_process_that_ends_without_an_answer_is_a_failure(program, monkeypatch):
    missing = program.Configuration(make=list, data=lambda: (np.zeros((2, 2)), None), fit=len)
    monkeypatch.setitem(program.CONFIGURATIONS, "missing", missing)
    monkeypatch.setattr(program, "_n_threads_of_openmp", lambda: 1)
    with pytest.raises(RuntimeError, match="the process ended with 1"):
        program._in_process(missing, "fork")


def test_nothing_is_forked_where_openmp_has_several_threads(program, monkeypatch):
    monkeypatch.setattr(program, "_n_threads_of_openmp", lambda: 2)
    assert program._forked(program.CONFIGURATIONS[NAME]) is None


def test_every_configuration_can_be_made_and_has_data(program):
    for name, configuration in program.CONFIGURATIONS.items():
        X, y = configuration.data()
        again, _ = configuration.data()
        assert np.array_equal(X, again), name
        assert y is None or len(X) == len(y)
        assert hasattr(configuration.make(), "fit")
