"""Files that earlier releases wrote are read, and answer as they did."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import numpy as np
import pytest

import skdeepclust
from skdeepclust import load

_FOLDER = Path(__file__).parent / "releases"
_FILES = sorted(_FOLDER.glob("*/*.safetensors"))


@pytest.fixture(scope="module")
def answers():
    spec = importlib.util.spec_from_file_location("make_files", _FOLDER / "make_files.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.answers


@pytest.mark.parametrize("path", _FILES, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_file_of_a_release_is_read(path, answers):
    wanted = json.loads((path.parent / "answers.json").read_text(encoding="utf-8"))[path.stem]
    found = answers(load(path))
    assert found.keys() == wanted.keys()
    for name, values in wanted.items():
        if name in ("labels", "classes"):
            assert found[name] == values
        else:  # other processors round otherwise
            np.testing.assert_allclose(found[name], values, rtol=1e-3, atol=1e-3)


def test_this_release_has_its_files():
    assert {path.stem for path in _FILES if path.parent.name == skdeepclust.__version__} == {
        "conv", "critic", "linear", "mlp", "searcher",
    }  # fmt: skip
