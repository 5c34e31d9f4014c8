"""Judging in blocks gives what the network says about each clustering alone."""

import numpy as np
import pytest
import torch

from skdeepclust.critic import _judging
from skdeepclust.critic._geometry import measure_points
from skdeepclust.critic._judging import judge
from skdeepclust.critic._network import CriticNetwork


def test_blocks_change_nothing(monkeypatch):
    rng = np.random.RandomState(0)
    graph, labels = measure_points(rng.standard_normal((40, 3))), rng.randint(-1, 3, (7, 40))
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = CriticNetwork(hidden=(8,), hidden_dim=8).train()
    whole = judge(network, graph, labels)
    assert not network.training
    monkeypatch.setattr(_judging, "_BLOCK_CELLS", 80)
    parts = judge(network, graph, labels)
    for one, other in zip(whole, parts, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)
    assert whole.scores.shape == (7,)
    assert whole.embedding.shape == (7, network.encoder.embedding_dim)
    assert whole.cluster_scores.shape == (sum(len(set(row) - {-1}) for row in labels.tolist()),)


@pytest.mark.parametrize("dtype", [np.int16, np.int64])
def test_any_integers_will_do(dtype):
    graph = measure_points(np.arange(6.0)[:, None])
    labels = np.array([[0, 0, 0, 1, 1, 1]], dtype=dtype)
    assert np.isfinite(judge(CriticNetwork(hidden=()), graph, labels).scores).all()
