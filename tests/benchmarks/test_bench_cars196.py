"""The benchmark on Cars196 runs, shows its tables, and goes on where it stopped."""

import json
from importlib.util import find_spec

import pytest

_LOSSES = ["MultiSimilarity", "SupCon", "ProxyAnchor", "NormalizedSoftmax", "Triplet"]
_TUNED = ["ours, closed form", "ours, gradient"]
if find_spec("pytorch_metric_learning") is not None:
    _TUNED += _LOSSES


@pytest.fixture(scope="module")
def run(quick_run):
    return quick_run("bench_cars196.py")


@pytest.fixture(scope="module")
def content(run):
    return json.loads((run[1] / "values.json").read_text(encoding="utf-8"))


def _tables(text, cells):
    blocks = [block.splitlines() for block in text.split("\n\n") if block.startswith("|")]
    return [[cells(line) for line in block] for block in blocks]


def test_tables_have_all_methods(run, cells):
    figures, targets, parameters = _tables(run[0], cells)
    assert [row[0] for row in figures[2:]] == [f"{name} (1)" for name in ["raw", *_TUNED]]
    assert figures[0][-1] == "time / ours, closed form"
    assert [row[0] for row in targets[2:]] == _TUNED[:2]
    assert [row[0] for row in parameters[2:]] == _TUNED
    for table in (figures, targets, parameters):
        assert {len(row) for row in table} == {len(table[0])}


def test_every_method_has_the_same_number_of_trials(content):
    assert {name: len(trials) for name, trials in content["records"]["search"].items()} == (
        dict.fromkeys(_TUNED, 2)
    )


def test_the_best_trial_is_chosen(content):
    records = content["records"]
    for name, trials in records["search"].items():
        best = max(trials.values(), key=lambda trial: trial["score"])
        assert best["score"] == pytest.approx((best["R@1"] + best["NMI"]) / 2)
        assert records["results"][name]["0"]["parameters"] == best["parameters"]


def test_gradient_methods_share_the_draws_of_the_encoder(content):
    search = content["records"]["search"]
    for i in ("0", "1"):
        drawn = [search[name][i]["parameters"] for name in _TUNED[1:]]
        for name in ("hidden", "dropout", "embedding_dim", "learning_rate", "weight_decay"):
            assert all(parameters[name] == drawn[0][name] for parameters in drawn)


def test_a_second_run_computes_nothing_anew(run, resumed_run):
    assert resumed_run("bench_cars196.py", run)


def test_what_is_left_out_is_said(run):
    assert "Quick run: blobs instead of Cars196." in run[0]


def test_markdown_file_has_the_command_and_the_tables(run):
    text = (run[1] / "table.md").read_text(encoding="utf-8")
    assert "python benchmarks/bench_cars196.py --quick" in text
    assert run[0].strip() in text
