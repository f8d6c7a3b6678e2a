"""How an event stands in a file: a line that can be read with any editor, and that shows damage.

::

    9ae0daaf 17 644d4a5b1c2d3 {"event_id":"01J...","event_type":"log_info",...}
    │        │  │             └ the event as it is sent
    │        │  └ when it was logged: microseconds since the Unix epoch, hexadecimal
    │        └ its number in the lane: so many were logged up to it, at least
    └ CRC-32 of the event, with its number as the initial value

Whoever finds the line 17 behind the line 14 knows that two are missing. Of lines that signal handlers
write amid each other's, two may have one number; no number is higher than the count of what was logged.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise
from typing import Final, NamedTuple
from zlib import crc32

OVERHEAD: Final = 8 + 1 + 19 + 1 + 16 + 1 + 1
"""Bytes of a line beside the event, at most."""
_HEAD: Final = re.compile(rb'[0-9a-f]{8} [0-9]{1,19} [0-9a-f]{1,16} (?=\{")')
"""The beginning of a line. None can stand in an event: in a text of JSON, quotes have a backslash."""


def encode_line(body: bytes, number: int, moment: int) -> bytes:
    """Frame an event. Line breaks, which in JSON mean nothing between values, become spaces."""
    if b"\n" in body:
        body = body.replace(b"\n", b" ")
    return b"%08x %d %x %b\n" % (crc32(body, number), number, moment, body)


class Line(NamedTuple):
    """What was read: where the next begins, and the event, ``None`` for bytes that are damaged.

    ``is_open`` says that no line break ends the damaged bytes: they may be a line that was never
    completely written.
    """

    end: int
    body: bytes | None
    number: int
    moment: int
    raw: bytes
    is_open: bool = False


def decode_line(raw: bytes, begin: int, *, is_open: bool = False) -> Iterator[Line]:
    """Read a line without its line break, which begins at an offset.

    It is one event, as a rule. Where damage took line breaks away, or a cut line was written on, whole
    events are found between what is damaged.
    """
    end = begin + len(raw) + (not is_open)
    line = _decode(raw, end)
    if line is not None:
        yield line
        return
    starts = [found.start() for found in _HEAD.finditer(raw)]
    damaged_from = 0
    for start, following in pairwise([*starts, len(raw)]):
        line = _decode_piece(raw[start:following], begin + following if following < len(raw) else end)
        if line is None:
            continue
        yield from _damaged(raw[damaged_from:start], begin + start)
        yield line
        damaged_from = following
    yield from _damaged(raw[damaged_from:], end, is_open=is_open)


def _decode(raw: bytes, end: int) -> Line | None:
    try:
        checksum, number, moment, body = raw.split(b" ", 3)
        if int(checksum, 16) != crc32(body, int(number)):
            return None
    except ValueError:
        return None
    try:
        return Line(end, body, int(number), int(moment, 16), raw)
    except ValueError:  # the event is more than its time
        return Line(end, body, int(number), 0, raw)


def _decode_piece(raw: bytes, end: int) -> Line | None:
    """Read a line of which the line break may be another byte, or zeros."""
    for piece in (raw, raw[:-1], raw.rstrip(b"\0")):
        line = _decode(piece, end)
        if line is not None:
            return line
    return None


def _damaged(raw: bytes, end: int, *, is_open: bool = False) -> Iterator[Line]:
    if raw.strip(b"\0"):  # zeros tell nobody anything
        yield Line(end, None, 0, 0, raw, is_open)
