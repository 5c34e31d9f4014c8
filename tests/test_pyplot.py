"""Where matplotlib is missing, the error names what to install."""

import sys

import pytest

from skdeepclust._pyplot import import_pyplot


def test_missing_matplotlib_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)
    with pytest.raises(ImportError, match=r"skdeepclust\[plot\]"):
        import_pyplot()


def test_pyplot_is_the_one_of_matplotlib():
    plt = pytest.importorskip("matplotlib.pyplot", reason="matplotlib is not installed")
    assert import_pyplot() is plt
