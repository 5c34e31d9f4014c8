"""
Six clusters in three dimensions
================================

What does gradient descent on the spectral clustering loss do to points, and how far can it get?
Each of 180 points has three coordinates that are not negative and sum to one: it lies in a
triangle, the simplex. Its colour is the wanted one of six clusters. The start is random; each
iteration takes a step against the gradient and puts every point back onto the simplex.

The rows of F (n, d) are the points, Y (n, k) has a 1 where a row belongs to a cluster, and ⁺ is the
pseudo-inverse: C = Y Y⁺ projects onto the wanted clustering, F F⁺ onto what is linear in F. Law,
Urtasun and Zemel (ICML 2017, equations 4 to 9) minimise k - tr(C F F⁺) along its gradient
G = -2 (I - F F⁺) C (F⁺)ᵀ and watch the monitor -tr(C F F⁺), which lies between -k and 0.

Six clusters do *not* fit three dimensions: F F⁺ has rank 3, so the monitor ends at -3, not at -6.
It is -3 as soon as each cluster is a single point and not all lie on a line; two of them may nearly
coincide. Only the start keeps them apart: as Fᵀ G = 0, the spread Fᵀ F changes little, and what is
lost within clusters is gained between them. In all of 100 starts k-means finds the six clusters at
the end, but the nearest two are then 0.01 to 0.33 apart (the triangle's side is 1.41). With six
coordinates (dashed) the monitor reaches -6 and the nearest two are 0.32 to 0.49 apart: it is wise
to have as many dimensions as clusters.

Run with the path of a picture to write it there instead of to ``simplex_demo.png``, and with a
second path, of a GIF, to write an animation as well.
"""

import sys

import matplotlib.pyplot as plt
import numpy as np
import torch
from matplotlib.animation import FuncAnimation, PillowWriter
from sklearn.cluster import KMeans

from skdeepclust import spectral_clustering_loss
from skdeepclust.metrics import clustering_accuracy

N_ROWS, N_CLUSTERS, N_ITERATIONS = 180, 6, 150
STEP = 0.002 * N_ROWS
CORNERS = np.array([[0, 0], [1, 0], [0.5, np.sqrt(0.75)]])  # of the triangle, as it is drawn
COLORS = np.array("#0072B2 #D55E00 #009E73 #E69F00 #56B4E9 #CC79A7".split())
y = np.arange(N_ROWS) % N_CLUSTERS


def project_to_simplex(rows):
    """The nearest rows with entries that are not negative and sum to one; (n, d).

    All entries are lowered alike and cut off at 0; sorted, they tell how many stay positive.
    """
    ordered = rows.sort(dim=1, descending=True).values
    excess = ordered.cumsum(dim=1) - 1
    n_positive = (ordered * torch.arange(1, rows.shape[1] + 1) > excess).sum(dim=1, keepdim=True)
    return (rows - excess.gather(1, n_positive - 1) / n_positive).clamp(min=0)


def descend(dim, random_state=0):
    """The points (n, dim) and the monitor of every iteration."""
    start = np.random.RandomState(random_state).dirichlet(np.ones(dim), N_ROWS)
    path, monitor = [torch.tensor(start, requires_grad=True)], []
    for _ in range(N_ITERATIONS + 1):
        loss = spectral_clustering_loss(path[-1], torch.tensor(y))
        monitor.append(loss.item() - N_CLUSTERS)
        loss.backward()
        moved = path[-1].detach() - STEP * path[-1].grad
        path.append(project_to_simplex(moved).requires_grad_())
    return [points.detach().numpy() for points in path[:-1]], monitor


(path, monitor), (_, roomy_monitor) = descend(3), descend(N_CLUSTERS)
found = KMeans(N_CLUSTERS, n_init=10, random_state=0).fit_predict(path[-1])
accuracy = clustering_accuracy(y, found)
print(f"monitor: {monitor[-1]:.3f} of -3; with six coordinates {roomy_monitor[-1]:.3f} of -6")
print(f"accuracy of k-means on the points: {accuracy:.3f}")


def draw(ax, iteration):
    """The points in their triangle."""
    ax.clear()
    ax.fill(*CORNERS.T, facecolor="none", edgecolor="0.6")
    ax.scatter(*(path[iteration] @ CORNERS).T, c=COLORS[y], s=24, alpha=0.8)
    ax.set(aspect="equal", title=f"iteration {iteration}: monitor {monitor[iteration]:.2f}")
    ax.set_axis_off()


figure, axes = plt.subplots(1, 4, figsize=(14, 4), layout="constrained")
for ax, iteration in zip(axes, (0, 60, N_ITERATIONS), strict=False):
    draw(ax, iteration)
for values, style, bound in ((monitor, "k-", -3), (roomy_monitor, "k--", -6)):
    axes[3].plot(values, style, label=f"{-bound} coordinates, at best {bound}")
    axes[3].axhline(bound, color="#D55E00", lw=0.8, zorder=0)
axes[3].set(xlabel="iteration", ylabel="monitor -tr(C F F⁺)", ylim=(-6.2, 0))
axes[3].legend(loc="upper right")
figure.suptitle("180 points of three coordinates that sum to one, coloured by the wanted cluster")
figure.savefig(sys.argv[1] if len(sys.argv) > 1 else "simplex_demo.png", dpi=100)

if len(sys.argv) > 2:
    moving, ax = plt.subplots(figsize=(4, 3.7))
    frames = [*range(0, N_ITERATIONS, 3), *[N_ITERATIONS] * 10]
    FuncAnimation(moving, lambda i: draw(ax, i), frames).save(sys.argv[2], PillowWriter(fps=12))
