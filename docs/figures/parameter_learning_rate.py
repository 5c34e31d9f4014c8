"""Three arms learned at two learning rates, and the scores at more of them, also of digits."""

import matplotlib.pyplot as plt
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from three_arms import draw_panel, spirals

from skdeepclust import DeepMetricClusterer

RATES = (1e-5, 1e-4, 1e-3, 3e-3, 1e-2, 1e-1, 1.0)


def digits():
    """Ten labelled images of each of six digits, and 400 others."""
    X, y = load_digits(n_class=6, return_X_y=True)
    X, X_new, y, y_new = train_test_split(
        X, y, train_size=60, test_size=400, stratify=y, random_state=0
    )
    return X, y, X_new, y_new


def curve(X, y, X_new, y_new):
    """Adjusted Rand index on held-out rows for each rate."""
    clusterers = [
        DeepMetricClusterer(learning_rate=rate, max_epochs=40, random_state=0) for rate in RATES
    ]
    return [clusterer.fit(X, y).score(X_new, y_new) for clusterer in clusterers]


def draw():
    """Two rates, and the curves of two data sets."""
    figure, axes = plt.subplots(1, 3, figsize=(8.4, 3), layout="constrained")
    for ax, rate in zip(axes, (1e-5, 3e-3), strict=False):
        draw_panel(ax, f"learning_rate={rate:g}", learning_rate=rate)
    arms = curve(*spirals(450, seed=0), *spirals(600, seed=1))
    axes[2].plot(RATES, arms, "o-", color="#0072B2", label="three arms")
    axes[2].plot(RATES, curve(*digits()), "s--", color="#D55E00", label="six digits")
    axes[2].axvline(3e-3, color="0.6", ls=":", label="default")
    axes[2].set(xscale="log", xlabel="learning_rate", ylabel="ARI on other rows", ylim=(0, 1.02))
    axes[2].legend(frameon=False, loc="lower left")


draw()
