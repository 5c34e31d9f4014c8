"""Small changes of Python code that the tests of it ought to notice.

Kinds of changes: a comparison moved by its boundary or turned round, an arithmetic operator
replaced, ``and`` and ``or`` exchanged, a number increased by one or a truth value turned round, a
sign or ``not`` left out, a condition negated, None returned, a statement left out.

Left alone are annotations, decorators, texts, assertions and ``strict=`` of zip (they say what is
true anyway), what an exception says, and statements without which a name would not exist: every
test notices that.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Sequence
from itertools import accumulate
from typing import NamedTuple

__all__ = ["Mutation", "find_mutations"]

_COMPARISONS: dict[type[ast.cmpop], tuple[str, Sequence[str]]] = {
    ast.Lt: ("<", ("<=", ">=")),
    ast.LtE: ("<=", ("<", ">")),
    ast.Gt: (">", (">=", "<=")),
    ast.GtE: (">=", (">", "<")),
    ast.Eq: ("==", ("!=",)),
    ast.NotEq: ("!=", ("==",)),
    ast.Is: ("is", ("is not",)),
    ast.IsNot: (r"is\s+not", ("is",)),
    ast.In: ("in", ("not in",)),
    ast.NotIn: (r"not\s+in", ("in",)),
}
_ARITHMETIC: dict[type[ast.operator], tuple[str, str]] = {
    ast.Add: ("+", "-"),
    ast.Sub: ("-", "+"),
    ast.Mult: ("*", "/"),
    ast.Div: ("/", "*"),
    ast.FloorDiv: ("//", "/"),
    ast.Mod: ("%", "*"),
    ast.Pow: ("**", "*"),
    ast.BitAnd: ("&", "|"),
    ast.BitOr: ("|", "&"),
    ast.BitXor: ("^", "&"),
    ast.LShift: ("<<", ">>"),
    ast.RShift: (">>", "<<"),
}


class Mutation(NamedTuple):
    """One change of a source.

    Attributes
    ----------
    kind : str
        What is changed.
    start, end : int
        The bytes that go.
    replacement : bytes
        What comes in their place.
    """

    kind: str
    start: int
    end: int
    replacement: bytes

    def apply(self, source: bytes) -> bytes:
        """The changed source."""
        return source[: self.start] + self.replacement + source[self.end :]

    def line(self, source: bytes) -> int:
        """Number of the line, from 1, where the change begins."""
        return source.count(b"\n", 0, self.start) + 1


def find_mutations(source: bytes) -> list[Mutation]:
    """All changes of a source, in its order; no two give the same, none gives the source."""
    tree = ast.parse(source)
    finder = _Finder(source)
    finder.visit(tree)
    seen, distinct = {ast.dump(tree)}, []
    for mutation in sorted(finder.found, key=lambda found: (found.start, found.end)):
        changed = ast.dump(ast.parse(mutation.apply(source)))
        if changed not in seen:
            seen.add(changed)
            distinct.append(mutation)
    return distinct


class _Finder(ast.NodeVisitor):
    """Collects the changes of a tree; knows which names are bound already."""

    def __init__(self, source: bytes) -> None:
        self._source = source
        self._lines = list(accumulate(map(len, source.splitlines(keepends=True)), initial=0))
        self._bound: set[str] | None = None  # outside of functions nothing is left out
        self.found: list[Mutation] = []

    def _span(self, node: ast.expr | ast.stmt) -> tuple[int, int]:
        last_line, last_column = node.end_lineno or 0, node.end_col_offset or 0
        start = self._lines[node.lineno - 1] + node.col_offset
        return start, self._lines[last_line - 1] + last_column

    def _between(self, left: ast.expr, right: ast.expr, pattern: str) -> tuple[int, int]:
        """Where an operator stands between its operands: not in a comment."""
        start, end = self._span(left)[1], self._span(right)[0]
        for match in re.finditer(rb"#[^\n]*|(" + pattern.encode() + rb")", self._source[start:end]):
            if match.group(1):
                return start + match.start(), start + match.end()
        raise AssertionError(f"no {pattern} in {self._source[start:end]!r}")

    def _add(self, kind: str, span: tuple[int, int], replacement: str | bytes) -> None:
        text = replacement.encode() if isinstance(replacement, str) else replacement
        self.found.append(Mutation(kind, *span, text))

    def _leave_out(self, statement: ast.stmt) -> None:
        if self._bound is not None:
            self._add("statement", self._span(statement), "pass")

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        """Go through defaults and body; decorators and annotations stay."""
        arguments = node.args
        for default in (*arguments.defaults, *filter(None, arguments.kw_defaults)):
            self.visit(default)
        outside = self._bound
        extra = filter(None, (arguments.vararg, arguments.kwarg))
        named = (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs, *extra)
        self._bound = {argument.arg for argument in named}
        for statement in node.body:
            self.visit(statement)
        self._bound = outside

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        """Go through the body alone."""
        outside, self._bound = self._bound, None
        for statement in node.body:
            self.visit(statement)
        self._bound = outside

    def visit_Name(self, node: ast.Name) -> None:
        """Note names that exist from here on."""
        if self._bound is not None and isinstance(node.ctx, ast.Store):
            self._bound.add(node.id)

    def visit_JoinedStr(self, node: ast.JoinedStr) -> None:
        """Texts stay; what is in them has no place of its own in older versions of Python."""

    def visit_Assert(self, node: ast.Assert) -> None:
        """Assertions stay."""

    def visit_Raise(self, node: ast.Raise) -> None:
        """Leave the whole statement out; what the exception says stays."""
        self._leave_out(node)

    def visit_Expr(self, node: ast.Expr) -> None:
        """Leave a call out."""
        if not isinstance(node.value, ast.Constant):
            self._leave_out(node)
        self.generic_visit(node)

    def visit_Delete(self, node: ast.Delete) -> None:
        """Leave it out."""
        self._leave_out(node)

    def visit_Continue(self, node: ast.Continue) -> None:
        """Leave it out."""
        self._leave_out(node)

    def visit_Break(self, node: ast.Break) -> None:
        """Leave it out."""
        self._leave_out(node)

    def visit_Assign(self, node: ast.Assign) -> None:
        """Leave it out, unless it makes a name."""
        stored = {
            name.id
            for target in node.targets
            for name in ast.walk(target)
            if isinstance(name, ast.Name) and isinstance(name.ctx, ast.Store)
        }
        if self._bound is not None and stored <= self._bound:
            self._leave_out(node)
        self.generic_visit(node)

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        """Go through the value alone."""
        self.visit(node.target)
        if node.value is not None:
            self.visit(node.value)

    def visit_AugAssign(self, node: ast.AugAssign) -> None:
        """Leave it out, or replace its operator."""
        self._leave_out(node)
        if type(node.op) in _ARITHMETIC:
            token, other = _ARITHMETIC[type(node.op)]
            span = self._between(node.target, node.value, re.escape(f"{token}="))
            self._add("arithmetic", span, f"{other}=")
        self.generic_visit(node)

    def visit_Return(self, node: ast.Return) -> None:
        """Return None."""
        if node.value is not None:
            self._add("return", self._span(node.value), "None")
            self.visit(node.value)

    def visit_BinOp(self, node: ast.BinOp) -> None:
        """Replace the operator."""
        if type(node.op) in _ARITHMETIC:
            token, other = _ARITHMETIC[type(node.op)]
            self._add("arithmetic", self._between(node.left, node.right, re.escape(token)), other)
        self.generic_visit(node)

    def visit_Compare(self, node: ast.Compare) -> None:
        """Move a boundary, or turn a comparison round."""
        operands = [node.left, *node.comparators]
        for left, operator, right in zip(operands[:-1], node.ops, operands[1:], strict=True):
            token, others = _COMPARISONS[type(operator)]
            for other in others:
                self._add("comparison", self._between(left, right, token), other)
        self.generic_visit(node)

    def visit_BoolOp(self, node: ast.BoolOp) -> None:
        """Exchange ``and`` and ``or``."""
        token, other = ("and", b"or") if isinstance(node.op, ast.And) else ("or", b"and")
        start, end = self._span(node)
        text, place = b"(", start
        for left, right in zip(node.values[:-1], node.values[1:], strict=True):
            first, last = self._between(left, right, token)
            text, place = text + self._source[place:first] + other, last
        self._add("boolean", (start, end), text + self._source[place:end] + b")")
        self.generic_visit(node)

    def visit_UnaryOp(self, node: ast.UnaryOp) -> None:
        """Leave the sign, or ``not``, out."""
        start, _ = self._span(node)
        length = len("not") if isinstance(node.op, ast.Not) else 1
        self._add("sign", (start, start + length), "")
        self.generic_visit(node)

    def visit_keyword(self, node: ast.keyword) -> None:
        """``strict=`` stays."""
        if node.arg != "strict":
            self.visit(node.value)

    def visit_Constant(self, node: ast.Constant) -> None:
        """One more, or the other truth value."""
        if isinstance(node.value, bool):
            self._add("constant", self._span(node), str(not node.value))
        elif isinstance(node.value, (int, float)):
            self._add("constant", self._span(node), repr(node.value + 1))

    def visit_If(self, node: ast.If) -> None:
        """Negate the condition."""
        if isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
            return
        self._negate(node.test)
        self.generic_visit(node)

    def visit_While(self, node: ast.While) -> None:
        """Negate the condition."""
        self._negate(node.test)
        self.generic_visit(node)

    def visit_IfExp(self, node: ast.IfExp) -> None:
        """Negate the condition."""
        self._negate(node.test)
        self.generic_visit(node)

    def visit_comprehension(self, node: ast.comprehension) -> None:
        """Negate the conditions."""
        for test in node.ifs:
            self._negate(test)
        self.generic_visit(node)

    def _negate(self, test: ast.expr) -> None:
        # A comparison alone, and "not", are turned round where they are visited.
        if isinstance(test, ast.Compare) and len(test.ops) == 1:
            return
        if isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not):
            return
        start, end = self._span(test)
        self._add("condition", (start, end), b"not (" + self._source[start:end] + b")")
