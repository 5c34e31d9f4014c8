"""Mutants that no test should notice, each with the reason; see `equivalent_mutants`."""

from __future__ import annotations

from equivalent_mutants import Equivalents

__all__ = ["EQUIVALENTS"]

_BLOCKS = "cost: a limit between two ways to the same sums, or the size of a block"
_LIMIT = "same: a limit of accuracy moves by less than it is known to"
_ZERO = "same: nothing but zeros is divided by it"
_UNUSED = "same: room that nothing is put into"
_OVERWRITTEN = "same: set again before anybody reads it"
_DRAWN = "choice: as likely, by the other half of the draws"
_EDGE = "same: no draw hits the limit exactly"
_RESHAPE = "same: for NumPy any negative length is the one to be found"

_SPECTRAL, _SEARCH = "skdeepclust/spectral/", "skdeepclust/search/"

EQUIVALENTS = (
    Equivalents(
        _SPECTRAL + "_leave_one_out.py",
        _LIMIT,
        (
            "torch.float32: (MAX_INFLATION[torch.float32], 201.0),",
            "torch.float64: (math.inf, 100000001.0),",
            "_MIN_FREEDOM_EPS",
            "LENGTH_RANGE[0] < shortest",
            "and longest < LENGTH_RANGE[1]",
            "and inflation < most",
            "and inflation < most_amplified * least_freedom",
        ),
    ),
    Equivalents(
        _SPECTRAL + "_leave_one_out.py",
        _ZERO,
        (
            "shares = (y / largest.where(largest > 0, 2.0)).to(dtype)",
            "unit = 1.0 if shared is not None else float(embedding.abs().max()) or 2.0",
            "return torch.where(level > 0, level, 2.0)",
        ),
    ),
    Equivalents(
        _SPECTRAL + "_linear.py",
        "same: where Cholesky fails, the ridge is below the rounding of the eigenvalues",
        ("weights = torch.where(values > floor, 1.0 / (values - level), 0.0)",),
    ),
    Equivalents(_SPECTRAL + "_objective.py", _ZERO, ("return y / (largest or 2.0)",)),
    Equivalents(
        _SPECTRAL + "_solve.py",
        _LIMIT,
        (
            "MAX_INFLATION",
            "_MAX_LENGTH_RATIO",
            "RANK_TOLERANCE_EPS",
            "worst < MAX_INFLATION[lengths.dtype]",
            "and longest < _MAX_LENGTH_RATIO * shortest",
            "and shortest > LENGTH_RANGE[0]",
            "and longest < LENGTH_RANGE[1]",
        ),
    ),
    Equivalents(_SPECTRAL + "_solve.py", _ZERO, ("unit = float(embedding.abs().max()) or 2.0",)),
    Equivalents(_SPECTRAL + "_solve.py", "same: a ridge of 0 is added", ("if ridge >= 0:",)),
    Equivalents(
        _SPECTRAL + "_statistics.py",
        _BLOCKS,
        (
            "_MIN_BLOCKED_DIM",
            "_N_BLOCKS",
            "_MIN_SORTED_SIZE",
            "CHUNK_ROWS",
            "_MAX_ADDED_ROWS",
            "_MIN_UNSPLIT_DIM",
            "if dim <= _MIN_BLOCKED_DIM:",
            "if n < _MAX_ADDED_ROWS or dim >= _MIN_UNSPLIT_DIM or left.dtype == torch.float64:",
            "if n <= _MAX_ADDED_ROWS or dim > _MIN_UNSPLIT_DIM or left.dtype == torch.float64:",
            "if (n <= _MAX_ADDED_ROWS and dim >= _MIN_UNSPLIT_DIM and left.dtype "
            "== torch.float64):",
            'if embedding.device.type == "cpu" or (',
            "(embedding.dtype == dtype or embedding.numel() >= _MIN_SORTED_SIZE)",
            "at_once = max(_MAX_ADDED_ROWS, 9 * n_classes)",
            "at_once = max(_MAX_ADDED_ROWS, 8 / n_classes)",
            "if dtype == embedding.dtype == torch.float32 and embedding.shape[0] >= at_once:",
            "cuts = torch.arange(1, embedding.shape[0], _MAX_ADDED_ROWS, device=y.device)",
            "if left.dtype != right.dtype == dtype:",
        ),
    ),
    Equivalents(
        _SPECTRAL + "_statistics.py",
        "same: a block without columns is added",
        ("edges = [dim * i // _N_BLOCKS for i in range(_N_BLOCKS + 2)]",),
    ),
    Equivalents(
        _SPECTRAL + "_statistics.py",
        "same: the processor sorts stably in any case",
        ("order = torch.argsort(y, stable=False)",),
    ),
    Equivalents(
        _SPECTRAL + "_whitening.py",
        _LIMIT,
        (
            "_CENTERING_NOISE = 65 * torch.finfo(torch.float64).eps",
            "kept = values >= 1e-6 * values[-1].clamp(min=torch.finfo(torch.float64).tiny)",
            "kept &= shrunk >= _LEAST_VARIANCE",
        ),
    ),
    Equivalents(
        _SPECTRAL + "_whitening.py",
        "same: what is replaced here is replaced by 0 in the next line",
        (
            "without shrunk = torch.where(kept, shrunk, 1.0)",
            "shrunk = torch.where(kept, shrunk, 2.0)",
        ),
    ),
    Equivalents(
        _SEARCH + "_archipelago.py",
        "same: any island can say that all were interrupted, and all begin alike",
        ("with islands[1].ended_by_interrupts():", 'common = islands[1].log[0]["n_evaluations"]'),
    ),
    Equivalents(
        _SEARCH + "_archipelago.py", "same: one thread becomes one thread", ("if before >= 1:",)
    ),
    Equivalents(
        _SEARCH + "_baselines.py",
        _EDGE,
        ("return self._cells(founder) if self.rng.uniform() <= 0.5 else self._walk(founder)",),
    ),
    Equivalents(
        _SEARCH + "_baselines.py",
        _DRAWN,
        ("return self._cells(founder) if self.rng.uniform() >= 0.5 else self._walk(founder)",),
    ),
    Equivalents(
        _SEARCH + "_baselines.py",
        "same: cells around different prototypes have their number, and no gaps",
        (
            "without codes = keep_bounds(prototypes, rng, codes, bounds)",
            "without codes = np.unique(codes, return_inverse=True)[1].reshape(-1)",
        ),
    ),
    Equivalents(
        _SEARCH + "_baselines.py",
        _RESHAPE,
        ("codes = np.unique(codes, return_inverse=True)[1].reshape(-2)",),
    ),
    Equivalents(
        _SEARCH + "_cem.py",
        _OVERWRITTEN,
        (
            "in __init__: without self._generation = self._stalls = 0",
            "in __init__: self._generation = self._stalls = 1",
        ),
    ),
    Equivalents(
        _SEARCH + "_cem.py",
        "choice: as likely, with the other sign",
        ("weights = self.mean - self.deviation * self.rng.standard_normal(len(self.mean))",),
    ),
    Equivalents(
        _SEARCH + "_cem.py",
        _RESHAPE,
        ("return np.asarray(np.unique(winners, return_inverse=True)[1].reshape(-2))",),
    ),
    Equivalents(
        _SEARCH + "_genetic.py",
        _EDGE,
        ("if kind <= _CROSSOVERS:", "elif kind <= _CROSSOVERS + _BLENDS:"),
    ),
    Equivalents(
        _SEARCH + "_lineage.py",
        _LIMIT,
        ("return difference(candidate.labels, founder.labels) < self.trust + 1e-12",),
    ),
    Equivalents(
        _SEARCH + "_lineage.py",
        _UNUSED,
        (
            "number = np.zeros(int(order.max()) + 2, dtype=np.int64)",
            "survives = np.zeros(max(int(codes.max()), parent.n_clusters + 1) + 1, dtype=bool)",
            "survives = np.zeros(max(int(codes.max()), parent.n_clusters - 1) + 2, dtype=bool)",
        ),
    ),
    Equivalents(
        _SEARCH + "_lineage.py",
        _RESHAPE,
        ("founder = _found(prototypes, np.unique(labels, return_inverse=True)[1].reshape(-2))",),
    ),
    Equivalents(
        _SEARCH + "_loop.py",
        "choice: with one alternative at most, a second partition might move between islands",
        ("first = Island(chosen, CachedScore(score, deadline), limits, max(2, n_alternatives))",),
    ),
    Equivalents(
        _SEARCH + "_loop.py", _ZERO, ("centered = centered / (np.abs(centered).max() or 2.0)",)
    ),
    Equivalents(
        _SEARCH + "_operators.py",
        _EDGE,
        (
            "cut = _cut_by_means if rng.uniform() <= 0.5 else _cut_graph",
            "graph = _subgraph(prototypes, members, by_links=rng.uniform() <= 0.5)",
            "for _ in range(rng.randint(3) if rng.uniform() <= 0.5 else 0):",
            "drawn = rng.uniform(size=int(first.max()) + 1) <= 0.5",
            "taken = differs[(rng.uniform(size=n_patches) <= 0.5)[patches]]",
        ),
    ),
    Equivalents(
        _SEARCH + "_operators.py",
        _DRAWN,
        (
            "cut = _cut_by_means if rng.uniform() >= 0.5 else _cut_graph",
            "for _ in range(rng.randint(3) if rng.uniform() >= 0.5 else 0):",
            "taken = differs[(rng.uniform(size=n_patches) >= 0.5)[patches]]",
        ),
    ),
    Equivalents(
        _SEARCH + "_operators.py",
        "same: which of the two sides is meant does not matter",
        (
            "nearer = (points - (first + second) / 2) @ axis >= 0",
            "nearer = (points - (first + second) / 2) @ axis <= 0",
            "return np.asarray(parts != parts[rng.randint(len(parts))])",
            "order, parents = breadth_first_order(tree.tocsr(), 1, directed=False)",
        ),
    ),
    Equivalents(
        _SEARCH + "_operators.py",
        "same: the graph has every edge in both directions",
        (
            "n_parts, parts = connected_components(graph, directed=True)",
            "n_patches, patches = connected_components(graph, directed=True)",
        ),
    ),
    Equivalents(
        _SEARCH + "_operators.py",
        "same: whether there is an edge is all that is looked at",
        ("graph = _subgraph(prototypes, differs, by_links=True)",),
    ),
    Equivalents(
        _SEARCH + "_operators.py",
        _UNUSED,
        (
            "in _affinity: k = int(codes.max()) + 2",
            "q, k = len(codes), int(codes.max()) + 2",
            "k, k_like = int(codes.max()) + 2, int(like.max()) + 1",
            "k, k_like = int(codes.max()) + 1, int(like.max()) + 2",
        ),
    ),
    Equivalents(_SEARCH + "_operators.py", _OVERWRITTEN, ("inside = [True] * len(order)",)),
    Equivalents(
        _SEARCH + "_operators.py",
        "same: any negative number stands for none",
        (
            "place = np.full(len(prototypes), -2, dtype=np.int32)  # what scipy's graphs want",
            "return prototypes.follow(np.where(codes == gone, -2, codes))",
            "from_second = np.where(fits[second], second + len(drawn), -2)",
        ),
    ),
    Equivalents(
        _SEARCH + "_operators.py",
        "same: a common factor of all chances, or the sum of the shares, which is 1",
        (
            "gone = _draw(rng, np.divide(2.0, sizes, out=np.zeros(len(sizes)), where=sizes > 0))",
            "operator = _FUNCTIONS[int(np.searchsorted(_SHARES.cumsum(), "
            "rng.uniform() / _SHARES.sum()))]",
        ),
    ),
    Equivalents(
        _SEARCH + "_partition.py",
        _UNUSED,
        (
            "k = int(labels.max(initial=1)) + 1",
            "k = int(labels.max(initial=0)) + 2",
            "k = int(second.max()) + 2",
            "together = np.bincount(first * k + second, "
            "minlength=(int(first.max()) + 2) * k).reshape(-1, k)",
        ),
    ),
    Equivalents(
        _SEARCH + "_partition.py",
        _RESHAPE,
        (
            "together = np.bincount(first * k + second, "
            "minlength=(int(first.max()) + 1) * k).reshape(-2, k)",
        ),
    ),
    Equivalents(
        _SEARCH + "_partition.py",
        "same: partitions are counted from the end, but for the first",
        ("index = labels - k * np.arange(m)[:, None]",),
    ),
    Equivalents(
        _SEARCH + "_partition.py",
        "same: DEAP divides by it what it has multiplied with it",
        ("weights = (2.0,)",),
    ),
    Equivalents(
        _SEARCH + "_partition.py",
        "same: a longer key",
        ("self.key = blake2b(names.astype(np.int32).tobytes(), digest_size=17).digest()",),
    ),
    Equivalents(
        _SEARCH + "_portfolio.py",
        "same: cutting a tree draws nothing",
        ("unused = np.random.RandomState(1)",),
    ),
    Equivalents(
        _SEARCH + "_prototypes.py",
        "same: a seed in two thousand millions is not drawn any more",
        (
            'model = KMeans(q, init="random", n_init=1, max_iter=10, '
            "random_state=rng.randint(2**31 - 2))",
        ),
    ),
    Equivalents(_SEARCH + "_prototypes.py", _UNUSED, ("k = int(labels.max()) + 2",)),
    Equivalents(
        _SEARCH + "_prototypes.py",
        "same: any negative number stands for none",
        ("return self.follow(np.where(votes.any(axis=1), votes.argmax(axis=1), -2))",),
    ),
    Equivalents(
        _SEARCH + "_prototypes.py",
        _RESHAPE,
        (
            "votes = np.bincount(codes * k + labels, minlength=len(self) * k).reshape(-2, k)",
            "codes = np.unique(X, axis=0, return_inverse=True)[1].reshape(-2)",
            "codes = np.asarray(np.unique(codes, "
            "return_inverse=True)[1].reshape(-2), dtype=np.int64)",
        ),
    ),
    Equivalents(
        _SEARCH + "_prototypes.py",
        "same: k-means is told where to start, draws nothing, and is asked for centers alone",
        ("compute_labels=True,", "random_state=1,"),
    ),
    Equivalents(
        _SEARCH + "_prototypes.py",
        "same: another unit of length, in which squares neither overflow nor vanish either",
        (
            "unit = float(np.abs(start + middle).max()) or 1.0  # squares neither "
            "overflow nor vanish",
            "unit = float(np.abs(start - middle).max()) or 2.0  # squares neither "
            "overflow nor vanish",
        ),
    ),
    Equivalents(
        _SEARCH + "_prototypes.py",
        "same: the two ends are as many",
        ("return sp.csr_array(sp.coo_array((np.ones(len(ends[1])), ends), shape=(q, q)))",),
    ),
)
"""All of them."""
