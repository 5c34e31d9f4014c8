"""
How many labels does it take?
=============================

Of 800 handwritten digits some are labelled, equally many of each; -1 stands for the others'
labels. How many of *these others* are put in the cluster of their digit?

`DeepMetricClusterer` (blue) learns from both kinds of rows. A classifier of the nearest labelled
image (orange) does not look at the others, and k-means (dotted) not at the labels: it is matched
with the digits afterwards. Scikit-learn's LabelSpreading (green) carries labels along the
graph of nearest neighbours, as `DeepMetricClusterer` does before it learns; but it can only name
rows of the digits that it was given, where `DeepMetricClusterer` leaves a metric behind.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.cluster import KMeans
from sklearn.datasets import load_digits
from sklearn.neighbors import KNeighborsClassifier
from sklearn.semi_supervised import LabelSpreading

from skdeepclust import DeepMetricClusterer
from skdeepclust.metrics import clustering_accuracy

N_ROWS, N_DRAWS = 800, 3
N_LABELLED = [1, 2, 5, 10, 20]  # of each digit

# %%
# The labels of some images of each digit, chosen at random.

X, y = load_digits(return_X_y=True)
rows = np.random.RandomState(0).permutation(len(y))[:N_ROWS]
X, y = X[rows], y[rows]


def hide_most(n_labelled, rng):
    """Labels of some images of each digit, -1 for all others; (n,)."""
    few = np.full(len(y), -1)
    for digit in range(10):
        shown = rng.permutation(np.flatnonzero(y == digit))[:n_labelled]
        few[shown] = digit
    return few


# %%
# Three ways to use them.


def learn_metric(few):
    return DeepMetricClusterer(max_epochs=20, random_state=0).fit_predict(X, few)


def spread_labels(few):
    return LabelSpreading(kernel="knn", n_neighbors=7).fit(X, few).transduction_


def take_nearest(few):
    return KNeighborsClassifier(1).fit(X[few >= 0], few[few >= 0]).predict(X)


methods = {
    "DeepMetricClusterer": learn_metric,
    "LabelSpreading": spread_labels,
    "nearest labelled image": take_nearest,
}
accuracy = {name: np.empty((N_DRAWS, len(N_LABELLED))) for name in methods}
for draw in range(N_DRAWS):
    for column, n_labelled in enumerate(N_LABELLED):
        few = hide_most(n_labelled, np.random.RandomState(draw))
        hidden = few == -1
        for name, method in methods.items():
            accuracy[name][draw, column] = np.mean(method(few)[hidden] == y[hidden])
without = clustering_accuracy(y, KMeans(10, n_init=10, random_state=0).fit_predict(X))

print(f"{'labels a digit':<25}" + "".join(f"{n:>7}" for n in N_LABELLED))
for name, values in accuracy.items():
    print(f"{name:<25}" + "".join(f"{value:>7.3f}" for value in values.mean(axis=0)))
print(f"{'k-means, no label':<25}{without:>7.3f}")

# %%
# The accuracy over the number of labels; small dots are single draws of the labelled rows.

figure, ax = plt.subplots(figsize=(8, 5), layout="constrained")
colors, markers = ("#0072B2", "#009E73", "#E69F00"), "os^"
for (name, values), color, marker in zip(accuracy.items(), colors, markers, strict=True):
    ax.plot(N_LABELLED, values.mean(axis=0), f"{marker}-", color=color, label=name)
    ax.plot(N_LABELLED, values.T, ".", color=color, ms=4, alpha=0.5)
ax.axhline(without, color="0.4", ls=":", label="k-means, without labels")
ax.set_xscale("log")
ax.set_xticks(N_LABELLED, map(str, N_LABELLED))
ax.minorticks_off()
ax.set(xlabel="labelled images of each digit", ylabel="share of the others that are right")
ax.legend(loc="lower right")
ax.set_title(f"{N_ROWS} digits: what the labels of a few say of the others")
figure.savefig("few_labels.png", dpi=100)
