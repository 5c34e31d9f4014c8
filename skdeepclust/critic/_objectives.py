"""What a critic is trained for: to separate, to rank, to rate."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional

__all__ = ["ranking_loss", "regression_loss", "wasserstein_loss"]

# Clusterings whose ARI differ by much more than this are told apart by ranking.
_QUALITY_TEMPERATURE = 0.05
_SCORE_TEMPERATURE = 0.1


def ranking_loss(scores: Tensor, quality: Tensor) -> Tensor:
    """Cross-entropy between softmax of the qualities and softmax of the scores.

    Parameters
    ----------
    scores, quality : Tensor of shape (m,)
        Of the clusterings of one data set; the quality is their ARI with the truth.

    Returns
    -------
    Tensor of shape ()
        Least, for all scores alike up to a constant, where 10 r = ARI / 0.05.
    """
    wanted = functional.softmax(quality / _QUALITY_TEMPERATURE, dim=0)
    return -(wanted * functional.log_softmax(scores / _SCORE_TEMPERATURE, dim=0)).sum()


def regression_loss(scores: Tensor, quality: Tensor) -> Tensor:
    """Mean squared difference of scores and qualities, (m,) each; of shape ()."""
    return (scores - quality).square().mean()


def wasserstein_loss(
    score: Callable[[Tensor], Tensor],
    true: Tensor,
    proposed: Tensor,
    penalty: float = 10.0,
    generator: torch.Generator | None = None,
) -> Tensor:
    """Mean score of proposals less that of the truth, with a penalty on steep slopes.

    Parameters
    ----------
    score : callable
        The critic, from embeddings (m, e) to scores (m,).
    true : Tensor of shape (1, e)
        Embedding of the true clustering.
    proposed : Tensor of shape (m, e)
        Embeddings of other clusterings of the same data.
    penalty : float, default=10.0
        Weight of the squared difference of the slope from 1, between truth and proposals.
    generator : torch.Generator, optional
        Draws the places where the slope is measured.

    Returns
    -------
    Tensor of shape ()

    References
    ----------
    Gulrajani et al., "Improved training of Wasserstein GANs", 2017.
    """
    drawn = torch.rand(len(proposed), 1, generator=generator, dtype=torch.float32)
    share = drawn.to(proposed)
    between = (share * true + (1 - share) * proposed).detach().requires_grad_()
    (slope,) = torch.autograd.grad(score(between).sum(), between, create_graph=True)
    steepness = (slope.norm(dim=1) - 1).square().mean()
    return score(proposed).mean() - score(true).mean() + penalty * steepness
