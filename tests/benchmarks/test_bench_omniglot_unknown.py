"""The benchmark of alphabets with unknown K runs, and goes on where it stopped."""

import importlib
import json
import sys

import pytest

_WAYS = ("CriticClusterer", "Algorithm 2, K by the critic")
_OURS = [f"{w}, {c}" for c in ("shipped critic", "trained on, whole alphabets") for w in _WAYS]
_OTHERS = ["HDBSCAN, 3", "HDBSCAN, 5", "HDBSCAN, 10", "KMeans, Silhouette", "Algorithm 2, K given"]


@pytest.fixture(scope="module")
def run(quick_run):
    return quick_run("bench_omniglot_unknown.py")


@pytest.fixture(scope="module")
def program(benchmark_path):
    return importlib.import_module("bench_omniglot_unknown")


@pytest.fixture
def learned(program, monkeypatch):
    """What is learned, in its order; figures are told instead of computed."""
    learned = []

    def embed_new(task, minutes, seed):
        learned.append(("metric", minutes, seed))
        return "new alphabets"

    def embed_held_out(task, minutes, seed, n_folds):
        learned.append(("metrics of the critic", minutes, seed, n_folds))
        return "held-out alphabets"

    def train(name, base, data, seed, training):
        learned.append((name, data, seed))
        return base

    figures = {"accuracy": 0.5, "NMI": 0.5, "error of K": 1.0, "alphabets": {}}

    def figures_of(cluster, data, seed, most, n_jobs):
        assert data == "new alphabets"
        return figures

    for function in (embed_new, embed_held_out, figures_of):
        monkeypatch.setattr(program, function.__name__, function)
    monkeypatch.setattr(program, "train_critic_of_alphabets", train)
    return learned


def _measure(program, store, *arguments):
    options = program.parse_options(["--quick", *arguments])
    bench = program.Bench(options, store, program.draw_glyphs())
    for seed in range(options.seeds):
        program.measure_rivals(bench, seed)
        for name in options.critics:
            program.measure_critic(bench, name, seed)


def test_tables_have_every_way_to_cluster(run, cells):
    blocks = [b.splitlines() for b in run[0].split("\n\n") if b.startswith("|")]
    means, targets, single = [[cells(line) for line in block] for block in blocks]
    assert [row[0] for row in means[2:11]] == [f"{name} (1)" for name in (*_OURS, *_OTHERS)]
    assert means[10][3] == "0.000"  # K is given
    assert [row[0] for row in targets[2:]] == _OURS
    assert single[0][2:] == [*_OURS, *_OTHERS]
    assert [row[:2] for row in single[2:]] == [["armenian", "8"], ["greek", "8"]]
    assert "Quick run: printed characters instead of Omniglot." in run[0]


def test_files_have_the_command_versions_and_single_values(run):
    text = (run[1] / "table.md").read_text(encoding="utf-8")
    assert "python benchmarks/bench_omniglot_unknown.py --quick" in text
    assert run[0].strip() in text
    content = json.loads((run[1] / "values.json").read_text(encoding="utf-8"))
    assert set(content["versions"]) == {"python", "numpy", "scipy", "scikit-learn", "torch"}
    assert set(content["summary"]["0.02"]) == {*_OURS, *_OTHERS}
    for records in content["records"]["alphabets"]["0.02"].values():
        assert set(records["0"]["alphabets"]) == {"armenian", "greek"}


def test_a_second_run_only_reads_the_file(run, resumed_run):
    assert resumed_run("bench_omniglot_unknown.py", run)


def test_everything_is_learned_once(program, learned):
    store = program.Store(None, {})
    wide = "trained on, whole alphabets"
    _measure(program, store, "--critics", "shipped,whole")
    assert learned == [
        ("metric", 0.02, 0),
        ("metrics of the critic", 0.02, 0, 1),
        (wide, "held-out alphabets", 0),
    ]
    learned.clear()
    _measure(program, store, "--critics", "shipped,whole")
    assert learned == []
    _measure(program, store, "--critics", "shipped,whole", "--folds", "3")
    assert learned[0] == ("metrics of the critic", 0.02, 0, 3)
    assert [name for name, *_ in learned[1:]] == [wide, "metric"]
    learned.clear()
    _measure(program, store, "--critics", "shipped", "--seeds", "2")
    assert learned == [("metric", 0.02, 1)]


def test_embeddings_and_critics_are_kept_in_a_folder(program, learned, tmp_path):
    arguments = ["--critics", "whole", "--models", str(tmp_path / "models")]
    _measure(program, program.Store(None, {}), *arguments)
    assert len(learned) == 3
    assert len(list((tmp_path / "models").iterdir())) == 3
    learned.clear()
    _measure(program, program.Store(None, {}), *arguments)
    assert learned == []
    _measure(program, program.Store(None, {}), *arguments, "--critic-minutes", "0.5")
    assert learned[0] == ("metrics of the critic", 0.5, 0, 1)


def test_options_have_their_defaults(program, capsys):
    options = program.parse_options(["--minutes", "45"])
    assert (options.critic_minutes, options.max_clusters, options.folds) == (45, 100, 1)
    assert len(options.critics) == 4
    with pytest.raises(SystemExit):
        program.parse_options(["--folds", "6"])
    assert "--folds: 6 is not between 1 and 5" in capsys.readouterr().err


def test_a_missing_file_is_named(program, tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["bench_omniglot_unknown.py", "--data-dir", str(tmp_path)])
    with pytest.raises(SystemExit, match=r"No file .*omniglot32.npz: give its folder"):
        program.main()
