"""Many clusterings of two moons: what critic and silhouette say, and how good they are."""

import matplotlib.pyplot as plt
import numpy as np
from scipy.stats import spearmanr
from sklearn.cluster import DBSCAN, AgglomerativeClustering, KMeans
from sklearn.datasets import make_moons
from sklearn.metrics import adjusted_rand_score, silhouette_score
from sklearn.mixture import GaussianMixture

from skdeepclust import ClusteringCritic

N_CLUSTERS = range(2, 11)
STYLES = {
    "k-means": ("o", "#0072B2"),
    "agglomerative": ("s", "#E69F00"),
    "Gaussian mixture": ("^", "#009E73"),
    "DBSCAN": ("v", "#CC79A7"),
}


def candidates(X):
    """Clusterings (m, n) by several algorithms, and the name of each."""
    models = [("k-means", KMeans(k, random_state=0)) for k in N_CLUSTERS]
    models += [("Gaussian mixture", GaussianMixture(k, random_state=0)) for k in N_CLUSTERS]
    for linkage in ("ward", "average", "complete", "single"):
        models += [
            ("agglomerative", AgglomerativeClustering(k, linkage=linkage)) for k in N_CLUSTERS
        ]
    models += [("DBSCAN", DBSCAN(eps=eps)) for eps in np.linspace(0.06, 0.3, 9)]
    return np.stack([model.fit_predict(X) for _, model in models]), [name for name, _ in models]


def draw_panel(ax, names, quality, values, title):
    """One index against the true quality; its choice has a ring."""
    for name, (marker, color) in STYLES.items():
        shown = np.array(names) == name
        ax.scatter(quality[shown], values[shown], s=22, marker=marker, color=color, label=name)
    best = np.nanargmax(values)
    ring = {"facecolors": "none", "edgecolors": "black", "linewidths": 1.5}
    ax.scatter(quality[best], values[best], s=170, label="chosen", **ring)
    correlation = spearmanr(quality, values, nan_policy="omit").statistic
    ax.set(title=f"{title}\nrank correlation {correlation:.2f}", ylabel=title)
    ax.set_xlabel("adjusted Rand index with the moons")


def draw():
    """Critic and silhouette side by side."""
    X, y = make_moons(300, noise=0.06, random_state=0)
    labelings, names = candidates(X)
    quality = np.array([adjusted_rand_score(y, labels) for labels in labelings])
    several = [len(np.unique(labels)) > 1 for labels in labelings]  # what a silhouette needs
    scores = ClusteringCritic.from_pretrained().score_clusterings(X, labelings)
    widths = [
        silhouette_score(X, labels) if valid else np.nan
        for labels, valid in zip(labelings, several, strict=True)
    ]
    figure, axes = plt.subplots(1, 2, figsize=(7.8, 3.5), layout="constrained")
    draw_panel(axes[0], names, quality, scores, "score of the critic")
    draw_panel(axes[1], names, quality, np.array(widths), "silhouette")
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=5)


draw()
