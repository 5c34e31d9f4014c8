"""The transfer benchmark runs, measures every lesson, and goes on where it stopped."""

import importlib
import json
import sys
from importlib.util import find_spec

import pytest

_UNTRAINED = ["chance", "Silhouette", "Calinski-Harabasz", "Davies-Bouldin"]
_UNTRAINED += ["DBCV"] * (find_spec("hdbscan") is not None) + ["critic of synthetic data"]
_VARIANTS = ["trained on", "from scratch", "paper configuration"]
_LESSONS = [f"{s} ({a})" for s in ("Numbers", "Fashion") for a in ("standard", "few shots")]


@pytest.fixture(scope="module")
def run(quick_run):
    return quick_run("bench_critic_transfer.py")


@pytest.fixture(scope="module")
def modules(benchmark_path):
    """The program and its measurements."""
    names = ("bench_critic_transfer", "transfer_measurements")
    return [importlib.import_module(name) for name in names]


@pytest.fixture(scope="module")
def program(modules):
    return modules[0]


@pytest.fixture
def bench(modules, monkeypatch):
    """A bench whose figures and critics are told instead of computed."""
    program, measurements = modules
    options = program.parse_options(["--quick", "--variants", "scratch,trained"])
    bench = measurements.Bench(options, program.Store(None, {}))
    bench.trained = []

    def train(lesson, base, settings, images, critics):
        bench.trained.append(lesson)
        return base, 1.0

    monkeypatch.setattr(measurements, "_train", train)
    monkeypatch.setattr(bench, "stored_pools", lambda name, seed: [])
    monkeypatch.setattr(bench, "judge", lambda score, seed, n_jobs=None: {"seed": seed})
    return bench


def _tables(text, cells):
    blocks = [block.splitlines() for block in text.split("\n\n") if block.startswith("|")]
    return [[cells(line) for line in block] for block in blocks]


def test_every_lesson_has_its_rows(run, cells):
    figures, targets, ari, without, pools = _tables(run[0], cells)
    wanted = [["no images", f"{name} (1)"] for name in _UNTRAINED]
    for lesson in _LESSONS:
        wanted += [[lesson, f"{name} (1)"] for name in _VARIANTS] + [[lesson, "poster"]]
    assert [row[:2] for row in figures[2:]] == wanted
    without_poster = [row for row in wanted if row[1] != "poster"]
    for table in (ari, without):
        assert [row[:2] for row in table[2:]] == without_poster
    assert len(targets) == 2 + 18
    assert [row[:3] for row in pools[2:]] == [[n, "2", "1.00"] for n in figures[0][2:]]
    assert figures[2][2:] == ["5.0 / 15.0"] * 3


def test_files_have_the_command_versions_and_single_values(run):
    text = (run[1] / "table.md").read_text(encoding="utf-8")
    assert "python benchmarks/bench_critic_transfer.py --quick" in text
    assert run[0].strip() in text
    content = json.loads((run[1] / "values.json").read_text(encoding="utf-8"))
    assert set(content["versions"]) == {"python", "numpy", "scipy", "scikit-learn", "torch"}
    assert set(content["records"]["pools"]) == {"Numbers", "Letters", "Fashion"}
    assert set(content["summary"]) == {"no images", *_LESSONS}
    record = content["records"]["figures"]["Fashion (few shots)"]["trained on"]["0"]
    rows = {"components": 30, "copies": 9, "small images": True}
    assert record["parameters"]["rows"] == rows
    assert record["parameters"]["training"]["warm_start"] is True


def test_what_is_left_out_is_said(run):
    assert "Quick run: scikit-learn's digits and printed characters" in run[0]
    assert ("DBCV left out" in run[0]) == (find_spec("hdbscan") is None)
    assert "one of protocol and not of identical tasks" in run[0]


def test_a_second_run_only_reads_the_file(run, resumed_run):
    assert resumed_run("bench_critic_transfer.py", run)


def test_only_critics_that_are_missing_are_trained(modules, bench):
    _, measurements = modules
    measurements.measure_critics(bench)
    assert len(bench.trained) == 2 * 2 * 2
    bench.trained.clear()
    measurements.measure_critics(bench)
    assert bench.trained == []
    bench.options.seeds = 2
    measurements.measure_critics(bench)
    assert {lesson.seed for lesson in bench.trained} == {1}
    bench.trained.clear()
    bench.options.copies = 2  # changes the few shots alone
    measurements.measure_critics(bench)
    assert {lesson.amount for lesson in bench.trained} == {"few shots"}
    bench.trained.clear()
    bench.options.epochs, bench.options.lessons = 9, ["Fashion (few shots)"]
    measurements.measure_critics(bench)
    assert len(bench.trained) == 4
    assert {lesson[:2] for lesson in bench.trained} == {("Fashion", "few shots")}


def test_pools_are_kept_in_a_folder(program, modules, tmp_path, monkeypatch):
    _, measurements = modules
    options = program.parse_options(["--quick", "--pools", str(tmp_path / "pools")])

    def sha256():
        bench = measurements.Bench(options, program.Store(None, {}))
        bench.stored_pools("Letters", 0)
        return bench.store.records["pools"]["Letters"]["0"]["sha256"]

    first = sha256()
    assert len(list((tmp_path / "pools").iterdir())) == 1
    monkeypatch.setattr(measurements, "make_pools", lambda *arguments: [])
    assert sha256() == first


def test_a_missing_file_is_named(program, tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["bench_critic_transfer.py", "--data-dir", str(tmp_path)])
    monkeypatch.setattr(program.Bench, "base", object())
    monkeypatch.setattr(program.Bench, "test_settings", {})
    with pytest.raises(SystemExit, match=r"No file .*mnist.npz: give its folder as --data-dir"):
        program.main()


def test_full_runs_are_as_promised(program):
    options = program.parse_options([])
    assert (options.seeds, options.test_tasks, options.tasks) == (3, 200, 500)
    assert options.critic == "pretrained"
    assert options.variants == _VARIANTS
    assert options.lessons == _LESSONS
    with pytest.raises(SystemExit):
        program.parse_options(["--variants", "nothing of the kind"])
