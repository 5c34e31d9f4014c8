"""Limits of time: the program runs, and its table says which limits were exceeded."""

import argparse
import importlib
import json

import pytest


@pytest.fixture
def program(benchmark_path):
    return importlib.import_module("reliability_time")


def test_quick_run_measures_both_searches(quick_run, cells):
    output, folder = quick_run("reliability_time.py")
    rows = [cells(line) for line in output.splitlines() if line.startswith("|")]
    assert rows[0][:4] == ["rows", "search", "max_time", "least seconds"]
    assert [row[1] for row in rows[2:]] == ["genetic", "cem"]
    records = json.loads((folder / "values.json").read_text(encoding="utf-8"))
    for record in records:
        assert record["rows"] == 200
        assert all(min(record[name]) > 0 for name in ("least", "default", "endless"))
    assert output in (folder / "table.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("least", "default", "expected"),
    [([0.3], [0.5, 0.54], False), ([0.3], [0.5, 0.56], True), ([0.3, 0.6], [0.7], False)],
)
def test_late_is_what_was_possible_and_took_longer(program, least, default, expected, capsys):
    record = {"rows": 2_000, "search": "cem", "max_time": 0.5, "least": least}
    record |= {"default": default, "endless": [0.1]}
    options = argparse.Namespace(repetitions=2, markdown=None, json=None, quick=False)
    assert program.publish([record], options) == int(expected)
    output = capsys.readouterr().out
    assert f"{int(expected)} of 1" in output
    assert ("**" in output) == expected
    assert "| 2,000 | cem | 0.5 |" in output


def test_ratios_are_the_largest(program):
    record = {"max_time": 2.0, "least": [0.1], "default": [1.0, 2.1], "endless": [1.9, 1.8]}
    assert program._row({"rows": 5, "search": "cem", **record})[-2:] == ["1.05", "0.95"]
