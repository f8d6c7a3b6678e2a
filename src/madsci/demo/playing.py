"""Playing a simulated life through the client of programs into an Event Manager."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from madsci.client.event_client import EventClient
from madsci.common.stderr import write_line
from madsci.common.types.client_config import EventClientConfig
from madsci.common.types.event import Event
from madsci.common.types.log_level import EventLogLevel
from madsci.demo.disturbances import Delivery

Pace = Callable[[int], None]
"""Waits until it is time for what arrives at an instant (microseconds since 1970)."""

_SETTLED_EACH: Final = 10_000
"""Events that may wait in the client: a server that is slower than it is waited for."""
_LOOK: Final = 2.0
"""Seconds between two looks whether the server takes events still."""
PATIENCE: Final = 30.0
"""Seconds without any progress after which the server is given up."""


@dataclass(frozen=True)
class Played:
    """How many events were handed over, whether all are settled, and how many the server refused."""

    events: int
    is_delivered: bool
    rejected: int = 0
    trouble: str | None = None


@contextlib.contextmanager
def playing_client(url: str) -> Iterator[EventClient]:
    """Give a client that logs nowhere but to the server at ``url``.

    What waits for the server does so in a folder of its own. At the end that goes, or where something
    waits still, it is told.

    Raises:
        SettingsError: the address cannot be used.
    """
    folder = Path(tempfile.mkdtemp(prefix="madsci-demo-"))
    client: EventClient | None = None
    try:
        config = EventClientConfig(log_console_enabled=False, log_file_enabled=False)
        client = EventClient(
            config.replaced(
                name="demo",
                event_server_url=url,
                log_level=EventLogLevel.INFO,
                spool_dir=folder,
                spool_enabled=True,
            )
        )
        yield client
    finally:
        if client is not None:
            client.close()
        if client is None or client.flush(0):
            shutil.rmtree(folder, ignore_errors=True)
        else:
            write_line(f"Events that were not delivered are in {folder}.")


def at_once(_: int) -> None:
    """Wait for nothing: a pace as fast as it goes."""


def paced(first: int, last: int, speed: float) -> Pace:
    """Return a pace of ``speed`` seconds of the lab in a second, beginning now with ``first``.

    What arrives after ``last`` is not waited for any longer than that.
    """
    begun = time.monotonic()

    def wait(arrives: int) -> None:
        due = begun + (min(arrives, last) - first) / 1_000_000 / speed
        time.sleep(max(0.0, due - time.monotonic()))

    return wait


def play(
    deliveries: Iterable[Delivery],
    client: EventClient,
    pace: Pace = at_once,
    *,
    patience: float = PATIENCE,
) -> Played:
    """Log everything in the order of arrival, and wait until the server has it.

    Ends early when the server has taken nothing for ``patience`` seconds.
    """
    number = 0
    for number, delivery in enumerate(deliveries, 1):
        pace(delivery.arrives)
        client.log(Event(**delivery.happening.as_event()))
        if number % _SETTLED_EACH == 0 and not _settle(client, patience):
            return _played(client, number, is_delivered=False)
    return _played(client, number, is_delivered=_settle(client, patience))


def _settle(client: EventClient, patience: float) -> bool:
    """Wait until all is settled, for as long as the server settles any; tell whether it is."""
    waited, before = 0.0, -1
    look = min(_LOOK, patience)
    while not client.flush(look):
        stats = client.stats()
        waiting = 0 if stats is None else stats.queued
        waited = 0.0 if waiting != before else waited + look
        before = waiting
        if waited >= patience:
            return False
    return True


def _played(client: EventClient, number: int, *, is_delivered: bool) -> Played:
    stats = client.stats()
    if stats is None:
        return Played(number, is_delivered)
    return Played(number, is_delivered and not stats.lost, stats.rejected, stats.last_error)
