"""
The critic and the silhouette
=============================

Some thirty clusterings of the same rows: which one is to be believed? Both the silhouette and
`ClusteringCritic` give each a score without looking at labels. The silhouette likes clusters that
are round and far apart. The critic has learned from data sets of many kinds what people would call
a cluster.

*Above*: the clustering that the silhouette prefers. *In the middle*: the one that the critic
prefers. *Below*: all clusterings, their scores against the adjusted Rand index with the truth. Of a
good score one expects that it rises, and above all that the highest point (circled) lies at the
right. The critic's score is an estimate of that index: its points should lie along the line, but
where clusters are very clear they lie above 1.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.cluster import AgglomerativeClustering, KMeans
from sklearn.datasets import make_blobs, make_circles, make_moons
from sklearn.metrics import adjusted_rand_score, silhouette_score

from skdeepclust import ClusteringCritic
from skdeepclust.plotting import EmbeddingDisplay

COLORS = {"silhouette": "#E69F00", "critic": "#0072B2"}
MARKERS = {"silhouette": "^", "critic": "o"}

# %%
# Three data sets, and clusterings of each by four algorithms with 2 to 9 clusters.

data = {
    "moons": make_moons(300, noise=0.06, random_state=0),
    "rings": make_circles(300, factor=0.5, noise=0.05, random_state=0),
    "blobs": make_blobs(300, centers=5, random_state=6),
}


def candidates(X):
    """Labels (m, n) of m different clusterings."""
    found = []
    for k in range(2, 10):
        found.append(KMeans(k, random_state=0).fit_predict(X))
        for linkage in ("ward", "average", "single"):
            found.append(AgglomerativeClustering(k, linkage=linkage).fit_predict(X))
    return np.array(found)


# %%
# Their scores, and how well they agree with the truth.

critic = ClusteringCritic.from_pretrained()
scores, agreement, labelings = {}, {}, {}
for title, (X, y) in data.items():
    labelings[title] = candidates(X)
    agreement[title] = np.array([adjusted_rand_score(y, labels) for labels in labelings[title]])
    scores[title] = {
        "silhouette": np.array([silhouette_score(X, labels) for labels in labelings[title]]),
        "critic": critic.score_clusterings(X, labelings[title]),
    }
    for name, values in scores[title].items():
        best = values.argmax()
        chosen, most = round(agreement[title][best], 2) + 0, agreement[title].max()
        print(f"{title}: {name} prefers {labelings[title][best].max() + 1} clusters, adjusted Rand")
        print(f"    index with the truth {chosen:.2f} of at most {most:.2f}")

# %%
# What is preferred, and all of them.

figure, axes = plt.subplots(3, 3, figsize=(10, 9.5), layout="constrained")
for column, (title, (X, _)) in zip(axes.T, data.items(), strict=True):
    for ax, (name, values) in zip(column, scores[title].items(), strict=False):
        best = values.argmax()
        labels = labelings[title][best]
        EmbeddingDisplay.from_embedding(X, labels, ax=ax, legend=False, s=9)
        ax.set_title(f"{title}: {name} prefers K = {labels.max() + 1}")
        ax.set_xlabel(f"agreement with the truth {round(agreement[title][best], 2) + 0:.2f}")
        place = agreement[title][best], values[best]
        column[2].plot(
            agreement[title], values, MARKERS[name], color=COLORS[name], ms=4, label=name
        )
        column[2].plot(*place, "o", ms=12, mfc="none", mec=COLORS[name], mew=1.5)
    column[2].plot([0, 1], [0, 1], color="0.7", lw=1, zorder=0)
    column[2].set(xlabel="agreement with the truth", xlim=(-0.05, 1.05), ylim=(-0.6, 1.45))
axes[2, 0].set_ylabel("score")
axes[2, 0].legend(loc="upper left")
figure.savefig("critic_and_silhouette.png", dpi=100)
