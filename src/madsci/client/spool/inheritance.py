"""What the files of a process that has ended should hold, and what they do.

Each line has its number, so what is missing before a line shows when it is read. How many events a
segment should hold to its end says the first number of the next one; for the newest, the process said
how far it had come.
"""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import NamedTuple

from madsci.client.spool.cursor import Cursor
from madsci.client.spool.segments import Segment, parse_file_name
from madsci.common.own_file import NotAFileError


class Inheritance(NamedTuple):
    """The segments of a lane in their order, those that are settled, and the last position of all.

    Of the events that should wait, ``gone`` were counted as lost by the process itself; ``missing`` are
    so many for which there is no file at all.
    """

    segments: list[Segment]
    settled: list[Segment]
    last_position: int
    gone: int
    missing: int


def take_over(directory: Path, token: str, cursor: Cursor | None, written: int) -> Inheritance:
    """Find the segments of a lane, and what each should hold.

    Without a cursor, nothing is known to be settled, and nothing is taken to be missing before the
    first event that is there. ``written`` is how far the process had come, at least.

    Raises:
        OSError: a file cannot be read.
    """
    first, offset = (cursor.number, cursor.offset) if cursor else (0, 0)
    found: list[Segment] = []
    settled: list[Segment] = []
    for path, number in segments_of(directory, token):
        # Somebody put a link, a pipe or a device there, or deletes it just now.
        with contextlib.suppress(NotAFileError, FileNotFoundError):
            segment = Segment.existing(path, number, offset if number == first else 0)
            (settled if number < first else found).append(segment)
    position = _beginning(found, cursor)
    for place, segment in enumerate(found):
        segment.base = position
        following = found[place + 1].first_number if place + 1 < len(found) else 0
        # Where the next one is unreadable, too, what is missing between is missing there.
        end = following - 1 if following else segment.last_position()
        if place + 1 == len(found):
            end = max(end, written)
        segment.count = max(end - position, 0)
        position += segment.count
    last = max(position, written)
    gone = cursor.gone if cursor else 0
    if found or cursor is None:
        return Inheritance(found, settled, last, min(gone, sum(one.count for one in found)), 0)
    return Inheritance(found, settled, last, 0, max(last - cursor.settled - gone, 0))


def segments_of(directory: Path, token: str) -> list[tuple[Path, int]]:
    """List the segments of a lane on disk in their order."""
    found = []
    for path in directory.iterdir():
        parsed = parse_file_name(path.name)
        if parsed and parsed[0] == token:
            found.append((path, parsed[1]))
    return sorted(found, key=lambda pair: pair[1])


def _beginning(found: list[Segment], cursor: Cursor | None) -> int:
    """Return the position before the first event that is not settled, or is sent again."""
    first = next((one.first_number for one in found if one.first_number), 0)
    if cursor is None:
        return max(first - 1, 0)
    is_from_start = bool(found) and not found[0].offset
    return min(cursor.settled, first - 1) if is_from_start and first else cursor.settled
