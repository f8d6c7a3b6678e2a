"""The questions of an ``EventClient`` for asynchronous programs: the same answers, in a thread."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from os import PathLike
from typing import TYPE_CHECKING, Any, BinaryIO

from madsci.client.reading.questions import Questions
from madsci.client.reading.selection import Fields, Selection, Sort
from madsci.common.types.event import Event

if TYPE_CHECKING:
    from madsci.client.reading.importing import ImportReport


class AsyncQuestions(Questions):
    """The reading half of ``EventClient`` with its asynchronous twins.

    A call that is cancelled goes on in its thread until its request ends; what it returns is lost.
    """

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
        *,
        sort: Sort | None = None,
        include_archived: bool = True,
    ) -> dict[str, Event]:
        """Do what ``query_events`` does, without holding up the event loop."""
        import asyncio  # noqa: PLC0415 - see async_get_event

        return await asyncio.to_thread(
            self.query_events, selector, timeout, number, sort=sort, include_archived=include_archived
        )

    async def async_iter_events(
        self,
        selector: Mapping[str, Any] | None = None,
        *,
        sort: Sort | None = None,
        include_archived: bool = True,
        number: int | None = None,
        timeout: float | None = None,
    ) -> AsyncIterator[Event]:
        """Do what ``iter_events`` does, without holding up the event loop."""
        import asyncio  # noqa: PLC0415 - see async_get_event

        selection = Selection(selector, sort, include_archived)
        reader = await asyncio.to_thread(self._reader_for, timeout)
        pages = reader.event_pages(selection, number, timeout)
        while (page := await asyncio.to_thread(next, pages, None)) is not None:
            for event in page:
                yield event

    async def async_count_events(
        self,
        selector: Mapping[str, Any] | None = None,
        *,
        include_archived: bool = True,
        timeout: float | None = None,
    ) -> int:
        """Do what ``count_events`` does, without holding up the event loop."""
        import asyncio  # noqa: PLC0415 - see async_get_event

        return await asyncio.to_thread(
            self.count_events, selector, include_archived=include_archived, timeout=timeout
        )

    async def async_get_histogram(
        self,
        selector: Mapping[str, Any] | None = None,
        *,
        interval: str | None = None,
        by: str | None = None,
        include_archived: bool = True,
        timeout: float | None = None,
    ) -> dict[str, Any]:
        """Do what ``get_histogram`` does, without holding up the event loop."""
        import asyncio  # noqa: PLC0415 - see async_get_event

        return await asyncio.to_thread(
            self.get_histogram,
            selector,
            interval=interval,
            by=by,
            include_archived=include_archived,
            timeout=timeout,
        )

    async def async_get_facets(
        self,
        selector: Mapping[str, Any] | None = None,
        *,
        by: str | Sequence[str] | None = None,
        top: int | None = None,
        include_archived: bool = True,
        timeout: float | None = None,
    ) -> dict[str, Any]:
        """Do what ``get_facets`` does, without holding up the event loop."""
        import asyncio  # noqa: PLC0415 - see async_get_event

        return await asyncio.to_thread(
            self.get_facets,
            selector,
            by=by,
            top=top,
            include_archived=include_archived,
            timeout=timeout,
        )

    async def async_export(  # noqa: PLR0913 - what an export can choose
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
        """Do what ``export`` does, without holding up the event loop."""
        import asyncio  # noqa: PLC0415 - see async_get_event

        return await asyncio.to_thread(
            self.export,
            path,
            selector,
            format=format,
            fields=fields,
            sort=sort,
            include_archived=include_archived,
            progress=progress,
            timeout=timeout,
        )

    async def async_import_events(
        self,
        path: str | PathLike[str] | BinaryIO,
        *,
        progress: bool | None = None,
        timeout: float | None = None,
    ) -> ImportReport:
        """Do what ``import_events`` does, without holding up the event loop."""
        import asyncio  # noqa: PLC0415 - see async_get_event

        return await asyncio.to_thread(self.import_events, path, progress=progress, timeout=timeout)

    async def async_to_dataframe(  # noqa: PLR0913 - what a frame can choose
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
        """Do what ``to_dataframe`` does, without holding up the event loop."""
        import asyncio  # noqa: PLC0415 - see async_get_event

        return await asyncio.to_thread(
            self.to_dataframe,
            selector,
            fields=fields,
            library=library,
            sort=sort,
            include_archived=include_archived,
            number=number,
            timeout=timeout,
        )
