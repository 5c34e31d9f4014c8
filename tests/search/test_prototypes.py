"""Micro-clusters: means of their rows, a connected graph, labels there and back."""

import networkx
import numpy as np
import pytest

from skdeepclust.search import _prototypes as module
from skdeepclust.search import make_prototypes
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


def test_links_count_neighbouring_rows():
    X = rng0().standard_normal((30, 2))
    prototypes = make_prototypes(X, rng0(), 6)
    distances = np.linalg.norm(X[:, None] - X, axis=2)
    nearest = distances.argsort(axis=1)[:, 1:11]
    expected = np.zeros((6, 6))
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
