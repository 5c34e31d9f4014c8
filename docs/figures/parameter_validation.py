"""Objective on training rows and on held-out rows, for three sizes of the held-out part."""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from skdeepclust import DeepMetricClusterer

N_CLASSES = 6
SHARES = (0.03, 0.1, 0.6)
WRONG = 0.25  # share of the labels


def digits():
    """240 images with some wrong labels, and 400 others."""
    X, y = load_digits(n_class=N_CLASSES, return_X_y=True)
    X, X_new, y, y_new = train_test_split(
        X, y, train_size=240, test_size=400, stratify=y, random_state=0
    )
    rng = np.random.RandomState(0)
    wrong = rng.uniform(size=len(y)) < WRONG
    y[wrong] = rng.randint(N_CLASSES, size=wrong.sum())
    return X, X_new, y, y_new


def draw():
    """The history of each fit, with the epoch whose weights are kept."""
    X, X_new, y, y_new = digits()
    figure, axes = plt.subplots(1, 3, figsize=(8.4, 3), sharey=True, layout="constrained")
    for ax, share in zip(axes, SHARES, strict=True):
        clusterer = DeepMetricClusterer(
            early_stopping=True, validation_fraction=share, random_state=0
        ).fit(X, y)
        training, held_out = (
            clusterer.history_[name] for name in ("objective", "validation_objective")
        )
        epochs = np.arange(1, clusterer.n_iter_ + 1)
        ax.plot(epochs, training, color="#0072B2", label="training batches")
        ax.plot(epochs, held_out, "--", color="#D55E00", label="held-out rows")
        ax.axvline(1 + np.argmin(held_out), color="0.6", ls=":", label="weights that are kept")
        ax.xaxis.get_major_locator().set_params(integer=True)
        score = clusterer.score(X_new, y_new)
        ax.set(title=f"validation_fraction={share:g}\nARI {score:.2f}", xlabel="epoch")
    axes[0].set_ylabel("objective")
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=3)


draw()
