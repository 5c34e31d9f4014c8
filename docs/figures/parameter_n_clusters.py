"""Five groups without labels, and clusterers that look for three, five and nine."""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import make_blobs
from sklearn.metrics import adjusted_rand_score

from skdeepclust import DeepMetricClusterer

COLORS = np.array(
    ["#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#F0E442", "0.6", "black"]
)


def draw():
    """The clusters found for each number."""
    X, y = make_blobs(400, centers=5, cluster_std=0.8, random_state=7)
    figure, axes = plt.subplots(1, 3, figsize=(8.4, 2.8), layout="constrained")
    for ax, k in zip(axes, (3, 5, 9), strict=True):
        found = DeepMetricClusterer(k, max_epochs=30, random_state=0).fit_predict(X)
        ax.scatter(*X.T, s=9, color=COLORS[found])
        score = adjusted_rand_score(y, found)
        ax.set(title=f"n_clusters={k}: ARI {score:.2f}", xlabel="feature 1", ylabel="feature 2")


draw()
