"""
Cluster characters of scripts that were never seen
==================================================

A convolutional network learns on the characters of ten scripts which images belong together.
It has seen neither Hebrew nor Armenian, but `DeepMetricClusterer.cluster` sorts images of their
letters into clusters far better than k-means on the pixels does.

Run with the path of a picture to write it there instead of to ``new_classes.png``.
"""

import sys

import matplotlib.pyplot as plt
import numpy as np
from sklearn.cluster import KMeans
from sklearn.metrics import adjusted_rand_score, normalized_mutual_info_score

from skdeepclust import ConvEncoder, DeepMetricClusterer
from skdeepclust.datasets import GLYPH_SCRIPTS, make_glyphs
from skdeepclust.metrics import clustering_accuracy

NEW_SCRIPTS = ["hebrew", "armenian"]
N_ROWS, N_COLUMNS = 8, 12  # clusters and images of each in the picture
WANTED_GAIN = 0.2

# %%
# Characters to learn from and, of other scripts, characters to cluster.

known_scripts = [script for script in GLYPH_SCRIPTS if script not in NEW_SCRIPTS]
known = make_glyphs(10, scripts=known_scripts, image_size=20, random_state=0)
new = make_glyphs(20, scripts=NEW_SCRIPTS, image_size=20, random_state=1)
n_clusters = len(new.characters)

clusterer = DeepMetricClusterer(
    encoder=ConvEncoder(channels=(32, 64, 64, 64)),
    embedding_dim=64,
    max_epochs=8,
    early_stopping=False,
    random_state=0,
)
clusterer.fit(known.images, known.target)

# %%
# Cluster the new characters: in the pixels, and in the learned embedding.

found = {
    "KMeans on the pixels": KMeans(n_clusters, n_init=10, random_state=0).fit_predict(new.data),
    "DeepMetricClusterer.cluster": clusterer.cluster(new.images, n_clusters),
}
accuracy = {name: clustering_accuracy(new.target, c) for name, c in found.items()}
title = f"{len(new.target)} images, {n_clusters} new characters"
print(f"{title:<36}{'accuracy':>9}{'NMI':>8}{'ARI':>8}")
for name, clusters in found.items():
    nmi = normalized_mutual_info_score(new.target, clusters)
    ari = adjusted_rand_score(new.target, clusters)
    print(f"{name:<36}{accuracy[name]:>9.3f}{nmi:>8.3f}{ari:>8.3f}")

# %%
# Random clusters of both kinds, one in each row; images of another character than the one that
# is most frequent in the row are red.


def mosaic(clusters, rng):
    """Draw some images of some clusters as one (height, width, 3) picture."""
    size = new.images.shape[-1]
    large = np.flatnonzero(np.bincount(clusters) >= N_COLUMNS)
    picture = np.ones((N_ROWS * (size + 2), N_COLUMNS * (size + 2), 3))
    for row, cluster in enumerate(rng.permutation(large)[:N_ROWS]):
        members = np.flatnonzero(clusters == cluster)
        usual = np.bincount(new.target[members]).argmax()
        for column, index in enumerate(rng.permutation(members)[:N_COLUMNS]):
            ink = new.images[index, 0, :, :, None]
            color = [0.1, 0.1, 0.3] if new.target[index] == usual else [0.84, 0.37, 0.0]
            top, left = row * (size + 2), column * (size + 2)
            picture[top : top + size, left : left + size] = 1 - ink * (1 - np.array(color))
    return picture


figure, axes = plt.subplots(1, 2, figsize=(10, 3.9), layout="constrained")
for ax, (name, clusters) in zip(axes, found.items(), strict=True):
    ax.imshow(mosaic(clusters, np.random.RandomState(0)), interpolation="nearest")
    ax.set_title(f"{name}: {accuracy[name]:.0%}")
    ax.set_axis_off()
figure.suptitle("Each row: images of one cluster; red ones belong to another", fontsize=14)
figure.savefig(sys.argv[1] if len(sys.argv) > 1 else "new_classes.png", dpi=100)

gain = accuracy["DeepMetricClusterer.cluster"] - accuracy["KMeans on the pixels"]
if gain < WANTED_GAIN:
    raise SystemExit(f"The gain in accuracy, {gain:.3f}, is below {WANTED_GAIN}.")
