"""The benchmark of distributed steps runs, and counts as it says."""

import importlib.util
import json
import sys
from pathlib import Path

import pytest

PATH = Path(__file__).parents[2] / "benchmarks" / "bench_distributed.py"
_SPEC = importlib.util.spec_from_file_location("bench_distributed", PATH)
bench = importlib.util.module_from_spec(_SPEC)
sys.modules["bench_distributed"] = bench
_SPEC.loader.exec_module(bench)


@pytest.fixture(scope="module")
def quick(quick_run):
    return quick_run("bench_distributed.py")


def test_quick_run(quick):
    output, folder = quick
    heading, table = (folder / "table.md").read_text(encoding="utf-8").split("Machine: ")
    assert heading.startswith("# Training spread over processes\n\nMade by `python ")
    assert f"Machine: {table}".strip() == output.strip()
    results = json.loads((folder / "values.json").read_text(encoding="utf-8"))["results"]
    assert [(r["rows"], r["dim"]) for r in results] == bench.QUICK_SIZES
    for result in results:
        assert result["difference"] < 1e-5
        assert all(value > 0 for value in result["ms"].values())
        for name, computed in result["computed_bytes"].items():
            counted = result["counted_bytes"][name]
            assert counted == 0 or counted > computed  # headers come on top
    first, second = (result["computed_bytes"] for result in results)
    assert first[bench.OURS] == second[bench.OURS]
    assert 2 * first[bench.GATHERED] == second[bench.GATHERED]


def test_a_ring_sends_what_every_rank_lacks():
    assert bench.gathered_bytes(100, 5) == 400
    assert bench.reduced_bytes(100, 5) == 160  # a fifth in each of four steps, there and back


def test_bytes_of_a_step():
    # Two ranks: a half of the sums goes there, and the other half back.
    assert bench.step_bytes(bench.OURS, 999, 8, 4, 2) == 4 * (64 + 32 + 4 + 1)
    assert bench.step_bytes(bench.LEAVE_ONE_OUT, 999, 8, 4, 2) == 4 * (2 * (64 + 32) + 4 + 3)
    assert bench.step_bytes(bench.GATHERED, 10, 8, 4, 3) == 2 * 10 * (4 * 8 + 8)


def test_paper_table_has_a_line_for_each_number_of_ranks(cells):
    lines = [cells(line) for line in bench.paper_table().splitlines()[2:]]
    assert {line[0] for line in lines} == {"8", "64", "512"}
    assert len(lines) == len(bench.PAPER_RANKS) * len(bench.PAPER_SIZES)
    # 512 ranks, 256 rows, d = k = 128: 511 times 256 rows against twice 511/512 of the sums.
    line = next(line for line in lines if line[:3] == ["512", "256", "128"])
    assert line[4] == f"{2 * 511 / 512 * 4 * (2 * 128**2 + 128 + 1) / 1e6:.2f} MB"
    assert line[6] == f"{511 * 256 * (4 * 128 + 8) / 1e6:.2f} MB"
