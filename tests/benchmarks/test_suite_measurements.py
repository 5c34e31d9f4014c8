"""Clusterers are measured as they should be: references, seeds, units of time, resumption."""

import importlib

import numpy as np
import pytest
from sklearn.datasets import make_blobs
from sklearn.preprocessing import StandardScaler


@pytest.fixture(scope="module")
def modules(benchmark_path):
    """The program and its measurements."""
    return [importlib.import_module(name) for name in ("bench_suite", "suite_measurements")]


@pytest.fixture(scope="module")
def measurements(modules):
    return modules[1]


@pytest.fixture(scope="module")
def critic(measurements):
    return measurements.find_critic("tiny")


@pytest.fixture
def make_bench(modules, critic):
    """A function of arguments: a bench without a file, or of the file of another."""
    program, measurements = modules

    def make(*arguments, store=None):
        options = program.parse_options(["--quick", *arguments])
        bench = measurements.Bench(options, store or program.Store(None, {}))
        bench.critic = critic
        return bench

    return make


@pytest.fixture
def two_truths(measurements):
    """Six rows; references with three and two clusters, the second with a row of noise."""
    X = np.arange(6.0)[:, None]
    references = np.array([1, 1, 2, 2, 3, 3]), np.array([1, 1, 1, 2, 2, 0])
    return measurements.LabelledSet("six", X, references)


def test_the_toy_sets_are_those_of_the_page(measurements):
    sets = {one.name: one for one in measurements.toy_sets(120)}
    assert len(sets) == 6
    for one in sets.values():
        assert one.X.shape == (120, 2)
        np.testing.assert_allclose(one.X.mean(axis=0), 0, atol=1e-12)
        np.testing.assert_allclose(one.X.std(axis=0), 1)
    numbers = [measurements.reference_numbers(one) for one in sets.values()]
    assert numbers == [[2], [2], [3], [3], [3], [1]]
    X, y = make_blobs(n_samples=120, random_state=170)
    wanted = StandardScaler().fit_transform(np.dot(X, [[0.6, -0.6], [-0.4, 0.8]]))
    np.testing.assert_allclose(sets["anisotropic"].X, wanted)
    np.testing.assert_array_equal(sets["anisotropic"].references[0], y + 1)


def test_one_cluster_is_right_without_structure(measurements, make_bench):
    square = measurements.toy_sets(60)[-1]
    method = measurements.Method(lambda rows, seed, k: np.zeros(60, dtype=int))
    assert make_bench().judge(method, square, 0)["ARI"] == 1.0
    halves = measurements.Method(lambda rows, seed, k: np.arange(60) % 2)
    found = make_bench().judge(halves, square, 0)
    assert (found["ARI"], found["n_clusters"], found["error"]) == (0.0, 2, 1)


def test_the_best_reference_counts_and_those_told_k_try_each(measurements, make_bench, two_truths):
    asked = []

    def cluster(rows, seed, k):
        asked.append(k)
        return np.array([0, 0, 0, 1, 1, 1]) if k == 2 else np.array([0, 1, 2, 0, 1, 2])

    bench = make_bench("--max-clusters", "9")
    found = bench.judge(measurements.Method(cluster, knows_k=True), two_truths, 0)
    assert asked == [2, 3]
    assert (found["ARI"], found["n_clusters"], found["error"]) == (1.0, 2, 0)
    bench.judge(measurements.Method(cluster), two_truths, 0)
    assert asked[2:] == [9]


def test_the_error_is_that_to_the_nearest_number(measurements, make_bench, two_truths):
    for labels, error in (([0] * 6, 1), ([0, 0, 1, 1, 2, 2], 0), ([0, 1, 2, 3, 4, 4], 2)):
        method = measurements.Method(lambda rows, seed, k, labels=labels: np.array(labels))
        assert make_bench().judge(method, two_truths, 0)["error"] == error


def test_the_unit_is_timed_once_in_a_run(measurements, make_bench, two_truths, monkeypatch):
    timed = []

    def cluster(rows, seed, k):
        timed.append(k)
        return np.zeros(len(rows), dtype=int)

    unit = {measurements.UNIT: measurements.Method(cluster)}
    monkeypatch.setattr(measurements, "make_methods", lambda critic, ours: unit)
    bench = make_bench()
    assert bench.unit_seconds(two_truths) == bench.unit_seconds(two_truths) > 0
    assert timed == [4]
    make_bench().unit_seconds(two_truths)
    assert timed == [4, 4]


def test_the_record_of_the_unit_is_the_unit(measurements, make_bench):
    bench = make_bench("--methods", "KMeans", "--seeds", "2")
    measurements.measure_sets(bench, "toys")
    for seeds in bench.store.records["toys"][measurements.UNIT].values():
        assert seeds["0"]["unit_seconds"] == seeds["0"]["seconds"] == seeds["1"]["unit_seconds"]


def test_only_ours_is_measured_again_with_another_critic(measurements, make_bench, monkeypatch):
    measured = []

    def judge(self, method, one, seed):
        measured.append((method.is_random, seed))
        return {"ARI": 0.5, "n_clusters": 2, "error": 0.0, "seconds": 1.0}

    monkeypatch.setattr(measurements.Bench, "judge", judge)
    monkeypatch.setattr(measurements.Bench, "unit_seconds", lambda self, one: 2.0)
    monkeypatch.setattr(measurements, "memory_growth", lambda *arguments: 7.0)
    arguments = ("--methods", "genetic,Ward,KMeans", "--seeds", "2")
    first = make_bench(*arguments)
    for bench, n_new in ((first, 2 * 8), (make_bench(*arguments, store=first.store), 0)):
        measurements.measure_sets(bench, "suite")
        assert len(measured) == n_new
        measured.clear()
    changed = make_bench(*arguments, store=first.store)
    monkeypatch.setattr(measurements, "fingerprint", lambda critic: "other")
    measurements.measure_sets(changed, "suite")
    assert measured == [(True, 0), (True, 1)] * 2
    found = changed.store.records["suite"]["CriticClusterer, genetic"]
    assert {r["parameters"]["critic"] for s in found.values() for r in s.values()} == {"other"}
    assert changed.store.records["memory"]["CriticClusterer, genetic"]["MiB"] == 7.0


def test_the_toy_sets_are_for_those_that_find_k(measurements, make_bench, monkeypatch):
    bench = make_bench("--methods", "Ward,BIC")
    monkeypatch.setattr(measurements.Bench, "unit_seconds", lambda self, one: 1.0)
    measurements.measure_sets(bench, "toys")
    found = bench.store.records["toys"]
    names = ["GaussianMixture, BIC", "Agglomerative (ward), Silhouette"]
    assert list(found) == names
    assert list(found[names[0]]) == ["noisy circles", "no structure"]
    assert "memory" not in bench.store.records


def test_features_are_standardised_where_wanted(make_bench):
    for one in make_bench("--standardize").sets("suite"):
        np.testing.assert_allclose(one.X.std(axis=0), 1)
    assert all(abs(one.X.std() - 1) > 0.01 for one in make_bench().sets("suite"))


def test_both_are_timed_on_the_same_rows(measurements, make_bench, monkeypatch):
    ours, usual = [], []

    def cluster(rows, seed, k):
        ours.append(rows)
        return np.zeros(len(rows), dtype=int)

    methods = dict.fromkeys(measurements.OURS.values(), measurements.Method(cluster))
    monkeypatch.setattr(measurements, "make_methods", lambda critic, ours: methods)
    monkeypatch.setattr(measurements, "_usual_choice", lambda rows, *others: usual.append(rows))
    bench = make_bench("--seeds", "2")
    measurements.measure_time(bench, "time")
    assert [rows.shape for rows in usual] == 2 * [(60, 10), (60, 10), (120, 10), (120, 10)]
    for mine, other in zip(ours[1::2], usual, strict=True):  # each after a warm-up
        np.testing.assert_array_equal(mine, other)
    np.testing.assert_array_equal(usual[0], usual[4])
    assert (usual[0] != usual[1]).any()
    records = bench.store.records["time"]["CriticClusterer, cem"]["120"]
    assert list(records) == ["0", "1"]
    assert records["1"]["cores"] >= 1


def test_the_usual_choice_has_the_largest_silhouette(measurements):
    X, y = make_blobs(80, centers=3, cluster_std=0.3, random_state=2)
    assert len(np.unique(measurements._usual_choice(X, 0, 6))) == 3
