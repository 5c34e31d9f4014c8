"""Tables of the critic's benchmark: means, targets, what was not measured."""

import importlib

import pytest

_FIGURES = ("ARI", "success", "regret", "correlation")


@pytest.fixture(scope="module")
def tables(benchmark_path):
    return importlib.import_module("critic_tables")


def _figures(level, n=2):
    return {"n": n, "ARI": level, "success": level, "regret": 1 - level, "correlation": level}


def _record(kinds, level, **others):
    groups = {"all": _figures(level), "fcps": _figures(level, 1)}
    found = {kind: {"groups": groups, "sets": {"fcps/atom": level}} for kind in kinds}
    return {"parameters": {"tasks": 9}, **found, **others}


@pytest.fixture
def suite(tables):
    levels = {tables.RANDOM: 0.2, tables.ORACLE: 1.0, "Silhouette": 0.5}
    found = {name: {"0": _record(["pool"], level)} for name, level in levels.items()}
    found[tables.CRITIC] = {str(i): _record(["pool"], 0.9 + 0.02 * i, time=2.0) for i in range(3)}
    return found


def _blocks(parts, cells):
    return [[cells(line) for line in part.splitlines()] for part in parts if part[0] == "|"]


def test_suite_has_a_table_of_each_battery(tables, suite, cells):
    parts = tables.chooser_report({"suite": suite}, "suite")
    everything, battery, targets, sets = _blocks(parts, cells)
    assert "### all (2 sets)" in parts
    assert "### fcps (1 sets)" in parts
    names = [tables.ORACLE, tables.RANDOM, "critic (3 seeds)", "Silhouette"]
    for table in (everything, battery):
        assert [row[0] for row in table[2:]] == names
        assert {len(row) for row in table} == {6}
    assert everything[4][1] == "**0.920 ± 0.020**"
    assert everything[2][1] == "1.000"  # what is best in the pool is no chooser
    assert [row[-1] for row in everything[2:]] == ["–", "–", "2", "–"]
    assert sets[2] == ["fcps/atom", "1.000", "0.200", "0.920", "0.500"]
    assert [row[1] for row in targets[2:]] == ["met by 0.040", "missed by 0.020", "met: in all 8"]


def test_where_the_critic_is_behind_is_said(tables, suite, cells):
    suite["Silhouette"]["0"]["pool"]["groups"]["fcps"] = {**_figures(0.5, 1), "regret": 0.01}
    *_, targets, _ = _blocks(tables.chooser_report({"suite": suite}, "suite"), cells)
    assert targets[-1][1] == "missed: in 7 of 8; behind in regret on fcps (Silhouette)"


def test_what_was_not_measured_is_said(tables, suite, cells):
    del suite[tables.CRITIC]
    *_, targets, _ = _blocks(tables.chooser_report({"suite": suite}, "suite"), cells)
    assert {row[1] for row in targets[2:]} == {"not measured"}
    assert tables.chooser_report({}, "suite") == []
    assert tables.family_report({}) == tables.ablation_report({}, ["default"], []) == []


def test_synthetic_sets_have_a_table_with_and_without_the_truth(tables, cells):
    kinds = ["truth in the pool", "truth not in the pool"]
    records = {tables.CRITIC: {"0": _record(kinds, 0.98)}}
    parts = tables.chooser_report({"synthetic": records}, "synthetic")
    assert [part for part in parts if part.startswith("###")] == [
        "### 2 sets, truth in the pool",
        "### 2 sets, truth not in the pool",
        "### Targets",
    ]
    assert _blocks(parts, cells)[-1][2] == ["ARI of the chosen at least 0.97", "met by 0.010"]


def test_families_are_shown_beside_a_critic_that_saw_them(tables, cells):
    def judged(**levels):
        groups = {name: _figures(level) for name, level in levels.items()}
        return {
            "0": {kind: {"groups": groups} for kind in (tables.WITH_TRUTH, tables.WITHOUT_TRUTH)}
        }

    records = {
        tables.NOTHING_LEFT_OUT: judged(moons=0.99, rings=0.97),
        "moons": judged(moons=0.95),
        "rings": judged(rings=0.75),
    }
    table, targets = _blocks(tables.family_report({"families": records}), cells)
    assert table[2] == ["moons", "moons", "0.950", "0.990", "0.050", "0.010"]
    assert table[3] == ["rings", "rings", "0.750", "0.970", "0.250", "0.030"]
    assert targets[2][1] == "0.850: missed by 0.050"


def test_variants_are_compared_seed_by_seed(tables, cells):
    kinds = [
        f"{where}, {kind}"
        for where in (tables.INSIDE, tables.OUTSIDE)
        for kind in (tables.WITH_TRUTH, tables.WITHOUT_TRUTH)
    ]
    records = {
        "default": {"0": _record(kinds, 0.8), "1": _record(kinds, 0.6)},
        "ranking": {"1": _record(kinds, 0.7)},
        "50 training sets": {"0": _record(kinds, 0.7)},
    }
    names = ["default", "ranking", "two adversarial rounds"]
    (table,) = _blocks(tables.ablation_report({"ablation": records}, names, ["moons"]), cells)
    rows = {row[0]: row[1:] for row in table[2:]}
    assert list(rows) == ["default (2 seeds)", *names[1:], "50 training sets"]
    assert rows["default (2 seeds)"][-2:] == ["–", "–"]
    assert rows["ranking"][-2:] == ["+0.100", "+0.100"]
    assert rows["50 training sets"][-2:] == ["-0.100", "-0.100"]
    assert rows["ranking"][0] == "9"
    assert rows["two adversarial rounds"] == ["–", *["not measured"] * 4, "–", "–"]


def test_summary_has_single_values_and_their_spread(tables, suite):
    summary = tables.summarize({"suite": suite})["suite"][tables.CRITIC]["pool"]["all"]
    assert set(summary) == set(_FIGURES)
    assert summary["ARI"]["seeds"] == [0, 1, 2]
    assert summary["ARI"]["values"] == pytest.approx([0.90, 0.92, 0.94])
    assert summary["ARI"]["mean"] == pytest.approx(0.92)
    assert summary["ARI"]["standard_deviation"] == pytest.approx(0.02)
