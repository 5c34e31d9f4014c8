"""
Several good clusterings of one data set
========================================

Are these three clusters or nine? Both answers are right, and a clusterer that has but one must be
wrong for somebody. `CriticClusterer` keeps what else it came across: ``alternatives_`` are good
clusterings that differ from the chosen one and from each other, each with the critic's score.

The data are nine blobs in three groups. The clustering that is chosen are the three groups; among
the first alternatives are the nine blobs, which touch one another. Their score is not much lower:
an estimate of the adjusted Rand index with the truth, of which the critic thinks that there is one.
The others vary these two answers.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.metrics import adjusted_rand_score

from skdeepclust import CriticClusterer
from skdeepclust.plotting import EmbeddingDisplay

N_ROWS, SPREAD = 40, 0.55  # rows and standard deviation of each of nine blobs

# %%
# Three groups of three blobs.

corners = np.array([[0, 1.2], [-1, -0.6], [1, -0.6]])
centers = (corners[:, None] * 7 + corners * 1.4).reshape(-1, 2)
fine = np.repeat(np.arange(9), N_ROWS)
coarse = fine // 3
X = centers[fine] + SPREAD * np.random.RandomState(0).normal(size=(len(fine), 2))

# %%
# One search, several answers.

clusterer = CriticClusterer(random_state=0).fit(X)
found = {"chosen": (clusterer.labels_, clusterer.score_)}
for i, alternative in enumerate(clusterer.alternatives_, start=1):
    found[f"alternative {i}"] = alternative

print(f"{'':<16}{'clusters':>9}{'score':>8}{'ARI, three':>12}{'ARI, nine':>11}")
for name, (labels, score) in found.items():
    agreement = [adjusted_rand_score(truth, labels) for truth in (coarse, fine)]
    print(f"{name:<16}{labels.max() + 1:>9}{score:>8.2f}{agreement[0]:>12.2f}{agreement[1]:>11.2f}")

# %%
# The chosen one and the first alternatives.

figure, axes = plt.subplots(2, 3, figsize=(11, 7.4), layout="constrained")
for ax, (name, (labels, score)) in zip(axes.flat, found.items(), strict=False):
    EmbeddingDisplay.from_embedding(X, labels, ax=ax, legend=False, s=12)
    ax.set_title(f"{name}: K = {labels.max() + 1}, score {score:.2f}")
figure.savefig("alternatives.png", dpi=100)
