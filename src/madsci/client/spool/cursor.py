"""What a lane remembers beside its segments: how far it goes, how far it is settled, what was lost."""

from __future__ import annotations

from typing import Final, NamedTuple
from zlib import crc32

from madsci.client.spool.losses import Losses

CURSOR_BYTES: Final = 256
"""More than a cursor ever takes."""


class Cursor(NamedTuple):
    """Segments below ``number`` are settled, and ``offset`` bytes of that one; 0 for none.

    ``settled`` and ``written`` are the positions of the last event that is settled and of the newest
    one; ``gone`` of those between them were counted as lost, as ``losses`` or told to the server.
    """

    number: int
    offset: int
    settled: int
    written: int
    gone: int
    losses: Losses


def encode_cursor(cursor: Cursor) -> bytes:
    """Write a cursor as a line with a checksum."""
    *numbers, lost = cursor
    values = (*numbers, lost.count, lost.first_moment, lost.last_moment)
    text = b"%06d %012d %d %d %d %d %d %d" % values
    return b"%b %08x\n" % (text, crc32(text))


def decode_cursor(content: bytes) -> Cursor | None:
    """Read the first line; ``None`` for one that is missing or damaged."""
    text, _, checksum = content.partition(b"\n")[0].rpartition(b" ")
    try:
        number, offset, settled, written, gone, *lost = map(int, text.split())
        if int(checksum, 16) == crc32(text):
            return Cursor(number, offset, settled, written, gone, Losses(*lost))
    except (ValueError, TypeError):
        pass
    return None


def later(one: Cursor | None, other: Cursor | None) -> Cursor | None:
    """Return the later of two copies: either may be damaged, or come out of a backup."""
    known = [cursor for cursor in (one, other) if cursor is not None]
    return max(known, key=lambda cursor: (cursor.settled, cursor.written), default=None)
