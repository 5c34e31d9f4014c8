"""The benchmark of clusterers runs, measures every part, and goes on where it stopped."""

import importlib
import json
import sys
from importlib.util import find_spec

import pytest

_OURS = ["CriticClusterer, genetic", "CriticClusterer, cem"]
_GENIE = [1] * (find_spec("genieclust") is not None)
_N_UNKNOWN, _N_GIVEN = 14 + len(_GENIE), 4 + len(_GENIE)


@pytest.fixture(scope="module")
def run(quick_run):
    return quick_run("bench_suite.py")


@pytest.fixture(scope="module")
def program(benchmark_path):
    return importlib.import_module("bench_suite")


def test_every_part_has_its_tables(run, cells):
    blocks = [b.splitlines() for b in run[0].split("\n\n") if b.startswith("|")]
    tables = [[cells(line) for line in block] for block in blocks]
    assert all({len(row) for row in table} == {len(table[0])} for table in tables)
    suite, targets, sets, toys, toy_targets, times, time_targets, searches, gains = tables
    assert [row[0] for row in suite[2:4]] == _OURS
    assert [row[1] for row in suite[2:]] == ["found"] * _N_UNKNOWN + ["given"] * _N_GIVEN
    assert len(targets) == 2 + 2 * 3
    assert [row[0] for row in sets[2:]] == ["curved/moons", "round/blobs"]
    assert toys[0] == ["clusterer", "noisy circles", "no structure", "sets found"]
    assert len(toys) == 2 + _N_UNKNOWN
    assert [row[0] for row in toy_targets[2:]] == _OURS
    assert [row[:2] for row in times[2:]] == [[name, n] for name in _OURS for n in ("60", "120")]
    assert {row[2] for row in time_targets[2:]} == {"not measured"}
    names = ["best start", "genetic", "cross-entropy", "random", "hill climber"]
    assert [row[0] for row in searches[2:]] == names
    assert len(gains) == 2 + 2 * 3


def test_the_unit_of_time_and_memory_have_figures(run, cells):
    table = [cells(line) for line in run[0].split("\n\n")[1].splitlines()]
    rows = {row[0]: row for row in table}
    assert 0.1 < float(rows["KMeans, Silhouette"][5]) < 10
    assert float(rows[_OURS[0]][7]) >= 0
    assert {rows[name][7] for name in rows if name not in (_OURS[0], "clusterer", "---")} == {"–"}


def test_files_have_the_command_versions_and_single_values(run):
    text = (run[1] / "table.md").read_text(encoding="utf-8")
    assert "python benchmarks/bench_suite.py --quick" in text
    assert run[0].strip() in text
    content = json.loads((run[1] / "values.json").read_text(encoding="utf-8"))
    assert set(content["versions"]) == {"python", "numpy", "scipy", "scikit-learn", "torch"}
    assert set(content["records"]) == {"suite", "memory", "toys", "time", "search"}
    found = content["summary"]["suite"][_OURS[0]]["ARI"]
    assert found["seeds"] == [0]
    assert found["values"] == [found["mean"]]


def test_what_is_left_out_is_said(run):
    assert "Quick run: two small sets instead of the suite" in run[0]
    assert "Features of the suite: as they are." in run[0]
    assert ("Genie left out" in run[0]) == (not _GENIE)


def test_a_second_run_only_reads_the_file(run, resumed_run):
    assert resumed_run("bench_suite.py", run)


def test_only_the_parts_that_are_wanted_are_measured(program, monkeypatch, tmp_path):
    measured = []
    for name in ("measure_sets", "measure_time", "measure_searches"):
        monkeypatch.setattr(program, name, lambda bench, part: measured.append(part))
    path = tmp_path / "values.json"
    arguments = ["--quick", "--part", "time", "toys", "--json", str(path)]
    monkeypatch.setattr(sys, "argv", ["bench_suite.py", *arguments])
    monkeypatch.setattr(program, "publish", lambda *arguments: None)
    program.main()
    assert measured == ["time", "toys"]
    with pytest.raises(SystemExit):
        program.parse_options(["--part", "everything"])


def test_defaults_are_those_of_the_kind_of_run(program):
    full, quick = program.parse_options([]), program.parse_options(["--quick", "--seeds", "2"])
    assert (full.critic, full.seeds, full.sets, full.max_clusters) == ("pretrained", 3, 200, 20)
    assert (quick.critic, quick.seeds, quick.sets, quick.max_clusters) == ("tiny", 2, 2, 4)
    assert full.part == list(program.PARTS)


def test_files_made_in_another_way_are_refused(program, monkeypatch, tmp_path):
    path = tmp_path / "values.json"
    program.Store(path, {"benchmark": "suite", "quick": True, "standardize": True}).write()
    monkeypatch.setattr(sys, "argv", ["bench_suite.py", "--quick", "--json", str(path)])
    with pytest.raises(SystemExit, match="file of its own"):
        program.main()
