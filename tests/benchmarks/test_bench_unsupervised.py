"""The benchmark of clustering without labels runs and shows its table."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

_PROGRAM = Path(__file__).parents[2] / "benchmarks" / "bench_unsupervised.py"
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
def run(tmp_path_factory):
    """Standard output of a quick run, and the folder of its files."""
    folder = tmp_path_factory.mktemp("unsupervised")
    files = ["--markdown", folder / "table.md", "--json", folder / "values.json"]
    done = subprocess.run(
        [sys.executable, _PROGRAM, "--quick", *files], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout, folder


def _cells(line):
    return [cell.strip() for cell in line.strip("|").split("|")]


def test_table_has_its_columns_and_data_sets(run):
    lines = [line for line in run[0].splitlines() if line.startswith("|")]
    assert _cells(lines[0]) == _COLUMNS
    assert all(len(_cells(line)) == len(_COLUMNS) for line in lines)
    assert [_cells(line)[0] for line in lines[2:]] == [
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
