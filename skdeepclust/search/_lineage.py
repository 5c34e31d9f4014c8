"""From starting clusterings to partitions of prototypes, and from parents to children."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import TypeVar

import numpy as np

from ._deadline import Deadline
from ._operators import keep_bounds
from ._partition import Bounds, Codes, Floats, Partition, difference
from ._prototypes import Prototypes

__all__ = ["Ancestry", "descend", "make_founders", "offspring"]

T = TypeVar("T")

# Draws per child wanted, before a generation is left smaller.
_MAX_DRAWS = 4
# Of the time that is left, what the making of a generation may take: it is to be scored as well.
_MAKING = 0.5


@dataclass(frozen=True)
class Ancestry:
    """What all strategies start from.

    Attributes
    ----------
    rows : ndarray of shape (n, p)
    prototypes : Prototypes
    founders : list of Partition
        The starting clusterings; founder number i is the i-th.
    bounds : Bounds
        At most as many clusters as there are prototypes.
    trust : float or None
        Largest share of rows on which a partition may differ from its founder.
    deadline : Deadline
        By which the search should be over.
    """

    rows: Floats
    prototypes: Prototypes
    founders: list[Partition]
    bounds: Bounds
    trust: float | None = None
    deadline: Deadline = field(default_factory=Deadline)

    def limit(self, draws: Iterable[T]) -> Iterator[T]:
        """Draws for a generation as long as there is time, at least one of them."""
        return self.deadline.share(_MAKING).limit(draws)

    def admit(self, candidate: Partition) -> bool:
        """Whether a partition is within the bounds and the trust region of its founder."""
        if not self.bounds.admit(candidate.n_clusters):
            return False
        if self.trust is None or candidate.founder < 0:
            return True
        founder = self.founders[candidate.founder]
        # A row more or less is rounding.
        return difference(candidate.labels, founder.labels) <= self.trust + 1e-12


def make_founders(
    prototypes: Prototypes,
    rng: np.random.RandomState,
    labelings: Iterable[Codes],
    bounds: Bounds,
) -> list[Partition]:
    """Turn clusterings of the rows into founders, no two of them equal.

    Parameters
    ----------
    prototypes : Prototypes
    rng : RandomState
    labelings : iterable of ndarray of shape (n,)
        Labels from 0, gaps allowed. Where they have too many or too few clusters, some are
        merged or split.
    bounds : Bounds
        At most as many clusters as there are prototypes.

    Returns
    -------
    list of Partition
        With the labels as they are, if under other numbers, and codes of the prototypes from 0
        and without gaps. A cluster that has the majority in no prototype comes after the
        others, and is not among the codes.
    """
    founders: dict[bytes, Partition] = {}
    for labels in labelings:
        founder = _found(prototypes, np.unique(labels, return_inverse=True)[1].reshape(-1))
        if not bounds.admit(founder.n_clusters):
            codes = keep_bounds(prototypes, rng, prototypes.project(founder.labels), bounds)
            founder = _found(prototypes, codes[prototypes.codes])
        founder.founder = len(founders)
        founders.setdefault(founder.key, founder)
    return list(founders.values())


def _found(prototypes: Prototypes, labels: Codes) -> Partition:
    codes = prototypes.project(labels)
    names = np.unique(codes)
    order = np.concatenate([names, np.setdiff1d(labels, names)])
    number = np.zeros(int(order.max()) + 1, dtype=np.int64)
    number[order] = np.arange(len(order))
    return Partition(number[labels], number[codes])


def descend(prototypes: Prototypes, parent: Partition, codes: Codes) -> Partition:
    """Make the child of a parent from changed codes of its prototypes.

    Parameters
    ----------
    prototypes : Prototypes
    parent : Partition
        With codes of its prototypes.
    codes : ndarray of shape (q,)
        Clusters that are the parent's have the parent's numbers; gaps are allowed.

    Returns
    -------
    Partition
        Rows follow their prototypes where these changed. Elsewhere they keep their own
        labels: what the prototypes were too coarse to show is inherited.
    """
    same = codes == parent.codes
    survives = np.zeros(max(int(codes.max()), parent.n_clusters - 1) + 1, dtype=bool)
    survives[codes[same]] = True
    inherited = same[prototypes.codes] & survives[parent.labels]
    labels = np.where(inherited, parent.labels, codes[prototypes.codes])
    number = np.cumsum(np.bincount(codes) > 0) - 1
    return Partition(number[labels], number[codes], parent.founder)


def offspring(
    ancestry: Ancestry,
    make_child: Callable[[], Partition],
    size: int,
    known: set[bytes],
) -> list[Partition]:
    """Collect new partitions that the ancestry admits.

    Parameters
    ----------
    ancestry : Ancestry
    make_child : callable
        Draws one.
    size : int
        Number of partitions wanted; fewer are returned where the draws, or the time, yield no
        more.
    known : set of bytes
        Keys of partitions that are not new; those returned are added.

    Returns
    -------
    list of Partition
        At least one: the first founder again, if there is no other.
    """
    children: list[Partition] = []
    for _ in ancestry.limit(range(_MAX_DRAWS * size)):
        child = make_child()
        if child.key not in known and ancestry.admit(child):
            known.add(child.key)
            children.append(child)
        if len(children) == size:
            break
    return children or [ancestry.founders[0]]
