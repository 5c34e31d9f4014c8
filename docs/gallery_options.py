"""How sphinx-gallery orders and runs the examples, and shows what they write."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
from sphinx_gallery.scrapers import figure_rst, matplotlib_scraper

__all__ = ["ReadingOrder", "figures_and_animation", "written_files"]

_FIRST = ["plot_quickstart.py", "plot_no_number_of_clusters.py", "plot_new_classes.py"]
_LAST = ["distributed_fit.py"]


class ReadingOrder:
    """Sort key of the examples: the first steps first, all others by name."""

    def __init__(self, folder: Any) -> None:
        self.folder = folder

    def __call__(self, name: str) -> tuple[int, str]:
        """Place of a file."""
        place = _FIRST.index(name) if name in _FIRST else len(_FIRST) + (name in _LAST)
        return place, name


def written_files(gallery_conf: dict[str, Any], script_vars: dict[str, Any]) -> list[str]:
    """Arguments of an example: names for its picture and for its animation, if it has one."""
    name = Path(script_vars["src_file"]).stem.removeprefix("plot_")
    return [f"{name}.png", f"{name}.gif"]


def figures_and_animation(
    block: Any, block_vars: dict[str, Any], gallery_conf: dict[str, Any]
) -> str:
    """The figures of a part of an example, and the animation it wrote."""
    _, name = written_files(gallery_conf, block_vars)
    animation = Path(block_vars["src_file"]).with_name(name)
    if not animation.exists():
        return matplotlib_scraper(block, block_vars, gallery_conf)
    plt.close(plt.get_fignums()[-1])  # the figure that moved
    figures = matplotlib_scraper(block, block_vars, gallery_conf)
    shown = Path(next(block_vars["image_path_iterator"])).with_suffix(".gif")
    animation.replace(shown)
    return figures + figure_rst([shown], gallery_conf["src_dir"], "animation")
