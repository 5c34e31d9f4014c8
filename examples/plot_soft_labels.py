"""
Rows that belong to several classes
===================================

What if a row is partly one thing and partly another? `fit` takes a matrix of shares, a row for each
image and a column for each class, in place of labels. Here the images are blends of handwritten
digits: so much of a 0, so much of a 1 and so much of a 4.

Does the embedding know how much? The shares of an image are read from it: they are the mean of
those of the ten nearest training images. In the triangles a corner is a pure digit, the middle an
even blend of all three. The points are blends of digits that were not in the training set, coloured
by their *true* shares. *Middle*: learned from the largest share alone, as a label; blends are torn
apart. *Right*: learned from all shares; each blend is where it belongs, and colours change
gradually. Three columns of embedding then tell more than 64 pixels do.
"""

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.colors import to_rgb
from sklearn.datasets import load_digits
from sklearn.metrics import r2_score
from sklearn.neighbors import KNeighborsRegressor

from skdeepclust import DeepMetricClusterer

DIGITS = (0, 1, 4)
N_TRAIN, N_TEST = 600, 400
CORNERS = np.array([[0, 0], [1, 0], [0.5, np.sqrt(0.75)]])  # of the triangle, as it is drawn
COLORS = np.array([to_rgb(color) for color in ("#0072B2", "#D55E00", "#F0E442")])

# %%
# Each row is a blend of one image of each digit; images of the test rows are others.


def blend(images, n_rows, rng):
    """Blends (n, 64) of an image of each digit, and the share of each in them (n, 3)."""
    shares = rng.dirichlet(np.ones(len(DIGITS)), n_rows)
    parts = [of_digit[rng.randint(len(of_digit), size=n_rows)] for of_digit in images]
    return np.einsum("nk,knp->np", shares, parts), shares


X, y = load_digits(return_X_y=True)
images = [X[y == digit] for digit in DIGITS]
rng = np.random.RandomState(0)
X_train, shares = blend([of_digit[:100] for of_digit in images], N_TRAIN, rng)
X_test, true_shares = blend([of_digit[100:] for of_digit in images], N_TEST, rng)

# %%
# Learn from the largest share of each row, or from all shares; read shares from the neighbours.


def read_shares(train, test):
    """Shares of the test rows by their nearest training rows; (n, 3)."""
    return KNeighborsRegressor(10).fit(train, shares).predict(test)


read = {"the pixels": read_shares(X_train, X_test)}
for name, Y in {"labels": shares.argmax(axis=1), "shares": shares}.items():
    clusterer = DeepMetricClusterer(embedding_dim=3, random_state=0).fit(X_train, Y)
    read[name] = read_shares(clusterer.transform(X_train), clusterer.transform(X_test))
explained = {name: r2_score(true_shares, values) for name, values in read.items()}
for name, value in explained.items():
    print(f"from {name}: {value:.2f} of the variance of the shares explained")

# %%
# Some blends, and the triangles.

figure, axes = plt.subplots(1, 3, figsize=(13, 4.4), layout="constrained")
tiles = np.pad(X_test[:25].reshape(5, 5, 8, 8), ((0, 0), (0, 0), (1, 1), (1, 1)))
axes[0].imshow(tiles.transpose(0, 2, 1, 3).reshape(50, 50), cmap="gray_r", interpolation="nearest")
axes[0].set_title("Blends of a 0, a 1 and a 4")
for ax, (name, values) in zip(axes[1:], list(read.items())[1:], strict=True):
    ax.fill(*CORNERS.T, facecolor="none", edgecolor="0.6")
    ax.scatter(*(values @ CORNERS).T, c=true_shares @ COLORS, s=18, alpha=0.9)
    for digit, corner in zip(DIGITS, CORNERS, strict=True):
        middle = CORNERS.mean(axis=0)
        ax.text(*middle + 1.15 * (corner - middle), digit, ha="center", va="center", fontsize=14)
    ax.set(xlim=(-0.2, 1.2), ylim=(-0.12, 1.06))
    ax.set(aspect="equal", title=f"Learned from {name}: R² = {explained[name]:.2f}")
for ax in axes:
    ax.set_axis_off()
figure.savefig("soft_labels.png", dpi=100)
