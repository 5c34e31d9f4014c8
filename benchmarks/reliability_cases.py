"""What the reliability programs share: numbered cases in a process of their own, and reports.

A case is a number. With the seed it determines all that happens, so that a case that fails can be
run again by itself. Cases run one after the other in another process, which is replaced when it
dies or takes too long: what brings it down is a result, and not the end of the program.
"""

from __future__ import annotations

import argparse
import json
import shlex
import signal
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from bench_unsupervised import markdown_table, versions

__all__ = ["FAILED", "Record", "argument_parser", "publish", "run_cases", "summary_table"]

# What happened in a case: "case", "kind", "outcome", "detail", "seconds" and perhaps more.
Record = dict[str, Any]
RunCase = Callable[[int], Record]

FAILED = "failed"
# A process that has not answered by then hangs.
_HARD_LIMIT = 60.0
_MAX_DETAIL = 500


def argument_parser(description: str | None, n_cases: int) -> argparse.ArgumentParser:
    """Options that the reliability programs have in common."""
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--cases", type=int, default=n_cases, help="number of cases")
    parser.add_argument("--first", type=int, default=0, help="number of the first case")
    parser.add_argument("--case", type=int, help="run this case alone and show all of it")
    parser.add_argument("--seconds", type=float, help="begin no further case after this time")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--markdown", type=Path, help="file for the table")
    parser.add_argument("--json", type=Path, help="file for figures and failures")
    parser.add_argument("--quick", action="store_true", help="smoke run: a few cases")
    return parser


def run_cases(make: Callable[[], RunCase], options: argparse.Namespace) -> list[Record]:
    """Records of all cases asked for, in their order.

    Parameters
    ----------
    make : callable
        Called once in each new process; returns the function that runs a case. Must pickle.
    options : Namespace
        From `argument_parser`. An interrupted run returns the records so far.
    """
    if options.case is not None:
        return [make()(options.case)]
    started, records = time.monotonic(), []
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    worker = _Worker(make)
    try:
        for case in range(options.first, options.first + options.cases):
            records.append(worker.run(case))
            if records[-1]["outcome"] == FAILED:
                print(f"case {case}: {records[-1]['detail'][:_MAX_DETAIL]}", file=sys.stderr)
            if options.seconds and time.monotonic() - started > options.seconds:
                break
    except KeyboardInterrupt:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        print("Interrupted: what follows are the cases so far.", file=sys.stderr)
    finally:
        worker.end()
    return records


class _Worker:
    """A process that runs cases, replaced by a new one when it dies or hangs."""

    def __init__(self, make: Callable[[], RunCase]) -> None:
        self._make = make
        self._begin()

    def _begin(self) -> None:
        context = get_context("spawn")
        self._connection, other = context.Pipe()
        self._process = context.Process(target=_serve, args=(self._make, other))
        self._process.start()
        other.close()
        self._connection.recv()  # it is ready

    def run(self, case: int) -> Record:
        """The record of a case, whatever becomes of the process."""
        self._connection.send(case)
        reason = f"no answer after {_HARD_LIMIT:.0f} s"
        with suppress(EOFError, OSError):
            if self._connection.poll(_HARD_LIMIT):
                record: Record = self._connection.recv()
                return record
        self._process.join(0.5)
        if self._process.exitcode is not None:
            reason = f"the process ended with {self._process.exitcode}"
        self.end()
        self._begin()
        lost = {"case": case, "kind": "?", "outcome": FAILED, "detail": reason}
        return {**lost, "seconds": _HARD_LIMIT}

    def end(self) -> None:
        """Stop the process."""
        self._process.kill()
        self._process.join()
        self._connection.close()


def _serve(make: Callable[[], RunCase], connection: Connection) -> None:
    run = make()
    connection.send("ready")
    with suppress(EOFError):
        while True:
            connection.send(run(connection.recv()))


def summary_table(
    records: Iterable[Record], outcomes: Sequence[str], largest: Sequence[str] = ("seconds",)
) -> str:
    """A row for each kind of case and one for all: cases, each outcome, the largest figures."""
    groups: dict[str, list[Record]] = {}
    for record in records:
        groups.setdefault(record["kind"], []).append(record)
    everything = [record for group in groups.values() for record in group]
    head = ["kind", "cases", *outcomes, *(f"largest {name}" for name in largest)]
    rows = [_row(name, groups[name], outcomes, largest) for name in sorted(groups)]
    rows.append(_row("all", everything, outcomes, largest))
    return markdown_table(head, rows)


def _row(
    kind: str, records: Sequence[Record], outcomes: Sequence[str], largest: Sequence[str]
) -> list[str]:
    counts = [sum(record["outcome"] == outcome for record in records) for outcome in outcomes]
    peaks = [
        max((record.get(figure) or 0.0 for record in records), default=0) for figure in largest
    ]
    return [kind, str(len(records)), *map(str, counts), *(f"{peak:.2f}" for peak in peaks)]


def publish(
    title: str, table: str, records: Sequence[Record], note: str, options: argparse.Namespace
) -> int:
    """Print the report and all failures, write both where wanted; the exit status."""
    failures = [record for record in records if record["outcome"] == FAILED]
    command = shlex.join(["python", f"benchmarks/{Path(sys.argv[0]).name}", *sys.argv[1:]])
    report = f"{table}\n\n{note} {len(failures)} of {len(records)} cases failed."
    print(report)
    for record in failures:
        print(f"\ncase {record['case']}, {record['kind']}: {record['detail'][:_MAX_DETAIL]}")
    if options.markdown:
        used = ", ".join(f"{name} {version}" for name, version in versions().items())
        text = f"# {title}\n\nMade by `{command}` with {used}.\n\n{report}\n"
        options.markdown.write_text(text, encoding="utf-8")
    if options.json:
        content = {
            "title": title,
            "command": command,
            "versions": versions(),
            "seed": options.seed,
            "n_cases": len(records),
            "note": note,
            "kinds": _totals(records),
            "failures": failures,
        }
        options.json.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    return 1 if failures else 0


def _totals(records: Iterable[Record]) -> dict[str, dict[str, int]]:
    totals: dict[str, dict[str, int]] = {}
    for record in records:
        counts = totals.setdefault(record["kind"], {})
        counts[record["outcome"]] = counts.get(record["outcome"], 0) + 1
    return {kind: dict(sorted(totals[kind].items())) for kind in sorted(totals)}
