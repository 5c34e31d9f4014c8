"""The benchmark of clustering without labels runs and shows its table."""

import json

import pytest

_COLUMNS = [
    "data",
    "KMeans",
    "DeepMetricClusterer",
    "difference to KMeans",
    "target met",
    'encoder="linear"',
    "pseudo-labels",
    "network adds",
    "time / KMeans",
]


@pytest.fixture(scope="module")
def run(quick_run):
    return quick_run("bench_unsupervised.py")


def test_table_has_its_columns_and_data_sets(run, cells):
    lines = [line for line in run[0].splitlines() if line.startswith("|")]
    assert cells(lines[0]) == _COLUMNS
    assert all(len(cells(line)) == len(_COLUMNS) for line in lines)
    assert [cells(line)[0] for line in lines[2:]] == [
        "blobs, plain",
        "blobs, unequal variance",
        "blobs, anisotropic",
        "blobs, unequal sizes",
        "digits",
    ]


def test_markdown_file_has_the_command_and_the_table(run):
    text = (run[1] / "table.md").read_text(encoding="utf-8")
    assert "python benchmarks/bench_unsupervised.py --quick" in text
    assert run[0].strip() in text


def test_what_is_left_out_is_said(run):
    assert "Fashion-MNIST left out" in run[0]


def test_json_file_has_single_values_and_versions(run):
    record = json.loads((run[1] / "values.json").read_text(encoding="utf-8"))
    assert set(record["versions"]) == {"python", "numpy", "scipy", "scikit-learn", "torch"}
    for values in record["results"].values():
        for figure in values.values():
            assert figure["seeds"] == [0]
            assert figure["values"] == [figure["mean"]]
            assert figure["standard_deviation"] == 0.0
