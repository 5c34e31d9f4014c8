"""Operators: connected where they should be, within bounds, changing what they say."""

import numpy as np
import pytest
from scipy.sparse.csgraph import connected_components

from skdeepclust.search import Bounds
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
    assert _draw(rng, np.zeros(3)) is None
    assert _draw(rng, np.zeros(0)) is None
