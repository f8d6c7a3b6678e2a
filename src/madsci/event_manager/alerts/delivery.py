"""What became of a notice, and when it is tried again."""

from __future__ import annotations

import hashlib
from enum import Enum
from typing import Final

import msgspec

from madsci.event_manager.alerts.notice import Notice, Occasion, Subject
from madsci.event_manager.model.stored_event import decode_json, encode_json

_FIRST_PAUSE: Final = 1.0
_LONGEST_PAUSE: Final = 900.0
"""Seconds until a try is repeated; they double from the first to the longest."""
GIVEN_UP_AFTER: Final = 3 * 86_400_000_000
"""Microseconds after which nobody is told any more: a weekend without a mail server, and a day."""


class State(str, Enum):
    """How a delivery ended."""

    DELIVERED = "delivered"
    GIVEN_UP = "given_up"


class Delivery(msgspec.Struct, frozen=True):
    """A notice that is not tried any more, and why; ``ended_at`` is microseconds since 1970."""

    key: str
    occasion: Occasion
    channel: str
    recipient: str
    subject: Subject
    made_at: int
    state: State
    tries: int
    ended_at: int
    detail: str | None = None

    @classmethod
    def of(cls, notice: Notice, state: State, ended_at: int, detail: str | None = None) -> Delivery:
        """Return what became of a notice, which has been tried as often as it says."""
        return cls(
            notice.key, notice.occasion, notice.channel, notice.recipient, notice.subject,
            notice.made_at, state, notice.tries, ended_at, detail,
        )  # fmt: skip


def encode_delivery(delivery: Delivery) -> str:
    """Return a delivery as the document that is kept."""
    return encode_json(delivery)


def decode_delivery(document: str) -> Delivery:
    """Return the delivery that a document tells."""
    return msgspec.convert(decode_json(document), Delivery)


def pause(key: str, tries: int) -> float:
    """Return for how many seconds to leave off after so many tries.

    It is up to a fifth longer, by the key, so that what failed together is not tried together.
    """
    usual = min(_LONGEST_PAUSE, _FIRST_PAUSE * 2.0 ** min(tries, 20))
    share = hashlib.blake2b(key.encode(), digest_size=2).digest()
    return usual * (1 + int.from_bytes(share, "big") / 65_535 / 5)
