"""The benchmark of the critic runs, measures every part, and goes on where it stopped."""

import importlib
import json
import sys

import numpy as np
import pytest

from skdeepclust.critic import FAMILIES

_CHOOSERS = [
    "best in the pool",
    "random (expected)",
    "critic (2 seeds)",
    "trees on 28 features (2 seeds)",
    "Silhouette",
    "Calinski-Harabasz",
    "Davies-Bouldin",
    "Dunn",
    "k-NN cut",
]


@pytest.fixture(scope="module")
def run(quick_run):
    return quick_run("bench_critic.py")


@pytest.fixture(scope="module")
def modules(benchmark_path):
    """The program, its choosers and its variants."""
    names = ("bench_critic", "critic_choosers", "critic_variants")
    return [importlib.import_module(name) for name in names]


@pytest.fixture(scope="module")
def program(modules):
    return modules[0]


@pytest.fixture(scope="module")
def choosers(modules):
    return modules[1]


@pytest.fixture(scope="module")
def variants(modules):
    return modules[2]


def _bench(modules, part, *arguments, path=None):
    program, choosers, _ = modules
    options = program.parse_options(["--quick", *arguments])
    return choosers.Bench(options, program.Store(path, {}), part)


def test_every_part_has_its_tables(run, cells, variants):
    blocks = [b.splitlines() for b in run[0].split("\n\n") if b.startswith("|")]
    tables = [[cells(line) for line in block] for block in blocks]
    assert all({len(row) for row in table} == {len(table[0])} for table in tables)
    everything, curved, round_, suite, sets, with_truth, without, synthetic, *rest = tables
    for table in (everything, curved, round_, with_truth, without):
        assert [row[0] for row in table[2:] if row[0] != "DBCV"] == _CHOOSERS
    assert [row[0] for row in sets[2:]] == ["curved/moons", "round/blobs"]
    assert len(suite) == 5
    assert len(synthetic) == 3
    families, target, ablation = rest
    assert [row[0] for row in families[2:]] == ["moons", "rings", "shells"]
    assert "over 3 families" in target[2][0]
    assert [row[0] for row in ablation[2:]] == [*variants.VARIANTS, "2 training sets"]


def test_limits_are_the_first_and_last_of_each_column(run, cells):
    table = [cells(line) for line in run[0].split("\n\n")[2].splitlines()]
    rows = {row[0]: row[1:-1] for row in table[2:]}
    values = {name: [float(v.strip("*").split(" ")[0]) for v in row] for name, row in rows.items()}
    best = values["best in the pool"]
    assert best[1:] == [1.0, 0.0, 1.0]
    for ari, success, regret, correlation in values.values():
        assert ari <= best[0]
        assert 0 <= success <= 1
        assert regret == pytest.approx(best[0] - ari, abs=0.002)
        assert -1 <= correlation <= 1


def test_files_have_the_command_versions_and_single_values(run):
    text = (run[1] / "table.md").read_text(encoding="utf-8")
    assert "python benchmarks/bench_critic.py --quick" in text
    assert run[0].strip() in text
    content = json.loads((run[1] / "values.json").read_text(encoding="utf-8"))
    assert set(content["versions"]) == {"python", "numpy", "scipy", "scikit-learn", "torch"}
    assert list(content["records"]) == ["suite", "synthetic", "families", "ablation"]
    found = content["summary"]["suite"]["critic"]["pool"]["all"]["ARI"]
    assert found["seeds"] == [0, 1]
    assert found["mean"] == pytest.approx(np.mean(found["values"]))


def test_what_is_left_out_is_said(run):
    assert "Quick run: two small sets instead of the suite, few tasks." in run[0]


def test_a_second_run_only_reads_the_file(run, resumed_run):
    assert resumed_run("bench_critic.py", run)


def test_only_the_parts_that_are_wanted_are_measured(program, modules, monkeypatch, tmp_path):
    measured = []
    monkeypatch.setattr(program, "measure_choosers", lambda bench: measured.append(bench.part))
    monkeypatch.setattr(program, "measure_families", lambda bench: measured.append(bench.part))
    path = tmp_path / "values.json"
    arguments = ["--quick", "--part", "families", "suite", "--json", str(path)]
    monkeypatch.setattr(sys, "argv", ["bench_critic.py", *arguments])
    monkeypatch.setattr(program, "publish", lambda *arguments: None)
    program.main()
    assert measured == ["families", "suite"]
    with pytest.raises(SystemExit):
        program.parse_options(["--part", "everything"])


def test_other_settings_replace_the_records_made_before(modules):
    bench = _bench(modules, "suite")
    for parameters in ({"tasks": 1}, {"tasks": 1}, {"tasks": 2}):
        for seed in (0, 1):
            bench.record("critic", seed, parameters, lambda p=parameters: {"made": p["tasks"]})
    assert {r["made"] for r in bench.store.records["suite"]["critic"].values()} == {2}
    bench.record("critic", 0, {"tasks": 3}, lambda: {"made": 3})
    assert list(bench.store.records["suite"]["critic"]) == ["0"]


def test_saved_critics_take_the_place_of_trained_ones(modules, choosers, monkeypatch, tmp_path):
    files = [tmp_path / name for name in ("a", "b", "c")]
    for file in files:
        file.write_text(file.name)
    bench = _bench(modules, "suite", "--weights", *map(str, files))
    read = []

    def score_of(path):
        read.append(path.name)
        return lambda pool: pool.quality

    monkeypatch.setattr(choosers, "saved_critic_score", score_of)
    monkeypatch.setattr(choosers.Bench, "regressor", lambda self, seed: choosers.random_choice)
    choosers.measure_choosers(bench)
    assert read == ["a", "b", "c"]
    found = bench.store.records["suite"]
    assert [r["pool"]["groups"]["all"]["regret"] for r in found["critic"].values()] == [0, 0, 0]
    assert len(found["critic"]["0"]["parameters"]["weights"]) == 3


def test_families_are_grouped_with_their_relatives(variants):
    names = list(FAMILIES)
    assert variants.family_groups("each") == [(name,) for name in names]
    groups = variants.family_groups("5")
    assert [name for group in groups for name in group] == names
    assert {len(group) for group in groups} <= {6, 7}
    assert variants.family_groups("moons,rings+shells") == [("moons",), ("rings", "shells")]
    for wrong in ("1", "99", "moons,suns", ""):
        with pytest.raises(SystemExit, match="--families"):
            variants.family_groups(wrong)


def test_families_left_out_are_not_trained_on(modules, variants, monkeypatch):
    trained = []

    def train(tasks, plan, seed, attacks, n_jobs):
        trained.append({task.family for task in tasks})

    monkeypatch.setattr(variants, "train_benchmark_critic", train)
    monkeypatch.setattr(variants, "critic_score", lambda network: lambda pool: pool.quality)
    bench = _bench(modules, "families", "--families", "moons+gaussians", "--tasks", "3")
    drawn = [_example(name) for name in ("moons", "rings", "gaussians")]
    monkeypatch.setattr(bench, "examples", lambda seed: drawn)
    variants.measure_families(bench)
    assert trained == [{"moons", "rings", "gaussians"}, {"rings"}]
    found = bench.store.records["families"]["moons+gaussians"]["0"]
    assert set(found["truth in the pool"]["groups"]) == {"all", "moons", "gaussians"}
    assert found["trained_on"] == 1


def _example(family):
    class Example:
        class task:  # noqa: N801
            pass

    Example.task.family = family
    return Example


def test_variants_differ_in_one_thing(variants):
    default = variants.VARIANTS["default"]
    for name, variant in variants.VARIANTS.items():
        differs = [
            f for f in ("plan", "encoder", "attacks") if getattr(variant, f) != getattr(default, f)
        ]
        assert len(differs) == (name != "default"), name
    assert set(variants.LEFT_OUT) < set(FAMILIES)


def test_adversarial_rounds_are_left_out_without_a_search(modules, variants, monkeypatch):
    monkeypatch.setattr(variants.critic_training, "ADVERSARY", None)
    monkeypatch.setattr(variants._VariantJudge, "figures", lambda self, variant: {"made": 1})
    bench = _bench(modules, "ablation", "--sizes", "2,3")
    variants.measure_variants(bench)
    wanted = [n for n in variants.VARIANTS if n != "two adversarial rounds"]
    found = bench.store.records["ablation"]
    assert list(found) == [*wanted, "2 training sets", "3 training sets"]
    assert found["3 training sets"]["0"]["parameters"]["tasks"] == 3
