"""The questions of an ``EventClient``: from the server, or from the local log where there is none."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from madsci.client.console import warn_locally
from madsci.client.outputs import Outputs
from madsci.client.queries import EventReader, Moment, events_params, read_log, select_local
from madsci.common.types.event import Event

READ_FLUSH_SECONDS: Final = 2.0
"""How long reading waits for this client's own events to arrive first."""


class Questions:
    """The reading half of ``EventClient``."""

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
            return self.get_log().get(event_id)
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
            return select_local(self.get_log(), number, params)
        self._flush_before_reading(timeout)
        return self._reader.get_events(number, params, timeout)

    def query_events(
        self, selector: Mapping[str, Any], timeout: float | None = None, number: int | None = None
    ) -> dict[str, Event]:
        """Return the events that a MongoDB-style selector matches, all or the newest ``number``.

        Raises what ``get_event`` raises. Without a server there is no answer: a warning and ``{}``.
        """
        if self._reader is None:
            warn_locally("query_events needs an Event Manager: set event_server_url to its address.")
            return {}
        self._flush_before_reading(timeout)
        return self._reader.query_events(selector, number, timeout)

    def get_log(self) -> dict[str, Event]:
        """Return everything in the local log file and its rotated predecessors, by id."""
        return read_log(self._outputs.log_file)

    async def async_get_event(self, event_id: str, timeout: float | None = None) -> Event | None:
        """Do what ``get_event`` does, without holding up the event loop."""
        import asyncio  # noqa: PLC0415 - only asynchronous programs have it anyway

        return await asyncio.to_thread(self.get_event, event_id, timeout)

    async def async_get_events(
        self,
        number: int = 100,
        level: object = None,
        timeout: float | None = None,
        **more: Any,
    ) -> dict[str, Event]:
        """Do what ``get_events`` does, without holding up the event loop."""
        import asyncio  # noqa: PLC0415 - see async_get_event

        return await asyncio.to_thread(self.get_events, number, level, timeout, **more)

    async def async_query_events(
        self,
        selector: Mapping[str, Any],
        timeout: float | None = None,
        number: int | None = None,
    ) -> dict[str, Event]:
        """Do what ``query_events`` does, without holding up the event loop."""
        import asyncio  # noqa: PLC0415 - see async_get_event

        return await asyncio.to_thread(self.query_events, selector, timeout, number)

    def _flush_before_reading(self, timeout: float | None) -> None:
        self._outputs.flush(READ_FLUSH_SECONDS if timeout is None else min(timeout, READ_FLUSH_SECONDS))
