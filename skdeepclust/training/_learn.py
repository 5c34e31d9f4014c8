"""Learn an encoder from rows and complete targets."""

from __future__ import annotations

import copy
import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import torch
from sklearn.exceptions import ConvergenceWarning

from ..networks import BaseEncoder, EncoderNetwork, LinearEncoder, output_width
from ._augmentation import distort_affine
from ._batches import BatchShape, choose_batch_shape
from ._checkpoint import Store
from ._inference import BATCH_ROWS, embed_rows
from ._initialization import fit_linear, initialize_head
from ._loop import train
from ._plan import TrainingPlan, TrainingResult
from ._random import draws_as_known, module_draws
from ._rows import Rows
from ._validation import HeldOutObjective, split_rows

__all__ = ["Recipe", "learn_encoder"]

# With early_stopping="auto", held-out rows decide from this number of training rows on.
_AUTO_STOPPING_ROWS = 1000
_DIVERGED = (
    "training diverged, embedding or loss is not finite: a smaller learning_rate or weight_decay, "
    "a larger ridge or temperature, or another encoder is wanted."
)


@dataclass(frozen=True)
class Recipe:
    """What to build and how to train it.

    Attributes
    ----------
    encoder : BaseEncoder
    embedding_dim, batch_size : int or None
        None: chosen from the data, see `choose_batch_shape`.
    plan : TrainingPlan
    early_stopping : bool or "auto"
    validation_fraction : float
    closed_form : bool
        Whether to solve a linear encoder instead of training it.
    """

    encoder: BaseEncoder
    embedding_dim: int | None
    batch_size: int | None
    plan: TrainingPlan
    early_stopping: bool | str
    validation_fraction: float
    closed_form: bool = True


def learn_encoder(
    rows: Rows,
    targets: np.ndarray,
    indices: np.ndarray,
    recipe: Recipe,
    rng: np.random.RandomState,
    network: EncoderNetwork | None = None,
    on_epoch: Callable[[Mapping[str, float]], None] | None = None,
    store: Store | None = None,
) -> tuple[EncoderNetwork, TrainingResult]:
    """Build an encoder and train it, in closed form where there is one.

    Parameters
    ----------
    rows : Rows
    targets : ndarray of shape (n,) or (n, k)
        Class codes, all known, or assignments of the rows at `indices`.
    indices : ndarray of shape (n,)
    recipe : Recipe
    rng : RandomState
    network : EncoderNetwork, optional
        A trained network to go on from; it is copied. Default: a new one.
    on_epoch : callable, optional
        Called with the figures of each epoch.
    store : Store, optional
        Where gradient training goes on from, and what becomes of an interrupt: see `train`.
    """
    started = time.monotonic()
    n_columns = len(np.unique(targets)) if targets.ndim == 1 else targets.shape[1]
    is_private = _draws_privately(rows, recipe, network)
    drawn = module_draws(rng, rows.device, is_private)
    # Also where a user has turned gradients off.
    with torch.inference_mode(mode=False), drawn as draws, _divergence_named():
        warm = network is not None
        with draws.initialization():
            network, shape = _prepare(network, rows, len(indices), n_columns, recipe)
        rows.ranks.prepare(network)
        if n_columns < 2 or not any(p.requires_grad for p in network.parameters()):
            return network.eval(), TrainingResult()
        if recipe.closed_form and isinstance(recipe.encoder, LinearEncoder):
            with draws.initialization():
                fit_linear(network, rows, targets, indices, recipe.plan.ridge)
            rows.ranks.share_weights(network)
            return network.eval(), TrainingResult()
        if not warm:
            initialize_head(network, rows, targets, indices, recipe.plan.ridge)
        if recipe.plan.loss == "spectral":
            _warn_if_hopeless(shape, n_columns, targets.ndim == 2)
        recipe = _less_time(recipe, time.monotonic() - started)
        with rows.ranks.training(network), draws.training(network):
            result = _train(network, rows, targets, indices, shape, recipe, rng, on_epoch, store)
        rows.ranks.share_weights(network)
    _check_finite(network, rows, indices, result)
    return network, result


def _draws_privately(rows: Rows, recipe: Recipe, network: EncoderNetwork | None) -> bool:
    """Whether torch's global generator is not needed, as all that draws is known."""
    augment = recipe.plan.augment
    return (
        rows.device.type == "cpu"
        and rows.ranks.n_ranks == 1  # else ranks have seeds of their own: see `Ranks.prepare`
        and (augment is None or getattr(augment, "distort", None) is distort_affine)
        and draws_as_known(recipe.encoder, network)
    )


def _check_finite(
    network: EncoderNetwork, rows: Rows, indices: np.ndarray, result: TrainingResult
) -> None:
    """Refuse what training has blown up."""
    shown = embed_rows(network, rows, rows.ranks.share(indices, indices)[0][:BATCH_ROWS])
    figures = [value for values in result.history.values() for value in values]
    if not (bool(shown.isfinite().all()) and np.isfinite(figures).all()):
        raise ValueError(_DIVERGED)


@contextmanager
def _divergence_named() -> Iterator[None]:
    """Numbers that are not finite have neither a projector nor eigenvalues."""
    try:
        yield
    except (ValueError, torch.linalg.LinAlgError) as error:
        if isinstance(error, ValueError) and "NaN or infinity" not in str(error):
            raise
        raise ValueError(_DIVERGED) from error


def _less_time(recipe: Recipe, spent: float) -> Recipe:
    """The recipe for what remains of the time after the initialisation."""
    limit = recipe.plan.max_time
    if limit is None:
        return recipe
    return replace(recipe, plan=replace(recipe.plan, max_time=max(limit - spent, 1e-9)))


def _prepare(
    network: EncoderNetwork | None, rows: Rows, n: int, n_columns: int, recipe: Recipe
) -> tuple[EncoderNetwork, BatchShape]:
    """The network on the device, and the batch shape that its output width asks for."""
    augment = recipe.plan.augment
    n_turns = 1 if augment is None else augment.n_turns
    n, n_columns = n * n_turns, n_columns * n_turns
    shape = choose_batch_shape(n, n_columns, recipe.embedding_dim, recipe.batch_size)
    if network is None:
        own_width = recipe.encoder.has_own_width and recipe.embedding_dim is None
        wanted = None if own_width else shape.embedding_dim
        network = recipe.encoder.build(rows.input_shape, wanted)
    else:
        network = copy.deepcopy(network)
    width = output_width(network, rows.input_shape)
    shape = choose_batch_shape(n, n_columns, width, recipe.batch_size)
    return network.to(rows.device), shape


def _train(
    network: EncoderNetwork,
    rows: Rows,
    targets: np.ndarray,
    indices: np.ndarray,
    shape: BatchShape,
    recipe: Recipe,
    rng: np.random.RandomState,
    on_epoch: Callable[[Mapping[str, float]], None] | None,
    store: Store | None,
) -> TrainingResult:
    """Gradient training, with a part of the rows held out where early stopping is on."""
    validate = None
    if recipe.early_stopping is True or (
        recipe.early_stopping == "auto"
        and recipe.plan.max_time is None
        and len(indices) >= _AUTO_STOPPING_ROWS
    ):
        kept, held_out = split_rows(targets, recipe.validation_fraction, rng)
        if len(held_out):
            judge = HeldOutObjective(rows, targets, indices, kept, held_out, recipe.plan.ridge)
            validate = partial(judge, network)
            targets, indices = targets[kept], indices[kept]
        elif recipe.early_stopping is True:
            raise ValueError(
                f"validation_fraction={recipe.validation_fraction} of the classes in y holds "
                "out no row: a larger share, or early_stopping=False, is wanted."
            )
    plan = recipe.plan
    return train(network, rows, targets, shape, plan, rng, indices, validate, on_epoch, store)


def _warn_if_hopeless(shape: BatchShape, n_columns: int, is_matrix: bool) -> None:
    """Say so where the objective is constant or far from reachable whatever is learned."""
    if shape.n_rows <= shape.embedding_dim:
        warnings.warn(
            f"Batches of {shape.n_rows} rows cannot teach an embedding of "
            f"{shape.embedding_dim} dimensions: with no more rows than dimensions the objective "
            "is 0 for any embedding. Use a larger batch_size (three rows a dimension is a good "
            "rule), more rows, or a smaller embedding_dim.",
            ConvergenceWarning,
            stacklevel=4,
        )
    elif is_matrix and n_columns > shape.embedding_dim:
        warnings.warn(
            f"y has {n_columns} columns, but an embedding of {shape.embedding_dim} dimensions "
            f"separates at most {shape.embedding_dim}. Use a larger embedding_dim.",
            ConvergenceWarning,
            stacklevel=4,
        )
