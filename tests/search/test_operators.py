"""Operators: connected where they should be, within bounds, changing what they say."""

import numpy as np
import pytest
from scipy.sparse.csgraph import connected_components

from skdeepclust.search import Bounds, Prototypes, difference, make_prototypes
from skdeepclust.search import _operators as module
from skdeepclust.search._operators import (
    OPERATORS,
    _draw,
    blend,
    crossover,
    dissolve,
    keep_bounds,
    merge,
    move,
    mutate,
    smooth,
    split,
)

SEEDS = range(12)


def n_clusters(codes):
    return len(np.unique(codes))


def adjacent(prototypes, codes, first, second):
    ends = codes[prototypes.sources], codes[prototypes.targets]
    return bool(((ends[0] == first) & (ends[1] == second)).any())


@pytest.mark.parametrize("seed", SEEDS)
def test_merge_joins_two_adjacent_clusters(prototypes, partition, seed):
    merged = merge(prototypes, np.random.RandomState(seed), partition)
    assert n_clusters(merged) == n_clusters(partition) - 1
    (gone,) = set(partition) - set(merged)
    (kept,) = set(merged[partition == gone])
    assert adjacent(prototypes, partition, gone, kept)
    np.testing.assert_array_equal(merged[partition != gone], partition[partition != gone])


def test_merge_prefers_close_links(prototypes):
    left, right = prototypes.centers[:, 0] < 0, prototypes.centers[:, 0] > 1
    codes = np.where(left, 0, np.where(right, 2, 1))
    links = np.zeros((3, 3))
    np.add.at(links, (codes[prototypes.sources], codes[prototypes.targets]), prototypes.links)
    volumes = links.sum(axis=1)
    weights = {
        (a, b): links[a, b] / min(volumes[a], volumes[b]) for a in range(3) for b in range(a)
    }
    closest = max(weights, key=weights.get)
    rng = np.random.RandomState(0)
    gone = [tuple(set(range(3)) - set(merge(prototypes, rng, codes))) for _ in range(300)]
    share = np.mean([pair == (max(closest),) for pair in gone])
    assert share >= 0.8 * weights[closest] / sum(weights.values())


@pytest.mark.parametrize("seed", SEEDS)
def test_split_cuts_one_cluster(prototypes, partition, seed):
    parted = split(prototypes, np.random.RandomState(seed), partition)
    assert n_clusters(parted) == n_clusters(partition) + 1
    changed = parted != partition
    assert set(parted[changed]) == {partition.max() + 1}
    (origin,) = set(partition[changed])
    assert (parted == origin).any()


def test_split_finds_two_moons(prototypes, moons):
    truth = prototypes.project(moons[1])
    whole, rng = np.zeros(len(prototypes), dtype=np.int64), np.random.RandomState(0)
    found = [split(prototypes, rng, whole) for _ in range(40)]
    assert any(n_clusters(truth * 2 + parted) == 2 for parted in found)


@pytest.mark.parametrize("seed", SEEDS)
def test_move_gives_a_connected_patch_at_a_border(prototypes, partition, seed):
    moved = move(prototypes, np.random.RandomState(seed), partition)
    changed = np.flatnonzero(moved != partition)
    if not len(changed):
        return
    (origin,), (beyond,) = set(partition[changed]), set(moved[changed])
    assert n_clusters(moved) == n_clusters(partition)
    assert adjacent(prototypes, partition, origin, beyond)
    patch = prototypes.graph[changed][:, changed]
    assert connected_components(patch, directed=False)[0] == 1
    touching = np.isin(prototypes.sources, changed) & (partition[prototypes.targets] == beyond)
    assert touching.any()


def test_move_changes_something(prototypes, partition):
    found = [move(prototypes, np.random.RandomState(seed), partition) for seed in SEEDS]
    assert np.mean([(codes != partition).any() for codes in found]) > 0.5


def test_smooth_takes_the_majority_of_links(prototypes):
    codes = np.random.RandomState(0).randint(3, size=len(prototypes))
    expected = codes.copy()
    for c in range(len(prototypes)):
        own = prototypes.sources == c
        votes = np.zeros(3)
        for target, links in zip(prototypes.targets[own], prototypes.links[own], strict=True):
            votes[codes[target]] += links
        votes[codes[c]] += 0.1 * votes.sum()
        expected[c] = votes.argmax()
    np.testing.assert_array_equal(smooth(prototypes, np.random.RandomState(0), codes), expected)
    assert (expected != codes).any()


@pytest.mark.parametrize("seed", SEEDS)
def test_dissolve_shares_out_one_cluster(prototypes, partition, seed):
    left = dissolve(prototypes, np.random.RandomState(seed), partition)
    (gone,) = set(partition) - set(left)
    np.testing.assert_array_equal(
        left, prototypes.follow(np.where(partition == gone, -1, partition))
    )


@pytest.mark.parametrize("seed", SEEDS)
def test_crossover_takes_whole_clusters(prototypes, partition, seed):
    rng = np.random.RandomState(seed)
    other = split(prototypes, rng, split(prototypes, rng, np.zeros_like(partition)))
    child = crossover(prototypes, rng, partition, other, Bounds(1, 40))
    first = [c for c in set(child) if c <= partition.max()]
    assert first
    for c in first:
        assert (child[partition == c] == c).all()
    for c in set(child) - set(first):
        whole = (other == c - partition.max() - 1) & ~np.isin(partition, first)
        assert whole.any()
        assert (child[whole] == c).all()


@pytest.mark.parametrize("seed", SEEDS)
def test_blend_takes_patches_of_the_second_parent(prototypes, partition, seed):
    rng = np.random.RandomState(seed)
    other = move(prototypes, rng, move(prototypes, rng, partition))
    renamed = (other + 1) % (other.max() + 1)
    child = blend(prototypes, rng, partition, renamed, Bounds(1, 40))
    assert ((child == partition) | (child == other)).all()
    np.testing.assert_array_equal(
        blend(prototypes, rng, partition, (partition + 1) % (other.max() + 1), Bounds(1, 40)),
        partition,
    )


def test_blend_adds_improvements_up(prototypes, partition):
    rng = np.random.RandomState(0)
    first = partition
    while (first == partition).all():
        first = move(prototypes, rng, partition)
    near = np.isin(
        np.arange(len(first)), prototypes.targets[(first != partition)[prototypes.sources]]
    )
    second = first
    while (second == partition).all() or (near & (second != partition)).any():
        second = move(prototypes, rng, partition)
    wanted = np.where(first != partition, first, second)
    found = [blend(prototypes, rng, first, second, Bounds(1, 40)) for _ in range(60)]
    assert any(np.array_equal(codes, wanted) for codes in found)


@pytest.mark.parametrize("bounds", [Bounds(1, 2), Bounds(3, 3), Bounds(6, 9), Bounds(80, 80)])
def test_bounds_hold(prototypes, partition, bounds):
    rng = np.random.RandomState(0)
    codes = keep_bounds(prototypes, rng, partition, bounds)
    assert bounds.admit(n_clusters(codes))
    for _ in range(15):
        codes = mutate(prototypes, rng, np.unique(codes, return_inverse=True)[1], bounds)
        assert bounds.admit(n_clusters(codes))
        child = crossover(
            prototypes, rng, np.unique(codes, return_inverse=True)[1], partition, bounds
        )
        assert bounds.admit(n_clusters(child))


@pytest.mark.parametrize("name", OPERATORS)
def test_operators_leave_their_input_and_single_clusters_alone(prototypes, partition, name):
    operator, before = OPERATORS[name][0], partition.copy()
    operator(prototypes, np.random.RandomState(0), partition)
    np.testing.assert_array_equal(partition, before)
    whole = np.zeros_like(partition)
    after = operator(prototypes, np.random.RandomState(0), whole)
    assert n_clusters(after) == (2 if name == "split" else 1)


def test_draws_follow_their_weights():
    rng = np.random.RandomState(0)
    drawn = [_draw(rng, np.array([0, 1, 0, 3, 0])) for _ in range(2000)]
    assert set(drawn) == {1, 3}
    assert np.mean(np.equal(drawn, 3)) == pytest.approx(0.75, abs=0.04)
    assert {_draw(rng, np.array([0.0, 0.0, 0.25])) for _ in range(20)} == {2}
    assert {_draw(rng, np.array([1, 3])) for _ in range(50)} == {0, 1}
    # Half of the least number is rounded to it.
    assert {_draw(rng, np.array([5e-324, 0.0])) for _ in range(50)} == {0}
    assert _draw(rng, np.zeros(3)) is None
    assert _draw(rng, np.zeros(0)) is None


# Small graphs, where everything can be counted.


def chain(*places, counts=None, links=None):
    """Prototypes along a line, each linked with the next one."""
    centers = np.array(places, dtype=float)[:, None]
    q = len(places)
    counts = np.ones(q, dtype=np.int64) if counts is None else np.array(counts)
    links = np.ones(q - 1) if links is None else np.array(links, dtype=float)
    left, right = np.arange(q - 1), np.arange(1, q)
    sources, targets = np.concatenate([left, right]), np.concatenate([right, left])
    lengths = np.maximum(np.abs(centers[sources] - centers[targets])[:, 0], 1e-300)
    order = np.lexsort((targets, sources))
    ends = (sources[order], targets[order], np.tile(links, 2)[order], lengths[order])
    return Prototypes(np.repeat(np.arange(q), counts), centers, counts, *ends)


class Fixed:
    """A source of randomness that has run dry: each draw is at the same place of its range."""

    def __init__(self, place):
        self.place = place

    def uniform(self, low=0.0, high=1.0, size=None):
        value = low + self.place * (high - low)
        return value if size is None else np.full(size, value)

    def randint(self, low, high=None):
        low, high = (0, low) if high is None else (low, high)
        return low + int(self.place * (high - low))


class ByLengths(Fixed):
    """Fixed, but edges are weighed by their lengths: the first draw decides that."""

    first = True

    def uniform(self, low=0.0, high=1.0, size=None):
        if self.first:
            self.first = False
            return 0.75
        return super().uniform(low, high, size)


def same_side(side, members):
    """Whether a side has these members, or all the others."""
    inside = [i in members for i in range(len(side))]
    return side.tolist() in (inside, [not member for member in inside])


@pytest.mark.parametrize(("place", "first_side"), [(0.0, {0}), (1.0 - 1e-9, {0, 1, 2})])
def test_cuts_are_between_the_longest_edge_and_the_one_that_parts_most_evenly(place, first_side):
    """Edges of length 10, 4.5 and 3 with 1, 3 and 4 prototypes on their smaller side."""
    steps = [10, 1, 4.5, 3, 1, 1, 1]
    line = chain(*np.cumsum([0, *steps]))
    side = module._cut_graph(line, ByLengths(place), np.arange(8))
    assert same_side(side, first_side)


def test_members_that_are_not_connected_are_parted_without_a_cut():
    line = chain(0, 1, 2, 3, 4)
    members = np.array([0, 1, 3, 4])  # but not 2
    for seed in range(10):
        side = module._cut_graph(line, np.random.RandomState(seed), members)
        assert same_side(side, {0, 1})


def test_cuts_look_at_links_and_at_lengths(monkeypatch):
    line, seen, subgraph = chain(*range(8)), [], module._subgraph

    def note(prototypes, members, by_links):
        seen.append(bool(by_links))
        return subgraph(prototypes, members, by_links)

    monkeypatch.setattr(module, "_subgraph", note)
    rng = np.random.RandomState(0)
    for _ in range(60):
        module._cut_graph(line, rng, np.arange(8))
    assert 15 < sum(seen) < 45


@pytest.mark.parametrize("by_links", [False, True])
def test_subgraph(prototypes, by_links):
    members = np.flatnonzero(np.random.RandomState(0).uniform(size=len(prototypes)) < 0.6)
    place = {c: i for i, c in enumerate(members)}
    expected = np.zeros((len(members), len(members)))
    parts = (prototypes.sources, prototypes.targets, prototypes.links, prototypes.lengths)
    for source, target, links, length in zip(*parts, strict=True):
        if source in place and target in place:
            expected[place[source], place[target]] = 1 / links if by_links else length
    found = module._subgraph(prototypes, members, by_links)
    np.testing.assert_allclose(found.toarray(), expected)


def test_branches_of_a_tree():
    """0 - 2 - 3, 2 - 4 and 0 - 1."""
    order, parents = [0, 1, 2, 3, 4], [-9999, 0, 0, 2, 2]
    assert module._branch_sizes(order, parents).tolist() == [5, 1, 3, 1, 1]
    assert module._branch(order, parents, 2).tolist() == [False, False, True, True, True]
    assert module._branch(order, parents, 1).tolist() == [False, True, False, False, False]


@pytest.mark.parametrize("seed", range(8))
def test_two_means_are_those_of_their_sides(seed):
    """Nothing can be gained by moving a prototype to the other mean."""
    generator = np.random.RandomState(seed)
    places = generator.standard_normal(15) + 3 * (np.arange(15) % 2)
    line = chain(*places, counts=generator.randint(1, 9, size=15))
    side = module._cut_by_means(line, generator, np.arange(15))
    points, counts = line.centers[:, 0], line.counts
    means = [np.sum(points[s] * counts[s]) / counts[s].sum() for s in (side, ~side)]
    nearer = np.abs(points - means[0]) < np.abs(points - means[1])
    np.testing.assert_array_equal(nearer, side)


def test_means_begin_far_apart(monkeypatch):
    """The second one is drawn by squared distance and rows."""
    line, seen = chain(0, 1, 3, 7, counts=[2, 1, 4, 3]), []

    def note(rng, weights):
        seen.append(weights)
        return int(np.argmax(weights))

    monkeypatch.setattr(module, "_draw", note)
    for seed in range(12):
        module._cut_by_means(line, np.random.RandomState(seed), np.arange(4))
    expected = {(0, 1, 36, 147), (2, 0, 16, 108), (18, 4, 0, 48), (98, 36, 64, 0)}
    assert {tuple(weights.tolist()) for weights in seen} == expected


def test_prototypes_at_one_place_are_parted_somehow():
    side = module._cut_by_means(chain(1, 1, 1), np.random.RandomState(0), np.arange(3))
    assert side.sum() == 1


def test_splits_use_means_and_graphs(monkeypatch):
    seen = []
    for name in ("_cut_by_means", "_cut_graph"):
        cut = getattr(module, name)

        def note(*arguments, name=name, cut=cut):
            seen.append(name)
            return cut(*arguments)

        monkeypatch.setattr(module, name, note)
    rng = np.random.RandomState(0)
    for _ in range(60):
        split(chain(*range(6)), rng, np.zeros(6, dtype=np.int64))
    assert 15 < seen.count("_cut_graph") < 45


def test_large_clusters_are_split_more_often():
    rng, codes = np.random.RandomState(0), np.array([0, 0, 1, 2, 2, 2, 2, 2, 2])
    parted = [split(chain(*range(9)), rng, codes) for _ in range(200)]
    origins = [set(codes[after == 3]) for after in parted]
    assert {0: origins.count({0}), 2: origins.count({2})} == pytest.approx({0: 50, 2: 150}, abs=25)


def test_patches_leave_something_of_a_cluster():
    """Of two prototypes one is moved, as growing would take both."""
    line, codes = chain(*range(4)), np.array([0, 0, 1, 1])
    for seed in range(30):
        moved = move(line, np.random.RandomState(seed), codes)
        assert moved.tolist() in ([0, 1, 1, 1], [0, 0, 0, 1])


def test_patches_grow_along_the_graph():
    line, codes = chain(*range(20)), np.arange(20) // 10
    sizes = [
        int((move(line, np.random.RandomState(seed), codes) != codes).sum()) for seed in range(60)
    ]
    assert set(sizes) == {1, 2, 3}


def test_merges_follow_the_links_of_the_smaller_cluster():
    """2 of the 3 links of the second cluster, and the only one of the third."""
    line, rng = chain(*range(4), links=[4, 2, 1]), np.random.RandomState(0)
    codes = np.array([0, 0, 1, 2])
    merged = [merge(line, rng, codes).tolist() for _ in range(300)]
    assert merged.count([0, 0, 0, 2]) / 300 == pytest.approx(0.4, abs=0.1)
    assert merged.count([0, 0, 1, 1]) / 300 == pytest.approx(0.6, abs=0.1)


def test_small_clusters_are_dissolved_more_often():
    """Also where numbers are unused."""
    line, rng = chain(0, 2, 3, 4, 5, 6), np.random.RandomState(0)
    codes = np.array([3, 1, 1, 1, 1, 1])
    left = [dissolve(line, rng, codes).tolist() for _ in range(120)]
    assert left.count([1] * 6) + left.count([3] * 6) == 120
    assert left.count([1] * 6) / 120 == pytest.approx(5 / 6, abs=0.1)


class OfFirst(Fixed):
    """Draws the first cluster alone."""

    def uniform(self, low=0.0, high=1.0, size=None):
        return np.where(np.arange(size) == 0, 0.25, 0.75)


@pytest.mark.parametrize(
    ("second", "expected"),
    [
        ([0, 1, 1, 0], [0, 0, 3, 2]),  # half of each cluster is taken: they come
        ([0, 0, 0, 1], [0, 0, 3, 3]),  # two of three are taken: the third goes where it is near
        ([0, 1, 2, 2], [0, 0, 4, 4]),
    ],
)
def test_crossover_of_four(second, expected):
    line = chain(0, 1, 4, 5)
    codes = crossover(line, OfFirst(0.0), np.array([0, 0, 1, 1]), np.array(second), Bounds(1, 4))
    assert codes.tolist() == expected


def test_crossover_takes_about_half_of_the_first_parent(prototypes):
    first, second = np.arange(80) % 10, np.arange(80) // 8
    rng = np.random.RandomState(0)
    shares = [
        np.mean(crossover(prototypes, rng, first, second, Bounds(1, 40)) == first)
        for _ in range(40)
    ]
    assert 0.4 < np.mean(shares) < 0.75


@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize(("k", "k_like"), [(3, 3), (4, 2), (2, 5), (6, 1)])
def test_names_agree_as_far_as_they_can(seed, k, k_like):
    rng = np.random.RandomState(seed)
    codes, like = rng.randint(k, size=12), rng.randint(k_like, size=12)
    codes[:k], like[:k_like] = np.arange(k), np.arange(k_like)
    renamed = module._rename(codes, like)
    assert (renamed == like).mean() == pytest.approx(1 - difference(codes, like))
    pairs = set(zip(codes.tolist(), renamed.tolist(), strict=True))
    assert len(pairs) == len({new for _, new in pairs}) == k
    for new in set(renamed.tolist()):
        assert new >= k_like or (like[renamed == new] == new).any()


@pytest.mark.parametrize("seed", range(6))
def test_means_move_eight_times_at_most(seed):
    """Without clusters they would go on: eight rounds are near enough to where they would end."""
    X = np.random.RandomState(0).standard_normal((150, 2))
    scattered, rng = make_prototypes(X, np.random.RandomState(0)), np.random.RandomState(seed)
    points = scattered.centers
    start = points[rng.randint(150)]
    means = [start, points[_draw(rng, ((points - start) ** 2).sum(axis=1))]]
    for _ in range(8):
        distances = [np.linalg.norm(points - mean, axis=1) for mean in means]
        expected = distances[0] < distances[1]
        means = [points[expected].mean(axis=0), points[~expected].mean(axis=0)]
    side = module._cut_by_means(scattered, np.random.RandomState(seed), np.arange(150))
    np.testing.assert_array_equal(side, expected)


@pytest.mark.parametrize("place", [0.0, 0.75])
def test_means_that_rounding_puts_on_one_side_are_parted_too(place):
    """Their middle is rounded to one of them, and no prototype is nearer to the other one."""
    line = chain(1.0, np.nextafter(1.0, 2.0))
    side = module._cut_by_means(line, Fixed(place), np.arange(2))
    assert side.sum() == 1


class Handicaps(ByLengths):
    """Edges are weighed by their lengths alone, but for the place of each in a range."""

    def __init__(self, *places):
        super().__init__(0.0)
        self.places = np.array(places)

    def uniform(self, low=0.0, high=1.0, size=None):
        if size is None:
            return super().uniform(low, high)
        return low + self.places * (high - low)


@pytest.mark.parametrize(
    ("length", "places", "first_side"),
    [
        (6, (0.0, 1.0), {0, 1}),  # 10 becomes 5
        (4, (0.0, 1.0), {0}),
        (6, (0.25, 1.0), {0}),
        (6, (1.0, 1.0), {0}),
        (9, (0.5, 0.5), {0}),
    ],
)
def test_edges_more_than_half_as_long_as_the_longest_may_be_cut(length, places, first_side):
    line = chain(0, 10, 10 + length)
    side = module._cut_graph(line, Handicaps(0.0, *places), np.arange(3))
    assert same_side(side, first_side)


def test_two_thirds_of_the_moves_are_of_one_prototype():
    """Half of the patches do not grow; the others grow not at all, once or twice, as often each."""
    line, codes, rng = chain(*range(20)), np.arange(20) // 10, np.random.RandomState(0)
    sizes = [int((move(line, rng, codes) != codes).sum()) for _ in range(900)]
    shares = np.bincount(sizes, minlength=4) / 900
    np.testing.assert_allclose(shares, [0, 2 / 3, 1 / 6, 1 / 6], atol=0.05)


def test_operators_make_their_shares_of_the_changes(monkeypatch):
    """Every operator as often as it says, and most of all moves."""
    shares = {name: share for name, (_, share) in OPERATORS.items()}
    expected = {"merge": 0.22, "split": 0.22, "move": 0.4, "smooth": 0.08, "dissolve": 0.08}
    assert shares == expected
    assert sum(shares.values()) == pytest.approx(1)
    made = []

    def note(name):
        return lambda prototypes, rng, codes: (made.append(name), codes)[1]

    monkeypatch.setattr(module, "_FUNCTIONS", [note(name) for name in OPERATORS])
    line, rng, codes = chain(*range(4)), np.random.RandomState(0), np.array([0, 0, 1, 1])
    for _ in range(1_200):
        mutate(line, rng, codes, Bounds(1, 4))
    assert len(made) / 1_200 == pytest.approx(1 / 0.6, abs=0.1)  # changes of one mutation
    for name, share in shares.items():
        assert made.count(name) / len(made) == pytest.approx(share, abs=0.03)
