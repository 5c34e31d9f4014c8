"""Three clusterings of two moons as graphs, with the scores that the critic gives them."""

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.collections import LineCollection
from sklearn.cluster import KMeans
from sklearn.datasets import make_moons
from sklearn.neighbors import NearestNeighbors

from skdeepclust import ClusteringCritic

COLORS = np.array(["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9"])
N_NEIGHBORS = 12


def edges(X, labels):
    """Ends (E, 2, 2) of the edges between neighbours of one cluster."""
    neighbors = NearestNeighbors(n_neighbors=N_NEIGHBORS).fit(X).kneighbors()[1]
    pairs = np.column_stack([np.repeat(np.arange(len(X)), N_NEIGHBORS), neighbors.ravel()])
    return X[pairs[labels[pairs[:, 0]] == labels[pairs[:, 1]]]]


def draw():
    """The same rows under three clusterings."""
    X, y = make_moons(140, noise=0.06, random_state=0)
    clusterings = {"the moons": y}
    for k in (2, 6):
        clusterings[f"k-means, K = {k}"] = KMeans(k, n_init=10, random_state=0).fit_predict(X)
    scores = ClusteringCritic.from_pretrained().score_clusterings(X, list(clusterings.values()))
    figure, axes = plt.subplots(1, 3, figsize=(8.4, 3), layout="constrained")
    for ax, (name, labels), score in zip(axes, clusterings.items(), scores, strict=True):
        ax.add_collection(LineCollection(edges(X, labels), colors="0.75", linewidths=0.4))
        ax.scatter(*X.T, s=14, color=COLORS[labels], zorder=2)
        ax.set(title=f"{name}\nscore {score:.2f}", xlabel="feature 1", ylabel="feature 2")


draw()
