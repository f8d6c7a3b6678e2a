"""What connections have brought so far: it decides which of those that wait makes room for another."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum, auto
from typing import Any, Final


class Standing(Enum):
    """What a connection has brought, in the order in which they make room."""

    NEW = auto()
    """No request yet."""
    ASKER = auto()
    """Requests, but no events."""
    SENDER = auto()
    """Events. It sends more, most likely, and has to open another connection if this one is closed."""


_SHARES: Final = {Standing.NEW: 0.25, Standing.ASKER: 0.25, Standing.SENDER: 0.5}
"""Of all places, which connections of another standing cannot take from those of this one."""


class Waiting:
    """Connections that wait for their next request, each standing in the order in which they began to.

    While those of one standing hold more than their share of ``places``, one of them makes room: many
    that were used once do not keep out who is new. Else only new ones make room for each other: a flood
    of them closes no others.
    """

    def __init__(self, places: int) -> None:
        self._lines: Final[Mapping[Standing, dict[Any, None]]] = {one: {} for one in Standing}
        self._shares: Final = {one: int(share * places) for one, share in _SHARES.items()}

    def add(self, connection: Any) -> None:
        """Put one at the end of its line."""
        self._lines[connection.standing][connection] = None

    def discard(self, connection: Any) -> None:
        """Take one out, if it is there; its standing has to be what it was."""
        self._lines[connection.standing].pop(connection, None)

    def first(self) -> Any | None:
        """Return the one that makes room, the longest idle of its standing, if one has to."""
        for standing, line in self._lines.items():
            if len(line) > self._shares[standing] and (one := _longest_idle(line)) is not None:
                return one
        return _longest_idle(self._lines[Standing.NEW])


def _longest_idle(line: dict[Any, None]) -> Any | None:
    """Return the first whose last reply has been taken by its reader."""
    return next((one for one in line if one.is_waiting), None)
