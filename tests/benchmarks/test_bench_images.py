"""The benchmark on new classes of images runs, shows its tables, and goes on where it stopped."""

import json
from importlib.util import find_spec

import pytest

_METHODS = ["raw", "ours, closed form", "ours, gradient"]
if find_spec("pytorch_metric_learning") is not None:
    _METHODS += ["MultiSimilarity", "SupCon", "ProxyAnchor", "NormalizedSoftmax", "Triplet"]


@pytest.fixture(scope="module")
def run(quick_run):
    return quick_run("bench_images.py")


def test_tables_have_all_methods(run, cells):
    blocks = [block.splitlines() for block in run[0].split("\n\n") if block.startswith("|")]
    figures, targets = ([cells(line) for line in block] for block in blocks)
    assert [row[0] for row in figures[2:]] == [f"{name} (1)" for name in _METHODS]
    assert [row[0] for row in targets[2:]] == _METHODS[1:3]
    for table in (figures, targets):
        assert {len(row) for row in table} == {len(table[0])}


def test_json_file_has_settings_versions_and_single_values(run):
    content = json.loads((run[1] / "values.json").read_text(encoding="utf-8"))
    assert content["settings"]["quick"] is True
    assert set(content["versions"]) == {"python", "numpy", "scipy", "scikit-learn", "torch"}
    for records in content["records"]["glyphs"].values():
        assert all(0 <= records["0"][f"R@{k}"] <= 1 for k in (1, 2, 4, 8))


def test_a_second_run_computes_nothing_anew(run, resumed_run):
    assert resumed_run("bench_images.py", run)


def test_what_is_left_out_is_said(run):
    assert "Quick run: glyphs instead of the data sets." in run[0]


def test_markdown_file_has_the_command_and_the_tables(run):
    text = (run[1] / "table.md").read_text(encoding="utf-8")
    assert "python benchmarks/bench_images.py --quick" in text
    assert run[0].strip() in text
