"""Micro-clusters: means of their rows, a connected graph, labels there and back."""

import tracemalloc

import networkx
import numpy as np
import pytest
from sklearn.cluster import KMeans
from sklearn.datasets import make_blobs
from sklearn.metrics import silhouette_score
from sklearn.neighbors import NearestNeighbors
from threadpoolctl import threadpool_info, threadpool_limits

from skdeepclust.search import Deadline, condense, make_prototypes
from skdeepclust.search import _prototypes as module
from skdeepclust.search._prototypes import default_n_prototypes


def rng0():
    return np.random.RandomState(0)


def as_networkx(prototypes):
    graph = networkx.Graph()
    graph.add_nodes_from(range(len(prototypes)))
    ends = zip(prototypes.sources, prototypes.targets, prototypes.lengths, strict=True)
    graph.add_weighted_edges_from(ends)
    return graph


def assert_valid(prototypes, X):
    q = len(prototypes)
    np.testing.assert_array_equal(np.bincount(prototypes.codes, minlength=q), prototypes.counts)
    assert prototypes.counts.min() > 0
    for c in range(q):
        mean = X[prototypes.codes == c].mean(axis=0)
        np.testing.assert_allclose(prototypes.centers[c], mean, atol=1e-9 * np.abs(X).max())
    assert networkx.is_connected(as_networkx(prototypes))
    assert (prototypes.links > 0).all()
    assert (prototypes.lengths > 0).all()
    assert (prototypes.sources != prototypes.targets).all()
    edges = list(zip(prototypes.sources, prototypes.targets, strict=True))
    assert edges == sorted(set(edges))
    assert set(edges) == {(b, a) for a, b in edges}


@pytest.mark.parametrize("q", [None, 40])
def test_prototypes_of_rows(moons, q):
    prototypes = make_prototypes(moons[0], rng0(), q)
    assert_valid(prototypes, moons[0])
    assert len(prototypes) == (q or 200)


@pytest.mark.parametrize("kind", ["duplicates", "constant column", "equal", "two rows", "one"])
@pytest.mark.parametrize("q", [None, 3])
def test_awkward_rows(kind, q):
    X = rng0().standard_normal((60, 3))
    if kind == "duplicates":
        X = np.repeat(X[:2], 30, axis=0)
    elif kind == "constant column":
        X[:, 1] = 7.0
    elif kind == "equal":
        X = np.ones((60, 3))
    else:
        X = X[: 2 if kind == "two rows" else 1]
    prototypes = make_prototypes(X, rng0(), q)
    assert_valid(prototypes, X)
    assert len(prototypes) <= len(np.unique(X, axis=0))


@pytest.mark.parametrize(("n", "q"), [(30, 6), (8, 3), (8, 8), (2, 2)])
def test_links_count_neighbouring_rows(n, q):
    """Among ten rows, or all the others where they are fewer."""
    X = rng0().standard_normal((n, 2))
    prototypes = make_prototypes(X, rng0(), q)
    distances = np.linalg.norm(X[:, None] - X, axis=2)
    nearest = distances.argsort(axis=1)[:, 1:11]
    expected = np.zeros((q, q))
    for row, neighbors in enumerate(nearest):
        for neighbor in neighbors:
            expected[prototypes.codes[row], prototypes.codes[neighbor]] += 1
    expected = np.maximum(expected, expected.T)
    found = expected[prototypes.sources, prototypes.targets]
    strong = found > 0
    assert strong.any()
    assert (prototypes.links[strong] >= found[strong]).all()
    assert (prototypes.links[strong] <= found[strong] + 0.2 + 1e-12).all()
    assert (prototypes.links[~strong] <= 0.2 + 1e-12).all()


def test_far_prototypes_are_linked_weakly_to_the_three_nearest():
    """Equal rows have each other for neighbours."""
    X = np.repeat([[0.0], [1.0], [3.0], [7.0], [5000.0]], 20, axis=0)
    prototypes = make_prototypes(X, rng0())
    edges = set(zip(prototypes.sources.tolist(), prototypes.targets.tolist(), strict=True))
    far = {(4, c) for c in range(1, 4)} | {(c, 4) for c in range(1, 4)}
    assert edges == {(a, b) for a in range(4) for b in range(4) if a != b} | far
    assert prototypes.links.min() > 0
    assert prototypes.links.max() < 1  # less than a single row's link
    small = make_prototypes(X[:80], rng0())
    assert len(small.sources) == 4 * 3


def test_expansion_and_projection(prototypes):
    partitions = rng0().randint(3, size=(4, len(prototypes)))
    expanded = prototypes.expand(partitions)
    for labels, partition in zip(expanded, partitions, strict=True):
        assert labels.tolist() == [partition[c] for c in prototypes.codes]
        np.testing.assert_array_equal(prototypes.project(labels), partition)


def test_projection_is_a_majority_vote(prototypes):
    labels = rng0().randint(3, size=len(prototypes.codes))
    expected = [np.bincount(labels[prototypes.codes == c]).argmax() for c in range(len(prototypes))]
    np.testing.assert_array_equal(prototypes.project(labels), expected)


def test_prototypes_without_labels_follow_the_nearest_along_the_graph(prototypes):
    labels = np.full(len(prototypes), -1)
    labels[[3, 40, 77]] = [0, 1, 2]
    graph = as_networkx(prototypes)
    lengths = [networkx.single_source_dijkstra_path_length(graph, c) for c in (3, 40, 77)]
    expected = [int(np.argmin([table[c] for table in lengths])) for c in range(len(prototypes))]
    np.testing.assert_array_equal(prototypes.follow(labels), expected)
    rows = np.flatnonzero(np.isin(prototypes.codes, [3, 40, 77]))
    sampled = prototypes.project(expected[0] + 0 * rows, rows)
    assert (sampled == expected[0]).all()


def test_number_grows_slowly():
    numbers = [default_n_prototypes(n) for n in (5, 200, 1_000, 10_000, 10**6)]
    assert numbers == [5, 200, 200, 400, 800]


def test_many_rows_are_seen_in_part(monkeypatch, moons):
    monkeypatch.setattr(module, "_ROWS_PER_PROTOTYPE", 3)
    monkeypatch.setattr(module, "_MAX_LINKED_ROWS", 50)
    assert_valid(make_prototypes(moons[0], rng0(), 30), moons[0])


def naive_mini_batches(X, start, batches):
    """Running means of the rows that were nearest to each centre; centres that end with rows."""
    centers, counts = np.unique(start, axis=0), np.zeros(len(start))
    for rows in batches:
        nearest = np.array([np.linalg.norm(centers - x, axis=1).argmin() for x in X[rows]])
        for c in np.unique(nearest):
            members = X[rows][nearest == c]
            total = centers[c] * counts[c] + members.sum(axis=0)
            counts[c] += len(members)
            centers[c] = total / counts[c]
    seen = np.concatenate(batches)
    used = {int(np.linalg.norm(centers - x, axis=1).argmin()) for x in X[seen]}
    return centers[sorted(used)]


@pytest.mark.parametrize("offset", [0.0, 1e6])
def test_condensed_rows_are_those_of_mini_batch_k_means(monkeypatch, offset):
    monkeypatch.setattr(module, "_BATCH_ROWS", 40)
    monkeypatch.setattr(module, "_SEEN_PER_CENTER", 20)
    X = rng0().standard_normal((300, 3))
    order = np.random.RandomState(1).permutation(300)
    batches = [np.sort(order[:200][at : at + 40]) for at in range(0, 200, 40)]
    expected = naive_mini_batches(X, X[order[:10]], batches)
    found = condense(X + offset, 10, order)
    np.testing.assert_allclose(found, expected + offset, rtol=1e-9 if offset else 1e-12)


def test_centers_that_lose_all_their_rows_are_left_out():
    """5 and 10.9 have the mean 7.95: one is nearer to the 2.16 of the rows below then, the other
    to the 11.69 of those above.
    """
    X = np.array([0, 5, 17, 10.9, *[2.4] * 9, *[11.1] * 9])[:, None]
    found = condense(X, 3, np.arange(len(X)))
    np.testing.assert_allclose(found, [[2.16], [11.69]])


@pytest.mark.parametrize("scale", [1e-200, 1e200])
def test_condensed_rows_scale_with_the_rows(scale):
    X = rng0().standard_normal((300, 3))
    order = np.arange(300)
    expected = scale * condense(X, 10, order)
    np.testing.assert_allclose(condense(scale * X, 10, order), expected, rtol=1e-9)


def test_noise_averages_out_in_condensed_rows():
    X, y = make_blobs(20_000, centers=4, n_features=16, center_box=(-1.5, 1.5), random_state=0)
    order = rng0().permutation(len(X))
    found = condense(X, 400, order)
    owner = NearestNeighbors(n_neighbors=1).fit(found).kneighbors(X, return_distance=False)[:, 0]
    votes = np.zeros((len(found), 4))
    np.add.at(votes, (owner, y), 1)
    before = silhouette_score(X[order[:400]], y[order[:400]])
    assert silhouette_score(found, votes.argmax(axis=1)) > before + 0.1


def test_equal_rows_are_condensed_to_one():
    X = np.repeat([[0.1, 7.3], [0.3, 7.1], [5.0, 0.7]], 100, axis=0)
    order = rng0().permutation(300)
    found = condense(X, 50, order)
    np.testing.assert_allclose(found, np.unique(X, axis=0), rtol=1e-12)


@pytest.mark.parametrize(
    ("pace", "seconds", "batches"),
    [(1.0, 5.5, 1), (1.0, 10.5, 5), (4.0, 22.0, 1), (4.0, 42.0, 5), (0.25, 1.4, 1)],
)
def test_means_that_would_come_too_late_are_not_made(monkeypatch, clock, pace, seconds, batches):
    monkeypatch.setattr(module, "_BATCH_ROWS", 40)
    monkeypatch.setattr(module, "_SEEN_PER_CENTER", 20)
    X, calls, learn = rng0().standard_normal((300, 3)), [], module.MiniBatchKMeans.partial_fit

    def slowly(self, rows):
        clock.now += pace
        calls.append(len(rows))
        return learn(self, rows)

    monkeypatch.setattr(module.MiniBatchKMeans, "partial_fit", slowly)
    # Five batches, each read twice.
    found = condense(X, 10, np.arange(300), Deadline.after(seconds))
    assert len(calls) == batches
    assert (found is None) == (batches == 1)
    if found is not None:
        np.testing.assert_array_equal(found, condense(X, 10, np.arange(300)))


def test_only_rows_that_are_seen_are_read(monkeypatch, tmp_path):
    monkeypatch.setattr(module, "_BATCH_ROWS", 500)
    X = np.memmap(tmp_path / "rows.bin", dtype=np.float32, mode="w+", shape=(200_000, 8))
    X[:] = rng0().standard_normal(X.shape)
    order = rng0().permutation(len(X))
    tracemalloc.start()
    found = condense(X, 20, order)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert found.shape == (20, 8)
    assert peak < 10**6  # the rows take 6.4 MB, twice as much in float64


@pytest.mark.parametrize("seed", range(3))
def test_prototypes_are_those_of_ten_rounds_of_k_means(moons, seed):
    """One run, from random rows, on thirty rows for each; the others join the nearest."""
    X, rng = moons[0], np.random.RandomState(seed)
    seen = rng.permutation(300)[: 30 * 9]
    model = KMeans(9, init="random", n_init=1, max_iter=10, random_state=rng.randint(2**31 - 1))
    with threadpool_limits(limits=1):
        expected = model.fit(X[seen]).predict(X)
    found = make_prototypes(X, np.random.RandomState(seed), 9)
    np.testing.assert_array_equal(found.codes, expected)


def test_k_means_adds_up_with_one_thread(monkeypatch, moons):
    """With several, the order in which they add up, and so the last bits, might vary."""
    seen, fit = set(), module.KMeans.fit

    def look(self, X):
        seen.update(pool["num_threads"] for pool in threadpool_info())
        return fit(self, X)

    monkeypatch.setattr(module.KMeans, "fit", look)
    with threadpool_limits(limits=2):
        make_prototypes(moons[0], rng0(), 20)
    assert seen == {1}


@pytest.mark.parametrize("n", [10_000, 10_001])
def test_links_are_counted_among_ten_thousand_rows(monkeypatch, n):
    seen, row_links = [], module._row_links

    def look(rows, codes, q):
        seen.append(len(rows))
        return row_links(rows[:100], codes[:100], q)

    monkeypatch.setattr(module, "_row_links", look)
    make_prototypes(rng0().standard_normal((n, 1)), rng0(), 3)
    assert seen == [10_000]


@pytest.mark.parametrize("n_centers", [1, 2])
def test_two_hundred_rows_are_seen_for_each_mean(n_centers):
    """Other rows are not even read: they would make all means infinite."""
    X = rng0().standard_normal((500, 2)) + 9 * (np.arange(500) % n_centers)[:, None]
    X[200 * n_centers :] = np.inf
    found = condense(X, n_centers, np.arange(500))
    seen = X[: 200 * n_centers]
    expected = [seen[i::n_centers].mean(axis=0) for i in range(n_centers)]
    np.testing.assert_allclose(np.sort(found, axis=0), expected)


@pytest.mark.parametrize(
    ("n_centers", "expected"), [(100, [8_192, 8_192, 3_616]), (9_000, [9_000, 9_000, 2_000])]
)
def test_batches_have_8192_rows_or_one_for_each_mean(monkeypatch, n_centers, expected):
    """So that they need little memory, and a mean does not see less than a row of each."""
    sizes = []
    monkeypatch.setattr(
        module.MiniBatchKMeans, "partial_fit", lambda self, rows: sizes.append(len(rows))
    )
    monkeypatch.setattr(
        module.MiniBatchKMeans, "predict", lambda self, rows: np.zeros(len(rows), dtype=int)
    )
    monkeypatch.setattr(
        module.MiniBatchKMeans, "cluster_centers_", np.zeros((n_centers, 1)), raising=False
    )
    condense(np.arange(20_000.0)[:, None], n_centers, np.arange(20_000))
    assert sizes == expected
