"""Founders keep their labels; children inherit what did not change; trust is kept."""

import numpy as np
import pytest

from skdeepclust.search import Bounds, Deadline, Partition, difference
from skdeepclust.search._lineage import Ancestry, descend, make_founders, offspring
from skdeepclust.search._operators import mutate


def same(a, b):
    return Partition(np.unique(a, return_inverse=True)[1]).key == Partition(b).key


@pytest.fixture
def founders(prototypes, moons):
    rng = np.random.RandomState(0)
    labelings = [moons[1], rng.randint(3, size=300), moons[1], 1 - moons[1]]
    return make_founders(prototypes, rng, labelings, Bounds(2, 5))


def test_founders_are_different_and_keep_their_labels(founders, moons):
    assert [founder.founder for founder in founders] == [0, 1]
    assert same(moons[1], founders[0].labels)
    assert set(founders[1].codes) <= set(range(3))


def test_founders_out_of_bounds_are_mended(prototypes):
    rng = np.random.RandomState(0)
    labelings = [np.zeros(300, dtype=int), np.arange(300) // 10]
    for founder in make_founders(prototypes, rng, labelings, Bounds(2, 5)):
        assert 2 <= founder.n_clusters <= 5


def test_clusters_lost_by_the_prototypes_are_kept_by_the_founder(prototypes):
    labels = np.where(np.arange(300) == 7, 0, 1)
    (founder,) = make_founders(prototypes, np.random.RandomState(0), [labels], Bounds(1, 5))
    if (prototypes.codes == prototypes.codes[7]).sum() > 2:
        assert set(founder.codes) == {0}
    assert same(labels, founder.labels)
    child = descend(prototypes, founder, np.zeros(len(prototypes), dtype=np.int64))
    assert child.n_clusters == 1


def test_children_inherit_rows_whose_prototypes_did_not_change(prototypes, founders):
    parent, rng = founders[1], np.random.RandomState(0)
    for _ in range(30):
        codes = mutate(prototypes, rng, parent.codes, Bounds(2, 8))
        child = descend(prototypes, parent, codes)
        assert set(child.labels) == set(child.codes) == set(range(child.n_clusters))
        assert child.founder == 1
        changed = (codes != parent.codes)[prototypes.codes]
        np.testing.assert_array_equal(child.labels[changed], child.codes[prototypes.codes][changed])
        kept = set(codes[codes == parent.codes])
        own = ~changed & np.isin(parent.labels, list(kept))
        pairs = {(a, b) for a, b in zip(parent.labels[own], child.labels[own], strict=True)}
        assert len(pairs) == len({a for a, _ in pairs}) == len({b for _, b in pairs})


@pytest.mark.parametrize("trust", [None, 0.1])
def test_offspring_are_new_and_trusted(prototypes, moons, founders, trust):
    ancestry = Ancestry(moons[0], prototypes, founders, Bounds(2, 5), trust)
    rng, known = np.random.RandomState(0), {founder.key for founder in founders}
    parent = founders[0]

    def make_child():
        return descend(prototypes, parent, mutate(prototypes, rng, parent.codes, Bounds(2, 5)))

    children = offspring(ancestry, make_child, 20, known)
    assert len({child.key for child in children} | {f.key for f in founders}) == len(known)
    distances = [difference(child.labels, parent.labels) for child in children]
    assert (max(distances) <= 0.1) == (trust is not None)


def test_offspring_of_an_exhausted_space(prototypes, moons, founders):
    ancestry = Ancestry(moons[0], prototypes, founders, Bounds(2, 5))
    again = offspring(ancestry, lambda: founders[0], 5, {founders[0].key})
    assert again == [founders[0]]


@pytest.mark.parametrize(("seconds", "expected"), [(-1.0, 1), (8.0, 4), (None, 20)])
def test_half_of_the_time_is_left_for_the_scores_of_offspring(
    prototypes, moons, founders, clock, seconds, expected
):
    deadline = Deadline.after(seconds)
    ancestry = Ancestry(moons[0], prototypes, founders, Bounds(2, 5), deadline=deadline)
    rng, parent = np.random.RandomState(0), founders[0]

    def make_child():
        clock.now += 1.0
        return Partition(rng.randint(3, size=300), founder=parent.founder)

    assert len(offspring(ancestry, make_child, 20, set())) == expected


@pytest.mark.parametrize("founder", [0, 1])
@pytest.mark.parametrize(("n_changed", "expected"), [(0, True), (30, True), (31, False)])
def test_trust_is_a_share_of_the_rows(prototypes, moons, founders, founder, n_changed, expected):
    ancestry = Ancestry(moons[0], prototypes, founders, Bounds(1, 9), 0.1)
    labels = founders[founder].labels.copy()
    labels[:n_changed] = labels.max() + 1
    assert ancestry.admit(Partition(labels, founder=founder)) is expected
    assert ancestry.admit(Partition(labels)) is True  # it descends from none
    many = Partition(np.arange(300) % 10, founder=founder)
    assert ancestry.admit(many) is False


@pytest.mark.parametrize("size", [1, 5])
def test_four_draws_are_made_for_each_child_that_is_wanted(prototypes, moons, founders, size):
    ancestry, draws = Ancestry(moons[0], prototypes, founders, Bounds(2, 5)), []

    def make_child():
        draws.append(True)
        return founders[0]

    offspring(ancestry, make_child, size, {founders[0].key})
    assert len(draws) == 4 * size
