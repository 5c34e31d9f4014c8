"""Mutants that no test should notice: how they are listed, and where they are.

A place is the name of a constant of a module, whose value then may be any other, or a line as a
change leaves it; a statement that is left out is ``without`` and its first line. ``in NAME: `` in
front of a line means that function alone. Lines are listed one by one: that one change of a line
does not matter says nothing of the others. A place that is not there any more is an error, so
that the list cannot outlive the code.

Reasons begin with one of three words:

- same: no result changes, by more than rounding;
- cost: results are the same, for more or less time or memory;
- choice: results are others and as likely, such as a draw with the other sign.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Sequence
from itertools import accumulate
from operator import itemgetter
from pathlib import Path
from typing import Any, NamedTuple

from bench_unsupervised import markdown_table
from code_mutations import Mutation

__all__ = ["Equivalents", "equivalents_table", "find_equivalents", "reasons_of", "shown"]

# Bytes of a source from and up to.
Span = tuple[int, int]

_IN_FUNCTION = re.compile(r"(?:in (\w+): )?(.*)")


class Equivalents(NamedTuple):
    """Places of a module that share a reason.

    Attributes
    ----------
    path : str
        The module, from the root of the repository.
    reason : str
    places : tuple of str
        Names of constants, or lines as `shown` gives them.
    """

    path: str
    reason: str
    places: tuple[str, ...]


def shown(source: bytes, mutation: Mutation) -> str:
    """The line as the change leaves it, or what is left out."""
    place = mutation.line(source) - 1
    if mutation.kind == "statement":
        return f"without {source.decode().splitlines()[place].strip()}"
    return mutation.apply(source).decode().splitlines()[place].strip()


def reasons_of(
    root: Path,
    mutations: Sequence[tuple[str, Mutation]],
    folders: tuple[str, ...],
    listed: Iterable[Equivalents],
) -> dict[int, str]:
    """Why mutations are equivalent, by position.

    Parameters
    ----------
    root : Path
        Of the repository.
    mutations : sequence of (str, Mutation)
        All of some folders, with their files.
    folders : tuple of str
        From the root, with a slash at the end; what is listed of others is not looked at.
    listed : iterable of Equivalents
    """
    reasons: dict[int, str] = {}
    for equivalents in listed:
        if not equivalents.path.startswith(folders):
            continue
        own = [i for i, (path, _) in enumerate(mutations) if path == equivalents.path]
        if not own:
            raise SystemExit(f"There are no mutants of {equivalents.path}, which is listed.")
        source = (root / equivalents.path).read_bytes()
        for position in find_equivalents(source, [mutations[i][1] for i in own], equivalents):
            reasons[own[position]] = equivalents.reason
    return reasons


def equivalents_table(records: Iterable[dict[str, Any]]) -> str:
    """The mutants that were not tried, with the reasons."""
    rows = [
        [record["file"], f"`{record['change']}`".replace("|", "\\|"), record["reason"]]
        for record in sorted(records, key=itemgetter("mutant"))
    ]
    return markdown_table(["code", "change", "why nobody need notice it"], rows)


def find_equivalents(
    source: bytes, mutations: Sequence[Mutation], equivalents: Equivalents
) -> set[int]:
    """Positions of the mutations that are listed; SystemExit if a place is not there."""
    constants, functions = _constants(source), _functions(source)
    lines = [shown(source, mutation) for mutation in mutations]
    found: set[int] = set()
    for place in equivalents.places:
        function, line = _IN_FUNCTION.fullmatch(place).groups()  # type: ignore[union-attr]
        spans = functions.get(function, []) if function else [(0, len(source))]
        here = {
            i
            for i, mutation in enumerate(mutations)
            if (lines[i] == line and _inside(mutation, spans))
            or _inside(mutation, constants.get(place, []))
        }
        if not here:
            raise SystemExit(f"{equivalents.path} has no {place!r} any more, which is listed.")
        found |= here
    return found


def _inside(mutation: Mutation, spans: Iterable[Span]) -> bool:
    return any(start <= mutation.start < end for start, end in spans)


def _constants(source: bytes) -> dict[str, list[Span]]:
    """Where the constants of a module are set, by their names as they stand there."""
    found = {}
    for node in ast.parse(source).body:
        if isinstance(node, (ast.Assign, ast.AnnAssign)):
            target = node.targets[0] if isinstance(node, ast.Assign) else node.target
            found[ast.unparse(target).strip("()")] = [_span(source, node)]
    return found


def _functions(source: bytes) -> dict[str, list[Span]]:
    """Where the functions and methods of a name are."""
    found: dict[str, list[Span]] = {}
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef):
            found.setdefault(node.name, []).append(_span(source, node))
    return found


def _span(source: bytes, node: ast.stmt) -> Span:
    starts = [0, *accumulate(map(len, source.splitlines(keepends=True)))]
    start = starts[node.lineno - 1] + node.col_offset
    return start, starts[(node.end_lineno or 0) - 1] + (node.end_col_offset or 0)
