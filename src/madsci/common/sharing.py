"""What all clients of a process have in common: one sender per server, one open file per path.

Who uses a thing refers to it; when the last reference goes, so does the thing. There is nothing to
count, and nothing to do in a finalizer, which may run amid any other code and must wait for no lock.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable
from typing import Generic, Protocol, TypeVar
from weakref import WeakValueDictionary

from madsci.common.forking import reset_in_child


class Shareable(Protocol):
    """A thing that many may use."""

    def forget_parent(self) -> None:
        """Begin anew in a forked child, which has neither the threads nor the files of its parent."""
        ...


_Thing = TypeVar("_Thing", bound=Shareable)


class Shared(Generic[_Thing]):
    """Things by their keys, for as long as somebody refers to them. Thread-safe."""

    def __init__(self) -> None:
        self._things: WeakValueDictionary[Hashable, _Thing] = WeakValueDictionary()
        self._lock = threading.RLock()
        reset_in_child(self._forget_parent)

    def get(self, key: Hashable, make: Callable[[], _Thing]) -> _Thing:
        """Return the thing of a key, made by the first who asks; what ``make`` raises is raised."""
        thing = self._things.get(key)
        if thing is None:
            with self._lock:
                thing = self._things.get(key)
                if thing is None:
                    thing = self._things[key] = make()
        return thing

    def living(self) -> list[_Thing]:
        """Return all that somebody refers to."""
        return list(self._things.values())

    def _forget_parent(self) -> None:
        self._lock = threading.RLock()
        for thing in self.living():
            thing.forget_parent()
