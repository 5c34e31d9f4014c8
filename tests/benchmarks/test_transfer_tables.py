"""Tables of the transfer benchmark: percent, targets beside the poster's figures."""

import importlib

import pytest


@pytest.fixture(scope="module")
def tables(benchmark_path):
    return importlib.import_module("transfer_tables")


def _record(best, top, others=0.5):
    both = {
        "all clusterings": {"Best": best, "Top 3": top, "ARI": best, "regret": 1 - best},
        "without those of the search": dict.fromkeys(("Best", "Top 3", "ARI", "regret"), others),
    }
    return dict.fromkeys(("Numbers", "Letters", "Fashion"), both)


@pytest.fixture
def records():
    return {
        "figures": {
            "Numbers (few shots)": {"trained on": {"0": _record(0.90, 0.99)}},
            "Numbers (standard)": {
                "from scratch": {"0": _record(0.5, 0.6)},
                "trained on": {"0": _record(0.94, 0.97), "1": _record(0.98, 0.99)},
            },
            "no images": {"chance": {"0": _record(0.05, 0.15)}},
        }
    }


def _blocks(parts, cells):
    return [[cells(line) for line in part.splitlines()] for part in parts if part[0] == "|"]


def test_figures_stand_beside_those_published(tables, records, cells):
    first, _, ari, without = _blocks(tables.transfer_report(records), cells)
    assert [row[:2] for row in first[2:]] == [
        ["no images", "chance (1)"],
        ["Numbers (standard)", "trained on (2)"],
        ["Numbers (standard)", "from scratch (1)"],
        ["Numbers (standard)", "poster"],
        ["Numbers (few shots)", "trained on (1)"],
        ["Numbers (few shots)", "poster"],
        ["Fashion (standard)", "poster"],
        ["Fashion (few shots)", "poster"],
    ]
    assert first[3][2] == "96.0 ± 2.8 / 98.0 ± 1.4"
    assert first[5][2:] == ["78.3 / 92.5", "86.0 / 97.5", "69.2 / 87.2"]
    assert first[2][3] == "5.0 / 15.0"
    assert "poster" not in {row[1] for row in [*ari, *without]}
    assert ari[4][2] == "0.500 / 0.500"
    assert without[2][2] == "50.0 / 50.0"


def test_targets_are_judged_by_the_critic_trained_on(tables, records, cells):
    _, targets, _, _ = _blocks(tables.transfer_report(records), cells)
    rows = {tuple(row[:3]): row[3] for row in targets[2:]}
    assert len(rows) == 2 * (3 * 2 + 3)
    assert rows["Numbers (standard)", "Letters", "Best at least 95.0 %"] == "96.0: met by 1.000"
    assert rows["Numbers (standard)", "Fashion", "Best at least 85.0 %"] == "96.0: met by 11.000"
    assert rows["Numbers (standard)", "Fashion", "Top 3 at least 98.0 %"] == "98.0: met by 0.000"
    few = "Numbers (few shots)"
    assert rows[few, "Numbers", "Best at least 87.8 %"] == "90.0: met by 2.200"
    assert rows[few, "Letters", "Best at least 95.3 %"] == "90.0: missed by 5.300"
    assert rows[few, "Fashion", "Best at least 77.1 %"].startswith("90.0: met")
    assert rows["Fashion (few shots)", "Fashion", "Best at least 82.2 %"] == "not measured"


def test_pools_are_described(tables, cells):
    def pools(**kinds):
        return {"tasks": 2, "kinds": {"truth": 1.0, **kinds}}

    described = {"Numbers": {"0": pools(Ward=2.0), "1": pools(Ward=1.0, Birch=1.0)}}
    (table,) = _blocks(tables.pool_report({"pools": described}), cells)
    assert table[0] == ["tested on", "tasks", "truth", "Ward", "Birch"]
    assert table[2] == ["Numbers", "4", "1.00", "1.50", "0.50"]


def test_nothing_is_said_of_nothing(tables):
    assert tables.transfer_report({}) == tables.pool_report({}) == []
    assert tables.summarize({}) == {}


def test_summary_has_single_values_and_their_spread(tables, records):
    found = tables.summarize(records)["Numbers (standard)"]["trained on"]["Fashion"]["Best"]
    assert found["seeds"] == [0, 1]
    assert found["values"] == pytest.approx([94.0, 98.0])
    assert found["mean"] == pytest.approx(96.0)
    assert found["standard_deviation"] == pytest.approx(8**0.5)
