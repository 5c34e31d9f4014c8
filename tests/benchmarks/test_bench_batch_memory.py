"""The benchmark of large batches measures in processes; both schemes give the same gradient."""

import importlib

import pytest
import torch


@pytest.fixture(scope="module")
def program(benchmark_path):
    return importlib.import_module("bench_batch_memory")


def test_quick_run_has_its_size_and_both_schemes(quick_run, cells):
    report, files = quick_run("bench_batch_memory.py")
    tables = [part.splitlines() for part in report.split("\n\n") if part.startswith("|")]
    rows = [[cells(line) for line in table] for table in tables]
    (table,) = rows
    assert [row[0] for row in table[2:]] == ["512"]
    assert all(float(row[-1]) > 0 for row in table[2:])


def test_both_schemes_leave_the_same_gradient(program):
    torch.manual_seed(0)
    network = torch.nn.Linear(6, 4).double()
    inputs, y = torch.randn(40, 6, dtype=torch.float64), torch.arange(40) % 3
    program.step(network, inputs, y, 40)
    whole = network.weight.grad.clone()
    program.step(network, inputs, y, 16)
    torch.testing.assert_close(network.weight.grad, whole)


def test_memory_and_failures_are_told(program):
    options = program.parse_options([])
    done = {"status": "done", "MiB": 2_048.0, "seconds": 2.0}
    records = {
        "MLP": {
            "4096": {"one pass": done, "two passes": {**done, "seconds": 3.0}},
            "16384": {"one pass": {"status": "memory"}, "two passes": {**done, "MiB": None}},
        }
    }
    table = program.report(records, options)[1].splitlines()
    assert table[2].split(" | ")[2:] == ["2,048", "2,048", "1.50 |"]
    assert table[3].split(" | ")[2:] == ["out of memory", "–", "– |"]
