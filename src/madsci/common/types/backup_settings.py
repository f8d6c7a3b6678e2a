"""The settings of an Event Manager about its backups."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final

from pydantic import AfterValidator, BaseModel, Field

from madsci.common.clock import EPOCH
from madsci.common.settings import MadsciPath, SettingTraits

_FIELDS: Final = 5
DEFAULT_SCHEDULE: Final = "0 2 * * *"
"""When backups are made that are enabled and have no schedule."""


def _cron(expression: str | None) -> str | None:
    if expression is None:
        return None
    from cronsim import CronSim, CronSimError  # noqa: PLC0415 - clients read settings without it

    fields = expression.split()
    text = " ".join(fields)
    if len(fields) != _FIELDS:
        raise ValueError(
            f"it should have {_FIELDS} fields (minute, hour, day, month, weekday) such as"
            f" '{DEFAULT_SCHEDULE}', and has {len(fields)}"
        )
    try:
        next(CronSim(text, EPOCH.replace(tzinfo=None)))
    except CronSimError as error:
        raise ValueError(
            "it should be a cron expression (minute, hour, day, month, weekday) such as"
            f" '{DEFAULT_SCHEDULE}': {error}"
        ) from error
    except StopIteration:
        raise ValueError(f"it should name a time that comes, such as '{DEFAULT_SCHEDULE}'") from None
    return text


class BackupSettings(BaseModel):
    """What ``EventManagerSettings`` has about backups."""

    backup_enabled: bool = Field(
        default=False, description="Make backups by a schedule; off, since they take space."
    )
    backup_schedule: Annotated[str | None, AfterValidator(_cron)] = Field(
        default=None,
        description="Cron expression of when, in naive_timezone; none for 02:00 each day.",
    )
    backup_dir: MadsciPath = Field(
        default=Path(".madsci/backups/events"),
        description="Folder of the backups; best on another disk.",
    )
    backup_max_count: Annotated[int, SettingTraits(unit="backups")] = Field(
        default=10,
        ge=1,
        description="Backups kept of those that were asked for, and as many that were scheduled.",
    )
    backup_keep_daily: Annotated[int, SettingTraits(unit="days")] = Field(
        default=7, ge=0, description="Days of which the last backup is kept besides; a week."
    )
    backup_keep_weekly: Annotated[int, SettingTraits(unit="weeks")] = Field(
        default=4, ge=0, description="Weeks of which the last backup is kept besides; a month."
    )
    backup_keep_monthly: Annotated[int, SettingTraits(unit="months")] = Field(
        default=6, ge=0, description="Months of which the last backup is kept besides; half a year."
    )
    backup_before_purge: bool = Field(
        default=True,
        description="Make a backup before much is deleted: over 1,000 events by request, or most.",
    )
