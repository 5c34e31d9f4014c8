"""Two Gaussians that come nearer: from where on the critic takes them for one cluster."""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.cluster import KMeans

from skdeepclust import ClusteringCritic

COLORS = np.array(["#0072B2", "#D55E00"])
DISTANCES = np.linspace(1, 7, 13)
SHOWN = (2.5, 5.0)
N_DRAWS = 2
N_ROWS = 1500


def gaussians(distance, seed=0):
    """Rows (n, 2) around two centres so many standard deviations apart, and their labels."""
    y = np.arange(N_ROWS) % 2
    rows = np.random.RandomState(seed).standard_normal((len(y), 2))
    rows[:, 0] += distance * y
    return rows, y


def scores(critic, distance):
    """Mean scores of the two clusters, of those of k-means, and of everything in one."""
    found = []
    for seed in range(N_DRAWS):
        X, y = gaussians(distance, seed)
        halves = KMeans(2, n_init=3, random_state=0).fit_predict(X)
        found.append(critic.score_clusterings(X, [y, halves, np.zeros_like(y)]))
    return np.mean(found, axis=0)


def draw():
    """Two distances, and the scores of all of them."""
    critic = ClusteringCritic.from_pretrained()
    figure, axes = plt.subplots(
        1, 3, figsize=(8.4, 2.8), width_ratios=[1, 1, 1.3], layout="constrained"
    )
    for ax, distance in zip(axes, SHOWN, strict=False):
        X, y = gaussians(distance)
        ax.scatter(*X.T, s=4, color=COLORS[y])
        ax.set(title=f"distance {distance:g}", xlim=(-4, 9), ylim=(-4.5, 4.5))
        ax.set(xlabel="feature 1", ylabel="feature 2")
    two, halves, one = np.transpose([scores(critic, distance) for distance in DISTANCES])
    axes[2].plot(DISTANCES, two, "o-", color="#0072B2", label="the two Gaussians")
    axes[2].plot(DISTANCES, halves, "^-.", color="#009E73", label="k-means, K = 2")
    axes[2].plot(DISTANCES, one, "s--", color="#D55E00", label="one cluster")
    axes[2].set(xlabel="distance / standard deviation", ylabel="score of the critic")
    axes[2].set_ylim(-0.05, 1.45)
    axes[2].legend(frameon=False, loc="upper left")


draw()
