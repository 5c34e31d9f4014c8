"""Memory is that of the clusterer alone, in a process of its own."""

import importlib
import sys
from functools import partial

import numpy as np
import pytest


@pytest.fixture(scope="module")
def memory(benchmark_path):
    return importlib.import_module("suite_memory")


def test_memory_grows_with_what_a_clusterer_keeps(memory):
    suite = sys.modules["suite_methods"]
    rows = np.random.default_rng(0).normal(size=(3_000, 2))
    small = memory.memory_growth(suite.k_means, rows, 0, 3)
    if small is None:
        pytest.skip("the system does not tell")
    # The distances of all pairs, once each: 3,000 · 2,999 / 2 numbers of eight bytes.
    pairs = 3_000 * 2_999 / 2 * 8 / 2**20
    cuts = partial(suite.best_silhouette, candidates=partial(suite.tree_cuts, method="average"))
    large = memory.memory_growth(cuts, rows, 0, 2)
    assert 0 <= small < pairs / 2
    assert pairs * 0.9 < large < 20 * pairs


def test_the_peak_stays_after_what_made_it_is_gone(memory):
    if memory.peak_memory() is None:
        pytest.skip("the system does not tell")
    block = np.ones(64 * 2**17)  # 64 MiB
    peak = memory.peak_memory()
    assert peak > block.nbytes
    del block
    # The system counts pages in batches of each thread's own.
    assert memory.peak_memory() >= peak - 4 * 2**20
