"""The benchmark of a device runs on any of them, and counts as it says."""

import json
from importlib import import_module
from importlib.util import find_spec

import numpy as np
import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

CPU = torch.device("cpu")
RIVAL = "MultiSimilarity"


@pytest.fixture(scope="module")
def run(quick_run):
    return quick_run("bench_gpu.py")


@pytest.fixture(scope="module")
def tables(run, cells):
    """Rows of cells of each table, without its head."""
    found = [[]]
    for line in run[0].splitlines():
        if line.startswith("|"):
            found[-1].append(cells(line))
        elif found[-1]:
            found.append([])
    return [rows[2:] for rows in found if rows]


@pytest.fixture(scope="module")
def rates(benchmark_path):
    return import_module("device_rates")


@pytest.fixture(scope="module")
def epochs(benchmark_path):
    return import_module("device_epochs")


@pytest.fixture(scope="module")
def bench(benchmark_path):
    return import_module("bench_gpu")


def test_the_device_is_named(run):
    name = torch.cuda.get_device_name() if torch.cuda.is_available() else "cpu, 1 threads"
    assert f"Device: {name}." in run[0]
    assert run[0].strip() in (run[1] / "table.md").read_text(encoding="utf-8")


def test_ceilings_come_first(tables, rates):
    wanted = [rates.FLOAT32, rates.TF32, rates.BFLOAT16, rates.COPY]
    if not torch.cuda.is_available():
        wanted.remove(rates.TF32)
    assert [row[0] for row in tables[0]] == wanted
    assert [row[2] for row in tables[0]] == ["Gflop/s"] * (len(wanted) - 1) + ["GB/s"]


def test_shares_follow_from_floor_and_time(tables, bench):
    assert [tuple(map(int, row[:3])) for row in tables[1]] == bench.QUICK_SIZES
    for row in tables[1]:
        taken, floor, share = float(row[3]), float(row[4]), float(row[6])
        assert row[5] in ("products", "memory")
        assert share == pytest.approx(floor / taken, abs=0.01)
        assert float(row[7]) > 0


def test_epochs_of_rows_and_of_images(tables):
    rows = tables[2]
    assert [row[:3] for row in rows] == [
        ["MLPEncoder, rows", "64", "32"],
        ["ConvEncoder, images", "32", "16"],
    ]
    for row in rows:
        ours = [float(cell.replace(",", "")) for cell in row[3:5]]
        assert min(ours) > 0
        if find_spec("pytorch_metric_learning") is None:
            assert row[5:] == ["-"] * 3
        else:
            assert all(float(cell.replace(",", "")) > 0 for cell in row[5:])


def test_single_values_are_kept(run):
    content = json.loads((run[1] / "values.json").read_text(encoding="utf-8"))
    for values in content["results"].values():
        assert all(len(found["values"]) == 2 for found in values.values())
    assert len(content["results"]) == 5


# What is counted.


@pytest.mark.parametrize(("n", "d"), [(5, 1), (7, 4)])
def test_operations_of_the_products(rates, n, d):
    """Each entry of a product takes a multiplication and an addition for each term."""
    gram = sum(2 * n for i in range(d) for j in range(i, d))  # on and above the diagonal
    gradient = sum(2 * d for row in range(n) for column in range(d))
    assert rates.product_operations(n, d) == gram + gradient


def test_operations_of_the_full_products(rates, bench):
    """The counter of torch knows nothing of symmetry."""
    rows = torch.ones(7, 4)
    with FlopCounterMode(display=False) as counter:
        bench.two_products(rows)
    saved = sum(2 * 7 for i in range(4) for j in range(i))
    assert rates.product_operations(7, 4) == counter.get_total_flops() - saved


def test_bytes_are_those_of_rows_labels_and_gradient(rates):
    rows, y = torch.ones(11, 3), torch.zeros(11, dtype=torch.long)
    assert rates.moved_bytes(11, 3) == rows.nbytes + y.nbytes + torch.empty_like(rows).nbytes


def test_the_floor_is_the_larger_of_two_times(rates):
    operations, n_bytes = rates.product_operations(100, 10), rates.moved_bytes(100, 10)
    slow, fast = [1.0, 2.0, 90.0], [1e9]  # the median counts
    assert rates.floor_seconds(100, 10, {rates.FLOAT32: slow, rates.COPY: fast}) == (
        operations / 2.0,
        "products",
    )
    assert rates.floor_seconds(100, 10, {rates.FLOAT32: fast, rates.COPY: slow}) == (
        n_bytes / 2.0,
        "memory",
    )


def test_rates_are_work_over_time(rates, monkeypatch):
    def in_turns(runs, device, n_rounds):
        return {name: [0.5, 0.25] for name in runs}

    monkeypatch.setattr(rates, "in_turns", in_turns)
    found = rates.measure_ceilings(CPU, 10, 4_000, 2)
    assert found[rates.FLOAT32] == found[rates.BFLOAT16] == [4_000.0, 8_000.0]
    assert found[rates.COPY] == [16_000.0, 32_000.0]  # read and written


def test_products_leave_the_precision_as_it_was(rates):
    before = torch.get_float32_matmul_precision()
    left = torch.eye(3)
    assert torch.equal(rates._product(left, left, "high"), left)
    assert torch.get_float32_matmul_precision() == before


@pytest.mark.parametrize(("first", "n_calls"), [(0.0, 200), (1e-6, 200), (1e-3, 30), (1.0, 1)])
def test_short_calls_are_timed_together(rates, first, n_calls):
    assert rates.calls_at_once(first) == pytest.approx(n_calls, abs=1)


def test_contenders_take_turns(rates, monkeypatch):
    order = []
    monkeypatch.setattr(rates, "_MOST_CALLS", 1)
    runs = {name: lambda name=name: order.append(name) for name in ("a", "b")}
    times = rates.in_turns(runs, CPU, 3)
    assert order[4:] == ["a", "b"] * 3  # after two calls each
    assert {name: len(taken) for name, taken in times.items()} == {"a": 3, "b": 3}


# What is trained.


@pytest.mark.parametrize("kind", ["rows", "images"])
def test_all_contenders_have_the_same_rows_batches_and_weights(epochs, kind):
    work = epochs.draw_workload(kind, 48, 4, 16)
    states = [epochs._state(work, loss, CPU) for loss in ("leave-one-out", "spectral", "spectral")]
    shown = [[batch.tolist() for batch in state.batches._positions()] for state in states]
    assert shown[0] == shown[1] == shown[2]
    assert sorted(sum(shown[0], [])) == list(range(48))
    assert np.bincount(work.codes).tolist() == [12] * 4
    for batch in shown[0]:
        assert np.bincount(work.codes[batch]).tolist() == [4] * 4
    for own, other in zip(
        states[0].network.parameters(), states[2].network.parameters(), strict=True
    ):
        assert torch.equal(own, other)


def test_every_epoch_trains_the_network(epochs, monkeypatch):
    work, states, make = epochs.draw_workload("rows", 48, 4, 16), [], epochs._state

    def kept(*given):
        states.append(make(*given))
        return states[-1]

    monkeypatch.setattr(epochs, "_state", kept)
    for name, epoch in epochs.contenders(work, CPU).items():
        state = states[[*epochs.OURS, RIVAL].index(name)]
        before = state.network.head.weight.detach().clone()
        epoch()
        assert not torch.equal(state.network.head.weight, before)


def test_without_the_package_of_the_rival(epochs, bench, cells, monkeypatch):
    monkeypatch.setattr(epochs, "find_spec", lambda name: None)
    work = epochs.draw_workload("rows", 48, 4, 16)
    assert list(epochs.contenders(work, CPU)) == list(epochs.OURS)
    measured = [(work, {"leave-one-out": [20.0, 30.0], "spectral": [50.0, 70.0]})]
    row = cells(bench.epoch_table(measured).splitlines()[-1])
    assert row == ["MLPEncoder, rows", "48", "16", "25", "60", "-", "-", "-"]
    notes = bench.notes_on(CPU, 8, 8, 2, measured)
    assert "pip install pytorch-metric-learning" in notes[-1]


def test_ratios_are_taken_round_by_round(epochs, bench, cells):
    work = epochs.draw_workload("rows", 48, 4, 16)
    values = {"leave-one-out": [2.0, 8.0, 9.0], "spectral": [1.0, 1.0, 1.0], RIVAL: [1.0, 2.0, 9.0]}
    row = cells(bench.epoch_table([(work, values)]).splitlines()[-1])
    assert row[3:] == ["8", "1", "2", "2.00", "0.50"]
