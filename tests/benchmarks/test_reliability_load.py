"""The program that puts load on the package: a quick run, and that it sees what is wrong."""

import importlib
import itertools
import json
import mmap
import sys

import numpy as np
import pytest


@pytest.fixture(scope="module")
def program(benchmark_path):
    return importlib.import_module("reliability_load")


@pytest.fixture(scope="module")
def wheel_tests(program):
    return importlib.import_module("wheel_tests")


@pytest.fixture(scope="module")
def run(quick_run):
    return quick_run("reliability_load.py")


@pytest.fixture(scope="module")
def tables(run, cells):
    """First and other rows of each table."""
    rows = [cells(line) for line in run[0].splitlines() if line.startswith("|")]
    ends = [i for i, row in enumerate(rows) if row[0] == "---"]
    starts = [end - 1 for end in ends] + [len(rows)]
    return [[rows[a], *rows[a + 2 : b]] for a, b in zip(starts, starts[1:], strict=False)]


def test_threads_find_what_one_finds(tables):
    head, row = tables[0]
    assert head == ["threads", "seconds", "kinds of estimators", "fits", "questions", "wrong"]
    assert row[:3] == ["8", "2", "3"] and row[5] == "0"
    assert int(row[3]) > 0 and int(row[4]) > 0


def test_memory_of_fits_is_measured(tables):
    ((name, n_fits, growth, resident, _),) = tables[1][1:]
    assert (name, n_fits, len(resident.split(","))) == ("DeepMetricClusterer", "12", 10)
    assert float(growth) < 100


@pytest.mark.parametrize("name", ["CriticClusterer", "ClusteringCritic"])
def test_fits_of_the_others_run(program, name):
    assert program.SMALL[name](0) is None


def test_the_wheel_is_what_is_tested(tables, run):
    head, row = tables[2]
    assert head[:5] == ["wheel", "files", "modules tested", "passed", "failed"]
    assert row[0].endswith(".whl") and int(row[3]) > 0 and row[4] == "0"
    assert int(row[1]) >= int(row[2]) > 1
    record = json.loads((run[1] / "values.json").read_text(encoding="utf-8"))["records"]["wheel"]
    assert record["missing"] == record["elsewhere"] == record["failures"] == []


def test_a_wrong_answer_and_an_error_are_seen(program, monkeypatch):
    numbers = itertools.count()

    def answers(estimator, X):
        n = next(numbers)
        if n % 7 == 6:
            raise KeyError("lost")
        return [n % 5 == 4]

    monkeypatch.setattr(program, "answers", answers)
    monkeypatch.setattr(program.Shared, "fit_again", lambda self: [])
    found = program.load_threads(["metric: linear"], seconds=0.3)
    assert found["wrong"] > 0
    wanted = {"metric: linear, answers: differ", "metric: linear, answers: KeyError: 'lost'"}
    assert set(found["faults"]) <= wanted
    assert "metric: linear, answers: differ" in found["faults"]


def test_a_fit_that_differs_is_seen(program, monkeypatch):
    shared = program.Shared(program.CONFIGURATIONS["metric: linear"])
    assert shared.fit_again() == shared.ask() == []
    shared.expected["labels_"] = "another"
    assert shared.fit_again() == ["labels_"]


def test_memory_that_is_not_given_back_is_seen(program):
    kept = []

    def leak(seed):
        # Pages of their own: what the process has freed before is not used again.
        kept.append(mmap.mmap(-1, 2**20))
        kept[-1].write(bytes([seed % 255 + 1]) * 2**20)

    leaking = program.memory_of_fits(leak, 60)
    steady = program.memory_of_fits(lambda seed: np.ones(2**17), 60)
    assert leaking["MiB"] > program._MAX_MIB > 10 > steady["MiB"]
    assert leaking["resident"][-1] - leaking["resident"][0] > 20


def test_too_much_growth_is_a_failure(program):
    record = {"MiB": 25.0, "resident": [1.0, 2.0], "seconds": 1.0, "parameters": {"fits": 9}}
    report, faults = program._fits_report({"fits": {"Some": record}})
    assert "| Some | 9 | 25.0 | 1, 2 | 1 |" in report
    assert faults == ["Some: 25.0 MiB, 19.1 (20 MB) are allowed"]


def test_faults_of_a_wheel_are_reported(program):
    counts = {"passed": 0, "failed": 1, "skipped": 0, "seconds": 1.0, "files": 2, "modules": 0}
    parts = {"failures": ["a::b"], "missing": ["c"], "elsewhere": ["d"], "wheel": "e"}
    found = {**counts, **parts, "parameters": {"select": []}}
    faults = program._wheel_report({"wheel": found})[1]
    assert faults[:3] == ["wheel, failed: a::b", "wheel, not in it: c", "not of the wheel: d"]
    assert len(faults) == 5


def test_files_that_a_wheel_lacks_are_named(wheel_tests):
    own = wheel_tests.missing_files([])
    assert {"skdeepclust/__init__.py", "skdeepclust/py.typed"} <= set(own)
    assert "skdeepclust/critic/weights/default.safetensors" in own
    assert wheel_tests.missing_files(own) == []
    assert wheel_tests.missing_files(own[1:]) == own[:1]


def test_modules_from_elsewhere_are_named(wheel_tests, tmp_path):
    inside, beside = tmp_path / "environment" / "a.py", tmp_path / "environment2" / "a.py"
    files = [str(inside), str(beside)]
    assert wheel_tests.outside(inside.parent, files) == [str(beside)]
    assert wheel_tests.outside(tmp_path, files) == []


def test_a_command_that_fails_says_why(wheel_tests, tmp_path):
    with pytest.raises(RuntimeError, match="no such thing"):
        wheel_tests._run([sys.executable, "-c", "raise SystemExit('no such thing')"], tmp_path)
