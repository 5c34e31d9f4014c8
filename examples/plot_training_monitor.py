"""
How far has training come?
==========================

`DeepMetricClusterer` notes after every epoch how well the embedding expresses the wanted clusters:
``history_["monitor"]``. It answers two questions: whether more epochs would help, and whether what
was learned holds for other rows too.

F (n, d) is the embedding of a batch, C = Y Y⁺ projects onto its k wanted clusters Y, and F F⁺ onto
what is linear in F. The monitor of Law, Urtasun and Zemel (ICML 2017) is -tr(C F F⁺). It lies
between 0 and -k, and is -k where a linear map of F tells the clusters without error. What is
minimised, k more (equations 4 to 9), is ``history_["objective"]``.

*Left*: ten handwritten digits, k = d = 10, 600 rows. The monitor, a mean over the batches of an
epoch, comes close to -10. ``history_["validation_objective"]`` less k is the same figure for rows
that were held out, at the end of the epoch: it stops above. What lies between was learned by heart;
more epochs do not help, more rows do.

*Right*: with a ridge, λ I is added to Fᵀ F, λ being ρ times the mean eigenvalue of Fᵀ F. Nothing is
then expressed in full, and for k ≤ d the monitor cannot fall below -k d / (d + ρ k): with k = d and
the default, ρ = 1, that is -k / 2. The distance to this bound (dashed) matters, not that to -k. Nor
is the held-out figure comparable then: it is the error of a map, which the ridge raises less.

Run with the path of a picture to write it there instead of to ``training_monitor.png``.
"""

import sys

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits

from skdeepclust import DeepMetricClusterer

N_ROWS, N_CLASSES, N_EPOCHS = 600, 10, 30
RIDGES = [0.0, 0.1, 1.0]
BLUE, ORANGE, GREEN, PURPLE = "#0072B2", "#E69F00", "#009E73", "#CC79A7"

# %%
# One fit for each ridge. A third of the rows is held out; no fit stops early.

X, y = load_digits(return_X_y=True)
rows = np.random.RandomState(0).permutation(len(y))[:N_ROWS]
history = {}
for ridge in RIDGES:
    clusterer = DeepMetricClusterer(
        loss="spectral",
        ridge=ridge,
        max_epochs=N_EPOCHS,
        early_stopping=True,
        validation_fraction=0.33,
        n_iter_no_change=N_EPOCHS,
        random_state=0,
    )
    history[ridge] = clusterer.fit(X[rows], y[rows]).history_

bound = {ridge: -N_CLASSES / (1 + ridge) for ridge in RIDGES}  # of k = d
held_out = np.array(history[0.0]["validation_objective"]) - N_CLASSES
print(f"{'ridge':<8}{'first':>8}{'last':>8}{'bound':>8}")
for ridge, figures in history.items():
    monitor = figures["monitor"]
    print(f"{ridge:<8}{monitor[0]:>8.2f}{monitor[-1]:>8.2f}{bound[ridge]:>8.2f}")
print(f"held-out rows without a ridge: {held_out[-1]:.2f}")

# %%
# Training and held-out rows; and the bound of each ridge.

epochs = np.arange(1, N_EPOCHS + 1)
figure, (left, right) = plt.subplots(1, 2, figsize=(10, 4), sharey=True, layout="constrained")
left.plot(epochs, history[0.0]["monitor"], "o-", color=BLUE, ms=3, label="training batches")
left.plot(epochs, held_out, "s-", color=ORANGE, ms=3, label="held-out rows")
left.fill_between(epochs, history[0.0]["monitor"], held_out, color="0.92")
left.annotate("learned by heart", (0.6 * N_EPOCHS, -9.58), ha="center", va="center")
left.set(title="Does it hold for other rows? (ρ = 0)", ylabel="monitor -tr(C F F⁺)")
for ridge, color, marker in zip(RIDGES, (BLUE, GREEN, PURPLE), "o^D", strict=True):
    monitor, style = history[ridge]["monitor"], f"{marker}-"
    right.plot(epochs, monitor, style, color=color, ms=3, label=f"ρ = {ridge:g}")
    right.axhline(bound[ridge], color=color, ls="--", lw=1)
right.set_title("Would more epochs help? (dashed: lowest possible)")
for ax in (left, right):
    ax.set(xlabel="epoch", ylim=(-N_CLASSES - 0.3, -3))
    ax.legend(loc="upper right")
figure.savefig(sys.argv[1] if len(sys.argv) > 1 else "training_monitor.png", dpi=100)
