"""The objective of two clusters whose directions turn apart, for three ridges."""

import matplotlib.pyplot as plt
import numpy as np
import torch

from skdeepclust import spectral_clustering_loss

COLORS = ("#0072B2", "#D55E00")
RIDGES = {0.0: ("#000000", "-"), 0.1: ("#009E73", "--"), 1.0: ("#CC79A7", "-.")}
N_ROWS = 60  # of a cluster
SPREAD = 4.0  # degrees


def rays(angle):
    """Unit vectors (n, 2) around two directions with so many degrees between them, and labels."""
    y = np.repeat([0, 1], N_ROWS)
    jitter = SPREAD * np.random.RandomState(0).standard_normal(len(y))
    turn = np.radians(45 + (y - 0.5) * angle + jitter)
    return np.column_stack([np.cos(turn), np.sin(turn)]), y


def objective(angle, ridge):
    """What is left of k: k - tr(C F F⁺), with F⁺ shrunk by the ridge."""
    F, y = (torch.from_numpy(part) for part in rays(angle))
    return float(spectral_clustering_loss(F, y, ridge=ridge))


def draw_rays(ax, angle):
    """The two clusters on the unit circle."""
    F, y = rays(angle)
    for cluster, color in enumerate(COLORS):
        ends = F[y == cluster]
        lines = np.stack([0 * ends, ends])  # (2, n, 2)
        ax.plot(lines[..., 0], lines[..., 1], color=color, lw=0.2)
        ax.scatter(*ends.T, s=8, color=color)
    ax.set(title=f"{angle}°", xlim=(-0.25, 1.1), ylim=(-0.25, 1.1), aspect="equal")
    ax.set(xlabel="dimension 1", ylabel="dimension 2", xticks=[0, 1], yticks=[0, 1])


def draw():
    """Three angles, and the objective of all of them."""
    figure, axes = plt.subplots(
        1, 4, figsize=(9.2, 2.6), width_ratios=[1, 1, 1, 1.7], layout="constrained"
    )
    for ax, angle in zip(axes[:3], (5, 30, 90), strict=True):
        draw_rays(ax, angle)
    angles = np.arange(0, 91)
    for ridge, (color, style) in RIDGES.items():
        losses = [objective(angle, ridge) for angle in angles]
        axes[3].plot(angles, losses, style, color=color, label=f"ridge={ridge:g}")
    axes[3].set(xlabel="angle between the clusters, degrees", ylabel="objective", ylim=(0, 2))
    axes[3].set_xticks([0, 30, 60, 90])
    axes[3].legend(frameon=False, loc="upper right", fontsize="small")


draw()
