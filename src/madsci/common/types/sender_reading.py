"""Reading who sent an event from whatever stands there.

Apart from ``sender``, whose model needs a library that takes as long to load as everything else that a
process for questions needs.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

LONGEST_NAME: Final = 255
"""Characters of a name or a host: as many as an id, and DNS allows 253."""
LARGEST_PROCESS: Final = 2**32 - 1
"""Windows counts processes in 32 bits, Linux in 22."""
MEMBERS: Final = ("name", "host", "process")


def read_sender(value: Any) -> tuple[dict[str, Any], Any]:
    """Return what a value says of a sender, and what is left of it, ``None`` for nothing.

    A text is a name. Left is what has no place: other members, texts that are too long, numbers that no
    process has.
    """
    if value is None or value == "":
        return {}, None
    if isinstance(value, str):
        return ({"name": value}, None) if len(value) <= LONGEST_NAME else ({}, value)
    if not isinstance(value, Mapping):
        return {}, value
    known = {name: read for name in MEMBERS if (read := read_member(name, value.get(name))) is not None}
    left = {
        name: member
        for name, member in value.items()
        if name not in known and member is not None and member != ""
    }
    return known, left or None


def read_member(name: str, value: Any) -> str | int | None:
    """Return what a value is as a member of a sender; ``None`` where it cannot be."""
    if name != "process":
        return value if isinstance(value, str) and 0 < len(value) <= LONGEST_NAME else None
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= LONGEST_NAME:
        value = int(value)
    return value if type(value) is int and 0 <= value <= LARGEST_PROCESS else None


def cut_name(name: str) -> str:
    """Return a name that an event can hold: cut, and with visible escapes for halves of characters."""
    return name[:LONGEST_NAME].encode("utf-8", "backslashreplace").decode()[:LONGEST_NAME]
