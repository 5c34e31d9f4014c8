"""
Cluster handwritten digits with a few labels
============================================

Of 1,797 images of digits, 20 of each digit are labelled; the labels of all others are hidden.
`DeepMetricClusterer` learns from both kinds an embedding in which the digits lie apart, and
clusters the images whose labels it never saw.

Run with the path of a picture to write it there instead of to ``quickstart.png``.
"""

import sys

import matplotlib.pyplot as plt
import numpy as np
from sklearn.cluster import KMeans
from sklearn.datasets import load_digits
from sklearn.metrics import adjusted_rand_score, normalized_mutual_info_score

from skdeepclust import DeepMetricClusterer
from skdeepclust.metrics import clustering_accuracy
from skdeepclust.plotting import EmbeddingDisplay

N_LABELLED = 20  # images of each digit
WANTED_ACCURACY = 0.93

# %%
# The data: y_few is what the clusterer gets to see, -1 stands for a hidden label.

X, y = load_digits(return_X_y=True)
rng = np.random.RandomState(0)
labelled = np.concatenate(
    [rng.permutation(np.flatnonzero(y == digit))[:N_LABELLED] for digit in range(10)]
)
y_few = np.full(len(y), -1)
y_few[labelled] = y[labelled]
hidden = y_few == -1

# %%
# Learn, and cluster: in the pixels, in the embedding, and with the clusterer's own clusters.

clusterer = DeepMetricClusterer(random_state=0).fit(X, y_few)
embedding = clusterer.transform(X)


def kmeans(rows):
    """Ten clusters without labels."""
    return KMeans(10, n_init=10, random_state=0).fit_predict(rows)


found = {
    "KMeans on the pixels": kmeans(X),
    "KMeans in the learned embedding": kmeans(embedding),
    "DeepMetricClusterer": clusterer.labels_,
}

# %%
# Compare with the hidden labels.

accuracy = {name: clustering_accuracy(y[hidden], c[hidden]) for name, c in found.items()}
print(f"{hidden.sum()} images with hidden labels{'accuracy':>15}{'NMI':>8}{'ARI':>8}")
for name, clusters in found.items():
    nmi = normalized_mutual_info_score(y[hidden], clusters[hidden])
    ari = adjusted_rand_score(y[hidden], clusters[hidden])
    print(f"{name:<36}{accuracy[name]:>9.3f}{nmi:>8.3f}{ari:>8.3f}")

# %%
# Both spaces, flattened by t-SNE in the same way; the colours are the hidden labels.

figure, axes = plt.subplots(1, 2, figsize=(10, 4.6), layout="constrained")
titles = {
    f"KMeans on the pixels: {accuracy['KMeans on the pixels']:.1%}": X,
    f"In the learned embedding: {accuracy['DeepMetricClusterer']:.1%}": embedding,
}
for ax, (title, rows) in zip(axes, titles.items(), strict=True):
    EmbeddingDisplay.from_embedding(
        rows[hidden], y[hidden], ax=ax, projection="tsne", random_state=0, s=11, alpha=0.8
    )
    ax.set_title(title, fontsize=14)
    ax.spines[:].set_color("0.85")
axes[0].get_legend().remove()
figure.suptitle(
    f"{len(X):,} digits, {N_LABELLED} labels a class: clustering accuracy on all the others",
    fontsize=14,
    fontweight="bold",
)
figure.savefig(sys.argv[1] if len(sys.argv) > 1 else "quickstart.png", dpi=100)

if accuracy["DeepMetricClusterer"] < WANTED_ACCURACY:
    raise SystemExit(f"The accuracy is below {WANTED_ACCURACY}.")
