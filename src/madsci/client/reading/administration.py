"""What an ``EventClient`` asks of the server as its operator: archiving, deleting, backups."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from madsci.client.reading.argument_types import Moment
from madsci.client.reading.asynchronous import asynchronous
from madsci.client.reading.questions import Questions


class Administration(Questions):
    """The operator's half of ``EventClient``. Thread-safe.

    Timeouts are in seconds; ``None`` is ``timeout_long_operations``. The server goes on with what it
    was told when nobody waits any longer, and each of these may be called again. Without a server
    they do nothing: a warning and ``None``.
    """

    def archive_events(
        self,
        before_date: Moment | None = None,
        event_ids: Sequence[str] | None = None,
        timeout: float | None = None,
        *,
        selector: Mapping[str, Any] | None = None,
        dry_run: bool = False,
    ) -> dict[str, Any] | None:
        """Take events out of the lists; they are kept, and found where archived ones are asked for.

        Either those with the ids; or those before the date (exclusive) that the selector matches, one
        of which may be left out. Returns the reply: ``archived_count`` and ``message``. With
        ``dry_run`` the events are only counted.

        Raises:
            ServerUnreachableError: the server does not answer in time.
            ServerRefusedError: the server answers with an error.
            TypeError, ValueError: the date, an id or the selector cannot be meant.
        """
        from madsci.client.reading.request_parts import archive_body  # noqa: PLC0415 - most programs only log

        wanted = archive_body(before_date, event_ids, selector, dry_run=dry_run)
        return self._order("archive_events", "POST", "events/archive", timeout, body=wanted)

    async_archive_events = asynchronous(archive_events)

    def purge_events(
        self,
        older_than_days: float = 30,
        timeout: float | None = None,
        *,
        dry_run: bool = False,
        backup: bool = True,
    ) -> dict[str, Any] | None:
        """Delete for good what was archived so many days ago, 0 for all that is archived.

        What the server's ``legal_hold`` holds stays. The server makes a backup before it deletes much;
        not so with ``backup=False``. Returns the reply: ``deleted_count``, ``message`` and, where a
        backup was made, ``backup_path``; with ``dry_run`` only counts. Raises what ``archive_events``
        raises.
        """
        params: dict[str, Any] = {"older_than_days": older_than_days}
        if not backup:
            params["backup"] = "false"
        if dry_run:
            params["dry_run"] = "true"
        return self._order("purge_events", "DELETE", "events/archived", timeout, params=params)

    async_purge_events = asynchronous(purge_events)

    def create_backup(
        self, description: str | None = None, timeout: float | None = None
    ) -> dict[str, Any] | None:
        """Have the server back up its database; return the reply: ``backup_path`` and more.

        It is asked once: whether a request without a reply made one is told by ``get_backup_status``.
        Raises what ``archive_events`` raises.
        """
        body = None if description is None else {"description": description}
        return self._order("create_backup", "POST", "backup", timeout, body=body, repeat=False)

    async_create_backup = asynchronous(create_backup)

    def get_backup_status(self, timeout: float | None = None) -> dict[str, Any] | None:
        """Return which backups the server has, the newest first, and whether it makes more by itself.

        Raises what ``archive_events`` raises.
        """
        return self._order("get_backup_status", "GET", "backup/status", timeout)

    async_get_backup_status = asynchronous(get_backup_status)

    def _order(  # noqa: PLR0913 - the parts of a request
        self,
        name: str,
        method: str,
        path: str,
        timeout: float | None,
        *,
        params: Mapping[str, Any] | None = None,
        body: Mapping[str, Any] | None = None,
        repeat: bool = True,
    ) -> dict[str, Any] | None:
        """Return the JSON object of the reply; ``None`` without a server."""
        if self._lacks_server(name):
            return None
        asker = self._reader_for(timeout).asker
        seconds = self.config.timeout_long_operations if timeout is None else timeout
        text = None if body is None else msgspec.json.encode(body)
        reply = asker.ask(method, path, seconds, params=params, body=text, repeat=repeat)
        return asker.read_object(reply, method, path)
