"""Import: events from a file of lines, to the server in batches."""

from __future__ import annotations

import codecs
import io
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from gzip import BadGzipFile, GzipFile
from http import HTTPStatus
from os import PathLike
from pathlib import Path
from typing import Any, BinaryIO, Final, NoReturn, cast

from madsci.client.delivery import Reply
from madsci.client.reading.asking import Asker
from madsci.client.reading.progress import progress_bar
from madsci.common.errors import InvalidInputError, ServerRefusedError, ServerUnreachableError

MAX_LINES: Final = 1_000
"""Events sent in one request; as many refusals a reply lists, so that none goes untold."""
MAX_BYTES: Final = 8_000_000
"""Bytes sent in one request, and of one line at most."""
MAX_ERRORS: Final = 10_000
"""Refused lines that a report lists: a file that is no events at all must not fill the memory."""
_ROUTE: Final = "events/import"
_GZIP: Final = b"\x1f\x8b"
_TOO_LARGE: Final = int(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
_ANSWERED: Final = (HTTPStatus.OK, HTTPStatus.UNPROCESSABLE_ENTITY)


@dataclass(frozen=True)
class LineError:
    """A line of the file (from 1) that was not kept: HTTP status, stable code, a sentence."""

    line: int
    event_id: str | None
    status: int
    code: str
    detail: str


@dataclass
class ImportReport:
    """What became of the lines of a file; ``duplicate`` are those that the server had already.

    ``errors`` lists the refused lines, ``errors_omitted`` counts those that it has no room for.
    """

    received: int = 0
    stored: int = 0
    duplicate: int = 0
    rejected: int = 0
    errors: list[LineError] = field(default_factory=list)
    errors_omitted: int = 0

    def refuse(self, error: LineError) -> None:
        """List a refused line, which is counted elsewhere."""
        if len(self.errors) < MAX_ERRORS:
            self.errors.append(error)
        else:
            self.errors_omitted += 1


@dataclass
class _Batch:
    """Lines that go together, and where in the file each of them stands."""

    lines: list[bytes] = field(default_factory=list)
    numbers: list[int] = field(default_factory=list)
    size: int = 0

    def add(self, number: int, line: bytes) -> None:
        self.lines.append(line)
        self.numbers.append(number)
        self.size += len(line) + 1

    def has_room(self, line: bytes) -> bool:
        return len(self.lines) < MAX_LINES and self.size + len(line) < MAX_BYTES

    def halves(self) -> tuple[_Batch, _Batch]:
        middle = len(self.lines) // 2
        first = _Batch(self.lines[:middle], self.numbers[:middle])
        return first, _Batch(self.lines[middle:], self.numbers[middle:])


@dataclass
class Import:
    """One import. ``timeout`` (in seconds) holds for each batch, with its repetitions."""

    asker: Asker
    timeout: float | None
    report: ImportReport = field(default_factory=ImportReport)

    def run(self, source: str | PathLike[str] | BinaryIO, *, progress: bool | None) -> ImportReport:
        """Send the events of a file, one a line, packed with gzip or not.

        Raises:
            ServerUnreachableError: the server does not answer in time.
            ServerRefusedError: the server answers with an error about more than single lines.
            InvalidInputError: the file is gzip, and damaged.
            TypeError: it is neither a path nor open for reading bytes.
            OSError: the file cannot be read.
        """
        with _opened(source) as (file, size), _unpacked(file) as (lines, is_packed):
            total = None if is_packed else size
            with progress_bar("Import", "B", total, shown=progress) as bar:
                for batch in self._batches(lines):
                    self._send(batch)
                    bar.update(batch.size)
        return self.report

    def _batches(self, file: io.BufferedIOBase) -> Iterator[_Batch]:
        batch = _Batch()
        for number, line in _numbered_lines(file):
            if line is None:
                limit = f"The line has more than {MAX_BYTES:,} bytes. Leave out what makes it so long."
                self._refuse_line(number, limit)
            elif line.strip():
                if batch.lines and not batch.has_room(line):
                    yield batch
                    batch = _Batch()
                batch.add(number, line)
        if batch.lines:
            yield batch

    def _send(self, batch: _Batch) -> None:
        try:
            reply = self.asker.post_lines(_ROUTE, b"\n".join(batch.lines), self.timeout)
        except ServerUnreachableError as error:
            raise ServerUnreachableError(error.message + _place(batch)) from None
        if reply.status == _TOO_LARGE:
            self._send_in_parts(batch, reply)
            return
        document = reply.document() if reply.status in _ANSWERED else None
        if not isinstance(document, dict) or "received" not in document:
            self._fail(reply, batch)
        self._count(document, batch)

    def _send_in_parts(self, batch: _Batch, reply: Reply) -> None:
        if len(batch.lines) > 1:
            for half in batch.halves():
                self._send(half)
            return
        self._refuse_line(batch.numbers[0], self.asker.refusal(reply, "POST", _ROUTE).message)

    def _count(self, document: dict[str, Any], batch: _Batch) -> None:
        report = self.report
        report.received += int(document["received"])
        report.stored += int(document.get("stored") or 0)
        report.duplicate += int(document.get("duplicate") or 0)
        report.rejected += int(document.get("rejected") or 0)
        report.errors_omitted += int(document.get("errors_omitted") or 0)
        for error in document.get("errors") or ():
            report.refuse(_line_error(error, batch.numbers))

    def _refuse_line(self, number: int, detail: str) -> None:
        """Count and list a line that is too large to reach the routes that would say so."""
        self.report.received += 1
        self.report.rejected += 1
        self.report.refuse(LineError(number, None, _TOO_LARGE, "too-large", detail))

    def _fail(self, reply: Reply, batch: _Batch) -> NoReturn:
        error = (
            self.asker.stranger(reply, "POST", _ROUTE)
            if reply.status == HTTPStatus.OK
            else self.asker.refusal(reply, "POST", _ROUTE)
        )
        raise ServerRefusedError(
            error.message + _place(batch),
            status=error.status,
            problem=error.problem,
            retry_after=error.retry_after,
        )


def _place(batch: _Batch) -> str:
    return (
        f" The lines before line {batch.numbers[0]} were sent. Import the file again to go on: what the"
        " server has already is not stored twice."
    )


def _line_error(error: dict[str, Any], numbers: list[int]) -> LineError:
    line = int(error.get("line") or 0)
    return LineError(
        line=numbers[line - 1] if 1 <= line <= len(numbers) else line,
        event_id=error.get("event_id"),
        status=int(error.get("status") or HTTPStatus.UNPROCESSABLE_ENTITY),
        code=str(error.get("code") or ""),
        detail=str(error.get("detail") or ""),
    )


def _numbered_lines(file: io.BufferedIOBase) -> Iterator[tuple[int, bytes | None]]:
    """Yield the lines of a file, from 1, without their ends; ``None`` for one that is too long."""
    number = 1
    try:
        while piece := file.readline(MAX_BYTES + 1):
            if number == 1 and piece.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
                raise InvalidInputError(
                    "The file is UTF-16 or UTF-32, as PowerShell writes it. Write it as UTF-8: iconv -f"
                    " UTF-16 -t UTF-8, or Out-File -Encoding utf8."
                )
            if len(piece) > MAX_BYTES and not piece.endswith(b"\n"):
                _skip_line(file)
                yield number, None
            else:
                line = piece.removeprefix(codecs.BOM_UTF8) if number == 1 else piece
                yield number, line.rstrip(b"\r\n")
            number += 1
    except (EOFError, BadGzipFile, zlib.error) as error:
        raise InvalidInputError(
            f"The gzip file is damaged: nothing after line {number - 1} can be unpacked ({error})."
            " Import what gzip -dc still gives; events that are in already are not stored twice."
        ) from error


def _skip_line(file: io.BufferedIOBase) -> None:
    while piece := file.readline(MAX_BYTES):
        if piece.endswith(b"\n"):
            return


@contextmanager
def _opened(
    source: str | PathLike[str] | BinaryIO,
) -> Iterator[tuple[io.BufferedReader, int | None]]:
    """Open a path, and tell its size; give an open file a buffer to look ahead in, leaving it open."""
    if isinstance(source, (str, PathLike)):
        with Path(source).open("rb") as file:
            yield file, Path(source).stat().st_size
    elif not hasattr(source, "readinto"):
        raise TypeError(
            f"{source!r:.80} is neither a path nor a file that gives bytes. Open a file with mode 'rb'."
        )
    elif hasattr(source, "peek"):
        yield cast("io.BufferedReader", source), None
    else:
        buffered: io.BufferedReader = io.BufferedReader(cast("Any", source))
        try:
            yield buffered, None
        finally:
            buffered.detach()


@contextmanager
def _unpacked(file: io.BufferedReader) -> Iterator[tuple[io.BufferedIOBase, bool]]:
    """Undo gzip where the file begins as gzip does, whatever its name; tell whether it did."""
    if not file.peek(len(_GZIP)).startswith(_GZIP):
        yield file, False
        return
    with GzipFile(fileobj=file, mode="rb") as unpacked:
        yield unpacked, True
