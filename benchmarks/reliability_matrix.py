"""The test suite on several versions of scikit-learn, NumPy and torch.

For each cell of the matrix a virtual environment is made with pip, the package installed in it from
this repository with its test requirements, and the suite run: scikit-learn's own checks of
estimators are a part of it. "newest" is what pip finds; "oldest" of torch is the first version,
from 2.4 on, that installs.

Run, from the root of the repository::

    python benchmarks/reliability_matrix.py --folder ../environments \
        --markdown docs/benchmarks/reliability_matrix.md \
        --json docs/benchmarks/reliability_matrix.json

Cells are given as scikit-learn/numpy/torch, ``--cells 1.6/1.26/oldest newest/newest/newest``.
``--select tests/test_metric_clusterer.py`` runs a part of the suite. Environments stay in
``--folder`` and are used again. ``--quick`` runs the selection in this very environment instead.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
import venv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from bench_unsupervised import markdown_table

_ROOT = Path(__file__).parents[1]
_CELLS = (
    "1.6/1.26/oldest",
    "1.6/2/2.13",
    "1.7/2/2.13",
    "1.8/2/2.13",
    "newest/1.26/2.13",
    "newest/2/oldest",
    "newest/newest/newest",
)
_OLDEST_TORCH = tuple(f"2.{minor}" for minor in range(4, 14))
_PACKAGES = ("scikit-learn", "numpy", "torch")
_QUICK_TESTS = ("-n", "0", "tests/search/test_result.py")
_SHOW_VERSIONS = (
    "import json, platform, importlib.metadata as m; "
    f"print(json.dumps([platform.python_version(), *map(m.version, {_PACKAGES})]))"
)
_PASSED, _FAILED, _SKIPPED = "passed", "failed", "skipped"


@dataclass(frozen=True)
class Cell:
    """Wanted versions; "newest" for any, "oldest" for the first that installs."""

    sklearn: str
    numpy: str
    torch: str

    @classmethod
    def parse(cls, text: str) -> Cell:
        """The cell that a text like ``1.6/1.26/oldest`` names."""
        parts = text.split("/")
        if len(parts) != len(_PACKAGES):
            raise SystemExit(f"{text!r} is no cell: scikit-learn/numpy/torch is wanted.")
        return cls(*parts)

    def __str__(self) -> str:
        return "/".join((self.sklearn, self.numpy, self.torch))

    @property
    def requirements(self) -> list[list[str]]:
        """What pip is asked for; the later ones are for where the earlier do not install."""
        torches = _OLDEST_TORCH if self.torch == "oldest" else (self.torch,)
        return [
            [
                _requirement(name, version)
                for name, version in zip(_PACKAGES, (self.sklearn, self.numpy, torch), strict=True)
            ]
            for torch in torches
        ]


def main() -> int:
    """Run the suite in every environment, print the matrix, and write it where wanted."""
    options = parse_options()
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.folder or Path(temporary)
        if options.quick:
            records = [run_suite("this environment", Path(sys.executable), options)]
        else:
            records = [
                run_cell(Cell.parse(text), folder.resolve(), options) for text in options.cells
            ]
    return publish(records, options)


def parse_options() -> argparse.Namespace:
    """Options of the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--cells", nargs="+", default=_CELLS, help="scikit-learn/numpy/torch")
    parser.add_argument("--select", nargs="+", default=[], help="tests to run; default: all")
    parser.add_argument("--folder", type=Path, help="where environments stay")
    parser.add_argument("--python", default=sys.executable, help="interpreter of environments")
    parser.add_argument("--timeout", type=float, default=3_600, help="seconds for a cell's tests")
    parser.add_argument("--markdown", type=Path, help="file for the table")
    parser.add_argument("--json", type=Path, help="file for all figures")
    parser.add_argument("--quick", action="store_true", help="a few tests in this environment")
    options = parser.parse_args()
    if options.quick:
        options.select = options.select or list(_QUICK_TESTS)
    return options


def run_cell(cell: Cell, folder: Path, options: argparse.Namespace) -> dict[str, Any]:
    """The record of a cell: the environment is made where it is not there yet."""
    environment = folder / str(cell).replace("/", "_")
    python = environment / ("Scripts" if os.name == "nt" else "bin") / "python"
    installed = environment / "installed"
    if not installed.exists():
        error = make_environment(environment, python, cell, options.python)
        if error:
            return {"cell": str(cell), "versions": ["", "", "", ""], "error": error}
        installed.touch()
    return run_suite(str(cell), python, options)


def make_environment(folder: Path, python: Path, cell: Cell, interpreter: str) -> str:
    """Install the package with the wanted versions; what went wrong, if it did."""
    if interpreter == sys.executable:
        venv.create(folder, with_pip=True, clear=True)
    else:
        subprocess.run([interpreter, "-m", "venv", "--clear", folder], check=True)
    reason = ""
    for requirements in cell.requirements:
        command = [python, "-m", "pip", "install", "-q", *requirements, "-e", f"{_ROOT}[test]"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode == 0:
            return ""
        reason = done.stderr.strip().splitlines()[-1] if done.stderr.strip() else "pip failed"
    return reason


def run_suite(title: str, python: Path, options: argparse.Namespace) -> dict[str, Any]:
    """The record of a run of the tests with an interpreter."""
    shown = subprocess.run(
        [python, "-c", _SHOW_VERSIONS], capture_output=True, text=True, check=True
    )
    record = {"cell": title, "versions": json.loads(shown.stdout), "select": options.select}
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.xml"
        command = [python, "-m", "pytest", "-q", "-p", "no:cacheprovider", f"--junitxml={report}"]
        started = time.monotonic()
        try:
            done = subprocess.run(
                [*command, *options.select],
                cwd=_ROOT, capture_output=True, text=True, check=False, timeout=options.timeout,
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            return {**record, "error": f"more than {options.timeout:.0f} s"}
        record["seconds"] = time.monotonic() - started
        if not report.exists():
            return {**record, "error": (done.stderr or done.stdout).strip()[-300:]}
        return {**record, **read_report(report)}


def read_report(path: Path) -> dict[str, Any]:
    """Counts of a JUnit report, and the names of the tests that failed."""
    counts: dict[str, Any] = {_PASSED: 0, _FAILED: 0, _SKIPPED: 0, "failures": []}
    for case in ElementTree.parse(path).iter("testcase"):
        kinds = {child.tag for child in case}
        outcome = _FAILED if kinds & {"failure", "error"} else _PASSED
        outcome = _SKIPPED if "skipped" in kinds else outcome
        counts[outcome] += 1
        if outcome == _FAILED:
            counts["failures"].append(f"{case.get('classname')}::{case.get('name')}")
    return counts


def publish(records: Sequence[dict[str, Any]], options: argparse.Namespace) -> int:
    """Print the matrix and failures; write it where wanted; the exit status."""
    head = ["cell", "python", *_PACKAGES, _PASSED, _FAILED, _SKIPPED, "seconds"]
    report = markdown_table(head, [_row(record) for record in records])
    failures = [f"{r['cell']}: {name}" for r in records for name in r.get("failures", [])]
    failures += [f"{r['cell']}: {r['error']}" for r in records if "error" in r]
    note = f"Selection: {' '.join(options.select) or 'all tests'}."
    report = "\n\n".join([report, note, *failures])
    print(report)
    if options.markdown:
        text = f"# Versions\n\nMade by `benchmarks/{Path(sys.argv[0]).name}`.\n\n{report}\n"
        options.markdown.write_text(text, encoding="utf-8")
    if options.json:
        options.json.write_text(json.dumps(records, indent=1) + "\n", encoding="utf-8")
    return 1 if failures else 0


def _row(record: dict[str, Any]) -> list[str]:
    counts = [str(record.get(name, "")) for name in (_PASSED, _FAILED, _SKIPPED)]
    return [record["cell"], *record["versions"], *counts, f"{record.get('seconds', 0):.0f}"]


def _requirement(name: str, version: str) -> str:
    return name if version == "newest" else f"{name}=={version}.*"


if __name__ == "__main__":
    raise SystemExit(main())
