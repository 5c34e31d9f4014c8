"""The encoder and the decoder's loss, against loops over clusters and pairs in float64."""

import math

import pytest
import torch
from torch.nn.functional import relu, softplus
from torch.utils._python_dispatch import TorchDispatchMode

from skdeepclust.graph import (
    GraphEncoder,
    _spanning_tree,
    node_descriptors,
    point_graph,
    population,
    reconstruction_loss,
)
from skdeepclust.graph import _autoencoder as module


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def make_encoder(**options):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return GraphEncoder(**options)


def describe(points, neighbors, labels):
    graph, clusterings = point_graph(points, neighbors), population(labels)
    return node_descriptors(graph, clusterings), graph, clusterings


def encode(encoder, points, neighbors, labels):
    with torch.no_grad():
        return encoder(*describe(points, neighbors, labels))


def neighbor_means(values, labels, neighbors, kind):
    means = torch.zeros_like(values)
    for i, name in enumerate(labels):
        edges = neighbors[i] if kind == "knn" else torch.arange(len(labels))
        edges = edges[labels[edges] == name]
        if name >= 0 and len(edges):
            means[i] = values[edges].mean(0)
    return means


def reference(encoder, descriptors, neighbors, labels):
    """Embedding (e,) and clusters (K, c) of one clustering."""
    nodes = encoder.node_network(descriptors)
    for layer in encoder.rounds:
        means = neighbor_means(relu(nodes), labels, neighbors, encoder.kind)
        nodes = layer.own(relu(nodes)) + layer.neighbors(means)
    members = [torch.nonzero(labels == name)[:, 0] for name in labels[labels >= 0].unique()]
    sizes = torch.tensor([len(rows) for rows in members], dtype=torch.float64)
    pooled = [
        torch.cat([
            nodes[rows].mean(0),
            (nodes[rows].var(0, correction=0) + 1e-6).sqrt(),
            descriptors[rows].mean(0),
            torch.tensor([len(rows) / len(labels)]),
        ])
        for rows in members
    ]  # fmt: skip
    clusters = encoder.cluster_network(torch.stack(pooled))
    shares, number = sizes / sizes.sum(), len(members)
    entropy = -sum(float(share) * math.log(float(share)) for share in shares)
    noise = float((labels < 0).double().mean())
    summaries = torch.tensor([math.log(number), 1 / number, entropy, noise])
    embedding = torch.cat(
        [clusters.mean(0), shares @ clusters, clusters.amax(0), clusters.amin(0), summaries]
    )
    return embedding, clusters


@pytest.mark.parametrize("kind", ["knn", "complete"])
@pytest.mark.parametrize("n_rounds", [0, 1, 2])
def test_equal_to_loops_over_clusters(points, neighbors, labels, kind, n_rounds):
    encoder = make_encoder(kind=kind, n_rounds=n_rounds).double()
    descriptors, graph, clusterings = describe(points, neighbors, labels)
    encoding = encoder(descriptors.double(), graph, clusterings)
    expected = [reference(encoder, descriptors[i].double(), neighbors, labels[i]) for i in range(4)]
    embeddings, clusters = zip(*expected, strict=True)
    torch.testing.assert_close(encoding.embedding, torch.stack(embeddings), rtol=1e-6, atol=1e-6)
    torch.testing.assert_close(encoding.clusters, torch.cat(clusters), rtol=1e-6, atol=1e-6)


def test_rounds_and_kinds_differ(points, neighbors, labels):
    """What the tests of invariance would not notice."""
    means = [
        encode(make_encoder(kind=kind, n_rounds=n_rounds), points, neighbors, labels).nodes
        for kind, n_rounds in [("knn", 0), ("knn", 1), ("complete", 1), ("knn", 2)]
    ]
    for i, first in enumerate(means):
        for second in means[:i]:
            assert float((first - second).abs().max()) > 1e-3


@pytest.mark.parametrize("kind", ["knn", "complete"])
def test_invariant_to_everything_that_must_not_matter(points, neighbors, labels, kind):
    points[11] += 0.1  # which of two equal rows the spanning tree joins depends on their order
    encoder, order = make_encoder(kind=kind), torch.randperm(30, generator=generator(2))
    turn = torch.linalg.qr(torch.randn(3, 3, generator=generator(3), dtype=torch.float64)).Q
    expected = encode(encoder, points, neighbors, labels)
    renamed = torch.where(labels < 0, -4, 2000 - 17 * labels)[:, order]
    for scale in (1e-6, 1e6):
        moved = scale * (points @ turn + 100)[order]
        result = encode(encoder, moved, order.argsort()[neighbors[order]], renamed)
        torch.testing.assert_close(result.embedding, expected.embedding, rtol=1e-4, atol=1e-5)
        # Noise counts for nothing, whatever its vectors.
        kept = (labels >= 0)[:, order]
        torch.testing.assert_close(
            result.nodes[kept], expected.nodes[:, order][kept], rtol=1e-4, atol=1e-5
        )


def test_clusterings_do_not_see_each_other(points, neighbors, labels):
    encoder = make_encoder()
    together = encode(encoder, points, neighbors, labels).embedding
    alone = [encode(encoder, points, neighbors, row[None]).embedding for row in labels]
    torch.testing.assert_close(together, torch.cat(alone), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(("n", "p", "k"), [(2, 1, 1), (3, 200, 2), (200, 2, 12)])
@pytest.mark.parametrize("n_rounds", [0, 2])
def test_fits_any_size(n, p, k, n_rounds):
    points = torch.randn(n, p, generator=generator())
    neighbors = torch.cdist(points, points).argsort(dim=1)[:, 1 : k + 1]
    labels = torch.stack([torch.zeros(n).long(), torch.arange(n), torch.arange(n) % 2 - 1])
    encoder = make_encoder(n_rounds=n_rounds)
    encoding = encode(encoder, points, neighbors, labels)
    assert encoding.embedding.shape == (3, encoder.embedding_dim)
    assert encoding.clusters.shape == (n + 2, 64)
    assert encoding.embedding.isfinite().all()


def test_gradients_of_the_embedding(points, neighbors, labels):
    descriptors, graph, clusterings = describe(points, neighbors, labels)
    for kind in ("knn", "complete"):
        encoder = make_encoder(kind=kind, n_rounds=2).double()
        inputs = descriptors.double().requires_grad_()
        assert torch.autograd.gradcheck(
            lambda x, f=encoder: f(x, graph, clusterings).embedding, inputs, fast_mode=True
        )


def test_gradient_of_the_mean_over_neighbors(neighbors, labels):
    """The transposed sums, one entry at a time; some rows are no one's neighbour."""
    neighbors = neighbors[:, :2]
    assert len(neighbors.unique()) < 30
    weights = module._edge_weights(neighbors, population(labels), torch.float64)
    values = torch.randn(4, 30, 2, generator=generator(), dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(
        lambda x: module._NeighborMean.apply(x, neighbors, weights), values
    )


@pytest.mark.parametrize("kind", ["knn", "complete"])
def test_every_weight_has_a_finite_gradient(points, neighbors, labels, kind):
    encoder = make_encoder(kind=kind)
    encoding = encoder(*describe(points, neighbors, labels))
    encoding.embedding.square().sum().backward()
    for name, weight in encoder.named_parameters():
        assert weight.grad.isfinite().all(), name
        assert weight.grad.abs().max() > 0, name


def test_size_with_a_critic_on_top():
    encoder = make_encoder()
    widths = [encoder.embedding_dim, 128, 64, 1]
    critic = sum((a + 1) * b for a, b in zip(widths, widths[1:], strict=False))
    assert 30_000 < critic + sum(weight.numel() for weight in encoder.parameters()) < 100_000


def test_sizes_of_the_shipped_weights():
    """Files of critics have weights of these shapes."""
    shapes = {name: tuple(weight.shape) for name, weight in make_encoder().state_dict().items()}
    assert shapes == {
        "center": (32,),
        "scale": (32,),
        "node_network.0.weight": (64, 32),
        "node_network.0.bias": (64,),
        "node_network.2.weight": (32, 64),
        "node_network.2.bias": (32,),
        "rounds.0.own.weight": (32, 32),
        "rounds.0.own.bias": (32,),
        "rounds.0.neighbors.weight": (32, 32),
        "cluster_network.0.weight": (128, 97),
        "cluster_network.0.bias": (128,),
        "cluster_network.1.weight": (128,),
        "cluster_network.1.bias": (128,),
        "cluster_network.3.weight": (128, 128),
        "cluster_network.3.bias": (128,),
        "cluster_network.4.weight": (128,),
        "cluster_network.4.bias": (128,),
        "cluster_network.6.weight": (64, 128),
        "cluster_network.6.bias": (64,),
    }
    assert make_encoder().embedding_dim == 260


def test_descriptors_beyond_its_own_are_not_seen(points, neighbors, labels):
    encoder = make_encoder(n_descriptors=18)
    descriptors, graph, clusterings = describe(points, neighbors, labels)
    expected = encoder(descriptors[:, :, :18], graph, clusterings)
    torch.testing.assert_close(encoder(descriptors, graph, clusterings), expected)


class TestStandardize:
    def test_descriptors_seen_have_mean_0_and_deviation_1(self):
        generator = torch.Generator().manual_seed(0)
        seen = [torch.randn(3, 50, 32, generator=generator) * (i + 1) + 7 for i in range(4)]
        encoder = make_encoder()
        encoder.standardize(seen)
        result = torch.cat([(some - encoder.center) / encoder.scale for some in seen])
        mean = result.mean(dim=(0, 1))
        torch.testing.assert_close(mean, torch.zeros(32), rtol=0, atol=1e-5)
        torch.testing.assert_close(result.square().mean(dim=(0, 1)), torch.ones(32))

    def test_large_data_sets_count_no_more_than_small_ones(self):
        encoder = make_encoder()
        encoder.standardize([torch.zeros(1, 1000, 32), torch.ones(1, 10, 32)])
        torch.testing.assert_close(encoder.center, torch.full((32,), 0.5))

    def test_scales_are_bounded_from_below(self):
        encoder = make_encoder()
        encoder.standardize([torch.ones(2, 10, 32)])
        assert encoder.scale.eq(0.05).all()

    def test_once_known_the_scale_stays(self):
        encoder = make_encoder()
        encoder.standardize([torch.randn(2, 10, 32, generator=torch.Generator().manual_seed(0))])
        center = encoder.center.clone()
        encoder.standardize([torch.ones(2, 10, 32)])
        assert torch.equal(encoder.center, center)

    def test_the_embedding_is_that_of_standardised_descriptors(self, points, neighbors, labels):
        descriptors, graph, clusterings = describe(points, neighbors, labels)
        encoder, moved = make_encoder(), make_encoder()
        encoder.standardize([descriptors])
        moved.load_state_dict(encoder.state_dict())
        moved.center += 3
        expected = encoder(descriptors, graph, clusterings)
        found = moved(descriptors + 3, graph, clusterings)
        torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)

    def test_without_normalisation_nothing_is_stored(self):
        encoder = make_encoder(normalize=False)
        encoder.standardize([torch.ones(2, 10, 32)])
        assert not list(encoder.buffers())
        assert not any(isinstance(layer, torch.nn.LayerNorm) for layer in encoder.modules())


def test_unknown_kind_is_refused():
    with pytest.raises(ValueError, match="kind must be one of .* got 'radius'"):
        GraphEncoder(kind="radius")


def all_pairs_loss(nodes, neighbors, labels):
    """The loss on all pairs of one clustering, each kind as often as it would be drawn."""
    kinds = {"same": [], "cut": [], "far": []}
    for i in range(len(labels)):
        for j in range(len(labels)):
            if labels[i] < 0 or labels[j] < 0:
                continue
            logit, joined = nodes[i] @ nodes[j], bool(labels[i] == labels[j])
            if j in neighbors[i]:
                kinds["same" if joined else "cut"].append(softplus(-logit if joined else logit))
            if not joined:
                kinds["far"].append(softplus(logit))
    mean = {kind: float(torch.stack(v).mean()) if v else 0.0 for kind, v in kinds.items()}
    return mean["same"] / 2 + mean["cut"] / 4 + mean["far"] / 4


@pytest.mark.parametrize("clustering", range(4))
def test_loss_is_that_of_all_pairs_in_the_limit(points, neighbors, labels, clustering):
    nodes = torch.randn(1, 30, 4, generator=generator(), dtype=torch.float64)
    graph, labels = point_graph(points, neighbors[:, :3]), labels[clustering]
    loss = reconstruction_loss(
        nodes, graph, population(labels[None]), generator(1), n_pairs=100_000
    )
    expected = all_pairs_loss(nodes[0], neighbors[:, :3].tolist(), labels)
    assert float(loss) == pytest.approx(expected, rel=0.02)


def test_loss_of_vectors_of_zeros(points, neighbors, labels):
    graph = point_graph(points, neighbors)
    nodes = torch.zeros(1, 30, 4, requires_grad=True)
    whole = reconstruction_loss(nodes, graph, population(labels[:1]), generator())
    assert float(whole.detach()) == pytest.approx(math.log(2))
    single = reconstruction_loss(nodes, graph, population(labels[1:2]), generator())
    assert float(single.detach()) == pytest.approx(math.log(2) / 2)


def test_loss_is_small_where_vectors_tell_the_clusters(points, neighbors, labels):
    graph, clusterings = point_graph(points, neighbors), population(labels)
    telling = 5 * (2 * torch.eye(23)[clusterings.codes.clamp(min=0)] - 2 / 23)
    loss = reconstruction_loss(telling, graph, clusterings, generator())
    assert float(loss) < 0.1
    mixed = telling[:, torch.randperm(30, generator=generator())]
    assert float(reconstruction_loss(mixed, graph, clusterings, generator())) > 1


def test_loss_does_not_look_at_noise(points, neighbors, labels):
    graph, clusterings = point_graph(points, neighbors), population(labels)
    nodes = torch.randn(4, 30, 3, generator=generator(), requires_grad=True)
    reconstruction_loss(nodes, graph, clusterings, generator()).backward()
    assert nodes.grad[labels < 0].eq(0).all()
    assert nodes.grad[labels >= 0].ne(0).all()


def test_loss_depends_on_the_generator_alone(points, neighbors, labels):
    graph, clusterings = point_graph(points, neighbors), population(labels)
    nodes = torch.randn(4, 30, 3, generator=generator())
    first, again, other = (
        float(reconstruction_loss(nodes, graph, clusterings, generator(seed), n_pairs=50))
        for seed in (0, 0, 1)
    )
    assert first == again != other


def mean_over_pairs(nodes, codes, pairs):
    """The loss on drawn pairs of all clusterings, pair by pair."""
    same, cut, far = [], [], []
    for i, (rows, close, other) in enumerate(
        zip(*(drawn.tolist() for drawn in pairs), strict=True)
    ):
        for a, b, c in zip(rows, close, other, strict=True):
            near, distant = (nodes[i, a] @ nodes[i, end] for end in (b, c))
            first, second, third = codes[i, a], codes[i, b], codes[i, c]
            if first >= 0 and second >= 0:
                joined = first == second
                (same if joined else cut).append(softplus(-near if joined else near))
            if first >= 0 and third >= 0 and first != third:
                far.append(softplus(distant))
    means = [float(sum(values)) / max(1, len(values)) for values in (same, cut, far)]
    return means[0] / 2 + means[1] / 4 + means[2] / 4


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("n_pairs", [1, 40])
@pytest.mark.parametrize("clusterings", [[0], [3], [0, 1, 2, 3]])
def test_loss_is_the_mean_over_drawn_pairs(points, neighbors, labels, clusterings, n_pairs, seed):
    graph, some = point_graph(points, neighbors[:, :3]), population(labels[clusterings])
    nodes = torch.randn(len(some.codes), 30, 4, generator=generator(9), dtype=torch.float64)
    loss = reconstruction_loss(nodes, graph, some, generator(seed), n_pairs=n_pairs)
    pairs = module._sample_pairs(graph.neighbors, len(nodes), n_pairs, generator(seed))
    assert [drawn.shape for drawn in pairs] == [(len(nodes), n_pairs)] * 3
    assert float(loss) == pytest.approx(mean_over_pairs(nodes, some.codes, pairs))


def test_loss_has_128_pairs_of_each_kind(points, neighbors, labels):
    graph, clusterings = point_graph(points, neighbors), population(labels)
    nodes = torch.randn(4, 30, 3, generator=generator())
    loss = reconstruction_loss(nodes, graph, clusterings, generator())
    expected = reconstruction_loss(nodes, graph, clusterings, generator(), n_pairs=128)
    assert float(loss) == float(expected)


def test_loss_without_a_generator(points, neighbors, labels):
    graph, clusterings = point_graph(points, neighbors), population(labels)
    nodes = torch.randn(4, 30, 3, generator=generator())
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(7)
        loss = reconstruction_loss(nodes, graph, clusterings)
    assert float(loss) == float(reconstruction_loss(nodes, graph, clusterings, generator(7)))


class _Largest(TorchDispatchMode):
    """Notes the size of the largest tensor that any operation makes."""

    cells = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        result = func(*args, **(kwargs or {}))
        for value in result if isinstance(result, (tuple, list)) else (result,):
            if isinstance(value, torch.Tensor):
                self.cells = max(self.cells, value.numel())
        return result


@pytest.mark.parametrize("kind", ["knn", "complete"])
def test_no_matrix_of_rows_by_rows(kind, monkeypatch):
    monkeypatch.setattr(_spanning_tree, "_MAX_ROWS", 300)
    n, m = 1000, 2
    points = torch.randn(n, 3, generator=generator())
    neighbors = torch.randint(n, (n, 5), generator=generator())
    labels = torch.stack([torch.arange(n) % 3, torch.zeros(n).long()])
    encoder = make_encoder(kind=kind)
    with _Largest() as largest:
        inputs = describe(points, neighbors, labels)
        encoding = encoder(*inputs)
        loss = reconstruction_loss(encoding.nodes, *inputs[1:], generator())
        (encoding.embedding.sum() + loss).backward()
    assert m * n * 64 <= largest.cells < n * n / 4
