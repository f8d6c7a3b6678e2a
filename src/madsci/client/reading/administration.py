"""What an ``EventClient`` asks of the server as its operator: archiving, deleting, backups."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from madsci.client.reading.event_reader import Moment
from madsci.client.reading.questions import Questions
from madsci.common.clock import iso, parse_instant
from madsci.common.jsonable import to_jsonable
from madsci.common.stderr import warn_locally
from madsci.common.types.client_config import EventClientConfig


class Administration(Questions):
    """The operator's half of ``EventClient``. Thread-safe.

    Timeouts are in seconds; ``None`` is ``timeout_long_operations``. The server goes on with what it
    was told when nobody waits any longer, and each of these may be called again. Without a server
    they do nothing: a warning and ``None``.
    """

    config: EventClientConfig

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
            ValueError: the date cannot be read.
        """
        wanted: dict[str, Any] = {}
        if event_ids is not None:
            wanted["event_ids"] = [event_ids] if isinstance(event_ids, str) else list(event_ids)
        if before_date is not None:
            wanted["before_date"] = iso(parse_instant(before_date))
        if selector is not None:
            wanted["selector"] = to_jsonable(selector)
        if dry_run:
            wanted["dry_run"] = True
        return self._order("archive_events", "POST", "events/archive", timeout, body=wanted)

    def purge_events(
        self, older_than_days: float = 30, timeout: float | None = None, *, dry_run: bool = False
    ) -> dict[str, Any] | None:
        """Delete for good what was archived so many days ago, 0 for all that is archived.

        What the server's ``legal_hold`` holds stays. Returns the reply: ``deleted_count`` and
        ``message``; with ``dry_run`` only counts. Raises what ``archive_events`` raises.
        """
        params: dict[str, Any] = {"older_than_days": older_than_days}
        if dry_run:
            params["dry_run"] = "true"
        return self._order("purge_events", "DELETE", "events/archived", timeout, params=params)

    def create_backup(
        self, description: str | None = None, timeout: float | None = None
    ) -> dict[str, Any] | None:
        """Have the server back up its database; return the reply: ``backup_path`` and more.

        It is asked once: whether a request without a reply made one is told by ``get_backup_status``.
        Raises what ``archive_events`` raises.
        """
        body = None if description is None else {"description": description}
        return self._order("create_backup", "POST", "backup", timeout, body=body, repeat=False)

    def get_backup_status(self, timeout: float | None = None) -> dict[str, Any] | None:
        """Return which backups the server has, the newest first, and whether it makes more by itself.

        Raises what ``archive_events`` raises.
        """
        return self._order("get_backup_status", "GET", "backup/status", timeout)

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
        if self._reader is None:
            warn_locally(f"{name} needs an Event Manager: set event_server_url to its address.")
            return None
        asker = self._reader_for(timeout).asker
        seconds = self.config.timeout_long_operations if timeout is None else timeout
        text = None if body is None else msgspec.json.encode(body)
        reply = asker.ask(method, path, seconds, params=params, body=text, repeat=repeat)
        return asker.read_object(reply, method, path)
