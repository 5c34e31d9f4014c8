"""
Is the gradient right?
======================

`spectral_clustering_loss` does not leave its gradient to automatic differentiation: the formula
is written down. Here it is checked against differences of the loss, which know nothing of it.

F (n, d) is an embedding of n rows, Y (n, k) says which cluster every row shall belong to, and ⁺ is
the pseudo-inverse: C = Y Y⁺ projects onto the wanted clustering, F F⁺ onto what is linear in F.
Law, Urtasun and Zemel (ICML 2017, equations 4 to 9) minimise the loss and know its gradient::

    l(F) = k - tr(C F F⁺)          G = -2 (I - F F⁺) C (F⁺)ᵀ

The difference quotient (l(F + h E) - l(F - h E)) / 2h of one entry of F, E being 1 there and 0
elsewhere, is not quite that entry of G, for two reasons: what the quotient neglects, which falls
with h², and the rounding of l, some 1e-16, which is divided by h. Over h the distance therefore
makes a V. Had the formula an error, it would not: the red line is G without its factor 2. Sizes
and h = 1e-7 are those of the check on the authors' page: n = 10, d = 4, random real Y of rank 7.

Run with the path of a picture to write it there instead of to ``gradient_check.png``.
"""

import sys

import matplotlib.pyplot as plt
import numpy as np
import torch

from skdeepclust import spectral_clustering_loss

N_ROWS, DIM, RANK = 10, 4, 7
N_DRAWS = 20
STEPS = np.logspace(-12, -1, 23)
PAGE_STEP = 1e-7
WANTED_DISTANCE = 1e-6
BLUE, RED = "#0072B2", "#D55E00"

# %%
# The formula, and the differences: every entry of F is moved up and down, all moves at once.


def closed_form_gradient(F, Y):
    """G as the loss of the package gives it; (n, d)."""
    embedding = torch.tensor(F, requires_grad=True)
    spectral_clustering_loss(embedding, torch.tensor(Y)).backward()
    return embedding.grad.numpy()


def loss(F, Y):
    """k - tr(C F F⁺) word for word, for one F or a stack of them."""
    C = Y @ np.linalg.pinv(Y)
    return RANK - np.trace(C @ F @ np.linalg.pinv(F), axis1=-2, axis2=-1)


def difference_quotients(F, Y, h):
    """Central differences of the loss by each entry of F; (n, d)."""
    moves = h * np.eye(F.size).reshape(-1, *F.shape)
    return ((loss(F + moves, Y) - loss(F - moves, Y)) / (2 * h)).reshape(F.shape)


# %%
# Frobenius distance of both: the root of the sum of the squared differences of all entries.

rng = np.random.RandomState(0)
distances, without_factor = np.empty((2, N_DRAWS, len(STEPS)))
for draw in range(N_DRAWS):
    F, Y = rng.normal(size=(N_ROWS, DIM)), rng.normal(size=(N_ROWS, RANK))
    G = closed_form_gradient(F, Y)
    for column, h in enumerate(STEPS):
        quotients = difference_quotients(F, Y, h)
        distances[draw, column] = np.linalg.norm(quotients - G)
        without_factor[draw, column] = np.linalg.norm(quotients - G / 2)

median = np.median(distances, axis=0)
worst = distances.max(axis=0)[np.isclose(STEPS, PAGE_STEP)].item()
best = median.argmin()
print(f"Frobenius distance of formula and differences, {N_DRAWS} random F and Y")
print(f"worst at h = {PAGE_STEP:g}: {worst:.1e}")
print(f"least median: {median[best]:.1e} at h = {STEPS[best]:.0e}")

# %%
# The distance over the step.

figure, ax = plt.subplots(figsize=(8, 5), layout="constrained")
ax.loglog(STEPS, distances.T, color=BLUE, alpha=0.2, lw=0.8)
ax.loglog(STEPS, median, "o-", color=BLUE, label=f"formula, median of {N_DRAWS} draws")
ax.loglog(STEPS, np.median(without_factor, axis=0), color=RED, label="without its factor 2")
large, small = STEPS[STEPS > 1e-4], STEPS[STEPS < 1e-6]
ax.loglog(large, 0.2 * median[-1] * (large / STEPS[-1]) ** 2, "k--", lw=1, label="slope 2")
ax.loglog(small, 0.2 * median[0] * STEPS[0] / small, "k:", lw=1, label="slope -1")
ax.axvline(PAGE_STEP, color="0.7", lw=1, zorder=0)
ax.annotate(" step of the authors' page", (PAGE_STEP, 1e-2), color="0.4")
ax.set(xlabel="step h of the differences", ylabel="Frobenius distance of gradient and differences")
ax.legend(loc="lower left")
ax.set_title("The gradient is right: the distance falls with h² until rounding takes over")
figure.savefig(sys.argv[1] if len(sys.argv) > 1 else "gradient_check.png", dpi=100)

if worst > WANTED_DISTANCE:
    raise SystemExit(f"The distance, {worst:.1e}, is above {WANTED_DISTANCE}.")
