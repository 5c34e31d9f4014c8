"""
In place of KMeans
==================

What changes if `DeepMetricClusterer` stands where ``KMeans`` stood? The call does not: both are
made with the number of clusters, and their ``fit_predict`` gets 1,797 images of handwritten digits
as rows of pixels, and no label. What they find does.

A matrix counts how many images of each digit (its rows) are in each cluster (its columns). The
clusters have been put in the order of the digits that they match, so that a perfect clustering
would have nothing beside the diagonal. k-means takes images for similar that have the same pixels;
`DeepMetricClusterer` learns from the neighbours of all images an embedding, and clusters that.
"""

import matplotlib.pyplot as plt
from sklearn.cluster import KMeans
from sklearn.datasets import load_digits
from sklearn.metrics import adjusted_rand_score

from skdeepclust import DeepMetricClusterer
from skdeepclust.metrics import clustering_accuracy
from skdeepclust.plotting import ClusterMatrixDisplay

# %%
# The same lines for both.

X, y = load_digits(return_X_y=True)
found = {}
for clusterer in (KMeans(10, n_init=10, random_state=0), DeepMetricClusterer(10, random_state=0)):
    found[type(clusterer).__name__] = clusterer.fit_predict(X)

accuracy = {name: clustering_accuracy(y, labels) for name, labels in found.items()}
agreement = {name: adjusted_rand_score(y, labels) for name, labels in found.items()}
print(f"{'1,797 digits, no labels':<25}{'accuracy':>9}{'ARI':>8}")
for name in found:
    print(f"{name:<25}{accuracy[name]:>9.3f}{agreement[name]:>8.3f}")

# %%
# Digits against clusters.

figure, axes = plt.subplots(1, 2, figsize=(11, 5.6), layout="constrained")
for ax, (name, labels) in zip(axes, found.items(), strict=True):
    ClusterMatrixDisplay.from_predictions(None, labels, y, kind="counts", ax=ax)
    ax.set(xlabel="cluster", ylabel="digit")
    ax.set_title(f"{name}: {accuracy[name]:.0%} in the right cluster", loc="left")
figure.suptitle("The same call, without labels: where are the images of each digit?", fontsize=14)
figure.savefig("in_place_of_kmeans.png", dpi=100)
