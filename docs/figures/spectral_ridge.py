"""What batches of different size say about an embedding that knows nothing, and of a good one."""

import matplotlib.pyplot as plt
import numpy as np
import torch

from skdeepclust import spectral_clustering_loss
from skdeepclust.spectral import leave_one_out_loss

N_DIMS, N_CLASSES, N_DRAWS = 32, 4, 4
ROWS_PER_DIM = np.array([1, 1.5, 2, 3, 4, 6, 8, 12, 16])
KINDS = {"random embedding": (0.0, "#D55E00"), "informative embedding": (0.5, "#0072B2")}


def batch(n, strength, seed):
    """Rows of length 1, (n, d), around a direction for each class, and labels (n,)."""
    rng = np.random.RandomState(seed)
    y = np.arange(n) % N_CLASSES
    directions = rng.standard_normal((N_CLASSES, N_DIMS))
    F = torch.from_numpy(strength * directions[y] + rng.standard_normal((n, N_DIMS)))
    return torch.nn.functional.normalize(F, dim=1), torch.from_numpy(y)


def curve(loss, strength):
    """Mean of a loss over some draws, for each size of the batch."""
    sizes = (N_DIMS * ROWS_PER_DIM).astype(int)
    values = [[float(loss(*batch(n, strength, s))) for s in range(N_DRAWS)] for n in sizes]
    return np.mean(values, axis=1)


def objective(ridge):
    """Share of the objective's range that is left."""
    return lambda F, y: spectral_clustering_loss(F, y, ridge=ridge) / N_CLASSES


def left_out(F, y):
    """Cross-entropy of the leave-one-out predictions, 1 where they are as good as chance."""
    temperature = 0.25 / np.sqrt(N_CLASSES)
    return leave_one_out_loss(F, y, ridge=1.0, temperature=temperature) / np.log(N_CLASSES)


def draw():
    """Objective without and with a ridge, then the leave-one-out loss."""
    losses = {"objective / k\nridge=0": objective(0.0), "objective / k\nridge=1": objective(1.0)}
    losses["leave-one-out / log k\nridge=1"] = left_out
    figure, axes = plt.subplots(1, 3, figsize=(8.4, 2.8), layout="constrained")
    for ax, (title, loss) in zip(axes, losses.items(), strict=True):
        for name, (strength, color) in KINDS.items():
            style = "--" if strength == 0 else "-"
            ax.plot(ROWS_PER_DIM, curve(loss, strength), style, color=color, label=name)
        ax.set(title=title, xlabel="rows of the batch / dimensions", xscale="log")
        ax.set_xticks([1, 2, 4, 8, 16], ["1", "2", "4", "8", "16"])
        ax.set_ylim(bottom=0)
        ax.minorticks_off()
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=2)


draw()
