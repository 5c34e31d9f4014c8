"""A place where the state of a training survives an error, as in a file."""

import copy
import json

import pytest


class KilledError(Exception):
    """Ends a training from outside."""


class Memory:
    """Keeps the last state, and has the process die when there are `lives` of them."""

    enabled = True

    def __init__(self):
        self.saved, self.lives = None, None

    def load(self):
        return copy.deepcopy(self.saved)

    def save(self, arrays, document):
        document = json.loads(json.dumps(document, allow_nan=False))
        self.saved = copy.deepcopy(arrays), document
        if self.lives is not None:
            self.lives -= 1
            if self.lives == 0:
                raise KilledError


@pytest.fixture
def memory():
    return Memory()


@pytest.fixture
def killed():
    return KilledError
