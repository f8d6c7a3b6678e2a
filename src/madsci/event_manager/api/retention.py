"""Archiving events, listing and deleting what is archived, and the policy that does it unasked."""

from __future__ import annotations

from datetime import tzinfo
from typing import Annotated, Any, Final

from fastapi import Query, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from madsci.common.clock import iso, now_us
from madsci.common.types.retention_settings import RetentionSettings
from madsci.event_manager.api.attending import attended
from madsci.event_manager.api.bodies import Bodies
from madsci.event_manager.api.events import CURSOR_HEADER
from madsci.event_manager.api.models import (
    ArchiveReply,
    ConfirmReply,
    PurgeReply,
    RetentionReply,
    StoredEventReply,
)
from madsci.event_manager.api.operations import Operations, Scope
from madsci.event_manager.api.page_reply import PageReply, ReplyRoom
from madsci.event_manager.api.parameters import TIME_PATTERN, Cursor, Number, Offset
from madsci.event_manager.api.question_schema import SELECTOR
from madsci.event_manager.model import query as queries
from madsci.event_manager.model.json_reading import read_request
from madsci.event_manager.model.selector import And, In, Selector
from madsci.event_manager.model.sorting import parse_sort
from madsci.event_manager.retention.policy import ARCHIVED, Policy
from madsci.event_manager.retention.request import ArchiveRequest, read_archive_request
from madsci.event_manager.retention.service import Retention, RetentionTask, archivable
from madsci.event_manager.search.service import Search
from madsci.event_manager.tasks.runner import TaskRunner

MAX_BODY_BYTES: Final = 16_000_000
"""A request with half a million ids."""
_IDS_AT_ONCE: Final = 1_000
MAX_DAYS: Final = 3_650_000
"""Ten thousand years, so that the time can be said."""
_LATEST_ARCHIVED_FIRST: Final = parse_sort({"archived_at": -1})

Days = Annotated[
    float,
    Query(
        ge=0,
        le=MAX_DAYS,
        allow_inf_nan=False,
        description="Deletes what was archived before; 0 for all that is archived.",
    ),
]
BackUpBefore = Annotated[
    bool, Query(description="Whether to make a backup before much is deleted; the server may not.")
]
DryRun = Annotated[bool, Query(description="Only count.")]
Preview = Annotated[bool, Query(description="Whether to count what a run would do now.")]


def retention_operations(  # noqa: PLR0913, PLR0917 - what the operations work with
    retention: Retention,
    search: Search,
    runner: TaskRunner,
    bodies: Bodies,
    room: ReplyRoom,
    settings: RetentionSettings,
    naive_zone: tzinfo | None,
) -> Operations:
    """Return the operations about how long events are kept.

    What changes events works in a thread until it is done, also when the client has gone away; asked
    again, it goes on. Times without an offset are read in ``naive_zone``.
    """
    operations = Operations()

    @operations.add(
        "POST",
        "/events/archive",
        "archive_events",
        "Archive events",
        Scope.MANAGE,
        "retention",
        (400, 413, 415, 504),
        response_model=ArchiveReply,
        response_model_exclude_defaults=True,
        openapi_extra=_ARCHIVE_BODY,
    )
    async def archive_events(request: Request) -> dict[str, Any]:
        """Take events out of the lists: by id, before a date (exclusive), or by a selector.

        They are kept, and found by `include_archived` and their ids. With ids the date is not looked
        at; a date and a selector have to hold both.
        """
        body = await bodies.read(request, MAX_BODY_BYTES)
        wanted = await run_in_threadpool(lambda: read_archive_request(read_request(body), naive_zone))
        if wanted.dry_run:
            count = await attended(request.receive, _count(search, _selectors(wanted)))
            return _archived(count, f"{count} events would be archived", dry_run=True)
        count = await run_in_threadpool(lambda: _archive(retention, wanted))
        return _archived(count, f"Successfully archived {count} events")

    @operations.add(
        "GET",
        "/events/archived",
        "get_archived_events",
        "Get archived events",
        Scope.READ,
        "retention",
        (400, 504),
        response_model=dict[str, StoredEventReply],
        responses={200: {"headers": CURSOR_HEADER}},
    )
    async def get_archived_events(
        request: Request,
        number: Number = queries.DEFAULT_PAGE,
        offset: Offset = 0,
        cursor: Cursor = None,
    ) -> Response:
        """Return archived events by id, those first that were archived last."""
        sort = _LATEST_ARCHIVED_FIRST
        after = None if cursor is None else queries.decode_cursor(cursor, sort)
        asked = search.page(queries.Query(ARCHIVED, number, offset, after, sort))
        page = await attended(request.receive, asked)
        return PageReply(room, page.body, page.next_cursor)

    @operations.add(
        "DELETE",
        "/events/archived",
        "purge_events",
        "Delete archived events for good",
        Scope.MANAGE,
        "retention",
        (409, 504),
        response_model=PurgeReply,
        response_model_exclude_defaults=True,
    )
    async def purge_events(
        request: Request,
        older_than_days: Days = 365,
        *,
        dry_run: DryRun = False,
        backup: BackUpBefore = True,
    ) -> dict[str, Any]:
        """Delete what was archived so many days ago, but for what `legal_hold` holds.

        Before more than 1,000 events are deleted, or most of those that are stored, a backup is made.
        """
        age = f"older than {older_than_days:g} days"
        if dry_run:
            counting = search.count(retention.purgeable(older_than_days))
            count = await attended(request.receive, counting)
            message = f"{count} archived events {age} would be deleted for good"
            return {"deleted_count": count, "message": message, "dry_run": True}
        purged = await run_in_threadpool(lambda: retention.purge(older_than_days, backup=backup))
        message = f"Permanently deleted {purged.deleted} archived events {age}"
        made = None if purged.backup is None else str(purged.backup)
        return {"deleted_count": purged.deleted, "message": message, "backup_path": made}

    @operations.add(
        "GET",
        "/retention",
        "get_retention",
        "How long events are kept",
        Scope.READ,
        "retention",
        (504,),
        response_model=RetentionReply,
    )
    async def get_retention(request: Request, *, preview: Preview = False) -> dict[str, Any]:
        """Return the policy, what the last run did, and what one would do now if `preview` is true."""
        last_run = retention.last_run
        tasks = [one for one in runner.stats() if one.name == RetentionTask.name]
        return {
            "enabled": settings.retention_enabled,
            "check_interval_hours": settings.retention_check_interval_hours,
            "archive_batch_size": settings.archive_batch_size,
            "max_batches_per_run": settings.max_batches_per_run,
            "rules": _rules(retention.policy, settings),
            "legal_hold": settings.legal_hold,
            "last_run": None if last_run is None else last_run.members(),
            "task": tasks[0] if tasks else None,
            "preview": (
                await attended(request.receive, _preview(search, retention)) if preview else None
            ),
        }

    @operations.add(
        "POST",
        "/retention/confirm",
        "confirm_clock",
        "Confirm that the clock is right",
        Scope.MANAGE,
        "retention",
        response_model=ConfirmReply,
    )
    async def confirm_clock() -> dict[str, Any]:
        """Let retention go on that is held back since the clock is ahead of what is known."""
        clock = iso(retention.confirm_clock())
        message = f"The clock is right: it is {clock}. Retention goes on within a minute"
        return {"clock": clock, "message": message}

    return operations


def _archive(retention: Retention, wanted: ArchiveRequest) -> int:
    if wanted.event_ids is not None:
        return retention.archive_ids(wanted.event_ids, wanted.batch_size)
    return retention.archive(wanted.selector or And(()), wanted.batch_size)


def _archived(count: int, message: str, *, dry_run: bool = False) -> dict[str, Any]:
    return {"archived_count": count, "message": message, "dry_run": dry_run}


async def _count(search: Search, selectors: list[Selector]) -> int:
    return sum([await search.count(selector) for selector in selectors])


def _selectors(wanted: ArchiveRequest) -> list[Selector]:
    """Return what a request would archive, as selectors that no event matches two of."""
    if wanted.event_ids is None:
        return [archivable(wanted.selector or And(()))]
    return [
        archivable(In(("_id",), tuple(wanted.event_ids[start : start + _IDS_AT_ONCE])))
        for start in range(0, len(wanted.event_ids), _IDS_AT_ONCE)
    ]


async def _preview(search: Search, retention: Retention) -> dict[str, Any]:
    now, policy = now_us(), retention.policy
    counts: dict[str, Any] = {}
    for what, due in (("archive", policy.to_archive(now)), ("delete", policy.to_delete(now))):
        # Python 3.10 knows no such comprehension inside of another one.
        counts[what] = {name: await search.count(each) for name, each in due.of_rule.items()}
    counts["held"] = await search.count(policy.held_back(now)) if policy.holds else 0
    return counts


def _rules(policy: Policy, settings: RetentionSettings) -> list[dict[str, Any]]:
    about_all: dict[str, Any] = dict.fromkeys(("event_types", "min_level", "levels"))
    about = [*(rule.model_dump(mode="json") for rule in settings.retention_rules), about_all]
    return [
        {
            **members,
            "rule": rule.name,
            "archive_after_days": rule.archive_after_days,
            "delete_after_days": rule.delete_after_days,
        }
        for rule, members in zip(policy.rules, about, strict=True)
    ]


_ARCHIVE_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {
                "schema": {
                    "type": "object",
                    "title": "ArchiveRequest",
                    "additionalProperties": False,
                    "properties": {
                        "event_ids": {"type": ["array", "null"], "items": {"type": "string"}},
                        "before_date": {
                            "type": ["string", "number", "null"],
                            "pattern": f"^{TIME_PATTERN}$",
                            "minimum": -2e19,
                            "maximum": 2e19,
                            "description": "Exclusive, of the events' own time.",
                            "examples": ["2026-01-01T00:00:00Z", "-90d"],
                        },
                        "selector": {"anyOf": [{"$ref": SELECTOR}, {"type": "null"}]},
                        "batch_size": {
                            "type": ["integer", "null"],
                            "minimum": 0,
                            "description": "Events changed at once; 0 or none for the server's.",
                        },
                        "dry_run": {"type": "boolean", "description": "Only count."},
                    },
                    "anyOf": [
                        {
                            "required": ["event_ids"],
                            "properties": {
                                "event_ids": {"type": "array", "minItems": 1},
                                "selector": {"type": "null"},
                            },
                        },
                        *(
                            {
                                "required": [name],
                                "properties": {
                                    name: {"not": {"type": "null"}},
                                    "event_ids": {"type": ["array", "null"], "maxItems": 0},
                                },
                            }
                            for name in ("before_date", "selector")
                        ),
                    ],
                },
                "examples": {
                    "date": {
                        "summary": "Everything before this year",
                        "value": {"before_date": "2026-01-01T00:00:00Z"},
                    },
                    "selector": {
                        "summary": "The debug messages of an experiment",
                        "value": {
                            "selector": {"source.experiment_id": "exp-456", "log_level": "debug"},
                        },
                    },
                },
            }
        },
    }
}
