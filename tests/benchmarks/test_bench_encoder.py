"""The benchmark of the encoder's rate runs and counts its operations."""

import json

import pytest


@pytest.fixture(scope="module")
def run(quick_run):
    return quick_run("bench_encoder.py")


def test_table_has_both_precisions(run, cells):
    rows = [cells(line) for line in run[0].splitlines() if line.startswith("|")]
    assert [row[0] for row in rows[2:]] == ["float32", "bfloat16"]
    for row in rows[2:]:
        assert all(float(value.replace(",", "")) >= 0 for value in row[1:])


def test_operations_are_those_of_the_layers(run):
    multiplications = 9 * (1024 * 32 + 256 * 32 * 64 + 64 * 64 * 128 + 16 * 128 * 256)
    multiplications += 4 * 256 * 128
    assert f" {6 * multiplications / 1e6:.0f} million operations" in run[0]


def test_single_values_are_kept(run):
    content = json.loads((run[1] / "values.json").read_text(encoding="utf-8"))
    for values in content["results"].values():
        assert set(values) == {"encoder", "product"}
        assert all(len(found["values"]) == 2 for found in values.values())
