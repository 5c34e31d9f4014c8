"""Synthetic data sets whose clusters have shapes: curves, rings, sheets, one inside another."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ._layout import Family, Floats, Sizes, grid_sites, place, spread_points, uniform_ball

__all__ = ["SHAPE_FAMILIES"]

_TURN = 2 * np.pi


def _fuzz(rng: np.random.RandomState, curve: Floats, thickness: float) -> Floats:
    """Rows around a curve."""
    return np.asarray(curve + thickness * rng.standard_normal(curve.shape))


def _circle(t: Floats, radius: float | Floats = 1.0) -> Floats:
    """Points of the plane at the angles `t`."""
    return np.stack([radius * np.cos(t), radius * np.sin(t)], axis=1)


def _primitive(rng: np.random.RandomState, n: int) -> Floats:
    """One shape of about unit size, (n, 2), turned at random."""
    t = rng.uniform(-1, 1, n)
    thickness = rng.uniform(0.01, 0.08)
    bend = rng.uniform(0.3, 1.0)
    shapes: tuple[Callable[[], Floats], ...] = (
        lambda: uniform_ball(rng, n, 2),
        lambda: rng.uniform(-0.9, 0.9, (n, 2)),
        lambda: 0.35 * rng.standard_normal((n, 2)),
        lambda: rng.dirichlet(np.ones(3), n) @ np.array([[1.0, 0], [-0.6, 0.9], [-0.6, -0.9]]),
        lambda: _fuzz(rng, _circle(np.pi * t), thickness),
        lambda: _fuzz(rng, _circle(rng.uniform(0.4, 0.8) * np.pi * t), thickness),
        lambda: _fuzz(rng, np.stack([t, bend * t**2], axis=1), thickness),
        lambda: _fuzz(rng, np.stack([t, 0.4 * np.sin(5 * bend * t)], axis=1), thickness),
        lambda: _fuzz(rng, np.stack([t, _zigzag(4 * t)], axis=1), thickness),
        lambda: _fuzz(rng, np.stack([t, 0 * t], axis=1), thickness),
        lambda: _fuzz(rng, np.where(t[:, None] < 0, [[0, 1]], [[1, 0]]) * abs(t)[:, None], 0.05),
        lambda: _circle(np.pi * t, np.sqrt(rng.uniform(0.3, 1, n))),
    )
    shape = shapes[rng.randint(len(shapes))]()
    turn = rng.uniform(0, _TURN)
    return np.asarray(shape @ _circle(np.array([turn, turn + np.pi / 2])))


def _single_shape(rng: np.random.RandomState, sizes: Sizes, p: int) -> list[Floats]:
    """One shape alone: one cluster, however bent it is."""
    return [_primitive(rng, int(sizes.sum()))]


def _zigzag(t: Floats) -> Floats:
    """Triangle wave between -0.2 and 0.2."""
    return np.asarray(0.4 * (np.abs((t % 2) - 1) - 0.5))


def _moons(rng: np.random.RandomState, sizes: Sizes, p: int) -> list[Floats]:
    """Pairs of half circles that reach into each other."""
    thickness, extent = rng.uniform(0.01, 0.1), rng.uniform(0.75, 1.05) * np.pi
    shift = np.array([1.0, rng.uniform(0.2, 0.55)])
    sites = grid_sites(rng, (len(sizes) + 1) // 2, 4.0)
    parts = []
    for c, size in enumerate(sizes):
        arc = _circle(np.pi / 2 + extent * rng.uniform(-0.5, 0.5, size))
        arc = shift - arc if c % 2 else arc
        parts.append(_fuzz(rng, arc, thickness) + sites[c // 2])
    return parts


def _rings(rng: np.random.RandomState, sizes: Sizes, p: int) -> list[Floats]:
    """Circles around one centre, with or without a core."""
    radius, thickness = rng.uniform(0.3, 1.0), rng.uniform(0.01, 0.06)
    parts: list[Floats] = []
    for c, size in enumerate(np.sort(sizes)):
        core = c == 0 and rng.uniform() < 0.5
        ring = _circle(rng.uniform(0, _TURN, size), radius)
        parts.append(radius * uniform_ball(rng, size, 2) if core else _fuzz(rng, ring, thickness))
        radius += max(rng.uniform(0.4, 1.0), 2.5 * _TURN * radius / size)
    return parts


def _shells(rng: np.random.RandomState, sizes: Sizes, p: int) -> list[Floats]:
    """Spheres around one centre, the innermost possibly filled."""
    radius, thickness = rng.uniform(0.3, 1.0), rng.uniform(0.01, 0.06)
    parts: list[Floats] = []
    filled = rng.uniform() < 0.5
    for size in np.sort(sizes):
        rows = uniform_ball(rng, size, p)
        if parts or not filled:
            rows /= np.linalg.norm(rows, axis=1, keepdims=True)
        parts.append(_fuzz(rng, radius * rows, thickness))
        radius += max(rng.uniform(0.4, 1.0), 3 * radius * size ** (-1 / (p - 1)))
    return parts


def _spirals(rng: np.random.RandomState, sizes: Sizes, p: int) -> list[Floats]:
    """Arms that wind around one centre."""
    turns, start = rng.uniform(0.5, 1.75) * _TURN, rng.uniform(0.4, 1.5)
    thickness = rng.uniform(0.01, 0.08) * _TURN / len(sizes)
    parts = []
    for c, size in enumerate(sizes):
        t = start + turns * np.sqrt(rng.uniform(size=size))  # even along the arm
        arm = _circle(t + _TURN * c / len(sizes), t)
        parts.append(_fuzz(rng, arm, thickness))
    return parts


def _grid_shapes(rng: np.random.RandomState, sizes: Sizes, p: int) -> list[Floats]:
    """Different shapes side by side."""
    sites = grid_sites(rng, len(sizes), rng.uniform(2.4, 3.2))
    return [_primitive(rng, size) + site for size, site in zip(sizes, sites, strict=True)]


def _scenes(rng: np.random.RandomState, sizes: Sizes, p: int) -> list[Floats]:
    """Shapes of different size, close together, small ones in the hollows of large ones."""
    scales = np.exp(rng.uniform(-0.8, 0.8, len(sizes)))
    parts = [s * _primitive(rng, size) for s, size in zip(scales, sizes, strict=True)]
    return place(rng, parts, rng.uniform(2.0, 4.0))


def _atoms(rng: np.random.RandomState, sizes: Sizes, p: int) -> list[Floats]:
    """Dense balls, each inside a sparse sphere."""
    outer, core = rng.uniform(1.5, 4.0), rng.uniform(0.1, 0.5)
    centers = spread_points(rng, (len(sizes) + 1) // 2, p, 2 * outer + rng.uniform(1.5, 3.0))
    parts = []
    for c, size in enumerate(sizes):
        rows = core * uniform_ball(rng, size, p)
        if c % 2:
            rows *= outer / np.linalg.norm(rows, axis=1, keepdims=True)
        parts.append(_fuzz(rng, rows, 0.03) + centers[c // 2])
    return parts


def _links(rng: np.random.RandomState, sizes: Sizes, p: int) -> list[Floats]:
    """A chain of rings in space, each through the next."""
    thickness, step = rng.uniform(0.01, 0.1), rng.uniform(0.8, 1.3)
    parts = []
    for c, size in enumerate(sizes):
        link = np.zeros((size, 3))
        link[:, [0, 1 + c % 2]] = _circle(rng.uniform(0, _TURN, size))
        link[:, 0] += c * step
        parts.append(_fuzz(rng, link, thickness))
    return parts


def _target(rng: np.random.RandomState, sizes: Sizes, p: int) -> list[Floats]:
    """A core in a ring, and small clumps around them."""
    sizes = np.sort(sizes)[::-1]
    ring = _fuzz(rng, _circle(rng.uniform(0, _TURN, sizes[0]), rng.uniform(1.5, 3)), 0.08)
    parts = [ring, 0.6 * uniform_ball(rng, sizes[1], 2)]
    start = rng.uniform(0, _TURN)
    for c, size in enumerate(sizes[2:]):
        site = _circle(np.array([start + _TURN * c / (len(sizes) - 2)]), rng.uniform(4.5, 6))
        parts.append(0.1 * rng.standard_normal((size, 2)) + site)
    return parts


def _near_balls(rng: np.random.RandomState, sizes: Sizes, p: int) -> list[Floats]:
    """Balls that nearly touch, at the corners of a simplex or of a cross polytope."""
    corners = np.sqrt(2) * np.eye(p)[: len(sizes)]
    if len(sizes) > p or rng.uniform() < 0.5:
        corners = np.concatenate([np.zeros((1, p)), 2 * np.eye(p), -2 * np.eye(p)])
    k = min(len(sizes), len(corners))
    corners = corners[rng.permutation(len(corners))[:k]] * rng.uniform(1.15, 1.6)
    sizes = np.append(sizes[: k - 1], sizes[k - 1 :].sum())
    return [uniform_ball(rng, n, p) + c for n, c in zip(sizes, corners, strict=True)]


def _bands(rng: np.random.RandomState, sizes: Sizes, p: int) -> list[Floats]:
    """Parallel waves, zigzags, parabolas or straight lines."""
    kind, bend = rng.randint(4), rng.uniform(0.5, 2.0)
    curves: tuple[Callable[[Floats], Floats], ...] = (
        lambda x: 0.5 * bend * np.sin(2 * x),
        lambda x: 3 * bend * _zigzag(x),
        lambda x: 0.2 * bend * x**2,
        lambda x: 0 * x,
    )
    thickness = rng.uniform(0.01, 0.12)
    # As far apart as the rows of the sparsest band are, or more.
    step = max(rng.uniform(0.6, 1.5), 4 * 6 / int(sizes.min())) * np.sqrt(1 + bend)
    parts = []
    for c, size in enumerate(sizes):
        x = rng.uniform(-3, 3, size)
        band = np.stack([x, curves[kind](x) + c * step], axis=1)
        parts.append(_fuzz(rng, band, thickness))
    return parts


def _stars(rng: np.random.RandomState, sizes: Sizes, p: int) -> list[Floats]:
    """Long thin clusters that meet near one centre, as the arms of an X."""
    inner, fuzzy = rng.uniform(0.0, 0.3), rng.uniform(0.01, 0.06)
    start = rng.uniform(0, _TURN)
    parts = []
    for c, size in enumerate(sizes):
        angle = np.full(size, start + _TURN * c / len(sizes))
        parts.append(_fuzz(rng, _circle(angle, inner + rng.uniform(0.1, 1.5, size)), fuzzy))
    return parts


def _rolls(rng: np.random.RandomState, sizes: Sizes, p: int) -> list[Floats]:
    """Swiss rolls and S-shaped sheets, cut across with gaps, or one behind another."""
    k, s_curve, stacked = len(sizes), rng.uniform() < 0.5, rng.uniform() < 0.5
    thickness, gap = rng.uniform(0.01, 0.04), rng.uniform(0.25, 0.6)
    width = rng.uniform(0.5, 2.0)
    parts = []
    for c, size in enumerate(sizes):
        low, high = (0.0, 1.0) if stacked else ((c + gap / 2) / k, (c + 1 - gap / 2) / k)
        t, depth = rng.uniform(low, high, size), width * rng.uniform(size=size)
        depth += c * (width + rng.uniform(0.6, 1.2)) if stacked else 0
        a = 3 * np.pi * (t - 0.5) if s_curve else 1.5 * np.pi * (1 + 2 * np.sqrt(t))
        sheet = _circle(a, a / 5)
        if s_curve:
            sheet = np.stack([np.sin(a), np.sign(a) * (np.cos(a) - 1)], axis=1)
        parts.append(_fuzz(rng, np.column_stack([sheet, depth]), thickness))
    return parts


def _smooth_manifolds(rng: np.random.RandomState, sizes: Sizes, p: int) -> list[Floats]:
    """Random smooth curves and sheets of many dimensions (random Fourier features)."""
    parts = []
    for size in sizes:
        q = rng.randint(1, 3)
        waves = rng.uniform(0.5, 2.0) * rng.standard_normal((q, 16))
        t = rng.uniform(-1, 1, (size, q))
        features = np.cos(t @ waves + rng.uniform(0, _TURN, 16))
        rows = features @ rng.standard_normal((16, p)) / np.sqrt(16)
        parts.append(_fuzz(rng, rows, rng.uniform(0.01, 0.1)))
    if p <= 8:
        return place(rng, parts, rng.uniform(2.0, 4.0))
    centers = spread_points(rng, len(sizes), p, rng.uniform(0.3, 1.0) * np.sqrt(p))
    return [rows + c for rows, c in zip(parts, centers, strict=True)]


def _filaments(rng: np.random.RandomState, sizes: Sizes, p: int) -> list[Floats]:
    """Threads that wander, smoothly or in straight pieces."""
    smooth = rng.uniform() < 0.5
    n_bends = rng.randint(1, 5)
    parts = []
    for size in sizes:
        steps = rng.standard_normal((n_bends, p))
        steps = steps[0] + rng.uniform(0.2, 1.0) * steps
        corners = np.concatenate([np.zeros((1, p)), np.cumsum(steps, axis=0)])
        t = rng.uniform(0, n_bends, size)
        i = np.minimum(t.astype(int), n_bends - 1)
        part = (t - i)[:, None]
        part = part * part * (3 - 2 * part) if smooth else part
        thread = corners[i] + part * (corners[i + 1] - corners[i])
        parts.append(_fuzz(rng, thread, rng.uniform(0.01, 0.05)))
    return place(rng, parts, rng.uniform(2.0, 4.0))


SHAPE_FAMILIES: dict[str, Family] = {
    "moons": Family(_moons, (2, 16), rows=15),
    "rings": Family(_rings, (2, 8), rows=15),
    "shells": Family(_shells, (2, 5), (3, 6), rows=15),
    "spirals": Family(_spirals, (2, 6), rows=15),
    "grid_shapes": Family(_grid_shapes, (2, 64)),
    "single_shape": Family(_single_shape, (1, 1), rows=30),
    "scenes": Family(_scenes, (2, 32)),
    "atoms": Family(_atoms, (2, 8), (2, 5), rows=15),
    "links": Family(_links, (2, 8), (3, 3), rows=15),
    "target": Family(_target, (2, 10), rows=10),
    "near_balls": Family(_near_balls, (2, 12), (2, 12)),
    "bands": Family(_bands, (2, 16), rows=15),
    "stars": Family(_stars, (2, 8), rows=15),
    "rolls": Family(_rolls, (2, 8), (3, 3), rows=15),
    "smooth_manifolds": Family(_smooth_manifolds, (2, 32), (2, 256)),
    "filaments": Family(_filaments, (2, 24), (2, 3), rows=15),
}
"""Families of clusters with a shape, by name."""
