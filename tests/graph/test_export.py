"""The networkx graph, against loops over pairs of rows."""

import itertools

import networkx
import pytest
import torch

from skdeepclust.graph import _export as module
from skdeepclust.graph import clustering_graph


def reference_edges(neighbors, labels, kind):
    near = {frozenset((i, j)) for i, row in enumerate(neighbors.tolist()) for j in row}
    return {
        frozenset((i, j))
        for i, j in itertools.combinations(range(len(labels)), 2)
        if labels[i] == labels[j] >= 0 and (kind == "complete" or frozenset((i, j)) in near)
    }


@pytest.mark.parametrize("kind", ["knn", "complete"])
@pytest.mark.parametrize("clustering", range(4))
def test_edges_join_rows_of_a_cluster(points, neighbors, labels, kind, clustering):
    neighbors, labels = neighbors[:, :4], labels[clustering]
    graph = clustering_graph(points, neighbors, labels, kind)
    assert {frozenset(edge) for edge in graph.edges} == reference_edges(neighbors, labels, kind)
    for first, second, distance in graph.edges(data="distance"):
        expected = float((points[first] - points[second]).norm())
        assert distance == pytest.approx(expected, abs=1e-12)


def test_nodes_are_the_rows_in_order(points, neighbors, labels):
    graph = clustering_graph(points, neighbors, labels[0])
    assert type(graph) is networkx.Graph
    assert list(graph) == list(range(30))
    assert [graph.nodes[i]["cluster"] for i in graph] == labels[0].tolist()
    assert graph.nodes[3]["pos"] == tuple(points[3].tolist())


def test_complete_clusters_are_cliques(points, neighbors, labels):
    graph = clustering_graph(points, neighbors, labels[3], "complete")
    sizes = sorted(len(part) for part in networkx.connected_components(graph))
    assert sizes == [2, 4, 4, 4, 4, 4, 4, 4]
    assert graph.number_of_edges() == 7 * 6 + 1


@pytest.mark.parametrize("kind", ["knn", "complete"])
@pytest.mark.parametrize("labels", [torch.full((30,), -1), torch.arange(30)])
def test_no_edges(points, neighbors, labels, kind):
    assert clustering_graph(points, neighbors, labels, kind).number_of_edges() == 0


@pytest.mark.parametrize("cells", [1, 20])
def test_blocks_of_edges_change_nothing(points, neighbors, labels, cells, monkeypatch):
    expected = clustering_graph(points, neighbors, labels[1])
    monkeypatch.setattr(module, "_BLOCK_CELLS", cells)
    result = clustering_graph(points, neighbors, labels[1])
    assert list(result.edges(data=True)) == list(expected.edges(data=True))


def test_too_many_edges_are_refused(points, neighbors, labels, monkeypatch):
    monkeypatch.setattr(module, "_MAX_EDGES", 435)
    assert clustering_graph(points, neighbors, labels[1], "complete").number_of_edges() == 435
    monkeypatch.setattr(module, "_MAX_EDGES", 434)
    with pytest.raises(ValueError, match=r"would make 435 edges, more than 434; use kind='knn'"):
        clustering_graph(points, neighbors, labels[1], "complete")


def test_a_million_edges_at_most(neighbors):
    """Refused before any is made."""
    rows = torch.zeros(1415, 1)
    with pytest.raises(ValueError, match="would make 1000405 edges, more than 1000000"):
        clustering_graph(rows, neighbors, torch.zeros(1415).long(), "complete")


def test_unknown_kind_is_refused(points, neighbors, labels):
    with pytest.raises(ValueError, match="kind must be 'knn' or 'complete', got 'radius'"):
        clustering_graph(points, neighbors, labels[0], "radius")
