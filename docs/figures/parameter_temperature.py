"""Three arms learned with a temperature that is too low, the default one and a high one."""

import matplotlib.pyplot as plt
from three_arms import draw_panel


def draw():
    """One panel for each temperature."""
    figure, axes = plt.subplots(1, 3, figsize=(8.4, 3), layout="constrained")
    draw_panel(axes[0], "temperature=0.001", temperature=0.001)
    draw_panel(axes[1], "temperature=0.14 (default)")
    draw_panel(axes[2], "temperature=10", temperature=10.0)


draw()
