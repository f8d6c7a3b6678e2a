"""The lines of a live stream: bytes in pieces of any size → what the server says, a thing a line.

Newline-delimited JSON and not server-sent events: the same in content, and each line stands for itself.
Lines of kinds that a later release may add are passed over.
"""

from __future__ import annotations

import json
from typing import Any, Final, NamedTuple

from madsci.common.stderr import warn_locally

MAX_LINE: Final = 64_000_000
"""Bytes of a line at most: an event has up to 16 MB by default, and escapes make it longer."""


class Happening(NamedTuple):
    """An event, as JSON data, and the position behind it."""

    position: str
    document: dict[str, Any]


class Standing(NamedTuple):
    """How far the stream is, whether history is over, and how many entries before it were deleted."""

    position: str
    is_live: bool
    missed: int


class Ending(NamedTuple):
    """The server's last word before it closes the connection."""

    position: str
    reason: str


Line = Happening | Standing | Ending


class LineReader:
    """Puts together the lines of one reply. For one thread."""

    def __init__(self, max_line: int = MAX_LINE) -> None:
        self._max = max_line
        self._begun = bytearray()
        self._is_too_long = False

    def read(self, piece: bytes) -> list[Line]:
        """Return the lines that end in a piece. Those that cannot be read are told and left out."""
        *whole, rest = piece.split(b"\n")
        found = []
        for part in whole:
            self._add(part)
            line = self._ended()
            if line is not None:
                found.append(line)
        self._add(rest)
        return found

    def _add(self, part: bytes) -> None:
        if len(self._begun) + len(part) > self._max:
            self._begun.clear()
            self._is_too_long = True
        if not self._is_too_long:
            self._begun += part

    def _ended(self) -> Line | None:
        text, self._begun = bytes(self._begun).strip(), bytearray()
        if self._is_too_long:
            self._is_too_long = False
            warn_locally(
                f"A line of the live stream has more than {self._max:,} bytes and is left out."
            )
            return None
        return _read_line(text) if text else None


def _read_line(text: bytes) -> Line | None:
    try:
        return _meaning(json.loads(text))
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        warn_locally(f"A line of the live stream cannot be read ({error!r:.80}): {text[:80]!r}")
        return None


def _meaning(said: dict[str, Any]) -> Line | None:
    position = said["position"]
    if not isinstance(position, str):
        raise TypeError("its position is no text")
    if "event" in said:
        document = said["event"]
        if not isinstance(document, dict):
            raise TypeError("its event is no object")
        return Happening(position, document)
    if "is_live" in said:
        return Standing(position, bool(said["is_live"]), int(said.get("missed") or 0))
    if "end" in said:
        return Ending(position, str(said["end"]))
    return None
