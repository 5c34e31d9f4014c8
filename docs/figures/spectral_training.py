"""Two moons: the rows, and their embedding before, early in and after training."""

import matplotlib.pyplot as plt
import torch
from sklearn.datasets import make_moons
from torch import nn

from skdeepclust import spectral_clustering_loss

COLORS = ("#0072B2", "#D55E00")
SHOWN = (0, 20, 150)  # steps


def network():
    """Two inputs, two outputs; the same weights each time."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        layers = [nn.Linear(2, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 2)]
        return nn.Sequential(*layers)


def train(X, y):
    """Outputs (n, 2) of the network at the steps to be shown, each with its objective."""
    net, shown = network(), []
    optimizer = torch.optim.AdamW(net.parameters(), lr=3e-3)
    for step in range(max(SHOWN) + 1):
        F = net(X)
        rows = nn.functional.normalize(F, dim=1)  # directions alone count
        if step in SHOWN:
            shown.append((F.detach().numpy(), spectral_clustering_loss(rows.detach(), y)))
        optimizer.zero_grad()
        spectral_clustering_loss(rows, y, ridge=1.0).backward()
        optimizer.step()
    return shown


def scatter(ax, rows, y, title):
    """Rows in the plane, coloured by class."""
    for label, color in enumerate(COLORS):
        ax.scatter(*rows[y == label].T, s=7, color=color, label=f"class {label}")
    ax.set_title(title)


def draw():
    """The data, then three stages of the embedding."""
    X, y = make_moons(300, noise=0.1, random_state=0)
    figure, axes = plt.subplots(1, 4, figsize=(9.2, 3.1), layout="constrained")
    scatter(axes[0], X, y, "the rows")
    axes[0].set(xlabel="feature 1", ylabel="feature 2")
    stages = train(torch.tensor(X, dtype=torch.float32), torch.tensor(y))
    for ax, step, (F, loss) in zip(axes[1:], SHOWN, stages, strict=True):
        scatter(ax, F, y, f"step {step}\nobjective {loss:.2f}")
        ax.axhline(0, color="0.8", zorder=0)
        ax.axvline(0, color="0.8", zorder=0)
        ax.set(xlabel="dimension 1", ylabel="dimension 2")
    handles = axes[0].get_legend_handles_labels()
    figure.legend(*handles, loc="outside lower center", ncols=2, markerscale=2)


draw()
