"""Tests of files of arrays and a document; more of them are in test_persistence.py."""

from __future__ import annotations

import os

import numpy as np
import pytest

from skdeepclust._tensor_files import TensorFile, digest

FILE = TensorFile(key="letters", format=2, wanted="a file of letters")


def test_gives_back_what_was_written(tmp_path):
    path, tensors = tmp_path / "a.safetensors", {"a": np.arange(3), "b": np.ones((2, 0))}
    FILE.write(path, {"class": "A"}, tensors)
    document, found = FILE.read(path)
    assert document["class"] == "A"
    assert document["format"] == 2
    assert found.keys() == tensors.keys()
    np.testing.assert_array_equal(found["a"], tensors["a"])
    assert found["b"].shape == (2, 0)


def test_a_part_of_ones_own_is_used_and_gone(tmp_path, monkeypatch):
    path, part, seen = tmp_path / "a.safetensors", tmp_path / "part", []
    part.write_text("from before")
    replace = os.replace

    def watch(*names):
        seen.append(names)
        replace(*names)

    monkeypatch.setattr(os, "replace", watch)
    FILE.write(path, {}, {}, part)
    assert seen == [(part, path)]
    assert os.listdir(tmp_path) == [path.name]


def test_says_what_is_wanted(tmp_path):
    path = tmp_path / "a.safetensors"
    with pytest.raises(FileNotFoundError, match="is not there: a file of letters is wanted"):
        FILE.read(path)
    path.write_text("no such file")
    with pytest.raises(ValueError, match=r"no complete .*: a file of letters is wanted"):
        FILE.read(path)
    TensorFile(key="letters", format=3, wanted="").write(path, {}, {})
    with pytest.raises(ValueError, match="has format 3, written by skdeepclust .* up to 2"):
        FILE.read(path)
    TensorFile(key="numbers", format=1, wanted="").write(path, {}, {})
    with pytest.raises(ValueError, match="another program: a file of letters is wanted"):
        FILE.read(path)


def test_numbers_that_json_has_not(tmp_path):
    with pytest.raises(ValueError, match="JSON"):
        FILE.write(tmp_path / "a", {"a": float("nan")}, {})
    assert os.listdir(tmp_path) == []


def test_the_check_sum_is_of_names_and_of_numbers():
    tensors = {"a": np.arange(3), "b": np.arange(4)}
    sums = [
        digest({}, tensors),
        digest({"a": 1}, tensors),
        digest({}, {**tensors, "a": np.arange(1, 4)}),
    ]
    assert len(set(sums)) == 3
    assert digest({}, dict(reversed(tensors.items()))) == sums[0]
