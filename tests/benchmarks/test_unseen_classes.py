"""Figures, store and tables of the benchmarks on unseen classes."""

import argparse
import importlib
import json
import sys
from pathlib import Path

import numpy as np
import pytest

_FOLDER = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture(scope="module")
def shared():
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(_FOLDER))
        before = set(sys.modules)
        yield importlib.import_module("unseen_classes")
        for name in ("unseen_classes", "bench_unsupervised", "metric_losses"):
            if name not in before:
                sys.modules.pop(name, None)


@pytest.fixture
def made_up(shared):
    """Figures of four methods, two seeds each."""

    def figures(level, **others):
        values = {name: [level, level + 0.02] for name in shared.FIGURES}
        return {**values, **{name.replace("_", " "): v for name, v in others.items()}}

    return {
        shared.RAW: figures(0.2),
        shared.CLOSED_FORM: figures(0.5, seconds=[1.0, 3.0]),
        shared.GRADIENT: figures(0.7, seconds=[8.0, 12.0]),
        "SupCon": figures(0.3, seconds=[5.0, 5.0]),
        "Triplet": {**figures(0.4, seconds=[4.0, 6.0]), "NMI, k-means": [0.8, 0.9]},
    }


def test_separated_classes_have_full_figures(shared):
    classes = np.repeat(np.arange(4), 10)
    directions = np.eye(6, dtype=np.float32)[classes]
    noise = 0.01 * np.random.default_rng(0).standard_normal(directions.shape)
    figures = shared.evaluate(3 * directions + noise, classes, seed=0)
    assert tuple(sorted(figures)) == tuple(sorted(shared.FIGURES))
    assert all(value == pytest.approx(1.0) for value in figures.values())


def test_own_clustering_takes_the_place_of_algorithm_2(shared):
    classes = np.repeat(np.arange(4), 10)
    rows = np.eye(4)[classes] + 0.01 * np.random.default_rng(0).standard_normal((40, 4))
    figures = shared.evaluate(rows, classes, 0, lambda n_clusters: np.arange(40) % n_clusters)
    assert figures["accuracy, k-means"] == 1.0
    assert figures["accuracy, Algorithm 2"] < 0.5


def test_figure_table_marks_the_best_and_shows_times(shared, made_up, cells):
    head, _, *rows = map(cells, shared.figure_table(made_up, "unit", 2.0).splitlines())
    assert head == ["method", *shared.FIGURES, "time / unit"]
    assert [row[0] for row in rows] == [f"{name} (2)" for name in made_up]
    assert [row[-1] for row in rows] == ["–", "1.00", "5.00", "2.50", "2.50"]
    best = dict(zip(head, rows[2], strict=True))
    assert best["R@1"] == "**0.710 ± 0.014**"
    assert best["NMI, k-means"] == "0.710 ± 0.014"
    assert dict(zip(head, rows[4], strict=True))["NMI, k-means"] == "**0.850 ± 0.071**"


def test_time_without_a_unit_is_left_open(shared, made_up, cells):
    _, _, *rows = map(cells, shared.figure_table(made_up, "unit", float("nan")).splitlines())
    assert {row[-1] for row in rows} == {"–"}


def test_targets_compare_with_raw_rows_and_with_the_best_loss(shared, made_up, cells):
    head, _, closed, gradient = map(cells, shared.target_table(made_up).splitlines())
    assert head[1:] == ["R@1 above raw", "R@1 above losses", "NMI above raw", "NMI above losses"]
    assert gradient[1] == "met: +0.500 ± 0.000"
    assert gradient[2] == "met: +0.300 ± 0.000 (Triplet)"
    assert closed[3] == "met: +0.300 ± 0.000"
    assert closed[4].startswith("missed: -0.340")
    assert closed[4].endswith("(Triplet)")


def test_targets_without_others_are_left_open(shared, made_up, cells):
    alone = {shared.CLOSED_FORM: made_up[shared.CLOSED_FORM]}
    assert cells(shared.target_table(alone).splitlines()[2])[1:] == ["–"] * 4


def test_equal_means_miss_the_target(shared):
    assert shared.verdict([0.5], [0.5]).startswith("missed")


def test_store_computes_once_and_again_with_other_parameters(shared, tmp_path):
    path, calls = tmp_path / "store.json", []

    def compute():
        calls.append(0)
        return {"value": float(len(calls))}

    parameters = {"hidden": (512,)}
    for _ in range(2):
        store = shared.Store(path, {"epochs": 2})
        record = store.recall(["a", "b"], parameters, compute)
        assert record == {"parameters": {"hidden": [512]}, "value": 1.0}
    assert store.recall(["a", "b"], {"hidden": ()}, compute)["value"] == 2.0
    assert json.loads(path.read_text(encoding="utf-8"))["records"] == store.records


def test_store_refuses_a_file_of_other_settings(shared, tmp_path):
    path = tmp_path / "store.json"
    shared.Store(path, {"epochs": 2}).recall(["a"], {}, dict)
    with pytest.raises(SystemExit, match="epochs"):
        shared.Store(path, {"epochs": 3})


def test_store_forgets_what_other_parameters_gave(shared):
    store = shared.Store(None, {})
    store.recall(["results", "a", "0"], {"ridge": 1}, dict)
    store.recall(["results", "a", "1"], {"ridge": 2}, dict)
    store.forget(["results", "a"], {"ridge": 2})
    store.forget(["results", "unknown"], {})
    assert list(store.records["results"]["a"]) == ["1"]


def test_seeds_are_gathered_in_order_and_ours_come_first(shared):
    record = dict.fromkeys(shared.FIGURES, 0.5)
    seeds = {"10": {**record, "R@1": 0.1}, "2": {**record, "R@1": 0.2}}
    found = shared.gather({"SupCon": {"0": record}, shared.GRADIENT: seeds, shared.RAW: {}})
    assert list(found) == [shared.GRADIENT, "SupCon"]
    assert found[shared.GRADIENT]["R@1"] == [0.2, 0.1]
    assert "seconds" not in found["SupCon"]


def test_names_are_chosen_by_parts(shared):
    names = ["raw", "ours, closed form", "ours, gradient", "SupCon"]
    assert shared.choose_names("supcon,OURS", names) == names[1:]
    assert shared.choose_names("mnist", ["MNIST", "Fashion-MNIST"]) == ["MNIST"]
    with pytest.raises(argparse.ArgumentTypeError, match="nothing"):
        shared.choose_names("raw,nothing", names)


def test_losses_are_left_out_without_their_package(shared, monkeypatch):
    monkeypatch.setattr(shared, "find_spec", lambda name: None)
    assert shared.loss_names() == ()
    assert "pytorch-metric-learning is not installed" in shared.table_notes(0)[-1]
