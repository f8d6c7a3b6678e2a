"""The questions of an ``EventClient``: from the server, or from the local log where there is none."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from os import PathLike
from typing import TYPE_CHECKING, Any, BinaryIO, Final

from madsci.client.reading.argument_types import Fields, Moment, Sort
from madsci.client.reading.asynchronous import asynchronous, asynchronous_iterator
from madsci.client.writing import Outputs
from madsci.common.errors import EventServerError
from madsci.common.stderr import warn_locally
from madsci.common.types.client_config import EventClientConfig
from madsci.common.types.event import Event

if TYPE_CHECKING:
    from madsci.client.delivery.http import HttpTransport
    from madsci.client.reading.event_reader import EventReader
    from madsci.client.reading.importing import ImportReport
    from madsci.client.reading.session import Session

READ_FLUSH_SECONDS: Final = 2.0
"""How long reading waits for this client's own events to arrive first."""


class Questions:
    """The reading half of ``EventClient``. Thread-safe.

    A ``selector`` is MongoDB-style, none for all events; ``sort`` is a path, with ``-`` in front for
    descending, or ``{path: 1 or -1}``, or several of these. Timeouts are in seconds and hold for one
    request; ``None`` is the configured one. What cannot be meant is refused with ``TypeError`` or
    ``ValueError`` before a request goes out. Unless they say otherwise, questions raise what
    ``get_event`` raises, and those that the local log cannot answer ``EventServerError`` where no
    server is configured.
    """

    config: EventClientConfig
    _outputs: Outputs
    event_server: str | None
    _connection: HttpTransport | None
    """The way to the server, if there is one; the rest of reading is loaded with the first question."""

    def get_event(self, event_id: str, timeout: float | None = None) -> Event | None:
        """Return one event, or ``None`` if there is none with this id.

        Without a server this and ``get_events`` read the local log.

        Raises:
            ServerUnreachableError: the server does not answer in time.
            ServerRefusedError: the server answers with an error.
        """
        from madsci.client.reading.selector_json import id_text  # noqa: PLC0415 - most programs only log

        event_id = id_text(event_id, "event_id")
        if self._connection is None:
            from madsci.client.reading.local_log import find_local  # noqa: PLC0415

            return find_local(self._outputs.path, event_id)
        return self._reader_for(timeout).get_event(event_id, timeout)

    async_get_event = asynchronous(get_event)

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

        Times are inclusive, and may be days or relative (``"-1h"``, ``"today"``); ``number=0`` asks for
        all. Raises what ``get_event`` raises.
        """
        from madsci.client.reading.request_parts import checked_number, events_params  # noqa: PLC0415

        params = events_params(level, offset, start_time, end_time, archived=include_archived)
        checked_number(number)
        if self._connection is None:
            from madsci.client.reading.local_log import select_local  # noqa: PLC0415

            return select_local(self._outputs.path, number, params)
        return self._reader_for(timeout).get_events(number, params, timeout)

    async_get_events = asynchronous(get_events)

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
        if self._lacks_server("query_events"):
            return {}
        events = self.iter_events(
            selector, sort=sort, include_archived=include_archived, number=number, timeout=timeout
        )
        return {event.event_id: event for event in events}

    async_query_events = asynchronous(query_events)

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
        reader, body = self._ready(timeout, selector, sort, include_archived=include_archived)
        return chain.from_iterable(reader.event_pages(body, number, timeout))

    async_iter_events = asynchronous_iterator(iter_events)

    def count_events(
        self,
        selector: Mapping[str, Any] | None = None,
        *,
        include_archived: bool = True,
        timeout: float | None = None,
    ) -> int:
        """Return how many events match."""
        reader, body = self._ready(timeout, selector, include_archived=include_archived)
        return reader.count(body, timeout)

    async_count_events = asynchronous(count_events)

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
        reader, body = self._ready(timeout, selector, include_archived=include_archived)
        params = {"interval": interval, "by": by}
        return reader.tally("events/histogram", body, params, timeout)

    async_get_histogram = asynchronous(get_histogram)

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
        reader, body = self._ready(timeout, selector, include_archived=include_archived)
        params = {"by": by if by is None or isinstance(by, str) else ",".join(by), "top": top}
        return reader.tally("events/facets", body, params, timeout)

    async_get_facets = asynchronous(get_facets)

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
            TypeError, ValueError: what is asked for, the format or the file cannot be meant.
            OSError: the file cannot be written.
        """
        from madsci.client.reading.exporting import export_events, form_of_file  # noqa: PLC0415

        form = form_of_file(path, format)
        reader, body = self._ready(timeout, selector, sort, fields, include_archived=include_archived)
        return export_events(reader.asker, body, path, form, timeout=timeout, progress=progress)

    async_export = asynchronous(export)

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

        return Import(self._reader_for(0).asker, timeout).run(path, progress=progress)

    async_import_events = asynchronous(import_events)

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
        reader, body = self._ready(timeout, selector, sort, fields, include_archived=include_archived)
        pages = reader.document_pages(body, number, timeout)
        return make_frame(module, chain.from_iterable(page.values() for page in pages), fields)

    async_to_dataframe = asynchronous(to_dataframe)

    @property
    def session(self) -> Session:
        """Requests of a program's own to the client's server, as old programs make them."""
        from madsci.client.reading.session import Session  # noqa: PLC0415 - see get_log

        return Session(self._connection)

    def get_log(self) -> dict[str, Event]:
        """Return everything in the local log file and its rotated predecessors, by id."""
        from madsci.client.reading.local_log import read_log  # noqa: PLC0415 - most programs only log

        return read_log(self._outputs.path)

    def _ready(
        self,
        timeout: float | None,
        selector: Mapping[str, Any] | None,
        sort: Sort | None = None,
        fields: Fields | None = None,
        *,
        include_archived: bool,
    ) -> tuple[EventReader, bytes]:
        """Return the reader, and the question as it is sent."""
        from madsci.client.reading.request_parts import question_body  # noqa: PLC0415 - see get_log

        body = question_body(selector, sort, fields, include_archived=include_archived)
        return self._reader_for(timeout), body

    def _lacks_server(self, name: str) -> bool:
        """Tell whether there is nobody to ask; the program is told of it, too."""
        if self._connection is None:
            warn_locally(f"{name} needs an Event Manager: set event_server_url to its address.")
        return self._connection is None

    def _reader_for(self, timeout: float | None) -> EventReader:
        """Return the reader, after this client's own events have arrived."""
        connection = self._required_connection()
        from madsci.client.reading.event_reader import EventReader  # noqa: PLC0415 - see get_log

        self._flush_own_events(timeout)
        return EventReader(connection, self.config)

    def _flush_own_events(self, timeout: float | None) -> None:
        self._outputs.flush(READ_FLUSH_SECONDS if timeout is None else min(timeout, READ_FLUSH_SECONDS))

    def _required_connection(self) -> HttpTransport:
        if self._connection is None:
            raise EventServerError(
                "Only an Event Manager can do this, and none is configured. Set event_server_url to"
                " its address."
            )
        return self._connection
