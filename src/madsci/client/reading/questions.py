"""The questions of an ``EventClient``: from the server, or from the local log where there is none."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from os import PathLike
from typing import TYPE_CHECKING, Any, BinaryIO, Final

from madsci.client.reading.event_reader import EventReader, Moment, events_params
from madsci.client.reading.local_log import find_local, read_log, select_local
from madsci.client.reading.selection import Fields, Selection, Sort, as_list
from madsci.client.writing.outputs import Outputs
from madsci.common.errors import EventServerError
from madsci.common.stderr import warn_locally
from madsci.common.types.event import Event

if TYPE_CHECKING:
    from madsci.client.reading.importing import ImportReport

READ_FLUSH_SECONDS: Final = 2.0
"""How long reading waits for this client's own events to arrive first."""


class Questions:
    """The reading half of ``EventClient``. Thread-safe.

    A ``selector`` is MongoDB-style, none for all events; ``sort`` is a path, with ``-`` in front for
    descending, or ``{path: 1 or -1}``, or several of these. Timeouts are in seconds and hold for one
    request; ``None`` is the configured one. Unless they say otherwise, questions raise what
    ``get_event`` raises, and those that the local log cannot answer ``EventServerError`` where no
    server is configured.
    """

    _outputs: Outputs
    _reader: EventReader | None

    def get_event(self, event_id: str, timeout: float | None = None) -> Event | None:
        """Return one event, or ``None`` if there is none with this id.

        Without a server this and ``get_events`` read the local log.

        Raises:
            ServerUnreachableError: the server does not answer in time.
            ServerRefusedError: the server answers with an error.
        """
        if self._reader is None:
            return find_local(self._outputs.path, event_id)
        self._flush_before_reading(timeout)
        return self._reader.get_event(event_id, timeout)

    def get_events(  # noqa: PLR0913 - the parameters of the server's route
        self,
        number: int = 100,
        level: object = None,
        timeout: float | None = None,
        *,
        start_time: Moment | None = None,
        end_time: Moment | None = None,
        offset: int = 0,
        include_archived: bool = False,
    ) -> dict[str, Event]:
        """Return the newest events by id, the newest first, of this level and above if one is given.

        Times are inclusive; ``number=0`` asks for all. Raises what ``get_event`` raises.
        """
        params = events_params(level, offset, start_time, end_time, archived=include_archived)
        if self._reader is None:
            return select_local(self._outputs.path, number, params)
        self._flush_before_reading(timeout)
        return self._reader.get_events(number, params, timeout)

    def query_events(
        self,
        selector: Mapping[str, Any],
        timeout: float | None = None,
        number: int | None = None,
        *,
        sort: Sort | None = None,
        include_archived: bool = True,
    ) -> dict[str, Event]:
        """Return the events that a selector matches, all or the first ``number``, the newest first.

        Without a server there is no answer: a warning and ``{}``.
        """
        if self._reader is None:
            warn_locally("query_events needs an Event Manager: set event_server_url to its address.")
            return {}
        events = self.iter_events(
            selector, sort=sort, include_archived=include_archived, number=number, timeout=timeout
        )
        return {event.event_id: event for event in events}

    def iter_events(
        self,
        selector: Mapping[str, Any] | None = None,
        *,
        sort: Sort | None = None,
        include_archived: bool = True,
        number: int | None = None,
        timeout: float | None = None,
    ) -> Iterator[Event]:
        """Yield the events that match, all or the first ``number``, the newest first.

        They are fetched page by page as the loop goes on, so that any number takes little memory.
        """
        selection = Selection(selector, sort, include_archived)
        return chain.from_iterable(self._reader_for(timeout).event_pages(selection, number, timeout))

    def count_events(
        self,
        selector: Mapping[str, Any] | None = None,
        *,
        include_archived: bool = True,
        timeout: float | None = None,
    ) -> int:
        """Return how many events match."""
        selection = Selection(selector, include_archived=include_archived)
        return self._reader_for(timeout).count(selection, timeout)

    def get_histogram(
        self,
        selector: Mapping[str, Any] | None = None,
        *,
        interval: str | None = None,
        by: str | None = None,
        include_archived: bool = True,
        timeout: float | None = None,
    ) -> dict[str, Any]:
        """Return how many events match in each span of time, as ``POST /events/histogram`` replies.

        ``interval`` is a length such as ``15m``, ``by`` what to count apart, such as ``level``; the
        server chooses what is not given. The counts are ``buckets``: ``start``, ``count``, ``counts``.
        """
        selection = Selection(selector, include_archived=include_archived)
        params = {"interval": interval, "by": by}
        return self._reader_for(timeout).tally("events/histogram", selection, params, timeout)

    def get_facets(
        self,
        selector: Mapping[str, Any] | None = None,
        *,
        by: str | Sequence[str] | None = None,
        top: int | None = None,
        include_archived: bool = True,
        timeout: float | None = None,
    ) -> dict[str, Any]:
        """Return the most frequent values of members, as ``POST /events/facets`` replies.

        ``by`` names the members and ``top`` how many values of each; the server chooses what is not
        given. Each of ``facets`` has ``values`` (``value``, ``count``), ``missing`` and ``other``.
        """
        selection = Selection(selector, include_archived=include_archived)
        params = {"by": None if by is None else ",".join(as_list(by)), "top": top}
        return self._reader_for(timeout).tally("events/facets", selection, params, timeout)

    def export(  # noqa: PLR0913 - what an export can choose
        self,
        path: str | PathLike[str] | BinaryIO,
        selector: Mapping[str, Any] | None = None,
        *,
        format: str | None = None,  # noqa: A002 - the name of the route's parameter
        fields: Fields | None = None,
        sort: Sort | None = None,
        include_archived: bool = True,
        progress: bool | None = None,
        timeout: float | None = None,
    ) -> int:
        """Write the events that match to a file, the oldest first; return the bytes written.

        The format is ``ndjson``, ``csv`` or ``parquet``; without one the name tells: ``.ndjson``,
        ``.jsonl``, ``.csv``, ``.parquet``, the first three also with ``.gz``, which compresses. An
        open binary file gets NDJSON by default. ``fields`` are the paths wanted behind the id, or
        ``{path: 0}`` for all but these. A file appears under its name when it is whole, in
        place of one that was there. ``progress`` shows a bar, ``None`` on a terminal only. The
        timeout bounds each wait for more, not the whole.

        Raises:
            ServerUnreachableError: the server does not answer, or the export broke off.
            ServerRefusedError: the server answers with an error.
            ValueError: the format cannot be told, or there is none of this name.
            OSError: the file cannot be written.
        """
        from madsci.client.reading.exporting import export_events  # noqa: PLC0415 - most programs only log

        selection = Selection(selector, sort, include_archived, fields)
        asker = self._reader_for(timeout).asker
        return export_events(asker, selection, path, format, timeout=timeout, progress=progress)

    def import_events(
        self,
        path: str | PathLike[str] | BinaryIO,
        *,
        progress: bool | None = None,
        timeout: float | None = None,
    ) -> ImportReport:
        """Send the events of a file, one JSON object a line, plain or gzip; tell what became of them.

        Times of reception stay as they are in the file, and no alerts are raised. Importing a file
        again stores nothing twice, as long as its events have ids. A failure in the middle leaves
        what was sent before on the server. The timeout holds for each batch of 1,000.

        Raises:
            ServerUnreachableError: the server does not answer in time.
            ServerRefusedError: the server answers with an error about more than single lines.
            InvalidInputError: the file is gzip, and damaged.
            OSError: the file cannot be read.
        """
        from madsci.client.reading.importing import Import  # noqa: PLC0415 - most programs only log

        if self._reader is None:
            raise _no_server()
        return Import(self._reader.asker, timeout).run(path, progress=progress)

    def to_dataframe(  # noqa: PLR0913 - what a frame can choose
        self,
        selector: Mapping[str, Any] | None = None,
        *,
        fields: Fields | None = None,
        library: str | None = None,
        sort: Sort | None = None,
        include_archived: bool = True,
        number: int | None = None,
        timeout: float | None = None,
    ) -> Any:
        """Return the events that match as a data frame, a row each, the newest first.

        Columns are the paths of what events hold (``source.node_id``, ``event_data.plate``), lists as
        JSON text; times are UTC datetimes. ``fields`` chooses columns, ``{path: 0}`` leaves some out.
        ``library`` is ``pandas`` or
        ``polars``, by default the first of them that is installed.

        Raises:
            ImportError: the library, or either, is not installed.
            ServerUnreachableError: the server does not answer in time.
            ServerRefusedError: the server answers with an error.
        """
        from madsci.client.reading.frames import frame_library, make_frame  # noqa: PLC0415 - see import_events

        module = frame_library(library)
        selection = Selection(selector, sort, include_archived, fields)
        pages = self._reader_for(timeout).document_pages(selection, number, timeout)
        return make_frame(module, chain.from_iterable(page.values() for page in pages), fields)

    def get_log(self) -> dict[str, Event]:
        """Return everything in the local log file and its rotated predecessors, by id."""
        return read_log(self._outputs.path)

    def _reader_for(self, timeout: float | None) -> EventReader:
        """Return the reader, after this client's own events have arrived."""
        if self._reader is None:
            raise _no_server()
        self._flush_before_reading(timeout)
        return self._reader

    def _flush_before_reading(self, timeout: float | None) -> None:
        self._outputs.flush(READ_FLUSH_SECONDS if timeout is None else min(timeout, READ_FLUSH_SECONDS))


def _no_server() -> EventServerError:
    return EventServerError(
        "Only an Event Manager can do this, and none is configured. Set event_server_url to its"
        " address."
    )
