"""Progress is silent unless asked for, and then on standard error only."""

import sys

import pytest

from skdeepclust.training import epoch_progress


def run(verbose, total=20, n=None, **figures):
    with epoch_progress(total, verbose, "Fitting") as report:
        for _ in range(total if n is None else n):
            report({"objective": 1.25, "monitor": -2.75, "learning_rate": 0.1} | figures)


@pytest.fixture
def without_rich(monkeypatch):
    for name in ("rich", "rich.console", "rich.progress"):
        monkeypatch.setitem(sys.modules, name, None)


@pytest.mark.parametrize("verbose", [0, False])
def test_silent_by_default(verbose, capsys):
    with epoch_progress(3, verbose, "Fitting") as report:
        assert report is None
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize("verbose", [1, True, 2])
def test_with_rich_a_bar_on_standard_error(verbose, capsys):
    pytest.importorskip("rich")
    run(verbose)
    out, err = capsys.readouterr()
    assert out == ""
    assert "Fitting" in err
    assert "1.250" in err
    assert "100%" in err


def test_without_rich_about_ten_lines_on_standard_error(without_rich, capsys):
    run(1, validation_objective=1.5)
    out, err = capsys.readouterr()
    assert out == ""
    lines = err.splitlines()
    assert len(lines) == 10
    assert lines[0] == "Fitting 2/20 objective 1.250, validation_objective 1.500"
    assert lines[-1].startswith("Fitting 20/20")


@pytest.mark.parametrize(("total", "n_lines"), [(1, 1), (3, 3), (9, 9), (25, 13), (1000, 10)])
def test_without_rich_the_last_epoch_always_has_a_line(without_rich, capsys, total, n_lines):
    run(1, total)
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == n_lines
    assert lines[-1] == f"Fitting {total}/{total} objective 1.250"


def test_work_that_ends_early_ends_quietly(without_rich, capsys):
    run(1, total=100, n=5)
    assert capsys.readouterr() == ("", "")


def test_errors_pass_through(without_rich):
    with pytest.raises(KeyError), epoch_progress(3, 1, "Fitting"):
        raise KeyError
