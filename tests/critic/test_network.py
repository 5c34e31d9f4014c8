"""The critic network: scores of clusterings, whatever their names, order and scale."""

import numpy as np
import pytest
import torch

from skdeepclust.critic._geometry import measure_points
from skdeepclust.critic._network import CriticNetwork


@pytest.fixture(scope="module")
def network():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return CriticNetwork().eval()


def draw(n=60, p=3, seed=0):
    rng = np.random.RandomState(seed)
    labels = np.stack([np.arange(n) % k for k in (1, 2, 5)] + [rng.randint(-1, 4, n)])
    return rng.standard_normal((n, p)) + 3 * labels[1][:, None], labels


def score(network, X, labels):
    with torch.no_grad():
        return network(measure_points(X), torch.from_numpy(labels)).scores


def test_one_score_and_one_embedding_for_each_clustering(network):
    X, labels = draw()
    with torch.no_grad():
        output = network(measure_points(X), torch.from_numpy(labels))
    assert output.scores.shape == (4,)
    assert output.encoding.embedding.shape == (4, network.encoder.embedding_dim)
    assert torch.isfinite(output.scores).all()
    assert len(torch.unique(output.scores)) == 4
    torch.testing.assert_close(network.score_embedding(output.encoding.embedding), output.scores)


def test_a_score_does_not_depend_on_the_other_clusterings(network):
    X, labels = draw()
    alone = torch.cat([score(network, X, labels[i : i + 1]) for i in range(4)])
    torch.testing.assert_close(score(network, X, labels), alone, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("change", ["names", "order", "rotation", "shift", "small", "large"])
def test_scores_are_invariant(network, change):
    X, labels = draw()
    expected = score(network, X, labels)
    if change == "names":
        labels = np.where(labels >= 0, 17 - 3 * labels, -1)
    elif change == "order":
        order = np.random.RandomState(1).permutation(len(X))
        X, labels = X[order], labels[:, order]
    elif change == "rotation":
        X = X @ np.linalg.qr(np.random.RandomState(2).standard_normal((3, 3)))[0]
    else:
        X = {"shift": X + 1000.0, "small": 1e-6 * X, "large": 1e6 * X}[change]
    torch.testing.assert_close(score(network, X, labels), expected, rtol=1e-4, atol=1e-5)


def test_few_rows_and_hidden_layers():
    network = CriticNetwork(hidden=(), n_rounds=0, kind="complete")
    X = np.array([[0.0], [1.0], [5.0]])
    assert score(network, X, np.array([[0, 0, 1]])).shape == (1,)
    assert [type(layer) for layer in network.head] == [torch.nn.LayerNorm, torch.nn.Linear]
    plain = CriticNetwork(hidden=(), normalize=False)
    assert [type(layer) for layer in plain.head] == [torch.nn.Linear]


@pytest.mark.parametrize("config", [{"hidden": (16,)}, {"hidden": (16,), "hidden_dim": 8}])
def test_parameters_stored_before_there_were_more(config):
    """Layers of files of release 0.1.0."""
    shapes = {k: tuple(v.shape) for k, v in CriticNetwork.from_config(config).state_dict().items()}
    width = config.get("hidden_dim", 64)
    assert shapes["encoder.node_network.0.weight"] == (width, 18)
    assert shapes["encoder.cluster_network.0.weight"] == (width, 83)
    assert shapes["encoder.cluster_network.2.weight"] == (64, width)
    assert shapes["head.0.weight"] == (16, 260)
    assert "encoder.scale" not in shapes


def test_parameters_stored_now():
    network = CriticNetwork(hidden=(16,), cluster_hidden=(8,))
    again = CriticNetwork.from_config(network.config)
    shapes = [{k: v.shape for k, v in n.state_dict().items()} for n in (network, again)]
    assert shapes[0] == shapes[1]


def test_config_gives_the_same_layers():
    network = CriticNetwork(hidden=[8], hidden_dim=16, kind="complete", n_rounds=2)
    again = CriticNetwork(**network.config)
    again.load_state_dict(network.state_dict())
    X, labels = draw()
    torch.testing.assert_close(score(again, X, labels), score(network, X, labels))


def test_one_score_for_each_cluster(network):
    X, labels = draw()
    with torch.no_grad():
        output = network(measure_points(X), torch.from_numpy(labels))
        alone = network(measure_points(X), torch.from_numpy(labels[1:2]))
    assert output.cluster_scores.shape == (1 + 2 + 5 + 4,)
    torch.testing.assert_close(output.cluster_scores[1:3], alone.cluster_scores)
