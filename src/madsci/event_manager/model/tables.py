"""Small tables: what is kept beside the events, as documents with keys."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Final

from madsci.common.errors import InvalidInputError
from madsci.event_manager.model.feed import Position
from madsci.event_manager.model.stored_event import decode_json, encode_json

FOLLOWERS: Final = "followers"
"""The table of the positions of followers, by their names."""
FACTS: Final = "facts"
"""The table of facts about the lab, such as the ids of managers."""
DONE: Final = "done"
"""The table of the slots for which tasks were done last, by their names."""
MAX_VALUE: Final = 1_000_000
"""Bytes of a document: tables are for what was concluded from events, not for events."""
MAX_CHANGES: Final = 8_000_000
"""Bytes of what is changed at once: an engine may have to keep it as one document of its own."""
_AROUND: Final = 100
"""Bytes that a change takes beside its texts."""


class Way(Enum):
    """What a change does with a document; done again, it changes nothing."""

    PUT = "put"
    PUT_IF_ABSENT = "put_if_absent"
    DELETE = "delete"


@dataclass(frozen=True)
class Change:
    """A change of one document; ``value`` is JSON text, none of a deletion."""

    table: str
    key: str
    way: Way
    value: str | None = None


def put(table: str, key: str, value: str) -> Change:
    """Return the change that keeps a document, in the place of the one that is there."""
    return Change(table, key, Way.PUT, value)


def put_if_absent(table: str, key: str, value: str) -> Change:
    """Return the change that keeps a document unless there is one with its key."""
    return Change(table, key, Way.PUT_IF_ABSENT, value)


def delete(table: str, key: str) -> Change:
    """Return the change that removes a document, if it is there."""
    return Change(table, key, Way.DELETE)


@dataclass(frozen=True)
class Step:
    """That a follower has read from one position to another; the changes say what it concluded."""

    follower: str
    before: Position
    after: Position


def _size(changes: Sequence[Change]) -> int:
    """Return how many bytes changes take together."""
    texts = (part for one in changes for part in (one.table, one.key, one.value or ""))
    return sum(len(text.encode()) for text in texts) + _AROUND * len(changes)


def check_size(changes: Sequence[Change]) -> None:
    """Return if changes may be made at once.

    Raises:
        InvalidInputError: they are too large; says which.
    """
    for one in changes:
        if one.value is not None and len(one.value.encode()) > MAX_VALUE:
            raise InvalidInputError(
                f"The document {one.key[:80]!r} of the table {one.table[:80]} is larger than"
                f" {MAX_VALUE:,} bytes. Keep less in it, or several."
            )
    size = _size(changes)
    if size > MAX_CHANGES:
        raise InvalidInputError(
            f"{len(changes):,} changes of {size:,} bytes are more than {MAX_CHANGES:,} bytes at once."
            " Make fewer at a time."
        )


def kept_position(position: Position) -> str:
    """Return the document of the place to which a follower has read."""
    return encode_json({"position": str(position)})


def position_of(document: str) -> Position:
    """Return the place that such a document tells.

    Raises:
        InvalidInputError: it tells none.
    """
    return Position.parse(str(decode_json(document).get("position")))


def kept_fact(value: str) -> str:
    """Return the document of a fact about the lab."""
    return encode_json({"value": value})


def fact_of(document: str) -> str:
    """Return the fact that such a document tells."""
    return str(decode_json(document)["value"])


def kept_slot(slot: str) -> str:
    """Return the document of the slot for which a task was done."""
    return encode_json({"slot": slot})


def slot_of(document: str) -> str:
    """Return the slot that such a document tells."""
    return str(decode_json(document)["slot"])
