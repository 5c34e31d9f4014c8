"""Many rows: nothing of size n x n, no copy of a memory map, a search whose cost does not grow."""

import json
import subprocess
import sys
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from sklearn.datasets import make_blobs
from sklearn.metrics import adjusted_rand_score

from skdeepclust import CriticClusterer, DeepMetricClusterer
from skdeepclust import _critic_clusterer as module
from skdeepclust import _penalized_score as judging

SHORT = {"population_size": 8, "n_generations": 1, "random_state": 0}


def map_of(folder, X, dtype=np.float32):
    mapped = np.memmap(folder / "rows.bin", dtype=dtype, mode="w+", shape=X.shape)
    mapped[:] = X
    return mapped


@pytest.fixture
def few_prototypes(monkeypatch):
    """Prototypes of 3,000 rows already."""
    monkeypatch.setattr(module, "_MAX_ROWS", 300)


@pytest.fixture(scope="module")
def overlapping():
    """Neighbours in 16 dimensions are often of different clusters, means of rows are not."""
    return make_blobs(6_000, centers=4, n_features=16, center_box=(-2.5, 2.5), random_state=3)


@pytest.fixture
def fitted(few_prototypes, overlapping):
    return CriticClusterer(**SHORT).fit(overlapping[0])


class TestCriticClusterer:
    def test_of_sample_and_prototypes_the_better_is_taken(self, few_prototypes, monkeypatch):
        X, y = make_blobs(4_000, centers=3, n_features=2, cluster_std=0.3, random_state=0)
        tried = []
        search = CriticClusterer._search_points

        def note(self, *arguments):
            tried.append(search(self, *arguments))
            return tried[-1]

        monkeypatch.setattr(CriticClusterer, "_search_points", note)
        found = CriticClusterer(**SHORT).fit(X)
        of_sample, of_prototypes = (one.chosen.score for one in tried)
        taken = tried[0] if of_sample >= of_prototypes else tried[1]
        assert found._prototypes is taken.points
        assert adjusted_rand_score(y, found.labels_) > 0.99

    def test_no_structure_is_one_cluster(self, few_prototypes):
        X = np.random.RandomState(0).uniform(size=(4_000, 2))
        assert CriticClusterer(random_state=0).fit(X).n_clusters_ == 1

    def test_each_row_is_predicted_as_in_training_whatever_its_company(self, fitted, overlapping):
        X, _ = overlapping
        np.testing.assert_array_equal(fitted.predict(X), fitted.labels_)
        for part in (slice(0, 1), slice(17, 900), slice(None, None, -7)):
            np.testing.assert_array_equal(fitted.predict(X[part]), fitted.labels_[part])
        assert set(fitted.labels_) == set(range(fitted.n_clusters_))
        nearest = fitted.transform(X[:500]).argmin(axis=1)
        np.testing.assert_array_equal(nearest, fitted.labels_[:500])

    def test_a_seed_fixes_the_result_whatever_n_jobs(self, few_prototypes, fitted, overlapping):
        again = CriticClusterer(n_jobs=2, **SHORT).fit(overlapping[0])
        np.testing.assert_array_equal(again.labels_, fitted.labels_)
        np.testing.assert_array_equal(again._prototypes, fitted._prototypes)
        assert again.score_ == fitted.score_

    def test_alternatives_are_of_all_rows(self, fitted):
        assert all(len(other.labels) == 6_000 for other in fitted.alternatives_)

    def test_memory_map_gives_the_same_result(self, few_prototypes, tmp_path, overlapping):
        X = overlapping[0].astype(np.float32)
        expected = CriticClusterer(**SHORT).fit(X)
        found = CriticClusterer(**SHORT).fit(map_of(tmp_path, X))
        np.testing.assert_array_equal(found.labels_, expected.labels_)

    @pytest.mark.parametrize("n_distinct", [2, 5, 40])
    def test_few_different_rows(self, few_prototypes, n_distinct):
        X = np.random.RandomState(0).standard_normal((n_distinct, 3))
        X = np.repeat(X, 4_000 // n_distinct, axis=0)
        found = CriticClusterer(**SHORT).fit(X)
        assert len(found.labels_) == len(X)
        assert set(found.labels_) == set(range(found.n_clusters_))

    def test_the_critic_sees_no_more_of_more_rows(self, monkeypatch, few_prototypes):
        seen = []
        judge = judging.judge

        def note(network, graph, labels, device):
            seen.append(labels.shape[1])
            return judge(network, graph, labels, device)

        monkeypatch.setattr(judging, "judge", note)
        X = make_blobs(20_000, centers=3, n_features=4, random_state=0)[0]
        CriticClusterer(**SHORT).fit(X)
        assert max(seen) <= 300

    def test_a_memory_map_is_read_in_blocks(self, monkeypatch, few_prototypes, tmp_path):
        monkeypatch.setattr("skdeepclust.critic._geometry._BLOCK_BYTES", 2**18)
        rng = np.random.RandomState(0)
        X = np.memmap(tmp_path / "rows.bin", dtype=np.float32, mode="w+", shape=(200_000, 16))
        X[:] = 8 * rng.randint(3, size=(len(X), 1)) + rng.standard_normal(X.shape)
        clusterer = CriticClusterer(**SHORT)
        peaks = [peak_of(clusterer.fit, X), peak_of(clusterer.predict, X)]
        assert clusterer.n_clusters_ == 3
        # Labels and orders have 8 bytes for each row; X takes 64, in float64 128.
        assert max(peaks) < 40 * len(X)


def peak_of(function, X):
    """Largest memory of Python's and NumPy's own while a function runs."""
    tracemalloc.start()
    function(X)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak


_MEASURE = """
import json, sys
import numpy as np
from skdeepclust import DeepMetricClusterer, MLPEncoder
from skdeepclust.training import _rows

_rows._MAX_CACHED_BYTES = 2**24

def status(name):
    lines = open("/proc/self/status").read().splitlines()
    return 1024 * next(int(line.split()[1]) for line in lines if line.startswith(name + ":"))

def growth(function, *arguments):
    open("/proc/self/clear_refs", "w").write("5")
    before = status("VmRSS")
    function(*arguments)
    return status("VmHWM") - before

X = np.load(sys.argv[1], mmap_mode="r")
y = np.arange(len(X)) % 4
encoder = MLPEncoder(hidden=(32,)) if sys.argv[2] == "mlp" else sys.argv[2]
clusterer = DeepMetricClusterer(
    encoder=encoder, max_epochs=1, batch_size=512, early_stopping=False, random_state=0
)
clusterer.fit(np.array(X[:2000]), y[:2000]).predict(np.array(X[:2000]))
print(json.dumps({
    "fit": growth(clusterer.fit, X, y),
    "predict": growth(clusterer.predict, X),
    "transform": growth(clusterer.transform, X),
}))
"""


@pytest.mark.skipif(
    not Path("/proc/self/clear_refs").exists(), reason="the system does not tell peaks of memory"
)
@pytest.mark.parametrize("encoder", ["linear", "mlp"])
def test_rows_beyond_memory(tmp_path, encoder):
    shape = (400_000, 64)
    X = np.lib.format.open_memmap(tmp_path / "X.npy", mode="w+", dtype=np.uint8, shape=shape)
    for start in range(0, len(X), 100_000):
        block = np.random.RandomState(start).randint(200, size=(100_000, 64))
        X[start : start + 100_000] = block
        X[start : start + 100_000, :4] = 50 * np.eye(4)[np.arange(100_000) % 4]
    X.flush()
    done = subprocess.run(
        [sys.executable, "-c", _MEASURE, tmp_path / "X.npy", encoder],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    peaks = json.loads(done.stdout)
    # Above the pages of the map: some arrays with a number for each row, and batches. In float32
    # the rows take 102 MB, in float64 205 MB.
    assert max(peaks.values()) < X.nbytes + 85e6, peaks


def test_embeddings_in_parts_give_the_same_clusters():
    X, y = make_blobs(2_000, centers=5, n_features=8, random_state=0)
    parts = "skdeepclust.training._inference"
    for labels, parameters in ((y, {}), (y, {"n_clusters": 3}), (None, {"n_clusters": 5})):
        clusterer = DeepMetricClusterer(max_epochs=2, random_state=0, **parameters)
        expected = clusterer.fit(X, labels)
        wanted = expected.labels_, expected.transform(X), expected.inertia_
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(f"{parts}._MAX_KEPT_BYTES", 0)
            patch.setattr(f"{parts}._PART_BYTES", 0)
            found = clusterer.fit(X, labels)
            np.testing.assert_array_equal(found.labels_, wanted[0])
            np.testing.assert_array_equal(found.predict(X), wanted[0])
            np.testing.assert_allclose(found.transform(X), wanted[1], atol=1e-5)
            assert found.inertia_ == pytest.approx(wanted[2], rel=1e-5)
