"""Runs tests in forks of a process that has imported already what takes seconds to import.

Run in the folder whose code and tests are meant, with the names of the modules to import first::

    python benchmarks/mutant_server.py torch sklearn.cluster

Each line of its input asks for a run of tests, as the arguments of `run_tests` in JSON; each is
answered by a line of output. For systems with fork.
"""

from __future__ import annotations

import json
import os
import resource
import signal
import sys
import time
from contextlib import suppress
from importlib import import_module
from typing import Any, NoReturn

import pytest

# A mutant that asks for more memory than any test needs gets an error instead of all there is.
_MAX_BYTES = 8 * 2**30
_PATIENCE = 0.02
_ARGUMENTS = ("-x", "-q", "-p", "no:cacheprovider", "-o", "addopts=--import-mode=importlib")


def main() -> None:
    """Answer requests until there are no more."""
    for name in sys.argv[1:]:
        import_module(name)
    sys.path.insert(0, os.getcwd())
    print(json.dumps("ready"), flush=True)
    for line in sys.stdin:
        print(json.dumps(run_tests(**json.loads(line))), flush=True)


def run_tests(tests: list[str], limit: float, output: str, bytecode: bool) -> dict[str, Any]:
    """Run some tests up to the first that fails.

    Parameters
    ----------
    tests : list of str
        Files, and options of pytest.
    limit : float
        Seconds after which the tests are ended.
    output : str
        File for what pytest writes.
    bytecode : bool
        Whether compiled modules are kept: not those of changed code, whose time and size may be
        those of the code as it was.

    Returns
    -------
    dict
        "code", pytest's exit status, the negative number of the signal that ended it, or None
        where the time was up; and "seconds".
    """
    started = time.monotonic()
    child = os.fork()
    if child == 0:
        _run_and_exit(tests, output, bytecode)
    code = _wait(child, started + limit)
    with suppress(ProcessLookupError):
        os.killpg(child, signal.SIGKILL)  # what the tests may have started and left
    return {"code": code, "seconds": time.monotonic() - started}


def _run_and_exit(tests: list[str], output: str, bytecode: bool) -> NoReturn:
    code = int(pytest.ExitCode.INTERNAL_ERROR)
    try:
        os.setsid()
        stream = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        for number, place in enumerate((os.open(os.devnull, os.O_RDONLY), stream, stream)):
            os.dup2(place, number)
        resource.setrlimit(resource.RLIMIT_DATA, (_MAX_BYTES, _MAX_BYTES))
        sys.dont_write_bytecode = not bytecode
        code = int(pytest.main([*_ARGUMENTS, *tests]))
        sys.stdout.flush()
    finally:
        os._exit(code)


def _wait(child: int, deadline: float) -> int | None:
    while time.monotonic() < deadline:
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            return os.waitstatus_to_exitcode(status)
        time.sleep(_PATIENCE)
    os.killpg(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return None


if __name__ == "__main__":
    main()
