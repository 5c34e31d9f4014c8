"""The benchmark of growth: exponents of known power laws, counted operations, its files."""

import importlib
import json

import numpy as np
import pytest
import torch


@pytest.fixture(scope="module")
def run(quick_run):
    return quick_run("bench_gradient.py")


@pytest.fixture(scope="module")
def module(benchmark_path):
    return importlib.import_module("bench_gradient")


def power_law_times(module, axis, power, fixed_cost=0.0):
    """Two rounds, the second one on a machine half as fast."""
    times = fixed_cost + 1e-9 * np.array(axis.values, dtype=float) ** power
    return {name: [times.tolist(), (2 * times).tolist()] for name in module.STEPS}


@pytest.mark.parametrize("power", [-0.5, 0.0, 1.0, 2.0, 2.5])
def test_exponent_of_a_power_law(module, power):
    values = np.array([3.0, 10.0, 11.0, 400.0])
    assert module.exponent(values, 7e-4 * values**power) == pytest.approx(power, abs=1e-12)


def test_a_machine_that_slows_down_changes_no_exponent(module):
    for axis, power in zip(module.AXES, (1.0, 2.0), strict=True):
        times = power_law_times(module, axis, power)
        found = module.fitted_exponents(axis, times[module.CLOSED_FORM])
        np.testing.assert_allclose(found, power)


def test_values_below_the_range_do_not_count(module):
    axis = module.AXES[0]
    times = power_law_times(module, axis, 1.0)[module.CLOSED_FORM]
    below = axis.values.index(axis.fit_from)
    flattened = [[max(of_round[:below])] * below + of_round[below:] for of_round in times]
    np.testing.assert_allclose(module.fitted_exponents(axis, flattened), 1.0)
    assert module.exponent(axis.values, flattened[0]) < 0.9


def test_median_is_that_of_the_rounds(module):
    assert module.medians([[1.0, 5.0], [3.0, 4.0], [2.0, 9.0]]) == [2.0, 5.0]


def test_ranges_and_targets_are_as_promised(module):
    over_rows, over_dimensions = module.AXES
    assert over_rows.size(over_rows.values[-1]) == (131_072, 128, 64)
    assert over_dimensions.size(over_dimensions.values[0]) == (16_384, 16, 64)
    for axis in module.AXES:  # wide enough for a slope, and with n far above d
        assert axis.values[-1] >= 8 * axis.fit_from
        assert all(n >= 16 * d for n, d, _ in map(axis.size, axis.values[axis.fitted]))
    for axis, good, bad in (
        (over_rows, (0.9, 1.0, 1.1), (0.89, 1.11)),
        (over_dimensions, (1.5, 2.1), (2.11,)),
    ):
        verdicts = [module.judged(axis, module.CLOSED_FORM, v)[1] for v in (*good, *bad)]
        assert verdicts == ["met"] * len(good) + ["MISSED"] * len(bad)
        assert module.judged(axis, module.SVD_FORM, 5.0) == ["", ""]


@pytest.mark.parametrize(("n", "d", "k"), [(64, 8, 8), (96, 16, 4)])
def test_counted_operations_are_those_of_four_products(module, n, d, k):
    # FᵀF and F B, then S⁻¹ M and A Aᵀ.
    assert module.counted_operations((n, d, k)) == 2 * (2 * n * d * d + 2 * d * d * k)


def test_counted_operations_grow_as_promised(module):
    for axis, power in zip(module.AXES, (1.0, 2.0), strict=True):
        values = [axis.fit_from, 2 * axis.fit_from]
        counts = [module.counted_operations(axis.size(value)) for value in values]
        assert module.exponent(values, counts) == pytest.approx(power, abs=0.02)


def test_both_forms_give_the_same_gradient(module):
    embedding, y = module.make_batch(200, 8, 5)
    module.STEPS[module.CLOSED_FORM](embedding, y)
    _, gradient = module.STEPS[module.SVD_FORM](embedding, y)
    torch.testing.assert_close(embedding.grad, gradient, rtol=1e-4, atol=1e-6)


def test_picture_is_drawn(module, tmp_path):
    results = [power_law_times(module, axis, 1.5, 1e-5) for axis in module.AXES]
    module.draw(module.AXES, results, tmp_path / "growth.png")
    assert (tmp_path / "growth.png").read_bytes().startswith(b"\x89PNG")


def test_picture_is_written_where_wanted(module, tmp_path, capsys):
    path = tmp_path / "growth.png"
    module.main(["--quick", "--repeats", "1", "--plot", str(path)])
    assert path.read_bytes().startswith(b"\x89PNG")
    assert "Medians of 1 rounds" in capsys.readouterr().out


def test_tables_have_every_size_and_method(run, module, cells):
    rows = [cells(line) for line in run[0].splitlines() if line.startswith("|")]
    exponents = [row for row in rows if row[0] in ("n", "d") and row[1] != "d"]
    assert [row[3] for row in exponents] == 2 * [*module.STEPS, "counted products"]
    sizes = [tuple(row[:3]) for row in rows if row[0].isdigit()]
    wanted = [axis.size(value) for axis in module.QUICK_AXES for value in axis.values]
    assert sizes == [tuple(map(str, size)) for size in wanted]
    assert f"torch {torch.__version__}" in run[0]


def test_every_time_is_kept(run, module):
    content = json.loads((run[1] / "values.json").read_text(encoding="utf-8"))
    assert len(content["results"]) == sum(len(axis.values) for axis in module.QUICK_AXES)
    for of_size in content["results"].values():
        assert list(of_size) == list(module.STEPS)
        for found in of_size.values():
            assert len(found["values"]) == 3
            assert min(found["values"]) > 0
