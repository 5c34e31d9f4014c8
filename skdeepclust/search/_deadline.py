"""How much is left of the time that work may take."""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, TypeVar

__all__ = ["Deadline"]

T = TypeVar("T")


@dataclass(frozen=True)
class Deadline:
    """A moment by which work should be done, and which it looks at between its steps.

    Without a limit the clock is not looked at.

    Attributes
    ----------
    moment : float
        On the clock of `time.monotonic`; infinite where time is not limited.
    """

    moment: float = math.inf

    @classmethod
    def after(cls, seconds: float | None) -> Deadline:
        """So many seconds from now; None: never."""
        return cls() if seconds is None else cls(time.monotonic() + seconds)

    @classmethod
    def at(cls, moment: float) -> Deadline:
        """A moment on the clock of `time.time`, which all machines share."""
        return cls(time.monotonic() + moment - time.time())

    def __reduce__(self) -> tuple[Any, ...]:
        """For other processes, perhaps on other machines."""
        return (Deadline.at, (time.time() + self.left,)) if self.is_set else (Deadline, ())

    def __deepcopy__(self, memo: dict[int, Any]) -> Deadline:
        """The deadline itself, which nobody changes."""
        return self

    @property
    def is_set(self) -> bool:
        """Whether time is limited."""
        return math.isfinite(self.moment)

    @property
    def left(self) -> float:
        """Seconds until then, below 0 afterwards."""
        return self.moment - time.monotonic() if self.is_set else math.inf

    def allows(self, seconds: float = 0.0) -> bool:
        """Whether more than so many seconds are left."""
        return self.left > seconds

    def earlier(self, seconds: float) -> Deadline:
        """The moment so many seconds before."""
        return Deadline(self.moment - seconds)

    def share(self, part: float) -> Deadline:
        """The moment at which a part of what is left now will have passed."""
        return Deadline(time.monotonic() + part * self.left) if self.is_set else self

    def limit(self, items: Iterable[T]) -> Iterator[T]:
        """The first of some items, and further ones as long as there is time.

        Items that are made one after the other are not made in vain.
        """
        for item in items:
            yield item
            if not self.allows():
                return
