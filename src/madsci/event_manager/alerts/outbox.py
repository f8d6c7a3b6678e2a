"""What waits to be sent over one channel, as it stands in the store, and how it leaves it."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator
from typing import Final

import msgspec

from madsci.common.errors import InvalidInputError
from madsci.common.telling import Teller
from madsci.event_manager.alerts.delivery import Delivery, State, encode_delivery
from madsci.event_manager.alerts.notice import (
    DELIVERIES,
    OUTBOX,
    Notice,
    decode_notice,
    encode_notice,
)
from madsci.event_manager.model.tables import delete, put, put_if_absent
from madsci.event_manager.stores.base import Tables

_logger = logging.getLogger(__name__)

_PAGE: Final = 1_000
_LONGEST_TITLE: Final = 200
_LONGEST_REASON: Final = 1_000
"""Characters of what is kept of a notice that is too large for the log of deliveries."""


class Outbox:
    """The notices of one channel. For one thread; every call may raise ``StoreError``."""

    def __init__(self, store: Tables, channel: str) -> None:
        self._store = store
        self._channel = channel
        self._teller = Teller(_logger)

    def waiting(self) -> Iterator[Notice]:
        """Yield what waits, in the order in which it was decided, a page of the table at a time."""
        for key, document in rows(self._store, OUTBOX):
            try:
                notice = decode_notice(document)
            except msgspec.MsgspecError as error:  # of a later release: its server may be back soon
                self._teller.tell(f"The notice {key!r:.200} of an alert cannot be read: {error}")
                continue
            if notice.channel == self._channel:
                yield notice

    def is_settled(self, notice: Notice) -> bool:
        """Tell whether it was sent or given up before; then it is removed.

        Such a one is there where a step of the alerts was made again after a crash.
        """
        if self._store.read(DELIVERIES, notice.key) is None:
            return False
        self._store.apply([delete(OUTBOX, notice.key)])
        return True

    def put_back(self, notice: Notice) -> None:
        """Keep how it stands with a notice now."""
        with contextlib.suppress(InvalidInputError):  # its detail is too much: it stays as it was
            self._store.apply([put(OUTBOX, notice.key, encode_notice(notice))])

    def settle(self, done: Delivery) -> None:
        """Keep what became of a notice, which then waits no longer. Done again, it changes nothing.

        That it was delivered is kept also where another server has given it up, and not the other way
        round.
        """
        try:
            self._settle(done)
        except InvalidInputError:  # the notice was as large as a document may be
            self._settle(_abridged(done))

    def _settle(self, done: Delivery) -> None:
        way = put if done.state is State.DELIVERED else put_if_absent
        kept = way(DELIVERIES, done.key, encode_delivery(done))
        self._store.apply([kept, delete(OUTBOX, done.key)])


def rows(store: Tables, table: str) -> Iterator[tuple[str, str]]:
    """Yield all documents of a table with their keys, in the order of the keys.

    They are read a page at a time, so that whoever removes them meanwhile misses none.
    """
    after: str | None = None
    while True:
        page = store.scan(table, after=after, limit=_PAGE)
        yield from page
        if len(page) < _PAGE:
            return
        after = page[-1][0]


def _abridged(done: Delivery) -> Delivery:
    title, reason = done.subject.title[:_LONGEST_TITLE], done.subject.reason[:_LONGEST_REASON]
    subject = msgspec.structs.replace(done.subject, title=title, reason=reason, group={})
    return msgspec.structs.replace(done, subject=subject)
