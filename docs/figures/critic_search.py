"""Two searches: one that pays, and one that finds what the critic overrates."""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.metrics import adjusted_rand_score

from skdeepclust import CriticClusterer
from skdeepclust.critic import draw_dataset

FAMILIES = {"moons": 111, "scenes": 113}  # and what their random numbers start from


def draw_clusters(ax, data, clusterer, name):
    """The rows in the colours of their clusters."""
    labels = clusterer.labels_
    ax.scatter(*data.X.T, s=8, c=labels, cmap="viridis")
    known = data.y >= 0  # the others are outliers
    quality = adjusted_rand_score(data.y[known], labels[known])
    title = f"{name}: {clusterer.n_clusters_} clusters\nscore {clusterer.score_:.2f}"
    ax.set(title=f"{title}, ARI {quality:.2f}", xticks=[], yticks=[])


def draw_history(ax, history):
    """Best and mean score of the generations."""
    generations = np.arange(len(history["best"]))
    ax.plot(generations, history["best"], color="#0072B2", label="best so far")
    ax.plot(generations, history["mean"], "--", color="#D55E00", label="mean of the generation")
    ax.set(xlabel="generation", ylabel="score", ylim=(0, 1.15))
    ax.legend(frameon=False, loc="lower right", fontsize="small")


def draw():
    """A row of panels for each data set."""
    figure, axes = plt.subplots(2, 3, figsize=(8.4, 5.6), layout="constrained")
    for row, (family, seed) in zip(axes, FAMILIES.items(), strict=True):
        data = draw_dataset(np.random.RandomState(seed), [family])
        start = CriticClusterer(n_generations=0, random_state=0).fit(data.X)
        found = CriticClusterer(random_state=0).fit(data.X)
        draw_clusters(row[0], data, start, "best start")
        draw_clusters(row[1], data, found, "result")
        draw_history(row[2], found.history_)


draw()
