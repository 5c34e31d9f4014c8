"""The projector on the wanted clusters beside those on embeddings that know more and more."""

import matplotlib.pyplot as plt
import numpy as np
import torch

from skdeepclust import spectral_clustering_loss

SIZES = (12, 10, 8)


def embedding(y, strength):
    """Rows (n, 3): a direction for each cluster, and noise of unit variance."""
    noise = np.random.RandomState(0).standard_normal((len(y), len(SIZES)))
    return strength * np.eye(len(SIZES))[y] + noise


def projector(rows):
    """Orthogonal projector (n, n) on the space that the columns of rows (n, d) span."""
    return rows @ np.linalg.pinv(rows)


def draw():
    """Four matrices with a common colour scale."""
    y = np.repeat(np.arange(len(SIZES)), SIZES)
    matrices = {r"wanted: $C$": projector(np.eye(len(SIZES))[y])}
    for name, strength in {"noise": 0.0, "half learned": 2.0, "learned": 12.0}.items():
        F = embedding(y, strength)
        loss = float(spectral_clustering_loss(torch.from_numpy(F), torch.from_numpy(y)))
        matrices[f"$FF^+$, {name}\nobjective {loss:.2f}"] = projector(F)
    figure, axes = plt.subplots(1, 4, figsize=(8.4, 2.8), layout="constrained")
    for ax, (title, matrix) in zip(axes, matrices.items(), strict=True):
        image = ax.imshow(matrix, cmap="PuOr", vmin=-0.15, vmax=0.15)
        ax.set(title=title, xlabel="row")
    axes[0].set_ylabel("row")
    figure.colorbar(image, ax=axes, shrink=0.8, label="entry")


draw()
