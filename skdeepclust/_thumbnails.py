"""Small pictures of rows, drawn where their points lie in the plane."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["check_images", "draw_thumbnails", "spread_out"]

# Share of the axes that a thumbnail takes; the points of two are at least as far apart.
_WIDTH = 0.07
_MOST = 80


def check_images(images: ArrayLike, n_rows: int, shown: Any = slice(None)) -> NDArray[np.float64]:
    """Images with values from 0 to 1 as matplotlib wants them.

    Parameters
    ----------
    images : array-like of shape (n, h, w) or (n, c, h, w)
    n_rows : int
        Number n of rows that they must belong to.
    shown : slice or ndarray of int
        The rows that are wanted, m of them. Default: all.

    Returns
    -------
    ndarray of shape (m, h, w) or (m, h, w, 3)
        The latter for three channels; of any other number of channels the mean.

    Raises
    ------
    ValueError
        If the shape is another, or values are not finite.
    """
    found = np.asarray(images)
    if found.ndim not in (3, 4) or len(found) != n_rows or 0 in found.shape:
        raise ValueError(
            f"images has shape {found.shape}: ({n_rows}, h, w) or ({n_rows}, c, h, w) is wanted, "
            "an image for each row."
        )
    found = found[shown].astype(np.float64)
    if not np.isfinite(found).all():
        raise ValueError("images contains NaN or infinity.")
    if found.ndim == 4:
        found = np.moveaxis(found, 1, 3) if found.shape[1] == 3 else found.mean(axis=1)
    low, high = found.min(), found.max()
    return np.asarray((found - low) / (high - low if high > low else 1.0))


def spread_out(points: NDArray[Any], gap: float = _WIDTH, most: int = _MOST) -> list[int]:
    """Positions of points of which no two are near one another, the earlier ones first.

    Parameters
    ----------
    points : ndarray of shape (n, 2)
    gap : float, default=0.07
        Least distance of two along one of the axes, as a share of what all points span.
    most : int, default=80
    """
    span = np.ptp(points, axis=0)
    places = (points - points.min(axis=0)) / np.where(span > 0, span, 1.0)
    kept: list[int] = []
    for i, place in enumerate(places):
        if not kept or np.abs(places[kept] - place).max(axis=1).min() >= gap:
            kept.append(i)
        if len(kept) == most:
            break
    return kept


def draw_thumbnails(
    ax: Any, points: NDArray[Any], images: NDArray[Any], colors: Sequence[str]
) -> list[Any]:
    """Draw the images of some points, each framed in its colour.

    Parameters
    ----------
    ax : matplotlib Axes
    points : ndarray of shape (n, 2)
    images : ndarray of shape (n, h, w) or (n, h, w, 3)
    colors : sequence of str
        One for each point.

    Returns
    -------
    list of matplotlib AnnotationBbox
    """
    from matplotlib.offsetbox import AnnotationBbox, OffsetImage

    inches = min(ax.get_position().size * ax.figure.get_size_inches())
    zoom = 72 * inches * _WIDTH / max(images.shape[1:3])
    boxes = [
        AnnotationBbox(
            OffsetImage(images[i], zoom=zoom, cmap="gray_r", norm="linear"),
            tuple(points[i]),
            pad=0.15,
            bboxprops={"edgecolor": colors[i], "linewidth": 1.2},
        )
        for i in spread_out(points)
    ]
    for box in boxes:
        ax.add_artist(box)
    return boxes
