"""Addresses of the server's own routes, to be followed from a message."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final
from urllib.parse import quote, urlencode

from madsci.common.clock import FIRST_US, LAST_US, iso

_BEFORE: Final = 3_600_000_000
_AFTER: Final = 60_000_000
"""Microseconds before and after an instant that are shown at most: an hour that led to it, and a minute
in which what it brought about arrives."""


@dataclass(frozen=True)
class Links:
    """Where people and programs find more. ``base`` is the URL at which they reach the server."""

    base: str

    def event(self, event_id: str) -> str:
        """Return the address of an event."""
        return self._of(f"event/{quote(event_id, safe='')}")

    def around(self, first_us: int, at_us: int) -> str:
        """Return the address of all events from an instant on until shortly after another one."""
        start = max(FIRST_US, min(first_us, at_us), at_us - _BEFORE)
        end = min(LAST_US, at_us + _AFTER)
        asked = {"start_time": iso(start), "end_time": iso(end), "number": 1000}
        return self._of(f"events?{urlencode(asked)}")

    def query(self) -> str:
        """Return where a selector is sent with POST."""
        return self._of("events/query")

    def alert(self, alert_id: str) -> str:
        """Return the address of an alert."""
        return self._of(f"alert/{quote(alert_id, safe='')}")

    def acknowledge(self) -> str:
        """Return where a POST says that somebody sees to an alert."""
        return self._of("alerts/acknowledge")

    def _of(self, path: str) -> str:
        return f"{self.base.rstrip('/')}/{path}"
