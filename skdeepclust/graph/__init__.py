"""Clusterings as graphs: neighbours, node descriptors, graph autoencoder, networkx export."""

from ._autoencoder import Encoding, GraphEncoder, feed_forward, reconstruction_loss
from ._computed_once import computed_once
from ._descriptors import N_DESCRIPTORS, centroid_distances, node_descriptors
from ._export import clustering_graph
from ._point_graph import PointGraph, point_graph
from ._population import Population, population

__all__ = [
    "N_DESCRIPTORS",
    "Encoding",
    "GraphEncoder",
    "PointGraph",
    "Population",
    "centroid_distances",
    "clustering_graph",
    "computed_once",
    "feed_forward",
    "node_descriptors",
    "point_graph",
    "population",
    "reconstruction_loss",
]
