"""Cross-entropy method over the weights of a small clustering network."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..critic._view import DataView
from ._lineage import Ancestry
from ._partition import Codes, Floats, Partition

__all__ = ["ClusteringNetwork", "CrossEntropyStrategy"]

_SPARE_OUTPUTS = 2
# Rows whose neighbour graph gives features, the fewest that have one worth the name.
_MAX_ROWS, _FEWEST_ROWS = 5_000, 12
# Deviation of the first weights, in units of their own size.
_DEVIATION = 0.4
# Noise on top of what the elites vary, in units of the first deviation, and its decay.
_EXTRA_NOISE, _DECAY = 0.5, 0.9
_MAX_BATCHES = 4
# Generations without a better network, after which the noise is raised again.
_MAX_STALLS = 6


@dataclass(frozen=True)
class ClusteringNetwork:
    """A network from features to clusters: logits W z + V tanh(A z + a) + b.

    Attributes
    ----------
    n_features, n_hidden, n_outputs : int
        No hidden units make it linear.
    """

    n_features: int
    n_hidden: int
    n_outputs: int

    @property
    def shapes(self) -> list[tuple[int, ...]]:
        """Shapes of W, b, V, A, a, in the order in which a vector of weights holds them."""
        d, h, k = self.n_features, self.n_hidden, self.n_outputs
        return [(k, d), (k,), (k, h), (h, d), (h,)]

    @property
    def n_weights(self) -> int:
        """Number of weights."""
        return sum(int(np.prod(shape)) for shape in self.shapes)

    def unpack(self, weights: Floats) -> list[Floats]:
        """W, b, V, A and a from a vector (n_weights,)."""
        ends = np.cumsum([int(np.prod(shape)) for shape in self.shapes])
        parts = np.split(weights, ends[:-1])
        return [part.reshape(shape) for part, shape in zip(parts, self.shapes, strict=True)]

    def pack(self, parts: list[Floats]) -> Floats:
        """The vector of weights (n_weights,) from W, b, V, A and a."""
        return np.concatenate([part.ravel() for part in parts])

    def assign(self, Z: Floats, weights: Floats) -> Codes:
        """The largest output for each row; outputs that are nowhere the largest leave no gap.

        Parameters
        ----------
        Z : ndarray of shape (n, n_features)
        weights : ndarray of shape (n_weights,)

        Returns
        -------
        ndarray of shape (n,)
        """
        winners = self.logits(Z, weights).argmax(axis=1)
        return np.asarray(np.unique(winners, return_inverse=True)[1].reshape(-1))

    def logits(self, Z: Floats, weights: Floats) -> Floats:
        """The outputs (n, n_outputs) for each row of Z (n, n_features)."""
        W, b, V, A, a = self.unpack(weights)
        logits = Z @ W.T + b
        if self.n_hidden:
            logits += np.tanh(Z @ A.T + a) @ V.T
        return np.asarray(logits)

    def from_labels(self, Z: Floats, labels: Codes, rng: np.random.RandomState) -> Floats:
        """Weights that assign each row to the nearest mean of a cluster, as k-means does.

        The hidden layer has random weights into it, and none out of it. Outputs beyond the
        clusters are those of random rows, with a bias that lets none of them win a row.

        Parameters
        ----------
        Z : ndarray of shape (n, n_features)
        labels : ndarray of shape (n,)
            At most n_outputs clusters, from 0 and without gaps.
        rng : RandomState

        Returns
        -------
        ndarray of shape (n_weights,)
        """
        k, d, h = int(labels.max()) + 1, self.n_features, self.n_hidden
        means = np.stack([Z[labels == c].mean(axis=0) for c in range(k)])
        inner = rng.standard_normal((h, d)), rng.standard_normal(h)
        parts = [2 * means, -(means**2).sum(axis=1), np.zeros((k, h)), *inner]
        return self._with_spare_outputs(Z, parts, rng)

    def widen(
        self, Z: Floats, network: ClusteringNetwork, weights: Floats, rng: np.random.RandomState
    ) -> Floats:
        """Weights for the same clusters as those of another network with as many hidden units.

        Parameters
        ----------
        Z : ndarray of shape (n, n_features)
        network : ClusteringNetwork
        weights : ndarray of shape (network.n_weights,)
            With at most as many outputs in use as there are here.
        rng : RandomState

        Returns
        -------
        ndarray of shape (n_weights,)
        """
        W, b, V, A, a = network.unpack(weights)
        used = np.unique(network.logits(Z, weights).argmax(axis=1))
        return self._with_spare_outputs(Z, [W[used], b[used], V[used], A, a], rng)

    def _with_spare_outputs(
        self, Z: Floats, parts: list[Floats], rng: np.random.RandomState
    ) -> Floats:
        """Add outputs around random rows, each with a bias that lets it win no row."""
        W, b, V, A, a = parts
        k, n_spare = len(b), self.n_outputs - len(b)
        own = ClusteringNetwork(self.n_features, self.n_hidden, k).logits(Z, self.pack(parts))
        shares = own - own.max(axis=1, keepdims=True)
        centers = Z[rng.randint(len(Z), size=n_spare)]
        lead = (2 * Z @ centers.T - own.max(axis=1, keepdims=True)).max(axis=0, initial=0.0)
        spare_bias = -lead - shares.std()
        spare_V = np.zeros((n_spare, self.n_hidden))
        pairs = ((W, 2 * centers), (b, spare_bias), (V, spare_V))
        return self.pack([*map(np.concatenate, pairs), A, a])

    def sizes(self, weights: Floats) -> Floats:
        """A typical size for each weight, (n_weights,), from those in its place.

        The weights out of the hidden layer are taken to be as large as those of the features.
        """
        W, b, V, A, a = self.unpack(weights)
        direct = _root_mean_square(W - W.mean(axis=0))
        levels = (direct, _root_mean_square(b - b.mean()), direct, 1.0, 1.0)
        shapes = zip(levels, self.shapes, strict=True)
        return self.pack([np.full(shape, level) for level, shape in shapes])


def _root_mean_square(values: Floats) -> float:
    """Root of the mean square, 1 if it is 0."""
    return float(np.sqrt((values**2).mean())) or 1.0


def _features(rows: Floats, rng: np.random.RandomState, n_eigenvectors: int) -> Floats:
    """Principal coordinates, and eigenvectors of the neighbour graph; (n, d)."""
    view = DataView(rows, rng, n_costly=_MAX_ROWS)
    if n_eigenvectors == 0 or len(view.few) < _FEWEST_ROWS:
        return view.X
    vectors = view.spectrum[:, :n_eigenvectors] * np.sqrt(len(view.few))
    return np.hstack([view.X, vectors[view.places]])


class CrossEntropyStrategy:
    """Sample weights from a diagonal Gaussian, move it to the best ones, again and again.

    The interface is that of DEAP's strategies. The first generation are the founders and, for
    each, the network that assigns rows to the nearest of its means; the Gaussian starts at the
    best of these networks, or at random weights. Where it finds nothing better for some
    generations it starts again at the best network so far, with some outputs more.

    Parameters
    ----------
    ancestry : Ancestry
    rng : RandomState
    population_size : int, default=48
        Samples of a generation.
    n_hidden : int, default=8
        Hidden units; with none the borders between clusters are flat.
    elite_share : float, default=0.2
        Share of the samples to which the Gaussian moves.
    learning_rate : float, default=0.7
        How far it moves.
    n_eigenvectors : int, default=8
        Features beside the coordinates: leading eigenvectors of the graph of nearest neighbours,
        in which clusters of any shape are blocks. At most 40.
    init : {"founders", "random"}, default="founders"
        Where the Gaussian starts. Samples that descend from no founder are in no trust region.
    """

    def __init__(
        self,
        ancestry: Ancestry,
        rng: np.random.RandomState,
        population_size: int = 48,
        *,
        n_hidden: int = 8,
        elite_share: float = 0.2,
        learning_rate: float = 0.7,
        init: str = "founders",
        n_eigenvectors: int = 8,
    ) -> None:
        if init not in ("founders", "random"):
            raise ValueError(f"init must be 'founders' or 'random', got {init!r}.")
        self.Z: Floats = _features(ancestry.rows, rng, n_eigenvectors)
        self.ancestry = ancestry
        self.rng = rng
        self.population_size = population_size
        self.n_hidden = n_hidden
        self.n_elites = max(2, round(elite_share * population_size))
        self.learning_rate = learning_rate
        self.init = init
        self.network: ClusteringNetwork | None = None
        self.founder = -1
        self._best: tuple[ClusteringNetwork, Partition] | None = None
        self._generation = self._stalls = 0

    def generate(self) -> list[Partition]:
        """The founders and their networks, and from then on samples."""
        if self.network is None:
            networks = self._founding_networks() if self.init == "founders" else []
            return [*self.ancestry.founders, *networks]
        samples: list[Partition] = []
        for _ in range(_MAX_BATCHES):
            drawn = self.ancestry.limit(self._sample() for _ in range(self.population_size))
            samples += [sample for sample in drawn if self.ancestry.admit(sample)]
            if len(samples) >= self.population_size:
                break
        return samples[: self.population_size] or [self.ancestry.founders[0]]

    def update(self, population: list[Partition]) -> None:
        """Move the Gaussian to the best of a scored population."""
        ranked = sorted(population, key=lambda partition: partition.score, reverse=True)
        networks = [partition for partition in ranked if partition.weights is not None]
        if self.network is None:
            self._start(networks[0] if networks else None)
        else:
            self._move(networks[: self.n_elites])
        if self._stalled(networks):
            self._restart()

    def _founding_networks(self) -> list[Partition]:
        found = []
        for founder in self.ancestry.limit(self.ancestry.founders):
            network = self._network(founder.n_clusters)
            weights = network.from_labels(self.Z, founder.labels, self.rng)
            labels = network.assign(self.Z, weights)
            candidate = Partition(labels, None, founder.founder, weights)
            if self.ancestry.admit(candidate):
                found.append(candidate)
        return found

    def _network(self, n_clusters: int) -> ClusteringNetwork:
        """Some more outputs than clusters, so that there can be more of them."""
        most = max(n_clusters, self.ancestry.bounds.max_clusters)
        return ClusteringNetwork(
            self.Z.shape[1], self.n_hidden, min(most, n_clusters + _SPARE_OUTPUTS)
        )

    def _start(self, best: Partition | None) -> None:
        """Centre the Gaussian on the best network, or on 0 if there is none."""
        if best is not None and best.weights is not None:
            network = self._network(self.ancestry.founders[best.founder].n_clusters)
            self._place(network, best.weights, _DEVIATION * network.sizes(best.weights))
            self.founder = best.founder
        else:
            n_outputs = self.ancestry.bounds.max_clusters
            network = ClusteringNetwork(self.Z.shape[1], self.n_hidden, n_outputs)
            self._place(network, np.zeros(network.n_weights), np.ones(network.n_weights))

    def _place(self, network: ClusteringNetwork, mean: Floats, deviation: Floats) -> None:
        """Begin a Gaussian, at full noise."""
        self.network, self.mean = network, mean
        self.deviation = self.first_deviation = deviation
        self._generation = self._stalls = 0

    def _move(self, elites: list[Partition]) -> None:
        """Mean and deviation go towards those of the elites."""
        weights = np.array([sample.weights for sample in elites if sample.weights is not None])
        if len(weights) > 1:
            rate, extra = self.learning_rate, _EXTRA_NOISE * _DECAY**self._generation
            variance = weights.var(axis=0) + (extra * self.first_deviation) ** 2
            self.mean = self.mean + rate * (weights.mean(axis=0) - self.mean)
            self.deviation = np.sqrt(rate * variance + (1 - rate) * self.deviation**2)
        self._generation += 1

    def _stalled(self, networks: list[Partition]) -> bool:
        """Keep the best network; whether it has been the best for some generations."""
        self._stalls += 1
        if networks and (self._best is None or networks[0].score > self._best[1].score):
            assert self.network is not None
            self._best, self._stalls = (self.network, networks[0]), 0
        return self._stalls >= _MAX_STALLS and self._best is not None

    def _restart(self) -> None:
        """Begin anew around the best network, with further outputs."""
        assert self._best is not None
        network, best = self._best
        assert best.weights is not None
        wider = self._network(best.n_clusters)
        mean = wider.widen(self.Z, network, best.weights, self.rng)
        self._place(wider, mean, _DEVIATION * wider.sizes(mean))

    def _sample(self) -> Partition:
        assert self.network is not None
        weights = self.mean + self.deviation * self.rng.standard_normal(len(self.mean))
        return Partition(self.network.assign(self.Z, weights), None, self.founder, weights)
