"""For the tests of programs that log: see what would be sent, without a server and without mocks.

from madsci.client.testing import capture_events

with capture_events() as events:
    move_plate("P7")
assert events[0].event_data["plate"] == "P7"
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from madsci.client.delivery import SendReport
from madsci.client.spool import SpooledEvent
from madsci.client.writing import divert, end_diversion
from madsci.common.types.event import Event


@contextmanager
def capture_events() -> Iterator[list[Event]]:
    """Collect the events that any client in this process sends meanwhile, with or without a server.

    Nothing goes over the network; console and file are written as ever. Of nested captures the
    innermost one gets the events.
    """
    events: list[Event] = []

    def collect(body: bytes) -> None:
        events.append(Event.read(json.loads(body)))

    divert(collect)
    try:
        yield events
    finally:
        end_diversion(collect)


class RecordingTransport:
    """A server that takes everything and keeps it: ``EventClient(transport=RecordingTransport())``.

    Set ``reports`` to prescribe what the next calls report; when used up, all is well again.
    """

    def __init__(self) -> None:
        self.batches: list[list[Event]] = []
        self.reports: list[SendReport] = []
        self.is_closed = False
        self._lock = threading.Lock()

    @property
    def events(self) -> list[Event]:
        """All events that were taken, in the order of arrival."""
        with self._lock:
            return [event for batch in self.batches for event in batch]

    def send(self, events: Sequence[SpooledEvent], timeout: float | None = None) -> SendReport:  # noqa: ARG002
        """Keep the events that the prescribed report says are settled and not refused."""
        with self._lock:
            report = self.reports.pop(0) if self.reports else SendReport(len(events))
            refused = {rejection.index for rejection in report.rejected}
            self.batches.append(
                [
                    Event.read(json.loads(event.body))
                    for index, event in enumerate(events[: report.settled])
                    if index not in refused
                ]
            )
        return report

    def close(self) -> None:
        """Note that the sender let go."""
        self.is_closed = True
