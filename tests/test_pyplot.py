"""matplotlib or an error that names what to install, and the colours of all displays."""

import sys

import pytest

from skdeepclust._pyplot import OKABE_ITO, import_pyplot


def test_missing_matplotlib_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)
    with pytest.raises(ImportError, match=r"skdeepclust\[plot\]"):
        import_pyplot()


def test_colours_are_those_that_matplotlib_reads():
    colors = pytest.importorskip("matplotlib.colors", reason="matplotlib is not installed")
    assert len({colors.to_hex(color) for color in OKABE_ITO.values()}) == len(OKABE_ITO) == 8


def test_pyplot_is_the_one_of_matplotlib():
    plt = pytest.importorskip("matplotlib.pyplot", reason="matplotlib is not installed")
    assert import_pyplot() is plt
