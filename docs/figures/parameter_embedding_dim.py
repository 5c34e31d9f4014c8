"""Held-out digits in an embedding of too few, enough and many dimensions."""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from skdeepclust import DeepMetricClusterer
from skdeepclust.plotting import EmbeddingDisplay

VALUES = (2, "auto", 64)
COLORS = np.array(["#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00"])


def digits():
    """Ten labelled images of each of six digits, and 400 others."""
    X, y = load_digits(n_class=len(COLORS), return_X_y=True)
    return train_test_split(X, y, train_size=60, test_size=400, stratify=y, random_state=0)


def draw():
    """One panel for each value; the colours are the digits."""
    X, X_new, y, y_new = digits()
    figure, axes = plt.subplots(1, 3, figsize=(8.4, 2.9), layout="constrained")
    for ax, value in zip(axes, VALUES, strict=True):
        clusterer = DeepMetricClusterer(embedding_dim=value, max_epochs=30, random_state=0)
        clusterer.fit(X, y)
        EmbeddingDisplay.from_estimator(clusterer, X_new, ax=ax, c=COLORS[y_new])
        name = f"{value}, here {clusterer.transform(X).shape[1]}" if value == "auto" else value
        ax.set(title=f"embedding_dim={name}\nARI {clusterer.score(X_new, y_new):.2f}")
        ax.set(xlabel="principal component 1", ylabel="principal component 2")


draw()
