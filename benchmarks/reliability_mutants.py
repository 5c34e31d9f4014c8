"""Mutants: which small changes of the code its tests notice.

A sample of all changes that `code_mutations` knows is drawn. Each changed module is put into a copy
of the package, and its tests run there, up to the first that fails: ``tests/graph/test_export.py``
first for ``graph/_export.py``, then the others in ``tests/graph``. A mutant is

- killed, if a test fails or the module cannot be imported any more;
- timed out, if the tests take several times as long as those of the code as it is: noticed too;
- equivalent, if `listed_equivalents` has it: it changes nothing that a test should notice. It is
  not tried;
- survived, if all tests pass: a test is missing, or the change belongs into that list.

Two shares are given: of all mutants, as if nobody noticed the equivalent ones, and of the others.
The target is that at least 85 % of the others are noticed.

Run, from the root of the repository::

    python benchmarks/reliability_mutants.py --packages spectral graph search --sample 300 \
        --jobs 2 --markdown docs/benchmarks/reliability_mutants.md \
        --json docs/benchmarks/reliability_mutants.json

Some seconds a mutant on each core; ``--quick`` tries three. ``--mutants K ...`` tries these alone
and shows what pytest says of them. ``--again`` reads ``--json`` and tries what is missing there
and, after tests have been added, what has survived.
"""

from __future__ import annotations

import argparse
import difflib
import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from queue import SimpleQueue
from typing import Any, NamedTuple

import numpy as np
from bench_unsupervised import markdown_table, versions
from code_mutations import Mutation, find_mutations
from equivalent_mutants import equivalents_table, reasons_of, shown
from listed_equivalents import EQUIVALENTS

# What happened to a mutant: "mutant", "file", "line", "kind", "outcome", "seconds" and "diff"; of
# an equivalent one the "reason" as well.
Record = dict[str, Any]

KILLED, TIMED_OUT, SURVIVED, EQUIVALENT = "killed", "timed out", "survived", "equivalent"
_OUTCOMES = (KILLED, TIMED_OUT, SURVIVED, EQUIVALENT)
_NOTICED = (KILLED, TIMED_OUT)
_TARGET = 0.85
_N_SAMPLE, _N_QUICK = 300, 3
_ROOT = Path(__file__).parents[1]
_PACKAGE = "skdeepclust"
_CONFIGURATION = ("pyproject.toml", "pytest.ini", "setup.cfg")
_WARM = (
    "networkx",
    "pytest",
    "scipy.optimize",
    "scipy.sparse.csgraph",
    "sklearn.cluster",
    "sklearn.datasets",
    "sklearn.neighbors",
    "torch",
)
# Tests of a mutant may take so many times as long on a busy machine.
_SLOWER = 4.0
_LONGEST = 900.0
_MAX_OUTPUT = 3_000


class Mutant(NamedTuple):
    """A change of a file; its number is that among all changes, sampled or not."""

    number: int
    path: str
    mutation: Mutation


def main() -> int:
    """Try the mutants, print survivors and shares, and write them where wanted."""
    options = parse_options()
    found = find_mutants(options.root, options.package, options.packages)
    chosen = options.mutants or draw(len(found), options.sample, options.seed)
    # Those that were asked for by number are tried whatever they are.
    folders = tuple(f"{options.package}/{name}/" for name in options.packages)
    reasons = reasons_of(options.root, [mutant[1:] for mutant in found], folders, EQUIVALENTS)
    skipped = {} if options.mutants else reasons
    records = _records_of(options, found) if options.again else {}
    noticed = {number for number, record in records.items() if record["outcome"] in _NOTICED}
    mutants = [found[number] for number in chosen if number not in noticed]
    records |= {record["mutant"]: record for record in run_mutants(mutants, options, skipped)}
    return publish(list(records.values()), found, options)


def parse_options(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Options of the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--packages", nargs="+", default=["spectral", "graph", "search"])
    parser.add_argument("--sample", type=int, default=_N_SAMPLE, help="number of mutants")
    parser.add_argument("--seed", type=int, default=0, help="of the sample")
    parser.add_argument("--jobs", type=int, default=1, help="mutants at a time")
    parser.add_argument("--seconds", type=float, help="begin no further mutant after this time")
    parser.add_argument("--patience", type=float, default=10, help="seconds added to time limits")
    parser.add_argument("--skip", nargs="+", default=[], help="words in names of slow tests")
    parser.add_argument("--mutants", type=int, nargs="+", help="numbers of the only mutants")
    parser.add_argument("--again", action="store_true", help="go on with --json; survivors too")
    parser.add_argument("--markdown", type=Path, help="file for the table and the survivors")
    parser.add_argument("--json", type=Path, help="file for all records")
    parser.add_argument("--quick", action="store_true", help="smoke run: a few mutants")
    parser.add_argument("--root", type=Path, default=_ROOT, help="folder of package and tests")
    parser.add_argument("--package", default=_PACKAGE)
    parser.add_argument("--warm", nargs="*", default=_WARM, help="modules to import once")
    options = parser.parse_args(arguments)
    if options.quick:
        options.sample = min(options.sample, _N_QUICK)
    if options.again and not options.json:
        parser.error("--again needs --json")
    return options


def find_mutants(root: Path, package: str, packages: Iterable[str]) -> list[Mutant]:
    """All mutants of some subpackages, numbered by file and place."""
    paths = [path for name in packages for path in sorted((root / package / name).glob("*.py"))]
    if not paths:
        raise SystemExit(f"No modules in {[str(root / package / name) for name in packages]}.")
    changes = [
        (path.relative_to(root).as_posix(), mutation)
        for path in paths
        for mutation in find_mutations(path.read_bytes())
    ]
    return [Mutant(number, *change) for number, change in enumerate(changes)]


def draw(n_found: int, sample: int, seed: int) -> list[int]:
    """Numbers of the mutants to try; a larger sample has those of a smaller one first."""
    order: list[int] = np.random.default_rng(seed).permutation(n_found)[:sample].tolist()
    return order


def tests_of(root: Path, path: str) -> tuple[str, ...]:
    """The test files of a module, its own first."""
    module = Path(*Path(path).parts[1:])
    folder = root / "tests" / module.parent
    own = folder / f"test_{module.stem.strip('_')}.py"
    files = sorted(folder.glob("test_*.py"), key=lambda file: (file != own, file))
    if not files:
        raise SystemExit(f"{path} has no tests: none in {folder}.")
    return tuple(file.relative_to(root).as_posix() for file in files)


def show_change(root: Path, mutant: Mutant) -> str:
    """The change as a diff."""
    source = (root / mutant.path).read_bytes()
    before, after = (text.decode().splitlines() for text in (source, mutant.mutation.apply(source)))
    lines = difflib.unified_diff(before, after, mutant.path, mutant.path, n=1, lineterm="")
    return "\n".join(lines)


def run_mutants(
    mutants: Sequence[Mutant], options: argparse.Namespace, skipped: Mapping[int, str]
) -> list[Record]:
    """Records of the mutants; where the run is ended before, of those so far."""
    with tempfile.TemporaryDirectory() as name:
        folders = [Path(name) / f"copy{job}" for job in range(options.jobs)]
        copy_project(options.root, options.package, folders[0])
        limits = _time_limits(folders[0], mutants, options)
        for folder in folders[1:]:
            shutil.copytree(folders[0], folder)
        free: SimpleQueue[Workplace] = SimpleQueue()
        places = [Workplace(folder, options.warm, options.skip) for folder in folders]
        for place in places:
            free.put(place)
        going_on = _keep_going(options.seconds)
        try_one = partial(_try_mutant, free, limits, going_on, options, skipped)
        with ThreadPoolExecutor(options.jobs) as pool:
            records = list(pool.map(try_one, mutants))
        for place in places:
            place.close()
    return [record for record in records if record is not None]


def copy_project(root: Path, package: str, folder: Path) -> None:
    """What the tests need: the package, the tests, and how to run them."""
    folder.mkdir()
    ignored = shutil.ignore_patterns("__pycache__")
    for name in (package, "tests"):
        shutil.copytree(root / name, folder / name, ignore=ignored)
    for name in _CONFIGURATION:
        if (root / name).exists():
            shutil.copy2(root / name, folder)


def _time_limits(
    folder: Path, mutants: Iterable[Mutant], options: argparse.Namespace
) -> dict[tuple[str, ...], float]:
    """Seconds for the tests of each subpackage, from a run on the code as it is."""
    place, limits = Workplace(folder, options.warm, options.skip), {}
    for tests in sorted({tuple(sorted(tests_of(folder, mutant.path))) for mutant in mutants}):
        code, seconds = place.test(tests, _LONGEST, bytecode=True)
        if code != 0:
            raise SystemExit(f"Tests fail without a mutant:\n{place.output[-_MAX_OUTPUT:]}")
        limits[tests] = _SLOWER * seconds + options.patience
    place.close()
    return limits


def _keep_going(seconds: float | None) -> Callable[[], bool]:
    """Whether there is time for one more mutant: also asked to end, a run gives its records."""
    deadline, asked = time.monotonic() + (seconds or float("inf")), []
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *arguments: asked.append(arguments))
    return lambda: not asked and time.monotonic() < deadline


def _try_mutant(
    free: SimpleQueue[Workplace],
    limits: dict[tuple[str, ...], float],
    keep_going: Callable[[], bool],
    options: argparse.Namespace,
    skipped: Mapping[int, str],
    mutant: Mutant,
) -> Record | None:
    if not keep_going():
        return None
    if mutant.number in skipped:
        about = _about(options.root, mutant)
        return {**about, "outcome": EQUIVALENT, "seconds": 0.0, "reason": skipped[mutant.number]}
    place = free.get()
    try:
        record = place.judge(mutant, limits)
        if record["outcome"] == SURVIVED or options.mutants:
            print(f"\n{describe(record)}", file=sys.stderr, flush=True)
        if options.mutants:
            print(place.output[-_MAX_OUTPUT:], file=sys.stderr, flush=True)
    finally:
        free.put(place)
    return record


def _about(root: Path, mutant: Mutant) -> Record:
    """What a mutant is."""
    source = (root / mutant.path).read_bytes()
    return {
        "mutant": mutant.number,
        "file": mutant.path,
        "line": mutant.mutation.line(source),
        "kind": mutant.mutation.kind,
        "change": shown(source, mutant.mutation),
        "diff": show_change(root, mutant),
    }


class Workplace:
    """A copy of the project, and a process that runs its tests."""

    def __init__(self, folder: Path, warm: Sequence[str], skip: Sequence[str]) -> None:
        self._folder = folder
        self._choice = ["-k", " and ".join(f"not {word}" for word in skip)] if skip else []
        self._output = folder / "output.txt"
        environment = os.environ | {"PYTHONPATH": str(folder), "OMP_NUM_THREADS": "1"}
        self._server = subprocess.Popen(
            [sys.executable, Path(__file__).with_name("mutant_server.py"), *warm],
            cwd=folder, env=environment, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            start_new_session=True,
        )  # fmt: skip
        self._answer()  # it is ready

    def _answer(self) -> Any:
        assert self._server.stdout is not None
        line = self._server.stdout.readline()
        if not line:
            raise SystemExit(f"The process that runs tests has ended: {self._server.wait()}.")
        return json.loads(line)

    @property
    def output(self) -> str:
        """What pytest has written last."""
        return self._output.read_text(encoding="utf-8", errors="replace")

    def test(self, tests: Sequence[str], limit: float, bytecode: bool) -> tuple[int | None, float]:
        """Exit status of pytest, None for a time-out, and seconds."""
        assert self._server.stdin is not None
        wanted = {"tests": [*self._choice, *tests], "limit": limit, "bytecode": bytecode}
        print(json.dumps({**wanted, "output": str(self._output)}), file=self._server.stdin)
        self._server.stdin.flush()
        answer = self._answer()
        return answer["code"], answer["seconds"]

    def judge(self, mutant: Mutant, limits: dict[tuple[str, ...], float]) -> Record:
        """Put a mutant into the copy, run its tests, and put the code back."""
        path, tests = self._folder / mutant.path, tests_of(self._folder, mutant.path)
        source, times = path.read_bytes(), path.stat()
        about = _about(self._folder, mutant)
        path.write_bytes(mutant.mutation.apply(source))
        try:
            code, seconds = self.test(tests, limits[tuple(sorted(tests))], bytecode=False)
        finally:
            path.write_bytes(source)
            os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
        outcome = {0: SURVIVED, None: TIMED_OUT}.get(code, KILLED)
        return {**about, "outcome": outcome, "seconds": round(seconds, 2)}

    def close(self) -> None:
        """End the process."""
        self._server.communicate()


def _records_of(options: argparse.Namespace, found: Sequence[Mutant]) -> dict[int, Record]:
    """Records of an earlier run by number, if the code is still the same."""
    records = json.loads(options.json.read_text(encoding="utf-8"))["records"]
    for record in records:
        number = record["mutant"]
        if number >= len(found) or show_change(options.root, found[number]) != record["diff"]:
            raise SystemExit(f"{options.json} is about other code: run all mutants again.")
    return {record["mutant"]: record for record in records}


def describe(record: Record) -> str:
    """One mutant, to be read."""
    head = f"Mutant {record['mutant']}, {record['kind']}, {record['outcome']}"
    return f"{head} ({record['seconds']:.1f} s):\n{record['diff']}"


def summary_table(records: Sequence[Record], found: Sequence[Mutant]) -> str:
    """A row for each module, each subpackage and all: mutants, those drawn, outcomes, shares."""
    head = ["code", "mutants", "drawn", *_OUTCOMES, "noticed of all", "noticed of the others"]
    modules = sorted({mutant.path for mutant in found})
    folders = sorted({str(Path(path).parent.as_posix()) + "/" for path in modules})
    rows = [_row(name, name, records, found) for name in (*modules, *folders)]
    return markdown_table(head, [*rows, _row("all", "", records, found)])


def _row(title: str, start: str, records: Sequence[Record], found: Sequence[Mutant]) -> list[str]:
    drawn = [record for record in records if record["file"].startswith(start)]
    counts = [sum(record["outcome"] == outcome for record in drawn) for outcome in _OUTCOMES]
    n_found = sum(mutant.path.startswith(start) for mutant in found)
    shares = [
        f"{100 * noticed_share(some):.1f} %" if some else "" for some in (drawn, others(drawn))
    ]
    return [title, str(n_found), str(len(drawn)), *map(str, counts), *shares]


def others(records: Sequence[Record]) -> list[Record]:
    """The records of mutants that are not equivalent."""
    return [record for record in records if record["outcome"] != EQUIVALENT]


def noticed_share(records: Sequence[Record]) -> float:
    """Share of the mutants that tests have noticed."""
    return sum(record["outcome"] in _NOTICED for record in records) / max(1, len(records))


def publish(records: Sequence[Record], found: Sequence[Mutant], options: argparse.Namespace) -> int:
    """Print the report, write it where wanted; exit status 0 if the target is met."""
    command = shlex.join(["python", f"benchmarks/{Path(sys.argv[0]).name}", *sys.argv[1:]])
    survivors = [record for record in records if record["outcome"] == SURVIVED]
    skipped = [record for record in records if record["outcome"] == EQUIVALENT]
    note = f"{len(records)} of {len(found)} mutants, sampled with seed {options.seed}."
    report = f"{summary_table(records, found)}\n\n{note}"
    print(report)
    if options.markdown:
        used = ", ".join(f"{name} {version}" for name, version in versions().items())
        diffs = "\n\n".join(f"```diff\n{record['diff']}\n```" for record in survivors)
        parts = ["# Mutants", f"Made by `{command}` with {used}.", report, "## Survivors", diffs]
        parts += ["## Equivalent mutants", equivalents_table(skipped)]
        options.markdown.write_text("\n\n".join(parts) + "\n", encoding="utf-8")
    if options.json:
        content = {
            "title": "Mutants",
            "command": command,
            "versions": versions(),
            "seed": options.seed,
            "packages": options.packages,
            "n_found": len(found),
            "noticed_of_all": noticed_share(records),
            "noticed_of_others": noticed_share(others(records)),
            "records": records,
        }
        options.json.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    return 0 if noticed_share(others(records)) >= _TARGET else 1


if __name__ == "__main__":
    raise SystemExit(main())
