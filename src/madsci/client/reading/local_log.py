"""The local log as an answer: what the client has where there is no server to ask.

Files are read one after the other, the newest first, and never opened for writing: this works
after ``close``, too, and beside programs that write and rotate.
"""

from __future__ import annotations

import gzip
import os
import re
import zlib
from collections.abc import Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any, Final, NamedTuple

from madsci.client.reading.log_lines import MADE_ID, events_of_line
from madsci.client.writing import PACKED, backups
from madsci.common.clock import iso, to_us
from madsci.common.stderr import warn_locally
from madsci.common.types.event import Event

_MAX_LINE: Final = 64 * 1024 * 1024
"""Bytes of a line: four times the largest event that a server takes."""
_MAX_GAP: Final = 3
"""Numbers that no file has, after which none follows: amid a rotation there may be one such."""
_SLACK: Final = 60.0
"""Seconds by which the clock of a file server may differ from that of its clients."""
_PLAIN_ID: Final = re.compile(r"[A-Za-z0-9_.:-]+")
"""Ids that every writer of JSON writes alike."""
_ROOM: Final = 1000
"""Events beyond those asked for that are kept until it is seen which are the newest."""


class _File(NamedTuple):
    path: Path
    stream: Any
    changed: float


def read_log(path: Path | None) -> dict[str, Event]:
    """Return every event in the local log and its rotated files, in the order of writing."""
    parts = [{event.event_id: event for event in _events(file)} for file in _open_files(path)]
    events: dict[str, Event] = {}
    for part in reversed(parts):
        events.update(part)
    return events


def find_local(path: Path | None, event_id: str) -> Event | None:
    """Return an event of the local log as it was last written; newer files are searched first."""
    is_in_line = _PLAIN_ID.fullmatch(event_id) and not event_id.startswith(MADE_ID)
    needle = event_id.encode() if is_in_line else b""
    for file in _open_files(path):
        found = None
        for event in _events(file, needle):
            if event.event_id == event_id:
                found = event
        if found is not None:
            return found
    return None


def select_local(path: Path | None, number: int, params: Mapping[str, Any]) -> dict[str, Event]:
    """Answer ``get_events`` from the local log, with the parameters of the server's route.

    Files that were last written before the oldest event of a full answer are not read, so that in them
    an event is missed whose maker gave it a later time. No more events are kept than are asked for.
    """
    level = params.get("level", 0)
    start, end = params.get("start_time", ""), params.get("end_time", "~")
    first = params.get("offset", 0)
    last = first + number if number else None
    kept: dict[str, Event] = {}
    for file in _open_files(path):
        oldest = _oldest(kept, last) or start
        if iso(round((file.changed + _SLACK) * 1_000_000)) < oldest:
            continue
        found: dict[str, Event] = {}
        for event in _events(file):
            if event.log_level >= level and start <= iso(to_us(event.event_timestamp)) <= end:
                found[event.event_id] = event
                if last is not None and len(found) > 2 * last + _ROOM:
                    found = _newest(found, last)
            else:
                found.pop(event.event_id, None)  # written again with another level or time
        kept = _newest({**found, **kept}, last)
    return dict(islice(kept.items(), first, None))


def _newest(events: dict[str, Event], number: int | None) -> dict[str, Event]:
    ordered = sorted(
        events.values(), key=lambda event: (event.event_timestamp, event.event_id), reverse=True
    )
    return {event.event_id: event for event in ordered[:number]}


def _oldest(kept: dict[str, Event], number: int | None) -> str:
    """Return the time before which events no longer matter; an empty text while all do."""
    if number is None or len(kept) < number or not kept:
        return ""
    return iso(to_us(kept[next(reversed(kept))].event_timestamp))


def _open_files(path: Path | None) -> Iterator[_File]:
    """Yield the log and its rotated files, open, each once, the newest first.

    Those with numbers move up while one reads, so that whoever goes up meets every one, be it beyond
    the number that was the last. The plain one of a compressed file goes when that is there.
    """
    seen: set[tuple[int, int]] = set()
    for place in _places(path) if path is not None else ():
        for name in (place, place.with_name(place.name + PACKED)):
            file = _open(name, seen)
            if file is not None:
                try:
                    yield file
                finally:
                    file.stream.close()
                break


def _places(path: Path) -> Iterator[Path]:
    """Yield the log and the names of rotated files as if none was compressed, the newest first."""
    yield path
    path = path.resolve()
    try:
        found = backups(path, by_time=False)
    except OSError as error:
        warn_locally(f"The folder {path.parent} of log files cannot be read: {error}")
        return
    names = [one.path.with_suffix("") if one.is_packed else one.path for one in found]
    numbers = [one.number for one in found if one.number]
    yield from names[: len(numbers)]
    number, absent = max(numbers, default=0), 0
    while absent < _MAX_GAP:
        number += 1
        place = path.with_name(f"{path.name}.{number}")
        exists = place.exists() or place.with_name(place.name + PACKED).exists()
        absent = 0 if exists else absent + 1
        yield place
    yield from names[len(numbers) :]


def _open(path: Path, seen: set[tuple[int, int]]) -> _File | None:
    try:
        if not path.is_file():
            return None
        stream = path.open("rb")
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        warn_locally(f"The log file {path} cannot be read: {error}")
        return None
    status = os.fstat(stream.fileno())
    if (status.st_dev, status.st_ino) in seen:  # it has moved up
        stream.close()
        return None
    seen.add((status.st_dev, status.st_ino))
    return _File(path, stream, status.st_mtime)


def _events(file: _File, needle: bytes = b"") -> Iterator[Event]:
    """Yield the events of the lines that contain a text."""
    is_packed = file.path.suffix == PACKED
    stream = gzip.GzipFile(fileobj=file.stream) if is_packed else file.stream
    try:
        while line := stream.readline(_MAX_LINE):
            if len(line) == _MAX_LINE:
                while line and not line.endswith(b"\n"):
                    line = stream.readline(_MAX_LINE)
                warn_locally(f"A line of {file.path} is left out: it has over {_MAX_LINE} bytes.")
            elif needle in line:
                text = line.decode("utf-8", "backslashreplace").rstrip("\r\n")
                yield from events_of_line(text, file.changed)
    except (OSError, EOFError, zlib.error) as error:  # a torn archive
        warn_locally(f"The log file {file.path} cannot be read any further: {error}")
