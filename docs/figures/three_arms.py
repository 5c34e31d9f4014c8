"""Three arms in the plane, and what a clusterer with given parameters makes of them."""

import numpy as np
from matplotlib.colors import ListedColormap

from skdeepclust import DeepMetricClusterer

COLORS = np.array(["#0072B2", "#E69F00", "#009E73"])
PLACES = np.linspace(-6, 6, 80)


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
