"""The tests of the package against its wheel, installed where the repository cannot be seen."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
import venv
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any
from zipfile import ZipFile

from reliability_matrix import read_report

__all__ = ["ROOT", "check_wheel"]

ROOT = Path(__file__).parents[1]
# What a wheel is made from, and what the tests need besides themselves.
_SOURCES = ("skdeepclust", "setup.cfg", "pyproject.toml", "README.md", "LICENSE")
_FORGOTTEN = shutil.ignore_patterns("__pycache__")
# Tests of what a wheel does not hold.
_OTHER_TESTS = ("benchmarks", "docs", "examples")
_ALL_TESTS = ("./tests", "--pyargs", "skdeepclust")
_PLUGIN = "wheel_origin"
# At its end every process of pytest says from where it has imported the package.
_PLUGIN_TEXT = '''"""Where the modules of the package that is tested come from."""

import json
import os
import sys
from pathlib import Path


def pytest_sessionfinish(session):
    modules = dict(sys.modules)
    found = [m.__file__ for n, m in modules.items() if n.split(".")[0] == "skdeepclust"]
    folder = Path(os.environ["ORIGINS"])
    (folder / f"{os.getpid()}.json").write_text(json.dumps(found), encoding="utf-8")
'''


def check_wheel(
    folder: Path, select: Sequence[str], n_workers: int = 2, timeout: float = 3_600.0
) -> dict[str, Any]:
    """Build a wheel, install it in an environment of its own, and run tests there.

    Parameters
    ----------
    folder : Path
        Empty; for the wheel, the environment and a copy of the tests.
    select : sequence of str
        Tests by their paths from the root of the repository. Empty: all of the package itself,
        and the examples in its docstrings.
    n_workers : int, default=2
        Processes of pytest; with 0 there is but one.
    timeout : float, default=3,600
        Seconds for the tests.

    Returns
    -------
    dict of str to object
        The number of "modules" that the tests imported, of which those in "elsewhere" are not
        from the wheel, the "files" of the wheel, those of the package that are "missing" in it,
        and the counts of `reliability_matrix.read_report`.
    """
    wheel = build_wheel(folder)
    with ZipFile(wheel) as archive:
        files = sorted(name for name in archive.namelist() if name.startswith("skdeepclust/"))
    python = install(wheel, folder / "environment")
    place = folder / "elsewhere"
    copy_tests(place)
    record = {"wheel": wheel.name, "files": len(files), "missing": missing_files(files)}
    wanted = ["-n", str(n_workers), *(select or _ALL_TESTS)]
    return {**record, **run_tests(python, place, wanted, timeout)}


def build_wheel(folder: Path) -> Path:
    """A wheel of a copy of the sources: building leaves files behind."""
    copied = folder / "sources"
    copied.mkdir(parents=True)
    for name in _SOURCES:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, copied / name, ignore=_FORGOTTEN)
        else:
            shutil.copy(ROOT / name, copied / name)
    options = ["--no-deps", "--no-build-isolation", "--no-index", "-q"]
    command = [sys.executable, "-m", "pip", "wheel", *options, "-w", str(folder), str(copied)]
    _run(command, folder)
    shutil.rmtree(copied)
    (wheel,) = folder.glob("*.whl")
    return wheel


def install(wheel: Path, environment: Path) -> Path:
    """The interpreter of a new environment with the wheel and, of this one, all other packages.

    These are found by a path file. Where the package itself is installed here as a link to its
    repository, the link is one more path file, and such files count in their own folder alone.
    """
    venv.create(environment, symlinks=os.name != "nt")
    python = environment / ("Scripts" if os.name == "nt" else "bin") / "python"
    ask = "import sysconfig; print(sysconfig.get_path('purelib'))"
    (site,) = _run([str(python), "-c", ask], environment).split()
    here = [path for path in sys.path if Path(path).name in ("site-packages", "dist-packages")]
    (Path(site) / "packages.pth").write_text("\n".join(here) + "\n", encoding="utf-8")
    options = ["--no-deps", "--no-index", "-q"]
    _run([str(python), "-m", "pip", "install", "--ignore-installed", *options, str(wheel)], site)
    return python


def copy_tests(place: Path) -> None:
    """The tests of the package, with the settings of pytest and a plugin, in a new folder."""
    shutil.copytree(ROOT / "tests", place / "tests", ignore=_FORGOTTEN)
    for name in _OTHER_TESTS:
        shutil.rmtree(place / "tests" / name)
    shutil.copy(ROOT / "setup.cfg", place)
    (place / f"{_PLUGIN}.py").write_text(_PLUGIN_TEXT, encoding="utf-8")


def missing_files(files: Sequence[str]) -> list[str]:
    """Files of the package, and no others of its folder, that are not in the wheel."""
    found = (p for p in (ROOT / "skdeepclust").rglob("*") if p.is_file())
    own = {p.relative_to(ROOT).as_posix() for p in found if "__pycache__" not in p.parts}
    return sorted(own - set(files))


def run_tests(python: Path, place: Path, wanted: list[str], timeout: float) -> dict[str, Any]:
    """Counts of the tests, and where the package came from in all processes."""
    report, origins = place / "report.xml", place / "origins"
    origins.mkdir()
    command = [str(python), "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", _PLUGIN]
    environment = {
        k: v for k, v in os.environ.items() if not k.startswith(("PYTHONPATH", "PYTEST"))
    }
    started = time.monotonic()
    done = subprocess.run(
        [*command, f"--junitxml={report}", *wanted],
        cwd=place, capture_output=True, text=True, check=False, timeout=timeout,
        env=environment | {"ORIGINS": str(origins)},
    )  # fmt: skip
    if not report.exists():
        raise RuntimeError(f"no tests were run: {(done.stdout + done.stderr)[-2_000:]}")
    modules = [m for path in origins.glob("*.json") for m in json.loads(path.read_text("utf-8"))]
    elsewhere = outside(python.parents[1], modules)
    found = {"modules": len(set(modules)), "elsewhere": elsewhere, **read_report(report)}
    return {**found, "seconds": time.monotonic() - started}


def outside(folder: Path, files: Iterable[str]) -> list[str]:
    """Files that are not in a folder."""
    real = folder.resolve()
    return sorted({file for file in files if not Path(file).resolve().is_relative_to(real)})


def _run(command: list[str], folder: str | Path) -> str:
    """The output of a command, which must succeed."""
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)}: {(done.stderr or done.stdout)[-2_000:]}")
    return done.stdout
