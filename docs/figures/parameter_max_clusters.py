"""Bounds on the number of clusters that are too narrow, and those that are wide enough."""

import matplotlib.pyplot as plt
import numpy as np

from skdeepclust import CriticClusterer

N_ROWS = 400


def groups():
    """Rows (n, 2) around the places of a grid of four by three."""
    rng = np.random.RandomState(0)
    row = np.arange(N_ROWS) % 12
    centers = 4 * np.column_stack([row % 4, row // 4]) + rng.uniform(-0.5, 0.5, (12, 2))[row]
    return centers + 0.45 * rng.standard_normal((N_ROWS, 2))


def draw_panel(ax, X, **bounds):
    """The clusters found within bounds."""
    clusterer = CriticClusterer(**bounds, random_state=0).fit(X)
    ax.scatter(*X.T, s=9, c=clusterer.labels_, cmap="viridis")
    (name, value), *_ = bounds.items()
    ax.set(title=f"{name}={value}:\n{clusterer.n_clusters_} found, score {clusterer.score_:.2f}")
    ax.set(xlabel="feature 1", ylabel="feature 2")


def draw():
    """Twelve groups under two upper bounds, no groups under two lower bounds."""
    none = np.random.RandomState(0).uniform(size=(N_ROWS, 2))
    figure, axes = plt.subplots(1, 4, figsize=(10, 2.9), layout="constrained")
    draw_panel(axes[0], groups(), max_clusters=5)
    draw_panel(axes[1], groups(), max_clusters=30)
    draw_panel(axes[2], none, min_clusters=2)
    draw_panel(axes[3], none, min_clusters=1)


draw()
