"""Deadlines: what is left, shares of it, and work that is cut short."""

import math
import pickle
import time
from copy import deepcopy

import pytest

from skdeepclust.search import Deadline


def test_without_a_limit_nobody_looks_at_the_clock(monkeypatch):
    monkeypatch.setattr("time.monotonic", None)
    for deadline in (Deadline(), Deadline.after(None)):
        assert not deadline.is_set
        assert deadline.left == math.inf
        assert deadline.allows(1e300)
        assert not deadline.share(0.5).is_set
        assert not deadline.earlier(5.0).is_set
        assert list(deadline.limit(range(9))) == list(range(9))


def test_infinite_time_is_no_limit(clock):
    assert not Deadline.after(math.inf).is_set


def test_what_is_left(clock):
    deadline = Deadline.after(10.0)
    clock.now += 4.0
    assert deadline.left == 6.0
    assert deadline.allows()
    assert deadline.allows(5.5)
    assert not deadline.allows(6.0)
    assert deadline.share(0.5).left == 3.0
    assert deadline.earlier(2.0).left == 4.0
    clock.now += 5.5
    assert deadline.allows()
    clock.now += 1.5
    assert deadline.left == -1.0
    assert not deadline.allows()


def test_items_are_made_as_long_as_there_is_time(clock):
    made = []

    def make():
        for i in range(10):
            clock.now += 2.0
            made.append(i)
            yield i

    assert list(Deadline.after(5.0).limit(make())) == [0, 1, 2]
    assert made == [0, 1, 2]


def test_the_first_item_is_always_made(clock):
    assert list(Deadline.after(-3.0).limit([7, 8])) == [7]
    assert list(Deadline.after(-3.0).limit([])) == []


def test_copies_and_other_processes_have_the_same_moment():
    deadline = Deadline.after(50.0)
    assert deepcopy(deadline) is deadline
    assert pickle.loads(pickle.dumps(deadline)).left == pytest.approx(deadline.left, abs=1.0)
    assert pickle.loads(pickle.dumps(Deadline())) == Deadline()


def test_clocks_of_other_machines_may_begin_elsewhere(monkeypatch):
    monkeypatch.setattr(time, "monotonic", lambda: 1000.0)
    sent = pickle.dumps(Deadline.after(50.0))
    monkeypatch.setattr(time, "monotonic", lambda: 7.0)
    assert pickle.loads(sent).left == pytest.approx(50.0, abs=1.0)
