"""Held-out digits, whitened not at all, by half and fully, for two ridges."""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from skdeepclust import DeepMetricClusterer
from skdeepclust.plotting import EmbeddingDisplay

GRID = (0.0, 0.25, 0.5, 0.75, 1.0)
SHOWN = (0.0, 0.5, 1.0)
RIDGES = {0.01: ("s--", "#D55E00"), 1.0: ("o-", "#0072B2")}
N_SPLITS = 4
COLORS = np.array(["#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00"])


def digits(split=0):
    """Ten labelled images of each of six digits, and 400 others."""
    X, y = load_digits(n_class=len(COLORS), return_X_y=True)
    return train_test_split(X, y, train_size=60, test_size=400, stratify=y, random_state=split)


def learn(X, y, whiten, ridge):
    """A fitted clusterer."""
    clusterer = DeepMetricClusterer(whiten=whiten, ridge=ridge, max_epochs=30, random_state=0)
    return clusterer.fit(X, y)


def curve(ridge):
    """Mean adjusted Rand index on held-out rows for each strength of the grid."""
    scores = np.empty((len(GRID), N_SPLITS))
    for split in range(N_SPLITS):
        X, X_new, y, y_new = digits(split)
        scores[:, split] = [learn(X, y, w, ridge).score(X_new, y_new) for w in GRID]
    return scores.mean(axis=1)


def draw():
    """Three strengths at a small ridge, and the curves of two ridges."""
    X, X_new, y, y_new = digits()
    figure, axes = plt.subplots(1, 4, figsize=(10, 2.7), layout="constrained")
    for ax, whiten in zip(axes[:3], SHOWN, strict=True):
        clusterer = learn(X, y, whiten, min(RIDGES))
        EmbeddingDisplay.from_estimator(clusterer, X_new, ax=ax, c=COLORS[y_new])
        ax.set(title=f"whiten={whiten:g}: ARI {clusterer.score(X_new, y_new):.2f}")
        ax.set(xlabel="principal component 1", ylabel="principal component 2")
    for ridge, (style, color) in RIDGES.items():
        axes[3].plot(GRID, curve(ridge), style, color=color, label=f"ridge={ridge:g}")
    axes[3].set(xlabel="whiten", ylabel="ARI, mean of four splits", ylim=(0.7, 1))
    axes[3].legend(frameon=False, loc="lower right")


draw()
