"""What people do about alerts: documents that wait, and events that say when they take effect.

An act is kept first, under a key that nobody else knows, and then told as an event that names the key.
So it is in the record, in the order of the feed, and on whichever server follows; and an event that
somebody sends in its likeness finds no act.
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import Enum
from typing import Final

import msgspec

from madsci.event_manager.alerts.desk import Desk
from madsci.event_manager.model.stored_event import StoredEvent, decode_json, encode_json

ACTS: Final = "alert_acts"
MEMBER: Final = "alert_act"
"""The member of an event's data that names the key."""
_SIGN: Final = f'"{MEMBER}":'


class Deed(str, Enum):
    """What is done."""

    ACKNOWLEDGE = "acknowledge"
    SNOOZE = "snooze"
    RESOLVE = "resolve"


class Act(msgspec.Struct, frozen=True):
    """What somebody did about an alert, and when; times are microseconds since 1970."""

    deed: Deed
    alert_id: str
    by: str
    at: int
    note: str | None = None
    until: int | None = None


def encode_act(act: Act) -> str:
    """Return an act as the document that is kept."""
    return encode_json(act)


def read_act(document: str) -> Act:
    """Return the act that a document tells."""
    return msgspec.convert(decode_json(document), Act)


def acts_in(event: StoredEvent, desk: Desk) -> Iterator[Act]:
    """Yield the act that an event tells of, if it is one that was kept; it is removed."""
    if _SIGN not in event.event_data:
        return
    data = decode_json(event.event_data)
    key = data.get(MEMBER) if isinstance(data, dict) else None
    if not isinstance(key, str):
        return
    document = desk.take(ACTS, key)
    if document is not None:
        yield read_act(document)
