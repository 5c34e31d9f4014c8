"""First and second moments of embeddings, which add up over chunks."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from ..spectral import shrinkage_whitening
from ._distributed import OneProcess

__all__ = ["Moments"]


@dataclass(frozen=True)
class Moments:
    """Number, sum and Gram of embedded rows.

    Attributes
    ----------
    n : float
    total : Tensor of shape (d,)
    gram : Tensor of shape (d, d)
        Both float64.
    """

    n: float
    total: Tensor
    gram: Tensor

    @classmethod
    def of(cls, embedding: Tensor) -> Moments:
        """Moments of the rows of an embedding (n, d)."""
        wide = embedding.double()
        return cls(float(len(wide)), wide.sum(dim=0), wide.T @ wide)

    def __add__(self, other: Moments) -> Moments:
        """Moments of the rows of both."""
        return Moments(self.n + other.n, self.total + other.total, self.gram + other.gram)

    def over(self, ranks: OneProcess) -> Moments:
        """Moments of the rows of all ranks."""
        n, total, gram = ranks.sums(self.n, self.total, self.gram)
        return Moments(float(n), total, gram)

    def scaled(self, factor: float) -> Moments:
        """All rows weighted by `factor`: forgetting."""
        return Moments(self.n * factor, self.total * factor, self.gram * factor)

    def whitening(self, strength: float) -> tuple[Tensor, Tensor]:
        """Float32 mean (d,) and whitening map (d, d), see `shrinkage_whitening`."""
        mean, whitener = shrinkage_whitening(self.gram, self.total, self.n, strength)
        return mean.float(), whitener.float()
