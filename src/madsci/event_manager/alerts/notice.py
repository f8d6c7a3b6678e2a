"""What is to be told to one person about an alert, and where it waits until it was."""

from __future__ import annotations

from enum import Enum
from typing import Any, Final

import msgspec

from madsci.event_manager.model.stored_event import decode_json, encode_json

OUTBOX: Final = "outbox"
"""The table of what waits to be sent, by key; keys are in the order in which it was decided."""
DELIVERIES: Final = "deliveries"
"""The table of what became of it, under the same keys."""


class Occasion(str, Enum):
    """Why somebody is told."""

    OPENED = "opened"
    AGAIN = "again"
    """It is still open: what came since the last time."""
    RESOLVED = "resolved"
    DRILL = "drill"
    """Nothing happened; somebody wants to see whether it arrives."""


class Subject(msgspec.Struct, frozen=True):
    """The alert as it was when this was decided. Times are microseconds since the Unix epoch."""

    alert_id: str
    rule: str
    severity: int
    """A log level."""
    title: str
    """In a line: what happened, and where."""
    reason: str
    """A sentence: why the rule fired, with the figures that it went by."""
    group: dict[str, Any]
    """What its events have in common, by path: ``{"source.node_id": "…"}``."""
    opened_at: int
    count: int = 1
    """Events of it until then."""
    event_id: str | None = None
    """The event that shows it best, if it is about one."""
    resolved_at: int | None = None
    acknowledged_by: str | None = None


class Notice(msgspec.Struct, frozen=True):
    """What is to be told over a channel to one recipient; waits in the outbox under its key.

    The key is made of what caused it, so that it is the same however often it is concluded or sent.
    """

    key: str
    occasion: Occasion
    channel: str
    recipient: str
    subject: Subject
    made_at: int
    since_last: int = 0
    """Events of the alert since people were told of it the last time."""
    not_before: int = 0
    """Until when it waits. After a try, when there is another one, for people: who sends counts pauses
    by a clock that nobody sets."""
    tries: int = 0
    detail: str | None = None
    """Why it could not be sent, the last time."""


def encode_notice(notice: Notice) -> str:
    """Return a notice as the document that is kept."""
    return encode_json(notice)


def decode_notice(document: str) -> Notice:
    """Return the notice that a document tells."""
    return msgspec.convert(decode_json(document), Notice)
