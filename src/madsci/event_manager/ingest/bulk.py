"""From a body of many events to those that can be kept and those that cannot, line by line."""

from __future__ import annotations

import codecs
from collections.abc import Iterator
from typing import Any, Final

import msgspec

from madsci.common.errors import InvalidInputError, MadsciError, MalformedJsonError, TooLargeError
from madsci.event_manager.ingest.intake import Accepted, Intake
from madsci.event_manager.model.json_reading import as_utf8, read_damaged_list
from madsci.event_manager.model.stored_event import StoredEvent

MAX_NOTES: Final = 1000
"""Errors, and warnings, that a reply lists. All errors are counted."""


class Rejection(msgspec.Struct):
    """An event of the body that was not kept, and why. ``line`` counts from 1."""

    line: int
    event_id: str | None
    status: int
    code: str
    detail: str


class Remark(msgspec.Struct):
    """An event of the body that was kept after a repair, or that was said in other words than ours."""

    line: int
    event_id: str
    detail: str


class BulkReading(msgspec.Struct):
    """What a body held. ``events`` are in its order."""

    events: list[StoredEvent] = msgspec.field(default_factory=list)
    errors: list[Rejection] = msgspec.field(default_factory=list)
    warnings: list[Remark] = msgspec.field(default_factory=list)
    rejected: int = 0

    def reject(self, line: int, error: MadsciError, event_id: str | None = None) -> None:
        """Note an event that cannot be kept."""
        self.rejected += 1
        if len(self.errors) < MAX_NOTES:
            status = 413 if isinstance(error, TooLargeError) else 422
            self.errors.append(Rejection(line, event_id, status, error.code, error.message))

    def accept(self, line: int, accepted: Accepted) -> None:
        """Take an event, and note its repairs."""
        self.events.append(accepted.event)
        if accepted.repairs:
            self._warn(line, accepted)

    def _warn(self, line: int, accepted: Accepted) -> None:
        for sentence in accepted.repairs:
            if len(self.warnings) < MAX_NOTES:
                self.warnings.append(Remark(line, accepted.event.event_id, sentence))


def read_bulk(body: bytes, intake: Intake) -> BulkReading:
    """Read a JSON array of events, or newline-delimited JSON with one event a line.

    Which of the two is seen from the first character, so that a plain ``curl --data-binary`` works
    without a content type. Blank lines are skipped.

    Raises:
        MalformedJsonError: the body is empty, or an array that is not JSON.
    """
    body, repairs = as_utf8(body)
    body = body.removeprefix(codecs.BOM_UTF8)
    start = body.lstrip()[:1]
    if not start:
        raise MalformedJsonError("The body is empty. Send a JSON array, or one JSON event a line.")
    reading = _read_array(body, intake) if start == b"[" else _read_lines(body, intake)
    if reading.events:  # said once, of all of them
        first = reading.events[0].event_id
        reading.warnings[:0] = [Remark(1, first, sentence) for sentence in repairs]
    return reading


def _read_lines(body: bytes, intake: Intake) -> BulkReading:
    events = intake.read_lines(body)
    if events is not None:
        return BulkReading(events)
    reading = BulkReading()
    for number, line in enumerate(body.split(b"\n"), 1):
        if not line or line.isspace():
            continue
        try:
            reading.accept(number, intake.read(line))
        except (InvalidInputError, TooLargeError) as error:
            reading.reject(number, error)
    if reading.rejected:
        # Perhaps the body is one event, printed over several lines; two lines of events never are.
        return _read_spread_event(body, intake) or reading
    return reading


def _read_spread_event(body: bytes, intake: Intake) -> BulkReading | None:
    reading = BulkReading()
    try:
        reading.accept(1, intake.read(body))
    except (InvalidInputError, TooLargeError):
        return None
    return reading


def _read_array(body: bytes, intake: Intake) -> BulkReading:
    reading = BulkReading()
    for number, item, repairs in _items(body):
        try:
            accepted = (
                intake.read(bytes(item))
                if isinstance(item, msgspec.Raw)
                else intake.read_document(item, repairs)
            )
            reading.accept(number, accepted)
        except (InvalidInputError, TooLargeError) as error:
            reading.reject(number, error)
    return reading


_array_decoder = msgspec.json.Decoder(list[msgspec.Raw])


def _items(body: bytes) -> Iterator[tuple[int, Any, list[str]]]:
    try:
        items = _array_decoder.decode(body)
    except (msgspec.MsgspecError, RecursionError):
        for number, (item, repairs) in enumerate(read_damaged_list(body), 1):
            yield number, item, repairs
        return
    for number, item in enumerate(items, 1):
        yield number, item, []
