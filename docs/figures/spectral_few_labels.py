"""Clusters of two moons without labels, with one label each, and with all of them."""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import make_moons
from sklearn.metrics import adjusted_rand_score

from skdeepclust import DeepMetricClusterer

COLORS = np.array(["#0072B2", "#D55E00"])


def some_labels(y, n):
    """Labels of the first n rows of each class, -1 for all others."""
    few = np.full(len(y), -1)
    for label in range(2):
        few[np.flatnonzero(y == label)[:n]] = label
    return few


def draw():
    """The clusters that each fit finds; labelled rows have a ring."""
    X, y = make_moons(300, noise=0.08, random_state=0)
    given = {"no labels": None, "one label a class": some_labels(y, 1), "all labels": y}
    figure, axes = plt.subplots(1, 3, figsize=(8.4, 2.8), layout="constrained")
    for ax, (name, labels) in zip(axes, given.items(), strict=True):
        clusterer = DeepMetricClusterer(2, max_epochs=50, random_state=0).fit(X, labels)
        found = clusterer.labels_
        ax.scatter(*X.T, s=9, color=COLORS[found])
        if name == "one label a class":
            ax.scatter(*X[labels >= 0].T, s=120, facecolors="none", edgecolors="black", lw=1.5)
        score = adjusted_rand_score(y, found)
        ax.set(title=f"{name}: {score:.2f}", xlabel="feature 1", ylabel="feature 2")


draw()
