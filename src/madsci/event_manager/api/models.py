"""The shapes of replies, for the OpenAPI document. The replies themselves are written faster."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from madsci.common.types.event import Event
from madsci.common.types.health import TaskHealth


class StoredEventReply(Event):
    """An event as it is stored. ``_id`` and ``event_id`` are the same; either is read."""

    event_id: str = Field(description="The same as `_id`.")
    id_alias: str = Field(
        alias="_id", description="Identifies the event; a ULID unless its sender chose otherwise."
    )


class RejectedEvent(BaseModel):
    """An event of a body that was not kept."""

    line: int = Field(description="Line of the body, or place in the array, counted from 1.")
    event_id: str | None = None
    status: int = Field(description="The HTTP status that it would have had alone.")
    code: str = Field(description="A stable word for the kind of error.")
    detail: str = Field(description="What is wrong and what to do.")


class RepairedEvent(BaseModel):
    """An event of a body that was kept, although part of it could not be read."""

    line: int
    event_id: str
    detail: str = Field(description="What could not be read and where it was kept.")


class BulkReply(BaseModel):
    """What became of the events of a body."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "received": 3,
                "stored": 1,
                "duplicate": 1,
                "rejected": 1,
                "errors": [
                    {
                        "line": 2,
                        "event_id": None,
                        "status": 422,
                        "code": "malformed-json",
                        "detail": "This is not JSON: Expecting value at line 1, column 15.",
                    }
                ],
                "errors_omitted": 0,
                "warnings": [],
            }
        },
    )

    received: int = Field(description="Events in the body.")
    stored: int = Field(description="Events that are new and now on disk.")
    duplicate: int = Field(description="Events that were stored before.")
    rejected: int = Field(description="Events that cannot be kept.")
    errors: list[RejectedEvent] = Field(description="The rejected events, up to 1,000 of them.")
    errors_omitted: int = Field(description="Rejected events that are not listed.")
    warnings: list[RepairedEvent] = Field(description="Repairs, up to 1,000 of them.")


class Problem(BaseModel):
    """Problem details of RFC 9457."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "type": "about:blank",
                "title": "Not Found",
                "status": 404,
                "detail": "Event with ID 01M84HX3CTDS9P8A5QKCMA1TVT not found",
                "code": "event-not-found",
            }
        },
    )

    type: str = "about:blank"
    title: str = Field(description="The HTTP status in words.")
    status: int = Field(description="The HTTP status.")
    detail: str = Field(description="What happened, with which value, and what to do next.")
    code: str = Field(description="A stable word for the kind of error.")
    errors: list[dict[str, Any]] | None = Field(
        default=None, description="Single failures, each with its place (`loc`) and `msg`."
    )


class Definition(BaseModel):
    """Who this manager is, and what else its definition file says."""

    model_config = ConfigDict(extra="allow")

    name: str
    description: str | None
    manager_id: str
    manager_type: str


class SettingsReply(BaseModel):
    """The settings in force, secrets masked."""

    settings: dict[str, Any]
    schema_title: str | None = None
    settings_schema: dict[str, Any] | None = Field(default=None, alias="schema")


class CountReply(BaseModel):
    """How many events match."""

    count: int


class BucketReply(BaseModel):
    """The events of one interval."""

    start: str = Field(description="Its beginning, inclusive.")
    count: int
    counts: dict[str, int] | None = Field(
        default=None,
        description="The count of each value, with `by`; events without a value are in none.",
    )


class HistogramReply(BaseModel):
    """How many events match in each interval, the empty ones included, the oldest first."""

    start: str | None = Field(description="Beginning of the first interval; null without events.")
    end: str | None = Field(description="End of the last interval, exclusive.")
    interval_seconds: float | None
    by: str | None
    total: int
    buckets: list[BucketReply]


class FacetValue(BaseModel):
    """A value and how many events have it."""

    value: int | str
    count: int


class FacetReply(BaseModel):
    """The values of a member, the most frequent first."""

    paths: list[str] = Field(description="Where the value stands; the first path that has one counts.")
    values: list[FacetValue]
    missing: int = Field(description="Events without a value.")
    other: int = Field(description="Events with a value that is not listed.")


class FacetsReply(BaseModel):
    """The most frequent values among the events that match."""

    total: int = Field(description="The events that match.")
    facets: dict[str, FacetReply]


class ArchiveReply(BaseModel):
    """What became of a request to archive."""

    archived_count: int = Field(description="Events archived, or that would be, with `dry_run`.")
    message: str
    dry_run: bool = False


class PurgeReply(BaseModel):
    """What became of a request to delete."""

    deleted_count: int = Field(description="Events deleted, or that would be, with `dry_run`.")
    message: str
    dry_run: bool = False
    backup_path: str | None = Field(
        default=None, description="The backup that was made before, where much was deleted."
    )


class ConfirmReply(BaseModel):
    """What was confirmed."""

    clock: str = Field(description="The time that the server takes for right.")
    message: str


class RetentionRuleReply(BaseModel):
    """How long some of the events are kept. Null is for ever, or for every one."""

    rule: str = Field(description="`rule 1`, `rule 2`, …, and `others` for all other events.")
    event_types: list[str] | None
    min_level: int | None
    levels: list[int] | None
    archive_after_days: float | None
    delete_after_days: float | None = Field(description="Counted from when they were archived.")


class RetentionRunReply(BaseModel):
    """What a run did."""

    started_at: str
    duration_seconds: float
    archived: int
    deleted: int
    rules: dict[str, dict[str, int]] = Field(description="The same by rule.")
    held: int | None = Field(description="Events that are due and held; null when not counted.")
    complete: bool = Field(description="False when the next run has to go on.")


class RetentionPreview(BaseModel):
    """What a run would find to do now."""

    archive: dict[str, int] = Field(description="Events to archive, by rule.")
    delete: dict[str, int] = Field(description="Archived events to delete, by rule.")
    held: int = Field(description="Archived events that would be deleted if they were not held.")


class RetentionReply(BaseModel):
    """The policy by which events are archived and deleted."""

    enabled: bool
    check_interval_hours: int
    archive_batch_size: int
    max_batches_per_run: int
    rules: list[RetentionRuleReply] = Field(description="The first that is about an event decides.")
    legal_hold: list[dict[str, Any]] = Field(description="Selectors of what is never deleted.")
    last_run: RetentionRunReply | None = Field(description="That of this server since its start.")
    task: TaskHealth | None = Field(description="When it runs; null when that is switched off.")
    preview: RetentionPreview | None = Field(description="On request.")


class BackupRequest(BaseModel):
    """What a backup is made for."""

    model_config = ConfigDict(extra="forbid", strict=True)

    description: str | None = Field(
        default=None, description="A few words that become part of its name."
    )


class OneBackup(BaseModel):
    """A backup in the folder."""

    path: str
    created_at: str
    size_bytes: int
    is_valid: bool = Field(description="Whether its files have the sizes they should have.")
    events: int | None = Field(description="Null where its maker did not say.")
    damaged_events: int = Field(description="Events that could not be read, and are not in it.")
    shrank: bool = Field(
        description="Whether the store held less than half of the events of the backup before."
    )
    origin: str = Field(
        description="`request`, `schedule`, `pre_migration`, `pre_restore` or `pre_purge`."
    )
    database_version: str | None
    description: str | None


class BackupReply(OneBackup):
    """The backup that was made."""

    backup_path: str
    status: str


class BackupStatusReply(BaseModel):
    """The backups that there are."""

    backup_enabled: bool
    backup_schedule: str | None
    backup_dir: str
    available_backups: list[OneBackup] = Field(description="The newest first.")
