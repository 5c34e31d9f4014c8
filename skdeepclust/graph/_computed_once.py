"""A property that is computed when it is first asked for, and kept."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, TypeVar, overload

__all__ = ["computed_once"]

Value = TypeVar("Value")


class computed_once(Generic[Value]):  # noqa: N801 - used as property is
    """As `functools.cached_property`, but without its lock.

    That one, which Python has up to 3.11, is a single lock for all objects: threads wait for each
    other, and a process that is forked meanwhile waits for ever. Threads that ask one object at
    once may compute the value twice here.

    Parameters
    ----------
    compute : callable
        Takes the object, and always gives the same value.
    """

    def __init__(self, compute: Callable[[Any], Value]) -> None:
        self._compute = compute
        self.__doc__ = compute.__doc__

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    @overload
    def __get__(self, instance: None, owner: type) -> computed_once[Value]: ...

    @overload
    def __get__(self, instance: object, owner: type) -> Value: ...

    def __get__(self, instance: object | None, owner: type) -> computed_once[Value] | Value:
        if instance is None:
            return self
        # What is in the dictionary of the object comes before this property from now on.
        return vars(instance).setdefault(self._name, self._compute(instance))
