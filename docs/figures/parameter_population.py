"""The best score that a search has found, over its work, for three sizes of the population."""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.metrics import adjusted_rand_score

from skdeepclust import CriticClusterer
from skdeepclust.critic import draw_dataset

SIZES = {4: ("s--", "#D55E00"), 32: ("o-", "#0072B2"), 96: ("^-.", "#009E73")}
FAMILIES = {"moons": 111, "spirals": 187}  # and what their random numbers start from


def draw_panel(ax, data):
    """One curve for each size; the last number is the quality of the result."""
    known = data.y >= 0  # the others are outliers
    for size, (style, color) in SIZES.items():
        found = CriticClusterer(population_size=size, random_state=0).fit(data.X)
        quality = adjusted_rand_score(data.y[known], found.labels_[known])
        history = found.history_
        label = f"{size}: ARI {quality:.2f}"
        ax.plot(history["n_evaluations"], history["best"], style, ms=3, color=color, label=label)
    ax.set(xlabel="clusterings scored", xscale="log", ylim=(0, 1.15))
    ax.legend(frameon=False, loc="lower right", title="population_size")


def draw():
    """One panel for each data set."""
    figure, axes = plt.subplots(1, 2, figsize=(7, 3.1), sharey=True, layout="constrained")
    for ax, (family, seed) in zip(axes, FAMILIES.items(), strict=True):
        data = draw_dataset(np.random.RandomState(seed), [family])
        draw_panel(ax, data)
        ax.set_title(f"{len(data.X)} rows, {data.y.max() + 1} clusters")
    axes[0].set_ylabel("best score")


draw()
