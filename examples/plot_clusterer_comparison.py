"""
Eight clusterers on six toy data sets
=====================================

Which clusterer finds which shapes, and what has it to be told? The data are those of
scikit-learn's comparison of clusterers; the number below is the adjusted Rand index with the true
clusters, 1 for identical ones.

Four of them are told *how many clusters there are*: K. MeanShift, HDBSCAN and `CriticClusterer` are
told nothing; grey points are what HDBSCAN calls noise. `DeepMetricClusterer` is not told K either,
but which cluster *five rows of each* belong to (black crosses). The last data set has no clusters,
and does not count for the mean: who is told to find three there finds three. Labels of a single
class would teach `DeepMetricClusterer` nothing.
"""

import warnings

import matplotlib.pyplot as plt
import numpy as np
from sklearn.cluster import HDBSCAN, AgglomerativeClustering, KMeans, MeanShift, SpectralClustering
from sklearn.datasets import make_blobs, make_circles, make_moons
from sklearn.metrics import adjusted_rand_score
from sklearn.mixture import GaussianMixture
from sklearn.preprocessing import StandardScaler

from skdeepclust import CriticClusterer, DeepMetricClusterer
from skdeepclust.plotting import EmbeddingDisplay

N_ROWS, N_LABELLED = 300, 5

# %%
# The data, each with its true clusters, and with a few labels: -1 stands for none.

blobs, kinds = make_blobs(N_ROWS, random_state=170)
scatter = np.random.RandomState(0).uniform(size=(N_ROWS, 2))
data = {
    "rings": make_circles(N_ROWS, factor=0.5, noise=0.05, random_state=0),
    "moons": make_moons(N_ROWS, noise=0.05, random_state=0),
    "unequal": make_blobs(N_ROWS, cluster_std=[1.0, 2.5, 0.5], random_state=170),
    "slanted": (blobs @ [[0.6, -0.6], [-0.4, 0.8]], kinds),
    "blobs": make_blobs(N_ROWS, random_state=8),
    "nothing": (scatter, np.zeros(N_ROWS, dtype=int)),
}


def hide_most(y):
    """The first labels of each cluster, -1 for all others."""
    few = np.full(len(y), -1)
    for cluster in np.unique(y):
        few[np.flatnonzero(y == cluster)[:N_LABELLED]] = cluster
    return few


def clusterers(k):
    """Each with what it is told."""
    nearest = {"affinity": "nearest_neighbors", "assign_labels": "cluster_qr"}
    return {
        "KMeans\n(told K)": KMeans(k, random_state=0),
        "Ward\n(told K)": AgglomerativeClustering(k),
        "Gaussian mixture\n(told K)": GaussianMixture(k, random_state=0),
        "Spectral\n(told K)": SpectralClustering(k, random_state=0, **nearest),
        "MeanShift\n(told nothing)": MeanShift(),
        "HDBSCAN\n(told nothing)": HDBSCAN(min_cluster_size=15, copy=True),
        "DeepMetricClusterer\n(told 5 rows of each)": DeepMetricClusterer(random_state=0),
        "CriticClusterer\n(told nothing)": CriticClusterer(random_state=0),
    }


# %%
# One row of pictures for each data set.

names = list(clusterers(1))
agreement = np.full((len(data), len(names)), np.nan)
figure, axes = plt.subplots(*agreement.shape, figsize=(15, 11.5), layout="constrained")
for i, (title, (X, y)) in enumerate(data.items()):
    X, few, k = StandardScaler().fit_transform(X), hide_most(y), len(np.unique(y))
    axes[i, 0].set_ylabel(title, fontsize=13)
    for j, clusterer in enumerate(clusterers(3 if k == 1 else k).values()):
        if k == 1 and isinstance(clusterer, DeepMetricClusterer):
            axes[i, j].set_axis_off()
            continue
        with warnings.catch_warnings():  # of a graph in parts, which is as it should be
            warnings.simplefilter("ignore", UserWarning)
            labels = clusterer.fit_predict(X, few)
        agreement[i, j] = adjusted_rand_score(y, labels)
        EmbeddingDisplay.from_embedding(X, labels, ax=axes[i, j], legend=False, s=5)
        axes[i, j].set_xlabel(f"{round(agreement[i, j], 2) + 0:.2f}")  # no minus before a zero
        if isinstance(clusterer, DeepMetricClusterer):
            axes[i, j].plot(*X[few >= 0].T, "kx", ms=5)

mean = agreement[:-1].mean(axis=0)
for ax, name, value in zip(axes[0], names, mean, strict=True):
    ax.set_title(f"{name}\nmean {value:.2f}")
    print(f"{' '.join(name.split()):<45}{value:>6.2f}")
figure.savefig("clusterer_comparison.png", dpi=100)
