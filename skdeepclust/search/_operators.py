"""Small changes of a partition of prototypes, guided by their neighbour graph.

Partitions are codes (q,) from 0. Operators return new codes in which clusters that they do not
touch keep their numbers; new clusters get higher ones, and the numbers of clusters that are gone
stay unused. Where there is nothing to change, the codes come back as they were.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment
from scipy.sparse.csgraph import breadth_first_order, connected_components, minimum_spanning_tree

from ._partition import Bounds, Codes, Floats
from ._prototypes import Prototypes

__all__ = [
    "OPERATORS",
    "Operator",
    "blend",
    "crossover",
    "dissolve",
    "keep_bounds",
    "merge",
    "move",
    "mutate",
    "smooth",
    "split",
]

Operator = Callable[[Prototypes, np.random.RandomState, Codes], Codes]

_TWO_MEANS_ROUNDS = 8
# A prototype leaves its cluster if its neighbours' votes exceed its own ones by this share.
_INERTIA = 0.1


def merge(prototypes: Prototypes, rng: np.random.RandomState, codes: Codes) -> Codes:
    """Join two adjacent clusters; closely linked ones more often."""
    affinity = _affinity(prototypes, codes)
    pair = _draw(rng, affinity.ravel())
    if pair is None:
        return codes
    kept, gone = divmod(pair, len(affinity))
    return np.where(codes == gone, kept, codes)


def _affinity(prototypes: Prototypes, codes: Codes) -> Floats:
    """Links between two clusters over all links of the one that has fewer, (k, k) above 0."""
    k = int(codes.max()) + 1
    pairs = codes[prototypes.sources] * k + codes[prototypes.targets]
    links = np.bincount(pairs, prototypes.links, k * k).reshape(k, k)
    volumes = links.sum(axis=1)
    fewer = np.maximum(np.minimum.outer(volumes, volumes), np.finfo(float).tiny)
    return np.triu(links / fewer, 1)


def split(prototypes: Prototypes, rng: np.random.RandomState, codes: Codes) -> Codes:
    """Cut one cluster in two, by 2-means or at a weak place of its graph; large ones more often."""
    sizes = np.bincount(codes)
    chosen = _draw(rng, np.where(sizes > 1, sizes, 0))
    if chosen is None:
        return codes
    members = np.flatnonzero(codes == chosen)
    cut = _cut_by_means if rng.uniform() < 0.5 else _cut_graph
    side = cut(prototypes, rng, members)
    parted = codes.copy()
    parted[members[side]] = codes.max() + 1
    return parted


def _cut_by_means(
    prototypes: Prototypes, rng: np.random.RandomState, members: NDArray[np.intp]
) -> NDArray[np.bool_]:
    """One side of 2-means, each prototype weighing as many rows as it has."""
    points, counts = prototypes.centers[members], prototypes.counts[members].astype(float)
    chosen = rng.randint(len(members))
    side = np.arange(len(members)) == chosen
    squares = ((points - points[chosen]) ** 2).sum(axis=1)
    other = _draw(rng, squares * counts)
    if other is None:
        return side
    first, second = points[chosen], points[other]
    for _ in range(_TWO_MEANS_ROUNDS):
        axis = second - first
        nearer = (points - (first + second) / 2) @ axis < 0
        if nearer.all() or not nearer.any() or np.array_equal(nearer, side):
            break
        side = nearer
        first = np.average(points[side], axis=0, weights=counts[side])
        second = np.average(points[~side], axis=0, weights=counts[~side])
    return side


def _cut_graph(
    prototypes: Prototypes, rng: np.random.RandomState, members: NDArray[np.intp]
) -> NDArray[np.bool_]:
    """One side of a long, or sparsely linked, edge of the members' minimum spanning tree."""
    graph = _subgraph(prototypes, members, by_links=rng.uniform() < 0.5)
    n_parts, parts = connected_components(graph, directed=False)
    if n_parts > 1:
        return np.asarray(parts == parts[rng.randint(len(parts))])
    order, parents, weights = _rooted_tree(graph)
    below = _branch_sizes(order, parents)
    # From the heaviest edge, which often cuts an outlier off, to one that halves the cluster.
    balance = np.minimum(below, len(members) - below) ** rng.uniform(0.0, 1.0)
    top = int(np.argmax(weights * balance * rng.uniform(0.5, 1.0, len(members))))
    return _branch(order, parents, top)


def _subgraph(prototypes: Prototypes, members: NDArray[np.intp], by_links: bool) -> sp.csr_array:
    """Edges among the members, weighted by length or by how few rows link their ends."""
    place = np.full(len(prototypes), -1, dtype=np.int32)  # what scipy's graphs want
    place[members] = np.arange(len(members))
    sources, targets = place[prototypes.sources], place[prototypes.targets]
    inside = (sources >= 0) & (targets >= 0)
    weights = 1 / prototypes.links[inside] if by_links else prototypes.lengths[inside]
    shape = (len(members), len(members))
    return sp.csr_array((weights, (sources[inside], targets[inside])), shape=shape)


def _rooted_tree(graph: sp.csr_array) -> tuple[list[int], list[int], Floats]:
    """Minimum spanning tree: order from the root, parents, weight of the edge to the parent."""
    tree = minimum_spanning_tree(graph).tocoo()
    order, parents = breadth_first_order(tree.tocsr(), 0, directed=False)
    lower = np.where(parents[tree.col] == tree.row, tree.col, tree.row)
    weights = np.zeros(len(parents))
    weights[lower] = tree.data
    return order.tolist(), parents.tolist(), weights


def _branch_sizes(order: list[int], parents: list[int]) -> Codes:
    """Number of nodes in the branch that begins at each node, (s,)."""
    sizes = [1] * len(order)
    for node in reversed(order[1:]):
        sizes[parents[node]] += sizes[node]
    return np.array(sizes)


def _branch(order: list[int], parents: list[int], top: int) -> NDArray[np.bool_]:
    """The nodes of the branch that begins at `top`, (s,)."""
    inside = [False] * len(order)
    for node in order:
        inside[node] = node == top or (node != order[0] and inside[parents[node]])
    return np.array(inside)


def move(prototypes: Prototypes, rng: np.random.RandomState, codes: Codes) -> Codes:
    """Give a prototype at a border, alone or with those around it, to the cluster beyond."""
    sources, targets = prototypes.sources, prototypes.targets
    borders = np.flatnonzero(codes[sources] != codes[targets])
    drawn = _draw(rng, prototypes.links[borders])
    if drawn is None:
        return codes
    start, beyond = sources[borders[drawn]], codes[targets[borders[drawn]]]
    own = codes == codes[start]
    patch = np.arange(len(codes)) == start
    for _ in range(rng.randint(3) if rng.uniform() < 0.5 else 0):
        grown = _grow(prototypes, patch) & own
        if grown.sum() == own.sum():
            break
        patch = grown
    # A cluster does not vanish by moving: that is what merging is for.
    return codes if patch.sum() == own.sum() else np.where(patch, beyond, codes)


def _grow(prototypes: Prototypes, patch: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """A patch (q,) and its neighbours."""
    grown = patch.copy()
    grown[prototypes.targets[patch[prototypes.sources]]] = True
    return grown


def smooth(prototypes: Prototypes, rng: np.random.RandomState, codes: Codes) -> Codes:
    """Give every prototype the label to which most of its links lead."""
    q, k = len(codes), int(codes.max()) + 1
    places = prototypes.sources * k + codes[prototypes.targets]
    # Without any edge, numpy counts in integers.
    votes = np.bincount(places, prototypes.links, q * k).reshape(q, k).astype(float)
    votes[np.arange(q), codes] += _INERTIA * votes.sum(axis=1)
    return np.asarray(votes.argmax(axis=1))


def dissolve(prototypes: Prototypes, rng: np.random.RandomState, codes: Codes) -> Codes:
    """Let the prototypes of one cluster each join the nearest other one; small ones more often."""
    sizes = np.bincount(codes)
    if np.count_nonzero(sizes) < 2:
        return codes
    gone = _draw(rng, np.divide(1.0, sizes, out=np.zeros(len(sizes)), where=sizes > 0))
    return prototypes.follow(np.where(codes == gone, -1, codes))


OPERATORS: dict[str, tuple[Operator, float]] = {
    "merge": (merge, 0.22),
    "split": (split, 0.22),
    "move": (move, 0.4),
    "smooth": (smooth, 0.08),
    "dissolve": (dissolve, 0.08),
}
"""Operators on one partition, by name, each with the share of changes that it makes."""

_SHARES = np.array([share for _, share in OPERATORS.values()])
_FUNCTIONS = [operator for operator, _ in OPERATORS.values()]


def mutate(
    prototypes: Prototypes, rng: np.random.RandomState, codes: Codes, bounds: Bounds
) -> Codes:
    """Apply random operators, one or a few, and keep the number of clusters within bounds.

    Parameters
    ----------
    prototypes : Prototypes
    rng : RandomState
    codes : ndarray of shape (q,)
    bounds : Bounds
        At most q clusters.

    Returns
    -------
    ndarray of shape (q,)
    """
    for _ in range(rng.geometric(0.6)):
        operator = _FUNCTIONS[int(np.searchsorted(_SHARES.cumsum(), rng.uniform() * _SHARES.sum()))]
        codes = keep_bounds(prototypes, rng, operator(prototypes, rng, codes), bounds)
    return codes


def crossover(
    prototypes: Prototypes,
    rng: np.random.RandomState,
    first: Codes,
    second: Codes,
    bounds: Bounds,
) -> Codes:
    """Whole clusters of the first parent, then of the second; the rest goes where it is near.

    Parameters
    ----------
    prototypes : Prototypes
    rng : RandomState
    first, second : ndarray of shape (q,)
    bounds : Bounds

    Returns
    -------
    ndarray of shape (q,)
        About half of the clusters of `first`, under their numbers, and those clusters of
        `second` of which at most half is taken already.
    """
    drawn = rng.uniform(size=int(first.max()) + 1) < 0.5
    drawn[first[rng.randint(len(first))]] = True
    taken = drawn[first]
    sizes = np.bincount(second)
    fits = 2 * np.bincount(second, taken, minlength=len(sizes)) <= sizes
    from_second = np.where(fits[second], second + len(drawn), -1)
    codes = prototypes.follow(np.where(taken, first, from_second))
    return keep_bounds(prototypes, rng, codes, bounds)


def blend(
    prototypes: Prototypes,
    rng: np.random.RandomState,
    first: Codes,
    second: Codes,
    bounds: Bounds,
) -> Codes:
    """The first parent, with about half of the patches where the second one differs.

    Parameters
    ----------
    prototypes : Prototypes
    rng : RandomState
    first, second : ndarray of shape (q,)
    bounds : Bounds

    Returns
    -------
    ndarray of shape (q,)
        Clusters of `second` go by the names of those of `first` that they match best, so that
        improvements in different places add up.
    """
    renamed = _rename(second, first)
    differs = np.flatnonzero(renamed != first)
    if not len(differs):
        return first
    graph = _subgraph(prototypes, differs, by_links=False)
    n_patches, patches = connected_components(graph, directed=False)
    taken = differs[(rng.uniform(size=n_patches) < 0.5)[patches]]
    codes = first.copy()
    codes[taken] = renamed[taken]
    return keep_bounds(prototypes, rng, codes, bounds)


def _rename(codes: Codes, like: Codes) -> Codes:
    """The same partition under the names that agree most with another; others get new names."""
    k, k_like = int(codes.max()) + 1, int(like.max()) + 1
    together = np.bincount(codes * k_like + like, minlength=k * k_like).reshape(k, k_like)
    own, matched = linear_sum_assignment(together, maximize=True)
    names = k_like + np.arange(k)
    names[own] = np.where(together[own, matched] > 0, matched, names[own])
    return np.asarray(names[codes])


def keep_bounds(
    prototypes: Prototypes, rng: np.random.RandomState, codes: Codes, bounds: Bounds
) -> Codes:
    """Split clusters while there are too few, merge adjacent ones while there are too many.

    Parameters
    ----------
    prototypes : Prototypes
    rng : RandomState
    codes : ndarray of shape (q,)
    bounds : Bounds
        At most q clusters.

    Returns
    -------
    ndarray of shape (q,)
    """
    n_clusters = np.count_nonzero(np.bincount(codes))
    for _ in range(bounds.min_clusters - n_clusters):
        codes = split(prototypes, rng, codes)
    for _ in range(n_clusters - bounds.max_clusters):
        codes = merge(prototypes, rng, codes)
    return codes


def _draw(rng: np.random.RandomState, weights: NDArray[Any]) -> int | None:
    """A position with probability in proportion to its weight; None if all are 0."""
    total = np.cumsum(weights)
    if not len(total) or not total[-1] > 0:
        return None
    # Below the total, however the product is rounded: positions of weight 0 are never drawn.
    threshold = min(rng.uniform() * total[-1], np.nextafter(total[-1], 0))
    return int(np.searchsorted(total, threshold, side="right"))
