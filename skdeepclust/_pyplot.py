"""matplotlib where a plot needs it, and the colours of the plots; the package works without."""

from __future__ import annotations

from typing import Any

__all__ = ["OKABE_ITO", "import_pyplot"]

OKABE_ITO = {
    "blue": "#0072B2",
    "vermillion": "#D55E00",
    "green": "#009E73",
    "orange": "#E69F00",
    "sky blue": "#56B4E9",
    "purple": "#CC79A7",
    "black": "#000000",
    "yellow": "#F0E442",
}
"""Colours of Okabe and Ito, which people with any kind of sight tell apart.

Those that stand out most from a white ground and from each other come first.
"""


def import_pyplot() -> Any:
    """``matplotlib.pyplot``, or an error that says how to get it."""
    try:
        import matplotlib.pyplot as plt
    except ImportError as error:
        raise ImportError('Plots need matplotlib: pip install "skdeepclust[plot]"') from error
    return plt
