"""Quick runs of the benchmark programs."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

_FOLDER = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture(scope="module")
def benchmark_path():
    """Modules of the benchmarks can be imported by name, and are forgotten afterwards."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(_FOLDER))
        before = set(sys.modules)
        yield
        for name in set(sys.modules) - before:
            if str(_FOLDER) in str(getattr(sys.modules[name], "__file__", "")):
                del sys.modules[name]


@pytest.fixture(scope="module")
def quick_run(tmp_path_factory):
    """A function of a program's name: its output in a quick run, and the folder of its files."""

    def run(program):
        folder = tmp_path_factory.mktemp("benchmark")
        return _run_quickly(program, folder), folder

    return run


@pytest.fixture(scope="session")
def resumed_run():
    """A function of a program's name and its quick run: whether another one only reads its file."""

    def run(program, first):
        output, folder = first
        file = folder / "values.json"
        written = file.stat().st_mtime_ns, file.read_bytes()
        assert _run_quickly(program, folder) == output
        return written == (file.stat().st_mtime_ns, file.read_bytes())

    return run


def _run_quickly(program, folder):
    files = ["--markdown", folder / "table.md", "--json", folder / "values.json"]
    done = subprocess.run(
        [sys.executable, _FOLDER / program, "--quick", *files],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="session")
def cells():
    """A function of a line of a markdown table: its cells."""
    return lambda line: [cell.strip() for cell in line.strip("|").split("|")]
