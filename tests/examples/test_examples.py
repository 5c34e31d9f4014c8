"""The examples run as they are, keep their promises, and write a picture."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("matplotlib", reason="the examples draw with matplotlib")

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("script", "picture", "figure"),
    [
        ("plot_quickstart.py", "quickstart.png", "accuracy"),
        ("plot_new_classes.py", "new_classes.png", "accuracy"),
        ("plot_no_number_of_clusters.py", "no_number_of_clusters.png", "accuracy"),
        ("plot_gradient_check.py", "gradient_check.png", "Frobenius distance"),
        ("plot_simplex_demo.py", "simplex_demo.png", "accuracy"),
        ("plot_training_monitor.py", "training_monitor.png", "held-out rows"),
    ],
)
def test_example_runs(script, picture, figure, tmp_path):
    path = ROOT / "examples" / script
    if not path.exists():
        pytest.skip("the examples are not part of an installed package")
    search_path = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    environment = os.environ | {
        "MPLBACKEND": "Agg",
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
