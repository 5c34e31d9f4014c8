"""The critic: a learned score of clusterings, and what it learns from."""

from ._proposals import propose_clusterings, quality
from ._synthetic import FAMILIES, SyntheticSet, draw_dataset

__all__ = ["FAMILIES", "SyntheticSet", "draw_dataset", "propose_clusterings", "quality"]
