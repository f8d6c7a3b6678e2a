"""An Event Manager with three durable followers that write down all that they see, each for itself."""

from __future__ import annotations

import logging
import sys
import zlib
from collections.abc import Callable, Sequence

from madsci.common.types.manager_settings import EventManagerSettings
from madsci.event_manager.event_server import EventManager
from madsci.event_manager.feed.follower import Conclusion, Kept
from madsci.event_manager.model.feed import Entry
from madsci.event_manager.model.stored_event import decode_json, encode_json
from madsci.event_manager.model.tables import put

NAMES = ("first", "second", "faltering")
_LINES = "lines"
"""Table of how many lines each of them has written."""
_FALTERS_AT = 5_000
"""The faltering one raises at one of so many events."""


class Scribe:
    """Writes a line for each step: the places that it saw, and what was there."""

    def __init__(self, name: str) -> None:
        self.name = name

    def conclude(self, entries: Sequence[Entry], kept: Kept, now: int) -> Conclusion:
        del now
        if not entries:
            return Conclusion()
        count = int(decode_json(kept.read(_LINES, self.name) or '{"count":0}')["count"])
        line = [[one.lane, one.number, one.event.event_id, one.is_raised_alert] for one in entries]
        return Conclusion(
            [
                put(seen_by(self.name), f"{count:09d}", encode_json({"seen": line})),
                put(_LINES, self.name, encode_json({"count": count + 1})),
            ]
        )


class FalteringScribe(Scribe):
    """Raises at certain events the first time that it sees them, as what asks others may."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self._met: set[str] = set()

    def conclude(self, entries: Sequence[Entry], kept: Kept, now: int) -> Conclusion:
        hard = {one.event.event_id for one in entries if is_hard(one.event.event_id)}
        if hard - self._met:
            self._met |= hard
            raise RuntimeError("It did not answer.")
        return super().conclude(entries, kept, now)


def is_hard(event_id: str) -> bool:
    """Tell whether the faltering one raises at an event."""
    return zlib.crc32(event_id.encode()) % _FALTERS_AT == 0


def seen_by(name: str) -> str:
    """Return the table in which a follower has written what it saw."""
    return f"seen_by_{name}"


def read_lines(
    scan: Callable[[str, str, str | None, int], list[tuple[str, str]]], name: str
) -> list[tuple[str, int, str]]:
    """Return what a follower saw, in its order: lane, number and id, with a sign for raised alerts."""
    found: list[tuple[str, int, str]] = []
    after: str | None = None
    while lines := scan(seen_by(name), "", after, 200):
        after = lines[-1][0]
        for _, line in lines:
            for lane, number, event_id, is_raised in decode_json(line)["seen"]:
                found.append((lane, number, event_id + "!" * is_raised))
    return found


if __name__ == "__main__":
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr)
    EventManager(
        EventManagerSettings(), [Scribe(NAMES[0]), Scribe(NAMES[1]), FalteringScribe(NAMES[2])]
    ).run_server()
