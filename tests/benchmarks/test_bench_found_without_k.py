"""The benchmark of clusters found without K runs, counts, and goes on where it stopped."""

import importlib
import json

import numpy as np
import pytest

_KINDS = ["blobs", "unequal variance", "anisotropic", "moons", "circles", "spirals"]
_METHODS = ["CriticClusterer, genetic", "KMeans, Silhouette", "HDBSCAN, 15"]


@pytest.fixture(scope="module")
def run(quick_run):
    return quick_run("bench_found_without_k.py")


@pytest.fixture(scope="module")
def program(benchmark_path):
    return importlib.import_module("bench_found_without_k")


def _record(k, ari, found_k, others=0.5):
    mine = {"ARI": ari, "n_clusters": found_k, "seconds": 1.0}
    rest = {name: {"ARI": others, "n_clusters": 2, "seconds": 1.0} for name in _METHODS[1:]}
    return {"parameters": {}, "K": k, "overlapping draws": 1, _METHODS[0]: mine, **rest}


@pytest.fixture
def records():
    moons = [_record(2, 1.0, 2), _record(2, 0.95, 3), _record(4, 0.94, 4), _record(8, 0.2, 3)]
    blobs = [_record(3, 1.0, 3)]
    numbered = {"moons": moons, "blobs": blobs}
    return {"draws": {kind: {str(i): r for i, r in enumerate(of)} for kind, of in numbered.items()}}


def _tables(parts, cells):
    blocks = [part.splitlines() for part in parts if part.startswith("|")]
    return [[cells(line) for line in block] for block in blocks]


def test_tables_have_every_kind(run, cells):
    kinds, numbers, targets, missed = _tables(run[0].split("\n\n"), cells)
    assert [row[0] for row in kinds[2:]] == [*_KINDS, "all kinds"]
    assert [row[1] for row in kinds[2:]] == ["1"] * 6 + ["6"]
    assert kinds[0][3:] == [f"{name}: {c}" for name in _METHODS for c in ("ARI ≥ 0.95", "K exact")]
    assert [row[0] for row in targets[2:]] == [*_KINDS, "all kinds"]
    assert [row[0] for row in missed[2:]] == _KINDS
    assert sum(int(row[1]) for row in numbers[2:]) == 6


def test_files_have_the_command_versions_and_single_values(run):
    text = (run[1] / "table.md").read_text(encoding="utf-8")
    assert "python benchmarks/bench_found_without_k.py --quick" in text
    assert run[0].strip() in text
    content = json.loads((run[1] / "values.json").read_text(encoding="utf-8"))
    assert set(content["versions"]) == {"python", "numpy", "scipy", "scikit-learn", "torch"}
    assert list(content["records"]["draws"]) == _KINDS
    assert set(content["summary"]) == {*_KINDS, "all kinds"}
    for record in (found["0"] for found in content["records"]["draws"].values()):
        assert 2 <= record["K"] <= 10
        for name in _METHODS:
            assert -0.5 <= record[name]["ARI"] <= 1


def test_what_is_left_out_is_said(run):
    assert "Quick run: small sets, a critic trained in a second." in run[0]


def test_a_second_run_only_reads_the_file(run, resumed_run):
    assert resumed_run("bench_found_without_k.py", run)


def test_wilson_intervals_are_those_of_the_formula(program):
    for n_found, n in ((0, 10), (7, 10), (190, 200), (200, 200)):
        share, z = n_found / n, 1.959963984540054
        middle = (share + z**2 / (2 * n)) / (1 + z**2 / n)
        half = z / (1 + z**2 / n) * np.sqrt(share * (1 - share) / n + z**2 / (4 * n**2))
        np.testing.assert_allclose(
            program.wilson(n_found, n), (share, middle - half, middle + half), atol=1e-12
        )


def test_shares_are_counted(program, records, cells):
    kinds, numbers, targets, missed = _tables(program.found_report(records), cells)
    rows = {row[0]: row[1:] for row in kinds[2:]}
    assert rows["moons"][0] == "4"
    assert rows["moons"][1] == "50%"
    assert rows["moons"][2].startswith("0.500 (")
    assert rows["moons"][3].startswith("0.500 (")
    assert rows["moons"][4].startswith("0.000 (0.000")
    assert rows["blobs"][2].startswith("1.000 (")
    assert rows["all kinds"][2].startswith("0.600 (")
    assert [row[:2] for row in numbers[2:]] == [["2 to 3", "3"], ["4 to 6", "1"], ["7 to 10", "1"]]
    assert dict(targets[2:]) == {
        "moons": "missed by 0.450",
        "blobs": "met by 0.050",
        "all kinds": "missed by 0.350",
    }
    assert dict(missed[2:]) == {"moons": "2 → 3 (1), 8 → 3 (1)", "blobs": "none"}
    assert program.found_report({}) == []


def test_only_draws_that_are_missing_are_clustered(program, monkeypatch):
    judged = []

    def judge(critic, parameters, options, kind, number):
        judged.append((kind, number))
        return {key: value for key, value in _record(2, 1.0, 2).items() if key != "parameters"}

    monkeypatch.setattr(program, "judge_draw", judge)
    bench = program.Bench(program.parse_options(["--quick"]), program.Store(None, {}))
    bench.critic, bench.settings = None, {"critic": "a"}
    program.measure_draws(bench)
    assert judged == [(kind, 0) for kind in _KINDS]
    judged.clear()
    bench.options.draws = 2
    program.measure_draws(bench)
    assert judged == [(kind, 1) for kind in _KINDS]
    judged.clear()
    bench.settings = {"critic": "another"}
    program.measure_draws(bench)
    assert len(judged) == 12


def test_full_runs_are_as_promised(program):
    options = program.parse_options([])
    assert (options.draws, options.critic) == (200, "pretrained")
    bench = program.Bench(options, program.Store(None, {}))
    assert bench.parameters == {}
