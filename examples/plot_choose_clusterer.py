"""
Choose a clusterer without labels
=================================

Which of scikit-learn's clusterers, with how many clusters and which other parameters, suits these
data? ``GridSearchCV`` answers as soon as there is something to maximise that needs no labels:
``critic_scorer()``. `NoSplit` hands all rows to each candidate, as clusterers have no test set.

The data are three slanted blobs, which no clusterer is made for by default. *Left*: the best
clusterings in the order of the critic's scores, with the adjusted Rand index that only the picture
knows. *Right*: the clustering that was chosen.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.base import clone
from sklearn.cluster import HDBSCAN, AgglomerativeClustering, KMeans
from sklearn.datasets import make_blobs
from sklearn.metrics import adjusted_rand_score
from sklearn.mixture import GaussianMixture
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import Pipeline

from skdeepclust.metrics import critic_scorer
from skdeepclust.model_selection import NoSplit
from skdeepclust.plotting import CriticDisplay, EmbeddingDisplay

X, y = make_blobs(300, random_state=170)
X = X @ [[0.6, -0.6], [-0.4, 0.8]]

# %%
# The clusterer itself is a parameter of the pipeline, so that one search compares them all.

numbers = range(2, 9)
grid = [
    {"clusterer": [KMeans(random_state=0)], "clusterer__n_clusters": numbers},
    {
        "clusterer": [AgglomerativeClustering()],
        "clusterer__linkage": ["ward", "average", "single"],
        "clusterer__n_clusters": numbers,
    },
    {"clusterer": [GaussianMixture(random_state=0)], "clusterer__n_components": numbers},
    {"clusterer": [HDBSCAN(copy=True)], "clusterer__min_cluster_size": [5, 10, 20]},
]
search = GridSearchCV(
    Pipeline([("clusterer", KMeans())]), grid, scoring=critic_scorer(), cv=NoSplit()
)
search.fit(X)

# %%
# How good each of them is.

KINDS = {"GaussianMixture": "Gaussian mixture", "AgglomerativeClustering": "linkage"}


def describe(params):
    """What a candidate is called, and its adjusted Rand index."""
    clusterer = clone(search.estimator).set_params(**params)[-1]
    labels = clusterer.fit_predict(X)
    kind = KINDS.get(type(clusterer).__name__, type(clusterer).__name__)
    kind = f"{params['clusterer__linkage']} {kind}" if kind == "linkage" else kind
    return kind, labels.max() + 1, adjusted_rand_score(y, labels)


scores = search.cv_results_["mean_test_score"]
described = [describe(params) for params in search.cv_results_["params"]]
agreement = np.array([ari for _, _, ari in described])
names = [f"{kind}, K = {k} (ARI {ari:.2f})" for kind, k, ari in described]
print(f"{len(scores)} candidates, adjusted Rand index up to {agreement.max():.2f}")
print(f"chosen: {names[search.best_index_]}")

# %%
# The best ones, and the clustering that was chosen.

labels = search.best_estimator_[-1].fit_predict(X)
figure, (left, right) = plt.subplots(1, 2, figsize=(11, 4.8), layout="constrained")
CriticDisplay.from_scores(scores, names=names, ax=left, max_shown=14)
EmbeddingDisplay.from_embedding(X, labels, ax=right, legend=False, s=14)
right.set_title(f"chosen: {names[search.best_index_]}")
figure.savefig("choose_clusterer.png", dpi=100)
