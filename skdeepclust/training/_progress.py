"""Progress of long work, shown only on demand."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

__all__ = ["epoch_progress"]

Report = Callable[[Mapping[str, float]], None]


@contextmanager
def epoch_progress(total: int, verbose: int, description: str) -> Iterator[Report | None]:
    """A function to be called with the figures of each epoch, or None when quiet.

    With rich installed it moves a bar on standard error, otherwise it writes a line for
    about every tenth of the work.
    """
    if not verbose:
        yield None
        return
    try:
        from rich.console import Console
        from rich.progress import Progress
    except ImportError:
        yield _line_writer(total, description)
        return
    with Progress(console=Console(stderr=True)) as bars:
        task = bars.add_task(description, total=total)

        def report(figures: Mapping[str, float]) -> None:
            bars.update(task, advance=1, description=f"{description} {_summary(figures)}")

        yield report


def _line_writer(total: int, description: str) -> Report:
    epochs = 0

    def report(figures: Mapping[str, float]) -> None:
        nonlocal epochs
        epochs += 1
        if epochs == total or epochs % max(1, total // 10) == 0:
            sys.stderr.write(f"{description} {epochs}/{total} {_summary(figures)}\n")

    return report


def _summary(figures: Mapping[str, float]) -> str:
    names = ("objective", "validation_objective", "loss")
    return ", ".join(f"{name} {figures[name]:.3f}" for name in names if name in figures)
