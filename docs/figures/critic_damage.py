"""The score of a clustering that is damaged more and more, beside its true quality."""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import make_blobs
from sklearn.metrics import adjusted_rand_score

from skdeepclust import ClusteringCritic

N_CLUSTERS = 6
N_DRAWS = 5


def moved(X, y, share, rng):
    """A share of the rows in random clusters."""
    chosen = rng.uniform(size=len(y)) < share
    return np.where(chosen, rng.randint(N_CLUSTERS, size=len(y)), y)


def merged(X, y, n_merged, rng):
    """One cluster less for each merger, always into the same one."""
    gone = rng.permutation(N_CLUSTERS)[: n_merged + 1]
    return np.where(np.isin(y, gone), gone[0], y)


def split(X, y, n_split, rng):
    """Some clusters cut in two by a random line through their middle."""
    side = X @ rng.standard_normal(X.shape[1])
    labels = y.copy()
    for cluster in rng.permutation(N_CLUSTERS)[:n_split]:
        inside = y == cluster
        labels[inside & (side > np.median(side[inside]))] += N_CLUSTERS
    return labels


DAMAGES = {
    "share of the rows moved": (moved, np.linspace(0, 0.5, 11)),
    "clusters merged into another": (merged, np.arange(N_CLUSTERS)),
    "clusters cut in two": (split, np.arange(N_CLUSTERS + 1)),
}


def curves(critic, X, y, damage, strengths):
    """Mean score and mean adjusted Rand index of each strength."""
    rng = np.random.RandomState(0)
    labelings = [damage(X, y, s, rng) for s in strengths for _ in range(N_DRAWS)]
    scores = critic.score_clusterings(X, labelings)
    quality = np.array([adjusted_rand_score(y, labels) for labels in labelings])
    return (values.reshape(-1, N_DRAWS).mean(axis=1) for values in (scores, quality))


def draw():
    """One panel for each kind of damage."""
    X, y = make_blobs(360, centers=N_CLUSTERS, cluster_std=0.7, random_state=6)
    critic = ClusteringCritic.from_pretrained()
    figure, axes = plt.subplots(1, 3, figsize=(8.4, 2.8), sharey=True, layout="constrained")
    for ax, (name, (damage, strengths)) in zip(axes, DAMAGES.items(), strict=True):
        scores, quality = curves(critic, X, y, damage, strengths)
        ax.plot(strengths, scores, "o-", color="#0072B2", label="score of the critic")
        ax.plot(strengths, quality, "s--", color="#D55E00", label="adjusted Rand index")
        ax.set_xlabel(name)
    axes[0].set(ylabel="mean of five draws", ylim=(-0.1, 1.1))
    axes[0].legend(frameon=False, loc="lower left")


draw()
