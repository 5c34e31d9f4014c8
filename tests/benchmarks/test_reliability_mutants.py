"""Mutants of a toy package: which are found, and what becomes of them."""

import ast
import importlib
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

_PROGRAM = Path(__file__).parents[2] / "benchmarks" / "reliability_mutants.py"
# The first comparison is tested, the second not; without the last line the loop does not end.
_CODE = """\
def count(n):
    found = 0
    while n > 0:
        if n > 1000:
            found += 0.5
        found += 1
        n -= 1
    return found
"""
_TESTS = """\
from toy.part._module import count


def test_count():
    assert count(3) == 3
"""
_OTHER_TESTS = """\
import toy.part._module


def test_there_is_nothing_to_count():
    assert toy.part._module.count(0) == 0
"""


@pytest.fixture
def module(benchmark_path):
    return importlib.import_module("code_mutations")


@pytest.fixture
def program(benchmark_path):
    return importlib.import_module("reliability_mutants")


@pytest.fixture
def project(tmp_path):
    files = {
        "toy/__init__.py": "",
        "toy/part/__init__.py": "",
        "toy/part/_module.py": _CODE,
        "tests/part/test_module.py": _TESTS,
        "tests/part/test_another.py": _OTHER_TESTS,
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8")
    return tmp_path


def lines(module, source):
    """What each change makes of a source of one line, by kind."""
    source = source.encode()
    found = module.find_mutations(source)
    return [(mutation.kind, mutation.apply(source).decode().strip()) for mutation in found]


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("a < b", [("comparison", "a <= b"), ("comparison", "a >= b")]),
        ("a is  not b", [("comparison", "a is b")]),
        ("(a) not in (b)", [("comparison", "(a) in (b)")]),
        ("a < b == c", [("comparison", f"a {op} c") for op in ("<= b ==", ">= b ==", "< b !=")]),
        ("a // b", [("arithmetic", "a / b")]),
        ("(a # - \n - b)", [("arithmetic", "(a # - \n + b)")]),
        ("a and (b) and c", [("boolean", "(a or (b) or c)")]),
        ("x = -é", [("sign", "x = é")]),
        ("x = not (a)", [("sign", "x =  (a)")]),
        ("x = 1_000", [("constant", "x = 1001")]),
        ("x = True", [("constant", "x = False")]),
        ("x = 'λ', 0.5", [("constant", "x = 'λ', 1.5")]),
        ("a if b else c", [("condition", "a if not (b) else c")]),
        ("a if not b else c", [("sign", "a if  b else c")]),
        ("[a for a in b if c]", [("condition", "[a for a in b if not (c)]")]),
        ("zip(a, b, strict=True)", []),
        ("x: Literal[1] | int", []),
        ("assert a < 1", []),
        ("x = f'{a + 1}'", []),
        ("'text'", []),
        ("if TYPE_CHECKING: import a", []),
    ],
)
def test_changes_of_a_line(module, source, expected):
    assert lines(module, source) == expected


def test_statements_that_are_left_out_of_functions(module):
    source = b'''
@decorate(1)
def function(a, b: int = 2) -> int:
    """Text."""
    a = f(a)
    c = f(a)
    self.a = a
    c, d = a
    call()
    c += a
    if c:
        raise ValueError(a + 1)
    return c
'''
    found = module.find_mutations(source)
    left_out = [source[m.start : m.end] for m in found if m.kind == "statement"]
    assert left_out == [
        b"a = f(a)", b"self.a = a", b"call()", b"c += a", b"raise ValueError(a + 1)"
    ]  # fmt: skip
    others = [(m.kind, m.line(source), m.replacement) for m in found if m.kind != "statement"]
    assert others == [
        ("constant", 3, b"3"),
        ("arithmetic", 10, b"-="),
        ("condition", 11, b"not (c)"),
        ("return", 13, b"None"),
    ]


def test_changes_of_a_module_can_be_compiled_and_differ(module):
    source = _PROGRAM.with_name("mutant_server.py").read_bytes()
    texts = [mutation.apply(source) for mutation in module.find_mutations(source)]
    trees = {ast.dump(ast.parse(text)) for text in (source, *texts)}
    assert len(trees) == len(texts) + 1 > 20


def run(project, *options):
    files = ["--markdown", project / "table.md", "--json", project / "values.json"]
    layout = ["--root", project, "--package", "toy", "--packages", "part"]
    done = subprocess.run(
        [sys.executable, _PROGRAM, *options, *files, *layout, "--patience", "1", "--warm"],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )
    assert done.returncode in {0, 1}, done.stderr
    return done, json.loads((project / "values.json").read_text(encoding="utf-8"))["records"]


def number_of(program, project, change):
    """The mutant with a line."""
    found = program.find_mutants(project, "toy", ["part"])
    (number,) = (m.number for m in found if f"+{change}" in program.show_change(project, m))
    return number


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_killed_survived_and_timed_out(program, project, cells):
    changes = {
        "    found = 1": program.KILLED,
        "        if n >= 1000:": program.SURVIVED,
        "        n += 1": program.TIMED_OUT,
    }
    numbers = {number_of(program, project, change): changes[change] for change in changes}
    options = ("--jobs", "2", "--mutants", *map(str, numbers))
    done, records = run(project, *options)
    assert {record["mutant"]: record["outcome"] for record in records} == numbers
    assert done.returncode == 1  # 2 of 3 are too few
    table = [cells(line) for line in done.stdout.splitlines() if line.startswith("|")]
    assert table[0][2:7] == ["drawn", "killed", "timed out", "survived", "equivalent"]
    assert table[0][7:] == ["noticed of all", "noticed of the others"]
    assert table[-1][2:] == ["3", "1", "1", "1", "0", "66.7 %", "66.7 %"]
    assert [row[0] for row in table[2:]][-3:] == ["toy/part/_module.py", "toy/part/", "all"]
    assert "E   " in done.stderr  # what pytest says
    report = (project / "table.md").read_text(encoding="utf-8")
    assert "+        if n >= 1000:" in report
    assert "+    found = 1" not in report
    assert (project / "toy/part/_module.py").read_text(encoding="utf-8") == _CODE

    more = "\n\ndef test_boundary():\n    assert count(1000) == 1000\n"
    with (project / "tests/part/test_module.py").open("a", encoding="utf-8") as stream:
        stream.write(more)
    done, records = run(project, "--again", *options)
    assert done.returncode == 0
    outcomes = [program.KILLED, program.KILLED, program.TIMED_OUT]
    assert sorted(record["outcome"] for record in records) == outcomes


def test_own_tests_come_first(program, project):
    assert program.tests_of(project, "toy/part/_module.py") == (
        "tests/part/test_module.py", "tests/part/test_another.py"
    )  # fmt: skip
    with pytest.raises(SystemExit, match="toy/other/x.py has no tests"):
        program.tests_of(project, "toy/other/x.py")


def test_samples_are_drawn_from_the_seed(program):
    assert sorted(program.draw(20, 20, 0)) == list(range(20))
    assert program.draw(20, 30, 0)[:5] == program.draw(20, 5, 0) != program.draw(20, 5, 1)


def test_records_of_other_code_are_refused(program, project):
    found = program.find_mutants(project, "toy", ["part"])
    record = {
        "mutant": 0,
        "outcome": program.KILLED,
        "diff": program.show_change(project, found[0]),
    }
    (project / "values.json").write_text(json.dumps({"records": [record]}), encoding="utf-8")
    arguments = ["--again", "--json", str(project / "values.json"), "--root", str(project)]
    options = program.parse_options(arguments)
    assert program._records_of(options, found) == {0: record}
    (project / "toy/part/_module.py").write_text(_CODE.replace("n > 0", "n >= 1"), encoding="utf-8")
    changed = program.find_mutants(project, "toy", ["part"])
    with pytest.raises(SystemExit, match="is about other code"):
        program._records_of(options, changed)


def test_no_modules_are_refused(program, project):
    with pytest.raises(SystemExit, match="No modules in"):
        program.find_mutants(project, "toy", ["none"])


def test_programs_say_which_equivalents_they_leave_out(program, project, tmp_path, capsys):
    found = program.find_mutants(project, "toy", ["part"])
    records = [
        {"mutant": 2, "outcome": program.EQUIVALENT, "change": "a | b", "reason": "same: c"},
        {"mutant": 3, "outcome": program.EQUIVALENT, "change": "a - b", "reason": "cost: d"},
        {"mutant": 0, "outcome": program.KILLED},
        {"mutant": 1, "outcome": program.SURVIVED, "diff": "a diff"},
    ]
    records = [{"file": "toy/part/_module.py", **record} for record in records]
    options = program.parse_options(["--markdown", str(tmp_path / "report.md")])
    assert program.publish(records, found, options) == 1  # one of two
    assert "| 4 | 1 | 0 | 1 | 2 | 25.0 % | 50.0 % |" in capsys.readouterr().out
    report = (tmp_path / "report.md").read_text(encoding="utf-8")
    assert r"| toy/part/_module.py | `a \| b` | same: c |" in report
    assert "`a - b` | cost: d |" in report


def test_equivalents_are_not_tried(program, project, monkeypatch):
    """Nor are they looked for where no mutants are made."""
    equivalents = importlib.import_module("equivalent_mutants")
    places = ("if n > 1001:", "without found += 0.5")
    listed = [
        equivalents.Equivalents("toy/part/_module.py", "same: a reason", places),
        equivalents.Equivalents("toy/another/_module.py", "same: a reason", ("nothing",)),
    ]
    monkeypatch.setattr(program, "EQUIVALENTS", listed)
    monkeypatch.setattr(program, "_time_limits", lambda *arguments: {})
    monkeypatch.setattr(program, "_keep_going", lambda seconds: lambda: True)
    judged = []

    def judge(place, mutant, limits):
        judged.append(mutant.number)
        return {"mutant": mutant.number, "file": mutant.path, "outcome": program.KILLED}

    monkeypatch.setattr(program.Workplace, "judge", judge)
    files = ["--root", str(project), "--json", str(project / "values.json")]
    arguments = [*files, "--package", "toy", "--packages", "part", "--warm"]
    monkeypatch.setattr("sys.argv", ["reliability_mutants.py", *arguments])
    assert program.main() == 0
    records = json.loads((project / "values.json").read_text(encoding="utf-8"))["records"]
    left_out = [record for record in records if record["outcome"] == program.EQUIVALENT]
    assert sorted(record["change"] for record in left_out) == sorted(places)
    assert {record["reason"] for record in left_out} == {"same: a reason"}
    numbers = range(len(program.find_mutants(project, "toy", ["part"])))
    assert sorted([*judged, *(record["mutant"] for record in left_out)]) == list(numbers)

    # Whoever asks for one by its number has it tried.
    asked = []
    monkeypatch.setattr(program, "run_mutants", lambda *arguments: asked.append(arguments) or [])
    number = left_out[0]["mutant"]
    monkeypatch.setattr(
        "sys.argv", ["reliability_mutants.py", *arguments, "--mutants", str(number)]
    )
    program.main()
    ((mutants, _, skipped),) = asked
    assert ([mutant.number for mutant in mutants], skipped) == ([number], {})


_PLACES = b"""\
_A, _B = 1, 2

def first(c):
    c = 3
    return c - 4

def second(c):
    c = 3
    return c - 4
"""


@pytest.mark.parametrize(
    ("place", "expected"),
    [
        ("_A, _B", ["_A, _B = 2, 2", "_A, _B = 1, 3"]),
        ("_A, _B = 1, 3", ["_A, _B = 1, 3"]),
        ("return c - 5", ["return c - 5"] * 2),
        ("in second: return c - 5", ["return c - 5"]),
        ("without c = 3", ["without c = 3"] * 2),
        ("in first: without c = 3", ["without c = 3"]),
    ],
)
def test_places_of_equivalents(module, place, expected):
    equivalents = importlib.import_module("equivalent_mutants")
    mutations = module.find_mutations(_PLACES)
    listed = equivalents.Equivalents("file", "a reason", (place,))
    found = sorted(equivalents.find_equivalents(_PLACES, mutations, listed))
    assert [equivalents.shown(_PLACES, mutations[i]) for i in found] == expected
    own = {"first": range(3, 6), "second": range(7, 10)}.get(place[3:].partition(":")[0])
    if own:
        assert {mutations[i].line(_PLACES) in own for i in found} == {True}


@pytest.mark.parametrize(
    "place", ["_A", "c", "return c - 4", "in third: return c - 5", "without return c - 4"]
)
def test_places_that_are_not_there_any_more_are_errors(module, place):
    equivalents = importlib.import_module("equivalent_mutants")
    listed = equivalents.Equivalents("file", "a reason", (place,))
    with pytest.raises(SystemExit, match="any more"):
        equivalents.find_equivalents(_PLACES, module.find_mutations(_PLACES), listed)
    elsewhere = equivalents.Equivalents("folder/other.py", "a reason", (place,))
    with pytest.raises(SystemExit, match="no mutants of folder/other.py"):
        equivalents.reasons_of(Path(), [], ("folder/",), [elsewhere])
