"""The benchmark of clustering with few labels runs and shows its tables."""

import json

import pytest

_METHODS = [
    "MLP, all rows",
    "MLP, labelled rows",
    "Conv, all rows",
    "Conv, labelled rows",
    "LabelSpreading",
    "SelfTraining",
]
_LABELS = ["digits, 1%", "digits, 5%", "digits, 20%"]


@pytest.fixture(scope="module")
def run(quick_run):
    return quick_run("bench_semi_supervised.py")


def _tables(text, cells):
    blocks = [block.splitlines() for block in text.split("\n\n") if block.startswith("|")]
    return [[cells(line) for line in block] for block in blocks]


def test_tables_have_their_columns_and_rows(run, cells):
    everywhere, unlabelled, seconds = _tables(run[0], cells)
    differences = ["gain from -1 rows", "lead"]
    assert everywhere[0] == unlabelled[0] == ["data, labelled", *_METHODS, *differences]
    assert seconds[0] == ["data, labelled", *_METHODS]
    for table in (everywhere, unlabelled, seconds):
        assert [row[0] for row in table[2:]] == _LABELS
        assert {len(row) for row in table} == {len(table[0])}


def test_markdown_file_has_the_command_and_the_tables(run):
    text = (run[1] / "table.md").read_text(encoding="utf-8")
    assert "python benchmarks/bench_semi_supervised.py --quick" in text
    assert run[0].strip() in text


def test_what_is_left_out_is_said(run):
    assert "MNIST left out" in run[0]


def test_json_file_has_single_values_and_versions(run):
    record = json.loads((run[1] / "values.json").read_text(encoding="utf-8"))
    assert set(record["versions"]) == {"python", "numpy", "scipy", "scikit-learn", "torch"}
    assert list(record["results"]) == _LABELS
    for values in record["results"].values():
        assert len(values) == 3 * len(_METHODS)
        assert all(len(figure["values"]) == 1 for figure in values.values())
