"""Examples that run in the test's own process, so that their numbers can be looked at."""

import runpy
import sys
from pathlib import Path

import pytest

_FOLDER = Path(__file__).parents[2] / "examples"


@pytest.fixture(scope="module")
def run_example(tmp_path_factory):
    """A function of an example's name and the files it may write: what it defines."""
    matplotlib = pytest.importorskip("matplotlib", reason="the examples draw with matplotlib")
    matplotlib.use("Agg")
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
        return defined, folder

    yield run
    matplotlib.pyplot.close("all")
