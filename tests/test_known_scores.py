"""Scores in a checkpoint: those of each search, saved now and then, the same when read."""

import time
from copy import deepcopy

import numpy as np
import pytest
from torch import nn

from skdeepclust import CriticClusterer
from skdeepclust import _known_scores as module
from skdeepclust._checkpoint import Checkpoint
from skdeepclust._known_scores import KnownScores

SAMPLE = {bytes(range(i, i + 16)): i / 7 for i in range(5)}
CRITIC = nn.Linear(2, 3)
PROTOTYPES = {bytes(range(i, i + 16)): -1e-300 * i for i in range(3)}


class Memory:
    """A checkpoint that is no file."""

    def __init__(self, enabled=True):
        self.enabled, self.saved, self.n_saves = enabled, None, 0

    def load(self):
        return self.saved

    def save(self, arrays, document):
        self.n_saves += 1
        self.saved = {name: array.copy() for name, array in arrays.items()}, document


@pytest.fixture
def clock(monkeypatch):
    """Time that passes only where a test says so; a list of one number."""
    now = [1000.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    return now


def test_scores_of_each_search_come_back():
    memory = Memory()
    scores = KnownScores(memory, CRITIC)
    assert scores.of("sample") == {}
    scores.keep("sample", SAMPLE)
    scores.keep("prototypes", PROTOTYPES)
    scores.save()
    again = KnownScores(memory, CRITIC)
    assert again.of("sample") == SAMPLE
    assert again.of("prototypes") == PROTOTYPES
    assert again.of("other") == {}


def test_what_a_file_has_stays_there_until_it_is_replaced():
    memory = Memory()
    scores = KnownScores(memory, CRITIC)
    scores.keep("prototypes", PROTOTYPES)
    scores.save()
    KnownScores(memory, CRITIC).keep("sample", SAMPLE)
    assert KnownScores(memory, CRITIC).of("prototypes") == PROTOTYPES
    assert KnownScores(memory, CRITIC).of("sample") == SAMPLE


def test_scores_are_saved_at_once_and_then_once_a_second(clock):
    memory = Memory()
    scores = KnownScores(memory, CRITIC)
    n_saves = []
    for _ in range(9):
        scores.keep("sample", SAMPLE)
        n_saves.append(memory.n_saves)
        clock[0] += 0.4
    assert n_saves == [1, 1, 1, 2, 2, 2, 3, 3, 3]
    scores.save()
    assert memory.n_saves == 4


def test_scores_that_are_added_later_are_saved_with_the_next_ones(clock):
    memory, growing = Memory(), dict(SAMPLE)
    scores = KnownScores(memory, CRITIC)
    scores.keep("sample", growing)
    growing[bytes(16)] = 0.25
    scores.save()
    assert KnownScores(memory, CRITIC).of("sample") == {**SAMPLE, bytes(16): 0.25}


def test_without_a_directory_nothing_is_saved():
    memory = Memory(enabled=False)
    KnownScores(memory, CRITIC).keep("sample", SAMPLE)
    assert memory.n_saves == 0


def test_scores_of_another_critic_are_of_no_use():
    memory = Memory()
    KnownScores(memory, CRITIC).keep("sample", SAMPLE)
    assert KnownScores(memory, nn.Linear(2, 3)).of("sample") == {}
    assert KnownScores(memory, deepcopy(CRITIC)).of("sample") == SAMPLE


def test_no_scores_can_be_saved():
    memory = Memory()
    scores = KnownScores(memory, CRITIC)
    scores.keep("sample", {})
    assert KnownScores(memory, CRITIC).of("sample") == {}


def test_files_keep_every_bit(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "_SECONDS", 0.0)
    X = np.eye(3)
    scores = KnownScores(Checkpoint(tmp_path, CriticClusterer(), X), CRITIC)
    for search, values in (("sample", SAMPLE), ("prototypes", PROTOTYPES)):
        scores.keep(search, values)
    again = KnownScores(Checkpoint(tmp_path, CriticClusterer(), X), CRITIC)
    assert again.of("sample") == SAMPLE
    assert again.of("prototypes") == PROTOTYPES


def test_islands_of_a_search_have_their_own():
    memory = Memory()
    scores = KnownScores(memory, CRITIC)
    store = scores.store("sample")
    store.keep(0, SAMPLE)
    store.keep(3, PROTOTYPES)
    scores.save()
    again = KnownScores(memory, CRITIC)
    assert again.store("sample").of(0) == again.of("sample") == SAMPLE
    assert again.store("sample").of(3) == PROTOTYPES
    assert again.store("sample").of(1) == again.store("prototypes").of(0) == {}
