"""
Clusters without their number
=============================

Six data sets of two features, as in scikit-learn's comparison of clusterers: rings, moons, blobs of
three kinds and one set without any structure. Nobody says how many clusters there are.
`CriticClusterer` is compared with k-means whose number of clusters has the best silhouette.

Run with the path of a picture to write it there instead of to ``no_number_of_clusters.png``.
"""

import sys

import matplotlib.pyplot as plt
import numpy as np
from sklearn.cluster import KMeans
from sklearn.datasets import make_blobs, make_circles, make_moons
from sklearn.metrics import adjusted_rand_score, silhouette_score

from skdeepclust import CriticClusterer
from skdeepclust.plotting import EmbeddingDisplay

N_ROWS = 300

# %%
# The data, each with its true clusters.

blobs, kinds = make_blobs(N_ROWS, random_state=170)
slanted = blobs @ [[0.6, -0.6], [-0.4, 0.8]]
scatter = np.random.RandomState(0).uniform(size=(N_ROWS, 2))
data = {
    "rings": make_circles(N_ROWS, factor=0.5, noise=0.05, random_state=0),
    "moons": make_moons(N_ROWS, noise=0.05, random_state=0),
    "unequal": make_blobs(N_ROWS, cluster_std=[1.0, 2.5, 0.5], random_state=170),
    "slanted": (slanted, kinds),
    "blobs": make_blobs(N_ROWS, random_state=8),
    "nothing": (scatter, np.zeros(N_ROWS, dtype=int)),
}


# %%
# What k-means makes of it: the number of clusters has the best silhouette.


def k_means_by_silhouette(X):
    """Labels of the best of k-means with 2 to 10 clusters."""
    found = [KMeans(k, n_init=3, random_state=0).fit_predict(X) for k in range(2, 11)]
    return max(found, key=lambda labels: silhouette_score(X, labels))


# %%
# Every picture says how many clusters were found, and how well they agree with the true ones.

figure, axes = plt.subplots(2, len(data), figsize=(2.2 * len(data), 4.8), layout="constrained")
agreement = {}
for column, (title, (X, y)) in zip(axes.T, data.items(), strict=True):
    answers = {
        "k-means": k_means_by_silhouette(X),
        "CriticClusterer": CriticClusterer(random_state=0).fit_predict(X),
    }
    for ax, (method, labels) in zip(column, answers.items(), strict=True):
        agreement.setdefault(method, []).append(adjusted_rand_score(y, labels))
        EmbeddingDisplay.from_embedding(X, labels, ax=ax, legend=False, s=5)
        ax.set_title(f"{title}: {labels.max() + 1}")
        ax.set_xlabel(f"agreement {agreement[method][-1]:.2f}")
for ax, method in zip(axes[:, 0], agreement, strict=True):
    ax.set_ylabel(method)

for method, values in agreement.items():
    print(f"{method}: mean accuracy by the adjusted Rand index {np.mean(values):.2f}")
figure.savefig(sys.argv[1] if len(sys.argv) > 1 else "no_number_of_clusters.png", dpi=120)
