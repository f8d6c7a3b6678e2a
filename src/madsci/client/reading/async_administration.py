"""What an ``EventClient`` asks as an operator, for asynchronous programs: the same, in a thread."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from madsci.client.reading.administration import Administration
from madsci.client.reading.async_questions import AsyncQuestions
from madsci.client.reading.event_reader import Moment


class AsyncAdministration(AsyncQuestions, Administration):
    """The operator's half of ``EventClient`` with its asynchronous twins."""

    async def async_archive_events(
        self,
        before_date: Moment | None = None,
        event_ids: Sequence[str] | None = None,
        timeout: float | None = None,
        *,
        selector: Mapping[str, Any] | None = None,
        dry_run: bool = False,
    ) -> dict[str, Any] | None:
        """Do what ``archive_events`` does, without holding up the event loop."""
        import asyncio  # noqa: PLC0415 - see async_get_event

        return await asyncio.to_thread(
            self.archive_events, before_date, event_ids, timeout, selector=selector, dry_run=dry_run
        )

    async def async_purge_events(
        self, older_than_days: float = 30, timeout: float | None = None, *, dry_run: bool = False
    ) -> dict[str, Any] | None:
        """Do what ``purge_events`` does, without holding up the event loop."""
        import asyncio  # noqa: PLC0415 - see async_get_event

        return await asyncio.to_thread(self.purge_events, older_than_days, timeout, dry_run=dry_run)

    async def async_create_backup(
        self, description: str | None = None, timeout: float | None = None
    ) -> dict[str, Any] | None:
        """Do what ``create_backup`` does, without holding up the event loop."""
        import asyncio  # noqa: PLC0415 - see async_get_event

        return await asyncio.to_thread(self.create_backup, description, timeout)

    async def async_get_backup_status(self, timeout: float | None = None) -> dict[str, Any] | None:
        """Do what ``get_backup_status`` does, without holding up the event loop."""
        import asyncio  # noqa: PLC0415 - see async_get_event

        return await asyncio.to_thread(self.get_backup_status, timeout)
