"""The benchmark of many rows runs, measures in processes, and goes on where it stopped."""

import importlib
import json
import sys

import numpy as np
import pytest
from sklearn.datasets import make_blobs
from sklearn.metrics import adjusted_rand_score

_QUICK = ["CriticClusterer", "MiniBatchKMeans, Silhouette"]


@pytest.fixture(scope="module")
def run(quick_run):
    return quick_run("bench_scale.py")


@pytest.fixture(scope="module")
def program(benchmark_path):
    return importlib.import_module("bench_scale")


@pytest.fixture(scope="module")
def methods(program):
    return sys.modules["scale_methods"]


def _record(seconds=1.0, memory=10.0, ari=0.9, k=10):
    return {"status": "done", "seconds": seconds, "MiB": memory, "ARI": ari, "n_clusters": k}


@pytest.fixture
def records():
    slow = {"1000": _record(500.0), "100000": {"status": "time"}}
    full = {"1000": _record(), "100000": {"status": "memory"}}
    mine = {"1000": _record(), "1000000": _record(60.0, 3_072.0, 0.99), "100000": _record(5.0)}
    return {"blobs": {"CriticClusterer": mine, "Genie, K given": slow, "HDBSCAN (hdbscan)": full}}


def _tables(parts, cells):
    blocks = [part.splitlines() for part in parts if part.startswith("|")]
    return [[cells(line) for line in block] for block in blocks]


def test_quick_run_has_every_size_and_clusterer(run, cells):
    table, targets, metric = _tables(run[0].split("\n\n"), cells)
    assert table[0] == ["rows", "clusterer", "seconds", "MiB", "ARI", "K"]
    assert [row[:2] for row in table[2:]] == [["100", name] for name in _QUICK]
    for row in table[2:]:
        assert float(row[2]) > 0
        assert -0.5 <= float(row[4]) <= 1
    assert {row[2] for row in targets[2:]} == {"not measured"}
    assert metric[0][2:4] == ["fit, seconds", "fit, MiB above the map"]
    assert [row[0] for row in metric[2:]] == ["100"]
    assert all(float(seconds) > 0 for seconds in metric[2][2::2])


def test_files_have_the_command_versions_and_single_values(run):
    text = (run[1] / "table.md").read_text(encoding="utf-8")
    assert "python benchmarks/bench_scale.py --quick" in text
    assert run[0].strip() in text
    content = json.loads((run[1] / "values.json").read_text(encoding="utf-8"))
    assert content["summary"] == {"blobs": dict.fromkeys(_QUICK, 100)}
    assert "Quick run: few rows" in run[0]


def test_a_second_run_only_reads_the_file(run, resumed_run):
    assert resumed_run("bench_scale.py", run)


def test_tables_can_be_made_without_measuring(program, records, tmp_path, monkeypatch, capsys):
    settings = {"benchmark": "scale", "quick": False, "threads": 2, "seconds": 600.0, "GiB": 16.0}
    path = tmp_path / "values.json"
    content = {"settings": settings, "records": {"clusterers": records}}
    path.write_text(json.dumps(content), encoding="utf-8")
    monkeypatch.setattr(program, "run_job", None)
    monkeypatch.setattr(sys, "argv", ["bench_scale.py", "--tables-only", "--json", str(path)])
    program.main()
    assert "| 1,000,000 | CriticClusterer | 60 | 3,072 | 0.9900 | 10 |" in capsys.readouterr().out
    assert json.loads(path.read_text(encoding="utf-8"))["records"] == {"clusterers": records}


def test_tables_targets_and_summary(program, records, cells):
    table, targets = _tables(program.scale_report(records, program.parse_options([])), cells)
    assert [row[0] for row in table[2:]] == ["1,000"] * 3 + ["100,000"] * 3 + ["1,000,000"]
    cut = {row[1]: row[2:] for row in table[2:] if row[0] == "100,000"}
    assert cut["Genie, K given"] == ["> 600", "–", "–", "–"]
    assert cut["HDBSCAN (hdbscan)"][0] == "out of memory"
    assert cut["CriticClusterer"] == ["5", "10", "0.9000", "10"]
    assert targets[2:] == [
        ["blobs", "1,000,000 rows in 90 s", "met by 30.000"],
        ["blobs", "1,000,000 rows in 2 GiB", "missed by 1.000"],
        ["blobs", "10,000,000 rows in 900 s", "not measured"],
    ]
    reached = {"CriticClusterer": 1_000_000, "Genie, K given": 1_000, "HDBSCAN (hdbscan)": 1_000}
    assert program.summarize(records) == {"blobs": reached}


def test_memory_of_the_metric(program, cells):
    peaks = dict(zip(program.STEPS, (900.0, 1280.0, 1.0), strict=True))
    steps = {step: {"seconds": 2.0, "MiB": peak} for step, peak in peaks.items()}
    records = {"10000000": {"status": "done", **steps}, "1000000": {"status": "time"}}
    options = program.parse_options([])
    parts = program.metric_report(records, options)
    (table,) = _tables(parts, cells)
    assert table[2] == ["1,000,000", "244", *["> 600", "–"] * 3]
    assert table[3] == ["10,000,000", "2,441", "2", "900", "2", "1,280", "2", "1"]
    assert "10,000,000 rows, missed by 0.250." in parts[-1]
    assert program.metric_report({}, options) == []
    few = program.metric_report({"1000": {"status": "done", **steps}}, options)
    assert "not measured" in few[-1]


def test_what_failed_is_not_tried_with_more_rows(program, records):
    assert not program.is_missing(records, "blobs", "Genie, K given", 1_000_000)
    assert not program.is_missing(records, "blobs", "Genie, K given", 100_000)
    assert program.is_missing(records, "blobs", "Genie, K given", 10_000)
    assert program.is_missing(records, "blobs", "CriticClusterer", 10_000_000)
    assert program.is_missing(records, "anisotropic", "Genie, K given", 1_000)


def test_a_picture_of_all_values(program, records, tmp_path):
    pytest.importorskip("matplotlib")
    program.draw_picture(records, tmp_path / "scale.png")
    assert (tmp_path / "scale.png").read_bytes()[:4] == b"\x89PNG"


def test_only_what_is_missing_is_measured(program, monkeypatch):
    measured = []

    def run_job(job, limit, threads):
        measured.append((job["method"], limit, threads))
        return _record()

    monkeypatch.setattr(program, "run_job", run_job)
    arguments = ["--rows", "50", "--kinds", "blobs", "--methods", "critic"]
    options = program.parse_options(arguments)
    store = program.Store(None, {})
    program.measure_sizes(store, options)
    program.measure_sizes(store, options)
    assert measured == [("CriticClusterer", 600.0, 2)]


def test_slow_jobs_are_ended(program, monkeypatch, tmp_path):
    script = tmp_path / "scale_methods.py"
    script.write_text(
        "import json, sys, time\n"
        "job = json.loads(sys.argv[1])\n"
        "time.sleep(job['sleep'])\n"
        "if job.get('fails'): raise ValueError('no rows')\n"
        "print(json.dumps({'status': 'done', 'seconds': job['seconds']}))\n"
    )
    monkeypatch.setattr(program, "__file__", str(tmp_path / "bench_scale.py"))
    monkeypatch.setattr(program, "_ALLOWANCE", 0.5)
    assert program.run_job({"sleep": 60, "seconds": 60}, 0.1, 1) == {"status": "time"}
    monkeypatch.setattr(program, "_ALLOWANCE", 30.0)
    assert program.run_job({"sleep": 0, "seconds": 2}, 1.0, 1) == {"status": "time"}
    assert program.run_job({"sleep": 0, "seconds": 0.5}, 1.0, 1)["status"] == "done"
    failed = program.run_job({"sleep": 0, "seconds": 0, "fails": True}, 1.0, 1)
    assert failed == {"status": "failed", "error": ["ValueError: no rows"]}


@pytest.mark.parametrize("kind", ["blobs", "anisotropic"])
def test_mixtures_are_the_same_of_any_size_and_apart(methods, monkeypatch, tmp_path, kind):
    few, many = (methods.draw_mixture(kind, n, tmp_path) for n in (3_000, 6_000))
    X, y = np.load(many[0]), np.load(many[1])
    assert X.shape == (6_000, 16)
    assert X.dtype == np.float32
    assert set(y) == set(range(10))
    assert np.bincount(y).min() > 0.03 * 6_000
    again = methods.draw_mixture(kind, 3_000, tmp_path)
    np.testing.assert_array_equal(np.load(few[0]), np.load(again[0]))
    smaller, codes = np.load(few[0]), np.load(few[1])
    for c in range(10):
        first, second = (rows[of == c].mean(axis=0) for rows, of in ((X, y), (smaller, codes)))
        np.testing.assert_allclose(first, second, atol=1.0)
    # The nearest of the means recognises most rows.
    means = np.stack([X[y == c].mean(axis=0) for c in range(10)])
    nearest = ((X[:, None] - means) ** 2).sum(axis=2).argmin(axis=1)
    assert (nearest == y).mean() > 0.95
    monkeypatch.setattr(methods, "_BLOCK_ROWS", 1_000)
    blocks = np.load(methods.draw_mixture(kind, 2_500, tmp_path)[0])
    assert np.isfinite(blocks).all()
    assert blocks[1_000:2_000].std() > 0.5


def test_clusterers_of_the_benchmark_find_clusters_apart(methods):
    X, y = make_blobs(400, centers=10, n_features=16, center_box=(-9, 9), random_state=0)
    X = X.astype(np.float32)
    for name in methods.available():
        parameters = {"critic": "tiny"} if name == methods.OURS else {}
        labels = methods.METHODS[name](X, 0, **parameters)
        assert labels.shape == (400,)
        if name != methods.OURS:
            assert adjusted_rand_score(y, methods.join_noise(X, labels)) > 0.95


def test_noise_joins_the_nearest_mean(methods):
    X = np.array([[0.0], [1.0], [9.0], [3.0], [6.0]], dtype=np.float32)
    joined = methods.join_noise(X, np.array([0, 0, 1, -1, -1]))
    np.testing.assert_array_equal(joined, [0, 0, 1, 0, 1])
    np.testing.assert_array_equal(methods.join_noise(X, np.full(5, -1)), np.zeros(5))


def test_full_runs_are_as_promised(program, methods):
    options = program.parse_options([])
    assert options.rows == [10**e for e in range(3, 8)]
    assert options.kinds == ["blobs", "anisotropic"]
    assert options.methods == methods.available()
