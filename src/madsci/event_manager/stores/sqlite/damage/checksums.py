"""The checksum of an event's row, which tells what was written from what was damaged since.

Of what never changes in a row, its number included, a CRC-32 is taken over the MessagePack of the
values in the order of ``columns.LASTING``: lengths and types are in it, so that no two rows have the
same bytes. JSON counts as text, as it was sent to the engine and comes back from ``json(...)``. What
does change (``alert``, ``archived``, ``archived_at``) lies unmixed in the bits above, so that an UPDATE
puts its own bits in their place without reading the row. The whole is a positive number of 63 bits.

A column that was added later counts where something stands in it, so that the checksums of rows that
were written before are right.

CRC-32 finds every damage within 32 bits, and all but one of four thousand million others
(https://www.zlib.net/manual.html#Checksum; MessagePack: https://github.com/msgpack/msgpack/blob/master/spec.md).
"""

from __future__ import annotations

from typing import Any, Final
from zlib import crc32

import msgspec

_ALERT: Final = 1 << 32
_ARCHIVED: Final = 1 << 33
_TIME_BITS: Final = 34
"""Where the bits of ``archived_at`` begin."""
_TIMES: Final = 2**29 - 3
"""A prime, so that no change of a few bits of a time leaves its remainder as it was."""

RAISED: Final = f"checksum | {_ALERT}"
"""SQL: the checksum of a row whose alert was raised; NULL stays NULL."""
ARCHIVED: Final = f"(checksum & {_ARCHIVED - 1}) | ?"
"""SQL: the checksum of a row that was archived; to be bound with its ``changing_bits``."""

_encode = msgspec.msgpack.Encoder().encode


def checksum_of(lasting: tuple[Any, ...]) -> int:
    """Return the lower 32 bits, those of the values of ``columns.LASTING``."""
    return crc32(_encode(lasting if lasting[-1] is not None else lasting[:-1]))


def changing_bits(*, alert: bool, archived: bool, archived_at: int | None) -> int:
    """Return the bits above, those of what may change; 0 for what most events are when they come."""
    time = 0 if archived_at is None else archived_at % _TIMES + 1
    return (_ALERT if alert else 0) | (_ARCHIVED if archived else 0) | time << _TIME_BITS


def is_of(checksum: int, lasting: tuple[Any, ...], alert: Any, archived: Any, archived_at: Any) -> bool:
    """Tell whether a checksum is that of the values of a row, which may be of any types."""
    try:
        bits = checksum ^ checksum_of(lasting)
        if not bits:
            return bool(alert == archived == 0) and archived_at is None
        return (
            alert in (0, 1)
            and archived in (0, 1)
            and bits == changing_bits(alert=alert, archived=archived, archived_at=archived_at)
        )
    except (TypeError, OverflowError):  # a text in the place of a time
        return False
