"""Tables of alphabets with unknown K: means, targets, single alphabets."""

import importlib

import pytest

_SEARCH, _KNOWN = "CriticClusterer, shipped critic", "Algorithm 2, K given"


@pytest.fixture(scope="module")
def tables(benchmark_path):
    return importlib.import_module("alphabet_tables")


def _record(accuracy, nmi, error):
    figures = {"accuracy": accuracy, "NMI": nmi, "error of K": error}
    single = {**figures, "K": 20.0, "found K": 20.0 + error}
    return {"parameters": {}, **figures, "alphabets": {"Tengwar": single}}


@pytest.fixture
def records():
    return {
        "alphabets": {
            "45": {
                _KNOWN: {"0": _record(0.95, 0.97, 0.0)},
                "HDBSCAN, 5": {"0": _record(0.5, 0.6, 9.0)},
                _SEARCH: {"0": _record(0.91, 0.93, 1.0), "1": _record(0.93, 0.95, 4.0)},
            },
            "2": {_SEARCH: {"0": _record(0.8, 0.9, 3.0)}},
        }
    }


def _tables(parts, cells):
    blocks = [part.splitlines() for part in parts if part.startswith("|")]
    return [[cells(line) for line in block] for block in blocks]


def test_means_stand_beside_those_published(tables, records, cells):
    parts = tables.alphabet_report(records)
    assert [part for part in parts if part.startswith("## ")] == [
        "## 2 minutes of learning the metric",
        "## 45 minutes of learning the metric",
    ]
    means = _tables(parts, cells)[3]
    names = [row[0] for row in means[2:]]
    assert names[:3] == [f"{_SEARCH} (2)", "HDBSCAN, 5 (1)", f"{_KNOWN} (1)"]
    assert means[2][1:] == ["0.920 ± 0.014", "0.940 ± 0.014", "2.500 ± 2.121"]
    rows = {row[0]: row[1:] for row in means[5:]}
    assert rows["poster (IDA 2023)"] == ["0.834", "0.891", "–"]
    assert rows["CCN, as in the poster"] == ["0.782", "0.874", "–"]
    assert rows["KCL, at most 100 clusters (ICLR 2018)"] == ["0.750", "–", "–"]
    assert rows["MCL, at most 100 clusters (ICLR 2019)"] == ["0.825", "–", "–"]
    assert rows["DTC, number of characters estimated"] == ["–", "–", "4.600"]


def test_targets_are_judged_for_each_of_ours(tables, records, cells):
    targets = _tables(tables.alphabet_report(records), cells)[4]
    assert targets[0][1:] == ["accuracy at least 0.9", "NMI at least 0.94", "error of K at most 2"]
    (row,) = targets[2:]
    assert row[0] == _SEARCH
    assert row[1] == "met by 0.020"
    assert row[2].endswith("by 0.000")
    assert row[3] == "missed by 0.500"


def test_every_alphabet_has_a_row(tables, records, cells):
    single = _tables(tables.alphabet_report(records), cells)[5]
    assert single[0] == ["alphabet", "K", _SEARCH, "HDBSCAN, 5", _KNOWN]
    assert single[2] == [
        *("Tengwar", "20", "0.920 / 0.940 / 22.5"),
        *("0.500 / 0.600 / 29", "0.950 / 0.970 / 20"),
    ]


def test_summary_has_single_values(tables, records):
    found = tables.summarize(records)["45"][_SEARCH]["error of K"]
    assert (found["seeds"], found["values"], found["mean"]) == ([0, 1], [1.0, 4.0], 2.5)
    assert tables.alphabet_report({}) == []
    assert tables.summarize({}) == {}
