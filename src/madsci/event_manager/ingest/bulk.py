"""From a body of many events to those that can be kept and those that cannot, line by line."""

from __future__ import annotations

import codecs
import itertools
import re
from collections.abc import Iterable
from typing import Final

import msgspec

from madsci.common.errors import InvalidInputError, MadsciError, MalformedJsonError, TooLargeError
from madsci.event_manager.ingest.intake import Accepted, Intake
from madsci.event_manager.ingest.scanning import MAX_VALUES, check_values, items_of
from madsci.event_manager.model.json_reading import as_utf8
from madsci.event_manager.model.stored_event import StoredEvent

MAX_NOTES: Final = 1000
"""Errors, and warnings, that a reply lists. All errors are counted."""


MAX_EVENTS: Final = 100_000
"""Events of one body. The smallest is two bytes of a body and some 500 in memory, and a body of more
would hold up the writer for seconds."""
_BATCH: Final = 128 * 1024
"""Bytes of lines that are decoded at once, so that others get on in between."""
_BATCH_LINES: Final = 2_000
"""Lines that are: decoding a batch holds Python's lock for a millisecond or two."""
_FEW_ITEMS: Final = 500_000
"""Items of an array that may be cut out at once; each takes some 75 bytes."""
_LINE: Final = re.compile(rb"\S[^\n]*")


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

    def check_count(self, to_come: int = 0) -> None:
        """Raise ``TooLargeError`` for more events than a body may have, counting those to come."""
        if len(self.events) + self.rejected + to_come > MAX_EVENTS:
            self.events.clear()  # here, since the thread that is told has no time for it
            raise TooLargeError(
                f"The body has more than {MAX_EVENTS:,} events, which is all that this server takes at"
                " once. Nothing of it was kept; send it in parts."
            )

    def _warn(self, line: int, accepted: Accepted) -> None:
        for sentence in accepted.repairs:
            if len(self.warnings) < MAX_NOTES:
                self.warnings.append(Remark(line, accepted.event.event_id, sentence))


def read_bulk(body: bytes, intake: Intake) -> BulkReading:
    """Read a JSON array of events, or newline-delimited JSON with one event a line.

    Which of the two is seen from the first character, so that a plain ``curl --data-binary`` works
    without a content type. Blank lines are skipped. Beside the body and the events, memory is taken for
    one event at a time.

    Raises:
        MalformedJsonError: the body is empty, or an array that is not JSON.
        TooLargeError: it has more events than one body may have.
    """
    body, repairs = as_utf8(body)
    body = body.removeprefix(codecs.BOM_UTF8)
    first = _LINE.search(body)
    if first is None:
        raise MalformedJsonError("The body is empty. Send a JSON array, or one JSON event a line.")
    is_array = body[first.start()] == ord("[")
    reading = _read_array(body, intake) if is_array else _read_lines(body, intake)
    if reading.events:  # said once, of all of them
        event_id = reading.events[0].event_id
        reading.warnings[:0] = [Remark(1, event_id, sentence) for sentence in repairs]
    return reading


def read_one(body: bytes, intake: Intake) -> Accepted:
    """Read a large body that is one event; raises what ``Intake.read`` raises."""
    intake.check_size(len(body))
    check_values(body)
    return intake.read(body)


def _read_lines(body: bytes, intake: Intake) -> BulkReading:
    reading = BulkReading()
    start, number = 0, 1
    while start < len(body):
        end = _end_of_batch(body, start)
        batch = body[start:end]
        events = intake.read_lines(batch) if len(batch) <= MAX_VALUES else None
        if events is not None:
            reading.events += events
        elif (spread := _read_line_by_line(batch, number, reading, body, intake)) is not None:
            return spread
        is_first = start == 0
        number += batch.count(b"\n")
        start = end
        # What is by far too much is refused before anything is made of it.
        reading.check_count(_lines_from(body, start) if is_first else 0)
    return reading


def _lines_from(body: bytes, start: int) -> int:
    """Count the lines that are not blank, up to one more than there may be."""
    if body.count(b"\n", start) < MAX_EVENTS:
        return 0
    return sum(1 for _ in itertools.islice(_LINE.finditer(body, start), MAX_EVENTS + 1))


def _end_of_batch(body: bytes, start: int) -> int:
    """Return the end of some lines: as many as make up a batch, but one at least."""
    end = start + _BATCH
    if len(body) <= end:
        end = len(body)
    else:
        end = body.rfind(b"\n", start, end) + 1 or body.find(b"\n", end) + 1 or len(body)
    while body.count(b"\n", start, end) > _BATCH_LINES:
        # Where the first half is one long line, that is the batch.
        end = body.rfind(b"\n", start, (start + end) // 2) + 1 or body.index(b"\n", start) + 1
    return end


def _read_line_by_line(
    batch: bytes, number: int, reading: BulkReading, body: bytes, intake: Intake
) -> BulkReading | None:
    """Read lines one by one; ``number`` is that of the first.

    Returns another reading if the body proves to be one event, printed over several lines. Then already
    the first line is no event, and where that is one, the body is not.
    """
    place = 0
    for line in _LINE.finditer(batch):
        number += batch.count(b"\n", place, line.start())
        place = line.start()
        try:
            reading.accept(number, read_one(line.group(), intake))
        except (InvalidInputError, TooLargeError) as error:
            is_first = not reading.events and not reading.rejected
            if is_first and (spread := _read_spread_event(body, intake)) is not None:
                return spread
            reading.reject(number, error)
            reading.check_count()
    return None


def _read_spread_event(body: bytes, intake: Intake) -> BulkReading | None:
    reading = BulkReading()
    try:
        reading.accept(1, read_one(body, intake))
    except (InvalidInputError, TooLargeError):
        return None
    return reading


def _read_array(body: bytes, intake: Intake) -> BulkReading:
    reading = BulkReading()
    for number, item in enumerate(_items(body), 1):
        try:
            reading.accept(number, read_one(item, intake))
        except MalformedJsonError as error:
            raise MalformedJsonError(
                f"Item {number} of the list: {error.message}", error.errors
            ) from error
        except (InvalidInputError, TooLargeError) as error:
            reading.reject(number, error)
        reading.check_count()
    return reading


_array_decoder = msgspec.json.Decoder(list[msgspec.Raw])


def _items(body: bytes) -> Iterable[bytes]:
    """Return the text of each item: all at once where they are few and sound, which is faster."""
    if body.count(b",") < _FEW_ITEMS:
        try:
            return map(bytes, _array_decoder.decode(body))
        except (msgspec.MsgspecError, RecursionError):
            pass
    return items_of(body)
