"""Gradient of a batch whose activations would not fit in memory.

The loss knows a batch by its embedding alone, (b, d). A first pass computes it chunk by chunk
without a graph, the loss gives its gradient G, and a second pass computes each chunk again, now
with a graph, and sends its rows of G back. The activations of one chunk are all that is held.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.modules.batchnorm import _BatchNorm

from ._random import random_states, set_random_states

__all__ = ["CHUNK_ROWS", "backward_in_chunks"]

# Of larger batches chunks of this size are embedded.
CHUNK_ROWS = 8_192


def backward_in_chunks(
    network: nn.Module,
    inputs: Tensor,
    losses: Callable[[Tensor], tuple[Tensor, Tensor]],
    n_at_once: int,
) -> tuple[Tensor, Tensor]:
    """Loss and objective of a batch; the parameters get the gradient of the loss.

    It is exact: dropout draws the same in both passes. Batch normalisation takes the statistics
    of each chunk, and keeps track of them in the first pass only.

    Parameters
    ----------
    network : nn.Module
    inputs : Tensor of shape (b, ...)
    losses : callable
        Loss and objective, both of shape (), from the row-normalised embedding (b, d).
    n_at_once : int
        Rows of a chunk.
    """
    chunks = inputs.split(n_at_once)
    if len(chunks) > 1 and len(chunks[-1]) == 1:  # too few for statistics
        chunks = (*chunks[:-2], torch.cat(chunks[-2:]))
    states, parts = [], []
    with torch.no_grad():
        for chunk in chunks:
            states.append(random_states(network, inputs.device))
            parts.append(_embed(network, chunk))
    after, embedding = random_states(network, inputs.device), torch.cat(parts).requires_grad_()
    loss, objective = losses(embedding)
    (gradient,) = torch.autograd.grad(loss, embedding)
    with _statistics_as_they_are(network):
        for chunk, state, part in zip(
            chunks, states, gradient.split([len(chunk) for chunk in chunks]), strict=True
        ):
            set_random_states(network, inputs.device, state)
            _embed(network, chunk).backward(part)
    set_random_states(network, inputs.device, after)
    return loss.detach(), objective


def _embed(network: nn.Module, inputs: Tensor) -> Tensor:
    return functional.normalize(network(inputs), dim=1, eps=1e-12)


@contextmanager
def _statistics_as_they_are(network: nn.Module) -> Iterator[None]:
    """Forward passes leave running means and variances alone."""
    layers = [module for module in network.modules() if isinstance(module, _BatchNorm)]
    before = [{name: value.clone() for name, value in layer.named_buffers()} for layer in layers]
    try:
        yield
    finally:
        for layer, buffers in zip(layers, before, strict=True):
            for name, value in layer.named_buffers():
                value.copy_(buffers[name])
