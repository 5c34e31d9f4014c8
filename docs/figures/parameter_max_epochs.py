"""Three arms learned for three numbers of epochs."""

import matplotlib.pyplot as plt
from three_arms import draw_panel


def draw():
    """One panel for each number of epochs."""
    figure, axes = plt.subplots(1, 3, figsize=(8.4, 3), layout="constrained")
    for ax, n_epochs in zip(axes, (3, 20, 100), strict=True):
        draw_panel(ax, f"max_epochs={n_epochs}", max_epochs=n_epochs)


draw()
