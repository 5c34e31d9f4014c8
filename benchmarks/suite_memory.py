"""Memory that a clusterer takes: how far the resident set of a process of its own grows."""

from __future__ import annotations

from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

from critic_pool import Floats
from resident_memory import peak_memory, reset_peak
from suite_methods import Cluster, cluster_quietly

__all__ = ["memory_growth", "peak_memory", "reset_peak"]

_MIB = 2**20
# The same on a few rows first: what is imported by the first call is no need of the data.
_WARM_UP_ROWS, _WARM_UP_CLUSTERS = 100, 3


def memory_growth(cluster: Cluster, rows: Floats, seed: int, k: int) -> float | None:
    """MiB by which the largest resident set exceeds the one before; None where it is unknown.

    Parameters
    ----------
    cluster : callable
        As in `Method`; another process must be able to import it.
    rows : ndarray of shape (n, p)
    seed, k : int
    """
    # Not forked: the child would begin with the memory of its parent.
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as process:
        return process.submit(_growth, cluster, rows, seed, k).result()


def _growth(cluster: Cluster, rows: Floats, seed: int, k: int) -> float | None:
    step = max(1, len(rows) // _WARM_UP_ROWS)
    cluster_quietly(cluster, rows[::step], seed, min(k, _WARM_UP_CLUSTERS))
    reset_peak()
    before = peak_memory()
    cluster_quietly(cluster, rows, seed, k)
    after = peak_memory()
    return None if before is None or after is None else (after - before) / _MIB
