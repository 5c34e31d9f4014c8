"""matplotlib where a plot needs it; the package works without."""

from __future__ import annotations

from typing import Any

__all__ = ["import_pyplot"]


def import_pyplot() -> Any:
    """``matplotlib.pyplot``, or an error that says how to get it."""
    try:
        import matplotlib.pyplot as plt
    except ImportError as error:
        raise ImportError('Plots need matplotlib: pip install "skdeepclust[plot]"') from error
    return plt
