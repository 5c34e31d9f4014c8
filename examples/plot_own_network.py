"""
A network of your own
=====================

When is it worth bringing one's own network? When it knows something of the data that no table of
features tells. The rows here are waves of five kinds, noisy, and each begins somewhere in its
period. To k-means and to the default network two waves of one kind are different if they
begin at different places. A convolution around the circle, followed by a mean over time, does not
care where a wave begins: any ``torch.nn.Module`` will do as ``encoder``.

*Left*: one wave of each kind. *Then*: waves that were not in the training set, as they are, and as
they are embedded by the default network and by the one of our own; the same 200 labelled waves were
learned from. The titles say how well k-means, or the clusterer, finds the kinds.
"""

import matplotlib.pyplot as plt
import numpy as np
import torch
from scipy.signal import sawtooth, square
from sklearn.cluster import KMeans
from sklearn.metrics import adjusted_rand_score
from torch import nn

from skdeepclust import DeepMetricClusterer
from skdeepclust.plotting import EmbeddingDisplay

KINDS = {
    "sine": np.sin,
    "square": square,
    "rising": sawtooth,
    "falling": lambda t: -sawtooth(t),
    "triangle": lambda t: sawtooth(t, 0.5),
}
LENGTH, NOISE = 64, 0.2

# %%
# Waves with two periods.


def make_waves(n, rng):
    """Waves (n, 64) and the name of each one's kind, (n,)."""
    names = np.array(list(KINDS))[np.arange(n) % len(KINDS)]
    time = np.linspace(0, 4 * np.pi, LENGTH, endpoint=False)
    starts = rng.uniform(2 * np.pi, size=n)
    waves = [KINDS[name](time + start) for name, start in zip(names, starts, strict=True)]
    return np.array(waves) + NOISE * rng.normal(size=(n, LENGTH)), names


rng = np.random.RandomState(0)
X_train, y_train = make_waves(200, rng)
X_test, y_test = make_waves(500, rng)

# %%
# The network takes rows (n, 64) and returns (n, 32); the clusterer adds a layer if it wants other
# columns. It trains a copy: the module itself, whose weights are torch's, stays as it is.

torch.manual_seed(0)
around = {"kernel_size": 9, "padding": "same", "padding_mode": "circular"}
network = nn.Sequential(
    nn.Unflatten(1, (1, LENGTH)),
    nn.Conv1d(1, 32, **around),
    nn.ReLU(),
    nn.Conv1d(32, 32, **around),
    nn.ReLU(),
    nn.AdaptiveAvgPool1d(1),
    nn.Flatten(),
)
clusterers = {
    name: DeepMetricClusterer(encoder=encoder, embedding_dim=5, random_state=0)
    for name, encoder in {'encoder="mlp"': "mlp", "encoder=network": network}.items()
}

# %%
# Learn from the training waves, look at the others.

shown = {"the waves themselves": X_test}
found = {"the waves themselves": KMeans(5, n_init=10, random_state=0).fit_predict(X_test)}
for name, clusterer in clusterers.items():
    clusterer.fit(X_train, y_train)
    shown[name], found[name] = clusterer.transform(X_test), clusterer.predict(X_test)
agreement = {name: adjusted_rand_score(y_test, labels) for name, labels in found.items()}
for name, value in agreement.items():
    print(f"{name:<22}adjusted Rand index on new waves {value:.2f}")

figure, axes = plt.subplots(1, 4, figsize=(15, 4), layout="constrained")
for place, kind in enumerate(KINDS):
    axes[0].plot(X_test[y_test == kind][0] - 3 * place, color="k", lw=1)
axes[0].set_yticks([-3 * place for place in range(5)], list(KINDS))
axes[0].set(xlabel="time", title="one wave of each kind")
for ax, (name, rows) in zip(axes[1:], shown.items(), strict=True):
    last = ax is axes[-1]
    EmbeddingDisplay.from_embedding(
        rows, y_test, ax=ax, projection="tsne", legend=last, random_state=0
    )
    ax.set_title(f"{name}: ARI {agreement[name]:.2f}")
figure.savefig("own_network.png", dpi=100)
