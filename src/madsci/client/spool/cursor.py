"""What a lane remembers beside its segments: how far it is settled, what was lost and not told yet."""

from __future__ import annotations

from typing import Final, NamedTuple
from zlib import crc32

from madsci.client.spool.losses import Losses

CURSOR_BYTES: Final = 256
"""More than a cursor ever takes."""


class Cursor(NamedTuple):
    """Segments below ``number`` are settled, and ``offset`` bytes of that one; 0 for none."""

    number: int
    offset: int
    losses: Losses


def encode_cursor(cursor: Cursor) -> bytes:
    """Write a cursor as a line with a checksum."""
    lost = cursor.losses
    text = b"%06d %012d %d %d %d" % (
        cursor.number, cursor.offset, lost.count, lost.first_moment, lost.last_moment,
    )  # fmt: skip
    return b"%b %08x\n" % (text, crc32(text))


def decode_cursor(content: bytes) -> Cursor:
    """Read the first line; one that is missing or torn is as good as none: all is sent again."""
    text, _, checksum = content.partition(b"\n")[0].rpartition(b" ")
    try:
        number, offset, *lost = map(int, text.split())
        if int(checksum, 16) == crc32(text):
            return Cursor(number, offset, Losses(*lost))
    except (ValueError, TypeError):
        pass
    return Cursor(0, 0, Losses())
