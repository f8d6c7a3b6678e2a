"""Events that the server itself has to tell: a backup was made, old events were archived."""

from __future__ import annotations

import asyncio
import concurrent.futures
import logging
from collections.abc import Sequence
from typing import Any, Final, NamedTuple, Protocol

import msgspec

from madsci.common.clock import Clock, now_us
from madsci.common.errors import MadsciError, OverloadedError, StoreError
from madsci.common.ids import new_ulid
from madsci.common.types.event_type import EventType
from madsci.common.types.log_level import EventLogLevel
from madsci.common.types.sender import sender_here
from madsci.event_manager.ingest.writer import Writer
from madsci.event_manager.model.sender import text_of_known
from madsci.event_manager.model.stored_event import StoredEvent, encode_json
from madsci.event_manager.stores.base import EventStore

_logger = logging.getLogger(__name__)

_PATIENCE: Final = 30.0
"""Seconds to wait for the writer: as long as stopping may take."""


class Recorder(Protocol):
    """Keeps events that the server has to tell; see ``OwnEvents``."""

    def record(self, event_type: EventType, level: EventLogLevel, message: str, **members: Any) -> None:
        """Keep an event, or log why not."""
        ...


class Teller(NamedTuple):
    """Whose events they are: the ids of their source, and the name of their sender."""

    source: dict[str, str]
    name: str


PROGRAM: Final = Teller({}, "EventManager")
"""Who tells where no server is at work, or none has a name yet."""


class OwnEvents:
    """Writes events of the server through its writer, as those of others. Thread-safe."""

    def __init__(self, writer: Writer, teller: Teller, clock: Clock = now_us) -> None:
        self._writer = writer
        self._teller = teller
        self._clock = clock

    def record(self, event_type: EventType, level: EventLogLevel, message: str, **members: Any) -> None:
        """Keep an event; where that cannot be done, the log says it instead.

        Blocks until it is kept, so it is called by threads other than that of the event loop.
        """
        try:
            self.keep(event_type, level, message, **members)
        except MadsciError as error:
            _logger.error("This could not be kept as an event (%s): %s", error.message, message)  # noqa: TRY400

    def keep(self, event_type: EventType, level: EventLogLevel, message: str, **members: Any) -> str:
        """Keep an event, and return its id once it is on disk. Blocks as ``record`` does.

        Raises:
            MadsciError: it could not be kept; says why.
        """
        event = own_event(self._clock(), self._teller, event_type, level, message, **members)
        _logger.log(int(level), message)
        try:
            self._writer.submit(event).result(_PATIENCE)
        except (concurrent.futures.TimeoutError, asyncio.CancelledError) as error:
            raise OverloadedError(
                f"The event was not written within {_PATIENCE:g} s. Try again later."
            ) from error
        return event.event_id

    def begin_alarm(self, message: str) -> concurrent.futures.Future[Any]:
        """Begin to keep an error with an alert; does not wait.

        Raises:
            MadsciError: it cannot be taken now.
        """
        kind, level = EventType.MANAGER_ERROR, EventLogLevel.ERROR
        event = own_event(self._clock(), self._teller, kind, level, message)
        return self._writer.submit(msgspec.structs.replace(event, alert=True))


def own_event(
    now: int,
    teller: Teller,
    event_type: EventType,
    level: EventLogLevel,
    message: str,
    /,
    **members: Any,
) -> StoredEvent:
    """Return an event that the program itself has to tell; ``now`` is microseconds since the epoch."""
    data = encode_json({"message": message, **members})
    sender = text_of_known(sender_here(teller.name))
    kind, number = event_type.value, int(level)
    return StoredEvent(new_ulid(), kind, number, False, now, now, teller.source, data, sender=sender)


def tell_of_troubles(store: EventStore) -> None:
    """Keep an event with an alert for each thing that a store found to be wrong when it was opened."""
    keep_alerts(store, store.troubles())


def keep_alerts(store: EventStore, sentences: Sequence[str]) -> None:
    """Keep an event with an alert for each sentence; where that cannot be done, the log says so."""
    events = [
        msgspec.structs.replace(
            own_event(now_us(), PROGRAM, EventType.LOG_ERROR, EventLogLevel.ERROR, sentence), alert=True
        )
        for sentence in sentences
    ]
    try:
        if events:
            store.append(events)
    except StoreError as error:
        _logger.error("This could not be kept as events: %s", error.message)  # noqa: TRY400
