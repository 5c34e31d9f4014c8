"""Three arms learned in small, default and whole batches, for equally many epochs."""

import matplotlib.pyplot as plt
from three_arms import draw_panel


def draw():
    """One panel for each size."""
    figure, axes = plt.subplots(1, 3, figsize=(8.4, 3), layout="constrained")
    draw_panel(axes[0], "batch_size=16\n1160 steps", batch_size=16)
    draw_panel(axes[1], "batch_size=128 (default)\n160 steps")
    draw_panel(axes[2], "batch_size=450\n40 steps", batch_size=450)


draw()
