"""Embeddings learned with other losses of deep metric learning, for comparison.

`LOSSES` are losses of pytorch-metric-learning with the settings that their papers or the library
recommend; `LossEmbedder` trains the encoders of skdeepclust with them, everything else being as in
`DeepMetricClusterer`: scaling of the inputs, network, optimiser, learning-rate schedule, balanced
batches, augmentation.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.cluster import KMeans
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted
from torch import Tensor, nn
from torch.nn import functional

from skdeepclust._validation import check_device
from skdeepclust.networks import MLPEncoder, resolve_encoder
from skdeepclust.training import InputScaling, Rows, TrainingPlan, augmentation, embed_rows
from skdeepclust.training._batches import BatchShape
from skdeepclust.training._loop import BatchSource, Schedule
from skdeepclust.training._random import seeded_torch

__all__ = ["LOSSES", "WITH_PROXIES", "LossEmbedder", "MetricLoss"]

Miner = Callable[[Tensor, Tensor], Any]


@dataclass(frozen=True)
class MetricLoss:
    """A loss with its recommended settings.

    Attributes
    ----------
    build : callable
        ``build(n_classes, embedding_dim, sharpness)`` gives the loss and its miner, or None for
        all pairs. A sharpness of 1 is the recommended setting.
    proxy_rate : float
        Learning rate of the proxies as a multiple of the network's; 1 where there are none.
    """

    build: Callable[[int, int, float], tuple[nn.Module, Miner | None]]
    proxy_rate: float = 1.0


def _library() -> SimpleNamespace:
    """The losses, miners and distances of pytorch-metric-learning."""
    try:
        from pytorch_metric_learning import distances, losses, miners
    except ImportError as error:
        raise ImportError(
            "The losses to compare with are those of pytorch-metric-learning, which is not "
            'installed: pip install "skdeepclust[benchmarks]".'
        ) from error
    return SimpleNamespace(distances=distances, losses=losses, miners=miners)


def _multi_similarity(
    n_classes: int, embedding_dim: int, sharpness: float
) -> tuple[nn.Module, Miner]:
    # Wang et al., CVPR 2019: α = 2, β = 50, ε = 0.1. For the base λ the paper has 1; the library
    # and the authors' own code have 0.5.
    library = _library()
    loss = library.losses.MultiSimilarityLoss(alpha=2, beta=50 * sharpness, base=0.5)
    return loss, library.miners.MultiSimilarityMiner(epsilon=0.1)


def _supervised_contrastive(
    n_classes: int, embedding_dim: int, sharpness: float
) -> tuple[nn.Module, None]:
    # Khosla et al., NeurIPS 2020: temperature 0.1, all pairs.
    return _library().losses.SupConLoss(temperature=0.1 / sharpness), None


def _proxy_anchor(n_classes: int, embedding_dim: int, sharpness: float) -> tuple[nn.Module, None]:
    # Kim et al., CVPR 2020: δ = 0.1, α = 32.
    build = _library().losses.ProxyAnchorLoss
    return build(n_classes, embedding_dim, margin=0.1, alpha=32 * sharpness), None


def _normalized_softmax(
    n_classes: int, embedding_dim: int, sharpness: float
) -> tuple[nn.Module, None]:
    # Zhai and Wu, BMVC 2019: temperature 0.05.
    build = _library().losses.NormalizedSoftmaxLoss
    return build(n_classes, embedding_dim, temperature=0.05 / sharpness), None


def _triplet(n_classes: int, embedding_dim: int, sharpness: float) -> tuple[nn.Module, Miner]:
    # Schroff et al., CVPR 2015: margin 0.2 and semi-hard triplets; the distance is that of the
    # library's own example of such a training.
    library = _library()
    distance = library.distances.CosineSimilarity()
    margin = 0.2 / sharpness
    miner = library.miners.TripletMarginMiner(
        margin=margin, distance=distance, type_of_triplets="semihard"
    )
    return library.losses.TripletMarginLoss(margin=margin, distance=distance), miner


# Proxies of ProxyAnchor: Kim et al., section 4.2, have 0.01, which is 100 times the rate of their
# pre-trained network; at our default of 0.003 that is this factor. Zhai and Wu name none. Balanced
# batches, which losses of pairs need, are what Zhai and Wu recommend for theirs too.
LOSSES: dict[str, MetricLoss] = {
    "MultiSimilarity": MetricLoss(_multi_similarity),
    "SupCon": MetricLoss(_supervised_contrastive),
    "ProxyAnchor": MetricLoss(_proxy_anchor, proxy_rate=3.3),
    "NormalizedSoftmax": MetricLoss(_normalized_softmax, proxy_rate=3.3),
    "Triplet": MetricLoss(_triplet),
}

WITH_PROXIES = ("ProxyAnchor", "NormalizedSoftmax")
"""Losses with a learned vector for each class."""


class LossEmbedder(TransformerMixin, BaseEstimator):
    """An embedding learned with one of `LOSSES`.

    Parameters
    ----------
    loss : str, default="MultiSimilarity"
        Name of the loss.
    encoder : encoder object, str or torch.nn.Module, default=None
        As of `DeepMetricClusterer`; None is ``MLPEncoder()``.
    embedding_dim : int, default=64
        Columns of the embedding.
    batch_size : int, default=256
        Rows of a batch.
    rows_per_class : int, default=4
        Rows of each class in a batch, more where there are few classes.
    learning_rate : float, default=0.003
        Largest step of AdamW; the schedule is that of `DeepMetricClusterer`.
    proxy_rate : float, default=None
        Learning rate of the proxies as a multiple of `learning_rate`; None as recommended.
    sharpness : float, default=1.0
        Divides the temperature or margin that is recommended for the loss, and multiplies its α
        or β.
    weight_decay : float, default=0.0001
        Weight decay of AdamW.
    max_epochs : int, default=100
        Passes over the training rows at most.
    max_time : float, default=None
        Seconds of training at most; the learning rate then follows the clock.
    augment : {None, "affine", "affine+turns"} or callable, default=None
        As of `DeepMetricClusterer`.
    random_state : int, RandomState instance or None, default=0
        Determines weights, batches, distortions and k-means.

    Attributes
    ----------
    classes_ : ndarray
        Sorted classes of the training rows.
    network_ : torch.nn.Module
        The trained encoder.
    n_steps_ : int
        Number of gradient steps.
    """

    def __init__(
        self,
        loss: str = "MultiSimilarity",
        encoder: Any = None,
        embedding_dim: int = 64,
        batch_size: int = 256,
        rows_per_class: int = 4,
        learning_rate: float = 3e-3,
        proxy_rate: float | None = None,
        sharpness: float = 1.0,
        weight_decay: float = 1e-4,
        max_epochs: int = 100,
        max_time: float | None = None,
        augment: Any = None,
        random_state: Any = 0,
    ) -> None:
        self.loss = loss
        self.encoder = encoder
        self.embedding_dim = embedding_dim
        self.batch_size = batch_size
        self.rows_per_class = rows_per_class
        self.learning_rate = learning_rate
        self.proxy_rate = proxy_rate
        self.sharpness = sharpness
        self.weight_decay = weight_decay
        self.max_epochs = max_epochs
        self.max_time = max_time
        self.augment = augment
        self.random_state = random_state

    def fit(self, X: ArrayLike, y: ArrayLike) -> LossEmbedder:
        """Learn the embedding.

        Parameters
        ----------
        X : array-like of shape (n, p) or (n, c, h, w)
        y : array-like of shape (n,)
            Class of every row.
        """
        X = np.asarray(X)
        self.classes_, codes = np.unique(np.asarray(y), return_inverse=True)
        encoder = MLPEncoder() if self.encoder is None else resolve_encoder(self.encoder)
        self._input_shape = encoder.input_shape(X.shape[1:])
        self._scaling = InputScaling.fit(X, self._input_shape)
        rows, rng = self._rows(X), check_random_state(self.random_state)
        with seeded_torch(rng, rows.device):
            network = encoder.build(self._input_shape, self.embedding_dim).to(rows.device)
            self.n_steps_ = self._train(network, rows, codes, rng)
        self.network_ = network.eval()
        return self

    def transform(self, X: ArrayLike) -> NDArray[np.float32]:
        """Embed rows, scaled to length 1, (n, embedding_dim)."""
        check_is_fitted(self)
        return embed_rows(self.network_, self._rows(np.asarray(X))).numpy()

    def cluster(self, X: ArrayLike, n_clusters: int) -> NDArray[np.int64]:
        """Cluster rows of any classes by k-means in the embedding, (n,)."""
        seed = check_random_state(self.random_state).randint(np.iinfo(np.int32).max)
        kmeans = KMeans(n_clusters, n_init=10, random_state=int(seed))
        return kmeans.fit_predict(self.transform(X)).astype(np.int64)

    def _rows(self, X: NDArray[Any]) -> Rows:
        return Rows(X, self._scaling, self._input_shape, check_device("auto"))

    def _train(
        self, network: nn.Module, rows: Rows, codes: NDArray[np.int64], rng: np.random.RandomState
    ) -> int:
        """Train the network in place; the number of steps."""
        augment = augmentation(self.augment)
        n_classes = len(self.classes_) * (augment.n_turns if augment else 1)
        loss, miner = LOSSES[self.loss].build(n_classes, self.embedding_dim, self.sharpness)
        optimizer = self._optimizer(network, loss.to(rows.device))
        shape = self._batch_shape(len(codes), n_classes)
        batches = BatchSource(rows, codes, np.arange(len(codes)), shape, augment, rng)
        network.train()
        n_steps = 0
        for inputs, targets in self._scheduled(batches, optimizer):
            y = torch.as_tensor(targets, device=inputs.device)
            embedding = functional.normalize(network(inputs), dim=1, eps=1e-12)
            _step(optimizer, loss(embedding, y, miner(embedding, y) if miner else None))
            n_steps += 1
        return n_steps

    def _optimizer(self, network: nn.Module, loss: nn.Module) -> torch.optim.Optimizer:
        """AdamW; every group knows its learning rate as a multiple of the network's."""
        recommended = LOSSES[self.loss].proxy_rate
        factor = recommended if self.proxy_rate is None else self.proxy_rate
        groups = [{"params": list(network.parameters()), "factor": 1.0}]
        if proxies := list(loss.parameters()):
            groups.append({"params": proxies, "factor": factor})
        return torch.optim.AdamW(groups, lr=self.learning_rate, weight_decay=self.weight_decay)

    def _batch_shape(self, n_rows: int, n_classes: int) -> BatchShape:
        in_batch = min(n_classes, max(2, self.batch_size // self.rows_per_class))
        return BatchShape(self.embedding_dim, min(self.batch_size, n_rows), in_batch)

    def _scheduled(
        self, batches: BatchSource, optimizer: torch.optim.Optimizer
    ) -> Iterator[tuple[Tensor, NDArray[np.int64]]]:
        """Batches until the training ends; the optimizer has the learning rate for each."""
        plan = TrainingPlan(
            max_epochs=self.max_epochs,
            learning_rate=self.learning_rate,
            weight_decay=self.weight_decay,
            ridge=0.0,
            patience=self.max_epochs,
            max_time=self.max_time,
        )
        schedule = Schedule(plan)
        for epoch in range(self.max_epochs):
            for done, inputs, targets in batches.epoch():
                schedule.set_learning_rate(optimizer, epoch + done)
                for group in optimizer.param_groups:
                    group["lr"] *= group["factor"]
                yield inputs, targets
                if schedule.is_out_of_time():
                    return


def _step(optimizer: torch.optim.Optimizer, value: Tensor) -> None:
    """A gradient step; none where the loss is constant, as without any pair to learn from."""
    if not value.requires_grad:
        return
    optimizer.zero_grad(set_to_none=True)
    value.backward()
    optimizer.step()
