"""
How the score falls as a clustering is damaged
==============================================

`ClusteringCritic` estimates the adjusted Rand index of a clustering with a truth that it does not
know. Here the truth is known, six moons, and is damaged step by step: rows are moved to other
clusters, clusters are split in two by k-means, clusters are merged.

From left to right each clustering is worse than the one before: the adjusted Rand index (black)
falls. A score to choose clusterings by has to fall with it, whatever the damage is. Lines are means
over draws of what is damaged, shades their standard deviations. The silhouette is low from the
start, as moons are no round clusters, and *rises* when they are split. The critic is stricter than
the index with them; that it gives the truth itself more than 1 comes from its being an estimate.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.cluster import KMeans
from sklearn.datasets import make_moons
from sklearn.metrics import adjusted_rand_score, silhouette_score

from skdeepclust import ClusteringCritic

N_DRAWS, N_CLUSTERS = 10, 6
STYLES = {"ARI": ("black", "s-"), "critic": ("#0072B2", "o-"), "silhouette": ("#E69F00", "^-")}

# %%
# Three pairs of moons, and three ways to spoil a clustering of them.

X, y = make_moons(120, noise=0.06, random_state=0)
X = np.concatenate([X + [0, 2.2 * place] for place in range(3)])
y = np.concatenate([y + 2 * place for place in range(3)])


def move(share, rng):
    """Random rows to random clusters."""
    return np.where(rng.uniform(size=len(y)) < share, rng.randint(N_CLUSTERS, size=len(y)), y)


def split(n_split, rng):
    """Random clusters in two, where k-means would do it."""
    labels = y.copy()
    for new, cluster in enumerate(rng.permutation(N_CLUSTERS)[:n_split], start=N_CLUSTERS):
        members = np.flatnonzero(y == cluster)
        half = KMeans(2, n_init=1, random_state=rng).fit_predict(X[members])
        labels[members[half == 1]] = new
    return labels


def merge(n_merged, rng):
    """Random clusters, each into the one after it in a random order."""
    places = np.maximum(np.arange(N_CLUSTERS), n_merged)
    return places[rng.permutation(N_CLUSTERS)[y]]


damages = {
    "rows moved to a random cluster": (move, np.linspace(0, 1, 11)),
    "clusters split": (split, np.arange(7)),
    "clusters merged": (merge, np.arange(5)),
}

# %%
# Scores of all of them, each (draws, steps).

critic = ClusteringCritic.from_pretrained()
curves = {}
for title, (damage, steps) in damages.items():
    rngs = [np.random.RandomState(draw) for draw in range(N_DRAWS)]
    labelings = [damage(step, rng) for rng in rngs for step in steps]
    figures = {
        "ARI": [adjusted_rand_score(y, labels) for labels in labelings],
        "critic": critic.score_clusterings(X, labelings),
        "silhouette": [silhouette_score(X, labels) for labels in labelings],
    }
    curves[title] = {name: np.reshape(v, (N_DRAWS, -1)) for name, v in figures.items()}
    print(title)
    for name, values in curves[title].items():
        print(f"    {name:<12}" + "".join(f"{value:>6.2f}" for value in values.mean(axis=0)))

# %%
# Means and standard deviations over the draws.

ratios = {"width_ratios": [0.5, 1, 1, 1]}
figure, axes = plt.subplots(1, 4, figsize=(14, 3.8), layout="constrained", gridspec_kw=ratios)
axes[0].scatter(*X.T, c=y % 2, cmap="cividis", s=8)
axes[0].set(title="the truth", xticks=[], yticks=[], aspect="equal")
for ax, (title, (_, steps)) in zip(axes[1:], damages.items(), strict=True):
    for name, (color, style) in STYLES.items():
        mean, deviation = curves[title][name].mean(axis=0), curves[title][name].std(axis=0)
        ax.plot(steps, mean, style, color=color, ms=4, label=name)
        ax.fill_between(steps, mean - deviation, mean + deviation, color=color, alpha=0.15, lw=0)
    ax.set(xlabel=title, ylim=(-0.3, 1.35))
axes[1].set_xlabel("share of the rows moved to a random cluster")
axes[3].legend(loc="upper right")
axes[1].set_ylabel("mean score")
figure.savefig("damaged_clustering.png", dpi=100)
