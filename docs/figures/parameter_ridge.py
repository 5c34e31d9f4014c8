"""Held-out digits in embeddings learned without a ridge, with the default one, with a huge one."""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from skdeepclust import DeepMetricClusterer
from skdeepclust.plotting import EmbeddingDisplay

SHOWN = (0.0, 1.0, 1000.0)
GRID = 10.0 ** np.arange(-3, 4)
N_SPLITS = 4
COLORS = np.array(["#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00"])


def digits(split=0):
    """Ten labelled images of each of six digits, and 400 others."""
    X, y = load_digits(n_class=len(COLORS), return_X_y=True)
    return train_test_split(X, y, train_size=60, test_size=400, stratify=y, random_state=split)


def learn(X, y, ridge):
    """A fitted clusterer."""
    return DeepMetricClusterer(ridge=ridge, max_epochs=30, random_state=0).fit(X, y)


def curve():
    """Mean adjusted Rand index on held-out rows for each ridge of the grid."""
    scores = np.empty((len(GRID), N_SPLITS))
    for split in range(N_SPLITS):
        X, X_new, y, y_new = digits(split)
        scores[:, split] = [learn(X, y, ridge).score(X_new, y_new) for ridge in GRID]
    return scores.mean(axis=1)


def draw():
    """Three ridges, and the curve."""
    X, X_new, y, y_new = digits()
    figure, axes = plt.subplots(1, 4, figsize=(10, 2.7), layout="constrained")
    for ax, ridge in zip(axes[:3], SHOWN, strict=True):
        clusterer = learn(X, y, ridge)
        EmbeddingDisplay.from_estimator(clusterer, X_new, ax=ax, c=COLORS[y_new])
        ax.set(title=f"ridge={ridge:g}: ARI {clusterer.score(X_new, y_new):.2f}")
        ax.set(xlabel="principal component 1", ylabel="principal component 2")
    axes[3].plot(GRID, curve(), "o-", color="#0072B2")
    axes[3].axvline(1.0, color="0.6", ls=":")
    axes[3].text(1.15, 0.72, "default", color="0.4")
    axes[3].set(xscale="log", xlabel="ridge", ylabel="ARI, mean of four splits", ylim=(0.7, 1))


draw()
