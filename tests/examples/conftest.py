"""Examples that run in the test's own process, so that their numbers can be looked at.

Of each it is tested that it writes the files it names and no other, and cuts off no text.
"""

import runpy
import sys
from pathlib import Path

import pytest

_FOLDER = Path(__file__).parents[2] / "examples"


def assert_nothing_is_cut(figure):
    """Texts, marks and legends lie within the picture."""
    figure.canvas.draw()
    drawn, whole = figure.get_tightbbox(), figure.bbox_inches
    assert min(drawn.x0, drawn.y0) > -0.02
    assert max(drawn.x1 - whole.x1, drawn.y1 - whole.y1) < 0.02


@pytest.fixture(scope="module")
def run_example(tmp_path_factory):
    """A function of an example's name and the files it may write: what it defines."""
    matplotlib = pytest.importorskip("matplotlib", reason="the examples draw with matplotlib")
    matplotlib.use("Agg")
    plt = pytest.importorskip("matplotlib.pyplot")
    if not _FOLDER.exists():
        pytest.skip("the examples are not part of an installed package")

    def run(script, *files):
        folder = tmp_path_factory.mktemp("example")
        paths = [str(folder / file) for file in files]
        with pytest.MonkeyPatch.context() as patch:
            patch.chdir(folder)
            patch.setattr(sys, "argv", [script, *paths])
            defined = runpy.run_path(str(_FOLDER / script))
        assert {file.name for file in folder.iterdir()} == set(files)
        for number in plt.get_fignums():
            assert_nothing_is_cut(plt.figure(number))
        plt.close("all")
        return defined, folder

    return run
