"""Synthetic data sets whose clusters are compact: Gaussian and otherwise, in any dimension."""

from __future__ import annotations

import numpy as np

from ._layout import Family, Floats, Sizes, spread_points, uniform_ball

__all__ = ["COMPACT_FAMILIES"]


def _gap(rng: np.random.RandomState, p: int) -> float:
    """Distance of two centres, over the sum of the spreads, at which clusters can be told apart.

    Distances between rows grow with the dimension, their differences between clusters do not.
    """
    return float(rng.uniform(2.0, 5.0) * max(1.0, 0.8 * p**0.25))


def _normal(rng: np.random.RandomState, sizes: Sizes, p: int) -> list[Floats]:
    return [rng.standard_normal((size, p)) for size in sizes]


def _gaussians(rng: np.random.RandomState, sizes: Sizes, p: int) -> list[Floats]:
    """Round, of one variance."""
    centers = spread_points(rng, len(sizes), p, 2 * _gap(rng, p))
    return [rows + c for rows, c in zip(_normal(rng, sizes, p), centers, strict=True)]


def _unequal_gaussians(rng: np.random.RandomState, sizes: Sizes, p: int) -> list[Floats]:
    """Round, of variances that differ by up to two orders of magnitude."""
    scales = np.exp(rng.uniform(-1.2, 1.2, len(sizes)))
    centers = spread_points(
        rng, len(sizes), p, _gap(rng, p), lambda u: np.tile(scales[:, None], len(u))
    )
    parts = zip(_normal(rng, sizes, p), scales, centers, strict=True)
    return [s * rows + c for rows, s, c in parts]


def _anisotropic_gaussians(rng: np.random.RandomState, sizes: Sizes, p: int) -> list[Floats]:
    """Ellipsoids, each with its own axes."""
    stretch = rng.uniform(0.3, 1.5)
    axes = [_axes(rng, p) * np.exp(rng.uniform(-stretch, stretch, p)) for _ in sizes]
    centers = spread_points(
        rng,
        len(sizes),
        p,
        _gap(rng, p),
        lambda u: np.array([np.linalg.norm(u @ a, axis=1) for a in axes]),
    )
    parts = zip(_normal(rng, sizes, p), axes, centers, strict=True)
    return [rows @ a.T + c for rows, a, c in parts]


def _axes(rng: np.random.RandomState, p: int) -> Floats:
    """Random orthonormal axes as columns."""
    return np.asarray(np.linalg.qr(rng.standard_normal((p, p)))[0])


def _subspace_gaussians(rng: np.random.RandomState, sizes: Sizes, p: int) -> list[Floats]:
    """Many features, few directions, its own in every cluster, and a little noise in all."""
    q = rng.randint(1, min(8, p - 1) + 1)
    maps = [_axes(rng, p)[:q] for _ in sizes]
    noise = rng.uniform(0.01, 0.2)
    centers = spread_points(rng, len(sizes), p, 2 * rng.uniform(1.5, 4.0) * q**0.25)
    return [
        rng.standard_normal((size, q)) @ m + noise * rng.standard_normal((size, p)) + c
        for size, m, c in zip(sizes, maps, centers, strict=True)
    ]


def _student_t(rng: np.random.RandomState, sizes: Sizes, p: int) -> list[Floats]:
    """Heavy tails: multivariate Student t with 2.1 to 6 degrees of freedom."""
    freedom = rng.uniform(2.1, 6.0)
    centers = spread_points(rng, len(sizes), p, 2.5 * _gap(rng, p))
    return [
        rows / np.sqrt(rng.chisquare(freedom, (len(rows), 1)) / freedom) + c
        for rows, c in zip(_normal(rng, sizes, p), centers, strict=True)
    ]


def _skewed(rng: np.random.RandomState, sizes: Sizes, p: int) -> list[Floats]:
    """One-sided tails: gamma distributed features."""
    shape = rng.uniform(1.0, 4.0)
    centers = spread_points(rng, len(sizes), p, 2.2 * _gap(rng, p))
    sides = rng.choice([-1.0, 1.0], (len(sizes), p))
    return [
        side * rng.gamma(shape, 1 / np.sqrt(shape), (size, p)) + c
        for size, side, c in zip(sizes, sides, centers, strict=True)
    ]


def _boxes(rng: np.random.RandomState, sizes: Sizes, p: int) -> list[Floats]:
    """Evenly filled boxes and ellipsoids, parallel to the axes, with a gap."""
    k = len(sizes)
    sides = np.exp(rng.uniform(-0.7, 0.7, (k, p)))
    is_ball = rng.uniform(size=k) < 0.5

    def reach(directions: Floats) -> Floats:
        cube = sides @ np.abs(directions).T
        ball = np.sqrt(sides**2 @ directions.T**2)
        return np.where(is_ball[:, None], ball, cube)

    parts = []
    gap = rng.uniform(1.2, 2.0)
    centers = spread_points(rng, k, p, gap, reach)
    for size, side, round_, center in zip(sizes, sides, is_ball, centers, strict=True):
        rows = uniform_ball(rng, size, p) if round_ else rng.uniform(-1, 1, (size, p))
        parts.append(rows * side + center)
    return parts


def _bridges(rng: np.random.RandomState, sizes: Sizes, p: int) -> list[Floats]:
    """Gaussians joined by sparse chains of rows, which break single linkage."""
    centers = spread_points(rng, len(sizes), p, 2 * rng.uniform(3.5, 6.0) * max(1.0, p**0.25))
    parts = _normal(rng, sizes, p)
    share = rng.uniform(0.02, 0.1)
    for c in range(len(sizes)):
        toward = 0.5 * (centers[(c + 1) % len(sizes)] - centers[c])
        chain = rng.permutation(len(parts[c]))[: max(1, int(share * len(parts[c])))]
        parts[c][chain] = rng.uniform(0, 0.95, (len(chain), 1)) * toward
        parts[c][chain] += 0.1 * rng.standard_normal((len(chain), p))
        parts[c] += centers[c]
    return parts


def _density_contrast(rng: np.random.RandomState, sizes: Sizes, p: int) -> list[Floats]:
    """Dense balls inside one wide, sparse ball, which has holes where they are."""
    sizes = np.sort(sizes)
    centers = spread_points(rng, len(sizes) - 1, p, rng.uniform(3.0, 6.0))
    wide = np.linalg.norm(centers, axis=1).max() + rng.uniform(2.5, 5.0)
    sparse = wide * uniform_ball(rng, 4 * sizes[-1], p)
    nearest = np.linalg.norm(sparse[:, None] - centers, axis=2).min(axis=1)
    # A hole is as wide as the sparse rows are apart, or its rim joins the ball inside.
    spacing = wide / sizes[-1] ** (1 / p)
    hole = 1.0 + min(0.7 * spacing, 1.0)
    parts = [sparse[nearest > hole][: sizes[-1]]]
    return parts + [
        uniform_ball(rng, size, p) + c for size, c in zip(sizes[:-1], centers, strict=True)
    ]


def _voronoi(rng: np.random.RandomState, sizes: Sizes, p: int) -> list[Floats]:
    """Regions of one density that fill a cube and are parted by narrow gaps."""
    n, k = int(sizes.sum()), len(sizes)
    seeds = spread_points(rng, k, p, 1.0)
    seeds = (seeds - seeds.min(axis=0)) / np.maximum(np.ptp(seeds, axis=0), 1e-9)
    rows = rng.uniform(-0.2, 1.2, (6 * n, p))
    squares = np.square(rows[:, None] - seeds).sum(axis=2)  # (6 n, k)
    labels = squares.argmin(axis=1)
    between = np.linalg.norm(seeds[labels][:, None] - seeds, axis=2)
    margin = (squares - squares.min(axis=1, keepdims=True)) / np.maximum(2 * between, 1e-9)
    margin[np.arange(len(rows)), labels] = np.inf
    gap = rng.uniform(0.7, 1.5) * 1.4 / n ** (1 / p)
    kept = np.flatnonzero(margin.min(axis=1) > gap)[:n]
    return [rows[kept][labels[kept] == c] for c in range(k)]


def _hierarchical(rng: np.random.RandomState, sizes: Sizes, p: int) -> list[Floats]:
    """Clusters of clusters, labelled at the level at which the gaps are.

    Either far groups of lumps that run into one another (a group is a cluster), or lumps that
    are apart, whose groups are hardly further apart (a lump is a cluster).
    """
    if rng.uniform() < 0.5:
        k, gap = len(sizes), _gap(rng, p)
        lumps = [spread_points(rng, rng.randint(2, 6), p, rng.uniform(1.0, 2.2)) for _ in sizes]
        radius = max(np.abs(s - s.mean(axis=0)).max() for s in lumps) + 1
        centers = spread_points(rng, k, p, gap * (radius + 1))
        return [
            s[rng.randint(len(s), size=size)] - s.mean(axis=0) + rng.standard_normal((size, p)) + c
            for size, s, c in zip(sizes, lumps, centers, strict=True)
        ]
    n_groups = int(np.ceil(np.sqrt(len(sizes))))
    gap = 2 * (_gap(rng, p) + 1)
    inner = [spread_points(rng, n_groups, p, gap) for _ in range(n_groups)]
    radius = max(np.linalg.norm(group, axis=1).max() for group in inner)
    outer = spread_points(rng, n_groups, p, 2.5 * radius + 5)
    sites = np.concatenate([group + o for group, o in zip(inner, outer, strict=True)])
    sites = sites[: len(sizes)]
    return [rows + c for rows, c in zip(_normal(rng, sizes, p), sites, strict=True)]


def _directions(rng: np.random.RandomState, sizes: Sizes, p: int) -> list[Floats]:
    """Rows of unit length, as of cosine embeddings."""
    centers = rng.standard_normal((len(sizes), p))
    centers /= np.linalg.norm(centers, axis=1, keepdims=True)
    noise = rng.uniform(0.1, 0.8) / np.sqrt(p)
    parts = [c + noise * rows for rows, c in zip(_normal(rng, sizes, p), centers, strict=True)]
    return [np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True)) for rows in parts]


def _profiles(rng: np.random.RandomState, sizes: Sizes, p: int) -> list[Floats]:
    """Answers of yes or no, or counts, with the probabilities of the cluster."""
    sharpness = rng.uniform(2.0, 5.0)
    logits = sharpness * rng.standard_normal((len(sizes), p))
    if rng.uniform() < 0.5:
        rates = 1 / (1 + np.exp(-logits))
        return [
            rng.binomial(1, r, (n, p)).astype(np.float64) for n, r in zip(sizes, rates, strict=True)
        ]
    rates = np.exp(np.clip(0.4 * logits + 1, -3, 4))
    return [rng.poisson(r, (n, p)).astype(np.float64) for n, r in zip(sizes, rates, strict=True)]


def _overlapping_gaussians(rng: np.random.RandomState, sizes: Sizes, p: int) -> list[Floats]:
    """Ellipsoids that run into one another."""
    maps = [_axes(rng, p) * np.exp(rng.uniform(-0.7, 0.7, p)) for _ in sizes]
    centers = spread_points(rng, len(sizes), p, rng.uniform(1.8, 4.0) * max(1.0, 0.7 * p**0.25))
    parts = zip(_normal(rng, sizes, p), maps, centers, strict=True)
    return [rows @ a.T + c for rows, a, c in parts]


def _overlapping_few(rng: np.random.RandomState, sizes: Sizes, p: int) -> list[Floats]:
    """Two to four ellipsoids of unequal spread that run far into one another."""
    stretch = rng.uniform(0.2, 1.2)
    scales = np.exp(rng.uniform(-0.6, 0.6, len(sizes)))
    maps = [s * _axes(rng, p) * np.exp(rng.uniform(-stretch, stretch, p)) for s in scales]
    centers = spread_points(
        rng,
        len(sizes),
        p,
        rng.uniform(1.0, 2.2),
        lambda u: np.array([np.linalg.norm(u @ a, axis=1) for a in maps]),
    )
    parts = zip(_normal(rng, sizes, p), maps, centers, strict=True)
    return [rows @ a.T + c for rows, a, c in parts]


def _image_classes(rng: np.random.RandomState, sizes: Sizes, p: int) -> list[Floats]:
    """Classes as of images: a decaying spectrum that means and variation share, and overlap.

    A class has up to three modes and some variation of its own, and classes differ in noise.
    With some probability values are cut at 0, as ink is.
    """
    decay = np.arange(1, p + 1) ** -rng.uniform(0.3, 1.2)
    # The more dimensions count, the closer the means may be at the same overlap.
    n_effective = np.square(decay).sum() ** 2 / np.square(decay).dot(np.square(decay))
    between = rng.uniform(1.0, 2.6) / n_effective**0.25
    own = rng.uniform(0.0, 0.6)
    basis = _axes(rng, p).T
    parts = []
    for rows in _normal(rng, sizes, p):
        modes = between * rng.standard_normal(p) + rng.uniform(0, 0.6) * between * (
            rng.standard_normal((rng.randint(1, 4), p))
        )
        turn = np.eye(p) + own * rng.standard_normal((p, p)) / np.sqrt(p)
        level = np.exp(rng.uniform(-0.5, 0.5))
        mode = modes[rng.randint(len(modes), size=len(rows))]
        parts.append((level * rows @ turn + mode) * decay @ basis)
    if rng.uniform() < 0.4:
        offset = 0.3 * np.concatenate(parts).std()
        parts = [np.maximum(rows + offset, 0) for rows in parts]
    return parts


def _no_structure(rng: np.random.RandomState, sizes: Sizes, p: int) -> list[Floats]:
    """One cluster: a Gaussian, an evenly filled ball or box, or a bent sheet."""
    n, kind = int(sizes.sum()), rng.randint(5)
    if kind == 0:
        rows = rng.standard_normal((n, p)) * np.exp(rng.uniform(-0.7, 0.7, p))
    elif kind == 1:
        rows = uniform_ball(rng, n, p)
    elif kind == 2:
        rows = rng.uniform(-1, 1, (n, p))
    elif kind == 3:
        rows = rng.standard_normal((n, p)) / np.sqrt(rng.chisquare(4, (n, 1)) / 4)
    else:
        sheet = rng.uniform(-1, 1, (n, 2)) @ rng.standard_normal((2, p))
        rows = np.sin(1.5 * sheet + rng.uniform(0, 6.3, p))
        rows += 0.05 * rng.standard_normal((n, p))
    return [np.asarray(rows)]


def _uneven(rng: np.random.RandomState, sizes: Sizes, p: int) -> list[Floats]:
    """One cluster that is none of the textbook: skewed, with a slope of density, or lumpy.

    Lumps are so close that their mixture has a single hump.
    """
    n, kind = int(sizes.sum()), rng.randint(4)
    rows = rng.standard_normal((n, p))
    if kind == 0:
        rows = rng.gamma(rng.uniform(1.5, 5.0), 1.0, (n, p)) @ _axes(rng, p)
    elif kind == 1:
        rows = rng.uniform(size=(n, p))
        rows[:, 0] **= rng.uniform(1.2, 3.0)
        rows = rows * np.exp(rng.uniform(-0.7, 0.7, p))
    elif kind == 2:
        lumps = spread_points(rng, rng.randint(2, 6), p, rng.uniform(0.5, 1.2))
        rows = rows + lumps[rng.randint(len(lumps), size=n)]
    else:
        rows = rows * np.arange(1, p + 1) ** -rng.uniform(0.3, 1.5) @ _axes(rng, p)
    return [np.asarray(rows)]


COMPACT_FAMILIES: dict[str, Family] = {
    "gaussians": Family(_gaussians, features=(1, 256), rows=5),
    "unequal_gaussians": Family(_unequal_gaussians, features=(1, 64), rows=5),
    "anisotropic_gaussians": Family(_anisotropic_gaussians, features=(2, 32), rows=8),
    "subspace_gaussians": Family(_subspace_gaussians, features=(8, 256), rows=6),
    "student_t": Family(_student_t, features=(1, 64), rows=6),
    "skewed": Family(_skewed, features=(1, 64), rows=6),
    "boxes": Family(_boxes, features=(1, 16), rows=8),
    "bridges": Family(_bridges, (2, 20), (2, 16), rows=12),
    "density_contrast": Family(_density_contrast, (2, 8), (2, 4), rows=15),
    "voronoi": Family(_voronoi, (2, 24), (2, 4), rows=12),
    "hierarchical": Family(_hierarchical, (2, 36), (2, 32), rows=7),
    "directions": Family(_directions, (2, 64), (3, 256), rows=6),
    "profiles": Family(_profiles, (2, 32), (8, 256), rows=6),
    "overlapping_gaussians": Family(_overlapping_gaussians, (2, 20), (1, 32), 10, True),
    "overlapping_few": Family(_overlapping_few, (2, 4), (1, 12), 40, True),
    "image_classes": Family(_image_classes, (2, 32), (8, 256), 8, True),
    "no_structure": Family(_no_structure, (1, 1), (1, 256), 30),
    "uneven": Family(_uneven, (1, 1), (1, 64), 30),
}
"""Families of compact clusters, by name."""
