"""Engine: search for the clustering of a data set that a score likes best."""

from ._deadline import Deadline
from ._loop import STRATEGIES, search_clusterings
from ._many_rows import Found, search_rows
from ._partition import Bounds, Partition, PartitionFitness, canonical, difference
from ._portfolio import portfolio
from ._prototypes import Prototypes, condense, make_prototypes
from ._result import ScoredClustering, SearchResult

__all__ = [
    "STRATEGIES",
    "Bounds",
    "Deadline",
    "Found",
    "Partition",
    "PartitionFitness",
    "Prototypes",
    "ScoredClustering",
    "SearchResult",
    "canonical",
    "condense",
    "difference",
    "make_prototypes",
    "portfolio",
    "search_clusterings",
    "search_rows",
]
