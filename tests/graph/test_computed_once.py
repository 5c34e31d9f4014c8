"""A property that is computed once, whatever other threads do."""

import pickle
import threading
from dataclasses import FrozenInstanceError, dataclass

import pytest

from skdeepclust.graph import computed_once

PATIENCE = 60


@dataclass(frozen=True)
class Box:
    size: int
    log: list

    @computed_once
    def area(self):
        """The area."""
        self.log.append(self.size)
        return self.size**2


def test_it_is_computed_when_it_is_first_asked_for():
    box, other = Box(3, []), Box(4, [])
    assert box.log == []
    assert [box.area, box.area, other.area, box.area] == [9, 9, 16, 9]
    assert (box.log, other.log) == ([3], [4])


def test_it_looks_like_a_property():
    assert Box.area.__doc__ == "The area."
    assert isinstance(Box.area, computed_once)
    with pytest.raises(FrozenInstanceError):
        Box(1, []).area = 5


def test_what_is_computed_is_pickled():
    box = Box(3, [])
    assert box.area == 9
    again = pickle.loads(pickle.dumps(box))
    assert again.area == 9
    assert again.log == [3]


def test_an_error_is_not_kept():
    class Fails:
        n_tries = 0

        @computed_once
        def value(self):
            self.n_tries += 1
            if self.n_tries == 1:
                raise KeyError
            return self.n_tries

    fails = Fails()
    with pytest.raises(KeyError):
        _ = fails.value
    assert fails.value == fails.value == 2


def test_other_objects_do_not_wait():
    begun, done = threading.Event(), threading.Event()

    class Slow:
        def __init__(self, waits):
            self.waits = waits

        @computed_once
        def value(self):
            if self.waits:
                begun.set()
                done.wait(PATIENCE)
            return self.waits

    slow, quick = Slow(True), Slow(False)
    thread = threading.Thread(target=lambda: slow.value)
    thread.start()
    assert begun.wait(PATIENCE)
    other = threading.Thread(target=lambda: quick.value)
    other.start()
    other.join(PATIENCE / 2)
    has_waited = other.is_alive()
    done.set()
    thread.join()
    other.join()
    assert not has_waited
    assert (slow.value, quick.value) == (True, False)
