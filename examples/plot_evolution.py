"""
Watching a clustering evolve
============================

How does a search find clusters whose number and shape nobody knows? Here it starts from sixteen
pieces that k-means made. In each generation the best clusterings are changed at random (clusters
are merged, split, moved and crossed), and the critic says which children are better still.

The pictures show the best clustering up to some generations; below, the critic's score of it, and
the adjusted Rand index with the truth, which the search never sees. ``evolution.gif`` shows all.
`CriticClusterer` does the same with larger generations, from what a dozen algorithms find.
"""

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.animation import FuncAnimation, PillowWriter
from scipy.optimize import linear_sum_assignment
from sklearn.cluster import KMeans
from sklearn.datasets import make_blobs, make_circles, make_moons
from sklearn.metrics.cluster import adjusted_rand_score, contingency_matrix

from skdeepclust import ClusteringCritic
from skdeepclust.search import search_clusterings

COLORS = "#0072B2 #D55E00 #009E73 #E69F00 #56B4E9 #CC79A7 #000000 #F0E442".split()

# %%
# Two moons, two rings and a blob.

moons, of_moons = make_moons(120, noise=0.05, random_state=0)
rings, of_rings = make_circles(160, factor=0.4, noise=0.05, random_state=0)
blob, of_blob = make_blobs(60, centers=[[1.0, 3.0]], cluster_std=0.25, random_state=0)
X = np.concatenate([moons * 1.3, rings * 1.3 + [4.5, 0.8], blob])
y = np.concatenate([of_moons, of_rings + 2, of_blob + 4])

# %%
# The score sees all clusterings of a generation at once, and remembers the best.

critic = ClusteringCritic.from_pretrained()
seen = []


def score(labelings):
    scores = critic.score_clusterings(X, labelings)
    scores -= [np.bincount(labels).min() == 1 for labels in labelings]  # no row by itself
    seen.append((scores.max(), labelings[scores.argmax()]))
    return scores


pieces = KMeans(16, n_init=1, random_state=0).fit_predict(X)
limits = {"n_generations": 30, "population_size": 5, "max_clusters": 30}
rng = np.random.RandomState(1)
history = search_clusterings(X, score, rng=rng, starts=[pieces], patience=None, **limits).history
path = [max(seen[: g + 1], key=lambda found: found[0])[1] for g in range(len(seen))]
agreement = [adjusted_rand_score(y, labels) for labels in path]
print(f"adjusted Rand index: {agreement[0]:.2f} at the start, {agreement[-1]:.2f} at the end")

# %%
# From the last generation backwards, a cluster gets the name, and with it the colour, of the one
# after it with which it shares most rows.


def rename(labels, after):
    shared = contingency_matrix(labels, after)
    rows, columns = linear_sum_assignment(shared, maximize=True)
    names = np.full(len(shared), -1)
    names[rows] = np.unique(after)[columns]
    free = np.setdiff1d(np.arange(len(shared) + after.max() + 1), names)
    names[names < 0] = free[: (names < 0).sum()]
    return names[labels]


for generation in reversed(range(len(path) - 1)):
    path[generation] = rename(path[generation], path[generation + 1])


def draw(ax, generation):
    ax.clear()
    labels = path[generation]
    for name in np.unique(labels):
        ax.scatter(*X[labels == name].T, s=5, color=COLORS[name % 8], marker="o^sD"[name // 8])
    title = f"generation {generation}: K = {len(np.unique(labels))}"
    ax.set(aspect="equal", title=title, xticks=[], yticks=[])


figure = plt.figure(figsize=(12, 6.5), layout="constrained")
panels = figure.subplot_mosaic("0123;4567;ssss", height_ratios=[1, 1, 0.9])
changes = [0, *np.flatnonzero(np.diff(history["best"])) + 1]
for panel, place in enumerate(np.linspace(0, len(changes) - 1, 8).round().astype(int)):
    draw(panels[str(panel)], changes[place])
panels["s"].plot(history["best"], "o-", color="#0072B2", ms=3, label="critic's score of the best")
panels["s"].plot(agreement, "s-", color="#D55E00", ms=3, label="agreement with the truth (ARI)")
panels["s"].set(xlabel="generation", ylim=(0, 1.2))
panels["s"].legend(loc="lower right")
figure.savefig("evolution.png", dpi=100)

moving, ax = plt.subplots(figsize=(4.5, 3.0), layout="constrained")
frames = [*range(len(path)), *[len(path) - 1] * 10]
FuncAnimation(moving, lambda i: draw(ax, i), frames).save("evolution.gif", PillowWriter(fps=5))
