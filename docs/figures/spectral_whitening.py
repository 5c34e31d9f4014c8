"""Three classes in a stretched embedding, whitened not at all, by half and fully."""

import matplotlib.pyplot as plt
import numpy as np
import torch
from sklearn.cluster import KMeans
from sklearn.metrics import adjusted_rand_score

from skdeepclust.spectral import shrinkage_whitening

COLORS = ("#0072B2", "#D55E00", "#009E73")
CENTERS = np.array([[-3.0, -0.5], [3.0, -0.5], [0.0, 1.0]])
DEVIATIONS = np.array([1.3, 0.3])


def embedding():
    """Rows (n, 2), long in the first dimension, and their classes."""
    y = np.repeat(np.arange(3), 60)
    noise = np.random.RandomState(0).standard_normal((len(y), 2))
    return CENTERS[y] + DEVIATIONS * noise, y


def whitened(F, strength):
    """Centred rows after shrinkage whitening, (n, 2)."""
    rows = torch.from_numpy(F)
    mean, whitener = shrinkage_whitening(rows.T @ rows, rows.sum(dim=0), len(rows), strength)
    return ((rows - mean) @ whitener).numpy()


def draw_panel(ax, rows, y, title):
    """Whitened rows as dots; scaled to length 1, as `transform` returns them, as crosses."""
    scaled = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    for label, color in enumerate(COLORS):
        ax.scatter(*rows[y == label].T, s=9, color=color, alpha=0.5, linewidths=0)
        ax.scatter(*scaled[y == label].T, s=30, color=color, marker="x", linewidths=0.9)
    found = KMeans(3, n_init=10, random_state=0).fit_predict(scaled)
    ax.set(title=f"{title}: k-means {adjusted_rand_score(y, found):.2f}", aspect="equal")
    ax.set(xlim=(-2.4, 2.4), ylim=(-2.4, 2.4), xlabel="dimension 1", ylabel="dimension 2")


def draw():
    """One panel for each strength."""
    F, y = embedding()
    figure, axes = plt.subplots(1, 3, figsize=(8.4, 3.2), layout="constrained")
    for ax, strength in zip(axes, (0.0, 0.5, 1.0), strict=True):
        draw_panel(ax, whitened(F, strength), y, f"whiten={strength:g}")


draw()
