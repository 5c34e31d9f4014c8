"""Rows of classes that were not there in training, and how many training classes they need."""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.cluster import KMeans
from sklearn.metrics import adjusted_rand_score

from skdeepclust import DeepMetricClusterer
from skdeepclust.plotting import EmbeddingDisplay

COLORS = np.array(["#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00"])
N_NEW, N_ROWS = len(COLORS), 30  # new classes, rows of a class
NUMBERS = (2, 4, 8, 16, 32, 64)  # training classes
N_SIGNAL, N_NUISANCE = 10, 40  # directions in which classes differ, and others


def make_classes():
    """Rows (n, 50) and their classes; the last ones are the new ones."""
    rng = np.random.RandomState(0)
    y = np.repeat(np.arange(NUMBERS[-1] + N_NEW), N_ROWS)
    signal = rng.standard_normal((y[-1] + 1, N_SIGNAL))[y]
    signal += 0.5 * rng.standard_normal(signal.shape)
    rows = np.hstack([signal, 1.2 * rng.standard_normal((len(y), N_NUISANCE))])
    turn = np.linalg.qr(rng.standard_normal((rows.shape[1], rows.shape[1])))[0]
    return rows @ turn, y


def k_means_score(rows, y):
    """Adjusted Rand index of k-means."""
    found = KMeans(N_NEW, n_init=10, random_state=0).fit_predict(rows)
    return adjusted_rand_score(y, found)


def learn(X, y, n_classes):
    """The metric learned on so many classes."""
    chosen = y < n_classes
    return DeepMetricClusterer(encoder="linear", random_state=0).fit(X[chosen], y[chosen])


def draw():
    """New classes as they are, in the embedding, and the score over the number of classes."""
    X, y = make_classes()
    new = y >= NUMBERS[-1]
    X_new, y_new = X[new], y[new] - NUMBERS[-1]
    clusterers = [learn(X, y, n) for n in NUMBERS]
    plain = k_means_score(X_new, y_new)
    scores = [adjusted_rand_score(y_new, c.cluster(X_new, N_NEW)) for c in clusterers]
    figure, axes = plt.subplots(1, 3, figsize=(8.4, 2.9), layout="constrained")
    panels = {f"features, k-means: {plain:.2f}": X_new}
    panels[f"embedding, cluster: {scores[-1]:.2f}"] = clusterers[-1].transform(X_new)
    for ax, (title, rows) in zip(axes, panels.items(), strict=False):
        EmbeddingDisplay.from_embedding(rows, ax=ax, c=COLORS[y_new], s=14)
        ax.set(title=title, xlabel="principal component 1", ylabel="principal component 2")
    axes[2].plot(NUMBERS, scores, "o-", color="#0072B2", label="cluster, learned metric")
    axes[2].axhline(plain, ls="--", color="#D55E00", label="k-means on the features")
    axes[2].set(xlabel="classes in training", ylabel="adjusted Rand index", xscale="log")
    axes[2].set_xticks(NUMBERS, NUMBERS)
    axes[2].minorticks_off()
    axes[2].set_ylim(-0.05, 1.05)
    axes[2].legend(frameon=False, fontsize="small")


draw()
