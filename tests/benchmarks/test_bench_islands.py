"""The benchmark of islands: a quick run, and the figures of its tables."""

import importlib

import numpy as np
import pytest


@pytest.fixture(scope="module")
def program(benchmark_path):
    return importlib.import_module("bench_islands")


def test_quick_run_has_both_tables(quick_run, cells):
    report, _ = quick_run("bench_islands.py")
    tables = [part.splitlines() for part in report.split("\n\n") if part.startswith("|")]
    sets, times = ([cells(line) for line in table] for table in tables)
    assert [row[0] for row in sets[2:]] == ["1", "2"]
    assert all(0 <= float(value) <= 1 for row in sets[2:] for value in row[2:4])
    assert [row[0] for row in times[2:]] == ["1", "2"]
    assert all(float(row[1]) > 0 for row in times[2:])


def test_differences_have_their_interval(program):
    differences = np.array([0.0, 0.02, 0.04, 0.02])
    deviation = np.sqrt(((differences - 0.02) ** 2).sum() / 3)
    low, high = 0.02 - 1.96 * deviation / 2, 0.02 + 1.96 * deviation / 2
    assert program._interval(differences) == f"+0.0200 ({low:+.4f} … {high:+.4f})"


def test_ratios_are_those_within_a_turn(program):
    record = {
        "parameters": {"rows": 10, "islands": 4, "jobs": 2},
        "1": [2.0, 10.0, 4.0],
        "2": [1.0, 6.0, 1.0],
    }
    lines = program.time_report(record).splitlines()
    assert lines[2:4] == ["| 1 | 4 | 1.00 |", "| 2 | 1 | 0.50 |"]
    assert "from 0.25 to 0.60" in lines[-1]
