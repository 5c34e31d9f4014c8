"""Three arms learned at two learning rates, and the scores at more of them, also of digits."""

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.colors import ListedColormap
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from skdeepclust import DeepMetricClusterer

COLORS = np.array(["#0072B2", "#E69F00", "#009E73"])
PLACES = np.linspace(-6, 6, 80)
RATES = (1e-5, 1e-4, 1e-3, 3e-3, 1e-2, 1e-1, 1.0)


def spirals(n, seed):
    """Rows (n, 2) along three arms, and the arm of each."""
    rng = np.random.RandomState(seed)
    y = np.arange(n) % 3
    radius = np.sqrt(rng.uniform(0.03, 1.0, n))
    angle = 2.2 * np.pi * radius + 2 * np.pi * y / 3
    arms = 5 * np.column_stack([radius * np.cos(angle), radius * np.sin(angle)])
    return arms + 0.25 * rng.standard_normal((n, 2)), y


def draw_panel(ax, name, **parameters):
    """Training rows, and behind them the cluster that each place is given."""
    X, y = spirals(450, seed=0)
    options = {"max_epochs": 40, "random_state": 0, **parameters}
    clusterer = DeepMetricClusterer(**options).fit(X, y)
    places = np.stack(np.meshgrid(PLACES, PLACES), axis=-1)  # (80, 80, 2)
    found = clusterer.predict(places.reshape(-1, 2)).reshape(places.shape[:2])
    ax.pcolormesh(PLACES, PLACES, found, cmap=ListedColormap(COLORS), alpha=0.3, vmin=0, vmax=2)
    ax.scatter(*X.T, s=6, color=COLORS[y])
    score = clusterer.score(*spirals(600, seed=1))
    ax.set(title=f"{name}\nARI {score:.2f}", xlabel="feature 1", ylabel="feature 2")


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
