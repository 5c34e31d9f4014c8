"""The matrix of versions: what pip is asked for, and what a report counts."""

import importlib
import json

import pytest


@pytest.fixture
def program(benchmark_path):
    return importlib.import_module("reliability_matrix")


def test_quick_run_uses_this_environment(quick_run, cells):
    output, folder = quick_run("reliability_matrix.py")
    rows = [cells(line) for line in output.splitlines() if line.startswith("|")]
    assert rows[0][:5] == ["cell", "python", "scikit-learn", "numpy", "torch"]
    assert rows[2][0] == "this environment"
    assert int(rows[2][5]) > 0
    assert rows[2][6] == "0"
    (record,) = json.loads((folder / "values.json").read_text(encoding="utf-8"))
    assert record["failures"] == []


def test_requirements_of_a_cell(program):
    assert program.Cell.parse("1.6/1.26/2.13").requirements == [
        ["scikit-learn==1.6.*", "numpy==1.26.*", "torch==2.13.*"]
    ]
    assert program.Cell.parse("newest/newest/newest").requirements == [
        ["scikit-learn", "numpy", "torch"]
    ]
    torches = [wanted[2] for wanted in program.Cell.parse("newest/2/oldest").requirements]
    assert torches[:2] == ["torch==2.4.*", "torch==2.5.*"]
    assert str(program.Cell.parse("a/b/c")) == "a/b/c"
    with pytest.raises(SystemExit, match="'1.6' is no cell"):
        program.Cell.parse("1.6")


def test_report_counts_errors_as_failures(program, tmp_path):
    path = tmp_path / "report.xml"
    path.write_text(
        "<testsuites><testsuite>"
        '<testcase classname="a" name="one"/>'
        '<testcase classname="a" name="two"><failure/></testcase>'
        '<testcase classname="b" name="three"><error/></testcase>'
        '<testcase classname="b" name="four"><skipped/></testcase>'
        "</testsuite></testsuites>",
        encoding="utf-8",
    )
    assert program.read_report(path) == {
        "passed": 1, "failed": 2, "skipped": 1, "failures": ["a::two", "b::three"]
    }  # fmt: skip


def test_environment_that_cannot_be_made_is_a_failure(program, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(program, "make_environment", lambda *args: "no such version")
    options = program.argparse.Namespace(python="x", select=[], markdown=None, json=None)
    record = program.run_cell(program.Cell("9", "9", "9"), tmp_path, options)
    assert program.publish([record], options) == 1
    assert "9/9/9: no such version" in capsys.readouterr().out
