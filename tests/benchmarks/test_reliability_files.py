"""The program that damages files: all of them are refused or change nothing."""

import importlib
import json

import numpy as np
import pytest


@pytest.fixture(scope="module")
def run(quick_run):
    return quick_run("reliability_files.py")


def test_every_kind_of_damage_is_refused_or_invisible(run, cells):
    rows = [cells(line) for line in run[0].splitlines() if line.startswith("|")]
    assert rows[0][:5] == ["kind", "cases", "refused", "loaded, same", "failed"]
    assert {row[4] for row in rows[2:]} == {"0"}
    assert all(int(row[1]) == int(row[2]) + int(row[3]) == 3 for row in rows[2:-1])
    assert rows[-1][0] == "all"
    content = json.loads((run[1] / "values.json").read_text(encoding="utf-8"))
    assert content["n_cases"] == 3 * len(rows[2:-1]) == int(rows[-1][1])
    assert content["failures"] == []


def test_another_version_of_the_same_format_is_read(run, cells):
    rows = {row[0]: row for row in map(cells, run[0].splitlines()) if len(row) > 3}
    assert rows["signed: another version"][3] == "3"
    assert rows["truncated"][2] == "3"


@pytest.fixture
def program(benchmark_path):
    return importlib.import_module("reliability_files")


@pytest.mark.parametrize(
    "error, fault",
    [(ValueError("nothing"), "does not name the file"), (KeyError("x"), "KeyError: 'x'")],
)
def test_other_errors_are_failures(program, error, fault, tmp_path, monkeypatch):
    def fail(path):
        raise error

    monkeypatch.setattr(program, "load", fail)
    record = program.judge_file(tmp_path / "x", [], [])
    assert record["outcome"] == "failed"
    assert fault in record["detail"]


def test_other_answers_and_opened_files_are_failures(program, tmp_path, monkeypatch):
    path, opened, also = tmp_path / "x", [], []
    monkeypatch.setattr(program, "load", lambda path: opened.extend([str(path), *also]))
    monkeypatch.setattr(program, "answers", lambda found: [np.arange(3)])
    assert program.judge_file(path, [np.arange(3)], opened)["outcome"] == "loaded, same"
    record = program.judge_file(path, [np.zeros(3)], opened)
    assert "answers otherwise" in record["detail"]
    also.append("/etc/passwd")
    record = program.judge_file(path, [np.arange(3)], opened)
    assert "Opened or called: ['/etc/passwd']" in record["detail"]
