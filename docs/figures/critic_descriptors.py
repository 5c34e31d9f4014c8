"""Three of the descriptors of every row, for a good and for a bad clustering."""

import matplotlib.pyplot as plt
import numpy as np
import torch
from sklearn.cluster import KMeans
from sklearn.datasets import make_moons
from sklearn.neighbors import NearestNeighbors

from skdeepclust.graph import node_descriptors, point_graph, population

SHOWN = {  # place among the descriptors
    "share of 12 neighbours\nin the own cluster": 2,
    "simplified\nsilhouette": 9,
    "log of the widest gap\nin the own cluster": 14,
}


def describe(X, labelings):
    """Descriptors (m, n, 32) of the rows in each clustering."""
    neighbors = NearestNeighbors(n_neighbors=12).fit(X).kneighbors(return_distance=False)
    graph = point_graph(torch.from_numpy(X), torch.from_numpy(neighbors))
    return node_descriptors(graph, population(torch.from_numpy(np.stack(labelings)))).numpy()


def draw():
    """One row of panels for each clustering, one column for each descriptor."""
    X, y = make_moons(250, noise=0.06, random_state=0)
    cut = KMeans(2, n_init=10, random_state=0).fit_predict(X).astype(np.int64)
    descriptors = describe(X, [y, cut])
    figure, axes = plt.subplots(2, 3, figsize=(8.4, 4.5), layout="constrained")
    for column, (name, place) in zip(axes.T, SHOWN.items(), strict=True):
        values = descriptors[:, :, place]
        limits = {"vmin": values.min(), "vmax": values.max()}
        for ax, colors in zip(column, values, strict=True):
            points = ax.scatter(*X.T, s=9, c=colors, cmap="viridis", **limits)
            ax.set(xticks=[], yticks=[])
        column[0].set_title(name)
        figure.colorbar(points, ax=column, shrink=0.8)
    for ax, name in zip(axes[:, 0], ("the moons", "k-means, K = 2"), strict=True):
        ax.set_ylabel(name)


draw()
