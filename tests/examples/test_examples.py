"""The examples run as they are, keep their promises, and write a picture."""

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("matplotlib", reason="the examples draw with matplotlib")

ROOT = Path(__file__).parents[2]
EXAMPLES = sorted((ROOT / "examples").glob("*.py"))
# What each of these prints; the others are run by the test modules with their names.
RUN_HERE = [
    ("plot_quickstart.py", "quickstart.png", "accuracy"),
    ("plot_new_classes.py", "new_classes.png", "accuracy"),
    ("plot_no_number_of_clusters.py", "no_number_of_clusters.png", "accuracy"),
    ("plot_gradient_check.py", "gradient_check.png", "Frobenius distance"),
    ("plot_simplex_demo.py", "simplex_demo.png", "accuracy"),
    ("plot_training_monitor.py", "training_monitor.png", "held-out rows"),
]


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_example_is_short_and_has_a_title(path):
    """As sphinx-gallery wants it: a title in rst, then text; a file has no name there."""
    text = path.read_text(encoding="utf-8")
    assert len(text.splitlines()) < 100
    assert "__file__" not in text
    title, line, blank, *paragraph = ast.get_docstring(ast.parse(text)).splitlines()
    assert line == "=" * len(title)
    assert not blank
    assert paragraph


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_example_has_a_test(path):
    tests = Path(__file__).with_name(f"test_{path.stem.removeprefix('plot_')}.py")
    assert tests.exists() or path.name in [script for script, _, _ in RUN_HERE]


@pytest.fixture(scope="session")
def font_folder(tmp_path_factory):
    """A list of fonts of the tests' own: what a stale one lacks, matplotlib says on stderr."""
    folder = tmp_path_factory.mktemp("matplotlib")
    environment = os.environ | {"MPLCONFIGDIR": str(folder)}
    command = [sys.executable, "-c", "import matplotlib.font_manager"]
    subprocess.run(command, env=environment, capture_output=True, timeout=600, check=True)
    return folder


@pytest.mark.parametrize(("script", "picture", "figure"), RUN_HERE)
def test_example_runs(script, picture, figure, font_folder, tmp_path):
    path = ROOT / "examples" / script
    if not path.exists():
        pytest.skip("the examples are not part of an installed package")
    search_path = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    environment = os.environ | {
        "MPLBACKEND": "Agg",
        "MPLCONFIGDIR": str(font_folder),
        "OMP_NUM_THREADS": "1",
        "PYTHONPATH": search_path,
    }
    done = subprocess.run(
        [sys.executable, str(path)],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert figure in done.stdout
    assert [file.name for file in tmp_path.iterdir()] == [picture]
    assert (tmp_path / picture).read_bytes().startswith(b"\x89PNG")
